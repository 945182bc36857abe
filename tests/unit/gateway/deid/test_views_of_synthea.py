"""The tables that a researcher would ask for, over real Synthea bundles: every resource fits, and says what it says."""

from pathlib import Path
from typing import Any

import pytest

from gateway.deid.views import Unfit, View, parse_view
from tests.unit.gateway.deid.people import bundles

RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
CODED = {"code": "code.coding.code.first()", "display": "code.coding.display.first()"}
SHARED = {"id": "getResourceKey()", "status": "status"}
VIEWS: dict[str, list[dict[str, Any]]] = {
    "Patient": [
        {
            "id": "getResourceKey()",
            "gender": "gender",
            "born": "birthDate",
            "died": "deceased.ofType(dateTime)",
            "is_dead": "deceased.ofType(dateTime).exists()",
            "state": "address.state.first()",
            "zip": "address.postalCode.first()",
            "marital": "maritalStatus.coding.code.first()",
            "language": "communication.language.coding.code.first()",
            "race": f"extension('{RACE}').extension('ombCategory').value.ofType(Coding).code.first()",
            "official": "name.where(use = 'official').given.first()",
        },
        {"forEach": "address.extension.extension", "url": "url", "value": "value.ofType(decimal)"},
        {"forEach": "identifier", "system": "system", "kind": "type.coding.code.first()"},
    ],
    "Observation": [
        {
            **SHARED, **CODED, "at": "effective.ofType(dateTime)", "value": "value.ofType(Quantity).value",
            "unit": "value.ofType(Quantity).unit", "coded": "value.ofType(CodeableConcept).coding.code.first()",
            "is_high": "value.ofType(Quantity).value > 120.0", "category": "category.coding.code.first()",
        },
        {"forEachOrNull": "component", **CODED, "value": "value.ofType(Quantity).value", "n": "%rowIndex"},
    ],
    "Condition": [
        {"id": "id", **CODED, "onset": "onset.ofType(dateTime)", "abated": "abatement.ofType(dateTime)",
         "clinical": "clinicalStatus.coding.code.first()", "recorded": "recordedDate"},
    ],
    "Encounter": [
        {**SHARED, "class": "class.code", "start": "period.start", "end": "period.end",
         "took": "period.start.lowBoundary() < period.end.highBoundary()", "type": "type.coding.code.first()"},
    ],
    "MedicationRequest": [
        {**SHARED, "drug": "medication.ofType(CodeableConcept).coding.code.first()", "at": "authoredOn",
         "intent": "intent"},
        {"forEach": "dosageInstruction", "n": "%rowIndex", "as_needed": "asNeeded.ofType(boolean)",
         "dose": "doseAndRate.dose.ofType(Quantity).value.first()"},
    ],
    "Procedure": [{**SHARED, **CODED, "start": "performed.ofType(Period).start"}],
    "Immunization": [{**SHARED, "vaccine": "vaccineCode.coding.code.first()", "at": "occurrence.ofType(dateTime)"}],
    "DiagnosticReport": [
        {**SHARED, **CODED, "issued": "issued"},
        {"forEach": "result", "display": "display"},
    ],
    "Claim": [
        {**SHARED, "total": "total.value"},
        {"forEach": "item", "sequence": "sequence", "net": "net.value", "product": "productOrService.text"},
    ],
    "CarePlan": [{**SHARED, "intent": "intent"}, {"forEach": "activity", "at": "detail.status"}],
}  # fmt: skip


def view(resource: str, paths: dict[str, str]) -> View:
    over = {name: path for name, path in paths.items() if name.startswith("forEach")}
    columns = [{"name": name, "path": path} for name, path in paths.items() if name not in over]
    value = {"resource": resource, "select": [{**over, "column": columns}]}
    return parse_view(value, field=("view",), types=set(VIEWS))


@pytest.fixture(scope="module")
def resources(shared_data: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in (resource for some in bundles(shared_data, most=4) for resource in some):
        found.setdefault(one["resourceType"], []).append(one)
    return found


@pytest.mark.parametrize(
    ("resource", "paths"), [(name, paths) for name, views in VIEWS.items() for paths in views], ids=str
)
def test_every_resource_fits(resource: str, paths: dict[str, str], resources: dict[str, list[dict[str, Any]]]) -> None:
    subject = view(resource, paths)
    rows = 0
    for one in resources[resource]:
        found = subject.rows(one)
        assert not isinstance(found, Unfit)
        rows += len(found)
    assert rows > 0


def test_a_row_says_what_the_resource_says(resources: dict[str, list[dict[str, Any]]]) -> None:
    subject = view("Observation", VIEWS["Observation"][0])
    for one in resources["Observation"]:
        quantity, coding = one.get("valueQuantity", {}), one["code"]["coding"][0]
        coded = one.get("valueCodeableConcept", {}).get("coding", [{}])[0].get("code")
        assert subject.rows(one) == [
            (
                one["id"],
                one["status"],
                coding["code"],
                coding["display"],
                one["effectiveDateTime"],
                quantity.get("value"),
                quantity.get("unit"),
                coded,
                quantity["value"] > 120 if quantity else None,
                one["category"][0]["coding"][0]["code"],
            )
        ]


def test_every_component_is_a_row_of_its_own(resources: dict[str, list[dict[str, Any]]]) -> None:
    subject = view("Observation", VIEWS["Observation"][1])
    for one in resources["Observation"]:
        found = subject.rows(one)
        assert isinstance(found, list)
        assert [row[3] for row in found] == list(range(len(one.get("component", [None]))))
