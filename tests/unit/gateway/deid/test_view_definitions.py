"""ViewDefinitions: what is refused, what a view says of itself, and what it makes of one resource."""

from typing import Any

import pytest

from gateway.deid.fhirpath.parts import Flaw
from gateway.deid.views import Unfit, View, parse_view
from gateway.errors import CallerError

TYPES = frozenset({"Patient", "Observation", "QuestionnaireResponse"})


def column(name: str, path: str, **more: object) -> dict[str, object]:
    return {"name": name, "path": path, **more}


def parsed(*selects: dict[str, Any], resource: str = "Patient", **more: object) -> View:
    value = {"resource": resource, "select": list(selects), **more}
    return parse_view(value, field=("views", "0"), types=TYPES)


ID = {"column": [column("id", "id")]}


def nested(depth: int) -> dict[str, Any]:
    select: dict[str, Any] = ID
    for _ in range(depth):
        select = {"select": [select]}
    return select


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], ()),
        ({"resource": "Patient"}, ("select",)),
        ({"resource": "Patient", "select": []}, ("select",)),
        ({"resource": "Patient", "select": ID}, ("select",)),
        ({"select": [ID]}, ("resource",)),
        ({"resource": "Basic", "select": [ID]}, ("resource",)),
        ({"resource": 1, "select": [ID]}, ("resource",)),
        ({"resource": "Patient", "select": [ID], "colour": 1}, ("colour",)),
        ({"resource": "Patient", "select": [ID], "resourceType": "Patient"}, ("resourceType",)),
        ({"resource": "Patient", "select": [ID], "name": "two words"}, ("name",)),
        ({"resource": "Patient", "select": [ID], "fhirVersion": ["5.0.0"]}, ("fhirVersion",)),
        ({"resource": "Patient", "select": [ID], "where": [{"path": "'x'"}]}, ("where", "0", "path")),
        ({"resource": "Patient", "select": [ID], "where": [{"path": "a", "x": 1}]}, ("where", "0", "x")),
        ({"resource": "Patient", "select": [{}]}, ("select", "0")),
        ({"resource": "Patient", "select": [{"forEach": "name"}]}, ("select", "0")),
        ({"resource": "Patient", "select": [{**ID, "forEach": "'x'"}]}, ("select", "0", "forEach")),
        ({"resource": "Patient", "select": [{**ID, "forEach": "a", "repeat": ["a"]}]}, ("select", "0", "repeat")),
        ({"resource": "Patient", "select": [{**ID, "repeat": "a"}]}, ("select", "0", "repeat")),
        ({"resource": "Patient", "select": [{**ID, "repeat": ["$this"]}]}, ("select", "0", "repeat", "0")),
        ({"resource": "Patient", "select": [{**ID, "repeat": ["a"] * 11}]}, ("select", "0", "repeat")),
        ({"resource": "Patient", "select": [ID, ID]}, ("select",)),
        ({"resource": "Patient", "select": [nested(9)]}, ("select", *("0", "select") * 7, "0")),
    ],
)
def test_a_view_that_is_wrong_is_refused_with_the_member_named(value: object, field: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refusal:
        parse_view(value, field=("views", "0"), types=TYPES)
    assert refusal.value.field[: 2 + len(field)] == ("views", "0", *field)


@pytest.mark.parametrize(
    ("given", "member"),
    [
        ({"path": "id"}, "name"),
        ({"name": "id"}, "path"),
        ({"name": "1st", "path": "id"}, "name"),
        ({"name": "a" * 64, "path": "id"}, "name"),
        ({"name": "é", "path": "id"}, "name"),
        ({"name": "id", "path": "id", "type": "HumanName"}, "type"),
        ({"name": "id", "path": "id", "collection": "yes"}, "collection"),
        ({"name": "id", "path": "id", "width": 1}, "width"),
        ({"name": "id", "path": "id.exists()", "type": "string"}, "type"),
        ({"name": "id", "path": "value.ofType(Quantity)"}, "path"),
        ({"name": "id", "path": "id |"}, "path"),
    ],
)
def test_a_column_that_is_wrong_is_refused_with_the_member_named(given: dict[str, Any], member: str) -> None:
    with pytest.raises(CallerError) as refusal:
        parsed(ID, {"column": [column("other", "id"), given]})
    assert refusal.value.field == ("views", "0", "select", "1", "column", "1", member)


@pytest.mark.parametrize(
    ("constant", "member"),
    [
        ({"name": "c"}, ()),
        ({"name": "c", "valueString": "a", "valueCode": "b"}, ()),
        ({"name": "c", "valueString": 1}, ("valueString",)),
        ({"name": "c", "valueInteger": True}, ("valueInteger",)),
        ({"name": "c", "valueDate": "2020-02-30"}, ("valueDate",)),
        ({"name": "c", "valueQuantity": {"value": 1}}, ("valueQuantity",)),
        ({"name": "rowIndex", "valueInteger": 1}, ("name",)),
    ],
)
def test_a_constant_that_is_wrong_is_refused(constant: dict[str, Any], member: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refusal:
        parsed(ID, constant=[constant])
    assert refusal.value.field == ("views", "0", "constant", "0", *member)


def test_more_than_a_hundred_columns_are_refused() -> None:
    halves = [{"column": [column(f"{half}{number}", "id") for number in range(51)]} for half in "ab"]
    with pytest.raises(CallerError, match="more than 100 columns"):
        parsed(*halves)


def test_the_branches_of_a_union_have_the_same_columns() -> None:
    with pytest.raises(CallerError) as refusal:
        parsed({"unionAll": [{"column": [column("a", "id")]}, {"column": [column("a", "id.exists()")]}]})
    assert refusal.value.field == ("views", "0", "select", "0", "unionAll", "1")


def test_a_column_tells_every_element_it_may_read_from_the_resource_on() -> None:
    view = parsed(
        {"column": [column("key", "getResourceKey()"), column("zip", "address.where(use = 'home').postalCode")]},
        {
            "forEach": "contact.where(gender = 'male')",
            "column": [column("family", "name.family"), column("n", "%rowIndex")],
        },
        {"forEachOrNull": "deceased.ofType(dateTime)", "column": [column("died", "$this")]},
        where=[{"path": "active"}],
    )
    assert {one.name: set(one.reads) for one in view.columns} == {
        "key": {"Patient.id"},
        "zip": {"Patient.address.use", "Patient.address.postalCode"},
        "family": {"Patient.contact.name.family"},
        "n": set(),
        "died": {"Patient.deceasedDateTime"},
    }
    assert view.conditions == {
        "Patient.active", "Patient.contact", "Patient.contact.gender", "Patient.deceasedDateTime",
    }  # fmt: skip


def test_what_repeat_reads_lies_any_number_of_steps_below() -> None:
    view = parsed(
        {"repeat": ["item", "answer.item"], "column": [column("link", "linkId")]}, resource="QuestionnaireResponse"
    )
    (link,) = view.columns
    assert link.reads == {"QuestionnaireResponse.item.*.linkId", "QuestionnaireResponse.answer.item.*.linkId"}
    assert "QuestionnaireResponse.item.*.answer.item" in view.conditions


def test_a_union_reads_what_any_branch_reads() -> None:
    view = parsed(
        {"unionAll": [{"column": [column("a", "gender")]}, {"forEach": "name", "column": [column("a", "use")]}]}
    )
    assert view.columns[0].reads == {"Patient.gender", "Patient.name.use"}
    assert view.conditions == {"Patient.name"}


@pytest.mark.parametrize(
    ("given", "kind", "is_checked"),
    [
        (column("a", "id"), "string", False),
        (column("a", "id", type="id"), "id", True),
        (column("a", "id", type="http://hl7.org/fhir/StructureDefinition/code"), "code", True),
        (column("a", "name.exists()"), "boolean", True),
        (column("a", "deceased.ofType(dateTime)"), "dateTime", True),
        (column("a", "birthDate.lowBoundary()"), "date", True),
        (column("a", "name.given.join(' ')"), "string", True),
        (column("a", "%rowIndex"), "integer", True),
        (column("a", "%c"), "decimal", True),
    ],
)
def test_a_columns_type_is_the_one_given_or_inferred(given: dict[str, Any], kind: str, is_checked: bool) -> None:
    (found,) = parsed({"column": [given]}, constant=[{"name": "c", "valueDecimal": 0.5}]).columns
    assert (found.type, found.checked) == (kind, is_checked)


@pytest.mark.parametrize(
    ("given", "resource", "flaw"),
    [
        (column("a", "name.family"), {"name": [{"family": "x"}, {"family": "y"}]}, Flaw.MANY_VALUES),
        (column("a", "name"), {"name": [{"family": "x"}]}, Flaw.NOT_PRIMITIVE),
        (column("a", "name", collection=True), {"name": [{"family": "x"}]}, Flaw.NOT_PRIMITIVE),
        (column("a", "active", type="string"), {"active": True}, Flaw.OTHER_TYPE),
        (column("a", "active", type="integer"), {"active": True}, Flaw.OTHER_TYPE),
        (column("a", "gender", type="boolean"), {"gender": "x"}, Flaw.OTHER_TYPE),
        (column("a", "value"), {"valueQuantity": {}}, Flaw.CHOICE_WITHOUT_TYPE),
    ],
)
def test_a_resource_that_does_not_fit_names_the_column_and_nothing_else(
    given: dict[str, Any], resource: dict[str, Any], flaw: Flaw
) -> None:
    view = parsed(ID, {"column": [given]})
    assert view.rows({"resourceType": "Patient", "id": "p", **resource}) == Unfit(flaw=flaw, column="a")


def test_a_condition_that_is_no_boolean_does_not_fit() -> None:
    view = parsed(ID, where=[{"path": "name.family"}])
    patient = {"resourceType": "Patient", "id": "p", "name": [{"family": "x"}]}
    assert view.rows(patient) == Unfit(flaw=Flaw.NOT_BOOLEAN, column=None)
    assert view.rows({"resourceType": "Patient", "id": "p"}) == []


def test_a_resource_of_another_type_has_no_rows() -> None:
    assert parsed(ID).rows({"resourceType": "Observation", "id": "o"}) == []
    assert parsed(ID).rows([]) == []


def test_reckoned_decimals_are_plain_numbers_in_a_cell() -> None:
    view = parsed(
        {"column": [column("a", "0.1 + 0.2"), column("b", "2 * 3"), column("c", "name.given", collection=True)]}
    )
    assert view.rows({"resourceType": "Patient"}) == [(0.3, 6, [])]


def test_nothing_makes_a_row_of_nulls_but_for_the_index() -> None:
    view = parsed(
        ID, {"forEachOrNull": "name", "column": [column("n", "%rowIndex"), column("k", "'x'"), column("f", "family")]}
    )
    assert view.rows({"resourceType": "Patient", "id": "p"}) == [("p", 0, None, None)]


PRACTITIONERS = {
    "resourceType": "Patient",
    "id": "p",
    "generalPractitioner": [{"reference": "Practitioner/a"}, {"display": "x"}, {"reference": "Organization/b"}],
}


def test_a_reference_key_is_that_of_each_reference() -> None:
    path = "getReferenceKey(Practitioner)"
    view = parsed({"forEachOrNull": "generalPractitioner", "column": [column("key", path, type="string")]})
    assert view.rows(PRACTITIONERS) == [("a",), (None,), (None,)]


def test_the_keys_of_several_references_are_several_values() -> None:
    view = parsed({"column": [column("key", "generalPractitioner.getReferenceKey()")]})
    assert view.rows(PRACTITIONERS) == Unfit(flaw=Flaw.MANY_VALUES, column="key")
