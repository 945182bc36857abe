"""Who is in a release: for each patient the one decision, record by record; the rows of whom it permits; an entry in
their log. The corridor of a read, for a whole cohort.

True here: every record is opened by a Permit of its own, for the declared use (GA4GH DUO) and on a consent; what is not
permitted costs the patient's other records nothing. Where a study is asked in, who asks must have a part in it that
reaches the patient, and none but its records are in. A patient's entry is durable, on the same guards as the permits,
before any of their rows is kept: a revocation that has returned is never outrun. Facts decide who is in the cohort by
what records are about; what a Patient resource tells is judged where it is opened.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from gateway.audit.model import Outcome
from gateway.audit.service import Audit, Event
from gateway.consent import policy
from gateway.consent.data_use import covers
from gateway.consent.model import (
    AccessRequest,
    Action,
    DecisionFacts,
    Deny,
    Effect,
    Grant,
    Permit,
    Purpose,
    Requester,
    SealedDeny,
)
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.crypto.releases import ReleaseKeys
from gateway.emergency.grounds import Ground, Grounds
from gateway.errors import BlockMissingError, ConsentryError, IntegrityError, StaleError
from gateway.identity.model import Caller
from gateway.ids import ConsentId, RecordId, ReleaseId, StudyId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.index import LAST_SEQ, Index
from gateway.ports.ledger import Appended, Stale
from gateway.ports.rows import Guard, RecordRow
from gateway.ports.workers import Workers
from gateway.records.opening import Found, Opening, Walk
from gateway.releases import working
from gateway.releases.cohort import Cohort
from gateway.releases.segments import Member, Person, Segment, token_of
from gateway.releases.working import GatheredPerson, MadePerson, OpenableRecord, Task

ACTION: Final = "RELEASE"
TRIES: Final = 8
SCAN: Final = 256
"""Rows of records looked at in one go."""
BREATH: Final = 48
"""Records after which all else has its turn."""
TASK_OCTETS: Final = 2 << 20
"""Sealed content past which a task takes nobody more."""


class Question(Protocol):
    """What is asked of patients' records: a data set, or a number. `study`: the one that is asked in, if any; `text`:
    its RFC 8785 form."""

    @property
    def purpose(self) -> Purpose: ...

    @property
    def data_use(self) -> frozenset[str]: ...

    @property
    def cohort(self) -> Cohort: ...

    @property
    def study(self) -> StudyId | None: ...

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
    tokens: bytes
    octets: int


@dataclass(slots=True, kw_only=True)
class Gathered:
    """Of some patients in a row. `broken`: records that did not verify, and stayed out."""

    members: list[Member] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    organizations: tuple[bytes, ...] = ()
    unfit: int = 0
    broken: int = 0

    @property
    def segment(self) -> Segment:
        return Segment(
            members=tuple(self.members),
            people=tuple(self.people),
            organizations=self.organizations,
            unfit=self.unfit,
            broken=self.broken,
        )


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
        gathered = Gathered(organizations=tuple(sorted(caller.organizations)))
        waiting = list(subjects)
        for _ in range(TRIES):
            await self._opening.load_keys(waiting)  # before what they open
            await self._standings.prepare(waiting)
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
                await asyncio.gather(*under_way, return_exceptions=True)
            waiting = await self._noted(caller, undertaking, made, gathered)
            if not waiting:
                return gathered
        return gathered  # whose consents keep changing is not in this release

    @contextlib.asynccontextmanager
    async def begun(self, undertaking: Undertaking) -> AsyncIterator[None]:
        """Has every worker started meanwhile, and the request read, by a task of nobody: else the first patients wait
        for it."""
        beginning = asyncio.create_task(self._begin(_task(undertaking, ())), name="start workers")
        try:
            yield
        finally:
            beginning.cancel()

    async def now(self, caller: Caller, undertaking: Undertaking, member: Member) -> tuple[Member, bytes] | None:
        """The member as they stand now, with the tokens of what is permitted of what was there; None for nothing."""
        found = await self._permitted(caller, undertaking, SubjectId(member.subject), upto=member.last_seq)
        return None if found is None else (found.member, found.tokens)

    async def consents_of(self, caller: Caller, undertaking: Undertaking, subject: SubjectId) -> tuple[bytes, ...]:
        """By which consents of a patient the caller is let in for this use, and which of their denies stand, by their
        terms alone: no record is looked at, so the answer tells nothing of any."""
        request, asking = undertaking.request, requester(caller)
        ground = await self._grounds.of(caller, subject, request.purpose)
        if ground.standing is None:
            return ()
        ground.require_current()
        standing, block_time = ground.standing, ground.as_of.block_time
        return tuple(
            sorted(
                grant.consent
                for grant in standing.grants
                if type(grant) is not Grant
                or (grant.terms.effect is Effect.DENY and not grant.revoked)
                or (
                    policy.lets_in(grant, asking, standing.epochs, block_time=block_time, now=ground.now)
                    and Action.READ in grant.terms.scope.actions
                    and request.purpose in grant.terms.scope.purposes
                    and covers(grant.terms.scope.data_use, request.data_use)
                )
            )
        )

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
        gathered: Gathered | None = None,
    ) -> Permitted | None:
        """What decisions permit of one patient now; None for nothing, and for who is not in the cohort. With `upto`
        records are looked at up to that place, whatever the cohort, and none is opened. What a permit hides a part of
        chooses nobody: what is hidden answers no question."""
        request, asking = undertaking.request, requester(caller)
        try:
            ground = await self._grounds.of(caller, subject, request.purpose, request.study)
        except IntegrityError:
            if gathered is None:
                raise
            gathered.broken += 1  # one patient whose events are not what was written hinders nobody else
            return None
        if ground.standing is None or not ground.concerns(asking):
            return None
        try:
            ground.require_current()
        except StaleError:
            if gathered is None:
                raise
            gathered.broken += 1  # nor one whose events do not add up
            return None
        if not await self._has_keys(subject, request.study):
            return None
        # No block is held on to: of a patient with thousands of records that is twice what the worker is given.
        whole: list[DecisionFacts] = []
        tokens: list[bytes] = []
        standing_on: set[ConsentId] = set()
        last = 0
        records: list[OpenableRecord] = []
        async for some in self._found(subject, gathered, before=LAST_SEQ if upto is None else upto + 1):
            decided = [(row, found, self._decided(asking, request, ground, row, found)) for row, found in some]
            permitted = [(row, found, permit) for row, found, permit in decided if permit is not None]
            for row, found, permit in permitted:
                last = row.seq
                standing_on.update(permit.consents)
                tokens.append(token_of(row.record, permit.obligations))
                if not permit.obligations:
                    whole.append(found.known.decision_facts)
            if upto is None:
                records += [self._openable(permit, found, row) for row, found, permit in permitted]
        if not tokens or not (upto is not None or request.cohort.admits_records(whole)):
            return None
        consents, joined = frozenset(standing_on), b"".join(sorted(tokens))
        return Permitted(
            member=Member(
                subject,
                ground.standing.epochs.version,
                last if upto is None else upto,
                hashlib.sha256(joined).digest(),
                _until(ground, consents),
            ),
            person=GatheredPerson(subject, tuple(records)),
            guards=ground.guards,
            consents=tuple(sorted(consents)),
            tokens=joined,
            octets=sum(len(one.unlocked.sealed) for one in records),
        )

    async def _has_keys(self, subject: SubjectId, study: StudyId | None) -> bool:
        """False for who was erased, or took their data along when they left the study."""
        if await self._opening.subject_key(subject) is None:
            return False
        return study is None or await self._opening.study_key(subject, study) is not None

    async def _found(
        self, subject: SubjectId, gathered: Gathered | None, *, before: int
    ) -> AsyncIterator[list[tuple[RecordRow, Found]]]:
        """The patient's records as they stand, verified, some at a time: a processor does what it has just done before
        in less time. What does not verify stays out, and is counted; what was destroyed with a study's key is not
        there."""
        after, walk = 0, self._opening.walk()
        while rows := await self._index.page(subject, after=after, limit=SCAN, before=before):
            after = rows[-1].seq
            for start in range(0, len(rows), BREATH):
                some = rows[start : start + BREATH]
                yield [(row, found) for row in some if (found := await self._one(row, walk, gathered)) is not None]
                await asyncio.sleep(0)

    async def _one(self, row: RecordRow, walk: Walk, gathered: Gathered | None) -> Found | None:
        try:
            return await self._opening.find(row, walk=walk)
        except (IntegrityError, BlockMissingError):
            if await self._is_gone(row):
                return None
            if gathered is None:
                raise
            gathered.broken += 1
            return None

    async def _is_gone(self, row: RecordRow) -> bool:
        """Whether it was destroyed, with a study that its subject left."""
        try:
            return await self._opening.is_gone(row)
        except (IntegrityError, BlockMissingError):
            return False

    def _decided(
        self, asking: Requester, request: Question, ground: Ground, row: RecordRow, found: Found
    ) -> Permit | None:
        standing = ground.standing
        assert standing is not None
        asked = AccessRequest(
            requester=asking,
            subject=SubjectId(row.subject),
            record=RecordId(row.record),
            action=Action.READ,
            purpose=request.purpose,
            data_use=request.data_use,
            study=ground.study,
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

    async def _begin(self, task: bytes) -> None:
        with contextlib.suppress(ConsentryError):  # what hinders it hinders patients' tasks, too, and is told there
            await asyncio.gather(*(self._workers.run(task) for _ in range(self._workers.size)))

    async def _made(self, undertaking: Undertaking, part: Sequence[Permitted]) -> list[tuple[Permitted, MadePerson]]:
        made = working.read(await self._workers.run(_task(undertaking, tuple(one.person for one in part))))
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
                gathered.people.append(Person(permitted.tokens, one.rows))
                gathered.unfit += one.unfit
            else:
                if isinstance(entry, Stale):
                    self._grounds.forget(entry.name)
                    if entry.name not in (permitted.member.subject, undertaking.request.study):
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


def _task(undertaking: Undertaking, people: tuple[GatheredPerson, ...]) -> bytes:
    keys = undertaking.keys
    return working.written(
        Task(
            undertaking.request.text,
            b"" if keys is None else keys.pseudonyms,
            b"" if keys is None else keys.shifts,
            undertaking.today.toordinal(),
            people,
        )
    )


def _until(ground: Ground, consents: frozenset[ConsentId]) -> int:
    """When this may be otherwise though nobody does anything: a consent ends, a deny begins, or a part in the study
    ends."""
    standing = ground.standing
    assert standing is not None
    later = max(ground.now, ground.as_of.block_time)
    ends = [one.ends for one in standing.grants if type(one) is Grant and one.consent in consents]
    for one in standing.grants:
        if isinstance(one, SealedDeny):
            begins = one.not_before
        elif one.terms.effect is Effect.DENY and not one.revoked:
            begins = one.terms.not_before
        else:
            continue
        if begins > later:
            ends.append(begins)
    return min(ends if ground.study is None else (*ends, ground.study.until))
