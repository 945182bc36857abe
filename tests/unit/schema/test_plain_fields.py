"""The short way answers as graphql-core does, and leaves what it does not know to it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest
from graphql import execute, parse
from strawberry.execution import optimized_is_awaitable

from gateway import jsontext
from gateway.consent.model import Purpose
from gateway.ids import to_global
from schema.context import RequestContext
from schema.execution import Engine
from schema.plain import Selections, executor_for
from schema.root import GatewaySchema
from tests.unit.schema.services import PATIENT, RECORD, World, make_released

RECORD_ID = to_global("Record", RECORD)
PATIENT_ID = to_global("Patient", PATIENT)
_ALL = """__typename id version kind: resourceType labels recordedAt content contentSalt cid patient { id subject }
  author { id actor address roles name } anchor { status proof { log leafEncoding leafValues path blockNumber } }
  receipt { __typename decisionId consentId purpose asOfBlock decidedAt obligations payload signer signature }"""
QUERIES = [
    f"query($id: ID!) {{ first: record(id: $id) {{ ... on Record {{ {_ALL} }} ... on Refusal {{ code message }} }} }}",
    f"""query($p: ID!) {{ patient(id: $p) {{ subject records {{ edges {{ cursor node {{ ...R }} }}
      pageInfo {{ hasNextPage endCursor }} }} }} }} fragment R on Record {{ {_ALL} }}""",
    "query($id: ID!) { record(id: $id) { __typename } node(id: $id) { __typename id ... on Record { version } } }",
    "{ viewer { id name roles } __typename }",
]

Run = Callable[..., Any]


@pytest.fixture
def run(schema: GatewaySchema, world: World) -> Run:
    """Executes with an executor class of one's choice; gives the whole answer in the order of its members."""

    async def of(query: str, *, executor: Any, **more: Any) -> str:
        services = world.services()
        context = RequestContext(
            services=services, caller=await world.caller("clinician"), token="clinician", correlation_id="c0ffee"
        )
        started = execute(
            schema._schema,
            parse(query),
            context_value=context,
            variable_values={"id": RECORD_ID, "p": PATIENT_ID},
            executor_class=executor,
            is_awaitable=cast(Any, optimized_is_awaitable),
            operation_extensions=None,
            **more,
        )
        done: Any = await started if optimized_is_awaitable(started) else started
        return repr(orjson.loads(jsontext.dumps({"data": done.data}))) + repr(done.errors)

    return of


@pytest.mark.parametrize("query", QUERIES)
async def test_answer_is_the_one_of_graphql_core(schema: GatewaySchema, run: Run, query: str) -> None:
    plain = await run(query, executor=executor_for(schema._schema))
    assert plain == await run(query, executor=schema.execution_context_class)


@pytest.mark.parametrize(
    "change",
    [
        {"cid": None},
        {"recorded_at": "not a time"},
        {"labels": ("a", None)},
        {"content_salt": ValueError("x")},
        {"resource_type": None},
    ],
    ids=str,
)
async def test_value_that_does_not_fit_is_refused_as_graphql_core_does(
    schema: GatewaySchema, world: World, run: Run, change: dict[str, Any]
) -> None:
    async def read(*_: object, **__: object) -> Any:
        return replace(make_released(RECORD, purpose=Purpose.TREAT), **change)

    cast(Any, world).read = read
    plain = await run(QUERIES[0], executor=executor_for(schema._schema))
    assert plain == await run(QUERIES[0], executor=schema.execution_context_class)
    assert "GraphQLError" in plain


@pytest.mark.parametrize("query", QUERIES)
async def test_selections_of_the_first_time_serve_the_next(engine: Engine, world: World, query: str) -> None:
    async def ask() -> Any:
        answer = await engine.execute(
            query,
            variables={"id": RECORD_ID, "p": PATIENT_ID},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
        return orjson.loads(jsontext.dumps(answer.payload))

    first = await ask()
    assert await ask() == first
    selections = (await engine.documents.prepare(query)).selections
    assert selections is not None
    size = len(selections.below)
    assert await ask() == first
    assert len(selections.below) == size


async def test_directives_are_looked_at_each_time(engine: Engine, world: World) -> None:
    query = "query($id: ID!, $deep: Boolean!) { record(id: $id) { ... on Record { id version @include(if: $deep) } } }"
    shown = []
    for deep in (True, False, True):
        answer = await engine.execute(
            query,
            variables={"id": RECORD_ID, "deep": deep},
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
        shown.append("version" in answer.payload["data"]["record"])
    assert shown == [True, False, True]


async def test_two_operations_of_a_document_keep_apart(engine: Engine, world: World) -> None:
    query = "query A($id: ID!) { record(id: $id) { __typename } } query B { viewer { id } }"
    for name, field in (("A", "record"), ("B", "viewer"), ("A", "record")):
        answer = await engine.execute(
            query,
            variables={"id": RECORD_ID},
            operation_name=name,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
        assert list(answer.payload["data"]) == [field]


def test_selections_begin_empty() -> None:
    assert (Selections().roots, Selections().below) == ({}, {})
