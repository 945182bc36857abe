"""What counts of a subject's consents: narrowing at first sight, widening once confirmed, and what a reorg leaves."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.consent.model import NO_END, ConsentStatus, Effect, Grant, SealedDeny
from gateway.consent.state import ConsentState, fold
from gateway.errors import IntegrityError
from gateway.ports.rows import EventRow, NarrowingKind, NarrowingRow
from tests.unit.gateway.consent.cases import DAY, NOW, OTHER_PATIENT, PATIENT, deny, permit
from tests.unit.gateway.consent.events import HEAD, confirmed, event

ONE, TWO = b"\xa1" * 32, b"\xa2" * 32
TERMS = {ONE: permit().terms, TWO: deny().terms}
NEW = HEAD


def granted(consent: bytes, effect: Effect, **more: Any) -> EventRow:
    window = {"notBefore": NOW - DAY, "notAfter": NO_END, "delegate": 0, "seq": 1}
    return event("ConsentGranted", PATIENT, consent, effect=int(effect), **{**window, **more})


def revoked(consent: bytes, **more: Any) -> EventRow:
    return event("ConsentRevoked", PATIENT, consent, **more)


def ended_all(epoch: int, **more: Any) -> EventRow:
    return event("AllConsentsRevoked", PATIENT, epoch=epoch, **more)


def narrowing(kind: NarrowingKind, target: bytes) -> NarrowingRow:
    return NarrowingRow(kind=kind, subject=PATIENT, target=target, digest=b"", call=b"")


def folded(
    *events: EventRow,
    narrowings: Sequence[NarrowingRow] = (),
    terms: Any = TERMS,
) -> ConsentState:
    return fold(
        PATIENT,
        consent_events=events,
        narrowings=narrowings,
        terms=terms,
        confirmed=confirmed,
    )


def the_grant(state: ConsentState) -> Grant:
    (grant,) = state.grants
    assert isinstance(grant, Grant)
    return grant


def test_a_permit_on_chain_is_confirmed_with_time() -> None:
    old, new = folded(granted(ONE, Effect.PERMIT)), folded(granted(ONE, Effect.PERMIT, block=NEW))
    assert (the_grant(old).confirmed, the_grant(new).confirmed) == (True, False)


def test_a_permit_whose_terms_do_not_open_is_none() -> None:
    assert folded(granted(ONE, Effect.PERMIT), terms={}).grants == ()


def test_a_deny_whose_terms_do_not_open_stands_sealed() -> None:
    (sealed,) = folded(granted(TWO, Effect.DENY, block=NEW), terms={}).grants
    assert sealed == SealedDeny(consent=TWO, not_before=NOW - DAY, not_after=NO_END)


def test_terms_without_an_event_on_chain_grant_nothing() -> None:
    assert folded().grants == ()


def test_a_permit_that_a_reorg_took_away_is_none() -> None:
    assert folded(granted(ONE, Effect.PERMIT, orphaned=True)).grants == ()


def test_a_deny_that_a_reorg_took_away_stands() -> None:
    assert the_grant(folded(granted(TWO, Effect.DENY, orphaned=True))).revoked is False


@pytest.mark.parametrize("how", [{"block": NEW}, {"block": 10}, {"orphaned": True}])
def test_the_end_of_a_permit_counts_at_first_sight_and_after_a_reorg(how: Any) -> None:
    assert the_grant(folded(granted(ONE, Effect.PERMIT), revoked(ONE, **how))).revoked


def test_the_end_of_a_permit_counts_before_the_chain_has_it() -> None:
    state = folded(granted(ONE, Effect.PERMIT), narrowings=[narrowing(NarrowingKind.REVOKE, ONE)])
    assert the_grant(state).revoked


def test_a_revocation_before_its_grant_bars_it() -> None:
    assert the_grant(folded(revoked(ONE, block=5), granted(ONE, Effect.PERMIT))).revoked


@pytest.mark.parametrize(("how", "over"), [({"block": 10}, True), ({"block": NEW}, False), ({"orphaned": True}, False)])
def test_the_end_of_a_deny_counts_once_confirmed_on_chain(how: Any, over: bool) -> None:
    assert the_grant(folded(granted(TWO, Effect.DENY), revoked(TWO, **how))).revoked is over


@pytest.mark.parametrize(("how", "standing"), [({"block": 10}, 0), ({"block": NEW}, 1), ({"orphaned": True}, 1)])
def test_the_end_of_a_sealed_deny_counts_once_confirmed_on_chain(how: Any, standing: int) -> None:
    assert len(folded(granted(TWO, Effect.DENY), revoked(TWO, **how), terms={}).grants) == standing


def test_the_end_of_a_deny_waits_for_the_chain() -> None:
    state = folded(granted(TWO, Effect.DENY), narrowings=[narrowing(NarrowingKind.REVOKE, TWO)])
    assert the_grant(state).revoked is False


def test_a_revoked_consent_is_shown_as_revoked_though_its_grant_left_the_chain() -> None:
    lost = folded(narrowings=[narrowing(NarrowingKind.REVOKE, ONE)])
    barred = folded(revoked(ONE))
    waiting, terms = folded(), replace(TERMS[ONE], epoch=0)
    shown = [state.status(ONE, terms, NOW) for state in (lost, barred, waiting)]
    assert shown == [ConsentStatus.REVOKED, ConsentStatus.REVOKED, ConsentStatus.NOT_YET]


@pytest.mark.parametrize(("block", "shown"), [(NEW, ConsentStatus.ACTIVE), (10, ConsentStatus.REVOKED)])
def test_a_deny_is_shown_as_revoked_once_that_is_confirmed(block: int, shown: ConsentStatus) -> None:
    state = folded(granted(TWO, Effect.DENY), revoked(TWO, block=block))
    assert state.status(TWO, TERMS[TWO], NOW) is shown


def test_epoch_and_seq_count_as_the_registry_does() -> None:
    changed = event("ControllerChanged", PATIENT, controller=b"c" * 20, control=1, seq=1)
    state = folded(granted(ONE, Effect.PERMIT), revoked(ONE), ended_all(1), changed)
    assert (state.epoch, state.effective_epoch, state.seq) == (2, 2, 4)


def test_what_is_ended_here_ends_its_epoch_before_the_chain_has_it() -> None:
    state = folded(narrowings=[narrowing(NarrowingKind.REVOKE_ALL, bytes(32))])
    assert (state.epoch, state.effective_epoch) == (0, 1)


def test_an_epoch_that_a_reorg_gave_back_stays_ended() -> None:
    state = folded(ended_all(1, orphaned=True))
    assert (state.epoch, state.effective_epoch, state.seq) == (0, 1, 0)


def test_an_epoch_ended_again_after_a_reorg_is_ended_once() -> None:
    state = folded(ended_all(1, orphaned=True), ended_all(1, block=11))
    assert (state.epoch, state.effective_epoch, state.seq) == (1, 1, 1)


def test_a_change_of_control_that_a_reorg_took_away_has_still_ended_the_permits() -> None:
    lost = event("ControllerChanged", PATIENT, controller=b"c" * 20, control=1, seq=1, orphaned=True)
    state = folded(lost)
    assert (state.epoch, state.effective_epoch, state.seq) == (0, 1, 0)


def test_a_lost_change_of_control_and_a_lost_end_of_all_end_two_epochs() -> None:
    lost = event("ControllerChanged", PATIENT, controller=b"c" * 20, control=1, seq=1, orphaned=True)
    assert folded(ended_all(2, orphaned=True), lost).effective_epoch == 2


def test_a_change_of_control_that_came_back_is_counted_once() -> None:
    lost = event("ControllerChanged", PATIENT, controller=b"c" * 20, control=1, seq=1, orphaned=True)
    back = event("ControllerChanged", PATIENT, controller=b"c" * 20, control=1, seq=1, block=12)
    state = folded(lost, back)
    assert (state.epoch, state.effective_epoch, state.seq) == (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "epochs"),
    [
        ("CredentialSet", 0),
        ("DelegateAdded", 0),
        ("DelegateRemoved", 0),
        ("GuardiansSet", 0),
        ("RecoveryObjected", 0),
        ("RecoveryProposed", 0),
        ("CustodyEnded", 1),
        ("SubjectErased", 1),
    ],
)
def test_every_event_of_a_subject_counts_once(name: str, epochs: int) -> None:
    state = folded(event(name, PATIENT, seq=1, control=1, epoch=1))
    assert (state.epoch, state.seq) == (epochs, 1)


@pytest.mark.parametrize("name", ["SubjectEnrolled", "ErasureCertified"])
def test_enrolments_and_certificates_are_not_counted(name: str) -> None:
    assert folded(event(name, PATIENT, bytes(32))).seq == 0


def test_an_erasure_that_a_reorg_took_away_has_still_ended_the_permits() -> None:
    assert folded(event("SubjectErased", PATIENT, epoch=1, seq=1, orphaned=True)).effective_epoch == 1


@pytest.mark.parametrize(("seq", "counts"), [(1, 1), (3, 0)])
@pytest.mark.parametrize("orphaned", [False, True])
def test_no_permit_after_a_pending_recovery_counts(orphaned: bool, seq: int, counts: int) -> None:
    proposed = event("RecoveryProposed", PATIENT, seq=2, orphaned=orphaned)
    assert len(folded(granted(ONE, Effect.PERMIT, seq=seq), proposed).grants) == counts


@pytest.mark.parametrize("name", ["RecoveryObjected", "ControllerChanged"])
def test_permits_count_again_once_a_recovery_is_over(name: str) -> None:
    proposed, over = event("RecoveryProposed", PATIENT, seq=2), event(name, PATIENT, control=1, seq=3)
    assert len(folded(proposed, over, granted(ONE, Effect.PERMIT, seq=4)).grants) == 1


def test_a_deny_counts_while_a_recovery_is_pending() -> None:
    proposed = event("RecoveryProposed", PATIENT, seq=2)
    assert len(folded(proposed, granted(TWO, Effect.DENY, seq=3)).grants) == 1


def test_other_subjects_events_are_not_counted() -> None:
    foreign = [event("ConsentRevoked", OTHER_PATIENT, ONE), event("AllConsentsRevoked", OTHER_PATIENT, epoch=1)]
    state = folded(granted(ONE, Effect.PERMIT), *foreign)
    assert (the_grant(state).revoked, state.epoch, state.seq) == (False, 0, 1)


def test_the_transaction_of_a_consent_is_the_one_on_chain() -> None:
    state = folded(granted(TWO, Effect.DENY, orphaned=True), granted(TWO, Effect.DENY, block=12))
    assert state.transactions == {TWO: (12).to_bytes(32, "big")}


def test_an_event_that_calls_a_deny_a_permit_is_refused() -> None:
    with pytest.raises(IntegrityError):
        folded(granted(TWO, Effect.PERMIT))


@pytest.mark.parametrize("effect", [7, b"\x01"])
def test_an_event_that_the_registry_cannot_have_emitted_is_refused(effect: Any) -> None:
    with pytest.raises(IntegrityError):
        folded(event("ConsentGranted", PATIENT, ONE, effect=effect, notBefore=0, notAfter=1))


def test_an_event_without_its_arguments_is_refused() -> None:
    with pytest.raises(IntegrityError):
        folded(event("AllConsentsRevoked", PATIENT))
