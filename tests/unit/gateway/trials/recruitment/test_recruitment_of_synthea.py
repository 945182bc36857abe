"""Criteria asked of Synthea's patients, and counted once more by plain Python."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.trials.recruitment.matching import Judged, Verdict, screening
from tests.unit.gateway.deid.people import MOST, bundles
from tests.unit.gateway.trials.recruitment.asked import LOINC, RXNORM, SNOMED, criteria

TODAY = date(2020, 6, 1)
HYPERTENSION, WARFARIN = "38341003", "855332"
ASKED = criteria(
    {"age": {"from": 40, "to": 75}},
    {"sex": ["female"]},
    {"has": {"in": "conditions", "codes": [f"{SNOMED}|{HYPERTENSION}"], "withinDays": 365}},
    {"lab": {"code": f"{LOINC}|4548-4", "from": 5.7, "to": 6.4, "unit": "%", "withinDays": 3_650}},
    {"lab": {"code": f"{LOINC}|8480-6", "to": 140, "unit": "mm[Hg]", "withinDays": 3_650}},
    exclusion=(
        {"has": {"in": "medications", "codes": [f"{RXNORM}|{WARFARIN}"], "withinDays": 365}},
        {"hasNot": {"in": "allergies", "codes": [f"{SNOMED}|300916003"]}},
    ),
)
MET, NOT_MET, UNKNOWN = Verdict
Person = tuple[list[dict[str, Any]], tuple[Judged, ...]]


@pytest.fixture(scope="module")
def people(shared_data: Path) -> list[Person]:
    asked = screening(ASKED, today=TODAY)
    return [(resources, asked.match(resources).judged) for resources in bundles(shared_data, most=MOST)]


def of(resources: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in resources if one["resourceType"] == kind]


def codes(concept: dict[str, Any]) -> set[str]:
    return {one["code"] for one in concept["coding"]}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def since(days: int) -> datetime:
    return datetime.fromisoformat(f"{TODAY - timedelta(days=days)}T00:00:00+00:00")


def told(expected: list[bool | None]) -> list[Verdict]:
    return [UNKNOWN if one is None else MET if one else NOT_MET for one in expected]


def asked_at(people: list[Person], number: int) -> list[Verdict]:
    found = [judged[number].verdict for _, judged in people]
    assert len(set(found)) > 1
    return found


def test_ages_and_sexes_are_counted_alike(people: list[Person]) -> None:
    ages, women = [], []
    for resources, _ in people:
        (patient,) = of(resources, "Patient")
        born = date.fromisoformat(patient["birthDate"])
        ages.append(40 <= TODAY.year - born.year - ((TODAY.month, TODAY.day) < (born.month, born.day)) <= 75)
        women.append(patient["gender"] == "female")
    assert asked_at(people, 0) == told(list(ages))
    assert asked_at(people, 1) == told(list(women))


def test_hypertension_of_the_last_year_is_counted_alike(people: list[Person]) -> None:
    expected: list[bool | None] = []
    for resources, _ in people:
        conditions = of(resources, "Condition")
        ends = [
            moment(one.get("abatementDateTime", "9999-01-01T00:00:00+00:00"))
            for one in conditions
            if HYPERTENSION in codes(one["code"])
        ]
        expected.append(any(end >= since(365) for end in ends) if conditions else None)
    assert asked_at(people, 2) == told(expected)


def newest(resources: list[dict[str, Any]], code: str) -> float | None:
    """Of an Observation or of a part of one, in the last ten years."""
    values = []
    for one in of(resources, "Observation"):
        for part in (one, *one.get("component", ())):
            if code in codes(part["code"]) and moment(one["effectiveDateTime"]) >= since(3_650):
                values.append((moment(one["effectiveDateTime"]), part["valueQuantity"]["value"]))
    return max(values)[1] if values else None


def test_the_newest_hba1c_is_judged_alike(people: list[Person]) -> None:
    values = [newest(resources, "4548-4") for resources, _ in people]
    assert asked_at(people, 3) == told([None if one is None else 5.7 <= one <= 6.4 for one in values])


def test_the_newest_blood_pressure_is_judged_alike(people: list[Person]) -> None:
    values = [newest(resources, "8480-6") for resources, _ in people]
    assert asked_at(people, 4) == told([None if one is None else one <= 140 for one in values])


def test_warfarin_of_the_last_year_is_counted_alike(people: list[Person]) -> None:
    expected: list[bool | None] = []
    for resources, _ in people:
        orders = of(resources, "MedicationRequest")
        taken = any(
            one["status"] == "active" or moment(one["authoredOn"]) >= since(365)
            for one in orders
            if WARFARIN in codes(one["medicationCodeableConcept"])
        )
        expected.append(taken if orders else None)
    assert asked_at(people, 5) == told(expected)


def test_latex_is_counted_alike(people: list[Person]) -> None:
    expected: list[bool | None] = []
    for resources, _ in people:
        allergies = of(resources, "AllergyIntolerance")
        expected.append(all("300916003" not in codes(one["code"]) for one in allergies) if allergies else None)
    assert asked_at(people, 6) == told(expected)
