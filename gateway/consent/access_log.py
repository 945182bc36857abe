"""A person's access log is theirs: this asks whose it is before the audit is read."""

from gateway.audit.model import AccessEvent, AccessLogPage, SealedEntry
from gateway.audit.service import Audit
from gateway.consent import policy
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.errors import LimitError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import DecisionId, SubjectId

CEILING = 100


class AccessLog:
    """Others than the patient get an empty page, and no event."""

    def __init__(self, *, identity: Identity, audit: Audit, standings: Standings) -> None:
        self._identity = identity
        self._audit = audit
        self._standings = standings

    async def access_log(self, caller: Caller, subject: SubjectId, *, first: int, after: str | None) -> AccessLogPage:
        if not 1 <= first <= CEILING:
            raise LimitError(f"first must be 1 to {CEILING}", field=("first",))
        if not await self._owns(caller, subject):
            return AccessLogPage(events=(), has_next=False)
        return await self._audit.log(subject, first=first, after=after)

    async def event(self, caller: Caller, decision: DecisionId) -> AccessEvent | None:
        """One entry of the caller's own log."""
        subject = await self._audit.subject_of(decision)
        if subject is None or not await self._owns(caller, SubjectId(subject)):
            return None
        return await self._audit.event(subject, decision)

    async def entry(self, caller: Caller, decision: DecisionId) -> SealedEntry | None:
        """The sealed entry of a decision, for whom it answered and for the patient whom it was about."""
        found = await self._audit.sealed(decision)
        subject = await self._audit.subject_of(decision)
        if found is None or (
            found.actor != caller.actor.id and (subject is None or not await self._owns(caller, SubjectId(subject)))
        ):
            return None
        return found

    async def _owns(self, caller: Caller, subject: SubjectId) -> bool:
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        return standing is not None and policy.owns(requester(caller), standing.epochs)
