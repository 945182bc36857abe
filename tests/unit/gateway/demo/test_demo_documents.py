"""What the demo asks is in the public core of the schema, and within the published limits."""

import pytest
from graphql import GraphQLSchema, parse, validate

from gateway.demo import documents
from gateway.demo.datasets import documents as of_datasets
from schema.extents import extents
from schema.limits import Limits, survey
from schema.root import build_schema as build_ours

FIXED = {
    f"{room}{name}": value
    for room, module in (("", documents), ("datasets ", of_datasets))
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}
DOCUMENTS = {
    **{name: value for name, value in FIXED.items() if value.startswith(("query", "mutation"))},
    "record by record": documents.record_by_record(documents.ALIASES),
    "node by node": documents.node_by_node(documents.ALIASES),
}


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return build_ours()._schema


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_valid(name: str, ours: GraphQLSchema) -> None:
    assert validate(ours, parse(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_within_the_limits(name: str, ours: GraphQLSchema) -> None:
    limits = Limits()
    document = parse(DOCUMENTS[name], **limits.parse_options)
    found = survey(document, limits=limits, lists=extents(ours), introspection=False)
    assert found.cost <= limits.cost


def test_the_demos_documents_are_all_here() -> None:
    assert len(DOCUMENTS) > 23
