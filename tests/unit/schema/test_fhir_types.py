"""Every resource of a shown type reads back through its fields as the JSON that it is."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, execute, parse, validate_schema
from strawberry.execution import optimized_is_awaitable

from gateway.consent.model import Purpose
from gateway.ids import to_global
from schema.context import RequestContext
from schema.execution import Engine
from schema.fhir.types import Outline, read_outline, type_name
from schema.plain import executor_for
from schema.root import GatewaySchema
from tests.unit.schema import fhir_samples as samples
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import RECORD, World, make_released

ROOT = Path(__file__).parents[3]
EACH = 1 if os.environ.get("CONSENTRY_EVERY_RESOURCE") else 29
"""Of some files of the shared data every so many-th resource is read; all of all where the environment asks."""
LISTED = frozenset(
    {
        *("Patient", "Practitioner", "Organization", "Encounter", "Condition", "Observation", "MedicationRequest"),
        *("MedicationStatement", "Immunization", "AllergyIntolerance", "Procedure", "DiagnosticReport"),
        *("DocumentReference", "ImagingStudy", "CarePlan", "Claim", "ExplanationOfBenefit", "Coverage", "Consent"),
        "Device",
    }
)

Read = Callable[..., Any]


@pytest.fixture(scope="module")
def outline() -> Outline:
    return read_outline()


@pytest.fixture
def read(schema: GatewaySchema, world: World) -> Read:
    """Runs a document on a record that holds given octets; gives what would be sent, and the errors."""
    quick = executor_for(schema._schema)
    held: dict[str, bytes] = {}

    async def give(*_: object, **__: object) -> Any:
        return replace(make_released(Purpose.TREAT), content=held["content"])

    cast(Any, world).read = give

    async def run(query: str, content: bytes, *, executor: Any = quick) -> Any:
        held["content"] = content
        context = RequestContext(
            services=world.services(), caller=await world.caller("clinician"), token="", correlation_id="c0ffee"
        )
        started = execute(
            schema._schema,
            parse(query),
            context_value=context,
            variable_values={"id": to_global("Record", RECORD)},
            executor_class=executor,
            is_awaitable=cast(Any, optimized_is_awaitable),
            operation_extensions=None,
        )
        done: Any = await started
        assert done.errors is None, done.errors
        return samples.parsed(done.data)["record"]["resource"]

    return run


async def compare(read: Read, outline: Outline, resources: Iterable[dict[str, Any]]) -> Counter[str]:
    """How many of which type came back whole."""
    whole: Counter[str] = Counter()
    for resource in resources:
        answer = await read(samples.document(outline, resource), samples.octets(resource))
        assert samples.text(samples.as_written(answer, resource)) == samples.text(resource)
        whole[resource["resourceType"]] += 1
    return whole


def test_the_table_is_made_from_the_definitions() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "gateway.adapters.fhir_schema.outline"], capture_output=True, check=True, cwd=ROOT
    )
    assert made.stdout == (ROOT / "schema" / "fhir" / "types.json").read_bytes()


def test_every_type_that_was_asked_for_is_shown(outline: Outline) -> None:
    assert outline.resources >= LISTED


def test_schema_with_fhir_is_valid(schema: GatewaySchema) -> None:
    anew = GraphQLSchema(**{**schema._schema.to_kwargs(), "assume_valid": False})
    assert validate_schema(anew) == []


def test_every_element_is_a_field_that_may_be_null(schema: GatewaySchema, outline: Outline) -> None:
    for name, (_, elements) in outline.types.items():
        type_ = cast(GraphQLObjectType, schema._schema.type_map[type_name(name)])
        assert set(elements) <= set(type_.fields)
        for key, kind in elements.items():
            shown = type_.fields[key].type
            assert isinstance(shown, GraphQLNonNull) == (key == "resourceType")
            assert isinstance(shown, GraphQLList) == kind.startswith("[")


async def test_resources_of_the_demo_read_back_whole(read: Read, outline: Outline) -> None:
    shown = [one for one in samples.checked_in() if one["resourceType"] in outline.resources]
    whole = await compare(read, outline, shown)
    assert len(whole) >= 10


@pytest.mark.timeout(3600)
async def test_resources_of_the_shared_data_read_back_whole(read: Read, outline: Outline, shared_data: Path) -> None:
    whole: Counter[str] = Counter()
    left = 0
    for path in samples.shared_files(shared_data, each=1 if EACH == 1 else 20):
        for resource in samples.in_file(path):
            left += 1
            rare = whole[resource["resourceType"]] < 5
            if resource["resourceType"] in outline.resources and (rare or left % EACH == 0):
                whole += await compare(read, outline, [resource])
    print(f"{sum(whole.values())} resources read back whole: {dict(whole)}")
    assert set(whole) >= LISTED


async def test_long_way_and_short_way_answer_alike(read: Read, outline: Outline, schema: GatewaySchema) -> None:
    shown = [one for one in samples.checked_in() if one["resourceType"] in outline.resources]
    for resource in shown[::23]:
        query = samples.document(outline, resource)
        octets = samples.octets(resource)
        short = await read(query, octets)
        assert short == await read(query, octets, executor=schema.execution_context_class)


OBSERVATION = (
    b'{"resourceType":"Observation","status":"final","valueQuantity":{"value":1.10,"unit":"mg"},'
    b'"referenceRange":[{"low":{"value":1E-2}},{"high":{"value":100}}],"_status":{"id":"s"},'
    b'"contained":[{"resourceType":"Specimen","id":"x","note":[{"text":"n"}]},{"resourceType":"Patient","id":"p",'
    b'"name":[{"given":["A",null],"_given":[null,{"extension":[{"url":"u","valueDecimal":3.0}]}]}]}]}'
)


def asking(wanted: str) -> str:
    return f"query($id: ID!) {{ record(id: $id) {{ ... on Record {{ resource {{ {wanted} }} }} }} }}"


async def test_decimals_keep_their_text(engine: Engine, read: Read) -> None:
    answer = await read(
        asking("... on FhirObservation { valueQuantity { value } referenceRange { low { value } high { value } } }"),
        OBSERVATION,
    )
    assert samples.text(answer) == (
        b'{"referenceRange":[{"high":null,"low":{"value":1E-2}},{"high":{"value":100},"low":null}],'
        b'"valueQuantity":{"value":1.10}}'
    )


async def test_extensions_of_primitives_and_contained_resources_are_there(read: Read) -> None:
    wanted = """... on FhirObservation { _status { id } contained { __typename id ... on FhirOther { content }
      ... on FhirPatient { name { given _given { extension { url valueDecimal } } } } } }"""
    answer = samples.plainly(await read(asking(wanted), OBSERVATION))
    assert answer == {
        "_status": {"id": "s"},
        "contained": [
            {"__typename": "FhirOther", "id": "x",
             "content": {"resourceType": "Specimen", "id": "x", "note": [{"text": "n"}]}},
            {"__typename": "FhirPatient", "id": "p", "name": [
                {"given": ["A", None], "_given": [None, {"extension": [{"url": "u", "valueDecimal": 3.0}]}]}]},
        ],
    }  # fmt: skip


async def test_resource_of_another_type_reads_as_json(read: Read) -> None:
    content = b'{"resourceType":"Goal","id":"g","target":[{"detailQuantity":{"value":7.0}}]}'
    answer = await read(asking("__typename resourceType id ... on FhirOther { content }"), content)
    assert samples.text(answer["content"]) == samples.text(samples.parsed(samples.plainly(answer)["content"])).replace(
        b'"value":7}', b'"value":7.0}'
    )
    assert (answer["__typename"], answer["resourceType"], answer["id"]) == ("FhirOther", "Goal", "g")


@pytest.mark.parametrize("executor", ["short", "long"])
@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType":"Observation"}',
        b'{"resourceType":"Observation","status":7,"code":"REDACTED","category":"REDACTED","valueInteger":1.5,'
        b'"component":["REDACTED"],"valueQuantity":{"value":"1"},"contained":"REDACTED"}',
        b'{"resourceType":"Observation","status":null,"code":null,"category":null,"component":[null],"valueQuantity":{}}',
    ],
)
async def test_what_was_taken_out_reads_null(read: Read, schema: GatewaySchema, content: bytes, executor: str) -> None:
    wanted = """... on FhirObservation { status code { text } category { text } valueInteger valueQuantity { value }
      component { code { text } } contained { id } }"""
    more = {"executor": schema.execution_context_class} if executor == "long" else {}
    answer = await read(asking(wanted), content, **more)
    assert {name: one for name, one in answer.items() if one not in (None, [None], {"value": None})} == {}


async def test_whole_numbers_may_be_written_with_a_fraction(read: Read) -> None:
    answer = await read(
        asking("... on FhirObservation { valueInteger }"), b'{"resourceType":"Observation","valueInteger":2.0}'
    )
    assert samples.text(answer) == b'{"valueInteger":2}'


async def test_resource_is_asked_for_like_any_field(ask: Ask) -> None:
    query = asking("__typename resourceType ... on FhirObservation { valueQuantity { value } status }")
    payload = await ask(query, token="clinician", id=to_global("Record", RECORD))
    assert payload["data"]["record"]["resource"] == {
        "__typename": "FhirObservation",
        "resourceType": "Observation",
        "valueQuantity": {"value": 1.1},
        "status": None,
    }


async def test_directives_are_looked_at_each_time(engine: Engine, world: World) -> None:
    query = """query($id: ID!, $deep: Boolean!) { record(id: $id) { ... on Record { resource { ... on FhirObservation {
      status @skip(if: $deep) valueQuantity { value @include(if: $deep) unit } } } } } }"""
    shown = []
    for deep in (True, False, True):
        answer = await engine.execute(
            query,
            variables={"id": to_global("Record", RECORD), "deep": deep},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
        shown.append(samples.plainly(answer.payload["data"]["record"]["resource"]))
    kept = {"valueQuantity": {"value": 1.1, "unit": None}}
    assert shown == [kept, {"status": None, "valueQuantity": {"unit": None}}, kept]
