"""A subject's consents as chain and ledger have them: a pure fold.

What narrows counts at first sight; what widens, once confirmed. Whether the events are all there is not judged here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.consent.model import Effect, Grant, SealedDeny, Terms
from gateway.identity.state import controller_changes
from gateway.ids import ConsentId, SubjectId
from gateway.ports.rows import EventRow, NarrowingKind, NarrowingRow

Confirmed = Callable[[EventRow], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """`epoch`, `seq` as on chain; `effective_epoch` with what was ended here and is not yet there."""

    epoch: int
    effective_epoch: int
    seq: int
    grants: tuple[Grant | SealedDeny, ...]
    transactions: Mapping[bytes, bytes]


def fold(
    subject: SubjectId,
    *,
    consent_events: Sequence[EventRow],
    identity_events: Sequence[EventRow],
    narrowings: Sequence[NarrowingRow],
    terms: Mapping[bytes, Terms],
    confirmed: Confirmed,
) -> ConsentState:
    """`terms`: of each consent whose signature was verified, opened from its sealed block, by consent id."""
    mine = [event for event in consent_events if event.keys[0] == subject]
    live = [event for event in mine if not event.orphaned]
    steps = controller_changes(subject, identity_events)
    epoch = sum(event.name == "AllConsentsRevoked" for event in live) + steps
    # Orphaned revocations still narrow, until their absence is final.
    revoked = {event.keys[1] for event in mine if event.name == "ConsentRevoked"}
    revoked |= {row.target for row in narrowings if row.kind is NarrowingKind.REVOKE}
    ended = [int.from_bytes(row.target, "big") for row in narrowings if row.kind is NarrowingKind.REVOKE_ALL]
    ended += [_number(event, "epoch") - 1 for event in mine if event.name == "AllConsentsRevoked"]
    grants: dict[bytes, Grant | SealedDeny] = {}
    transactions: dict[bytes, bytes] = {}
    for event in mine:
        if event.name != "ConsentGranted":
            continue
        consent = ConsentId(event.keys[1])
        effect = Effect(_number(event, "effect"))
        if event.orphaned and effect is Effect.PERMIT:
            continue
        if not event.orphaned:
            transactions[consent] = event.transaction
        opened = terms.get(consent)
        if opened is not None:
            grants[consent] = Grant(
                consent=consent,
                terms=opened,
                confirmed=not event.orphaned and confirmed(event),
                revoked=consent in revoked,
            )
        elif effect is Effect.DENY and consent not in revoked:
            grants[consent] = SealedDeny(
                consent=consent, not_before=_number(event, "notBefore"), not_after=_number(event, "notAfter")
            )
    return ConsentState(
        epoch=epoch,
        effective_epoch=max([epoch, *(end + 1 for end in ended)]),
        seq=len(live) + steps,
        grants=tuple(grants.values()),
        transactions=transactions,
    )


def _number(event: EventRow, name: str) -> int:
    value = event.args[name]
    return value if isinstance(value, int) else 0
