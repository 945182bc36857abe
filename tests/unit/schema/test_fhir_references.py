"""A reference comes to a record asked for with the caller, or to one refusal; a page's are asked for at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest

from gateway.consent.model import Purpose
from gateway.errors import IntegrityError
from gateway.ids import to_global
from gateway.records.model import RecordPage
from gateway.underway import releasing
from schema.context import MOST_FOLLOWED, MOST_REFERENCES
from schema.execution import Engine
from schema.root import GatewaySchema
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import CLINICIAN, PATIENT, RECORD, World, make_released

ENCOUNTER = b'{"resourceType":"Encounter","id":"e","class":{"code":"AMB"},"partOf":{"reference":"Encounter/e"}}'
ASKED = """query($id: ID!) { record(id: $id) { ... on Record { resource { ... on FhirObservation { encounter {
  reference display
  resource { __typename ... on FhirEncounter { class { code } } ... on Refusal { code message field } }
  record { __typename ... on Record { id receipt { decisionId } } ... on Refusal { code message field } } } } } } } }"""
PAGE = """query($p: ID!) { patient(id: $p) { records(first: 50) { edges { node { resource { ... on FhirObservation {
  encounter { resource { __typename ... on FhirEncounter { id } } record { __typename } }
  subject { resource { __typename } } } } } } } } }"""
REFUSED = {"__typename": "Refusal", "code": "NOT_PERMITTED", "message": "not permitted", "field": None}


def observation(reference: object, **more: Any) -> bytes:
    return orjson.dumps({"resourceType": "Observation", "encounter": {"reference": reference}, **more})


def holds(world: World, *contents: bytes) -> None:
    released = [replace(make_released(Purpose.TREAT), content=one) for one in contents]

    async def read(*_: object, **__: object) -> Any:
        return released[0]

    async def page(*_: object, **__: object) -> Any:
        places = tuple(str(at) for at in range(len(released)))
        return RecordPage(items=tuple(released), cursors=places, has_next=False, has_previous=False)

    cast(Any, world).read = read
    cast(Any, world).page = page


@pytest.fixture
def encounter(ask: Ask, world: World) -> Any:
    """Asks for the reference of an observation."""

    async def of(content: bytes, *, token: str = "clinician") -> Any:
        holds(world, content)
        payload = await ask(ASKED, token=token, id=to_global("Record", RECORD))
        assert "errors" not in payload
        return payload["data"]["record"]["resource"]["encounter"]

    return of


async def test_reference_comes_to_its_resource_and_its_record(world: World, encounter: Any) -> None:
    world.referred["Encounter/e"] = ENCOUNTER
    found = await encounter(observation("Encounter/e"))
    assert found["resource"] == {"__typename": "FhirEncounter", "class": {"code": "AMB"}}
    assert found["record"]["__typename"] == "Record"
    assert found["record"]["receipt"]["decisionId"]


async def test_it_was_asked_for_with_the_caller_and_the_purpose_of_the_read(world: World, encounter: Any) -> None:
    await encounter(observation("Encounter/e"))
    ((subject, references, purpose),) = world.received
    assert (subject, purpose) == (PATIENT, Purpose.TREAT)
    assert [(one.text, one.author) for one in references] == [("Encounter/e", CLINICIAN)]
    assert world.calls[-1] == ("referenced", await world.caller("clinician"))


@pytest.mark.parametrize(
    "reference", ["Encounter/other", "urn:uuid:0", "http://elsewhere/Encounter/e", "?", "x" * 5000]
)
async def test_what_is_not_shown_is_one_refusal(encounter: Any, reference: str) -> None:
    found = await encounter(observation(reference))
    assert found["resource"] == REFUSED
    assert found["record"] == REFUSED


@pytest.mark.parametrize("reference", [None, 7, ["Encounter/e"], {"a": 1}])
async def test_a_reference_without_text_is_null(world: World, encounter: Any, reference: object) -> None:
    found = await encounter(observation(reference))
    assert (found["resource"], found["record"]) == (None, None)
    assert world.received == []


async def test_a_reference_into_the_resource_is_looked_up_nowhere(world: World, encounter: Any) -> None:
    inside = {"resourceType": "Encounter", "id": "e", "class": {"code": "IMP"}}
    found = await encounter(observation("#e", contained=[inside]))
    assert found["resource"] == {"__typename": "FhirEncounter", "class": {"code": "IMP"}}
    assert found["record"] is None
    assert (await encounter(observation("#gone", contained=[inside])))["resource"] == REFUSED
    assert (await encounter(observation("#gone", contained="REDACTED")))["resource"] == REFUSED
    assert (await encounter(observation("#")))["resource"]["__typename"] == "FhirObservation"
    assert world.received == []


async def test_what_fails_says_so_without_saying_why(ask: Ask, world: World) -> None:
    holds(world, observation("Encounter/e"))
    world.fail = IntegrityError("the block of Encounter/e was changed")
    payload = await ask(ASKED, token="clinician", id=to_global("Record", RECORD))
    refused = payload["data"]["record"]["resource"]["encounter"]["resource"]
    assert refused["code"] == "INTEGRITY"
    assert "Encounter" not in refused["message"]


async def test_references_of_a_page_are_asked_for_at_once(ask: Ask, world: World) -> None:
    numbers = range(50)
    world.referred = {f"Encounter/{at}": ENCOUNTER for at in numbers}
    holds(world, *(observation(f"Encounter/{at}", subject={"reference": "Patient/p"}) for at in numbers))
    payload = await ask(PAGE, token="clinician", p=to_global("Patient", PATIENT))
    assert [name for name, _ in world.calls].count("referenced") == 1
    edges = payload["data"]["patient"]["records"]["edges"]
    assert {edge["node"]["resource"]["encounter"]["resource"]["__typename"] for edge in edges} == {"FhirEncounter"}
    assert len(world.received[-1][1]) == 51


async def test_a_request_resolves_so_many_references_and_no_more(ask: Ask, world: World) -> None:
    holds(world, *(observation(f"Encounter/{at}") for at in range(MOST_REFERENCES + 2)))
    payload = await ask(PAGE, token="clinician", p=to_global("Patient", PATIENT))
    assert sum(len(references) for _, references, _ in world.received) == MOST_REFERENCES
    assert payload["data"]["patient"]["records"]["edges"][-1]["node"]["resource"]["encounter"]["record"] == {
        "__typename": "Refusal"
    }


async def test_a_chain_of_references_ends_at_the_depth_of_documents(engine: Engine, world: World) -> None:
    inside = "id"
    for _ in range(8):
        inside = f"partOf {{ resource {{ ... on FhirEncounter {{ {inside} }} }} }}"
    holds(world, ENCOUNTER)
    inside = f"resource {{ ... on FhirEncounter {{ {inside} }} }}"
    answer = await engine.execute(
        f"query($id: ID!) {{ record(id: $id) {{ ... on Record {{ {inside} }} }} }}",
        variables={"id": to_global("Record", RECORD)},
        operation_name=None,
        caller=await world.caller("clinician"),
        token="clinician",
        correlation_id="c0ffee",
    )
    assert answer.payload["errors"][0]["extensions"]["code"] == "LIMIT"
    assert world.received == []


async def test_each_item_of_a_subscription_has_its_references_decided_afresh(engine: Engine, world: World) -> None:
    released = replace(make_released(Purpose.TREAT), content=observation("Encounter/e"))

    async def added(*_: object, **__: object) -> AsyncIterator[Any]:
        world.referred["Encounter/e"] = ENCOUNTER
        yield released
        world.referred.clear()
        yield released

    cast(Any, world).added = added
    query = """subscription($p: ID!) { recordAdded(patientId: $p) { resource { ... on FhirObservation {
      encounter { resource { __typename } } } } } }"""
    shown = [
        answer.payload["data"]["recordAdded"]["resource"]["encounter"]["resource"]["__typename"]
        async for answer in engine.stream(
            query,
            variables={"p": to_global("Patient", PATIENT)},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
    ]
    assert shown == ["FhirEncounter", "Refusal"]
    assert [name for name, _ in world.calls].count("referenced") == 2


async def test_an_item_of_a_subscription_that_is_held_up_ends_it_in_time(schema: GatewaySchema, world: World) -> None:
    released = replace(make_released(Purpose.TREAT), content=observation("Encounter/e"))

    async def added(*_: object, **__: object) -> AsyncIterator[Any]:
        yield released
        yield released

    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    cast(Any, world).added = added
    cast(Any, world).referenced = never
    query = """subscription($p: ID!) { recordAdded(patientId: $p) { resource { ... on FhirObservation {
      encounter { resource { __typename } } } } } }"""
    answers = [
        answer.payload
        async for answer in Engine(schema, world.services(), seconds=0.05).stream(
            query,
            variables={"p": to_global("Patient", PATIENT)},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
    ]
    assert [one["errors"][0]["extensions"]["code"] for one in answers] == ["UNAVAILABLE"]


async def test_each_item_of_a_subscription_has_an_allowance_of_its_own(schema: GatewaySchema, world: World) -> None:
    released = replace(make_released(Purpose.TREAT), content=observation("Encounter/e", note="x" * 600))

    async def added(*_: object, **__: object) -> AsyncIterator[Any]:
        for _ in range(5):
            releasing(len(released.content))
            yield released

    cast(Any, world).added = added
    answers = [
        answer.payload
        async for answer in Engine(schema, world.services(), most_octets=1_000).stream(
            "subscription($p: ID!) { recordAdded(patientId: $p) { id } }",
            variables={"p": to_global("Patient", PATIENT)},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
    ]
    assert len(answers) == 5
    assert not any("errors" in one for one in answers)


async def test_an_item_under_many_names_is_no_larger_than_an_answer_may_be(schema: GatewaySchema, world: World) -> None:
    released = replace(make_released(Purpose.TREAT), content=observation("Encounter/e", note="x" * 2**18))

    async def added(*_: object, **__: object) -> AsyncIterator[Any]:
        yield released

    cast(Any, world).added = added
    many = " ".join(f"a{at}: content" for at in range(5))
    answers = [
        answer.payload
        async for answer in Engine(schema, world.services(), most_octets=2**20).stream(
            f"subscription($p: ID!) {{ recordAdded(patientId: $p) {{ {many} }} }}",
            variables={"p": to_global("Patient", PATIENT)},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
    ]
    assert [one["errors"][0]["extensions"]["code"] for one in answers] == ["LIMIT"]


async def test_what_is_known_of_a_document_does_not_grow_with_its_use(engine: Engine, world: World) -> None:
    holds(world, *(observation(f"Encounter/{at}", subject={"reference": "Patient/p"}) for at in range(3)))

    async def ask() -> tuple[Any, int]:
        answer = await engine.execute(
            PAGE,
            variables={"p": to_global("Patient", PATIENT)},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
        selections = (await engine.documents.prepare(PAGE)).selections
        assert selections is not None
        return answer.payload, len(selections.plans) + len(selections.below)

    (first, _), second = await ask(), await ask()
    assert second[0] == first
    assert await ask() == second
    assert await ask() == second


@pytest.mark.parametrize("name", ["#", "Observation/o"])
async def test_what_refers_to_itself_in_a_list_comes_to_so_much_and_no_more(ask: Ask, world: World, name: str) -> None:
    """Each level would else multiply it by its length: three levels of forty are sixty thousand parts."""
    content = orjson.dumps(
        {"resourceType": "Observation", "id": "o", "performer": [{"reference": name}] * 40, "comment": "x" * 20_000}
    )
    world.referred[name] = content
    holds(world, content)
    inside = "__typename ... on FhirObservation { id } ... on Refusal { code }"
    for _ in range(2):
        inside = (
            f"__typename ... on FhirObservation {{ performer {{ resource {{ {inside} }} }} }} ... on Refusal {{ code }}"
        )
    asked = f"... on FhirObservation {{ performer {{ resource {{ {inside} }} }} }}"
    query = f"query($id: ID!) {{ record(id: $id) {{ ... on Record {{ resource {{ {asked} }} }} }} }}"
    payload = await ask(query, token="clinician", id=to_global("Record", RECORD))
    assert "errors" not in payload
    text = str(payload)
    assert text.count("'LIMIT'") > 0
    assert text.count("'FhirObservation'") < MOST_FOLLOWED / len(content) + 2
