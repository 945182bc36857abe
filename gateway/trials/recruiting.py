"""Recruitment without exposure: criteria are matched where the patient's records are, for the patient alone.

True here: a match is made for the patient who asks, of what a decision lets them read of their own, and kept nowhere;
nobody else hears that it was made. A patient is named to a study by their own yes and by nothing else, and a later no
takes them off the list. How many patients a study might find is a noised number of those who consented to research,
with the budget and the bounds that every such number has.
Not done here: enrolment, which takes a signed consent (`service`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from gateway import jsontext
from gateway.consent.model import Purpose, StudyRole
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.deid.trees import Resource
from gateway.errors import CallerError, ConflictError, DeniedError, LimitError, UpstreamError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import StudyId, SubjectId
from gateway.jsontext import JsonValue
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import Index
from gateway.ports.rows import Guard
from gateway.ports.trials import StudyEntryKind
from gateway.records.model import RecordFilter, RecordOrder
from gateway.records.service import Records
from gateway.slices import Slice
from gateway.trials import acts
from gateway.trials.journal import MOST, Journal
from gateway.trials.keeping import TRIES, Held, Studies
from gateway.trials.recruitment.criteria import read_criteria
from gateway.trials.recruitment.matching import Match, screening
from gateway.trials.recruitment.model import About, Age, Coded, Criteria, Sex
from gateway.trials.standing import Study

PAGE: Final = 100
MOST_RECORDS: Final = 20_000
"""Of one patient, for one match."""
SEES: Final = frozenset({StudyRole.SPONSOR, StudyRole.INVESTIGATOR, StudyRole.COORDINATOR})


class Number(Protocol):
    """`value`: of a count; `counts`: of a histogram; `epsilon`: millionths that it cost, when it was told first."""

    @property
    def value(self) -> float | None: ...

    @property
    def counts(self) -> tuple[int, ...] | None: ...

    @property
    def epsilon(self) -> int: ...


class Told(Protocol):
    """`left`: of the budget that has least."""

    @property
    def answer(self) -> Number: ...

    @property
    def left(self) -> int: ...


class Numbers(Protocol):
    """Noised numbers of who consented to research (`gateway.releases.aggregates.Aggregates`)."""

    async def ask(self, caller: Caller, asked: JsonValue) -> Told: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A cohort that can be counted, and the criteria that it leaves out, as their texts."""

    cohort: dict[str, JsonValue]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whom a study looks for, as it tells everybody. `criteria`: as `recruitment.criteria` reads them."""

    study: Study
    summary: str
    criteria: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Willing:
    """A patient who said yes. `at`: seconds since 1970."""

    subject: SubjectId
    at: int


class Recruiting:
    """See the module."""

    def __init__(
        self,
        *,
        studies: Studies,
        journal: Journal,
        records: Records,
        identity: Identity,
        standings: Standings,
        numbers: Numbers,
        index: Index,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._studies = studies
        self._journal = journal
        self._records = records
        self._identity = identity
        self._standings = standings
        self._numbers = numbers
        self._index = index
        self._clock = clock
        self._entropy = entropy

    # ---- for patients

    async def sought(self, *, after: bytes, limit: int) -> tuple[tuple[Sought, ...], bytes | None]:
        """Studies that look for subjects, by name: they say so to everybody. And the name after which there may be
        more, None: none."""
        found: list[Sought] = []
        at = after
        while True:
            names = await self._index.studies(after=at, limit=MOST)
            for name in names:
                at = name
                held = await self._studies.held(name)
                if held is not None and held.study.recruits:
                    found.append(await self._said(held))
                    if len(found) == limit:
                        return tuple(found), at
            if len(names) < MOST:
                return tuple(found), None

    async def match(self, caller: Caller, study: StudyId, subject: SubjectId) -> Match:
        """Of the patient's own records, criterion by criterion. DeniedError for anybody else; each record that is read
        for it stands in their log as they read it themselves. LimitError."""
        held = await self._own(caller, study, subject, "STUDY_MATCH")
        criteria = await self._criteria(held)
        resources: list[Resource] = []
        part = Slice(size=PAGE)
        while True:
            page = await self._records.page(
                caller,
                subject,
                purpose=Purpose.PATRQT,
                filter=RecordFilter(),
                order=RecordOrder.ARRIVAL,
                part=part,
            )
            resources += [_plain(one.content) for one in page.items]
            if len(resources) > MOST_RECORDS:
                raise LimitError(f"more than {MOST_RECORDS} records cannot be matched at once", field=("patientId",))
            if not page.has_next:
                break
            part = Slice(size=PAGE, after=page.cursors[-1])
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        return await asyncio.to_thread(lambda: screening(criteria, today=today).match(resources))

    async def say(self, caller: Caller, study: StudyId, subject: SubjectId, *, yes: bool) -> bool:
        """The patient's own word to the study: named from now on, or no more. The same again is success."""
        for _ in range(TRIES):
            held = await self._own(caller, study, subject, "STUDY_INTEREST")
            if yes == (subject in {one.subject for one in await self._willing(held.study)}):
                return yes
            standing = await self._standings.of(subject)
            if standing is None:
                raise DeniedError("no such subject")
            act = acts.Interest(
                study=study.hex(),
                by=caller.actor.id.hex(),
                at=int(self._clock.now()),
                salt=self._entropy.bytes(32).hex(),
                subject=subject.hex(),
                yes=yes,
            )
            guards = (Guard(name=subject, version=standing.epochs.version),)
            done = (acts.Done(act=act),)
            if await self._studies.append(caller, held, done, sponsor=held.study.sponsor, guards=guards, moves=False):
                return yes
        raise UpstreamError("the study keeps changing; try again")

    # ---- for studies

    async def willing(self, caller: Caller, study: StudyId) -> tuple[Willing, ...]:
        """Who said yes and is not enrolled yet, in the order in which they did. COMMIT POINT: in the log of each before
        they are named."""
        for _ in range(TRIES):
            held = await self._studied(caller, study)
            found = [one for one in await self._willing(held.study) if one.subject not in held.study.subjects]
            if await self._studies.noted(caller, held, "STUDY_WILLING", (None, *(one.subject for one in found))):
                return tuple(found)
        raise UpstreamError("the study keeps changing; try again")

    async def count(
        self, caller: Caller, study: StudyId, *, data_use: Sequence[str], epsilon: float
    ) -> tuple[Told, tuple[str, ...]]:
        """A noised number of patients who consented to research and meet those criteria that can be counted; and the
        texts of those that cannot. As `Aggregates.ask`."""
        held = await self._studied(caller, study)
        question = cohort_of(await self._criteria(held))
        asked: dict[str, JsonValue] = {
            "purpose": Purpose.CLINTRCH.value,
            "dataUse": list(data_use),
            "cohort": question.cohort,
            "measure": {"kind": "count"},
            "epsilon": jsontext.Num(repr(epsilon)),
        }
        return await self._numbers.ask(caller, asked), question.left_out

    # ---- steps

    async def _own(self, caller: Caller, study: StudyId, subject: SubjectId, action: str) -> Held:
        """A study that recruits, for the patient themself; for the same work where there is no such patient."""
        owns = await self._standings.owns(requester(caller), subject)
        if not owns or caller.bearer is not None:
            raise await self._studies.refused(caller, action, "not the patient's own")
        held = await self._studies.held(study)
        if held is None or not held.study.recruits:
            raise ConflictError("no study that looks for subjects", field=("study",))
        return held

    async def _studied(self, caller: Caller, study: StudyId) -> Held:
        held = await self._studies.held(study)
        mine = (caller.actor.id, *caller.organizations)
        now = self._clock.now()
        if held is None or not held.study.roles_of(mine, site=None, now=now) & SEES:
            raise await self._studies.refused(caller, "STUDY_RECRUITMENT", "no role that recruits")
        return held

    async def _said(self, held: Held) -> Sought:
        recruits = held.study.recruits
        if not recruits:
            raise ConflictError("the study looks for nobody", field=("study",))
        (entry,) = await self._journal.read(held.study.study, after=recruits - 1, limit=1)
        act = acts.read_entry(entry.octets or b"").act
        assert isinstance(act, acts.Recruit)
        return Sought(study=held.study, summary=act.summary, criteria=act.criteria)

    async def _criteria(self, held: Held) -> Criteria:
        return read_criteria(dict((await self._said(held)).criteria))

    async def _willing(self, study: Study) -> tuple[Willing, ...]:
        """An erased patient is on no list."""
        found: dict[SubjectId, Willing] = {}
        after = -1
        kinds = (StudyEntryKind.RECRUITMENT,)
        while entries := await self._journal.read(study.study, after=after, limit=MOST, kinds=kinds):
            after = entries[-1].number
            for entry in entries:
                act = None if entry.octets is None else acts.read_entry(entry.octets).act
                if isinstance(act, acts.Interest):
                    subject = SubjectId(bytes.fromhex(act.subject))
                    found.pop(subject, None)
                    if act.yes:
                        found[subject] = Willing(subject=subject, at=act.at)
        return tuple(found.values())


def cohort_of(criteria: Criteria) -> Question:
    """What of the criteria a cohort can say: ages, sexes, and one list of conditions and of other codes that a patient
    has; a cohort knows no exclusion."""
    cohort: dict[str, JsonValue] = {}
    left: list[str] = []
    for one in criteria.inclusion:
        match one.condition:
            case Age(least=least, most=most) if "age" not in cohort:
                ends = {"from": least, "to": most}
                cohort["age"] = {name: value for name, value in ends.items() if value is not None}
            case Sex(sexes=sexes) if "sex" not in cohort:
                cohort["sex"] = list(sexes)
            case Coded(wanted=True, about=about, codes=codes, within_days=None) if _member(about) not in cohort:
                cohort[_member(about)] = [f"{code.system}|{code.code}" for code in codes]
            case _:
                left.append(one.text)
    return Question(cohort=cohort, left_out=(*left, *(one.text for one in criteria.exclusion)))


def _member(about: About) -> str:
    return "conditions" if about is About.CONDITIONS else "codes"


def _plain(content: bytes) -> Resource:
    tree: Any = jsontext.loads(content)
    if not isinstance(tree, dict):
        raise CallerError("a record is no resource")
    resource: Resource = tree
    return resource
