"""What is signed for a subject, on its way to the chain: durable with its audit entry, sent, waited for, told.

What ends a right is in force here once it is durable, and nothing but the database can hinder it. Not done here: who
may ask for it, and whether it is signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent.names import guards_of, topic
from gateway.consent.standing import Standings
from gateway.errors import ConflictError, StaleError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Chain, Landed, Reverted
from gateway.ports.clock import Clock
from gateway.ports.documents import Documents, SignedDocument
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import Bump, CallRow, Guard, NarrowingKind, NarrowingRow, Row

LANDING_SECONDS = 30.0
TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What ends a right, as it was signed. `target`: as NarrowingRow has it."""

    subject: SubjectId
    kind: NarrowingKind
    target: bytes
    typed_data: Mapping[str, Any]
    signature: bytes


class Relaying:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        audit: Audit,
        chain: Chain,
        documents: Documents,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._audit = audit
        self._chain = chain
        self._documents = documents
        self._bus = bus
        self._clock = clock

    async def relay(
        self,
        caller: Caller,
        subject: SubjectId,
        call: CallRow,
        *,
        action: str,
        confirmed: bool,
        rows: Sequence[Row] = (),
    ) -> None:
        """Returns once the call is on chain (with `confirmed`, for good) and followed here. Raises ConflictError where
        the registry refuses, UpstreamError where it takes too long: then the same again shows what became of it."""
        # Commit point: before it nothing is intended; after it the call is sent, whoever dies, and its entry stands.
        await self.record(caller, subject, action=action, rows=(*rows, call))
        self._chain.wake()
        outcome = await self._chain.outcome(call.call, timeout=LANDING_SECONDS, confirmed=confirmed)
        self._standings.forget(subject)
        await self._bus.publish(topic(subject), b"consent:")
        if isinstance(outcome, Reverted):
            raise ConflictError(f"the registry refuses: {outcome.error}")
        if not isinstance(outcome, Landed):
            raise UpstreamError("not on chain in time; relaying goes on, submit the same again to see")

    async def narrow(
        self,
        caller: Caller,
        ending: Ending,
        call: CallRow,
        *,
        action: str,
        consent: bytes = b"",
        standing_on: Guard | None = None,
    ) -> None:
        """In force when it returns, on every replica; relaying goes on. `consent`: which one ended, where one did;
        `standing_on`: what a delegate's word stands on. A patient's stands on nothing: nothing may hinder it."""
        # Sealed, and pinned once IPFS takes it: what ends a right waits for nobody but the database.
        document = SignedDocument(typed_data=jsontext.canonical(dict(ending.typed_data)), signature=ending.signature)
        sealed = await self._documents.seal_signed(ending.subject, document)
        narrowing = NarrowingRow(
            kind=ending.kind, subject=ending.subject, target=ending.target, digest=sealed.digest, call=call.call
        )
        rows = (narrowing, sealed, call, Bump(name=ending.subject))
        # Commit point: before it the right stands; after it no decision on the old version can be acknowledged.
        guards = () if standing_on is None else (standing_on,)
        await self.record(caller, ending.subject, action=action, consent=consent, rows=rows, guards=guards)
        self._standings.end(narrowing)
        await self._bus.publish(topic(ending.subject), b"consent:" + consent)
        self._chain.wake()

    async def record(
        self,
        caller: Caller,
        subject: SubjectId | None,
        *,
        action: str,
        rows: Sequence[Row],
        consent: bytes = b"",
        guards: Sequence[Guard] | None = None,
        standing_on: Guard | None = None,
    ) -> None:
        """Rows and audit entry in one transaction, if the caller still is who they were, and `standing_on` holds; with
        `guards`, if those hold alone. Without `subject` it is in no log of a patient. Raises StaleError where the
        subject's standing has moved."""
        for _ in range(TRIES):
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=caller.actor.id,
                outcome=Outcome.PERMITTED,
                action=action,
                subject=subject,
                consents=(consent,) if consent else (),
            )
            own = guards_of(caller) if guards is None else tuple(guards)
            answer = await self._audit.append(event, guards=(*own, standing_on) if standing_on else own, rows=rows)
            if isinstance(answer, Appended | Taken):
                return  # taken: the very same stands already, written whole by an earlier try
            if isinstance(answer, Stale) and answer.name == subject:
                self._standings.forget(subject)
                raise StaleError("the patient's consents changed meanwhile; try again")
            if isinstance(answer, Stale):
                caller = await self._identity.refreshed(caller)
        raise UpstreamError("the caller's standing keeps changing; try again")
