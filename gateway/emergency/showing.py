"""What is shown of emergencies: to the patient all, to the clinician and to a reviewer what they stated or must judge.

A patient sees their own, freely. Whoever else is shown one is shown it by a decision of its own, which stands in the
patient's log. The reviewers' report names no patient, no clinician and no reason: each is opened by itself.
"""

from collections.abc import AsyncIterator

from gateway.audit.model import AccessEvent, Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.model import Basis, Purpose
from gateway.consent.names import guards_of, requester, topic
from gateway.consent.standing import Standings
from gateway.emergency import rules
from gateway.emergency.model import Bounds, Emergency, EmergencyView, Summary
from gateway.emergency.openings import Openings
from gateway.errors import DeniedError, IntegrityError, UpstreamError
from gateway.identity.model import Caller, Subject
from gateway.identity.service import Identity
from gateway.ids import EmergencyId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended
from gateway.ports.rows import EmergencyRow
from gateway.ports.sealing import SealingKeys
from gateway.slices import Page, Slice, between, page_of

TRIES = 5
SHOW, REPORT = "EMERGENCY_SHOW", "EMERGENCY_REPORT"
_CURSOR = b"emergencies"
_REPORT_CURSOR = b"emergency-report"


class Showing:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        openings: Openings,
        audit: Audit,
        index: Index,
        keys: SealingKeys,
        bus: Bus,
        clock: Clock,
        bounds: Bounds,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._openings = openings
        self._audit = audit
        self._index = index
        self._keys = keys
        self._bus = bus
        self._clock = clock
        self._bounds = bounds

    async def of_patient(self, caller: Caller, subject: SubjectId, *, part: Slice) -> Page[tuple[str, EmergencyView]]:
        """(cursor, emergency), newest first; the patient's alone, others get nothing."""
        if not await self._owns(caller, subject):
            return Page()
        context = _CURSOR + subject
        after, before = between(part, lambda cursor: self._keys.reveal(cursor, context=context))
        token = self._openings.token_of_subject(subject)
        rows = await self._index.emergencies(
            token, after=after, before=before, limit=part.size + 1, backwards=part.backwards
        )
        page = page_of(rows, part)
        hidden = [self._keys.hide(row.seq, context=context) for row in page.items]
        shown = [await self._theirs(row, subject) for row in page.items]
        return Page(tuple(zip(hidden, shown, strict=True)), page.has_next, page.has_previous)

    async def get(self, caller: Caller, emergency: EmergencyId) -> EmergencyView:
        """The patient's, the clinician's and a reviewer's; the latter two by an entry in the patient's log.
        DeniedError for all others, and for what does not exist."""
        return view(await self._decided(caller, emergency), self._clock.now())

    async def accesses(self, caller: Caller, emergency: EmergencyId) -> tuple[AccessEvent, ...]:
        """What was asked under it, newest first; shown as `get` shows."""
        found = await self._decided(caller, emergency)
        return await self._audit.under(found.opening.subject, found.id, decision=found.decision)

    async def changes(self, caller: Caller, subject: SubjectId) -> AsyncIterator[EmergencyView]:
        """Each emergency of the patient as it is opened, ended or reviewed; ends without an item for anybody else."""
        changes = self._bus.subscribe(topic(subject))
        try:
            if not await self._owns(caller, subject):
                return
            async for payload in changes:
                caller = await self._identity.refreshed(caller)
                if not await self._owns(caller, subject):
                    return
                kind, _, raw = payload.partition(b":")
                row = await self._index.emergency(raw) if kind == b"emergency" and len(raw) == 32 else None
                if row is not None:
                    found = await self._openings.load(row)
                    if found.opening.subject == subject:
                        yield view(found, self._clock.now())
        finally:
            await changes.aclose()

    async def visible_patient(self, caller: Caller, subject: SubjectId) -> Subject | None:
        """The subject, for a clinician with an open emergency; for all others there is none."""
        emergency = await self._openings.open_for(caller, subject)
        standing = None if emergency is None else await self._standings.known(subject)
        return None if standing is None else standing.subject

    async def report(self, caller: Caller, *, overdue_only: bool, part: Slice) -> Page[Summary]:
        """Those without a review that the caller may review, newest first. DeniedError for who is no reviewer."""
        caller = await self._identity.current(caller)
        may = bool(rules.REVIEWERS & caller.actor.roles)
        outcome, reason = (Outcome.PERMITTED, "") if may else (Outcome.DENIED, "no reviewer")
        note = event(self._audit, caller, None, REPORT, outcome, at=self._clock.now(), reason=reason)
        await self._audit.append(note)
        if not may:
            raise DeniedError(reason, decision_id=note.decision)
        now = int(self._clock.now())
        overdue = now - rules.REVIEW_SECONDS
        context = _REPORT_CURSOR + caller.actor.id
        after, before = between(part, lambda cursor: self._keys.reveal(cursor, context=context))
        found: dict[int, EmergencyRow] = {}
        for token in self._tokens_of(caller):
            until = overdue if overdue_only else now
            rows = await self._index.emergencies(
                token,
                after=after,
                before=before,
                limit=part.size + 1,
                unreviewed_until=until,
                backwards=part.backwards,
            )
            found |= {row.seq: row for row in rows}
        page = page_of(sorted(found, reverse=not part.backwards), part)
        shown = [
            Summary(
                id=EmergencyId(found[seq].emergency),
                opened_at=found[seq].opened_at,
                expires_at=found[seq].expires_at,
                overdue=found[seq].opened_at <= overdue,
                cursor=self._keys.hide(seq, context=context),
            )
            for seq in page.items
        ]
        return Page(tuple(shown), page.has_next, page.has_previous)

    async def overdue(self) -> int:
        """How many wait for a review for more than a day: a bare count, for operators."""
        return await self._index.unreviewed_emergencies(until=int(self._clock.now()) - rules.REVIEW_SECONDS)

    # ---- the steps

    def _tokens_of(self, caller: Caller) -> list[bytes]:
        if rules.reviews_everybody(caller, self._bounds):
            return [self._openings.token_of_all()]
        return [self._openings.token_of_organization(one) for one in sorted(caller.organizations)]

    async def _decided(self, caller: Caller, emergency: EmergencyId) -> Emergency:
        """Audited, but for the patient. DeniedError, audited."""
        for _ in range(TRIES):
            caller = await self._identity.current(caller)
            row = await self._index.emergency(emergency)
            found = None if row is None else await self._openings.load(row)
            if found is not None and await self._owns(caller, found.opening.subject):
                return found
            may = found is not None and (
                found.opening.clinician == caller.actor.id or rules.may_review(caller, found.opening, self._bounds)
            )
            said = event(
                self._audit,
                caller,
                None if found is None else found.opening.subject,
                SHOW,
                Outcome.PERMITTED if may else Outcome.DENIED,
                at=self._clock.now(),
                emergency=b"" if found is None else found.id,
                reason="" if may else "neither its patient, nor its clinician, nor a reviewer",
            )
            entry = await self._audit.append(said, guards=guards_of(caller))
            if found is None or not may:
                raise DeniedError(said.reason, decision_id=said.decision)
            if isinstance(entry, Appended):
                return found
        raise UpstreamError("the caller's standing keeps changing; try again")

    async def _theirs(self, row: EmergencyRow, subject: SubjectId) -> EmergencyView:
        found = await self._openings.load(row)
        if found.opening.subject != subject:
            raise IntegrityError("an emergency lies among another patient's")
        return view(found, self._clock.now())

    async def _owns(self, caller: Caller, subject: SubjectId) -> bool:
        standing = await self._standings.current(subject)
        return standing is not None and policy.owns(requester(caller), standing.epochs)


def view(emergency: Emergency, now: float) -> EmergencyView:
    """As it is shown at a moment."""
    return EmergencyView(emergency=emergency, state=emergency.state(now))


def event(
    audit: Audit,
    caller: Caller,
    subject: SubjectId | None,
    action: str,
    outcome: Outcome,
    *,
    at: float,
    emergency: bytes = b"",
    reason: str = "",
) -> Event:
    """What the audit says of an emergency's own steps."""
    return Event(
        decision=audit.new_decision(),
        at=at,
        actor=caller.actor.id,
        outcome=outcome,
        action=action,
        purpose=Purpose.ETREAT.value,
        subject=subject,
        basis=Basis.EMERGENCY.value,
        emergency=emergency,
        reason=reason,
    )
