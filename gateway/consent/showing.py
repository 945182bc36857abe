"""What is shown of a patient's consents: to the patient all, to a grantee those that name them, to a delegate those
that they signed, or all where the patient said so, to others nothing.

A patient sees their own, freely. Whoever else is shown one is shown it by an entry in the patient's log.
"""

from collections.abc import AsyncIterator, Sequence

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, ConsentView, Mandate, Terms
from gateway.consent.names import guards_of, requester, require_proven, topic
from gateway.consent.standing import Standing, Standings
from gateway.consent.wording import statement
from gateway.errors import CallerError, UpstreamError
from gateway.identity.model import Caller, Subject
from gateway.identity.service import Identity
from gateway.ids import ConsentId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended
from gateway.ports.rows import ConsentRow, Guard
from gateway.slices import Page, Slice, page_of

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

    async def of_patient(self, caller: Caller, *, subject: SubjectId, part: Slice) -> Page[ConsentView]:
        """Newest first; a cursor is a consent's id in hex."""
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            standing = await self._standings.asked_for(subject)
            if standing is None:
                return Page()
            owner = policy.owns(requester(caller), standing.epochs)
            mandates = () if owner else self._standings.mandates_of(requester(caller), standing)
            if not owner and not mandates:
                return Page()
            found = reversed(await self._index.consents(subject))
            rows = [row for row in found if owner or _may_see(mandates, standing, row)]
            page = page_of(_within(rows, part), part)
            views = [await self._view(standing, row) for row in page.items]
            if owner or await self._told(caller, standing, "SHOW_CONSENTS"):
                return Page(tuple(views), page.has_next, page.has_previous)
        raise UpstreamError("the consents keep changing; try again")

    async def get(self, caller: Caller, consent: ConsentId) -> ConsentView | None:
        """What somebody else than the patient is shown stands in the patient's log."""
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
            named = grantee == caller.actor.id or grantee in caller.organizations
            if named:
                require_proven(caller)
            elif not _may_see(self._standings.mandates_of(requester(caller), standing), standing, row):
                return None
            self._standings.as_of()
            if await self._told(caller, standing, "SHOW_CONSENT", consent):
                return view
        raise UpstreamError("the consent keeps changing; try again")

    async def _told(self, caller: Caller, standing: Standing, action: str, *consents: bytes) -> bool:
        """Whether the patient's log has it, and the caller and the patient's consents still are what they were."""
        self._standings.require_current(standing)
        event = Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.PERMITTED,
            action=action,
            subject=standing.subject.id,
            consents=consents,
        )
        guards = (*guards_of(caller), Guard(name=standing.subject.id, version=standing.epochs.version))
        return isinstance(await self._audit.append(event, guards=guards), Appended)

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
        """The subject, for those whom some decision on it could permit something, and for its delegates; for all others
        there is none."""
        near = None if caller is None else await self._standings.nearest(subject)
        if caller is None or near is None:
            return None
        asking = requester(caller)
        # A delegate acts by a session alone: to a bearer token that they are one says nothing.
        acts = asking.reach is None and self._standings.mandates_of(asking, near)
        concerned = self._standings.may_concern(asking, near) or acts
        return near.subject if concerned and near.subject.id == subject else None

    async def statement(self, terms: Terms, language: Language) -> str:
        """What the terms say, in a language; the grantee by their present name. It is not what was signed."""
        grantee = terms.scope.grantee
        actor = None if grantee == ANYONE else await self._identity.actor(grantee)
        return statement(terms, None if actor is None else actor.told_name, language)

    async def _may_watch(self, caller: Caller, subject: SubjectId) -> bool:
        return await self._standings.owns(requester(caller), subject)

    async def _view(self, standing: Standing, row: ConsentRow) -> ConsentView:
        return self._standings.view(standing, ConsentId(row.consent), await self._standings.signed(row))


def _within(rows: Sequence[ConsentRow], part: Slice) -> Sequence[ConsentRow]:
    """Those between the two cursors, from the end that is asked for. Raises CallerError for what is no cursor of
    these."""
    places = {row.consent.hex(): at for at, row in enumerate(rows)}
    for cursor, field in ((part.after, "after"), (part.before, "before")):
        if cursor is not None and cursor not in places:
            raise CallerError("not a cursor of this connection", field=(field,))
    start = 0 if part.after is None else places[part.after] + 1
    end = len(rows) if part.before is None else places[part.before]
    return rows[start:end][::-1] if part.backwards else rows[start:end]


def _may_see(mandates: Sequence[Mandate], standing: Standing, row: ConsentRow) -> bool:
    """As a delegate: all where the patient said so, else what they signed."""
    number = standing.folded.delegates.get(row.consent, 0)
    return any(mandate.limits.lists or mandate.number == number for mandate in mandates)
