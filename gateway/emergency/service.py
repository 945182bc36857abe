"""Break-glass: opened by a clinician, told to the patient, ended, and closed by a second person's review.

What opens an emergency is one transaction: its row, its call to the chain, and the entry in the patient's own log. A
dead chain hinders none of it. How many there may be is counted in the same transaction, so no race and no restart
gets round it. What was stated is sealed; each opening of a statement for a reviewer is in the patient's log.
"""

from collections.abc import AsyncIterator, Sequence

from gateway.audit.model import AccessEvent, Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.names import guards_of, requester, topic
from gateway.consent.standing import Standing, Standings
from gateway.emergency import rules
from gateway.emergency.model import (
    Bounds,
    Emergency,
    EmergencyView,
    Ending,
    NewEmergency,
    Opening,
    Stated,
    Summary,
    Verdict,
)
from gateway.emergency.openings import Openings
from gateway.emergency.showing import Showing, event, view
from gateway.errors import ConflictError, DeniedError, LimitError, UpstreamError
from gateway.identity.model import Caller, Subject
from gateway.identity.service import Identity
from gateway.ids import EmergencyId, SubjectId
from gateway.ports.bus import Bus
from gateway.ports.chain import Chain, EmergencyCalls
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents, Statement
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import Bump, CallRow, EmergencyRow, EmergencyStep, EmergencyStepRow, Guard, Row
from gateway.ports.sealing import SealingKeys
from gateway.slices import Page, Slice

TRIES = 8
OPEN, END, REVIEW = "EMERGENCY_OPEN", "EMERGENCY_END", "EMERGENCY_REVIEW"


class Emergencies:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        openings: Openings,
        showing: Showing,
        audit: Audit,
        index: Index,
        chain: Chain,
        calls: EmergencyCalls,
        documents: Documents,
        keys: SealingKeys,
        bus: Bus,
        clock: Clock,
        entropy: Entropy,
        bounds: Bounds,
    ) -> None:
        self._identity = identity
        self._standings = standings
        self._openings = openings
        self._showing = showing
        self._audit = audit
        self._index = index
        self._chain = chain
        self._calls = calls
        self._documents = documents
        self._keys = keys
        self._bus = bus
        self._clock = clock
        self._entropy = entropy
        self._bounds = bounds

    # ---- opening

    async def open(self, caller: Caller, asked: NewEmergency) -> EmergencyView:
        """Durable, and told to the patient, when it returns. CallerError, LimitError, DeniedError; the last for who is
        no clinician, for one's own records, and for a patient who does not exist, alike."""
        opening = rules.opening_of(asked, caller, now=self._clock.now(), bounds=self._bounds)
        stated: Stated | None = None
        digest = b""
        for _ in range(TRIES):
            standing = await self._standings.known(asked.subject)
            if standing is None or not rules.may_open(caller) or policy.owns(requester(caller), standing.epochs):
                known = None if standing is None else asked.subject
                raise await self._refused(caller, known, OPEN, "no emergency of this caller for this subject")
            # 1. How many there were, by names whose versions are read first: who opens another meanwhile moves them.
            counted = await self._counted(caller, opening, standing)
            # 2. Sealed and pinned before any row names it.
            if stated is None:
                stated = rules.state_opening(opening, self._entropy.bytes(32))
                digest = await self._put(asked.subject, stated)
            # 3. Commit point: before it nobody has an emergency and nobody was told; after it both.
            row, entry = await self._append_opening(caller, opening, stated, digest, standing, counted)
            if isinstance(entry, Appended):
                await self._bus.publish(topic(asked.subject), b"emergency:" + stated.commitment)
                self._chain.wake()
                return view(await self._openings.load(row), self._clock.now())
            caller = await self._gather_again(caller, entry)
        raise UpstreamError("too much is opened at once; try again")

    async def _counted(self, caller: Caller, opening: Opening, standing: Standing) -> list[Guard]:
        """The guards of the counts. LimitError, audited in the patient's log, where one is reached."""
        bounds = [(self._openings.token_of_clinician(opening.clinician), self._bounds.for_clinician, "you")]
        for organization in opening.organizations:
            token = self._openings.token_of_organization(organization)
            bounds.append((token, self._bounds.for_organization, "your organization"))
        names = [self._count_name(token) for token, _, _ in bounds]
        versions = await self._index.versions_of(names)
        since = int(self._clock.now()) - rules.WINDOW_SECONDS
        for token, most, who in bounds:
            if await self._index.count_emergencies(token, since=since) >= most:
                await self._note(caller, standing.subject.id, OPEN, Outcome.DENIED, reason=f"the bound of {who}")
                raise LimitError(f"{most} emergencies in 24 hours are the most for {who}")
        return [Guard(name=name, version=versions[name]) for name in names]

    def _count_name(self, token: bytes) -> bytes:
        """32 bytes that name a count among the guards."""
        return token + self._keys.mark(b"emergency/count", token)

    async def _append_opening(
        self,
        caller: Caller,
        opening: Opening,
        stated: Stated,
        digest: bytes,
        standing: Standing,
        counted: Sequence[Guard],
    ) -> tuple[EmergencyRow, Appended | Stale | Taken]:
        told = self._event(caller, opening.subject, OPEN, Outcome.PERMITTED, emergency=stated.commitment)
        call = self._calls.open_emergency(commitment=stated.commitment, expires_at=opening.expires_at)
        row = EmergencyRow(
            emergency=stated.commitment,
            digest=digest,
            decision=told.decision,
            call=call.call,
            opened_at=opening.opened_at,
            expires_at=opening.expires_at,
            tokens=self._openings.tokens(opening),
        )
        guards = (*guards_of(caller), Guard(name=opening.subject, version=standing.epochs.version), *counted)
        rows: tuple[Row, ...] = (row, call, *(Bump(name=guard.name) for guard in counted))
        return row, await self._audit.append(told, guards=guards, rows=rows)

    # ---- ending and review

    async def end(self, caller: Caller, emergency: EmergencyId) -> EmergencyView:
        """The clinician's own. In force when it returns; what has ended already is success."""
        for _ in range(TRIES):
            found = await self._found(caller, emergency, END)
            if found.opening.clinician != caller.actor.id:
                raise await self._refused(caller, found.opening.subject, END, "another clinician's", emergency)
            if found.ending is not None or found.review is not None:
                return view(found, self._clock.now())
            ending = Ending(emergency=emergency, by=caller.actor.id, at=int(self._clock.now()))
            stated = rules.state_ending(ending, self._entropy.bytes(32))
            caller = await self._take_step(caller, found, EmergencyStep.END, stated, END)
        raise UpstreamError("the emergency keeps changing; try again")

    async def review(self, caller: Caller, emergency: EmergencyId, *, verdict: Verdict, note: str) -> EmergencyView:
        """A second person's, once: closes it, here at once and on chain. ConflictError where it was reviewed before."""
        review = rules.review_of(emergency, caller, verdict=verdict, note=note, now=self._clock.now())
        stated = rules.state_review(review, self._entropy.bytes(32))
        for _ in range(TRIES):
            found = await self._found(caller, emergency, REVIEW)
            standing = await self._standings.known(found.opening.subject)
            own = standing is not None and policy.owns(requester(caller), standing.epochs)
            if own or not rules.may_review(caller, found.opening, self._bounds):
                raise await self._refused(caller, found.opening.subject, REVIEW, "no reviewer of this", emergency)
            if found.review is not None:
                if found.review == review:
                    return view(found, self._clock.now())
                raise ConflictError("reviewed already")
            call = self._calls.close_emergency(commitment=emergency, review=stated.commitment)
            caller = await self._take_step(caller, found, EmergencyStep.REVIEW, stated, REVIEW, call=call)
        raise UpstreamError("the emergency keeps changing; try again")

    async def _take_step(
        self,
        caller: Caller,
        found: Emergency,
        step: EmergencyStep,
        stated: Stated,
        action: str,
        *,
        call: CallRow | None = None,
    ) -> Caller:
        """One step, durable on return, or nothing was written; the next look says which."""
        subject, name = found.opening.subject, found.id
        digest = await self._put(subject, stated)
        row = EmergencyStepRow(emergency=name, step=step, digest=digest, call=b"" if call is None else call.call)
        # Commit point: before it the emergency is as it was; after it no decision under it can be acknowledged.
        rows: tuple[Row, ...] = (row, Bump(name=name)) if call is None else (row, Bump(name=name), call)
        told = self._event(caller, subject, action, Outcome.PERMITTED, emergency=name)
        entry = await self._audit.append(told, guards=guards_of(caller), rows=rows)
        if isinstance(entry, Appended):
            await self._bus.publish(topic(subject), b"emergency:" + name)
            self._chain.wake()
            return caller
        return await self._gather_again(caller, entry)

    async def _found(self, caller: Caller, emergency: EmergencyId, action: str) -> Emergency:
        row = await self._index.emergency(emergency)
        if row is None:
            raise await self._refused(caller, None, action, "no such emergency")
        return await self._openings.load(row)

    # ---- what is shown: `Showing` says to whom

    async def of_patient(self, caller: Caller, subject: SubjectId, *, part: Slice) -> Page[tuple[str, EmergencyView]]:
        return await self._showing.of_patient(caller, subject, part=part)

    async def get(self, caller: Caller, emergency: EmergencyId) -> EmergencyView:
        return await self._showing.get(caller, emergency)

    async def accesses(self, caller: Caller, emergency: EmergencyId) -> tuple[AccessEvent, ...]:
        return await self._showing.accesses(caller, emergency)

    def changes(self, caller: Caller, subject: SubjectId) -> AsyncIterator[EmergencyView]:
        return self._showing.changes(caller, subject)

    async def visible_patient(self, caller: Caller, subject: SubjectId) -> Subject | None:
        return await self._showing.visible_patient(caller, subject)

    async def report(self, caller: Caller, *, overdue_only: bool, part: Slice) -> Page[Summary]:
        return await self._showing.report(caller, overdue_only=overdue_only, part=part)

    async def overdue(self) -> int:
        return await self._showing.overdue()

    # ---- shared steps

    async def _put(self, subject: SubjectId, stated: Stated) -> bytes:
        return await self._documents.put_statement(subject, Statement(octets=stated.octets, salt=stated.salt))

    async def _gather_again(self, caller: Caller, entry: Stale | Taken) -> Caller:
        if isinstance(entry, Taken):
            return caller
        self._standings.forget(entry.name)
        if entry.name == caller.actor.id or entry.name in caller.organizations:
            return await self._identity.refreshed(caller)
        return caller

    def _event(
        self,
        caller: Caller,
        subject: SubjectId | None,
        action: str,
        outcome: Outcome,
        *,
        emergency: bytes = b"",
        reason: str = "",
    ) -> Event:
        return event(
            self._audit, caller, subject, action, outcome, at=self._clock.now(), emergency=emergency, reason=reason
        )

    async def _note(self, caller: Caller, subject: SubjectId, action: str, outcome: Outcome, *, reason: str) -> None:
        await self._audit.append(self._event(caller, subject, action, outcome, reason=reason))

    async def _refused(
        self, caller: Caller, subject: SubjectId | None, action: str, reason: str, emergency: bytes = b""
    ) -> DeniedError:
        """The refusal, audited; alike for what is not there and what is another's."""
        said = self._event(caller, subject, action, Outcome.DENIED, emergency=emergency, reason=reason)
        await self._audit.append(said)
        return DeniedError(reason, decision_id=said.decision)
