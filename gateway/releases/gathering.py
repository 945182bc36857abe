"""Who is in a release: for each patient the one decision, record by record; the rows of whom it permits; an entry in
their log. The corridor of a read, for a whole cohort.

True here: every record is opened by a Permit of its own, for the declared use (GA4GH DUO) and on a consent; what is not
permitted costs the patient's other records nothing. A patient's entry is durable, on the same guards as the permits,
before any of their rows is kept: a revocation that has returned is never outrun. Facts decide who is in the cohort by
what records are about; what a Patient resource tells is judged where it is opened.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.model import AccessRequest, Action, Deny, Grant, Permit, Purpose
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.crypto.releases import ReleaseKeys
from gateway.emergency.grounds import Ground, Grounds
from gateway.errors import IntegrityError, StaleError
from gateway.identity.model import Caller
from gateway.ids import RecordId, ReleaseId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale
from gateway.ports.rows import Guard, RecordRow
from gateway.ports.workers import Workers
from gateway.records.opening import Found, Opening
from gateway.releases import working
from gateway.releases.cohort import Cohort
from gateway.releases.segments import Member, Segment
from gateway.releases.working import GatheredPerson, MadePerson, OpenableRecord, Task

ACTION: Final = "RELEASE"
TRIES: Final = 8
SCAN: Final = 128
"""Rows of records looked at in one go."""
BREATH: Final = 16
"""Records after which all else has its turn."""
TASK_OCTETS: Final = 4 << 20
"""Sealed content past which a task takes nobody more."""


class Question(Protocol):
    """What is asked of patients' records: a data set, or a number. `text`: its RFC 8785 form."""

    @property
    def purpose(self) -> Purpose: ...

    @property
    def data_use(self) -> frozenset[str]: ...

    @property
    def cohort(self) -> Cohort: ...

    @property
    def text(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaking:
    """What records are gathered for. `action` and `release`: what the patients' entries say, the latter empty where it
    is no release; `keys`: of the release, None where rows are made of no pseudonyms; `today`: whose ages are judged
    by."""

    action: str = ACTION
    release: ReleaseId
    request: Question
    keys: ReleaseKeys | None = field(repr=False)
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """A patient whom decisions let in. `guards`: what the entry is conditional on; `octets`: of sealed content."""

    member: Member
    person: GatheredPerson = field(repr=False)
    guards: tuple[Guard, ...]
    consents: tuple[bytes, ...]
    octets: int


@dataclass(slots=True, kw_only=True)
class Gathered:
    """Of some patients in a row. `broken`: records that did not verify, and stayed out."""

    members: list[Member] = field(default_factory=list)
    rows: list[tuple[list[list[object]], ...]] = field(default_factory=list)
    consents: list[tuple[bytes, ...]] = field(default_factory=list)
    unfit: int = 0
    broken: int = 0

    @property
    def segment(self) -> Segment:
        return Segment(tuple(self.members), tuple(self.rows), self.unfit, self.broken)


class Gathering:
    """See the module."""

    def __init__(
        self,
        *,
        standings: Standings,
        grounds: Grounds,
        audit: Audit,
        index: Index,
        opening: Opening,
        workers: Workers,
        clock: Clock,
    ) -> None:
        self._standings = standings
        self._grounds = grounds
        self._audit = audit
        self._index = index
        self._opening = opening
        self._workers = workers
        self._clock = clock

    async def gather(self, caller: Caller, undertaking: Undertaking, subjects: Sequence[SubjectId]) -> Gathered:
        """Those of the subjects who are in, with their rows; each has its entry. Raises StaleError where the chain is
        not current, UpstreamError."""
        gathered = Gathered()
        waiting = list(subjects)
        for _ in range(TRIES):
            under_way: list[asyncio.Task[list[tuple[Permitted, MadePerson]]]] = []
            try:
                async for part in self._tasks(caller, undertaking, waiting, gathered):
                    under_way.append(asyncio.create_task(self._made(undertaking, part)))
                    while len(pending := [one for one in under_way if not one.done()]) >= self._workers.size:
                        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                made = [one for task in under_way for one in await task]
            finally:
                for task in under_way:
                    task.cancel()
            waiting = await self._noted(caller, undertaking, made, gathered)
            if not waiting:
                return gathered
        return gathered  # whose consents keep changing is not in this release

    async def still_in(self, caller: Caller, undertaking: Undertaking, member: Member) -> Member | None:
        """The member as they stand now; None for one of whom something that was let out would not be today."""
        found = await self._permitted(caller, undertaking, SubjectId(member.subject), upto=member.last_seq)
        if found is None or found.member.records < member.records:
            return None
        return found.member

    async def consented(
        self, caller: Caller, undertaking: Undertaking, subjects: Sequence[SubjectId]
    ) -> list[tuple[SubjectId, tuple[bytes, ...]]]:
        """Those of the subjects whom decisions let in, and by which consents; nothing is opened, and nobody told."""
        found = [await self._permitted(caller, undertaking, subject, opens=False) for subject in subjects]
        return [(SubjectId(one.member.subject), one.consents) for one in found if one is not None]

    # ---- the steps

    async def _tasks(
        self, caller: Caller, undertaking: Undertaking, subjects: Iterable[SubjectId], gathered: Gathered
    ) -> AsyncIterator[list[Permitted]]:
        part: list[Permitted] = []
        octets = 0
        for subject in subjects:
            found = await self._permitted(caller, undertaking, subject, gathered=gathered)
            if found is not None:
                part.append(found)
                octets += found.octets
            if octets >= TASK_OCTETS:
                yield part
                part, octets = [], 0
        if part:
            yield part

    async def _permitted(
        self,
        caller: Caller,
        undertaking: Undertaking,
        subject: SubjectId,
        *,
        upto: int | None = None,
        opens: bool = True,
        gathered: Gathered | None = None,
    ) -> Permitted | None:
        """What decisions permit of one patient now; None for nothing, and for who is not in the cohort. With `upto`
        records are counted, up to that place, whatever the cohort, and none is opened."""
        request = undertaking.request
        ground = await self._grounds.of(caller, subject, request.purpose)
        if ground.standing is None or not ground.concerns(requester(caller)):
            return None
        ground.require_current()
        if await self._opening.subject_key(subject) is None:
            return None
        seen: list[tuple[RecordRow, Found, Permit]] = []
        records: list[OpenableRecord] = []
        async for row, found in self._found(subject, gathered):
            if upto is not None and row.seq > upto:
                break
            permit = self._decided(caller, request, ground, row, found)
            if permit is None:
                continue
            seen.append((row, found, permit))
            if upto is None and opens:
                records.append(self._openable(permit, found, row))
        if not seen or not (
            upto is not None or request.cohort.admits_records(one.known.decision_facts for _, one, _ in seen)
        ):
            return None
        consents = frozenset(consent for _, _, permit in seen for consent in permit.consents)
        grants = (one for one in ground.standing.grants if type(one) is Grant and one.consent in consents)
        return Permitted(
            member=Member(
                subject,
                ground.standing.epochs.version,
                seen[-1][0].seq if upto is None else upto,
                len(seen),
                min(one.ends for one in grants),
            ),
            person=GatheredPerson(subject, tuple(records)),
            guards=ground.guards,
            consents=tuple(sorted(consents)),
            octets=sum(len(one.unlocked.sealed) for one in records),
        )

    async def _found(self, subject: SubjectId, gathered: Gathered | None) -> AsyncIterator[tuple[RecordRow, Found]]:
        """The patient's records as they stand, verified. What does not verify stays out, and is counted."""
        after, number = 0, 0
        while rows := await self._index.page(subject, after=after, limit=SCAN):
            for row in rows:
                after, number = row.seq, number + 1
                if number % BREATH == 0:
                    await asyncio.sleep(0)
                try:
                    found = await self._opening.find(row)
                except IntegrityError:
                    if gathered is not None:
                        gathered.broken += 1
                    continue
                yield row, found

    def _decided(
        self, caller: Caller, request: Question, ground: Ground, row: RecordRow, found: Found
    ) -> Permit | None:
        standing = ground.standing
        assert standing is not None
        asked = AccessRequest(
            requester=requester(caller),
            subject=SubjectId(row.subject),
            record=RecordId(row.record),
            action=Action.READ,
            purpose=request.purpose,
            data_use=request.data_use,
        )
        facts, now = found.known.decision_facts, self._clock.now()
        decided = policy.decide(asked, facts, standing.grants, standing.epochs, ground.as_of, now, None)
        return None if isinstance(decided, Deny) else decided

    def _openable(self, permit: Permit, found: Found, row: RecordRow) -> OpenableRecord:
        facts = found.known.facts
        return OpenableRecord(
            row.record,
            facts.resource_type,
            facts.names,
            facts.subject_references,
            permit.obligations,
            self._opening.unlocked(permit, found, now=self._clock.now()),
        )

    async def _made(self, undertaking: Undertaking, part: Sequence[Permitted]) -> list[tuple[Permitted, MadePerson]]:
        keys = undertaking.keys
        task = Task(
            undertaking.request.text,
            b"" if keys is None else keys.pseudonyms,
            b"" if keys is None else keys.shifts,
            undertaking.today.toordinal(),
            tuple(one.person for one in part),
        )
        made = working.read(await self._workers.run(working.written(task)))
        if [one.subject for one in made] != [one.member.subject for one in part]:
            raise IntegrityError("a worker answered for others than were asked for")
        return list(zip(part, made, strict=True))

    async def _noted(
        self,
        caller: Caller,
        undertaking: Undertaking,
        made: Sequence[tuple[Permitted, MadePerson]],
        gathered: Gathered,
    ) -> list[SubjectId]:
        """COMMIT POINT of each patient: their entry is durable, conditional on the guards of their permits; only then
        are their rows kept. Those whose guards moved are to be looked at again."""
        within = [(permitted, one) for permitted, one in made if one.rows is not None]
        events = [(self._event(caller, undertaking, permitted), permitted.guards, None) for permitted, _ in within]
        again: list[SubjectId] = []
        for (permitted, one), entry in zip(within, await self._audit.append_each(events), strict=True):
            if isinstance(entry, Appended) and one.rows is not None:
                gathered.members.append(permitted.member)
                gathered.rows.append(one.rows)
                gathered.consents.append(permitted.consents)
                gathered.unfit += one.unfit
            else:
                if isinstance(entry, Stale):
                    self._standings.forget(entry.name)
                    if entry.name != permitted.member.subject:
                        raise StaleError("who asks for the data is no longer who they were")
                again.append(SubjectId(permitted.member.subject))
        return again

    def _event(self, caller: Caller, undertaking: Undertaking, permitted: Permitted) -> Event:
        return Event(
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            actor=caller.actor.id,
            outcome=Outcome.PERMITTED,
            action=undertaking.action,
            purpose=undertaking.request.purpose.value,
            subject=permitted.member.subject,
            record=undertaking.release or b"",
            consents=permitted.consents,
            basis="consent",
        )
