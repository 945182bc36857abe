"""Ages: over 89 is 90, in whatever unit and under whatever code; of some people none is told."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deid.ages import AGES, kept_age, kept_quantity, kept_years
from gateway.deid.codes import UCUM
from gateway.deid.profile import parse_profile, shipped
from gateway.deid.resources import Deidentifier
from tests.unit.gateway.deid.people import TODAY, person
from tests.unit.gateway.deid.test_profiles import changed

OVER = {"value": 90, "system": UCUM, "code": "a"}
YOUNG, OLD, NOBODY = {"birthDate": "1980-05-06"}, {"birthDate": "1928-05-06"}, {"gender": "female"}
AGE, HEIGHT = "30525-0", "8302-2"
Tree = dict[str, Any]


def ucum(value: float, code: str) -> Tree:
    return {"value": value, "system": UCUM, "code": code}


@cache
def deidentifier(name: str) -> Deidentifier:
    return Deidentifier(shipped(name))


def leave(resource: Tree, patient: Tree, name: str = "safe-harbor") -> Tree:
    return deidentifier(name).apply(resource, person(shipped(name), patient), id="x") or {}


def observed(code: str, **value: Any) -> Tree:
    return {"resourceType": "Observation", "code": {"coding": [{"system": "http://loinc.org", "code": code}]}, **value}


OLDER = [
    {"value": 95, "unit": "years"}, {"value": 95, "unit": "yr"}, {"value": 95, "code": "years"},
    {"value": 95, "system": UCUM, "code": "years"}, {"value": 95, "system": UCUM, "code": "{years}"},
    {"value": 95, "system": "http://snomed.info/sct", "code": "258707000"},
    *(ucum(95, code) for code in ("a", "a_t", "a_j", "a_g", "a{age}", "1{year}")),
    *(ucum(1140, code) for code in ("mo", "mo_j", "mo_g")), ucum(1180, "mo_s"),
    ucum(4960, "wk"), ucum(34700, "d"), ucum(832200, "h"), ucum(3000, "Ms"), ucum(3, "Gs"),
    ucum(32871, "d"), ucum(4695, "wk"), ucum(-95, "a"), {"value": 95, "comparator": "<", "code": "a", "system": UCUM},
]  # fmt: skip


@pytest.mark.parametrize("told", OLDER)
def test_an_age_over_89_is_ninety_in_every_unit(told: Tree) -> None:
    assert kept_age(told) == OVER
    assert kept_quantity(told, tells_ages=True) == OVER


@pytest.mark.parametrize("told", [ucum(0.95, "100.a"), ucum(9.5, "10*1.a"), ucum(95, "a1"), ucum(0.95, "a.100"),
                                  ucum(95, "/a-1"), ucum(0.095, "km.a/m")])  # fmt: skip
def test_a_time_that_is_multiplied_does_not_leave(told: Tree) -> None:
    assert kept_age(told) is None
    assert kept_quantity(told, tells_ages=True) is None


@pytest.mark.parametrize("unit", ["Jahre", "lustrum", "kg", "5", "a b"])
@pytest.mark.parametrize("place", ["unit", "code"])
def test_an_age_in_an_unknown_unit_does_not_leave(place: str, unit: str) -> None:
    assert kept_age({"value": 62, place: unit}) is None


def test_an_age_without_a_unit_is_in_years() -> None:
    assert kept_age({"value": 95}) == OVER
    assert kept_age({"value": 62, "unit": ""}) == ucum(62, "a")
    assert (kept_years(95), kept_years(62), kept_years(1928), kept_years("62")) == (90, 62, None, None)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({"value": 62, "unit": "years"}, ucum(62, "a")),
        (ucum(744, "mo"), ucum(744, "mo")),
        ({"value": 62, "system": UCUM, "code": "a", "comparator": ">"}, {**ucum(62, "a"), "comparator": ">"}),
        (ucum(89, "a"), ucum(89, "a")),
        (ucum(1928, "a"), None),
        ({"value": "62"}, None),
        ({"unit": "a"}, None),
    ],
)
def test_an_age_that_many_have_leaves(told: Tree, left: Tree | None) -> None:
    assert kept_age(told) == left


@pytest.mark.parametrize(
    "code",
    ["/min", "{beats}/min", "mm/h", "mL/min/{1.73_m2}", "min/wk", "h/d", "dyn.s/cm5", "ng.h/mL", "ms", "s", "m/s2",
     "kg/m2", "mm[Hg]", "10*3/uL", "%", "d-1"],
)  # fmt: skip
def test_what_is_no_time_leaves_as_it_is(code: str) -> None:
    assert kept_quantity(ucum(120, code), tells_ages=False) == ucum(120, code)


@given(st.floats(0, 9e6), st.sampled_from(["a", "a_j", "mo", "mo_s", "wk", "d", "h", "min", "s", "ks", "Ms", "years"]))
def test_no_age_over_89_leaves_in_any_unit(value: float, code: str) -> None:
    each = {"a": 1, "a_j": 1, "mo": 1 / 12, "mo_s": 0.0808, "wk": 0.01916, "d": 0.0027379, "h": 1 / 8766,
            "min": 1 / 525960, "s": 1 / 31557600, "ks": 1 / 31557.6, "Ms": 1 / 31.5576, "years": 1}  # fmt: skip
    left = kept_age(ucum(value, code))
    assert left is None or left == OVER or value * each[code] < 90


# Where a code says so


@pytest.mark.parametrize("code", sorted(AGES))
@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"valueInteger": 95}, {"valueInteger": 90}),
        ({"valueQuantity": {"value": 95}}, {"valueQuantity": OVER}),
        ({"valueQuantity": {"value": 95, "unit": "Jahre"}}, {}),
        ({"valueRange": {"low": {"value": 95}, "high": {"value": 99}}}, {"valueRange": {"low": OVER, "high": OVER}}),
        ({"valueRatio": {"numerator": {"value": 95}, "denominator": {"value": 1}}}, {}),
        ({"valueInteger": 1928}, {}),
        ({"valueInteger": 62}, {"valueInteger": 62}),
    ],
)
def test_a_value_under_a_code_of_an_age_is_one(code: str, value: Tree, left: Tree) -> None:
    told = observed(code, **value)
    found = leave(told, YOUNG)
    assert {name: one for name, one in found.items() if name.startswith("value")} == left
    # So is that of a component, and in a panel of ages that of each, whatever it is called.
    for panel, part in ((observed(HEIGHT), told["code"]), (told, {"text": "years"})):
        inside = leave({**panel, "component": [{"code": part, **value}]}, YOUNG).get("component", [{}])[0]
        assert {name: one for name, one in inside.items() if name.startswith("value")} == left


def test_a_value_under_another_code_is_none() -> None:
    assert leave(observed(HEIGHT, valueInteger=180), YOUNG)["valueInteger"] == 180


def test_what_a_value_is_counts_though_its_code_stays() -> None:
    profile = parse_profile(changed(resources={"Observation": ["valueInteger"]}))
    left = Deidentifier(profile).apply(observed(AGE, valueInteger=95), person(profile, YOUNG), id="x")
    assert left == {"resourceType": "Observation", "id": "x", "valueInteger": 90}


def test_a_range_of_ages_is_pooled_at_both_ends() -> None:
    told = {"low": {"value": 85, "unit": "years"}, "high": {"value": 95}}
    for kind, element in (
        ("Condition", "onsetRange"),
        ("Condition", "abatementRange"),
        ("Procedure", "performedRange"),
    ):
        left = leave({"resourceType": kind, element: told}, YOUNG)
        assert left[element] == {"low": ucum(85, "a"), "high": OVER}


# Of whom none is told


@pytest.mark.parametrize("name", ["safe-harbor", "expert-determination"])
@pytest.mark.parametrize("patient", [OLD, NOBODY])
@pytest.mark.parametrize(
    "told",
    [
        {"resourceType": "Condition", "onsetAge": ucum(62, "a"), "recordedDate": "1990-04-05"},
        {"resourceType": "Condition", "onsetRange": {"low": ucum(60, "a")}, "recordedDate": "1990-04-05"},
        {"resourceType": "Condition", "abatementAge": ucum(744, "mo"), "recordedDate": "1990-04-05"},
        {"resourceType": "Procedure", "performedAge": {"value": 62}},
        observed(AGE, valueInteger=62, effectiveDateTime="1990-04-05"),
        observed(AGE, valueQuantity=ucum(62, "a"), effectiveDateTime="1990-04-05"),
        observed(HEIGHT, valueQuantity=ucum(22645, "d"), effectiveDateTime="1990-04-05"),
        observed(HEIGHT, referenceRange=[{"age": {"low": ucum(60, "a"), "high": ucum(64, "a")}}]),
    ],
)
def test_no_age_is_told_that_a_date_would_make_a_birth_of(name: str, patient: Tree, told: Tree) -> None:
    """62 in 1990 is 1928, whatever stands for the birth year."""
    left = leave(told, patient, name)
    assert "62" not in str(left)
    assert not {"onsetAge", "onsetRange", "abatementAge", "performedAge", "valueInteger", "valueQuantity"} & left.keys()
    assert "age" not in str(left.get("referenceRange", ""))
    assert len(leave(told, YOUNG, name)) > len(left) or "referenceRange" in told


def test_no_date_is_told_that_is_older_than_anybody_of_89() -> None:
    told: Tree = {"resourceType": "Condition", "onsetDateTime": f"{TODAY.year - 91}-02-03"}
    assert "onsetDateTime" not in leave(told, NOBODY)
    assert "onsetDateTime" not in leave(told, OLD)
    assert "onsetDateTime" in leave({**told, "onsetDateTime": "1990"}, NOBODY)


def test_of_relatives_nothing_is_told_that_makes_a_birth_of_a_date() -> None:
    told = {
        "resourceType": "FamilyMemberHistory", "date": "2010-01-01", "ageAge": ucum(85, "a"),
        "ageRange": {"low": ucum(85, "a")}, "bornDate": "1925",
        "condition": [{"onsetPeriod": {"start": "1931"}, "onsetAge": ucum(70, "a"), "contributedToDeath": False}],
    }  # fmt: skip
    left = leave(told, YOUNG)
    assert left == {
        "resourceType": "FamilyMemberHistory", "id": "x", "date": "2010",
        "condition": [{"onsetAge": ucum(70, "a"), "contributedToDeath": False}],
    }  # fmt: skip
