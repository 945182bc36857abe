"""Who else may act for a subject, from its events: what ends counts at first sight, what begins once confirmed."""

from typing import Any

from gateway.identity.control import Control, fold_control
from gateway.ids import SubjectId
from gateway.ports.rows import EventRow
from tests.unit.gateway.consent.cases import PATIENT
from tests.unit.gateway.consent.events import HEAD, confirmed, event

ACTOR, OTHER = b"\xc1" * 32, b"\xc2" * 32
KEY, NEXT = b"\xd1" * 20, b"\xd2" * 20
NEW = HEAD


def folded(*events: EventRow, removed: tuple[int, ...] = ()) -> Control:
    return fold_control(SubjectId(PATIENT), events, confirmed, delay=50, removed=removed)


def credential(seq: int, actor: bytes = ACTOR, *, linked: bool = True, **more: Any) -> EventRow:
    return event("CredentialSet", PATIENT, actor, linked=int(linked), seq=seq, **more)


def changed(seq: int, **more: Any) -> EventRow:
    return event("ControllerChanged", PATIENT, controller=NEXT, control=1, seq=seq, **more)


def added(seq: int, number: int = 1, **more: Any) -> EventRow:
    args: dict[str, Any] = {
        "number": number,
        "delegate": KEY,
        "limits": b"\x11" * 32,
        "notAfter": 2_000_000_000,
        "seq": seq,
    }
    return event("DelegateAdded", PATIENT, **args, **more)


def proposed(seq: int, **more: Any) -> EventRow:
    return event("RecoveryProposed", PATIENT, controller=NEXT, readyAt=99, unstoppable=0, seq=seq, **more)


def granted(seq: int, **more: Any) -> EventRow:
    return event("ConsentGranted", PATIENT, b"\xa1" * 32, effect=0, seq=seq, **more)


def test_a_linked_actor_is_a_credential_until_it_is_unlinked() -> None:
    assert folded(credential(1)).credentials == {ACTOR}
    assert folded(credential(1), credential(2, linked=False)).credentials == frozenset()
    assert folded(credential(1), credential(2, linked=False), credential(3)).credentials == {ACTOR}


def test_a_link_counts_once_confirmed_and_its_end_at_first_sight() -> None:
    assert folded(credential(1, block=NEW)).credentials == frozenset()
    assert folded(credential(1), credential(2, linked=False, block=NEW)).credentials == frozenset()


def test_an_unlinking_that_a_reorg_took_away_stays_and_a_link_goes() -> None:
    assert folded(credential(1), credential(2, linked=False, orphaned=True)).credentials == frozenset()
    assert folded(credential(1, orphaned=True)).credentials == frozenset()


def test_the_order_is_that_of_the_sequence() -> None:
    assert folded(credential(2, linked=False), credential(1)).credentials == frozenset()


def test_a_change_of_control_ends_credentials_and_delegates_of_before() -> None:
    after = folded(credential(1), added(2), changed(3), credential(4, OTHER))
    assert after.credentials == {OTHER}
    assert [one.holds for one in after.delegates] == [False]


def test_a_delegate_holds_once_confirmed_until_removed() -> None:
    removed = event("DelegateRemoved", PATIENT, number=1, seq=2, block=NEW)
    assert [one.holds for one in folded(added(1)).delegates] == [True]
    assert [one.holds for one in folded(added(1, block=NEW)).delegates] == [False]
    assert [one.holds for one in folded(added(1), removed).delegates] == [False]
    assert [one.holds for one in folded(added(1), added(3, 2), removed).delegates] == [False, True]


def test_a_removal_that_a_reorg_took_away_stays_until_its_absence_is_final() -> None:
    removed = event("DelegateRemoved", PATIENT, number=1, seq=2, orphaned=True)
    assert [one.holds for one in folded(added(1), removed).delegates] == [False]


def test_what_was_removed_here_is_removed_whatever_the_chain_has() -> None:
    assert [one.holds for one in folded(added(1), added(2, 2), removed=(1,)).delegates] == [False, True]


def test_an_addition_that_a_reorg_took_away_is_no_delegate() -> None:
    assert folded(added(1, orphaned=True)).delegates == ()
    assert [one.holds for one in folded(added(1, orphaned=True), added(1)).delegates] == [True]


def test_a_change_of_control_that_a_reorg_took_away_still_ends_credentials_and_delegates() -> None:
    after = folded(credential(1), added(2), changed(3, orphaned=True), credential(3, OTHER))
    assert (after.credentials, [one.holds for one in after.delegates]) == (frozenset(), [False])
    again = folded(credential(1), added(2), changed(3, orphaned=True), changed(3), added(4, 2))
    assert [one.holds for one in again.delegates] == [False, True]


def test_a_recovery_is_pending_until_it_is_objected_to_or_finished() -> None:
    pending = folded(proposed(1, block=NEW)).recovery
    assert pending is not None
    assert (pending.controller, pending.ready_at) == (NEXT, 99)
    objected = folded(proposed(1), event("RecoveryObjected", PATIENT, seq=2))
    assert (objected.recovery, objected.objected, objected.attempt) == (None, True, 1)
    finished = folded(proposed(1), event("RecoveryObjected", PATIENT, seq=2), proposed(3), changed(4))
    assert (finished.recovery, finished.objected, finished.attempt) == (None, False, 2)


def test_what_takes_a_nonce_is_counted_and_nothing_else() -> None:
    events = (credential(1), added(2), changed(3), granted(4), proposed(5), credential(6, orphaned=True))
    assert folded(*events).nonce == 3


def test_another_subjects_events_are_nothing_to_it() -> None:
    assert folded(event("CredentialSet", b"\x77" * 32, ACTOR, linked=1, seq=1)).credentials == frozenset()
