"""An identity provider's token reads and writes records: whatever else the schema has is refused to it, by default."""

from typing import Any

import pytest
from graphql import (
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from gateway.ids import to_global
from schema.execution import Engine
from schema.root import GatewaySchema, build_schema
from tests.unit.schema.conftest import Ask
from tests.unit.schema.datasets import RELEASE
from tests.unit.schema.services import BEARER, CONSENT, DECISION, PATIENT, RECORD, World
from tests.unit.schema.test_schema_walk import VALUES

RECORDS = {"createRecord", "amendRecord", "importBundle"}
NOBODYS = {"signInChallenge", "signIn"}
"""These take no token at all."""
OPEN = {"refreshSession"}
"""Looks at the token by itself, and takes none but a session's: see tests/attacks/test_bearer_tokens.py."""
ACTORS = {"granteeId", "actorId", "organizationId", "memberId"}
ACTOR = to_global("Actor", bytes(32))
GIVEN: dict[str, Any] = {
    "ID!": to_global("Patient", PATIENT),
    "String!": "text",
    "Boolean!": True,
    "DateTime!": "2030-01-01T00:00:00Z",
    "JSON!": {},
    "[Hex!]!": ["0x00"],
    "[ID!]!": [],
}


def given(type_: Any) -> Any:
    """A value of an input type, as short as may be."""
    text = str(type_)
    if text in GIVEN:
        return GIVEN[text]
    if text in VALUES:
        return VALUES[text]
    named = get_named_type(type_)
    if hasattr(named, "fields"):
        return {
            name: ACTOR if name in ACTORS else given(field.type)
            for name, field in named.fields.items()
            if str(field.type).endswith("!") and field.default_value is not None
        }
    if hasattr(named, "values"):
        first = next(iter(named.values))
        return [first] if text.startswith("[") else first
    return "0x" + "11" * 20


def mutations() -> list[str]:
    root = build_schema()._schema.mutation_type
    assert root is not None
    return sorted(set(root.fields) - RECORDS - NOBODYS - OPEN)


def members(type_: GraphQLNamedType) -> set[str]:
    return {one.name for one in type_.types} if isinstance(type_, GraphQLUnionType) else {type_.name}


@pytest.mark.parametrize("name", mutations())
async def test_no_mutation_but_of_records_is_anybodys_who_bears_a_token(
    engine: Engine, world: World, schema: GatewaySchema, name: str
) -> None:
    root = schema._schema.mutation_type
    assert root is not None
    field = root.fields[name]
    declared, handed, values = [], [], {}
    for argument, one in field.args.items():
        if is_required_argument(one):
            declared.append(f"${argument}: {one.type}")
            handed.append(f"{argument}: ${argument}")
            kinds = {"sessionId": "Session", "identityId": "Identity", "emergencyId": "Emergency"}
            wanted = {**kinds, "requestId": "ConsentRequest"}.get(argument)
            size = {"Session": 16, "Identity": 16, "Emergency": 32, "ConsentRequest": 16}
            values[argument] = to_global(wanted, bytes(size[wanted])) if wanted else given(one.type)
    head = f"({', '.join(declared)})" if declared else ""
    call = name + (f"({', '.join(handed)})" if handed else "")
    assert "Refusal" in members(get_named_type(field.type))
    answer = await engine.execute(
        f"mutation{head} {{ {call} {{ __typename ... on Refusal {{ code }} }} }}",
        variables=values,
        operation_name=None,
        caller=await world.caller("bearer"),
        token="bearer",
        correlation_id="c0ffee",
    )
    payload = answer.payload
    assert payload.get("data", {}).get(name) == {"__typename": "Refusal", "code": "NOT_PERMITTED"}, payload
    assert world.calls == [], "a service was asked"


async def test_a_record_is_asked_of_its_service_with_the_scopes(ask: Ask, world: World) -> None:
    query = "query ($id: ID!) { record(id: $id, purpose: PATRQT) { __typename } }"
    assert (await ask(query, token="bearer", id=to_global("Record", RECORD)))["data"]["record"][
        "__typename"
    ] == "Record"
    (asked,) = [caller for name, caller in world.calls if name == "read"]
    assert asked is not None
    assert asked.bearer == BEARER


@pytest.mark.parametrize(
    "field",
    [
        "consents { edges { cursor } }",
        "accessLog { edges { cursor } }",
        "emergencies { edges { cursor } }",
        "consentRequests { edges { cursor } }",
        "credentials { id }",
        "delegates { number }",
        "guardians { nextFrom }",
        "datasets { edges { cursor } }",
    ],
)
async def test_no_list_of_a_patients_but_of_records_is_shown_to_a_bearer(ask: Ask, world: World, field: str) -> None:
    query = f"query ($id: ID!) {{ patient(id: $id) {{ {field} }} }}"
    payload = await ask(query, token="bearer", id=to_global("Patient", PATIENT))
    found = next(iter(payload["data"]["patient"].values()))
    assert found in ([], None, {"edges": []})
    assert {name for name, _ in world.calls} <= {"visible_patient"}


@pytest.mark.parametrize(
    ("kind", "raw"), [("Consent", CONSENT), ("AccessEvent", DECISION), ("Decision", DECISION), ("Dataset", RELEASE)]
)
async def test_no_node_but_a_record_is_a_bearers(ask: Ask, kind: str, raw: bytes) -> None:
    payload = await ask("query ($id: ID!) { node(id: $id) { id } }", token="bearer", id=to_global(kind, raw))
    assert payload["data"]["node"] is None


async def test_no_session_and_no_identity_is_shown_to_a_bearer(ask: Ask, world: World) -> None:
    own = "sessions { edges { cursor } } linkedIdentities { id } sentConsentRequests { edges { cursor } }"
    own += " datasets { edges { cursor } }"
    payload = await ask(f"{{ {own} }}", token="bearer")
    none: dict[str, list[Any]] = {"edges": []}
    assert payload["data"] == {"sessions": none, "linkedIdentities": [], "sentConsentRequests": none, "datasets": none}
    assert world.calls == []


def test_each_object_type_is_looked_at_by_some_test(schema: GatewaySchema) -> None:
    """A new list of a patient's must be put in here, or be one of records."""
    patient = schema._schema.type_map["Patient"]
    assert isinstance(patient, GraphQLObjectType)
    lists = {name for name, field in patient.fields.items() if not is_leaf_type(get_named_type(field.type))}
    assert lists == {
        *("records", "timeline", "latest"),
        *("consents", "consentRequests", "accessLog", "emergencies", "credentials", "delegates", "guardians"),
        "datasets",
    }
