"""With introspection off nobody learns the schema from what is wrong with a document: no name comes back that was not
sent. With it on, nothing is suggested either."""

import re
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema

from schema.documents import Documents, RefusedRequest
from schema.limits import Limits

SDL = Path(__file__).parents[2] / "schema" / "schema.graphql"
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PROBES = (
    "{ recor }",
    "{ patien(id: 1) { id } }",
    "{ record }",
    "{ record(id: 1) }",
    '{ record(id: "x") }',
    '{ record(id: "x", purpos: TREAT) { __typename } }',
    '{ record(id: "x", purpose: TREA) { __typename } }',
    '{ record(id: "x") { __typename contentt } }',
    '{ record(id: "x") { ... on Recor { id } } }',
    '{ record(id: "x") { ... on Refusal { cod } } }',
    '{ node(id: "x") { ... on Actor { nam } } }',
    "query ($a: Strin) { viewer { id } }",
    "query ($a: String) { node(id: $a) { id } }",
    "query ($a: Int!) { node(id: $a) { id } }",
    "mutation { signIn }",
    "mutation { signIn(input: {}) { __typename } }",
    "mutation { signIn(input: { messag: 1 }) { __typename } }",
    "mutation { createRecord(input: { patientId: 1 }) { __typename } }",
    "mutation { draftConsent(input: { effect: PERMI }) { __typename } }",
    "subscription { recordAdde { id } }",
    "subscription { recordAdded { id } }",
    "{ viewer { id } } { viewer { id } }",
    "{ viewer @includ(if: true) { id } }",
    "{ viewer @include { id } }",
    "{ ...Missing }",
    "fragment F on Patien { id } { ...F }",
)


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SDL.read_text())


def names(schema: GraphQLSchema) -> set[str]:
    """All that a stranger would like to know: types, fields, arguments, enum values."""
    found: set[str] = set()
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        found.add(name)
        found |= set(getattr(kind, "values", {}))
        for field, about in getattr(kind, "fields", {}).items():
            found |= {field, *getattr(about, "args", {})}
    return found


async def told(documents: Documents, query: str) -> str:
    with pytest.raises(RefusedRequest) as refused:
        await documents.prepare(query)
    return " ".join(str(error["message"]) for error in refused.value.errors)


@pytest.mark.parametrize("query", PROBES)
async def test_no_name_comes_back_that_was_not_sent(schema: GraphQLSchema, query: str) -> None:
    said = await told(Documents(schema, limits=Limits(), introspection=False), query)
    learned = (set(_WORD.findall(said)) & names(schema)) - set(_WORD.findall(query))
    assert learned - {"schema", "source"} == set(), said


async def test_the_schema_is_not_asked_for(schema: GraphQLSchema) -> None:
    documents = Documents(schema, limits=Limits(), introspection=False)
    for query in ("{ __schema { types { name } } }", '{ __type(name: "Query") { name } }'):
        assert "introspection is off" in await told(documents, query)


@pytest.mark.parametrize("query", PROBES)
async def test_nothing_is_suggested_that_was_not_sent(schema: GraphQLSchema, query: str) -> None:
    _, _, suggested = (await told(Documents(schema, limits=Limits(), introspection=True), query)).partition("Did you")
    suggested = suggested.partition("?")[0]
    assert (set(_WORD.findall(suggested)) & names(schema)) - set(_WORD.findall(query)) == set(), suggested
