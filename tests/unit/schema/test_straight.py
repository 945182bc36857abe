"""A query of one root field that goes straight to its resolver answers as graphql-core does, and runs it once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest

from gateway import jsontext
from gateway.consent.model import Purpose
from gateway.errors import DeniedError, LimitError
from gateway.ids import to_global
from schema.execution import Engine
from tests.unit.schema.services import PATIENT, RECORD, World, make_released

RECORD_ID = to_global("Record", RECORD)
PATIENT_ID = to_global("Patient", PATIENT)
FIELDS = "__typename id version labels recordedAt content contentSalt anchor { status } receipt { purpose obligations }"
ONE = f"query($id: ID!) {{ mine: record(id: $id) {{ ... on Record {{ {FIELDS} }} ... on Refusal {{ code }} }} }}"
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (ONE, {"id": RECORD_ID}),
    "malformed id": (ONE, {"id": "nobody"}),
    "number for an id": (ONE, {"id": 7}),
    "null for an id": (ONE, {"id": None}),
    "no id": (ONE, {}),
    "object for an id": (ONE, {"id": {"a": 1}}),
    "variable too many": (ONE, {"id": RECORD_ID, "other": 1}),
    "purpose as a variable": (
        "query($id: ID!, $p: PurposeOfUse!) { record(id: $id, purpose: $p) { ... on Record { receipt { purpose } } } }",
        {"id": RECORD_ID, "p": "ETREAT"},
    ),
    "purpose that is none": (
        "query($id: ID!, $p: PurposeOfUse!) { record(id: $id, purpose: $p) { __typename } }",
        {"id": RECORD_ID, "p": "LOVE"},
    ),
    "default at the variable": (
        "query($id: ID!, $p: PurposeOfUse! = PATRQT) { record(id: $id, purpose: $p) { __typename } }",
        {"id": RECORD_ID},
    ),
    "two fields": ("query($id: ID!) { a: record(id: $id) { __typename } b: node(id: $id) { id } }", {"id": RECORD_ID}),
    "resolvers below": (
        f"query($id: ID!) {{ record(id: $id) {{ ... on Record {{ {FIELDS} "
        "patient { id } author { name roles } } } }",
        {"id": RECORD_ID},
    ),
    "fragment": (
        f"query($p: ID!) {{ patient(id: $p) {{ ...P }} }} fragment P on Patient "
        f"{{ subject records(first: 2) {{ edges {{ cursor node {{ {FIELDS} }} }} "
        "pageInfo { hasNextPage endCursor } } }",
        {"p": PATIENT_ID},
    ),
    "page too large": (
        "query($p: ID!) { patient(id: $p) { records(first: 101) { edges { cursor } } } }",
        {"p": PATIENT_ID},
    ),
    "interface": ("query($id: ID!) { node(id: $id) { __typename id ... on Record { version } } }", {"id": RECORD_ID}),
    "nobody's node": ("query($id: ID!) { node(id: $id) { id } }", {"id": "x"}),
    "no argument": ("{ viewer { id name roles address } }", {}),
    "type name alone": ("{ __typename }", {}),
    "directive": (
        "query($id: ID!, $d: Boolean!) { record(id: $id) { ... on Record { id @include(if: $d) version } } }",
        {"id": RECORD_ID, "d": False},
    ),
}  # fmt: skip

Ask = Callable[..., Any]


@pytest.fixture
def ask(engine: Engine, world: World) -> Ask:
    async def of(query: str, variables: dict[str, Any]) -> tuple[Any, bool]:
        answer = await engine.execute(
            query,
            variables=variables,
            operation_name=None,
            caller=await world.caller("clinician"),
            token="clinician",
            correlation_id="c0ffee",
        )
        return orjson.loads(jsontext.dumps(answer.payload)), answer.executed

    return of


@pytest.mark.parametrize("case", CASES)
async def test_second_answer_is_the_first(ask: Ask, case: str) -> None:
    """The first time a document is executed by graphql-core, whatever it is."""
    query, variables = CASES[case]
    first = await ask(query, variables)
    for _ in range(3):
        again = await ask(query, variables)
        assert again == first
        assert repr(again) == repr(first), "and in the same order"


async def test_straight_is_what_a_plain_read_is(engine: Engine, ask: Ask) -> None:
    for case in ("plain", "plain", "no argument", "no argument"):
        await ask(*CASES[case])
    for case in ("plain", "no argument"):
        selections = (await engine.documents.prepare(CASES[case][0])).selections
        assert selections is not None
        assert selections.straight[None] is not None


async def test_wrong_variables_after_right_ones_are_refused(ask: Ask) -> None:
    for case in ("plain", "plain", "plain"):
        await ask(*CASES[case])
    for case in ("malformed id", "object for an id", "null for an id", "no id"):
        answer, executed = await ask(*CASES[case])
        assert not executed or answer["data"]["mine"]["code"] == "INVALID"


@pytest.mark.parametrize(
    "change",
    [
        {"cid": None},
        {"recorded_at": "not a time"},
        {"labels": ("a", None)},
        {"resource_type": ValueError("x")},
        {"receipt": None},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "query", [ONE, "query($id: ID!) { node(id: $id) { id ... on Record { cid recordedAt labels } } }"]
)
async def test_value_that_does_not_fit_fails_as_by_graphql_core(
    ask: Ask, world: World, query: str, change: dict[str, Any]
) -> None:
    calls = []

    async def read(*_: object, **__: object) -> Any:
        calls.append(1)
        return replace(make_released(RECORD, purpose=Purpose.TREAT), **change)

    cast(Any, world).read = read
    first = await ask(query, {"id": RECORD_ID})
    for asked in (2, 3):
        assert await ask(query, {"id": RECORD_ID}) == first
        assert len(calls) == asked, "a resolver that ran does not run again"


@pytest.mark.parametrize(
    "error", [DeniedError("no"), LimitError("enough", field=("id",)), RuntimeError("a fault"), TimeoutError()]
)
@pytest.mark.parametrize("query", [ONE, "query($id: ID!) { node(id: $id) { id } }"])
async def test_what_a_resolver_raises_is_answered_as_by_graphql_core(
    ask: Ask, world: World, query: str, error: Exception
) -> None:
    calls = []

    async def read(*_: object, **__: object) -> Any:
        calls.append(1)
        raise error

    cast(Any, world).read = read
    first = await ask(query, {"id": RECORD_ID})
    assert "a fault" not in repr(first)
    for asked in (2, 3):
        assert await ask(query, {"id": RECORD_ID}) == first
        assert len(calls) == asked
