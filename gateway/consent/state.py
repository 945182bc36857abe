"""A subject's consents as chain and ledger have them: a pure fold.

What narrows counts at first sight; what widens, once confirmed. Whether the events are all there is not judged here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.consent import limits
from gateway.consent.model import ConsentStatus, Effect, Grant, Mandate, SealedDeny, Terms
from gateway.errors import IntegrityError
from gateway.identity.state import lost_changes, number_in
from gateway.ids import ConsentId, SubjectId
from gateway.ports.rows import EventRow, NarrowingKind, NarrowingRow

Confirmed = Callable[[EventRow], bool]
_ENDS_EPOCH = frozenset({"AllConsentsRevoked", "ControllerChanged", "CustodyEnded", "SubjectErased"})
_COUNTED = _ENDS_EPOCH | {
    "ConsentGranted",
    "ConsentRevoked",
    "CredentialSet",
    "DelegateAdded",
    "DelegateRemoved",
    "GuardiansSet",
    "RecoveryProposed",
    "RecoveryObjected",
}
"""Events of a subject that its `seq` counts: all but its enrolment and the certificates of its erasure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """`epoch`, `seq` as on chain; `effective_epoch` with what was ended here and is not yet, or no longer, there.
    `ended`, `lifted`: consents that are over if they permit, and if they deny, whether or not their grants stand.
    `delegates`: who signed each consent, 0 the patient, else the delegate of that number; `unbacked`: permits of
    delegates who may not sign them, or no longer."""

    epoch: int
    effective_epoch: int
    seq: int
    grants: tuple[Grant | SealedDeny, ...]
    transactions: Mapping[bytes, bytes]
    ended: frozenset[bytes]
    lifted: frozenset[bytes]
    delegates: Mapping[bytes, int]
    unbacked: frozenset[ConsentId]

    def status(self, consent: bytes, terms: Terms, now: float) -> ConsentStatus:
        """As its patient sees it. One that was revoked is over though a reorganization took its grant away: the
        registry bars it from coming back."""
        over = self.lifted if terms.effect is Effect.DENY else self.ended
        epoch_over = terms.effect is Effect.PERMIT and terms.epoch != self.effective_epoch
        if consent in over or consent in self.unbacked or epoch_over:
            return ConsentStatus.REVOKED
        grant = next((grant for grant in self.grants if grant.consent == consent), None)
        if now >= (grant.ends if isinstance(grant, Grant) else terms.not_after):
            return ConsentStatus.EXPIRED
        if now < terms.not_before or grant is None:
            return ConsentStatus.NOT_YET
        return ConsentStatus.ACTIVE


def fold(
    subject: SubjectId,
    *,
    consent_events: Sequence[EventRow],
    narrowings: Sequence[NarrowingRow],
    terms: Mapping[bytes, Terms],
    confirmed: Confirmed,
    mandates: Sequence[Mandate] = (),
) -> ConsentState:
    """`terms`: of each consent whose signature was verified, opened from its sealed block, by consent id. `mandates`:
    those under which a delegate's permit may stand."""
    mine = [event for event in consent_events if event.keys[0] == subject]
    live = [event for event in mine if not event.orphaned]
    epoch = sum(event.name in _ENDS_EPOCH for event in live)
    # The end of a permit narrows: at first sight, orphaned too. The end of a deny widens: on chain and confirmed.
    ended = {event.keys[1] for event in mine if event.name == "ConsentRevoked"}
    ended |= {row.target for row in narrowings if row.kind is NarrowingKind.REVOKE}
    lifted = {event.keys[1] for event in live if event.name == "ConsentRevoked" and confirmed(event)}
    epochs = [int.from_bytes(row.target, "big") + 1 for row in narrowings if row.kind is NarrowingKind.REVOKE_ALL]
    epochs += [number_in(event, "epoch") for event in mine if event.name in ("AllConsentsRevoked", "SubjectErased")]
    barred = _barred_from(mine)
    grants: dict[bytes, Grant | SealedDeny] = {}
    transactions: dict[bytes, bytes] = {}
    unbacked: set[ConsentId] = set()
    signed = granted(mine)
    for consent, event in signed.items():
        effect = _effect(event)
        if effect is Effect.PERMIT and (event.orphaned or (barred is not None and number_in(event, "seq") > barred)):
            continue
        if not event.orphaned:
            transactions[consent] = event.transaction
        opened, mandate = terms.get(consent), None
        if effect is Effect.PERMIT and (number := number_in(event, "delegate")):
            mandate = next((one for one in mandates if one.number == number), None)
            if mandate is None or opened is None or limits.exceeded(mandate.limits, opened) is not None:
                unbacked.add(consent)
                continue
        revoked = consent in (lifted if effect is Effect.DENY else ended)
        found = _grant(event, opened, mandate, revoked=revoked, confirmed=not event.orphaned and confirmed(event))
        if found is not None:
            grants[consent] = found
    return ConsentState(
        epoch=epoch,
        effective_epoch=max([epoch + lost_changes(subject, mine), *epochs]),
        seq=sum(event.name in _COUNTED for event in live),
        grants=tuple(grants.values()),
        transactions=transactions,
        ended=frozenset(ended),
        lifted=frozenset(lifted),
        delegates={consent: number_in(event, "delegate") for consent, event in signed.items()},
        unbacked=frozenset(unbacked),
    )


def granted(events: Iterable[EventRow]) -> dict[ConsentId, EventRow]:
    """Of each consent of a subject the event that it stands by: the last on the chain, else one that a reorg took. A
    consent is granted twice where the patient's own word replaced a delegate's."""
    found: dict[ConsentId, EventRow] = {}
    for event in events:
        if event.name != "ConsentGranted":
            continue
        before = found.get(ConsentId(event.keys[1]))
        if before is None or before.orphaned or (not event.orphaned and _seq(event) > _seq(before)):
            found[ConsentId(event.keys[1])] = event
    return found


def _grant(
    event: EventRow, terms: Terms | None, mandate: Mandate | None, *, revoked: bool, confirmed: bool
) -> Grant | SealedDeny | None:
    """None: a permit whose terms are not known permits nothing."""
    consent, effect = ConsentId(event.keys[1]), _effect(event)
    if terms is not None:
        if terms.effect is not effect:
            raise IntegrityError("a grant's event and its signed terms differ")
        return Grant(consent=consent, terms=terms, confirmed=confirmed, revoked=revoked, mandate=mandate)
    if effect is Effect.PERMIT or revoked:
        return None
    return SealedDeny(consent=consent, not_before=number_in(event, "notBefore"), not_after=number_in(event, "notAfter"))


def _seq(event: EventRow) -> int:
    return number_in(event, "seq")


def is_erased(subject: SubjectId, events: Sequence[EventRow], narrowings: Sequence[NarrowingRow]) -> bool:
    """Whether the subject is no more: at first sight, and though its block was orphaned, until that is final."""
    said = any(event.name == "SubjectErased" and event.keys[0] == subject for event in events)
    return said or any(row.kind is NarrowingKind.ERASE for row in narrowings)


def _barred_from(events: Sequence[EventRow]) -> int | None:
    """The `seq` of a recovery that is pending, as far as can be told: permits after it do not count. One that a reorg
    took away pends until its absence is final; what ends one counts on the chain alone."""
    over = ("RecoveryObjected", "ControllerChanged")
    done = max((number_in(event, "seq") for event in events if event.name in over and not event.orphaned), default=0)
    proposed = (number_in(event, "seq") for event in events if event.name == "RecoveryProposed")
    return min((seq for seq in proposed if seq > done), default=None)


def _effect(event: EventRow) -> Effect:
    try:
        return Effect(number_in(event, "effect"))
    except ValueError as error:
        raise IntegrityError("an indexed ConsentGranted has no such effect") from error
