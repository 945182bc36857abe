"""What a follower does at a fork, and what is kept of lost blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchoring.indexer import (
    Extends,
    Forked,
    Rewind,
    TooDeep,
    absence_is_final,
    common_ancestor,
    link,
    names_touched,
    narrows,
    undo,
)
from anchoring.model import BlockRef, Event

ORG, MEMBER, SUBJECT, CONSENT = (bytes([n]) * 32 for n in (1, 2, 3, 4))


def block(number: int, *, fork: int = 0) -> BlockRef:
    parent = bytes([number - 1, fork if number > 5 else 0]) if number else b""
    return BlockRef(number=number, hash=bytes([number, fork]), parent=parent, timestamp=1_000 + number)


def event(contract: str, name: str, *keys: bytes, at: int = 1, index: int = 0, **args: int) -> Event:
    return Event(
        contract=contract,
        name=name,
        keys=keys,
        args=args,
        block_number=at,
        block_hash=bytes([at, 0]),
        log_index=index,
        transaction=b"\7" * 32,
    )


def test_headers_that_join_extend_the_index() -> None:
    assert link(block(1), [block(2), block(3)]) == Extends()


def test_the_first_headers_need_nothing_before_them() -> None:
    assert link(None, [block(2), block(3)]) == Extends()


@pytest.mark.parametrize("headers", [[block(3)], [block(2), block(4)], [block(7, fork=1)]])
def test_headers_with_a_gap_or_another_parent_are_a_fork(headers: list[BlockRef]) -> None:
    assert link(block(1), headers) == Forked()


def test_the_common_ancestor_is_the_highest_block_that_both_have() -> None:
    known = [block(number) for number in (4, 5, 6, 7)]
    canonical = {4: block(4).hash, 5: block(5).hash, 6: block(6, fork=1).hash}
    assert common_ancestor(known, canonical, finality=5) == Rewind(ancestor=block(5))


def test_a_fork_below_finality_is_too_deep() -> None:
    known = [block(number) for number in (4, 5, 6, 7)]
    assert common_ancestor(known, {4: block(4).hash}, finality=2) == TooDeep()


def test_with_finality_zero_any_fork_is_too_deep() -> None:
    known = [block(number) for number in (4, 5)]
    assert common_ancestor(known, {4: block(4).hash}, finality=0) == TooDeep()


def test_nothing_known_is_too_deep() -> None:
    assert common_ancestor([], {}, finality=9) == TooDeep()


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_an_ancestor_is_never_further_back_than_finality(tip: int, shared: int, finality: int) -> None:
    shared = min(shared, tip)
    known = [block(number) for number in range(tip + 1)]
    found = common_ancestor(known, {n: block(n).hash for n in range(shared + 1)}, finality=finality)
    assert found == (Rewind(ancestor=block(shared)) if tip - shared <= finality else TooDeep())


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (event("ConsentRegistry", "ConsentRevoked", SUBJECT, CONSENT), True),
        (event("ConsentRegistry", "AllConsentsRevoked", SUBJECT), True),
        (event("ConsentRegistry", "ConsentGranted", SUBJECT, CONSENT, effect=1), True),
        (event("ConsentRegistry", "ConsentGranted", SUBJECT, CONSENT, effect=0), False),
        (event("IdentityRegistry", "MembershipSet", ORG, MEMBER, notAfter=1_000), True),
        (event("IdentityRegistry", "MembershipSet", ORG, MEMBER, notAfter=2**40), True),
        (event("IdentityRegistry", "ActorRemoved", MEMBER), True),
        (event("ConsentRegistry", "ControllerChanged", SUBJECT), True),
        (event("ConsentRegistry", "CustodyEnded", SUBJECT), True),
        (event("ConsentRegistry", "DelegateRemoved", SUBJECT), True),
        (event("ConsentRegistry", "DelegateAdded", SUBJECT), False),
        (event("ConsentRegistry", "RecoveryProposed", SUBJECT), True),
        (event("ConsentRegistry", "RecoveryObjected", SUBJECT), False),
        (event("ConsentRegistry", "SubjectErased", SUBJECT), True),
        (event("ConsentRegistry", "CredentialSet", SUBJECT, MEMBER, linked=0), True),
        (event("ConsentRegistry", "CredentialSet", SUBJECT, MEMBER, linked=1), False),
        (event("IdentityRegistry", "KeyRotated", MEMBER), True),
        (event("IdentityRegistry", "RolesChanged", MEMBER), True),
        (event("IdentityRegistry", "ActorRegistered", MEMBER), False),
        (event("ConsentRegistry", "SubjectEnrolled", SUBJECT), False),
        (event("AnchorRegistry", "Anchored", ORG), False),
    ],
)
def test_events_that_take_rights_away_narrow(one: Event, expected: bool) -> None:
    assert narrows(one) is expected


def test_of_lost_blocks_narrowing_events_stay_and_widening_ones_go() -> None:
    granted = event("ConsentRegistry", "ConsentGranted", SUBJECT, CONSENT, index=0, effect=0)
    revoked = event("ConsentRegistry", "ConsentRevoked", SUBJECT, CONSENT, index=1)
    undone = undo([granted, revoked])
    assert (undone.forget, undone.orphan, undone.names) == ((granted,), (revoked,), frozenset({SUBJECT}))


def test_a_lost_membership_stays_whenever_it_ends_for_it_may_have_shortened_another() -> None:
    shortened = event("IdentityRegistry", "MembershipSet", ORG, MEMBER, notAfter=9_999)
    assert undo([shortened]).orphan == (shortened,)


def test_names_are_subjects_actors_organizations_and_studies_only() -> None:
    events = [
        event("ConsentRegistry", "ConsentGranted", SUBJECT, CONSENT, effect=0),
        event("IdentityRegistry", "MembershipSet", ORG, MEMBER, notAfter=1),
        event("ConsentRegistry", "SubjectEnrolled", SUBJECT, bytes(32)),
        event("ConsentRegistry", "CredentialSet", SUBJECT, b"\x77" * 32, linked=1),
        event("ConsentRegistry", "ErasureCertified", SUBJECT, b"\x88" * 32),
        event("AnchorRegistry", "Anchored", b"\x99" * 32),
        event("TrialRegistry", "DataLocked", b"\x66" * 32),
        event("TrialRegistry", "SubjectAssigned", b"\x55" * 32, b"\x44" * 32),
    ]
    assert names_touched(events) == {SUBJECT, ORG, MEMBER, b"\x77" * 32, b"\x66" * 32}


@pytest.mark.parametrize(("head", "final"), [(10, False), (13, False), (14, True), (20, True)])
def test_absence_is_final_after_finality(head: int, final: bool) -> None:
    assert absence_is_final(10, head=head, finality=4) is final
