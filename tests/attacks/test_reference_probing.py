"""Who may read one record learns by its references nothing of others: what is there and not covered, what is absent,
and what is another patient's are refused in the same words, in the same shape and for the same work.

A reference's text is its author's to choose, so an author with leave to write can put any name there and look.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.asgi import create_app
from gateway.consent.model import Action, Purpose
from gateway.errors import ConsentryError, DeniedError, LimitError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, RecordId, SubjectId, to_global
from gateway.ports.index import NAMED
from gateway.records import references
from gateway.records.model import NewBundle, Reference, Released
from gateway.records.opening import Opening
from tests.attacks.inside import Inside, Somebody, inside
from tests.attacks.work import count_all, worked
from tests.journeys.resources import condition, observation

SETTINGS: dict[str, Any] = {"request_rate": 0.0, "validators": 1, "batch_seconds": 3600.0, "batch_size": 16_384}
OPEN, OTHER = "urn:uuid:11111111-1111-4111-8111-111111111111", "urn:uuid:22222222-2222-4222-8222-222222222222"
HIDDEN = ("Condition/hidden", "urn:uuid:33333333-3333-4333-8333-333333333333")
GONE = ("Condition/gone", "Condition/others", OTHER, "urn:uuid:44444444-4444-4444-8444-444444444444",
        "Condition?identifier=x|y", "https://elsewhere.example/fhir/Condition/hidden", "Patient/hidden", "hidden",
        "Condition/hidden/", "Condition/HIDDEN", "x" * 600)  # fmt: skip
MANY = 60
ASKED = """query($id: ID!) { record(id: $id) { ... on Record { resource { ... on FhirObservation { focus { reference
  resource { __typename ... on FhirEncounter { id } ... on FhirCondition { id } ... on Refusal { code message field } }
  record { __typename ... on Record { id } ... on Refusal { code message field } } } } } } } }"""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]


@dataclass(slots=True, kw_only=True)
class World:
    at: Inside
    client: httpx.AsyncClient
    patient: Somebody
    reader: Somebody
    subject: SubjectId
    record: RecordId
    """An observation that refers to all of these."""

    async def caller(self) -> Caller:
        found = await self.at.caller(self.reader)
        assert found is not None
        return found

    async def ask(self, query: str, who: Somebody | None = None, **given: Any) -> Any:
        named = {"authorization": f"Bearer {(who or self.reader).token}", "content-type": "application/json"}
        body = jsontext.dumps({"query": query, "variables": given})
        answer: Any = jsontext.loads((await self.client.post("/graphql", content=body, headers=named)).content)
        assert "errors" not in answer, answer
        return answer["data"]

    async def resolve(self, *names: str) -> Sequence[Released | ConsentryError]:
        wanted = [Reference(text=name, author=self.patient.actor) for name in names]
        caller = await self.caller()
        return await self.at.gateway.records.referenced(caller, self.subject, wanted, purpose=Purpose.TREAT)


def entry(resource: Any, url: str | None = None) -> Any:
    return {"resource": resource} if url is None else {"fullUrl": url, "resource": resource}


def encounter(id: str, **more: Any) -> Any:
    return {"resourceType": "Encounter", "id": id, "status": "finished", "class": {"code": "AMB"}, **more}


async def store(at: Inside, who: Somebody, subject: SubjectId, *entries: Any) -> list[RecordId]:
    caller = await at.caller(who)
    assert caller is not None
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": list(entries)}
    new = NewBundle(subject=subject, bundle=bundle, idempotency_key=None)
    return [one.record for one in await at.gateway.records.import_bundle(caller, new)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with inside(tmp_path_factory.mktemp("referred") / "data", **SETTINGS) as at:
        patient, stranger, reader = [await at.person(role) for role in (Role.PATIENT, Role.PATIENT, Role.CLINICIAN)]
        subject, others = await at.patient(patient), await at.patient(stranger)
        names = [OPEN, "Encounter/open", *HIDDEN, *GONE]
        referring = observation(focus=[{"reference": name} for name in names])
        *_, record = await store(
            at,
            patient,
            subject,
            entry(encounter("open"), OPEN),
            entry(condition(id="hidden"), HIDDEN[1]),
            *(entry(encounter(f"n{number}")) for number in range(MANY)),
            entry(referring),
        )
        await store(at, stranger, others, entry(condition(id="others"), OTHER))
        await at.consent(patient, subject, reader.actor, resource_types=("Observation", "Encounter"))
        app: Any = create_app(at.gateway)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield World(at=at, client=client, patient=patient, reader=reader, subject=subject, record=record)


async def focus(world: World, who: Somebody | None = None) -> dict[str, Any]:
    found = await world.ask(ASKED, who, id=to_global("Record", world.record))
    return {one.pop("reference"): one for one in found["record"]["resource"]["focus"]}


async def test_what_is_covered_is_shown_and_all_else_is_one_refusal(world: World) -> None:
    found = await focus(world)
    for name in (OPEN, "Encounter/open"):
        assert found[name]["resource"] == {"__typename": "FhirEncounter", "id": "open"}
        assert found[name]["record"]["__typename"] == "Record"
    refusal = {"__typename": "Refusal", "code": "NOT_PERMITTED", "message": "not permitted", "field": None}
    for name in (*HIDDEN, *GONE):
        assert found[name] == {"resource": refusal, "record": refusal}, name


async def test_the_patient_sees_their_own_and_of_others_nothing(world: World) -> None:
    found = await focus(world, world.patient)
    shown = {name for name, one in found.items() if one["record"]["__typename"] == "Record"}
    assert shown == {OPEN, "Encounter/open", *HIDDEN}


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("cold", [False, True])
async def test_forbidden_and_absent_cost_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, gone: str, cold: bool
) -> None:
    count_all(monkeypatch)
    told = []
    for _ in range(2):
        for name in (*HIDDEN, gone):
            if cold:
                world.at.forget()
                await world.caller()
            (answer,), work = await worked(partial(world.resolve, name))
            assert isinstance(answer, DeniedError)
            told.append((str(answer), answer.decision_id is not None, frozenset(work.items())))
    assert len(set(told[3:])) == 1, "one answer, for one work"


async def test_without_its_control_it_shows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return None

    count_all(monkeypatch)
    monkeypatch.setattr(Opening, "glance", nothing)
    told = set()
    for name in ("Condition/hidden", "Condition/gone"):
        await world.resolve(name)
        told.add(frozenset((await worked(partial(world.resolve, name)))[1].items()))
    assert len(told) == 2


async def test_each_reference_is_in_the_log_as_a_read_of_its_own(world: World) -> None:
    await world.resolve("Encounter/open", "Condition/hidden", "Condition/gone")
    log = """query($id: ID!) { patient(id: $id) { accessLog(first: 2) { edges { node {
      outcome recordId actor { id } } } } } }"""
    found = await world.ask(log, world.patient, id=to_global("Patient", world.subject))
    newest = [edge["node"] for edge in found["patient"]["accessLog"]["edges"]]
    assert {one["outcome"] for one in newest} == {"PERMITTED", "DENIED"}
    assert all(one["recordId"] and one["actor"]["id"] == to_global("Actor", world.reader.actor) for one in newest)


async def test_many_references_cost_as_many_statements_as_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    count_all(monkeypatch)
    counted = []
    for names in (["Encounter/n0"], [f"Encounter/n{number}" for number in range(MANY)]):
        found, work = await worked(partial(world.resolve, *names))
        assert all(isinstance(one, Released) for one in found)
        counted.append(sum(times for (kind, _), times in work.items() if kind == "sql"))
    print(f"statements for one reference, and for {MANY}: {counted}")
    assert counted[1] <= counted[0] + 1


async def test_after_a_revocation_no_reference_is_resolved(world: World) -> None:
    somebody = await world.at.person(Role.CLINICIAN)
    consent = await world.at.consent(world.patient, world.subject, somebody.actor)
    caller = await world.at.caller(somebody)
    assert caller is not None
    wanted = [Reference(text="Encounter/open", author=world.patient.actor)]
    resolve = partial(world.at.gateway.records.referenced, caller, world.subject, wanted, purpose=Purpose.TREAT)
    assert isinstance((await resolve())[0], Released)
    await world.at.revoke(world.patient, world.subject, consent)
    assert isinstance((await resolve())[0], DeniedError)


async def test_nobody_elses_record_takes_the_place_of_what_was_referred_to(world: World) -> None:
    intruder = await world.at.person(Role.CLINICIAN)
    await world.at.consent(world.patient, world.subject, intruder.actor, actions=(Action.READ, Action.WRITE))
    await store(world.at, intruder, world.subject, entry(encounter("open", status="cancelled"), OPEN))
    (own,) = await world.resolve("Encounter/open")
    assert isinstance(own, Released)
    assert own.author == world.patient.actor
    caller = await world.caller()
    theirs = [Reference(text="Encounter/open", author=intruder.actor)]
    found = await world.at.gateway.records.referenced(caller, world.subject, theirs, purpose=Purpose.TREAT)
    assert isinstance(found[0], Released)
    assert found[0].author == intruder.actor
    nobodys = [Reference(text="Encounter/open", author=ActorId(bytes(32)))]
    found = await world.at.gateway.records.referenced(caller, world.subject, nobodys, purpose=Purpose.TREAT)
    assert isinstance(found[0], Released)
    assert found[0].author == intruder.actor, "the latest"


async def test_many_records_of_one_name_hide_what_was_referred_to_and_never_replace_it(world: World) -> None:
    """By the end of a name the index finds so many; where others fill it the reference comes to nothing."""
    intruder = await world.at.person(Role.CLINICIAN)
    await world.at.consent(world.patient, world.subject, intruder.actor, actions=(Action.READ, Action.WRITE))
    await store(world.at, world.patient, world.subject, entry(encounter("crowd"), None))
    for status in ("cancelled", "planned") * (NAMED // 2):
        (found,) = await world.resolve("Encounter/crowd")
        assert isinstance(found, Released)
        assert found.author == world.patient.actor
        await store(world.at, intruder, world.subject, entry(encounter("crowd", status=status), None))
    (found,) = await world.resolve("Encounter/crowd")
    assert isinstance(found, DeniedError)


async def test_what_is_too_much_for_memory_is_not_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "OCTETS", 200)
    found = await world.resolve(*(f"Encounter/n{number}" for number in range(10)))
    assert [type(one) for one in found] == [Released] * 3 + [LimitError] * 7
