"""FHIRPath as views use it: what it yields, what it says it reads, and what it refuses."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.deid.fhirpath import compile_path
from gateway.deid.fhirpath.parts import Flaw, UnfitError
from gateway.errors import CallerError

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "birthDate": "1970-06",
    "name": [
        {"use": "official", "family": "Gray", "given": ["Ann", "Bea"]},
        {"use": "usual", "given": ["Annie", None]},
    ],
    "multipleBirthInteger": 2,
    "generalPractitioner": [
        {"reference": "Practitioner/d1"},
        {"reference": "Organization/o1"},
        {"display": "somebody"},
        {"reference": "https://elsewhere.example/Practitioner/d2"},
        {"reference": "Practitioner/d3/_history/1"},
        {"reference": "#contained"},
    ],
    "extension": [{"url": "u", "valueDecimal": 0.1}, {"url": "v", "valueDecimal": 0.2}],
    "period": {"start": "2020-01-01T10:00:00+02:00", "end": "2020-01-01T09:00:00Z"},
}


def found(text: str) -> list[Any]:
    return compile_path(text, field=("path",), resource="Patient").run(PATIENT, 7)


def reads(text: str) -> set[str]:
    return set(compile_path(text, field=("path",), resource="Patient").reads)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name.given", ["Ann", "Bea", "Annie"]),
        ("Patient.name.given[1]", ["Bea"]),
        ("name[1].given.first()", ["Annie"]),
        ("name[5]", []),
        ("name.where(use = 'official').family", ["Gray"]),
        ("name.where($this.use = 'official' and family.exists()).given.join('-')", ["Ann-Bea"]),
        ("name.exists(use = 'old')", [False]),
        ("name.where(use = 'old').empty()", [True]),
        ("telecom.join(',')", []),
        ("multipleBirth.ofType(integer) + 1", [3]),
        ("multipleBirth.ofType(FHIR.integer) / 4", [Decimal("0.5")]),
        ("extension('u').value.ofType(decimal) + extension('v').value.ofType(decimal) = 0.3", [True]),
        ("extension('w').value.ofType(decimal)", []),
        ("getResourceKey()", ["p1"]),
        ("generalPractitioner.getReferenceKey()", ["d1", "o1"]),
        ("generalPractitioner.getReferenceKey(Practitioner)", ["d1"]),
        ("generalPractitioner.getReferenceKey('Organization')", ["o1"]),
        ("%rowIndex", [7]),
        ("'it\\'s \\u00e9'", ["it's é"]),
        ("'\\ud83d\\ude00'", ["😀"]),
        ("`name`.`use`[0]", ["official"]),
        ("1 + 2 * 3", [7]),
        ("(1 + 2) * 3", [9]),
        ("7 - 2 - 1", [4]),
        ("-1 - -2", [1]),
        ("'a' + 'b'", ["ab"]),
        ("1 / 0", []),
        ("999999999999999999 * 999999999999999999", []),
    ],
)
def test_an_expression_yields(text: str, expected: list[Any]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("active and gender.exists()", [False]),
        ("gender = 'x' and active", []),
        ("gender = 'x' and active.not()", [False]),
        ("active.not() and gender = 'x'", [False]),
        ("gender = 'x' or active", [True]),
        ("gender = 'x' or active.not()", []),
        ("active or gender = 'x'", [True]),
        ("(gender = 'x').not()", []),
        ("active.not() or active.not()", [False]),
        ("id and active", [True]),
    ],
)
def test_logic_has_three_values(text: str, expected: list[Any]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gender = 'x'", []),
        ("gender != 'x'", []),
        ("name.given = 'Ann'", [False]),
        ("name.given != 'Ann'", [True]),
        ("name.given = name.given", [True]),
        ("active = 'true'", [False]),
        ("active = 1", [False]),
        ("1 = 1.0", [True]),
        ("0.1 + 0.2 = 0.3", [True]),
        ("0.1 + 0.2 >= 0.3", [True]),
        ("2 < 10", [True]),
        ("'2' < '10'", [False]),
        ("id > 'p0'", [True]),
    ],
)
def test_comparison_is_of_values_not_of_floats_or_texts(text: str, expected: list[Any]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("birthDate < @1970-07-01", [True]),
        ("birthDate < @1970-06-15", []),
        ("birthDate = @1970-06", [True]),
        ("birthDate = @1970-06-01", []),
        ("birthDate = @1971-06-01", [False]),
        ("period.start < period.end", [True]),
        ("period.start = @2020-01-01T08:00:00Z", [True]),
        ("period.start = @2020-01-01T10:00:00", []),
        ("@2020-01-01T23:00:00-12:00 > @2020-01-02T10:00:00Z", [True]),
        ("@T10:00 < @T10:30", [True]),
        ("@T10:00 = @T10:00:00", []),
        ("@2020-02-29 > @2020-02-28", [True]),
    ],
)
def test_moments_are_compared_as_precisely_as_they_are_given(text: str, expected: list[Any]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("birthDate.lowBoundary()", ["1970-06-01"]),
        ("birthDate.highBoundary()", ["1970-06-30"]),
        ("period.start.lowBoundary()", ["2020-01-01T10:00:00.000+02:00"]),
        ("@2024.highBoundary()", ["2024-12-31"]),
        ("@T10:30.highBoundary()", ["10:30:59.999"]),
        ("(1.587).lowBoundary()", [Decimal("1.5865")]),
        ("5.highBoundary()", [Decimal("5.5")]),
        ("id.lowBoundary()", []),
        ("gender.lowBoundary()", []),
    ],
)
def test_a_boundary_is_the_first_or_last_that_may_be_meant(text: str, expected: list[Any]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name.where(use = 'official').family", {"name.use", "name.family"}),
        ("name.exists()", {"name"}),
        ("name.exists(use = 'x' and period.end.empty())", {"name", "name.use", "name.period.end"}),
        ("multipleBirth.ofType(integer)", {"multipleBirthInteger"}),
        ("deceased.ofType(boolean).exists() or active", {"deceasedBoolean", "active"}),
        ("extension('u').value.ofType(Coding).code", {"extension.url", "extension.valueCoding.code"}),
        ("link.other.getReferenceKey(Patient) = getResourceKey()", {"link.other.reference", "id"}),
        ("$this", {""}),
        ("where(active).exists()", {"active"}),
        ("name[0].given.join(',') + birthDate.lowBoundary()", {"name.given", "birthDate"}),
        ("'nothing' + %rowIndex", set()),
    ],
)
def test_an_expression_knows_what_it_reads(text: str, expected: set[str]) -> None:
    assert reads(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name | telecom", "| is not supported, at character 6"),
        ("name & 'x'", "& is not supported"),
        ("active xor active", "xor is not supported"),
        ("active implies active", "implies is not supported"),
        ("5 div 2", "div is not supported"),
        ("name is HumanName", "is is not supported"),
        ("'a' in name", "in is not supported"),
        ("name ~ name", "~ is not supported"),
        ("id.matches('(a+)+')", "matches() is not supported"),
        ("name.select(given)", "select() is not supported"),
        ("iif(true, 1, 2)", "iif() is not supported"),
        ("resolve()", "resolve() is not supported"),
        ("repeat(item)", "repeat() is not supported"),
        ("{}", "{ is not supported here"),
        ("$index", "$index is not supported here"),
        ("%resource", "%resource is no constant of the view"),
        ("%unknown", "%unknown is no constant of the view"),
        ("4 'mg'", "has more than one expression"),
        ("name name", "has more than one expression"),
        ("@@", "is no FHIRPath that is supported"),
        ("@2020-02-30", "is no date or time of the calendar"),
        ("'open", "is no FHIRPath that is supported"),
        ("'\\q'", "has an escape that FHIRPath does not know"),
        ("'\\ud800'", "has half a surrogate pair"),
        ("_birthDate.extension('u')", "is no FHIRPath that is supported"),
        ("1234567890123456789", "has a number of more than 18 digits"),
        ("name[-1]", "an index is a whole number"),
        ("name[id]", "an index is a whole number"),
        ("name.", "a dot is followed by a name"),
        ("name.where()", ") is not supported here"),
        ("name.first(1)", ") is missing"),
        ("(name", ") is missing"),
        ("'a'.length", "takes an element of what has none"),
        ("'a'.where(true)", "a criterion is for elements"),
        ("(name.given = 'a').getResourceKey()", "getResourceKey() is asked of the resource itself"),
        ("contact.getResourceKey()", "getResourceKey() is asked of the resource itself"),
        ("multipleBirth", "multipleBirth is a choice of types, and needs ofType()"),
        ("multipleBirth.exists()", "multipleBirth is a choice of types, and needs ofType()"),
        ("multipleBirth = 1", "multipleBirth is a choice of types, and needs ofType()"),
        ("name.where(multipleBirth).use", "multipleBirth is a choice of types, and needs ofType()"),
        ("name.ofType(HumanName)", "ofType() is supported right after a choice element"),
        ("value.ofType(Patient)", "ofType() of what is no type of a choice element"),
        ("value.ofType(Period).lowBoundary()", "a boundary of Period is not supported"),
        ("extension(id)", "extension() takes a text"),
        ("name.given.join(id)", "join() takes a text"),
        ("name // a comment", "/ is not supported here"),
        ("   ", "is an empty expression"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(CallerError) as refusal:
        compile_path(text, field=("views", "0", "path"), resource="Patient")
    assert says in refusal.value.message
    assert refusal.value.field == ("views", "0", "path")


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("name.given + 'x'", Flaw.MANY_VALUES),
        ("name.given > 'x'", Flaw.MANY_VALUES),
        ("name.given and active", Flaw.MANY_VALUES),
        ("name.where(given)", Flaw.MANY_VALUES),
        ("name.given.lowBoundary()", Flaw.MANY_VALUES),
        ("name = name", Flaw.NOT_PRIMITIVE),
        ("active > 1", Flaw.NOT_COMPARABLE),
        ("id < 1", Flaw.NOT_COMPARABLE),
        ("id - 1", Flaw.OTHER_TYPE),
        ("name.join(',')", Flaw.OTHER_TYPE),
        ("period.lowBoundary()", Flaw.OTHER_TYPE),
        ("extension.value", Flaw.CHOICE_WITHOUT_TYPE),
    ],
)
def test_a_resource_that_does_not_fit_is_a_typed_error_without_its_values(text: str, flaw: Flaw) -> None:
    with pytest.raises(UnfitError) as error:
        found(text)
    assert error.value.flaw is flaw
    assert "Ann" not in error.value.message


def test_the_key_of_a_resource_is_not_the_id_of_an_element() -> None:
    with pytest.raises(CallerError, match="getResourceKey"):
        compile_path("getResourceKey()", field=("path",), resource=None)
