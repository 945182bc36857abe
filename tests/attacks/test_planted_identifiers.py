"""Each of Safe Harbor's eighteen identifiers, put wherever a FHIR resource can hold a text, leaves by no profile.

Source of the list: 45 CFR 164.514(b)(2)(i)(A) to (R). A name in the place of a code looks like a code; that it does not
leave a table is shown with the cells that few people have (`tests/attacks/test_small_cells.py`).
"""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.deid.catalogue import catalogue
from gateway.deid.profile import SHIPPED, Profile, shipped
from gateway.deid.resources import Deidentifier
from tests.unit.gateway.deid.people import bundles, examples, person

NAME = "Schwarzenegger-Quill"
PLANTED = {
    "A name": NAME,
    "B street": "17 Elm Street, Framinghamton",
    "B zip": "02139-4307",
    "C date": "1987-06-05",
    "D telephone": "(555) 867-5309",
    "E fax": "+1 555 867 5310",
    "F mail": "quill@example.org",
    "G social security": "987-65-4329",
    "H medical record": "MRN-00482913",
    "I health plan": "H1234-567-890",
    "J account": "9987123488",
    "K licence": "S99934567",
    "L vehicle": "1HGCM82633A004352",
    "M device": "SN-7784-XK29",
    "N url": "https://people.example/quill",
    "O address": "203.0.113.77",
    "P biometric": "FP:9f8e7d6c5b",
    "Q photograph": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB",
    "R other": "UID-5c2f-aa91",
}
Tree = dict[str, Any]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Callable[[Any], None], tuple[str, ...]]]:
    """A setter for every text and number of a tree, and where it stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, str(name)))
        elif not isinstance(item, bool) and (path or name != "resourceType"):

            def put(other: Any, place: Any = value, at: Any = name) -> None:
                place[at] = other

            yield put, (*path, str(name))


@cache
def one_of_each_type(shared_data: Path) -> list[Tree]:
    """The largest example of each type that may leave, of HL7's and of one Synthea patient."""
    best: dict[str, Tree] = {}
    for resource in (*examples(shared_data), *(one for some in bundles(shared_data, most=1) for one in some)):
        name = resource["resourceType"]
        if name in catalogue().resources and len(str(resource)) > len(str(best.get(name, ""))):
            best[name] = resource
    return list(best.values())


@cache
def deidentifier(name: str) -> Deidentifier:
    return Deidentifier(shipped(name))


def leave(profile: Profile, resource: Tree) -> str:
    patient = resource if resource["resourceType"] == "Patient" else None
    left = deidentifier(profile.name).apply(resource, person(profile, patient), id="x")
    return json.dumps(left, ensure_ascii=False)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_identifier_in_the_place_of_any_value_leaves(shared_data: Path, name: str) -> None:
    profile = shipped(name)
    tried = 0
    for example in one_of_each_type(shared_data):
        resource = copy.deepcopy(example)
        told = person(profile, resource if resource["resourceType"] == "Patient" else None)
        for put, path in leaves(resource):
            before = resource
            for step in path:
                before = before[int(step)] if isinstance(before, list) else before[step]
            for value in PLANTED.values():
                if value == NAME and path[-1] == "code":
                    continue
                put(value)
                left = json.dumps(deidentifier(name).apply(resource, told, id="x"), ensure_ascii=False)
                assert value not in left, (resource["resourceType"], path, value)
                tried += 1
            put(before)
    assert tried > 20_000


INJECTED: dict[str, Callable[[str], Tree]] = {
    "extension": lambda value: {"extension": [{"url": value, "valueString": value}]},
    "race with a text": lambda value: {
        "extension": [
            {
                "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                "extension": [{"url": "text", "valueString": value}, {"url": value, "valueCoding": {"display": value}}],
            }
        ]
    },
    "contained": lambda value: {
        "contained": [{"resourceType": "Patient", "id": "p", "name": [{"family": value}], "birthDate": value}]
    },
    "narrative": lambda value: {"text": {"status": "generated", "div": f"<div>{value}</div>"}},
    "note": lambda value: {"note": [{"text": value, "authorString": value, "time": value}]},
    "identifier": lambda value: {"identifier": [{"system": value, "value": value, "assigner": {"display": value}}]},
    "attachment": lambda value: {"content": [{"attachment": {"data": value, "url": value, "title": value}}]},
    "photograph": lambda value: {"photo": [{"contentType": "image/png", "data": value, "title": value}]},
    "name": lambda value: {"name": [{"text": value, "family": value, "given": [value]}]},
    "telecom": lambda value: {"telecom": [{"system": "phone", "value": value}]},
    "contact": lambda value: {"contact": [{"name": {"text": value}, "address": {"line": [value], "city": value}}]},
    "address": lambda value: {
        "address": [
            {"text": value, "line": [value], "city": value, "district": value, "state": value, "country": value}
        ]
    },
    "beside a primitive": lambda value: {
        "_birthDate": {"id": value, "extension": [{"url": "u", "valueDateTime": value}]},
        "_status": {"extension": [{"url": "u", "valueString": value}]},
    },
    "display": lambda value: {"subject": {"reference": "Patient/1", "display": value, "identifier": {"value": value}}},
    "reference": lambda value: {"subject": {"reference": f"{value}/{value}"}, "encounter": {"reference": value}},
    "text of a code": lambda value: {"code": {"text": value, "coding": [{"display": value, "version": value}]}},
    "unknown system": lambda value: {"code": {"coding": [{"system": value, "code": value}]}},
    "a family of systems": lambda value: {
        "code": {"coding": [{"system": f"http://hl7.org/fhir/{value}", "code": "A"}]}
    },
    "a code that is an address": lambda value: {
        "code": {
            "coding": [
                {
                    "system": "https://bluebutton.cms.gov/resources/codesystem/adjudication",
                    "code": f"https://bluebutton.cms.gov/resources/variables/{value}",
                }
            ]
        }
    },
    "string value": lambda value: {"valueString": value, "valueTime": value, "valueUri": value, "valueId": value},
    "unit": lambda value: {"valueQuantity": {"value": 1, "unit": value, "system": value, "code": value}},
    "meta": lambda value: {"meta": {"source": value, "tag": [{"system": value, "code": value, "display": value}]}},
    "language": lambda value: {"language": value, "implicitRules": value},
    "what nobody knows": lambda value: {"zzz": value, "nested": {"deeper": [{"deepest": value}]}},
    "link": lambda value: {"link": [{"other": {"reference": value, "display": value}}]},
    "component": lambda value: {"component": [{"code": {"text": value}, "valueString": value}]},
    "large number": lambda value: {"valueInteger": 9987123488, "valueDecimal": 9987123488.5},
}
WORDS = ("a family of systems", "a code that is an address")
"""Where a name looks like a word of a code, and is left to the cells that few people have."""


@pytest.mark.parametrize("place", INJECTED)
@pytest.mark.parametrize("name", SHIPPED)
def test_no_identifier_in_an_element_of_its_own_leaves(shared_data: Path, name: str, place: str) -> None:
    profile = shipped(name)
    for example in one_of_each_type(shared_data):
        for value in PLANTED.values():
            if value == NAME and place in WORDS:
                continue
            assert value not in leave(profile, {**example, **INJECTED[place](value)}), (example["resourceType"], value)


def aged(value: float, **unit: str) -> Tree:
    return {"value": value, **unit}


UCUM = "http://unitsofmeasure.org"
AGE = {"coding": [{"system": "http://loinc.org", "code": "30525-0"}]}
OVER_89: dict[str, Tree] = {
    "a unit in words": {"resourceType": "Condition", "onsetAge": aged(95, unit="years")},
    "a code in words": {"resourceType": "Condition", "onsetAge": aged(95, code="years")},
    "UCUM's code in words": {"resourceType": "Condition", "onsetAge": aged(95, code="years", system=UCUM)},
    "no unit": {"resourceType": "Condition", "onsetAge": aged(95)},
    "a unit of nobody's": {"resourceType": "Condition", "onsetAge": aged(9.5, unit="decades")},
    **{
        f"UCUM's {code}": {"resourceType": "Procedure", "performedAge": aged(value, code=code, system=UCUM)}
        for code, value in (
            ("a_j", 95), ("a_g", 95), ("a_t", 95), ("mo_j", 1140), ("mo_s", 1177), ("100.a", 0.95), ("10*1.a", 9.5),
            ("h", 832200), ("Ms", 2998), ("a{age}", 95), ("{years}", 95), ("/a-1", 95),
        )
    },
    "a range": {"resourceType": "Condition", "abatementRange": {"low": aged(95), "high": aged(97, unit="years")}},
    "an integer": {"resourceType": "Observation", "code": AGE, "valueInteger": 95},
    "a quantity": {"resourceType": "Observation", "code": AGE, "valueQuantity": aged(95)},
    "a range of values": {"resourceType": "Observation", "code": AGE, "valueRange": {"low": aged(95)}},
    "a ratio": {"resourceType": "Observation", "code": AGE, "valueRatio": {"numerator": aged(95)}},
    "a component": {"resourceType": "Observation", "code": {}, "component": [{"code": AGE, "valueInteger": 95}]},
    "a year of birth": {
        "resourceType": "Observation", "valueInteger": 1928,
        "code": {"coding": [{"system": "http://loinc.org", "code": "80904-6"}]},
    },
    "a quantity of anything": {"resourceType": "Observation", "valueQuantity": aged(95, unit="years")},
    "a range of reference": {"resourceType": "Observation", "referenceRange": [{"age": {"low": aged(95)}}]},
    "a relative's death": {"resourceType": "FamilyMemberHistory", "deceasedAge": aged(95, unit="years")},
    "a goal": {"resourceType": "Goal", "target": [{"measure": AGE, "detailInteger": 95}]},
}  # fmt: skip


@pytest.mark.parametrize("place", OVER_89)
@pytest.mark.parametrize("name", SHIPPED)
def test_no_age_over_89_leaves(name: str, place: str) -> None:
    """45 CFR 164.514(b)(2)(i)(C): such ages may be aggregated into one of 90 or older."""
    told = OVER_89[place]
    left = deidentifier(name).apply(told, person(shipped(name), {"birthDate": "1980-05-06"}), id="x")
    assert numbers(left) <= {90}


def numbers(tree: Any) -> set[Any]:
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return set().union(*map(numbers, items)) if not isinstance(tree, int | float) else {tree}


DATED: list[Tree] = [
    {"resourceType": "Condition", "onsetAge": aged(62, code="a", system=UCUM), "recordedDate": "1990-04-05"},
    {"resourceType": "Condition", "abatementRange": {"high": aged(62, unit="years")}, "recordedDate": "1990-04-05"},
    {"resourceType": "Procedure", "performedAge": aged(744, code="mo", system=UCUM)},
    {"resourceType": "Observation", "code": AGE, "valueInteger": 62, "effectiveDateTime": "1990-04-05"},
    {"resourceType": "Observation", "valueQuantity": aged(62, unit="years"), "effectiveDateTime": "1990-04-05"},
]


@pytest.mark.parametrize("told", DATED)
@pytest.mark.parametrize("patient", [{"birthDate": "1928-05-06"}, {"birthDate": "1928-02-30"}, {}])
@pytest.mark.parametrize("name", SHIPPED)
def test_no_date_with_an_age_tells_of_one_over_89(name: str, patient: Tree, told: Tree) -> None:
    """62 in 1990 is born in 1928, though 1936 stands for that."""
    left = deidentifier(name).apply(told, person(shipped(name), patient), id="x")
    assert numbers(left) == set()


def test_what_changes_the_meaning_keeps_the_resource_back() -> None:
    profile = shipped("safe-harbor")
    for changed in (
        {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]},
        {"implicitRules": "http://example.org/rules"},
        {"component": [{"code": {"coding": []}, "modifierExtension": [{"url": "http://example.org/not"}]}]},
    ):
        assert leave(profile, {"resourceType": "Observation", "status": "final", **changed}) == "null"


@pytest.mark.parametrize("kind", ["Practitioner", "Organization", "RelatedPerson", "Location", "Bundle", "Nothing", ""])
def test_other_people_and_places_do_not_leave(kind: str) -> None:
    assert leave(shipped("safe-harbor"), {"resourceType": kind, "name": [{"text": NAME}]}) == "null"
