"""What is shown of a patient's consents: to the patient all, to a grantee those that name them, to others nothing.

A patient sees their own, freely. Whoever else is shown one is shown it by an entry in the patient's log.
"""

from collections.abc import AsyncIterator

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.model import ConsentView
from gateway.consent.names import guards_of, requester, topic
from gateway.consent.standing import Standing, Standings
from gateway.errors import CallerError, UpstreamError
from gateway.identity.model import Caller, Subject
from gateway.identity.service import Identity
from gateway.ids import ConsentId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended
from gateway.ports.rows import ConsentRow, Guard

TRIES = 5


class ShownConsents:
    """See the module."""

    def __init__(
        self, *, identity: Identity, standings: Standings, audit: Audit, index: Index, bus: Bus, clock: Clock
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._audit = audit
        self._index = index
        self._bus = bus
        self._clock = clock

    async def of_patient(
        self, caller: Caller, *, subject: SubjectId, first: int, after: str | None
    ) -> tuple[tuple[ConsentView, ...], bool, str | None]:
        """Newest first; the patient's alone, others get nothing."""
        caller = await self._identity.current(caller)
        standing = await self._standings.asked_for(subject)
        if standing is None or not policy.owns(requester(caller), standing.epochs):
            return (), False, None
        rows = list(reversed(await self._index.consents(subject)))
        start = 0
        if after is not None:
            start = 1 + next((at for at, row in enumerate(rows) if row.consent.hex() == after), -2)
            if start < 0:
                raise CallerError("not a cursor of this connection", field=("after",))
        shown = rows[start : start + first]
        views = [await self._view(standing, row) for row in shown]
        end = shown[-1].consent.hex() if shown else None
        return tuple(views), len(rows) > start + first, end

    async def get(self, caller: Caller, consent: ConsentId) -> ConsentView | None:
        """The patient's, and the named grantee's. What a grantee is shown stands in the patient's log."""
        for _ in range(TRIES):
            row = await self._index.consent(consent)
            standing = None if row is None else await self._standings.current(SubjectId(row.subject))
            if row is None or standing is None:
                return None
            caller = await self._identity.current(caller)
            view = await self._view(standing, row)
            if policy.owns(requester(caller), standing.epochs):
                return view
            grantee = view.terms.scope.grantee
            if grantee != caller.actor.id and grantee not in caller.organizations:
                return None
            self._standings.as_of()
            event = Event(
                decision=self._audit.new_decision(),
                at=self._clock.now(),
                actor=caller.actor.id,
                outcome=Outcome.PERMITTED,
                action="SHOW_CONSENT",
                subject=standing.subject.id,
                consents=(consent,),
            )
            guards = (*guards_of(caller), Guard(name=row.subject, version=standing.epochs.version))
            if isinstance(await self._audit.append(event, guards=guards), Appended):
                return view
        raise UpstreamError("the consent keeps changing; try again")

    async def changes(self, caller: Caller, *, subject: SubjectId) -> AsyncIterator[ConsentView]:
        """Each change of the patient's consents, decided afresh; ends without an item for anybody else."""
        changes = self._bus.subscribe(topic(subject))
        try:
            if not await self._may_watch(caller, subject):
                return
            async for payload in changes:
                caller = await self._identity.refreshed(caller)
                if not await self._may_watch(caller, subject):
                    return
                kind, _, raw = payload.partition(b":")
                row = await self._index.consent(raw) if kind == b"consent" and len(raw) == 32 else None
                standing = await self._standings.current(subject)
                if row is not None and standing is not None and row.subject == subject:
                    yield await self._view(standing, row)
        finally:
            await changes.aclose()

    async def visible_patient(self, caller: Caller | None, subject: SubjectId) -> Subject | None:
        """The subject, for those whom some decision on it could permit something; for all others there is none."""
        standing = None if caller is None else await self._standings.asked_for(subject)
        if caller is None or standing is None:
            return None
        return standing.subject if self._standings.may_concern(requester(caller), standing) else None

    async def _may_watch(self, caller: Caller, subject: SubjectId) -> bool:
        standing = await self._standings.asked_for(subject)
        return standing is not None and policy.owns(requester(caller), standing.epochs)

    async def _view(self, standing: Standing, row: ConsentRow) -> ConsentView:
        terms = await self._standings.terms_of(row)
        return self._standings.view(standing, ConsentId(row.consent), terms, standing.subject.controller)
