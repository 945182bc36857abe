"""A noised number as it is asked for and told: the question reaches the service with the numbers that were written, and
a refusal names the member of the input."""

from typing import Any

import pytest

from gateway import jsontext
from gateway.identity.model import Caller
from schema.execution import Engine
from tests.unit.schema.aggregates import QUESTION
from tests.unit.schema.conftest import Ask
from tests.unit.schema.datasets import PEOPLE
from tests.unit.schema.services import World

ASK = """mutation ($input: AggregateInput!) { askAggregate(input: $input) {
  __typename ... on NoisedAnswer { value counts epsilon left } ... on Refusal { code message field } } }"""
AGES: dict[str, Any] = {
    "resource": "Observation",
    "select": [{"column": [{"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"}]}],
}
NUMBER = {"view": AGES, "column": "value", "low": 40, "high": 200, "per": "first"}


async def asked(ask: Ask, token: str | None = "clinician", **members: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await ask(ASK, token=token, input={**QUESTION, **members})
    found: dict[str, Any] = answer["data"]["askAggregate"]
    return found


@pytest.mark.parametrize(
    ("measure", "value", "counts"),
    [
        ({"kind": "count"}, 24.0, None),
        ({"kind": "sum", **NUMBER}, -1234.5, None),
        ({"kind": "mean", **NUMBER}, None, None),
        ({"kind": "histogram", "view": PEOPLE, "column": "sex", "bins": ["male", "female"]}, None, [13, 0, 11]),
    ],
    ids=lambda one: one["kind"] if isinstance(one, dict) else "",
)
async def test_an_answer_is_told_as_the_service_gives_it(
    ask: Ask, measure: dict[str, Any], value: float | None, counts: list[int] | None
) -> None:
    assert await asked(ask, measure=measure) == {
        "__typename": "NoisedAnswer",
        "value": value,
        "counts": counts,
        "epsilon": 0.1,
        "left": 1.9,
    }


async def test_a_question_reaches_the_service_whole(ask: Ask, world: World) -> None:
    await asked(ask, cohort={"sex": ["female"]})
    assert world.received == [{**QUESTION, "cohort": {"sex": ["female"]}}]


async def test_everybody_is_asked_about_where_no_cohort_is_given(ask: Ask, world: World) -> None:
    await asked(ask)
    assert world.received == [{**QUESTION, "cohort": {}}]


@pytest.mark.parametrize(
    ("written", "digits"),
    [("0.1", "0.1"), ("1e-1", "0.1"), ("1", "1"), ("0.3", "0.3"), ("1e-6", "0.000001"), ("0.30000000000000004", None)],
)
@pytest.mark.parametrize("place", ["variable", "literal"])
async def test_an_epsilon_stays_the_number_that_was_written(
    engine: Engine, world: World, place: str, written: str, digits: str | None
) -> None:
    whole = '{purpose: HRESCH, dataUse: ["DUO:0000042"], measure: {kind: "count"}, epsilon: %s}'
    query = f"mutation {{ askAggregate(input: {whole % written}) {{ __typename }} }}" if place == "literal" else ASK
    text = jsontext.dumps({**QUESTION, "epsilon": None}).replace(b"null", written.encode())
    caller: Caller | None = await world.caller("clinician")
    await engine.execute(
        query,
        variables={} if place == "literal" else {"input": jsontext.loads(text)},
        operation_name=None,
        caller=caller,
        token="clinician",
        correlation_id="c",
    )
    (found,) = world.received
    assert jsontext.canonical(found["epsilon"]).decode() == (digits or written)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purpose": "TREAT"}, ["purpose"]),
        ({"dataUse": []}, ["dataUse"]),
        ({"cohort": {"zip": "x"}}, ["cohort", "zip"]),
        ({"cohort": []}, ["cohort"]),
        ({"measure": {"kind": "median"}}, ["measure", "kind"]),
        ({"measure": {"kind": "sum", **NUMBER, "low": 300}}, ["measure", "low"]),
        ({"measure": {"kind": "sum", **NUMBER, "view": {"resource": "Observation"}}}, ["measure", "view"]),
        ({"measure": []}, ["measure"]),
        ({"epsilon": 0}, ["epsilon"]),
        ({"epsilon": 1.1}, ["epsilon"]),
    ],
)
async def test_what_is_wrong_with_a_question_is_named_by_its_member(
    ask: Ask, changes: dict[str, Any], field: list[str]
) -> None:
    refused = await asked(ask, **changes)
    assert refused["code"] == "INVALID"
    assert refused["field"][: len(field)] == field


async def test_a_budget_that_is_spent_is_a_limit(ask: Ask) -> None:
    refused = await asked(ask, epsilon=1)
    assert (refused["code"], refused["field"]) == ("LIMIT", None)
    assert "budget" in refused["message"]


@pytest.mark.parametrize(("token", "code"), [(None, "UNAUTHENTICATED"), ("bearer", "NOT_PERMITTED")])
async def test_no_number_is_told_to_who_is_not_signed_in_by_key(
    ask: Ask, world: World, token: str | None, code: str
) -> None:
    assert (await asked(ask, token))["code"] == code
    assert world.received == []


async def test_a_document_asks_for_few_numbers_at_once(ask: Ask) -> None:
    """Each may look at every consent of every patient, whether it costs or not."""
    call = "askAggregate(input: {purpose: HRESCH, dataUse: [], measure: {}, epsilon: 0.1}) { __typename }"
    query = "mutation {" + " ".join(f"a{number}: {call}" for number in range(11)) + "}"
    assert (await ask(query, token="clinician"))["errors"][0]["extensions"]["code"] == "LIMIT"
