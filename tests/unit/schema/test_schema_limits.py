"""Each ceiling stops what passes it and lets through what stays below; a fragment is measured once."""

import time
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from schema.errors import LimitFault
from schema.extents import DECISION, PART_LIST, extents
from schema.limits import Limits, Survey, survey
from schema.root import GatewaySchema

Measured = Any


@pytest.fixture
def measure(schema: GatewaySchema) -> Measured:
    lists = extents(schema._schema)

    def run(query: str, *, values: dict[str, Any] | None = None, introspection: bool = True, **limits: int) -> Survey:
        return survey(parse(query), limits=Limits(**limits), lists=lists, introspection=introspection, variables=values)

    return run


def records(first: str, inside: str) -> str:
    return f"records(first: {first}) {{ edges {{ node {{ {inside} }} }} }}"


CEILINGS = [
    ("depth", 3, "{ a { b { c } } }", "{ a { b { c { d } } } }"),
    ("depth", 3, "{ a { ...F } } fragment F on T { b { c } }", "{ ...F } fragment F on T { a { b { c { d } } } }"),
    ("fields", 3, "{ a b c }", "{ a b c d }"),
    ("aliases", 2, "{ x: a y: b }", "{ x: a y: b z: c }"),
    ("alike", 2, "{ a { x } a { y } }", "{ a { x } a { y } a { z } }"),
    ("directives", 1, "{ a @skip(if: true) }", "{ a @skip(if: true) @include(if: true) }"),
    ("spreads", 1, "{ ...F } fragment F on T { a }", "{ ...F ...F } fragment F on T { a }"),
    ("operations", 1, "query A { a }", "query A { a } query B { b }"),
    ("fragments", 1, "{ a } fragment F on T { a }", "{ a } fragment F on T { a } fragment G on T { a }"),
    ("variables", 1, "query($a: Int) { a }", "query($a: Int, $b: Int) { a }"),
    ("arguments", 1, "{ a(x: 1) }", "{ a(x: 1, y: 2) }"),
    ("literals", 3, "{ a(x: [1, 2]) }", "{ a(x: [1, 2, 3]) }"),
    ("literal_depth", 1, "{ a(x: [1]) }", "{ a(x: [[1]]) }"),
    ("nesting", 2, "{ ... { a } }", "{ ... { ... { ... { a } } } }"),
]


@pytest.mark.parametrize(("name", "limit", "within", "beyond"), CEILINGS)
def test_ceiling_lets_through_what_is_within(
    measure: Measured, name: str, limit: int, within: str, beyond: str
) -> None:
    assert measure(within, **{name: limit})


@pytest.mark.parametrize(("name", "limit", "within", "beyond"), CEILINGS)
def test_ceiling_stops_what_is_beyond(measure: Measured, name: str, limit: int, within: str, beyond: str) -> None:
    with pytest.raises(LimitFault):
        measure(beyond, **{name: limit})


def test_lists_multiply_along_the_path(measure: Measured) -> None:
    inner = measure("{ patient(id: 1) { " + records("10", "id") + " } }").cost
    nested = measure("{ patient(id: 1) { " + records("10", "patient { " + records("10", "id") + " }") + " } }").cost
    assert inner == 2 + 10 * 3
    assert nested == 2 + 10 * (3 + 1 + 10 * 3)


def test_three_nested_pages_are_refused(measure: Measured) -> None:
    deep = "{ patient(id: 1) { " + records("100", "patient { " + records("100", "id") + " }") + " } }"
    with pytest.raises(LimitFault):
        measure(deep)


def test_last_counts_as_first_and_the_larger_of_both(measure: Measured) -> None:
    asked = "{{ patient(id: 1) {{ timeline({0}) {{ edges {{ cursor }} }} }} }}"
    assert measure(asked.format("last: 7")).cost == 2 + 7 * 2
    assert measure(asked.format("first: 3, last: 7")).cost == 2 + 7 * 2
    for wrong in ("last: 0", "last: 101", "first: 1, last: 101"):
        with pytest.raises(LimitFault):
            measure(asked.format(wrong))
    assert not measure("query($n: Int) { patient(id: 1) { " + 20 * "timeline(last: $n) { edges { node { content } } } "
                       + "} }", cost=5_000).cost_is_certain  # fmt: skip


def test_list_without_first_counts_at_its_default(measure: Measured) -> None:
    assert measure("{ patient(id: 1) { records { edges { cursor } } } }").cost == 2 + 50 * 2


def test_variable_page_size_is_measured_again_with_its_value(measure: Measured) -> None:
    query = "query($n: Int!) { patient(id: 1) { " + records("$n", "patient { " + records("$n", "id") + " }") + " } }"
    assert not measure(query).cost_is_certain
    assert measure(query, values={"n": 5}).cost_is_certain
    with pytest.raises(LimitFault):
        measure(query, values={"n": 100})
    with pytest.raises(LimitFault):
        measure(query, values={})


@pytest.mark.parametrize("first", ["0", "-1", "101", "99999999999999999999"])
def test_literal_page_size_is_bounded(measure: Measured, first: str) -> None:
    with pytest.raises(LimitFault):
        measure("{ patient(id: 1) { " + records(first, "id") + " } }")


def test_common_introspection_query_is_within_every_limit(measure: Measured) -> None:
    assert measure(get_introspection_query())


def test_introspection_can_be_switched_off(measure: Measured) -> None:
    with pytest.raises(LimitFault):
        measure("{ ...F } fragment F on Query { __schema { types { name } } }", introspection=False)


def test_typename_is_no_introspection(measure: Measured) -> None:
    assert measure("{ __typename viewer { __typename } }", introspection=False)


@pytest.mark.parametrize("times", [3, 20])
def test_repeated_introspection_is_refused(measure: Measured, times: int) -> None:
    with pytest.raises(LimitFault):
        measure("{" + "".join(f" a{i}: __schema {{ types {{ name }} }}" for i in range(times)) + "}")


def test_cycle_of_fragments_is_refused(measure: Measured) -> None:
    with pytest.raises(LimitFault):
        measure("{ ...A } fragment A on T { a { ...B } } fragment B on T { b { ...A } }")


def test_doubling_fragments_are_measured_once_each(measure: Measured) -> None:
    chain = "".join(f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }} " for i in range(40))
    started = time.perf_counter()
    with pytest.raises(LimitFault):
        measure("{ ...F0 } " + chain + "fragment F40 on Query { __typename }")
    assert time.perf_counter() - started < 0.1


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("query($i: ID!) { record(id: $i) { __typename } }", True),
        ("{ a(first: 5, purpose: TREAT, b: true, c: [TREAT]) }", True),
        ('{ record(id: "x") { __typename } }', False),
        ("{ a(x: {}) }", False),
        ("{ a(x: [{}]) }", False),
        ('query($a: String = "x") { a }', False),
        ('{ a @skip(if: "x") }', False),
    ],
)
def test_documents_with_text_of_the_client_are_known_for_what_they_are(
    measure: Measured, query: str, kept: bool
) -> None:
    assert measure(query).holds_literals is not kept


OBSERVED = """... on FhirObservation { status category { coding { system code } }
  code { coding { system code display } text }
  effectiveDateTime valueQuantity { value unit } valueCodeableConcept { text } component { code { text }
  valueQuantity { value unit } } encounter { reference resource { ... on FhirEncounter { class { code }
  type { text } period { start end } } ... on Refusal { code } } } }"""


def resources(first: int, inside: str) -> str:
    return "{ patient(id: 1) { " + records(str(first), f"id resource {{ {inside} }}") + " } }"


def test_a_page_of_observations_with_their_encounters_is_within_every_limit(measure: Measured) -> None:
    assert measure(resources(50, OBSERVED)).cost < 7_000


@pytest.mark.parametrize(
    "inside",
    [
        "... on FhirObservation { hasMember { resource { ... on FhirObservation {"
        " hasMember { record { __typename } } } } } }",
        "... on FhirObservation { extension { extension { extension { extension { url } } } } }",
        "... on FhirObservation { "
        + " ".join(f"a{at}: subject {{ resource {{ __typename }} }}" for at in range(6))
        + " }",
    ],
    ids=["references of references", "extensions of extensions", "one reference many times"],
)
def test_hostile_nesting_of_a_hundred_resources_is_refused(measure: Measured, inside: str) -> None:
    with pytest.raises(LimitFault):
        measure(resources(100, inside))


def test_a_reference_costs_more_than_what_is_there_already(measure: Measured) -> None:
    there = measure(resources(1, "... on FhirObservation { subject { reference } }")).cost
    opened = measure(resources(1, "... on FhirObservation { subject { resource { __typename } } }")).cost
    assert opened == there + 1 + DECISION


def test_a_name_counts_as_what_it_is_in_its_own_type(measure: Measured) -> None:
    """`author` is one actor in a record and a list in a document reference."""
    assert measure("{ record(id: 1) { ... on Record { author { name } } } }").cost == 1 + 2
    listed = "{ record(id: 1) { ... on Record { resource { ... on FhirDocumentReference { author { display } } } } } }"
    assert measure(listed).cost == 1 + 1 + 1 + PART_LIST


def test_fragments_carry_their_type(measure: Measured) -> None:
    inline = "{ record(id: 1) { ... on Record { resource { ... on FhirPatient { name { family } } } } } }"
    spread = "{ record(id: 1) { ...R } } fragment R on Record { resource { ...P } }"
    spread += " fragment P on FhirPatient { name { family } }"
    assert measure(inline).cost == measure(spread).cost == 1 + 1 + 1 + PART_LIST


def test_what_no_type_has_counts_as_the_widest_of_its_name(measure: Measured) -> None:
    assert measure("{ nothing { records { x } } }").cost == 1 + 1 + 50
    assert measure("{ nothing { coding { x } } }").cost == 1 + 1 + PART_LIST
