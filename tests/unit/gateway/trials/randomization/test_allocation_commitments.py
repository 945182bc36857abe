"""Roots, proofs and reviews of lists: what was changed is found, and where."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import IntegrityError
from gateway.trials.randomization.commitments import Assignment, Fault, Flaw, check_place, commit, review
from gateway.trials.randomization.lists import AllocationList, Place
from tests.unit.gateway.trials.randomization.drawn import SEED, STUDY, TREES, drawn, followed, scheme

LIST = drawn()
COMMITTED = commit(LIST, merkle=TREES)
SUBJECT = b"\xff" * 32


def faults(
    assignments: list[Assignment], allocation: AllocationList = LIST
) -> list[tuple[Flaw, int | None, int | None]]:
    found = review(allocation, assignments, root=COMMITTED.root, merkle=TREES)
    return [(one.flaw, one.stratum, one.position) for one in found]


def test_a_leaf_is_the_contracts() -> None:
    """By eth-abi: keccak256(bytes.concat(keccak256(abi.encode(stratum, position, armCommitment))))."""
    of = scheme(positions=1)
    (((place,),), committed) = (drawn(SEED, of).strata, commit(drawn(SEED, of), merkle=TREES))
    assert committed.root == keccak(keccak(encode(["uint32", "uint32", "bytes32"], [0, 0, place.commitment])))


def test_every_position_is_proved() -> None:
    assert COMMITTED.size == 120
    for place in (place for stratum in LIST.strata for place in stratum):
        check_place(place, root=COMMITTED.root, path=COMMITTED.path(place), merkle=TREES)


PLACE = LIST.strata[4][7]
OTHER = next(arm for arm in ("drug", "placebo") if arm != PLACE.arm)


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLACE, arm=OTHER),
        replace(PLACE, position=8),
        replace(PLACE, stratum=3),
        replace(PLACE, study=STUDY[::-1]),
        replace(PLACE, salt=bytes(32)),
        replace(PLACE, salt=b""),
        replace(PLACE, position=-1),
        replace(PLACE, stratum=1 << 32),
    ],
    ids=lambda place: "",
)
def test_a_position_that_was_changed_is_not_under_the_root(changed: Place) -> None:
    with pytest.raises(IntegrityError):
        check_place(changed, root=COMMITTED.root, path=COMMITTED.path(PLACE), merkle=TREES)


@pytest.mark.parametrize(
    "path", [(), COMMITTED.path(PLACE)[:-1], COMMITTED.path(LIST.strata[0][0]), (bytes(32),) * 65, (b"x",)]
)
def test_another_path_does_not_lead_to_the_root(path: tuple[bytes, ...]) -> None:
    with pytest.raises(IntegrityError):
        check_place(PLACE, root=COMMITTED.root, path=path, merkle=TREES)


def test_a_list_that_was_followed_has_no_fault() -> None:
    assert faults(followed(LIST, each=20)) == []


def test_a_list_of_which_little_was_used_has_no_fault() -> None:
    assert faults(followed(LIST, each=3)[:-2]) == []


def test_arms_that_are_not_yet_told_are_no_fault() -> None:
    assert faults([replace(one, arm=None) for one in followed(LIST, each=3)]) == []


def test_a_wrong_seed_is_found() -> None:
    found = faults(followed(LIST, each=1), drawn(bytes(32)))
    assert found[0] == (Flaw.ROOT, None, None)
    assert {flaw for flaw, _, _ in found} >= {Flaw.ROOT, Flaw.OTHER_COMMITMENT}


def test_a_list_of_another_scheme_is_found() -> None:
    assert faults([], drawn(SEED, scheme(factors={"site": ["1", "2", "3", "4", "5", "6"]}, positions=19))) == [
        (Flaw.ROOT, None, None)
    ]


def test_a_list_in_which_two_arms_changed_places_is_found() -> None:
    stratum = list(LIST.strata[2])
    at, to = next((at, at + 1) for at in range(19) if stratum[at].arm != stratum[at + 1].arm)
    stratum[at], stratum[to] = replace(stratum[at], arm=stratum[to].arm), replace(stratum[to], arm=stratum[at].arm)
    changed = replace(LIST, strata=(*LIST.strata[:2], tuple(stratum), *LIST.strata[3:]))
    assert commit(changed, merkle=TREES).root != COMMITTED.root
    assert (Flaw.ROOT, None, None) in faults([], changed)


Change = Callable[[list[Assignment]], list[Assignment]]


def swapped(arms: list[Assignment]) -> list[Assignment]:
    other = next(arm for arm in ("drug", "placebo") if arm != arms[7].arm)
    return [*arms[:7], replace(arms[7], arm=other), *arms[8:]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (swapped, [(Flaw.OTHER_ARM, 1, 1)]),
        (lambda told: told[:7] + told[8:], [(Flaw.SKIPPED, 1, 1)]),
        (lambda told: [*told, replace(told[0], subject=SUBJECT)], [(Flaw.REPEATED, 0, 0)]),
        (lambda told: [*told, told[0]], [(Flaw.REPEATED, 0, 0), (Flaw.SUBJECT_TWICE, 0, 0)]),
        (lambda told: [*told[:6], replace(told[6], commitment=bytes(32)), *told[7:]], [(Flaw.OTHER_COMMITMENT, 0, 1)]),
        (lambda told: [*told[:6], replace(told[6], subject=told[0].subject), *told[7:]], [(Flaw.SUBJECT_TWICE, 0, 1)]),
        (lambda told: [*told, replace(told[0], stratum=6, subject=SUBJECT)], [(Flaw.NOT_LISTED, 6, 0)]),
        (lambda told: [*told[6:12], *told[:6], *told[12:]], [
            *((Flaw.SKIPPED, stratum, 0) for stratum in range(6)),
            *((Flaw.REPEATED, stratum, 0) for stratum in range(6)),
        ]),
    ],
    ids=["swapped", "skipped", "again", "twice", "commitment", "subject", "stratum", "order"],
)  # fmt: skip
def test_what_was_done_otherwise_is_found_where_it_was_done(
    change: Change, expected: list[tuple[Flaw, int, int]]
) -> None:
    assert faults(change(followed(LIST, each=3))) == expected


def test_a_position_beyond_the_list_is_found() -> None:
    beyond = replace(followed(LIST, each=1)[0], position=10**9, subject=SUBJECT)
    assert faults([*followed(LIST, each=20), beyond]) == [(Flaw.NOT_LISTED, 0, 10**9)]


@given(st.permutations(range(18)))
def test_any_other_order_within_a_stratum_is_a_fault(order: list[int]) -> None:
    assignments = followed(LIST, each=3)
    changed = [assignments[at] for at in order]
    kept = all([one.position for one in changed if one.stratum == stratum] == [0, 1, 2] for stratum in range(6))
    assert (faults(changed) == []) is kept


@given(st.integers(0, 17), st.sampled_from(["arm", "commitment", "position", "stratum"]))
def test_any_single_change_is_a_fault(at: int, member: str) -> None:
    told = followed(LIST, each=3)
    one = told[at]
    changed = {
        "arm": replace(one, arm="placebo" if one.arm == "drug" else "drug"),
        "commitment": replace(one, commitment=one.commitment[::-1]),
        "position": replace(one, position=one.position + 1),
        "stratum": replace(one, stratum=(one.stratum + 1) % 6),
    }[member]
    assert faults([*told[:at], changed, *told[at + 1 :]]) != []


def test_a_fault_says_where() -> None:
    assert Fault(flaw=Flaw.ROOT, stratum=None, position=None) in review(LIST, [], root=bytes(32), merkle=TREES)
