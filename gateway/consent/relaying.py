"""A change of who controls a subject, on its way to the chain: durable with its audit entry, sent, waited for, told.

Not done here: who may ask for it, and whether it is signed.
"""

from collections.abc import Sequence

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent.service import guards_of, topic
from gateway.consent.standing import Standings
from gateway.errors import ConflictError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Chain, Landed, Reverted
from gateway.ports.clock import Clock
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import CallRow, Row

LANDING_SECONDS = 30.0
TRIES = 5


class Relaying:
    """See the module."""

    def __init__(
        self, *, identity: Identity, standings: Standings, audit: Audit, chain: Chain, bus: Bus, clock: Clock
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._audit = audit
        self._chain = chain
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
        await self._record(caller, subject, action, (*rows, call))
        self._chain.wake()
        outcome = await self._chain.outcome(call.call, timeout=LANDING_SECONDS, confirmed=confirmed)
        self._standings.forget(subject)
        await self._bus.publish(topic(subject), b"consent:")
        if isinstance(outcome, Reverted):
            raise ConflictError(f"the registry refuses: {outcome.error}")
        if not isinstance(outcome, Landed):
            raise UpstreamError("not on chain in time; relaying goes on, submit the same again to see")

    async def _record(self, caller: Caller, subject: SubjectId, action: str, rows: Sequence[Row]) -> None:
        for _ in range(TRIES):
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=caller.actor.id,
                outcome=Outcome.PERMITTED,
                action=action,
                subject=subject,
            )
            answer = await self._audit.append(event, guards=guards_of(caller), rows=rows)
            if isinstance(answer, Appended | Taken):
                return  # taken: the very call stands already
            if isinstance(answer, Stale):
                caller = await self._identity.refreshed(caller)
        raise UpstreamError("the caller's standing keeps changing; try again")
