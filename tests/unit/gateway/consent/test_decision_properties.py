"""What holds of every decision, whatever is asked, recorded and consented to."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway.consent.model as model
from gateway.consent.model import ANYONE, AccessRequest, Action, DecisionFacts, Effect, Grant, Permit, Purpose
from gateway.consent.policy import PERMIT_SECONDS, SKEW_SECONDS, decide
from gateway.identity.model import Role
from tests.unit.gateway.consent.cases import (
    DAY,
    DOCTOR,
    HOSPITAL,
    NOW,
    OTHER_DOCTOR,
    OTHER_RECORD,
    RECORD,
    as_of,
    consent,
    deny,
    doctor,
    emergency,
    facts,
    outcome,
    permit,
    request,
    with_scope,
)

TYPES = ("Observation", "Condition", "Medication")
CODES = ("a|1", "a|2", "b|1")
LABELS = ("HIV", "PSY", "SUD")
TIMES = ("", "2025-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-12-31T00:00:00Z")
LISTS = {
    "resource_types": TYPES,
    "codes": CODES,
    "labels": LABELS,
    "authors": (DOCTOR, OTHER_DOCTOR),
    "records": (RECORD, OTHER_RECORD),
    "actions": tuple(Action),
    "purposes": ("TREAT", "HOPERAT", "CLINTRCH"),
    "data_use": ("DUO:0000042",),
}


def some(items: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(items), unique=True).map(tuple)


def mostly_all(items: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.one_of(st.just(items), st.just(()), some(items))


@st.composite
def grants(draw: st.DrawFn, effect: Effect | None = None) -> Grant:
    scoped = {name: draw(mostly_all(items)) for name, items in LISTS.items()}
    return consent(
        draw(st.sampled_from(Effect)) if effect is None else effect,
        **scoped,
        grantee=draw(st.sampled_from((DOCTOR, HOSPITAL, ANYONE, OTHER_DOCTOR))),
        data_from=draw(st.sampled_from(TIMES)),
        data_to=draw(st.sampled_from(TIMES)),
        context=draw(st.sampled_from(("", "", "", "study:1"))),
        epoch=draw(st.sampled_from((3, 3, 3, 2))),
        confirmed=draw(st.sampled_from((True, True, False))),
        revoked=draw(st.sampled_from((False, False, True))),
        not_before=NOW + draw(st.integers(-3, 1)),
        not_after=NOW + draw(st.integers(0, 10)),
        consent=draw(st.binary(min_size=32, max_size=32)),
    )


@st.composite
def records(draw: st.DrawFn) -> DecisionFacts:
    start = draw(st.floats(1.7e9, 1.82e9))
    return facts(
        resource_type=draw(st.sampled_from(TYPES)),
        contained_types=frozenset(draw(some(TYPES))),
        codes=frozenset(draw(some(CODES))),
        mentioned=frozenset(draw(some(CODES))),
        labels=frozenset(draw(some(LABELS))),
        author=draw(st.sampled_from((DOCTOR, OTHER_DOCTOR, None))),
        period=draw(st.sampled_from((None, (start, start + DAY)))),
        inline=draw(st.dictionaries(st.sampled_from(("/a", "/b")), some(LABELS).map(frozenset))),
    )


@st.composite
def requests(draw: st.DrawFn) -> AccessRequest:
    asking = doctor(roles=frozenset({Role.CLINICIAN, Role.ORGANIZATION}))
    purpose = st.sampled_from((Purpose.TREAT, Purpose.HOPERAT, Purpose.CLINTRCH))
    return request(asking, action=draw(st.sampled_from(Action)), purpose=draw(purpose))


many = st.lists(grants(), max_size=5, unique_by=lambda grant: grant.consent)
quick = settings(max_examples=60, deadline=None)


def ask(held: list[Grant], asked: AccessRequest, about: DecisionFacts, *, now: float = NOW) -> Any:
    return outcome(held, asked=asked, about=about, now=now)


def shown_less_or_equal(after: Any, before: Any) -> bool:
    """Whether `after` gives nothing that `before` did not."""
    if not isinstance(after, Permit):
        return True
    return isinstance(before, Permit) and set(before.obligations) <= set(after.obligations)


@quick
@given(many, requests(), records(), st.data())
def test_ending_a_permit_never_shows_more(held: Any, asked: Any, about: Any, data: Any) -> None:
    permits = [at for at, grant in enumerate(held) if grant.terms.effect is Effect.PERMIT]
    if not permits:
        return
    at = data.draw(st.sampled_from(permits))
    ended = [replace(grant, revoked=True) if at == place else grant for place, grant in enumerate(held)]
    gone = held[:at] + held[at + 1 :]
    assert shown_less_or_equal(ask(ended, asked, about), ask(held, asked, about))
    assert ask(ended, asked, about) == ask(gone, asked, about)


@quick
@given(many, grants(Effect.DENY), requests(), records())
def test_a_further_deny_never_shows_more(held: Any, further: Any, asked: Any, about: Any) -> None:
    assert shown_less_or_equal(ask([*held, further], asked, about), ask(held, asked, about))


@quick
@given(many, grants(Effect.PERMIT), requests(), records())
def test_a_further_permit_never_shows_less(held: Any, further: Any, asked: Any, about: Any) -> None:
    assert shown_less_or_equal(ask(held, asked, about), ask([*held, further], asked, about))


@quick
@given(grants(Effect.PERMIT), requests(), records(), st.sampled_from(sorted(LISTS)), st.data())
def test_a_shorter_list_in_a_permit_never_shows_more(one: Any, asked: Any, about: Any, name: Any, data: Any) -> None:
    items = getattr(one.terms.scope, name)
    if not items and name not in ("actions", "purposes", "labels"):
        narrower = with_scope(one, **{name: data.draw(some(LISTS[name]))})
    else:
        fewer = tuple(data.draw(st.sets(st.sampled_from(items)))) if items else ()
        open_again = not fewer and name not in ("actions", "purposes", "labels")
        narrower = one if open_again else with_scope(one, **{name: fewer})
    assert shown_less_or_equal(ask([narrower], asked, about), ask([one], asked, about))


@quick
@given(grants(Effect.DENY), requests(), records(), st.sampled_from(sorted(LISTS)))
def test_a_criterion_taken_out_of_a_deny_never_shows_more(one: Any, asked: Any, about: Any, name: Any) -> None:
    everything = permit(labels=LABELS, purposes=tuple(Purpose), actions=tuple(Action), consent=b"\xee" * 32)
    wider = with_scope(one, **{name: ()})
    assert shown_less_or_equal(ask([everything, wider], asked, about), ask([everything, one], asked, about))


@quick
@given(grants(Effect.PERMIT), requests(), records())
def test_a_permit_without_actions_or_purposes_covers_nothing(one: Any, asked: Any, about: Any) -> None:
    for name in ("actions", "purposes"):
        assert not isinstance(ask([with_scope(one, **{name: ()})], asked, about), Permit)


@quick
@given(grants(Effect.PERMIT), requests(), records(), st.sampled_from(LABELS))
def test_with_more_labels_obligations_only_shrink(one: Any, asked: Any, about: Any, label: Any) -> None:
    wider = with_scope(one, labels=(*one.terms.scope.labels, label))
    before, after = ask([one], asked, about), ask([wider], asked, about)
    if isinstance(before, Permit):
        assert set(after.obligations) <= set(before.obligations)


@quick
@given(many, requests(), records())
def test_no_part_is_shown_whose_labels_no_consent_names(held: Any, asked: Any, about: Any) -> None:
    decided = ask(held, asked, about)
    if isinstance(decided, Permit):
        (named,) = [set(one.terms.scope.labels) for one in held if one.consent == decided.consents[0]]
        shown = [labels for part, labels in about.inline.items() if part not in decided.obligations]
        assert all(labels <= named for labels in [about.labels, *shown])


@quick
@given(many, requests(), records())
def test_a_decision_is_the_same_each_time_and_changes_nothing(held: Any, asked: Any, about: Any) -> None:
    before = copy.deepcopy((held, asked, about))
    assert ask(held, asked, about) == ask(held, asked, about)
    assert (held, asked, about) == before


@quick
@given(many, requests(), records(), st.randoms())
def test_the_order_of_consents_changes_neither_the_answer_nor_how_much_is_hidden(
    held: Any, asked: Any, about: Any, random: Any
) -> None:
    mixed = random.sample(held, len(held))
    first, second = ask(held, asked, about), ask(mixed, asked, about)
    assert type(first) is type(second)
    if isinstance(first, Permit):
        assert len(first.obligations) == len(second.obligations)


@quick
@given(st.lists(grants(Effect.PERMIT), max_size=4), requests(), records(), st.floats(0, 20), st.floats(0, 20))
def test_a_permit_once_over_never_comes_back(held: Any, asked: Any, about: Any, first: float, later: float) -> None:
    begun = [replace(one, terms=replace(one.terms, not_before=NOW - DAY)) for one in held]
    early, late = sorted((first, later))
    assert shown_less_or_equal(ask(begun, asked, about, now=NOW + late), ask(begun, asked, about, now=NOW + early))


@quick
@given(many, requests(), records(), st.integers(-DAY, DAY))
def test_no_clock_alone_makes_an_expired_permit_permit(held: Any, asked: Any, about: Any, off: int) -> None:
    over = [replace(one, terms=replace(one.terms, not_before=NOW - DAY, not_after=NOW)) for one in held]
    assert not isinstance(outcome(over, asked=asked, about=about, now=NOW + off), Permit)
    assert not isinstance(outcome(over, asked=asked, about=about, block=as_of(block_time=NOW + off)), Permit)


@quick
@given(st.integers(-DAY, DAY))
def test_no_clock_alone_lifts_a_deny(off: int) -> None:
    held = [permit(not_after=NOW + 2 * DAY, not_before=NOW - 2 * DAY), deny(not_before=NOW, not_after=NOW + 1)]
    assert not isinstance(outcome(held, now=NOW + off), Permit)
    assert not isinstance(outcome(held, block=as_of(block_time=NOW + off)), Permit)


@quick
@given(many, requests(), records())
def test_a_permit_binds_what_was_asked_and_lasts_seconds(held: Any, asked: Any, about: Any) -> None:
    decided = ask(held, asked, about)
    if isinstance(decided, Permit):
        assert (decided.subject, decided.record, decided.action) == (asked.subject, asked.record, asked.action)
        assert decided.expires - decided.decided_at == PERMIT_SECONDS


@quick
@given(many, records(), st.sampled_from(sorted(set(Purpose) - {Purpose.ETREAT})), st.sampled_from(Action))
def test_an_emergency_changes_no_decision_for_any_other_purpose(
    held: Any, about: Any, purpose: Any, action: Any
) -> None:
    asked = request(doctor(roles=frozenset(Role)), purpose=purpose, action=action)
    assert outcome(held, asked=asked, about=about, broken=emergency()) == outcome(held, asked=asked, about=about)


@quick
@given(many, records(), st.sampled_from(Action), st.booleans())
def test_in_an_emergency_permits_and_denies_for_other_purposes_change_nothing(
    held: Any, about: Any, action: Any, fresh: bool
) -> None:
    asked, block = request(purpose=Purpose.ETREAT, action=action), as_of(fresh=fresh)
    others = [with_scope(one, purposes=tuple(set(one.terms.scope.purposes) - {"ETREAT"})) for one in held]
    decided = outcome(others, asked=asked, about=about, block=block, broken=emergency())
    assert decided == outcome([], asked=asked, about=about, block=block, broken=emergency())
    assert isinstance(decided, Permit)


@quick
@given(many, grants(Effect.DENY), records(), st.sampled_from(Action))
def test_no_emergency_goes_past_a_deny_that_names_it(held: Any, one: Any, about: Any, action: Any) -> None:
    asked = request(purpose=Purpose.ETREAT, action=action)
    bars = with_scope(
        one, grantee=ANYONE, purposes=("ETREAT",), actions=(), resource_types=(), codes=(), labels=(), authors=(),
        records=(), data_from="", data_to="", data_use=(), context="",
    )  # fmt: skip
    standing = replace(bars, revoked=False, terms=replace(bars.terms, not_before=NOW - DAY, not_after=NOW + DAY))
    assert not isinstance(outcome([*held, standing], asked=asked, about=about, broken=emergency()), Permit)


@quick
@given(records(), st.integers(-2 * DAY, 2 * DAY), st.integers(-2 * DAY, 2 * DAY))
def test_no_emergency_permits_after_its_end_by_either_clock(about: Any, ours: int, chains: int) -> None:
    asked, held = request(purpose=Purpose.ETREAT), emergency()
    decided = outcome(asked=asked, about=about, now=NOW + ours, block=as_of(block_time=NOW + chains), broken=held)
    within = max(NOW + ours, NOW + chains) < held.expires_at and NOW + ours >= held.opened_at - SKEW_SECONDS
    assert isinstance(decided, Permit) is within
    assert not within or decided.expires <= held.expires_at


def test_no_permit_is_built_without_the_mint() -> None:
    made = outcome([permit()])
    values = {name: getattr(made, name) for name in Permit.__slots__}
    for mint in (None, object(), True, "mint"):
        with pytest.raises(TypeError):
            Permit(mint=mint, **values)
    with pytest.raises(TypeError):
        Permit(**values)


def test_no_permit_is_made_of_another_by_replacing_its_values() -> None:
    made = outcome([permit()])
    with pytest.raises((TypeError, ValueError)):
        replace(made, record=OTHER_RECORD)


def test_a_permit_holds_no_mint_to_borrow() -> None:
    assert not any(type(getattr(outcome([permit()]), name)) is model._Mint for name in Permit.__slots__)


def test_the_decision_alone_holds_the_mint() -> None:
    root = Path(model.__file__).parents[2]
    holders = {
        str(path.relative_to(root))
        for part in ("gateway", "schema", "anchoring")
        for path in (root / part).rglob("*.py")
        if "_Mint" in path.read_text() or "_MINT" in path.read_text()
    }
    assert holders == {"gateway/consent/model.py", "gateway/consent/policy.py"}


def test_nothing_in_the_house_makes_objects_past_their_constructors() -> None:
    root = Path(model.__file__).parents[2]
    found = [
        str(path.relative_to(root))
        for part in ("gateway", "schema")
        for path in (root / part).rglob("*.py")
        if any(word in path.read_text() for word in ("object.__new__", "import pickle", "__setstate__"))
    ]
    assert found == []


def test_neither_answer_is_truth_by_accident() -> None:
    assert "__bool__" not in vars(Permit)
    assert bool(outcome([permit()])) is bool(outcome([])) is True


def test_a_decision_reads_no_clock_and_awaits_nothing() -> None:
    names = set(decide.__code__.co_names)
    assert not names & {"time", "now", "monotonic", "sleep", "open", "random"}


def test_a_permit_survives_no_trip_that_changes_it() -> None:
    made = outcome([permit()])
    assert pickle.loads(pickle.dumps(made)) == made
