"""The engine: what it keeps, what it masks, what it logs, and when it stops."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.consent.model import Purpose
from gateway.errors import StaleError
from gateway.ids import to_global
from schema.context import RequestContext
from schema.documents import KNOWN_DOCUMENTS
from schema.execution import Engine
from schema.root import GatewaySchema
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import CANARY, PATIENT, RECORD, World, make_released

ID = to_global("Record", RECORD)
QUERY = "query($id: ID!) { record(id: $id) { __typename } }"


async def test_document_without_text_is_kept(ask: Ask, engine: Engine) -> None:
    await ask(QUERY, token="clinician", id=ID)
    assert engine.documents.known() == (QUERY,)


@pytest.mark.parametrize(
    "query",
    [
        f'{{ record(id: "{ID}") {{ __typename }} }}',
        'mutation { createRecord(input: {patientId: "x", resource: {}}) { __typename } }',
        "{ viewer { id } }" + " " * 8_192,
        "{ nothing }",
        "{ viewer ",
    ],
)
async def test_other_documents_are_not_kept(ask: Ask, engine: Engine, query: str) -> None:
    await ask(query, token="clinician")
    assert not engine.documents.known()


async def test_known_documents_are_bounded_and_the_oldest_goes(ask: Ask, engine: Engine) -> None:
    for number in range(KNOWN_DOCUMENTS + 10):
        await ask(f"query Q{number} {{ viewer {{ id }} }}")
    assert len(engine.documents.known()) == KNOWN_DOCUMENTS
    assert "query Q0 { viewer { id } }" not in engine.documents.known()


async def test_unexpected_failure_is_masked_and_logged_without_its_message(ask: Ask, world: World) -> None:
    world.fail = RuntimeError(CANARY)
    with capture_logs() as logs:
        payload = await ask(QUERY, token="clinician", id=ID)
    assert payload["data"] is None
    assert payload["errors"][0]["message"] == "internal error"
    assert payload["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "correlationId": "c0ffee"}
    assert CANARY not in str(payload)
    assert logs[0]["type"] == "RuntimeError"
    assert logs[0]["correlation_id"] == "c0ffee"
    assert any(frame.startswith("services.py:") for frame in logs[0]["frames"])


async def test_a_part_that_failed_is_told_by_the_id_that_the_log_has(engine: Engine, world: World) -> None:
    world.fail = StaleError("behind")
    query = "query($id: ID!) { record(id: $id) { ... on Refusal { code message correlationId } } }"
    caller = await world.caller("clinician")

    async def asked(name: str) -> Any:
        given: dict[str, Any] = {
            "operation_name": None,
            "caller": caller,
            "token": "clinician",
            "variables": {"id": ID},
        }
        return (await engine.execute(query, **given, correlation_id=name)).payload["data"]["record"]

    names = [f"{number:016x}" for number in range(50)]
    with capture_logs() as logs:
        answers = await asyncio.gather(*map(asked, names))
    assert [answer["correlationId"] for answer in answers] == names
    assert {answer["code"] for answer in answers} == {"STALE"}
    assert [(line["event"], line["correlation_id"]) for line in logs] == [("a part failed", name) for name in names]


async def test_a_refusal_on_the_merits_has_no_id(ask: Ask) -> None:
    query = "query($id: ID!) { record(id: $id) { ... on Refusal { code correlationId } } }"
    answer = await ask(query, token=None, id=ID)
    assert answer["data"]["record"] == {"code": "UNAUTHENTICATED", "correlationId": None}


async def test_value_that_does_not_fit_its_field_is_masked(
    ask: Ask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = replace(make_released(Purpose.TREAT), version=CANARY)

    async def read(*_: Any, **__: Any) -> Any:
        return released

    monkeypatch.setattr(world, "read", read)
    with capture_logs() as logs:
        payload = await ask("query($id: ID!) { record(id: $id) { ... on Record { version } } }", token="patient", id=ID)
    assert payload["errors"][0]["message"] == "internal error"
    assert CANARY not in str(payload) + str(logs)


async def test_null_for_an_argument_is_told_to_the_client(ask: Ask) -> None:
    query = "query($id: ID!, $n: Int = 1) { patient(id: $id) { records(first: $n) { edges { cursor } } } }"
    payload = await ask(query, token="patient", id=to_global("Patient", PATIENT), n=None)
    assert payload["errors"][0]["extensions"]["code"] == "INVALID"


async def test_log_of_a_failure_holds_neither_query_nor_variables(ask: Ask, world: World) -> None:
    world.fail = RuntimeError(CANARY)
    query = f'mutation($r: JSON!) {{ createRecord(input: {{patientId: "{CANARY}", resource: $r}}) {{ __typename }} }}'
    with capture_logs() as logs:
        await ask(query, token="clinician", r={"note": CANARY})
        await ask(QUERY, token="clinician", id=ID)
    assert logs
    assert CANARY not in str(logs)


@pytest.mark.parametrize("text", ["{ nothing }", "{ viewer { id }", f'{{ record(id: "{CANARY}") {{ x }} }}'])
async def test_wrong_documents_are_not_logged(ask: Ask, text: str) -> None:
    with capture_logs() as logs:
        payload = await ask(text)
    assert "data" not in payload
    assert payload["errors"][0]["extensions"]["code"] == "INVALID"
    assert not logs


async def test_strawberrys_own_execution_logs_no_query_either(
    schema: GatewaySchema, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.fail = RuntimeError(CANARY)
    context = RequestContext(
        services=world.services(),
        caller=await world.caller("clinician"),
        token=None,
        correlation_id="x",
    )
    query = f'{{ record(id: "{ID}") {{ __typename }} }} # {CANARY}'
    with capture_logs() as logs:
        await schema.execute(query, context_value=context)
    assert CANARY not in str(logs) + caplog.text
    assert logs[0]["type"] == "RuntimeError"


async def test_suggestions_are_off(ask: Ask) -> None:
    payload = await ask("query($purpose: PurposeOfUs) { viewr { id } viewer { nam } }")
    assert "Did you mean" not in str(payload)


async def test_errors_of_a_document_are_bounded_in_number_and_length(ask: Ask) -> None:
    payload = await ask("{" + " ".join(f"{'x' * 100}{i}" for i in range(300)) + "}")
    assert len(payload["errors"]) <= 11
    payload = await ask("{ " + "x" * 60_000 + " }")
    assert len(payload["errors"][0]["message"]) <= 500


async def test_time_budget_ends_a_request(schema: GatewaySchema, world: World) -> None:
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.sleep(60)

    world.read = never  # type: ignore[method-assign, assignment]
    services = world.services()
    engine = Engine(schema, services, seconds=0.05)
    answer = await engine.execute(
        QUERY,
        variables={"id": ID},
        operation_name=None,
        caller=await world.caller("clinician"),
        token=None,
        correlation_id="c",
    )
    assert answer.payload["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "correlationId": "c"}


async def test_two_operations_need_a_name(ask: Ask) -> None:
    query = "query A { viewer { id } } query B { __typename }"
    assert "errors" in await ask(query)
    assert "errors" in await ask(query, operation="C")
    assert await ask(query, operation="B") == {"data": {"__typename": "Query"}}


async def test_subscription_is_refused_before_execution(ask: Ask, world: World) -> None:
    payload = await ask('subscription { recordAdded(patientId: "x") { id } }', token="clinician")
    assert "data" not in payload
    assert world.calls == []


async def test_wrong_variables_are_refused_before_execution(ask: Ask, world: World) -> None:
    payload = await ask("query($id: ID!) { record(id: $id) { __typename } }", token="clinician")
    assert "data" not in payload
    assert world.calls == []


async def test_long_list_in_variables_is_a_limit(ask: Ask) -> None:
    query = "query($f: RecordFilter) { patient(id: 1) { records(filter: $f) { edges { cursor } } } }"
    payload = await ask(query, f={"resourceTypes": ["x"] * 1_001})
    assert payload["errors"][0]["extensions"]["code"] == "LIMIT"
