"""The end of a patient's data: drafted here, signed by the patient (in custody by the custodian), carried out here.

In force here as soon as it is durable: from then on nobody reads, whatever the chain and the vault do. What follows is
the course's, and goes on without this process. What stands is success; asking again with the same signature tells how
far it has come, to whoever can show that signature and to nobody else.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

from gateway import eip712, jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import messages, policy
from gateway.consent.names import requester, topic
from gateway.consent.rules import require_free
from gateway.consent.standing import Standing, Standings
from gateway.erasure.course import ERASED, OVER, Course
from gateway.erasure.model import ErasureView
from gateway.erasure.rules import view
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError, UpstreamError
from gateway.identity.model import Caller, Draft
from gateway.identity.service import Identity
from gateway.identity.versions import all_ended, moved
from gateway.ids import ActorId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Calls, Chain
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Stale
from gateway.ports.rows import ErasureRow, ErasureState, ErasureStep, NarrowingKind, NarrowingRow, Row
from gateway.ports.sign_ins import SessionsEnded

ACTION = "ERASE"
ANSWER_SECONDS = 8.0
"""How long an answer waits for the course; it goes on afterwards."""


class Erasures:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        audit: Audit,
        index: Index,
        chain: Chain,
        calls: Calls,
        bus: Bus,
        clock: Clock,
        course: Course,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._audit = audit
        self._index = index
        self._chain = chain
        self._calls = calls
        self._bus = bus
        self._clock = clock
        self._course = course

    async def draft_erasure(self, caller: Caller, *, subject: SubjectId) -> Draft:
        """Typed data for the controller to sign; in custody for the custodian."""
        standing = await self._own(caller, subject)
        require_free(standing.control.recovery)
        full = messages.erasure_typed_data(subject, standing.epochs.epoch, self._standings.domain)
        return Draft(id=eip712.digest(full), typed_data=full)

    async def erase_patient(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ErasureView:
        """In force when it returns, whatever the chain does; the view says how far it has come."""
        subject, epoch = messages.read_erasure(typed_data, self._standings.domain)
        full = messages.erasure_typed_data(subject, epoch, self._standings.domain)
        request = jsontext.canonical(full)
        before = await self._index.erasure(subject)
        if before is None or before.state is ErasureState.REFUSED:
            standing = await self._own(caller, subject)
            # In force here before the chain has it: what the registry is sure to refuse must not begin.
            require_free(standing.control.recovery)
            if epoch != standing.epochs.epoch:
                raise ConflictError("signed for another epoch; draft it again", field=("typedData", "message", "epoch"))
            await self._require_signature(standing, eip712.digest(full), signature)
            await self._begin(caller, standing, request, signature, before)
        elif (before.request, before.signature) != (request, signature):
            raise DeniedError("erased already")
        return view(await self._carry_on(subject))

    async def _begin(
        self, caller: Caller, standing: Standing, request: bytes, signature: bytes, refused: ErasureRow | None
    ) -> None:
        subject = standing.subject.id
        call = self._calls.erase(subject=subject, signature=signature)
        row = ErasureRow(
            subject=subject, begun_at=int(self._clock.now()), request=request, signature=signature, call=call.call
        )
        narrowing = NarrowingRow(
            kind=NarrowingKind.ERASE,
            subject=subject,
            target=bytes(32),
            digest=hashlib.sha256(request).digest(),
            call=call.call,
        )
        owner = policy.owns(requester(caller), standing.epochs)
        ended: tuple[Row, ...] = (SessionsEnded(actor=caller.actor.id),) if owner else ()
        moving = all_ended(caller.actor.id, subject) if owner else moved(subject)
        begun: Row = row if refused is None else ErasureStep(before=ErasureState.REFUSED, row=row)
        event = self._event(caller, subject, Outcome.PERMITTED)
        # Commit point: before it nothing has changed; after it no decision of before can be acknowledged, and every
        # replica takes the erasure up.
        rows = (begun, narrowing, call, *moving, *ended)
        if isinstance(await self._audit.append(event, rows=rows), Stale):
            raise UpstreamError("an erasure stands on no guard")
        self._standings.forget(subject)
        await self._bus.publish(topic(subject), ERASED + (caller.actor.id if owner else b""))
        self._chain.wake()

    async def _carry_on(self, subject: SubjectId) -> ErasureRow:
        """The row as it stands once the course has nothing more to do, or after some seconds; what is in its way is the
        course's to try again."""
        self._course.wake()
        row = None
        with contextlib.suppress(TimeoutError, ConsentryError):
            async with asyncio.timeout(ANSWER_SECONDS):
                while row is None or row.state not in OVER | {ErasureState.CERTIFIED}:
                    row = await self._course.advance(subject)
                    await asyncio.sleep(0.1)
        row = await self._index.erasure(subject)
        if row is None:
            raise UpstreamError("the index does not hold an erasure that was begun")
        if row.state is ErasureState.REFUSED:
            raise ConflictError("the registry does not take the erasure now; draft it again", field=("typedData",))
        return row

    async def _own(self, caller: Caller, subject: SubjectId) -> Standing:
        """The standing of the caller's own subject, or of one in their custody; else the same refusal, audited."""
        standing = await self._standings.asked_for(subject)
        asking = requester(caller)
        if standing is None or not (policy.owns(asking, standing.epochs) or policy.keeps(asking, standing.epochs)):
            event = self._event(caller, None if standing is None else subject, Outcome.DENIED)
            await self._audit.append(event)
            raise DeniedError(event.reason, decision_id=event.decision)
        return standing

    async def _require_signature(self, standing: Standing, digest: bytes, signature: bytes) -> None:
        signer = standing.subject.controller
        if not signer and standing.subject.custodian is not None:
            custodian = await self._identity.actor(ActorId(standing.subject.custodian))
            signer = b"" if custodian is None else custodian.key
        if not signer or not await self._identity.signed_by(signer, digest, signature):
            raise CallerError(
                "not signed by the patient's (or custodian's) key, or not this text", field=("signature",)
            )

    def _event(self, caller: Caller, subject: bytes | None, outcome: Outcome) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=outcome,
            action=ACTION,
            subject=subject,
            reason="" if outcome is Outcome.PERMITTED else "not the caller's own subject",
        )
