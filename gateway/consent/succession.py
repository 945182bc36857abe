"""What is due by itself when control passes on: a recovery whose delay is over is finished, a proposal that was signed
ahead is sent once the patient has objected, and the sessions of a key that controls no longer end.

Each is done once, whoever of the replicas is first, and again by nobody: a call is named by what it says. Taken up anew
at every start. Where blocks come on demand none comes to show that the delay is over, so one is asked for, by a call
that the registry takes and that changes nothing: the pending proposal's controller, proposed again.
"""

import asyncio
import contextlib

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent.collecting import Collecting
from gateway.consent.names import topic
from gateway.consent.proposals import BLOCK_SECONDS, Due, due
from gateway.consent.standing import CONTRACT, Standing, Standings
from gateway.errors import ConflictError, ConsentryError, UpstreamError
from gateway.identity.control import CONTROL, Recovery
from gateway.identity.service import Identity
from gateway.identity.state import controllers, fold_subject
from gateway.identity.versions import all_ended
from gateway.identity.vigil import TOPIC
from gateway.ids import ActorId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Calls, Chain, RecoveryProposal, Reverted
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Stale
from gateway.ports.sign_ins import SessionsEnded

EACH_SECONDS = 1.0
FATE_SECONDS = 0.1
FINISH = "FINISH_RECOVERY"
NOTICED = frozenset({*CONTROL, "RecoveryProposed", "RecoveryObjected"})
"""Events after which there may be something to do."""


class Succession:
    """See the module. `period_seconds`: of the chain's blocks, 0 where they come on demand."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        collecting: Collecting,
        audit: Audit,
        index: Index,
        chain: Chain,
        calls: Calls,
        bus: Bus,
        clock: Clock,
        period_seconds: float,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._collecting = collecting
        self._audit = audit
        self._index = index
        self._chain = chain
        self._calls = calls
        self._bus = bus
        self._clock = clock
        self._period = period_seconds
        self._recovering: set[bytes] = set()
        self._objected: set[bytes] = set()
        self._changed: set[bytes] = set()
        self._intended: set[bytes] = set()
        self._waking = asyncio.Event()
        self.trouble = ""

    def notice(self, name: str, subject: bytes) -> None:
        """An event was indexed, here or by another replica. No I/O."""
        if name == "RecoveryProposed":
            self._recovering.add(subject)
        elif name == "RecoveryObjected":
            self._objected.add(subject)
        elif name in CONTROL:
            self._changed.add(subject)
        self._waking.set()

    async def run(self) -> None:
        """For ever. What fails is tried again; `trouble` says what is in the way."""
        begun = False
        while True:
            self.trouble = ""
            try:
                if not begun:
                    recovering = await self._index.recovering()
                    self._recovering |= set(recovering)
                    self._objected |= set(recovering)
                    begun = True
                await self.catch_up()
            except ConsentryError as error:
                self.trouble = type(error).__name__
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EACH_SECONDS):
                    await self._waking.wait()
            self._waking.clear()

    async def catch_up(self) -> None:
        """All that is due now. What is in one patient's way is in no other's, and is tried again."""
        steps = ((self._changed, self._end_sessions), (self._recovering, self.advance), (self._objected, self._repeat))
        for waiting, step in steps:
            for subject in tuple(waiting):
                try:
                    if await step(SubjectId(subject)):
                        waiting.discard(subject)
                except ConsentryError as error:
                    self.trouble = type(error).__name__

    def due(self, recovery: Recovery) -> Due:
        head = self._chain.head()
        return due(
            ready_at=recovery.ready_at,
            block_time=head.timestamp,
            now=self._clock.now(),
            period=self._period,
            confirmations=self._chain.facts.confirmations,
        )

    async def advance(self, subject: SubjectId) -> bool:
        """One step of a pending recovery, if one is due; whether none is pending."""
        standing = await self._standings.current(subject)
        recovery = None if standing is None else standing.control.recovery
        if standing is None or recovery is None:
            return True
        # On events that the chain has: a call that it refuses, because somebody wrote others in, is not sent again.
        self._standings.require_current(standing)
        match self.due(recovery):
            case Due.BLOCK:
                await self._ask_for_block(subject, recovery)
            case Due.FINISH:
                await self._finish(standing)
        return False

    async def _repeat(self, subject: SubjectId) -> bool:
        standing = await self._standings.current(subject)
        if standing is not None and standing.control.objected:
            await self._collecting.propose_whole(standing)
        return True

    async def _finish(self, standing: Standing) -> None:
        subject = standing.subject.id
        call = self._calls.finish_recovery(subject=subject, attempt=standing.control.attempt - 1)
        if call.call not in self._intended:
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=ActorId(bytes(32)),
                outcome=Outcome.PERMITTED,
                action=FINISH,
                subject=subject,
            )
            # Commit point: before it nobody has asked for it; after it the call is sent once, and its entry stands. A
            # replica that comes second is told that the call is taken, and writes nothing.
            if isinstance(await self._audit.append(event, rows=(call,)), Stale):
                raise UpstreamError("the end of a recovery stands on no guard")
            self._intended.add(call.call)
        self._chain.wake()
        if isinstance(await self._chain.outcome(call.call, timeout=FATE_SECONDS, confirmed=False), Reverted):
            raise UpstreamError("the registry refuses to finish a recovery")

    async def _ask_for_block(self, subject: SubjectId, recovery: Recovery) -> None:
        """One call in each `BLOCK_SECONDS`, the same of every replica."""
        late = int(self._clock.now() - recovery.ready_at) // BLOCK_SECONDS
        again = RecoveryProposal(
            controller=recovery.controller,
            not_after=recovery.ready_at + 1 + late,
            guardians=(),
            threshold=0,
            salt=bytes(32),
            who=(),
            signatures=(),
            controller_signature=b"",
        )
        call = self._calls.propose_recovery(subject=subject, proposal=again)
        if call.call not in self._intended:
            with contextlib.suppress(ConflictError):
                await self._index.apply((call,))
            self._intended.add(call.call)
            self._chain.wake()

    async def _end_sessions(self, subject: SubjectId) -> bool:
        """Of whoever signs in by a key that controlled the subject and does so no longer."""
        events = await self._index.events(subject, contract=CONTRACT)
        now = fold_subject(subject, events, lambda event: True)
        former = controllers(subject, events) - ({now.controller} if now is not None else set())
        for key in former:
            actor = await self._chain.actor_of_key(key)
            if actor is None:
                continue
            await self._index.apply((SessionsEnded(actor=actor), *all_ended(actor)))
            self._identity.forget(ActorId(actor))
        self._standings.forget(subject)
        await self._bus.publish(topic(subject), b"consent:")
        await self._bus.publish(TOPIC, b"")
        return True
