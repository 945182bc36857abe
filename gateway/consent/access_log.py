"""A person's access log is theirs, and a delegate's whom they let see it: this asks who it is before the audit is read.

What a delegate is shown of it stands in it.
"""

from gateway.audit.model import EVERYTHING, AccessEvent, AccessFilter, AccessLogPage, Outcome, SealedEntry
from gateway.audit.service import Audit, Event
from gateway.consent.names import guards_of, requester
from gateway.consent.standing import Standings
from gateway.errors import LimitError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import DecisionId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.ledger import Appended
from gateway.ports.rows import Guard
from gateway.slices import Slice

CEILING = 100
TRIES = 5
NOBODY = SubjectId(bytes(32))
"""Whose log has what is in nobody's: it is looked for alike, and not found."""


class AccessLog:
    """All others get an empty page, and no event."""

    def __init__(self, *, identity: Identity, audit: Audit, standings: Standings, clock: Clock) -> None:
        self._identity = identity
        self._audit = audit
        self._standings = standings
        self._clock = clock

    async def access_log(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        part: Slice,
        wanted: AccessFilter = EVERYTHING,
    ) -> AccessLogPage:
        if not 1 <= part.size <= CEILING:
            raise LimitError(f"{part.field} must be 1 to {CEILING}", field=(part.field,))
        if not await self._owns(caller, subject) and not await self._let_see(caller, subject):
            return AccessLogPage(events=(), has_next=False)
        if wanted == EVERYTHING:
            return await self._audit.log(subject, part=part)
        return await self._audit.search(subject, wanted, part=part)

    async def event(self, caller: Caller, decision: DecisionId) -> AccessEvent | None:
        """One entry of a log that the caller may see."""
        subject = await self._audit.subject_of(decision)
        whose = NOBODY if subject is None else SubjectId(subject)
        if not await self._owns(caller, whose) and not await self._let_see(caller, whose):
            return None
        return await self._audit.event(whose, decision)

    async def entry(self, caller: Caller, decision: DecisionId) -> SealedEntry | None:
        """The sealed entry of a decision, for whoever got its receipt and for the patient whom it was about. Not for
        who was refused: that it lies in somebody's log would tell them that what they asked for is there."""
        found = await self._audit.sealed(decision)
        subject = await self._audit.subject_of(decision)
        owner = await self._owns(caller, NOBODY if subject is None else SubjectId(subject))
        if found is None or not (owner or (found.receipted and found.actor == caller.actor.id)):
            return None
        return found

    async def _let_see(self, caller: Caller, subject: SubjectId) -> bool:
        """Whether the caller is a delegate whom the patient lets see their lists; and it stands in the log."""
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            standing = await self._standings.nearest(subject)
            mandates = () if standing is None else self._standings.mandates_of(requester(caller), standing)
            shown = any(mandate.limits.lists for mandate in mandates)
            if standing is None or standing.subject.id != subject or not shown:
                return False
            self._standings.require_current(standing)
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=caller.actor.id,
                outcome=Outcome.PERMITTED,
                action="SHOW_ACCESS_LOG",
                subject=subject,
            )
            guards = (*guards_of(caller), Guard(name=subject, version=standing.epochs.version))
            if isinstance(await self._audit.append(event, guards=guards), Appended):
                return True
        raise UpstreamError("the patient's delegates keep changing; try again")

    async def _owns(self, caller: Caller, subject: SubjectId) -> bool:
        caller = await self._identity.current(caller)
        return await self._standings.owns(requester(caller), subject)
