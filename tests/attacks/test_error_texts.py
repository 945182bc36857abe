"""Answers to thousands of mangled requests tell nothing of the program: no traceback, path, statement or canary."""

import copy
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.asgi import create_app
from gateway.identity.model import Role
from gateway.ids import to_global
from gateway.jsontext import Num
from tests.attacks import study_asked
from tests.attacks.inside import inside
from tests.campaigns.canaries import Canaries
from tests.journeys import documents
from tests.journeys.people import instant
from tests.journeys.resources import bundle, observation

SEED = 20_261_128
CASES = 1_500
TELLING = re.compile(
    rb"Traceback|File \\?\"|\.py\b|line \d+, in |site-packages|<class |object at 0x|sqlalchemy|sqlite3?\.|psycopg|"
    rb"strawberry|graphql\.|gateway\.|anchoring\.|schema\.[a-z]|jsonschema|pydantic|msgspec|uvloop|asyncio|"
    rb"(?i:\bselect\b .{0,80}\bfrom\b|\binsert into\b|\bupdate \w+ set\b|no such table|unique constraint)|"
    rb"KeyError|ValueError|TypeError|AttributeError|AssertionError|Exception\b|errno|/usr/|/home/|/root/|/tmp/",
)
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    Num("1" + "0" * 40),
    Num("1e308"),
    "",
    "\u0000",
    "\ud7ff",
    "é" * 400,
    "0x",
    "0x" + "f" * 64,
)
ODD += ("'; drop table records;--", [], {}, [[]], {"a": {"b": []}}, "2020-13-45", "../../etc/passwd", "{{7*7}}", "%s%n")


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    client: httpx.AsyncClient
    tokens: tuple[str, ...]
    asked: tuple[tuple[str, dict[str, Any]], ...]
    canaries: Canaries
    folder: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder, canaries = tmp_path_factory.mktemp("texts"), Canaries.new()
    async with inside(folder, request_rate=0.0, validators=1) as at:
        patient, reader = await at.person(Role.PATIENT), await at.person(Role.CLINICIAN)
        subject = await at.patient(patient)
        # What nobody but the patient may see: the reader is never named.
        record = await at.store(patient, subject, observation(note=[{"text": canaries.text("note")}]))
        app: Any = create_app(at.gateway)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield World(
                client=client,
                tokens=(reader.token, at.registrar.token, ""),
                asked=_asked(
                    to_global("Patient", subject), to_global("Record", record), to_global("Actor", reader.actor)
                ),
                canaries=canaries,
                folder=folder,
            )


def _asked(patient: str, record: str, actor: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Right requests, to be mangled."""
    terms = {
        "patientId": patient,
        "granteeId": actor,
        "purposes": ["TREAT"],
        "actions": ["READ"],
        "notAfter": instant(4e9),
    }
    signed = {"typedData": {"domain": {}, "message": {"subject": "0x" + "00" * 32}}, "signature": "0x" + "11" * 65}
    return (
        (documents.READ, {"id": record, "purpose": "TREAT"}),
        (documents.NODE, {"id": record}),
        (
            documents.RECORDS,
            {"id": patient, "purpose": "TREAT", "filter": {"code": "a|b"}, "first": 5, "after": "00" * 16},
        ),
        (documents.CONSENTS, {"id": patient, "first": 3}),
        (documents.ACCESS_LOG, {"id": patient, "first": 3}),
        (documents.CREATE, {"input": {"patientId": patient, "resource": observation(), "labels": ["HIV"]}}),
        (documents.AMEND, {"input": {"recordId": record, "expectedVersion": 1, "resource": observation()}}),
        (documents.IMPORT, {"input": {"patientId": patient, "bundle": bundle(observation())}}),
        (documents.DRAFT_CONSENT, {"input": terms}),
        (documents.GRANT, {"input": signed}),
        (documents.REVOKE, {"input": signed}),
        (documents.SIGN_IN, {"input": {"message": "x wants you to sign in", "signature": "0x" + "11" * 65}}),
        (documents.CHALLENGE, {"address": "0x" + "ab" * 20}),
        (documents.REGISTER, {"input": {"key": "0x" + "ab" * 20, "roles": ["CLINICIAN"], "name": "N"}}),
        (documents.SHOW_EMERGENCY, {"id": record}),
        (documents.EMERGENCY_REPORT, {"first": 2}),
        *_of_studies(patient, record, actor),
    )


def _of_studies(patient: str, record: str, actor: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    study = to_global("Study", b"\x07" * 32)
    named = {"studyId": study, "patientId": patient}
    about = {"study": study, "patient": patient}
    until = instant(4e9)
    forms = [{"recordId": record, "version": 1}]
    act = {"act": "site", "study": "07" * 32, "by": "01" * 32, "at": 1, "salt": "02" * 32, "site": "1", "name": "N"}
    form = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": [{"linkId": "a"}]}
    return (
        (study_asked.DRAFT, {"input": {"register": {"title": "T", "statisticianId": actor}}}),
        (
            study_asked.DRAFT,
            {"input": {"delegation": {"studyId": study, "actorId": actor, "role": "MONITOR", "until": until}}},
        ),
        (study_asked.DRAFT, {"input": {"signature": {**named, "meaning": "REVIEWED", "forms": forms}}}),
        (study_asked.SUBMIT, {"act": act, "signature": "0x" + "11" * 65}),
        (study_asked.CAPTURE, {"input": {**named, "forms": [form], "idempotencyKey": "k"}}),
        (
            study_asked.CHANGE,
            {"input": {**named, "recordId": record, "form": form, "expectedVersion": 1, "reason": "r"}},
        ),
        (study_asked.RAISE, {"input": {**named, "recordId": record, "item": "a", "text": "t"}}),
        (study_asked.ANSWER, {**about, "query": "0x" + "00" * 16, "text": "t"}),
        (study_asked.ASSIGN, {**about, "levels": {"sex": "F"}}),
        (study_asked.TELL, about),
        (study_asked.ONE, {"id": study, "patient": patient}),
        (study_asked.TRAIL, {"id": study, "first": 2, "after": "1"}),
        (study_asked.MINE, {"first": 2, "after": study}),
    )


def _mangled(chance: random.Random, query: str, given: dict[str, Any]) -> bytes:
    """A request with a value changed, a piece of the text moved, or an octet flipped."""
    variables = copy.deepcopy(given)
    kind = chance.randrange(5)
    if kind < 3:
        _change(chance, variables)
    elif kind == 3:
        at, length = chance.randrange(len(query)), chance.randint(1, 30)
        words = chance.choice(
            ["", "{", "}", "...", '"', " @skip(if: true) ", "__typename", query[at : at + length] * 3]
        )
        query = query[:at] + words + query[at + length :]
    body = bytearray(jsontext.dumps({"query": query, "variables": variables}))
    if kind == 4:
        for _ in range(chance.randint(1, 3)):
            body[chance.randrange(len(body))] = chance.randrange(256)
    return bytes(body)


def _change(chance: random.Random, value: Any) -> None:
    """One place in a tree gets an odd value, another name, or goes."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and chance.random() < 0.7:
            value = value[key]
            continue
        way = chance.randrange(4)
        if way == 0 and isinstance(value, dict):
            value[f"{key}é"] = value.pop(key)
        elif way == 1 and isinstance(value[key], str) and value[key]:
            at = chance.randrange(len(value[key]))
            value[key] = value[key][:at] + chr(chance.randrange(32, 0x2FF)) + value[key][at + 1 :]
        else:
            value[key] = chance.choice(ODD)
        return


async def test_no_answer_to_a_mangled_request_tells_of_the_program(world: World) -> None:
    chance = random.Random(SEED)
    telling, codes = [], set[int]()
    for number in range(CASES):
        query, given = chance.choice(world.asked)
        body, token = _mangled(chance, query, given), chance.choice(world.tokens)
        named = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        answer = await world.client.post("/graphql", content=body, headers=named)
        codes.add(answer.status_code)
        # What was asked may come back in a refusal of its own words; what is the program's may not.
        said = answer.content
        found = [match.group() for match in TELLING.finditer(said) if match.group() not in body]
        if (
            found
            or world.canaries.root.encode() in said
            or str(world.folder).encode() in said
            or answer.status_code >= 500
        ):
            telling.append((number, body[:200], answer.status_code, found, said[:300]))
    assert codes >= {200, 400}
    assert telling == []


@pytest.mark.parametrize(
    "text",
    [
        b'Traceback (most recent call last): File "/x/y.py", line 3, in run',
        b"(sqlite3.OperationalError) no such table: records",
        b"select record, version from records where",
        b"KeyError: 'subject'",
        b"<gateway.records.reading.Reading object at 0x7f00>",
        b"/tmp/data/index.db",
    ],
)
async def test_the_look_sees_what_it_must(text: bytes) -> None:
    assert TELLING.search(b'{"errors":[{"message":"' + text + b'"}]}')
