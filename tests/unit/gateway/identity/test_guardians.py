"""Which guardians hold: the first at once, others after the delay, and none that a proposal cancelled."""

from typing import Any

from gateway.identity.guardians import NONE, Guardians, fold_guardians
from gateway.ports.rows import EventRow
from tests.unit.gateway.consent.cases import PATIENT
from tests.unit.gateway.consent.events import HEAD, confirmed, event

DELAY = 100
FIRST, SECOND, THIRD = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32


def named(guardians: bytes, effective: int, **more: Any) -> EventRow:
    return event("GuardiansSet", PATIENT, guardians=guardians, effectiveAt=effective, seq=1, **more)


def proposed(at: int) -> EventRow:
    return event("RecoveryProposed", PATIENT, controller=b"\x09" * 20, readyAt=at + DELAY, unstoppable=0, seq=2)


def at(moment: int, *events: EventRow) -> Guardians:
    return fold_guardians(events, delay=DELAY, confirmed=confirmed).at(moment)


def test_the_first_hold_at_once() -> None:
    assert at(1_000, named(FIRST, 1_000)) == Guardians(current=FIRST)


def test_none_hold_where_none_were_named() -> None:
    assert at(1_000).current == NONE


def test_others_hold_after_the_delay() -> None:
    events = (named(FIRST, 1_000), named(SECOND, 2_000 + DELAY))
    assert at(2_000, *events) == Guardians(current=FIRST, next=SECOND, next_at=2_000 + DELAY)
    assert at(2_000 + DELAY - 1, *events).current == FIRST
    assert at(2_000 + DELAY, *events) == Guardians(current=SECOND)


def test_naming_the_present_ones_again_keeps_them() -> None:
    assert at(2_050, named(FIRST, 1_000), named(SECOND, 2_000 + DELAY), named(FIRST, 2_050)).current == FIRST


def test_the_last_of_several_that_are_to_come_counts() -> None:
    events = (named(FIRST, 1_000), named(SECOND, 2_000 + DELAY), named(THIRD, 2_050 + DELAY))
    assert at(2_000 + DELAY, *events) == Guardians(current=FIRST, next=THIRD, next_at=2_050 + DELAY)
    assert at(2_050 + DELAY, *events).current == THIRD


def test_a_proposal_cancels_those_that_were_to_come() -> None:
    events = (named(FIRST, 1_000), named(SECOND, 2_000 + DELAY), proposed(2_050))
    assert at(9_000, *events) == Guardians(current=FIRST)


def test_a_proposal_leaves_those_that_hold_by_then() -> None:
    assert at(9_000, named(FIRST, 1_000), named(SECOND, 2_000 + DELAY), proposed(2_000 + DELAY)).current == SECOND


def test_guardians_that_were_taken_away_come_back_at_once() -> None:
    events = (named(FIRST, 1_000), named(NONE, 2_000 + DELAY), named(SECOND, 2_000 + DELAY + 1))
    assert at(2_000 + DELAY + 1, *events) == Guardians(current=SECOND)


def test_a_naming_counts_once_confirmed() -> None:
    assert at(2_000, named(FIRST, 1_000, block=HEAD)).current == NONE
