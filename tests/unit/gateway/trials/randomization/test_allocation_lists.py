"""Lists of arms: the same for everybody who has the seed, balanced as the scheme says, and fair."""

import hashlib
import hmac
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CallerError, LimitError
from gateway.trials.randomization.drawing import Drawing, subkey
from gateway.trials.randomization.lists import commit_arm, draw_list
from gateway.trials.randomization.scheme import PermutedBlocks, Scheme, parse_scheme, written
from tests.unit.gateway.trials.randomization.drawn import BLOCKS, SEED, STRATIFIED, STUDY, drawn, scheme


def arms_of(of: Scheme, seed: bytes = SEED, stratum: int = 0) -> list[str]:
    return [place.arm for place in drawn(seed, of).strata[stratum]]


def numbers(key: bytes) -> Iterator[int]:
    """As the construction is written down, by other means."""
    for block in itertools.count():
        octets = hmac.new(key, block.to_bytes(8, "big"), hashlib.sha256).digest()
        yield from (int.from_bytes(octets[at : at + 4], "big") for at in range(0, 32, 4))


def expanded(label: bytes) -> bytes:
    return HKDFExpand(algorithm=SHA256(), length=32, info=label).derive(SEED)


def test_a_list_is_drawn_as_it_is_written_down() -> None:
    for stratum in range(6):
        source = numbers(expanded(b"consentry/trials/1/list" + STUDY + stratum.to_bytes(4, "big")))

        def below(most: int, source: Iterator[int] = source) -> int:
            return next(one for one in source if one < 2**32 - 2**32 % most) % most

        found: list[str] = []
        while len(found) < 20:
            times = [4, 6][below(2)] // 2
            block = ["drug"] * times + ["placebo"] * times
            for place in reversed(range(1, len(block))):
                other = below(place + 1)
                block[place], block[other] = block[other], block[place]
            found += block
        assert arms_of(STRATIFIED, stratum=stratum) == found[:20]


def test_salts_and_commitments_are_as_they_are_written_down() -> None:
    key = expanded(b"consentry/trials/1/salt" + STUDY)
    for place in itertools.chain(*drawn().strata):
        where = place.stratum.to_bytes(4, "big") + place.position.to_bytes(4, "big")
        assert place.salt == hmac.new(key, where, hashlib.sha256).digest()
        assert place.commitment == hashlib.sha256(b"\x09" + STUDY + where + place.salt + place.arm.encode()).digest()


def test_a_subkey_is_hkdf() -> None:
    assert subkey(SEED, b"label") == expanded(b"label")


def test_the_list_never_changes() -> None:
    """Fixed facts: who was told a seed must find the same list years later."""
    assert "".join(arm[0] for arm in arms_of(STRATIFIED)) == "pdpddppddppdddppdpdp"
    assert drawn().strata[5][19].commitment.hex() == "63e54736bd3ccf0abfec78443f9901c4cfb72a8b31eca75c44c56fcb63c6d2bc"


def test_another_seed_study_or_stratum_is_another_list() -> None:
    of = scheme(method={"name": "simple"}, positions=200, factors={"site": ["a", "b"]})
    lists = [
        arms_of(of),
        arms_of(of, stratum=1),
        arms_of(of, seed=b"\x08" * 32),
        [place.arm for place in drawn(SEED, of, STUDY[::-1]).strata[0]],
    ]
    assert len({tuple(one) for one in lists}) == 4


def test_no_two_positions_have_a_salt_or_a_commitment_in_common() -> None:
    places = list(itertools.chain(*drawn().strata))
    assert len({place.salt for place in places}) == len({place.commitment for place in places}) == 120


def test_an_arm_is_not_shown_by_accident() -> None:
    assert "drug" not in repr(drawn().strata[0][0])
    assert SEED.hex() not in repr(drawn())


SHARES = st.lists(st.integers(1, 5), min_size=2, max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    SHARES, st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 80), st.binary(min_size=32, max_size=32)
)
def test_blocks_keep_the_ratio_at_every_position(
    shares: list[int], times: list[int], positions: int, seed: bytes
) -> None:
    """No arm is ever further from its share than one block of the largest size can bring it."""
    total = sum(shares)
    arms = {f"arm {number}": share for number, share in enumerate(shares)}
    of = scheme(
        arms=arms, positions=positions, method={"name": "permuted blocks", "sizes": [total * one for one in times]}
    )
    told: Counter[str] = Counter()
    for position, arm in enumerate(arms_of(of, seed), 1):
        told[arm] += 1
        for name, share in arms.items():
            assert abs(told[name] * total - position * share) <= max(times) * share * (total - share)


@settings(max_examples=50, deadline=None)
@given(SHARES, st.binary(min_size=32, max_size=32))
def test_blocks_of_one_size_are_each_balanced(shares: list[int], seed: bytes) -> None:
    arms = {f"arm {number}": share for number, share in enumerate(shares)}
    size = 2 * sum(shares)
    of = scheme(arms=arms, positions=5 * size, method={"name": "permuted blocks", "sizes": [size]})
    found = arms_of(of, seed)
    for start in range(0, len(found), size):
        assert Counter(found[start : start + size]) == {arm: 2 * share for arm, share in arms.items()}


@given(st.integers(1, 2**32), st.binary(min_size=32, max_size=32))
def test_numbers_are_below_their_bound(most: int, key: bytes) -> None:
    drawing = Drawing(key)
    assert all(0 <= drawing.below(most) < most for _ in range(20))


def chi_square(counts: Counter[Any], cells: int) -> float:
    expected = counts.total() / cells
    return sum((counts[cell] - expected) ** 2 for cell in counts) / expected + (cells - len(counts)) * expected


def bound(cells: int) -> float:
    """Passed by chance once in ten thousand (Wilson and Hilferty's approximation)."""
    degrees = cells - 1
    return degrees * (1 - 2 / (9 * degrees) + 3.719 * math.sqrt(2 / (9 * degrees))) ** 3


@pytest.mark.parametrize("most", [2, 3, 7, 10, 100])
def test_numbers_are_spread_evenly(most: int) -> None:
    drawing = Drawing(b"k" * 32)
    assert chi_square(Counter(drawing.below(most) for _ in range(20_000)), most) < bound(most)


def test_a_remainder_is_no_likelier_than_another() -> None:
    """Of a bound of 3 · 2^30 a plain remainder would make the lower third twice as likely."""
    drawing = Drawing(b"k" * 32)
    low = sum(drawing.below(3 << 30) < 1 << 30 for _ in range(9_000))
    assert abs(low - 3_000) < 4 * math.sqrt(9_000 * 2 / 9)


def test_orders_are_spread_evenly() -> None:
    drawing = Drawing(b"k" * 32)
    orders = Counter(tuple(drawing.shuffled([1, 2, 3, 4])) for _ in range(24_000))
    assert chi_square(orders, 24) < bound(24)


def test_simple_allocation_follows_the_ratio() -> None:
    found = Counter(arms_of(scheme(arms={"a": 2, "b": 1}, method={"name": "simple"}, positions=30_000)))
    assert abs(found["a"] - 20_000) < 4 * math.sqrt(30_000 * 2 / 9)


def test_simple_allocation_remembers_nothing() -> None:
    found = arms_of(scheme(method={"name": "simple"}, positions=20_001))
    assert chi_square(Counter(itertools.pairwise(found)), 4) < bound(4)


def test_sizes_of_blocks_are_drawn() -> None:
    """With one size the last of a block is known beforehand; with two it is not."""
    halves = [Counter(arms_of(STRATIFIED, bytes([number]) * 32)[:4])["drug"] for number in range(200)]
    assert 0 < sum(one == 2 for one in halves) < 200


def test_a_scheme_is_read_as_it_was_written() -> None:
    for of in (
        STRATIFIED,
        scheme(method={"name": "simple"}),
        scheme(arms={"a": 1, "b": 1, "c": 2}, method=BLOCKS | {"sizes": [4]}),
    ):
        assert parse_scheme(written(of)) == of


def test_strata_are_numbered_by_their_levels() -> None:
    every = [STRATIFIED.levels_of(stratum) for stratum in range(STRATIFIED.strata)]
    assert every[:3] == [
        {"site": "Bern", "sex": "female"},
        {"site": "Bern", "sex": "male"},
        {"site": "Genf", "sex": "female"},
    ]
    assert [STRATIFIED.stratum_of(levels) for levels in every] == list(range(6))


@pytest.mark.parametrize(
    ("levels", "place"), [({"site": "Bern"}, "sex"), ({"site": "Bern", "sex": "x"}, "sex"), ({"age": "1"}, "age")]
)
def test_levels_that_are_none_are_refused_by_factor(levels: dict[str, str], place: str) -> None:
    with pytest.raises(CallerError) as refusal:
        STRATIFIED.stratum_of(levels)
    assert refusal.value.field == ("levels", place)


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({"arms": {"drug": 1}}, ("arms",)),
        ({"arms": {"drug": 0, "placebo": 1}}, ("arms", "0", "share")),
        ({"arms": {"drug": True, "placebo": 1}}, ("arms", "0", "share")),
        ({"arms": {" drug": 1, "placebo": 1}}, ("arms", "0", "arm")),
        ({"arms": {"\ud800": 1, "placebo": 1}}, ("arms", "0", "arm")),
        ({"arms": {"drug": 2, "placebo": 1}}, ("method", "sizes", "0")),
        ({"method": {"name": "minimization"}}, ("method", "name")),
        ({"method": {"name": "simple", "sizes": [4]}}, ("method", "name")),
        ({"method": {"name": "permuted blocks"}}, ("method", "sizes")),
        ({"method": BLOCKS | {"sizes": [1_002]}}, ("method", "sizes", "0")),
        ({"method": None}, ("method",)),
        ({"factors": {"site": []}}, ("factors", "0", "levels")),
        ({"factors": {"site": ["a", "a"]}}, ("factors", "0", "levels")),
        ({"positions": 0}, ("positions",)),
        ({"seed": "x"}, ("seed",)),
    ],
)
def test_a_scheme_that_cannot_be_drawn_is_refused_by_name(told: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refusal:
        scheme(**told)
    assert refusal.value.field == ("scheme", *place)


@pytest.mark.parametrize(
    "told",
    [
        {"positions": 100_000, "factors": {"sex": ["female", "male"]}},
        {"factors": {str(number): [str(level) for level in range(50)] for number in range(8)}},
    ],
)
def test_more_than_may_be_drawn_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(LimitError):
        scheme(**told)


def test_the_largest_scheme_is_drawn() -> None:
    of = scheme(positions=50, factors={str(number): [str(level) for level in range(10)] for number in range(3)})
    assert isinstance(of.method, PermutedBlocks)
    assert sum(map(len, drawn(SEED, of).strata)) == 50_000


@pytest.mark.parametrize(("seed", "study"), [(b"x", STUDY), (SEED, b"x"), (SEED + b"x", STUDY)])
def test_seeds_and_names_of_another_size_are_refused(seed: bytes, study: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        draw_list(seed, study=study, scheme=STRATIFIED)


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        commit_arm(STUDY, 0, 0, salt=b"", arm="drug")
