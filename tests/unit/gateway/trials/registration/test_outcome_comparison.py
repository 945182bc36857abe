"""What became of promised outcomes: real ones, changed in ways that are known beforehand."""

import itertools
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import LimitError
from gateway.trials.registration.model import MOST_OUTCOMES, Outcome, OutcomeKind
from gateway.trials.registration.outcomes import Change, Comparison, Pair, compare
from gateway.trials.registration.pairing import best_pairs
from gateway.trials.registration.registry import read_record
from tests.unit.gateway.trials.registration.records import outcome, paths, record

PRIMARY, SECONDARY, OTHER, POST_HOC = OutcomeKind
SECONDS = 60.0
"""Of the processor, however busy the machine is; less than a tenth was seen."""


def only(comparison: Comparison) -> Pair:
    (pair,) = comparison.pairs
    return pair


def changes(promised: list[Outcome], reported: list[Outcome]) -> list[tuple[Change, ...]]:
    return [pair.changes for pair in compare(promised, reported).pairs]


def test_what_the_registry_shows_as_promised_is_what_was_reported(shared_data: Path) -> None:
    """Records show the present version of what was promised: of all that have results, every outcome is kept."""
    compared = [
        compare(read.registration.outcomes, read.reported)
        for read in (read_record(path.read_bytes()) for path in paths(shared_data))
        if read.reported is not None
    ]
    kept = sum(each.counts[Change.KEPT] for each in compared)
    assert (len(compared), kept, sum(len(each.pairs) for each in compared)) == (20, 270, 270)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Overall Survival (OS)", "overall survival, OS"),
        ("Follow-up HbA1c ≥ 7 %", "follow up hba1c >= 7%"),
        ("Ｃmax of ﬁngolimod", "CMAX of fingolimod"),
        ("Größe der Läsion", "GRÖSSE der La\u0308sion"),
    ],
)
def test_case_punctuation_and_unicode_do_not_count(one: str, other: str) -> None:
    assert changes([outcome(one)], [outcome(other)]) == [(Change.KEPT,)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HbA1c < 7 % at week 12", "HbA1c > 7 % at week 12"),
        ("ACR20 response rate", "ACR50 response rate"),
        ("Change of 1.5 points", "Change of 15 points"),
        ("収縮期血圧の変化量", "拡張期血圧の変化量"),
    ],
)
def test_a_sign_or_a_number_counts(one: str, other: str) -> None:
    pair = only(compare([outcome(one)], [outcome(other)]))
    assert (pair.changes, pair.differing) == ((Change.REWORDED,), ("measure",))


def test_a_secondary_that_is_reported_as_primary_is_promoted() -> None:
    assert changes([outcome("Pain")], [outcome("Pain", PRIMARY)]) == [(Change.PROMOTED,)]


def test_two_that_change_places_are_told_although_their_words_are_nearly_the_same() -> None:
    early, late = (f"Change in HbA1c from baseline to week {week}" for week in (12, 24))
    promised = [outcome(early, PRIMARY, time_frame="up to 24 weeks"), outcome(late, time_frame="up to 24 weeks")]
    reported = [outcome(late, PRIMARY, time_frame="up to 24 weeks"), outcome(early, time_frame="up to 24 weeks")]
    assert changes(promised, reported) == [(Change.DEMOTED,), (Change.PROMOTED,)]


def test_what_was_thought_of_afterwards_is_added() -> None:
    pairs = compare([outcome("Pain")], [outcome("Pain"), outcome("Hair colour", POST_HOC)]).pairs
    assert [(pair.changes, pair.promised is None) for pair in pairs] == [
        ((Change.KEPT,), False),
        ((Change.ADDED,), True),
    ]


def test_units_of_time_are_the_same_however_they_are_written() -> None:
    assert changes([outcome("Pain", time_frame="12 Weeks")], [outcome("Pain", time_frame="12 wk.")]) == [(Change.KEPT,)]


@pytest.mark.parametrize("after", ["24 weeks", None, "3 months"])
def test_another_time_frame_is_told(after: str | None) -> None:
    pair = only(compare([outcome("Pain")], [outcome("Pain", time_frame=after)]))
    assert (pair.changes, pair.differing) == ((Change.TIME_FRAME_CHANGED,), ("timeFrame",))


def test_another_description_is_other_words() -> None:
    pair = only(compare([outcome("Pain", description="VAS")], [outcome("Pain", description="NRS")]))
    assert (pair.changes, pair.differing, pair.likeness) == ((Change.REWORDED,), ("description",), 1_000)


def test_changes_come_together() -> None:
    before = outcome("Mean pain score", PRIMARY, time_frame="4 weeks")
    after = outcome("Mean pain intensity score", SECONDARY, time_frame="8 weeks")
    assert changes([before], [after]) == [(Change.DEMOTED, Change.REWORDED, Change.TIME_FRAME_CHANGED)]


def test_a_measure_at_several_time_frames_is_paired_by_them() -> None:
    promised = [outcome("Pain", time_frame=f"{weeks} weeks") for weeks in (4, 12, 24)]
    reported = [outcome("Pain", time_frame=f"{weeks} weeks") for weeks in (24, 4, 52)]
    pairs = compare(promised, reported).pairs
    assert [pair.changes for pair in pairs] == [(Change.KEPT,), (Change.TIME_FRAME_CHANGED,), (Change.KEPT,)]
    assert pairs[1].reported == reported[2]


def test_the_same_words_are_paired_before_all_that_is_alike() -> None:
    promised = [
        outcome("pain in knee at rest", time_frame="1 week"),
        outcome("pain in knee at work", time_frame="2 days"),
    ]
    reported = [
        outcome("pain in knee at rest", time_frame="2 days"),
        outcome("pain in knee at home", time_frame="1 week"),
    ]
    pairs = compare(promised, reported).pairs
    assert [pair.reported for pair in pairs] == reported


def test_the_same_words_and_time_are_paired_whatever_the_kind() -> None:
    promised = [outcome("Pain", PRIMARY, time_frame="baseline, 12 weeks"), outcome("Pain", time_frame="baseline")]
    reported = [outcome("Pain", time_frame="baseline, 12 weeks"), outcome("Pain", PRIMARY, time_frame="12 weeks")]
    assert changes(promised, reported)[0] == (Change.DEMOTED,)


def test_the_same_outcome_twice_is_reported_once_and_dropped_once() -> None:
    assert changes([outcome("Pain")] * 2, [outcome("Pain")]) == [(Change.KEPT,), (Change.DROPPED,)]


def test_other_words_under_the_same_description_are_paired() -> None:
    told = "Proportion of subjects with 20 % fewer tender and swollen joints and 20 % better in three of five others"
    one = outcome("ACR20 at week 12", description=told)
    other = outcome("American College of Rheumatology 20 % response at week 12", description=told)
    assert changes([one], [other]) == [(Change.REWORDED,)]


def test_what_is_not_alike_is_dropped_and_added() -> None:
    assert changes([outcome("Overall survival")], [outcome("Quality of life")]) == [(Change.DROPPED,), (Change.ADDED,)]


def test_nothing_promised_and_nothing_reported_is_nothing() -> None:
    assert compare([], []).pairs == ()


CHANGED = {
    Change.PROMOTED: lambda one: replace(one, kind=PRIMARY),
    Change.DEMOTED: lambda one: replace(one, kind=POST_HOC),
    Change.TIME_FRAME_CHANGED: lambda one: replace(one, time_frame="until the last of all visits"),
    Change.REWORDED: lambda one: replace(one, measure=f"{one.measure}, as amended"),
}


@pytest.mark.parametrize("name", ["NCT02028676.json.gz", "NCT02552212.json.gz", "NCT03191552.xml.gz"])
def test_what_was_done_to_real_outcomes_is_found(shared_data: Path, name: str) -> None:
    """58, 31 and 17 outcomes, nearly equal words and several time frames among them; each change to one of them."""
    promised = list(record(shared_data, name).registration.outcomes)
    found = random.Random(7)
    secondary = [at for at, one in enumerate(promised) if one.kind is SECONDARY]
    places = dict(zip(CHANGED, found.sample(secondary, len(CHANGED)), strict=True))
    dropped = next(at for at in secondary if at not in places.values())
    reported = promised.copy()
    for change, at in places.items():
        reported[at] = CHANGED[change](promised[at])
    del reported[dropped]
    new = outcome("Something that nobody had thought of", POST_HOC)
    reported.append(new)
    found.shuffle(reported)
    expected = dict.fromkeys(range(len(promised)), (Change.KEPT,))
    expected |= {at: (change,) for change, at in places.items()} | {dropped: (Change.DROPPED,)}
    comparison = compare(promised, reported)
    assert [pair.promised for pair in comparison.pairs] == [*promised, None]
    assert [pair.changes for pair in comparison.pairs[:-1]] == list(expected.values())
    assert comparison.pairs[-1].reported == new


MEASURES = st.lists(st.sampled_from(["pain", "week", "12", "24", "score", "mean"]), min_size=1, max_size=4).map(
    " ".join
)
OUTCOMES = st.lists(
    st.builds(outcome, MEASURES, st.sampled_from(OutcomeKind), time_frame=st.sampled_from([None, "12 weeks", "1 y"])),
    max_size=7,
)


@settings(max_examples=300, deadline=None)
@given(OUTCOMES, OUTCOMES)
def test_every_outcome_of_either_side_stands_once(promised: list[Outcome], reported: list[Outcome]) -> None:
    pairs = compare(promised, reported).pairs
    assert [pair.promised for pair in pairs if pair.promised is not None] == promised
    right = [pair.reported for pair in pairs if pair.reported is not None]
    assert sorted(right, key=repr) == sorted(reported, key=repr)


@settings(max_examples=200, deadline=None)
@given(OUTCOMES, st.randoms(use_true_random=False))
def test_outcomes_in_another_order_are_all_kept(promised: list[Outcome], order: random.Random) -> None:
    reported = promised.copy()
    order.shuffle(reported)
    assert set(changes(promised, reported)) <= {(Change.KEPT,)}


@settings(max_examples=200, deadline=None)
@given(OUTCOMES, OUTCOMES)
def test_what_was_promised_is_back_when_sides_change(promised: list[Outcome], reported: list[Outcome]) -> None:
    there, back = compare(promised, reported).counts, compare(reported, promised).counts
    assert (there[Change.KEPT], there[Change.DROPPED]) == (back[Change.KEPT], back[Change.ADDED])


WEIGHTS = st.lists(st.dictionaries(st.integers(0, 3), st.integers(1, 9) | st.just(10**8), max_size=4), max_size=4)


@settings(max_examples=400, deadline=None)
@given(WEIGHTS)
def test_no_pairing_weighs_more(weights: list[dict[int, int]]) -> None:
    """Against all there are."""
    found = best_pairs(weights)
    assert len(set(found.values())) == len(found)
    columns: list[int | None] = [*range(4), *(None for _ in weights)]
    every = itertools.permutations(columns, len(weights))
    most = max(sum(row.get(-1 if to is None else to, 0) for row, to in zip(weights, one, strict=True)) for one in every)
    assert sum(weights[row][column] for row, column in found.items()) == most


def nearly_equal(number: int, seed: int) -> list[Outcome]:
    drawn = random.Random(seed)
    made = []
    for _ in range(number):
        told = [f"word{at}" for at in range(10)]
        told[drawn.randrange(10)] = f"x{drawn.randrange(40)}"
        made.append(outcome(" ".join(told), time_frame=f"{drawn.randrange(50)} weeks", description="a b c"))
    return made


def test_as_many_as_there_may_be_are_compared_in_time() -> None:
    started = time.process_time()
    comparison = compare(nearly_equal(MOST_OUTCOMES, 1), nearly_equal(MOST_OUTCOMES, 2))
    assert time.process_time() - started < SECONDS
    assert len(comparison.pairs) >= MOST_OUTCOMES


def test_weights_that_are_hard_to_pair_are_paired_in_time() -> None:
    size = MOST_OUTCOMES
    started = time.process_time()
    found = best_pairs([{column: (row + 1) * (column + 1) for column in range(size)} for row in range(size)])
    assert time.process_time() - started < SECONDS
    assert found == {at: at for at in range(size)}


def test_long_texts_are_compared_in_time() -> None:
    long = [
        outcome(" ".join(f"w{at}x{number}" for at in range(500)), description="a " * 50_000) for number in range(50)
    ]
    started = time.process_time()
    compare(long, long[::-1])
    assert time.process_time() - started < SECONDS


def test_more_than_may_be_are_refused() -> None:
    with pytest.raises(LimitError) as refusal:
        compare([], [outcome("Pain")] * (MOST_OUTCOMES + 1))
    assert refusal.value.field == ("reported",)
