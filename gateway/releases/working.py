"""The heavy part of a build: one patient's permitted records, opened, de-identified and put into rows. Pure.

True here: a worker is given the permitted records' own data keys and nothing that opens another record; what it answers
is not yet released. Both ways go as msgpack octets, so that a worker may be another process or another machine. Where a
study is asked in, what its forms hold in rows of SDTM is taken as the resources that the rows are
(`gateway.deid.sdtm`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from typing import Any, Final

import msgspec

from gateway import jsontext
from gateway.crypto.unlocked import Unlocked, open_unlocked
from gateway.deid import sdtm
from gateway.deid.profile import shipped
from gateway.deid.pseudonyms import pseudonym
from gateway.deid.resources import Deidentifier, Person, make_person
from gateway.deid.tables import PERSON
from gateway.deid.trees import Resource
from gateway.deid.views import Unfit
from gateway.deid.views.selects import Row
from gateway.errors import IntegrityError
from gateway.records.naming import key_of
from gateway.records.redaction import redact
from gateway.releases.aggregate import AggregateRequest, Count, parse_aggregate, value_of
from gateway.releases.request import DatasetRequest, parse_request

MOST_COMPILED: Final = 8
VALUES: Final = "safe-harbor"
"""The profile by which values are told that go into a number."""
FORM: Final = "QuestionnaireResponse"
"""What a form of a study is captured as."""


class OpenableRecord(msgspec.Struct, frozen=True, array_like=True):
    """`names`: by which other records refer to it; `subjects`: by which it names its patient; `hidden`: JSON pointers
    that the permit leaves out."""

    record: bytes
    resource_type: str
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    hidden: tuple[str, ...]
    unlocked: Unlocked


class GatheredPerson(msgspec.Struct, frozen=True, array_like=True):
    """A patient with what a decision permitted of theirs."""

    subject: bytes
    records: tuple[OpenableRecord, ...]


class Task(msgspec.Struct, frozen=True, array_like=True):
    """`request`: RFC 8785 text, of a data set where there are `pseudonyms` and `shifts`, keys of the release, and of a
    number where there are none; `today`: whose ages are judged by, a
    proleptic ordinal."""

    request: bytes
    pseudonyms: bytes
    shifts: bytes
    today: int
    people: tuple[GatheredPerson, ...]

    def __repr__(self) -> str:
        return "Task()"


class MadePerson(msgspec.Struct, frozen=True, array_like=True):
    """`rows`: of each table, None for who is not in the cohort. `unfit`: resources that fit no view that is about
    them."""

    subject: bytes
    rows: tuple[list[tuple[Any, ...]], ...] | None
    unfit: int


_encode = msgspec.msgpack.Encoder().encode
_task = msgspec.msgpack.Decoder(Task).decode
_made = msgspec.msgpack.Decoder(tuple[MadePerson, ...]).decode


def written(task: Task) -> bytes:
    return _encode(task)


def read(octets: bytes) -> tuple[MadePerson, ...]:
    """What `work` answered. Raises IntegrityError for what no worker answers."""
    try:
        return _made(octets)
    except msgspec.DecodeError as error:
        raise IntegrityError("a worker's answer is not of its form") from error


def work(octets: bytes) -> bytes:
    """A task's rows: person by person, in their order. IntegrityError for content that does not open."""
    task = _task(octets)
    if not task.pseudonyms:
        return _encode(tuple(_valued(task, one) for one in task.people))
    request, deidentifier = _compiled(task.request)
    made = _Made(task, request, deidentifier)
    return _encode(tuple(made.person(one) for one in task.people))


@lru_cache(maxsize=MOST_COMPILED)
def _compiled(text: bytes) -> tuple[DatasetRequest, Deidentifier]:
    request = parse_request(jsontext.loads(text))
    return request, Deidentifier(request.profile)


@lru_cache(maxsize=MOST_COMPILED)
def _compiled_aggregate(text: bytes) -> AggregateRequest:
    return parse_aggregate(jsontext.loads(text))


def _valued(task: Task, gathered: GatheredPerson) -> MadePerson:
    """One cell: the person's value."""
    request = _compiled_aggregate(task.request)
    opened = [(one, _content(one)) for one in gathered.records]
    patient = next((content for one, content in opened if one.resource_type == PERSON), None)
    today = date.fromordinal(task.today)
    if not request.cohort.admits_patient(patient, today=today):
        return MadePerson(gathered.subject, None, 0)
    if isinstance(request.measure, Count):
        return MadePerson(gathered.subject, ([(1,)],), 0)
    # As it would leave in a table: so a view reads the same of it, and names are of nobody.
    person = make_person(
        shipped(VALUES), patient, {}, subject=gathered.subject, key=bytes(32), shift_key=bytes(32), today=today
    )
    rows: list[Row] = []
    unfit = 0
    for one, content in opened:
        kept = _values_of().apply(content, person, id=one.record.hex())
        found = [] if kept is None else request.measure.view.rows(kept)
        unfit += isinstance(found, Unfit)
        rows += [] if isinstance(found, Unfit) else found
    return MadePerson(gathered.subject, ([(value_of(request.measure, rows),)],), unfit)


@cache
def _values_of() -> Deidentifier:
    return Deidentifier(shipped(VALUES))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A resource that a record is, or that a row in it is. `name`: of what, apart from all others of the patient."""

    type: str
    name: bytes
    content: Resource = field(repr=False)


class _Made:
    """One task's road."""

    def __init__(self, task: Task, request: DatasetRequest, deidentifier: Deidentifier) -> None:
        self._task = task
        self._request = request
        self._deidentifier = deidentifier
        self._today = date.fromordinal(task.today)

    def person(self, gathered: GatheredPerson) -> MadePerson:
        told = [one for record in gathered.records for one in self._told(record)]
        patient = next((one.content for one in told if one.type == PERSON), None)
        if not self._request.cohort.admits_patient(patient, today=self._today):
            return MadePerson(gathered.subject, None, 0)
        person = make_person(
            self._request.profile,
            patient,
            self._targets(gathered),
            subject=gathered.subject,
            key=self._task.pseudonyms,
            shift_key=self._task.shifts,
            today=self._today,
        )
        left: list[list[Row]] = [[] for _ in self._request.tables]
        unfit = sum(self._add(left, person, one, patient) for one in told)
        return MadePerson(gathered.subject, tuple(left), unfit)

    def _told(self, one: OpenableRecord) -> Iterator[_Told]:
        content = _content(one)
        if self._request.study is None or one.resource_type != FORM:
            yield _Told(type=one.resource_type, name=one.record, content=content)
            return
        for number, made in sdtm.resources_of(content):
            yield _Told(type=str(made["resourceType"]), name=one.record + number.to_bytes(4, "big"), content=made)

    def _add(self, left: list[list[Row]], person: Person, one: _Told, patient: Mapping[str, Any] | None) -> bool:
        """Whether some view is about it and it does not fit."""
        if one.type == PERSON and one.content is not patient:
            return False  # of two descriptions of a patient the first counts
        kept = self._deidentifier.apply(one.content, person, id=self._name(one.type, one.name, person.subject))
        fits = True
        for table, rows in zip(self._request.tables, left, strict=True):
            found = [] if kept is None else table.view.rows(kept)
            if isinstance(found, Unfit):
                fits = False
            else:
                rows += found
        return not fits

    def _targets(self, gathered: GatheredPerson) -> dict[str, str]:
        """What references among the patient's records say -> `Type/pseudonym`; the patient is one, record or not."""
        own = pseudonym(self._task.pseudonyms, PERSON, gathered.subject)
        targets = {name: f"{PERSON}/{own}" for one in gathered.records for name in one.subjects}
        targets[sdtm.SUBJECT] = f"{PERSON}/{own}"
        for one in gathered.records:
            told = f"{one.resource_type}/{self._name(one.resource_type, one.record, own)}"
            for name in one.names:
                targets.setdefault(name, told)
                targets.setdefault(f"{one.resource_type}/{key_of(name)}", told)
        return targets

    def _name(self, kind: str, name: bytes, own: str) -> str:
        return own if kind == PERSON else pseudonym(self._task.pseudonyms, "record", name)


def _content(one: OpenableRecord) -> Resource:
    content: Any = jsontext.loads(open_unlocked(one.unlocked))
    left: Any = redact(content, one.hidden) if one.hidden else content
    if not isinstance(left, dict):
        raise IntegrityError("a record is no resource")
    resource: Resource = left
    return resource
