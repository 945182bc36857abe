"""A gateway inside this process whose blocks, index and keys are tampered with, and what it may then still release.

True here: after each change nothing is kept in memory, and each probe must give the very content that was stored, or an
error by name. Whatever the changes did to the gateway is undone by starting it again on the folder as it was made.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.errors import ConsentryError
from gateway.identity.model import Role
from gateway.ids import RecordId, SubjectId
from gateway.records.model import Amendment, Released
from tests.attacks.inside import Inside, Somebody, inside, settled
from tests.journeys.resources import observation

RECORDS, OTHERS = 10, 2
SETTINGS: Mapping[str, Any] = {"batch_seconds": 0.3, "chain_silence_seconds": 60.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """`reader` may read the first patient's, `other_reader` the other's; a stranger nothing."""

    patient: Somebody
    other: Somebody
    reader: Somebody
    other_reader: Somebody
    stranger: Somebody


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`content`: a text that the present version of each record alone holds; `former`: of its first version."""

    people: People
    subject: SubjectId
    other: SubjectId
    records: tuple[RecordId, ...]
    others: tuple[RecordId, ...]
    content: Mapping[RecordId, bytes]
    former: Mapping[RecordId, bytes]


@dataclass(slots=True, kw_only=True)
class Found:
    """What probes gave that they must not, each with the change before it; and how often they gave what."""

    wrong: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)
    unaudited: list[str] = field(default_factory=list)
    right: int = 0
    refused: int = 0
    codes: dict[str, int] = field(default_factory=dict)


class Bench:
    """`at` is the gateway as it runs now; `restart` gives the folder back as it was made."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._settings = {**SETTINGS, **settings}
        self.folder = folder / "data"
        self._kept = folder / "kept"
        self._stack = AsyncExitStack()
        self._at: Inside | None = None
        self.made: Made
        self.restarts = 0

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path, **settings: Any) -> "AsyncIterator[Bench]":
        bench = cls(folder, settings)
        bench.folder.mkdir(mode=0o700, parents=True)
        try:
            await bench._open()
            bench.made = await make(bench.at)
            names = (list(bench.at.actors), list(bench.at.subjects))
            await bench._stack.aclose()
            await asyncio.to_thread(shutil.copytree, bench.folder, bench._kept)
            await bench._open(*names)
            yield bench
        finally:
            await bench._stack.aclose()

    @property
    def at(self) -> Inside:
        assert self._at is not None
        return self._at

    async def restart(self) -> None:
        self.restarts += 1
        names = (list(self.at.actors), list(self.at.subjects))
        await self._stack.aclose()
        shutil.rmtree(self.folder)
        await asyncio.to_thread(shutil.copytree, self._kept, self.folder)
        await self._open(*names)

    async def _open(self, actors: list[Any] | None = None, subjects: list[Any] | None = None) -> None:
        self._at = await self._stack.enter_async_context(inside(self.folder, **self._settings))
        self._at.actors.extend(actors or ())
        self._at.subjects.extend(subjects or ())

    def forget(self) -> None:
        """Nothing is kept, as after a start."""
        self.at.forget()
        for subject in self.at.subjects:
            self.at.gateway._standings.forget_terms(subject)
            self.at.gateway.records._reading._opening.forget(subject)

    def sql(self, file: str) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / file, timeout=20, isolation_level=None)

    async def is_well(self) -> bool:
        """Whether the honest reader reads, waiting out what is just being indexed."""
        self.forget()
        for _ in range(20):
            found = await settled(lambda: self.at.read(self.made.people.reader, self.made.records[0]))
            if isinstance(found, Released):
                return True
            await asyncio.sleep(0.1)
        return False

    def entries(self) -> int:
        """How many audit entries are durable."""
        connection = self.sql("index.db")
        try:
            return int(connection.execute("select count(*) from entries").fetchone()[0])
        finally:
            connection.close()

    async def probe(self, said: str, found: Found) -> None:
        """Reads and pages of everybody; what each gave is judged."""
        people, made = self.made.people, self.made
        for who, record, may in (
            (people.reader, made.records[0], True),
            (people.reader, made.others[0], False),
            (people.other_reader, made.others[0], True),
            (people.stranger, made.records[0], False),
        ):
            await self.read(who, record, said, found, may=may)
        for person, subject in ((people.reader, made.subject), (people.stranger, made.subject)):
            answer = await _caught(self.at.page(person, subject))
            if isinstance(answer, tuple):
                allowed = set(made.records) if person is people.reader else set()
                bad = [
                    one for one in answer if one.record not in allowed or made.content[one.record] not in one.content
                ]
                found.wrong += [f"{said}: page gave {one.record.hex()}" for one in bad]
                found.right += not bad
            else:
                self._count(answer, said, found)

    async def read(self, who: Somebody, record: RecordId, said: str, found: Found, *, may: bool = True) -> bool:
        """One read; True where the record was released, rightly or not."""
        answer = await _caught(self.at.read(who, record))
        if not isinstance(answer, Released):
            self._count(answer, said, found)
            return False
        if may and answer.record == record and self.made.content[record] in answer.content:
            found.right += 1
        else:
            found.wrong.append(f"{said}: {answer.record.hex()} v{answer.version} {answer.content[:60]!r}")
        return True

    @staticmethod
    def _count(answer: object, said: str, found: Found) -> None:
        found.refused += 1
        if answer is None:
            code = "no session"
        elif isinstance(answer, ConsentryError):
            code = answer.code
        else:
            code = type(answer).__name__
            found.untyped.append(f"{said}: {answer!r}")
        found.codes[code] = found.codes.get(code, 0) + 1


async def _caught(work: Any) -> Any:
    """What the work gives or raises."""
    (answer,) = await asyncio.gather(work, return_exceptions=True)
    return answer


async def make(at: Inside) -> Made:
    """Two patients: ten records, each amended once, and two of another's."""
    roles = (Role.PATIENT, Role.PATIENT, Role.CLINICIAN, Role.CLINICIAN, Role.CLINICIAN)
    patient, other, reader, other_reader, stranger = [await at.person(role) for role in roles]
    subject, other_subject = await at.patient(patient), await at.patient(other)
    former, content = dict[RecordId, bytes](), dict[RecordId, bytes]()
    records, others = list[RecordId](), list[RecordId]()
    for who, whose, count, into in ((patient, subject, RECORDS, records), (other, other_subject, OTHERS, others)):
        for number in range(count):
            texts = [f"mark-{who.actor.hex()[:6]}-{number}-v{version}-" for version in (1, 2)]
            first, second = [observation(identifier=[{"value": text}]) for text in texts]
            record = await at.store(who, whose, first)
            caller = await at.caller(who)
            assert caller is not None
            amendment = Amendment(record=record, expected_version=1, resource=second, labels=None, idempotency_key=None)
            await at.gateway.records.amend(caller, amendment)
            into.append(record)
            former[record], content[record] = texts[0].encode(), texts[1].encode()
    await at.consent(patient, subject, reader.actor)
    await at.consent(other, other_subject, other_reader.actor)
    people = People(patient=patient, other=other, reader=reader, other_reader=other_reader, stranger=stranger)
    return Made(
        people=people,
        subject=subject,
        other=other_subject,
        records=tuple(records),
        others=tuple(others),
        content=content,
        former=former,
    )
