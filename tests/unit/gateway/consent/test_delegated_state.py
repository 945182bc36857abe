"""What counts of a consent that a delegate signed: a permit within the limits while the delegation holds, any deny; and
the patient's own word in its place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.consent.model import Action, ConsentStatus, Effect, Grant, Limits, Mandate, Purpose
from gateway.consent.state import ConsentState, fold
from gateway.ids import ActorId
from gateway.ports.rows import EventRow
from tests.unit.gateway.consent.cases import DAY, NOW, PATIENT, deny, permit
from tests.unit.gateway.consent.events import HEAD, confirmed, event

ONE = b"\xa1" * 32
OBSERVATIONS = {"resource_types": ("Observation",)}
LIMITS = Limits(
    subject=PATIENT,
    actor=ActorId(b"\x13" * 32),
    actions=(Action.READ,),
    purposes=(Purpose.TREAT,),
    resource_types=("Observation",),
    labels=(),
    denies=False,
    permits_until=NOW + DAY,
    lists=False,
    salt=bytes(32),
)
MANDATE = Mandate(number=2, signer=b"\x0d" * 20, not_after=NOW + 60, limits=LIMITS)


def granted(seq: int, *, delegate: int, effect: Effect = Effect.PERMIT, **more: Any) -> EventRow:
    window = {"notBefore": NOW - DAY, "notAfter": NOW + DAY, "delegate": delegate, "seq": seq}
    return event("ConsentGranted", PATIENT, ONE, effect=int(effect), **window, **more)


def folded(*events: EventRow, terms: Any, mandates: Sequence[Mandate] = (MANDATE,)) -> ConsentState:
    return fold(
        PATIENT, consent_events=events, narrowings=(), terms={ONE: terms}, confirmed=confirmed, mandates=mandates
    )


def test_a_permit_within_the_limits_of_its_own_number_stands_and_ends_with_the_delegation() -> None:
    terms = permit(**OBSERVATIONS).terms
    (grant,) = folded(granted(1, delegate=2), terms=terms).grants
    assert isinstance(grant, Grant)
    assert (grant.mandate, grant.ends, grant.confirmed) == (MANDATE, NOW + 60, True)
    own = replace(MANDATE, not_after=NOW + 2 * DAY)
    (grant,) = folded(granted(1, delegate=2), terms=terms, mandates=(own,)).grants
    assert isinstance(grant, Grant)
    assert grant.ends == terms.not_after


@pytest.mark.parametrize(
    ("terms", "number", "mandates"),
    [
        (permit().terms, 2, (MANDATE,)),
        (permit(**OBSERVATIONS, labels=("HIV",)).terms, 2, (MANDATE,)),
        (permit(**OBSERVATIONS).terms, 2, ()),
        (permit(**OBSERVATIONS).terms, 1, (MANDATE,)),
        (None, 2, (MANDATE,)),
    ],
    ids=["another kind", "a label", "who holds no more", "of another number", "unopened"],
)
def test_a_permit_without_a_mandate_that_covers_it_is_none_and_is_over(
    terms: Any, number: int, mandates: Sequence[Mandate]
) -> None:
    state = folded(granted(1, delegate=number), terms=terms, mandates=mandates)
    assert (state.grants, state.unbacked, state.delegates) == ((), frozenset({ONE}), {ONE: number})
    if terms is not None:
        assert state.status(ONE, terms, NOW) is ConsentStatus.REVOKED


def test_a_deny_stands_whoever_signed_it_within_limits_or_not() -> None:
    for mandates in ((), (MANDATE,)):
        state = folded(granted(1, delegate=2, effect=Effect.DENY), terms=deny().terms, mandates=mandates)
        (grant,) = state.grants
        assert isinstance(grant, Grant)
        assert (grant.mandate, state.unbacked) == (None, frozenset())


def test_the_patients_own_word_replaces_a_delegates() -> None:
    terms = permit(**OBSERVATIONS).terms
    for events in ((granted(1, delegate=2), granted(2, delegate=0)), (granted(2, delegate=0), granted(1, delegate=2))):
        state = folded(*events, terms=terms, mandates=())
        (grant,) = state.grants
        assert isinstance(grant, Grant)
        assert (grant.mandate, state.delegates) == (None, {ONE: 0})


def test_a_replacement_that_a_reorg_took_away_leaves_the_delegates_word() -> None:
    terms = permit(**OBSERVATIONS).terms
    events = (granted(1, delegate=2), granted(2, delegate=0, orphaned=True))
    assert [grant.mandate for grant in folded(*events, terms=terms).grants if isinstance(grant, Grant)] == [MANDATE]
    assert folded(*events, terms=terms, mandates=()).grants == ()


def test_a_status_is_expired_once_the_delegation_has_ended_by_time() -> None:
    terms = permit(**OBSERVATIONS, epoch=0).terms
    state = folded(granted(1, delegate=2, block=HEAD - 50), terms=terms)
    assert state.status(ONE, terms, NOW) is ConsentStatus.ACTIVE
    assert state.status(ONE, terms, NOW + 60) is ConsentStatus.EXPIRED
