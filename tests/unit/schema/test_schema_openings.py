"""Each record that a document opens is counted before it is executed, and no field that opens one is forgotten."""

from typing import Any

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    parse,
)

from gateway.underway import MIB, Allowance
from schema.answers import Bound
from schema.errors import LimitFault
from schema.extents import DECISION, JOURNAL, ORDERING, OUTLOOK, extents
from schema.limits import Limits, survey
from schema.parts import DECIDES
from schema.root import GatewaySchema


@pytest.fixture
def openings(schema: GatewaySchema) -> Any:
    lists = extents(schema._schema)

    def run(query: str, *, values: dict[str, Any] | None = None, **limits: int) -> int:
        found = survey(parse(query), limits=Limits(**limits), lists=lists, introspection=True, variables=values)
        assert found.cost_is_certain
        return found.openings

    return run


def of_patient(inside: str) -> str:
    return f'{{ patient(id: "p") {{ {inside} }} }}'


NODES = "{ edges { node { id } } }"
REFERENCE = "record(id: 1) { ... on Record { resource { ... on FhirObservation { encounter { resource { id } } } } } }"
OPENED = [
    ("{ viewer { id } }", 0),
    ("{ record(id: 1) { __typename } }", 1),
    ("{ node(id: 1) { id } }", 1),
    ("{ explainAccess(recordId: 1) { __typename } }", 1),
    ("{ whoCanSee(patientId: 1) { __typename } }", OUTLOOK),
    ("{ a: record(id: 1) { __typename } b: record(id: 1) { __typename } }", 2),
    ("{ ...F ...F } fragment F on Query { record(id: 1) { __typename } }", 2),
    (of_patient(f"records(first: 10) {NODES}"), 11),
    (of_patient("records(first: 10) { pageInfo { hasNextPage } }"), 11),
    (of_patient(f"records {NODES}"), 51),
    (of_patient(f"timeline(last: 10) {NODES}"), 11 + ORDERING),
    (of_patient(f"latest(first: 10) {NODES}"), 11 + ORDERING),
    (of_patient(f"records(first: 3) {{ edges {{ node {{ patient {{ records(first: 2) {NODES} }} }} }} }}"), 1 + 3 + 9),
    ("{ " + REFERENCE + " }", 2),
    (of_patient("datasets(last: 10) { edges { cursor } }"), 11 - 1 + OUTLOOK),
    ("mutation { askAggregate(input: {}) { __typename } }", OUTLOOK),
    ('subscription { recordAdded(patientId: "p") { id } }', 1),
    ('{ study(id: "s") { title } }', 1),
    ('{ study(id: "s") { protocols { number anchor { status } } compareOutcomes { likeness } } }', 1 + 10 + 10 + 2),
    ("{ myStudies(first: 10) { edges { cursor } } }", 10 + OUTLOOK),
    ('{ study(id: "s") { trail(first: 10) { edges { cursor } } } }', 1 + 11),
    ('{ study(id: "s") { subjects(first: 3) { edges { node { forms { version record { __typename } } } } } } }',
     1 + 4 + 3 * (JOURNAL + 10)),
    ('subscription { studyQueryChanged(studyId: "s") { rule } }', JOURNAL),
]  # fmt: skip


@pytest.mark.parametrize(("query", "opened"), OPENED)
def test_records_that_are_opened_are_counted(openings: Any, query: str, opened: int) -> None:
    assert openings(query) == opened


def test_a_document_that_opens_too_many_is_refused(openings: Any) -> None:
    assert openings(of_patient(f"records(first: 10) {NODES}"), openings=11)
    with pytest.raises(LimitFault, match="opens 11 records"):
        openings(of_patient(f"records(first: 10) {NODES}"), openings=10)


def test_a_page_of_a_variable_size_counts_by_its_value(schema: GatewaySchema, openings: Any) -> None:
    query = "query($n: Int!) " + of_patient(f"records(first: $n) {NODES}")
    limits = Limits(openings=50)
    untold = survey(parse(query), limits=limits, lists=extents(schema._schema), introspection=True)
    assert not untold.cost_is_certain
    assert openings(query, values={"n": 49}, openings=50) == 50
    with pytest.raises(LimitFault):
        openings(query, values={"n": 50}, openings=50)


def test_every_field_that_leads_to_a_record_is_counted(schema: GatewaySchema) -> None:
    """But for what a page's own items are, which the page has counted, and mutations, which open no content."""
    core = schema._schema
    lists = extents(core)
    leading = {
        f"{name}.{key}"
        for name, type_ in core.type_map.items()
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__")
        for key, field in type_.fields.items()
        if _may_be_a_record(core, field.type) or field.extensions.get(DECIDES)
    }
    counted = {one for one in leading if lists.of(*one.split(".")).opens}
    assert leading - counted == {"RecordEdge.node"}
    assert len(counted) >= 8


def _may_be_a_record(core: GraphQLSchema, type_: Any) -> bool:
    bare = get_named_type(type_)
    if isinstance(bare, GraphQLUnionType | GraphQLInterfaceType):
        return any(one.name == "Record" for one in core.get_possible_types(bare))
    if isinstance(bare, GraphQLObjectType) and "pageInfo" in bare.fields:
        edge = get_named_type(bare.fields["edges"].type)
        return isinstance(edge, GraphQLObjectType) and _may_be_a_record(core, edge.fields["node"].type)
    return bare.name == "Record"


def test_what_an_unknown_type_may_hold_counts_as_the_most_of_any(schema: GatewaySchema) -> None:
    widest = extents(schema._schema).of("NoSuchType", "records")
    assert (widest.many, widest.opens_each) == (50, True)
    assert extents(schema._schema).of(None, "resource").extra == DECISION


def test_a_long_text_under_many_names_is_measured_though_nothing_was_opened(schema: GatewaySchema) -> None:
    """The texts of a form or a consent are no record's, and may be long."""
    text = parse("{ viewer { " + " ".join(f"a{number}: name" for number in range(40)) + " } }")
    counted = survey(text, limits=Limits(), lists=extents(schema._schema), introspection=False)
    bound = Bound(most=MIB, allowance=Allowance(), survey=counted)
    assert bound.is_passed_by({f"a{number}": "x" * 50_000 for number in range(40)})
    assert not bound.is_passed_by({f"a{number}": "x" * 10_000 for number in range(40)})
