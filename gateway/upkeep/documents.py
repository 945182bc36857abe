"""Consents and what ended them, from signed documents and the chain: rows, and the calls that still have to be relayed.

A permit that the chain has not got is left out: it was never acknowledged, and its patient may have thought better of
it since. A deny, and whatever ends a consent, takes rights away and is relayed again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anchoring.model import Event
from gateway import eip712, jsontext
from gateway.consent import messages
from gateway.consent.model import Effect
from gateway.errors import ConsentryError
from gateway.ports.rows import CallRow, NarrowingKind
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import FoundDocument, Scratch
from gateway.wiring.upkeep import ChainPort

Rows = list[dict[str, object]]
NOWHERE: Final = (2**62, 0)
REMOVED: Final = "DelegateRemoved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a document becomes. `order`: of consents, the place of their event; `event`: by which the chain has it."""

    table: str
    key: tuple[object, ...]
    values: Mapping[str, object]
    call: CallRow
    order: tuple[int, int]
    event: Event | None


class Restoring:
    """Reads documents one by one; `rows` gives what stands, one for each key."""

    def __init__(self, port: ChainPort, events: Sequence[Event], *, calls: frozenset[bytes]) -> None:
        self._port = port
        self._calls = calls
        self._domain = eip712.domain(chain_id=port.facts.chain_id, contract=port.facts.consent_registry)
        granted = [event for event in events if event.name == "ConsentGranted"]
        # A consent is granted twice where the patient's own word replaced a delegate's: it stands by the last.
        self._granted = {event.keys[1]: event for event in granted}
        self._first = {event.keys[1]: _place(event) for event in reversed(granted)}
        self._delegates = {
            (event.keys[0], event.args["delegate"]): int(event.args["number"])
            for event in events
            if event.name == "DelegateAdded"
        }
        self._removed = {(event.keys[0], event.args["number"]): event for event in events if event.name == REMOVED}
        self._revoked = {event.keys[1]: event for event in events if event.name == "ConsentRevoked"}
        self._ended = {
            (event.keys[0], event.args["epoch"]): event for event in events if event.name == "AllConsentsRevoked"
        }

    def consent(self, found: FoundDocument, full: Mapping[str, Any]) -> Standing | None:
        terms = messages.read_consent(full, self._domain)
        consent = eip712.digest(messages.consent_typed_data(terms, self._domain))
        event = self._granted.get(consent)
        if terms.subject != found.subject or (event is None and terms.effect is Effect.PERMIT):
            return None
        call = self._port.grant(
            type_hash=messages.CONSENT_TYPE_HASH,
            subject=terms.subject,
            effect=int(terms.effect),
            scope_hash=messages.scope_hash(terms.scope, self._domain),
            not_before=terms.not_before,
            not_after=terms.not_after,
            epoch=terms.epoch,
            delegate=self._delegate(found.subject, consent, found.signature, event),
            signature=found.signature,
        )
        return Standing(
            table="consents",
            key=(consent,),
            values={"consent": consent, "subject": found.subject, "digest": found.digest, "call": call.call},
            call=call,
            order=self._first.get(consent, NOWHERE),
            event=event,
        )

    def _delegate(self, subject: bytes, consent: bytes, signature: bytes, event: Event | None) -> int:
        """Who signed, as the chain has it; what it has not got says so only by a wallet's signature."""
        if event is not None:
            return int(event.args["delegate"])
        return self._delegates.get((subject, eip712.recover(consent, signature) or b""), 0)

    def revocation(self, found: FoundDocument, full: Mapping[str, Any]) -> Standing | None:
        subject, target = messages.read_revocation(full, self._domain)
        call = self._port.revoke(subject=subject, consent=target, signature=found.signature)
        return self._narrowing(found, subject, NarrowingKind.REVOKE, target, call, event=self._revoked.get(target))

    def revocation_of_all(self, found: FoundDocument, full: Mapping[str, Any]) -> Standing | None:
        subject, epoch = messages.read_revoke_all(full, self._domain)
        call = self._port.revoke_all(subject=subject, epoch=epoch, signature=found.signature)
        target = epoch.to_bytes(32, "big")
        event = self._ended.get((subject, epoch + 1))
        return self._narrowing(found, subject, NarrowingKind.REVOKE_ALL, target, call, event=event)

    def removal(self, found: FoundDocument, full: Mapping[str, Any]) -> Standing | None:
        subject, number = messages.read_delegation_end(full, self._domain)
        call = self._port.remove_delegate(subject=subject, number=number, signature=found.signature)
        target, event = number.to_bytes(32, "big"), self._removed.get((subject, number))
        return self._narrowing(found, subject, NarrowingKind.DELEGATE, target, call, event=event)

    def _narrowing(
        self,
        found: FoundDocument,
        subject: bytes,
        kind: NarrowingKind,
        target: bytes,
        call: CallRow,
        *,
        event: Event | None,
    ) -> Standing | None:
        if subject != found.subject:
            return None
        values = {"kind": int(kind), "subject": subject, "target": target, "digest": found.digest, "call": call.call}
        order = NOWHERE if event is None else _place(event)
        return Standing(
            table="narrowings", key=(subject, kind, target), values=values, call=call, order=order, event=event
        )

    def better(self, one: Standing, other: Standing) -> Standing:
        """Of two documents that say the same, the one whose own call landed; else the first by digest."""
        return other if other.call.call in self._calls and one.call.call not in self._calls else one


def _place(event: Event) -> tuple[int, int]:
    return event.block_number, event.log_index


READERS: Final[Mapping[str, Callable[[Restoring, FoundDocument, Mapping[str, Any]], Standing | None]]] = {
    "Consent": Restoring.consent,
    "Revocation": Restoring.revocation,
    "RevokeAll": Restoring.revocation_of_all,
    "DelegationEnd": Restoring.removal,
}
"""What a document becomes, by its EIP-712 primary type. Others stay where they are and are counted."""


def restore(scratch: Scratch, restoring: Restoring, report: RebuildReport) -> list[Standing]:
    """Every row of consents and narrowings, in order of arrival."""
    standing: dict[tuple[object, ...], Standing] = {}
    for found in scratch.documents():
        full: Any = jsontext.loads(found.typed_data)
        reader = READERS.get(str(full.get("primaryType")))
        try:
            one = None if reader is None else reader(restoring, found, full)
        except ConsentryError:
            one = None
        if one is None:
            report.dropped["documents of another kind" if reader is None else "permits that the chain has not got"] += 1
            continue
        before = standing.get((one.table, *one.key))
        standing[one.table, *one.key] = one if before is None else restoring.better(before, one)
    return sorted(standing.values(), key=lambda one: (one.table, one.order, one.values["digest"]))
