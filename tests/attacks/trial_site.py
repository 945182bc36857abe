"""A study with two sites inside a gateway: who is what in it, what it says of itself, and what becomes of its records.

What a study's own service says stands here as a test wants it to be said, guards and all. A standing is kept until it
is said that its guard moved, so whoever forgets to say so is found out.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway import jsontext
from gateway.consent.model import Action, Purpose, StudyRole, StudyStanding, StudyState
from gateway.errors import ConsentryError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, ConsentId, RecordId, StudyId, SubjectId
from gateway.ports.documents import SealedPaper
from gateway.ports.index import Index
from gateway.ports.rows import Bump, Row
from gateway.ports.trials import StudyEntryKind
from gateway.records.model import Amendment, NewBundle, NewRecord, Released, StoredRecord, StoredVersion
from gateway.trials.journal import NewEntry
from tests.attacks.inside import Inside, Somebody, inside, sign_in
from tests.attacks.studies import journal_of

STUDY, OTHER_STUDY = StudyId(b"\x5d" * 32), StudyId(b"\x5e" * 32)
NOW_TERMS, OLD_TERMS, LEAVING_TERMS = b"\xa1" * 32, b"\xa2" * 32, b"\xa3" * 32
"""Versions of the informed consent: the one that stands, one of before, and one of before that lets nothing stay."""
ROLES = {
    "sponsor": Role.ORGANIZATION,
    "investigator": Role.CLINICIAN,
    "coordinator": Role.CLINICIAN,
    "elsewhere": Role.CLINICIAN,
    "monitor": Role.CLINICIAN,
    "statistician": Role.RESEARCHER,
    "inspector": Role.AUDITOR,
    "doctor": Role.CLINICIAN,
}
HERE, THERE = "here", "there"
NOBODY = ActorId(bytes(32))
PEOPLE = {
    "sponsor": (StudyRole.SPONSOR, (HERE, THERE)),
    "investigator": (StudyRole.INVESTIGATOR, (HERE,)),
    "coordinator": (StudyRole.COORDINATOR, (HERE,)),
    "elsewhere": (StudyRole.INVESTIGATOR, (THERE,)),
    "monitor": (StudyRole.MONITOR, (HERE, THERE)),
    "statistician": (StudyRole.STATISTICIAN, (HERE, THERE)),
    "inspector": (StudyRole.INSPECTOR, (HERE, THERE)),
}
"""What each is, and at which sites; the doctor is nobody in the study."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What one study says of itself."""

    state: StudyState = StudyState.OPEN
    terms: bytes = NOW_TERMS
    sites: dict[SubjectId, str] = field(default_factory=dict)
    withdrawn: set[SubjectId] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Registry:
    """`gateway.consent.studies.Studies`."""

    sponsor: ActorId = NOBODY
    people: dict[ActorId, tuple[StudyRole, tuple[str, ...]]] = field(default_factory=dict)
    told: dict[StudyId, Told] = field(default_factory=lambda: {STUDY: Told(), OTHER_STUDY: Told()})
    index: Index | None = None
    kept: dict[tuple[StudyId, ActorId, SubjectId], StudyStanding | None] = field(default_factory=dict)

    async def of(self, caller: Caller, study: StudyId, subject: SubjectId) -> StudyStanding | None:
        name = (study, caller.actor.id, subject)
        if name not in self.kept:
            assert self.index is not None
            version = (await self.index.versions_of((study,)))[study]
            self.kept[name] = self._standing(caller.actor.id, study, subject, version)
        return self.kept[name]

    def forget(self, study: bytes) -> None:
        for name in [name for name in self.kept if name[0] == study]:
            del self.kept[name]

    def _standing(self, actor: ActorId, study: StudyId, subject: SubjectId, version: int) -> StudyStanding | None:
        told, found = self.told.get(study), self.people.get(actor)
        if told is None or found is None or told.sites.get(subject) not in found[1]:
            return None
        return StudyStanding(
            study=study,
            sponsor=self.sponsor,
            roles=frozenset({found[0]}),
            state=told.state,
            collects=subject not in told.withdrawn,
            terms=told.terms,
            all_terms=frozenset({NOW_TERMS, OLD_TERMS, LEAVING_TERMS}),
            kept=frozenset({NOW_TERMS, OLD_TERMS}),
            version=version,
        )


@dataclass(slots=True, kw_only=True)
class Entered:
    """`gateway.records.model.Appendix`: an entry of the study's journal about the subject, that names what was written.
    `first`: what happens between a decision and its acknowledgement, once."""

    trial: "Trial"
    subject: SubjectId
    study: StudyId = STUDY
    first: Callable[[], Awaitable[object]] | None = None
    asked: int = 0
    done_with: int = 0
    sealed: Sequence[SealedPaper] = ()

    async def rows(self, stored: Sequence[StoredVersion]) -> Sequence[Row]:
        self.asked += 1
        journal = journal_of(self.trial.world)
        head = await journal.head(self.study)
        if self.first is not None:
            happening, self.first = self.first, None
            await happening()
        said = {"records": [one.row.record.hex() for one in stored], "salt": f"{self.asked:032x}"}
        new = NewEntry(kind=StudyEntryKind.CAPTURE, octets=jsontext.canonical(said), subject=self.subject)
        rows, self.sealed, _ = await journal.rows(self.study, self.trial.people["sponsor"].actor, head, [new])
        return rows

    async def done(self) -> None:
        self.done_with += 1
        await journal_of(self.trial.world).pin(self.sealed)


@dataclass(slots=True, kw_only=True)
class Trial:
    """The study, its people, and its patients."""

    world: Inside
    registry: Registry
    people: dict[str, Somebody]

    async def caller(self, who: Somebody | str) -> Caller:
        found = await self.world.caller(self.people[who] if isinstance(who, str) else who)
        assert found is not None
        return found

    async def enrolled(self, *, site: str = HERE, study: StudyId = STUDY, **terms: Any) -> tuple[Somebody, SubjectId]:
        """A patient who agreed to the version that stands, or to `terms`."""
        who = await self.world.person(Role.PATIENT)
        subject = await self.world.patient(who)
        await self.moved(study, lambda told: told.sites.__setitem__(subject, site))
        await self.agreed(who, subject, study=study, **terms)
        return who, subject

    async def agreed(self, who: Somebody, subject: SubjectId, **terms: Any) -> ConsentId:
        plain: dict[str, Any] = {
            "actions": tuple(Action),
            "purposes": (Purpose.CLINTRCH,),
            "terms_hash": NOW_TERMS,
            "study": STUDY,
        }
        return await self.world.consent(who, subject, self.people["sponsor"].actor, **{**plain, **terms})

    async def moved(self, study: StudyId, change: Callable[[Told], object], *, hint: bool = True) -> None:
        """The study's journal goes on: what it says is another thing from now on, and its guard says that it moved.
        `hint` False: nobody else does, as on another replica."""
        change(self.registry.told[study])
        assert self.registry.index is not None
        await self.registry.index.apply((Bump(name=study),))
        if hint:
            self.registry.forget(study)

    async def in_state(self, state: StudyState, study: StudyId = STUDY, *, hint: bool = True) -> None:
        await self.moved(study, lambda told: setattr(told, "state", state), hint=hint)

    async def capture(
        self, who: Somebody | str, subject: SubjectId, resource: object, **more: Any
    ) -> StoredRecord | ConsentryError:
        plain: dict[str, Any] = {"labels": None, "idempotency_key": None, "study": STUDY}
        new = NewRecord(subject=subject, resource=resource, **{**plain, **more})
        return await _said(self.world.gateway.records.create(await self.caller(who), new))

    async def bundle(
        self, who: Somebody | str, subject: SubjectId, bundle: object, **more: Any
    ) -> tuple[StoredRecord, ...] | ConsentryError:
        new = NewBundle(subject=subject, bundle=bundle, **{"idempotency_key": None, "study": STUDY, **more})
        return await _said(self.world.gateway.records.import_bundle(await self.caller(who), new))

    async def amend(
        self, who: Somebody | str, record: RecordId, resource: object, **more: Any
    ) -> StoredRecord | ConsentryError:
        plain: dict[str, Any] = {
            "expected_version": 1,
            "labels": None,
            "idempotency_key": None,
            "study": STUDY,
            "reason": "read off wrongly",
        }
        amendment = Amendment(record=record, resource=resource, **{**plain, **more})
        return await _said(self.world.gateway.records.amend(await self.caller(who), amendment))

    async def read(
        self,
        who: Somebody | str,
        record: RecordId,
        *,
        study: StudyId | None = STUDY,
        purpose: Purpose = Purpose.CLINTRCH,
    ) -> Released | ConsentryError:
        reading = self.world.gateway.records.read(await self.caller(who), record, purpose=purpose, study=study)
        return await _said(reading)


async def _said(work: Awaitable[Any]) -> Any:
    """What comes of it, or why nothing does."""
    try:
        return await work
    except ConsentryError as error:
        return error


@asynccontextmanager
async def trial_site(folder: Path, before: Trial | None = None, **settings: Any) -> AsyncIterator[Trial]:
    """A gateway with a study and its people; those of `before`, where this one comes after it."""
    registry = Registry() if before is None else replace(before.registry, kept={})
    async with inside(folder, studies=registry, **settings) as world:
        registry.index = world.gateway.releases._papers._index
        if before is None:
            people = {name: await world.person(role) for name, role in ROLES.items()}
        else:
            people = {name: await sign_in(world.gateway, one.wallet) for name, one in before.people.items()}
        registry.sponsor = people["sponsor"].actor
        registry.people = {people[name].actor: said for name, said in PEOPLE.items()}
        yield Trial(world=world, registry=registry, people=people)
