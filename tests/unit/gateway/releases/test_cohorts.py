"""Who is in a cohort, and which cohorts cannot be asked for."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from gateway.consent.model import DecisionFacts
from gateway.errors import CallerError
from gateway.records.fhir import read_facts
from gateway.releases.cohort import parse_cohort
from tests.unit.gateway.consent.cases import facts

TODAY = date(2026, 11, 28)
SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
DIABETES, WEIGHT = f"{SNOMED}|44054006", f"{LOINC}|29463-7"
PATIENT = {"resourceType": "Patient", "gender": "female", "birthDate": "1980-11-29"}
CONDITION = {
    "resourceType": "Condition",
    "code": {"coding": [{"system": SNOMED, "code": "44054006"}]},
    "onsetDateTime": "2010-05-06T07:08:09Z",
}
OBSERVATION = {
    "resourceType": "Observation",
    "code": {"coding": [{"system": LOINC, "code": "29463-7"}]},
    "effectivePeriod": {"start": "2015-01-01", "end": "2015-02-01T00:00:00Z"},
}
RECORDS: list[dict[str, Any]] = [PATIENT, CONDITION, OBSERVATION]


def admitted(asked: dict[str, Any], records: list[dict[str, Any]] = RECORDS) -> bool:
    patient = next((one for one in records if one["resourceType"] == "Patient"), None)
    cohort = parse_cohort(asked, field=("cohort",))
    return cohort.admits_records(facts_of(records)) and cohort.admits_patient(patient, today=TODAY)


def facts_of(records: list[dict[str, Any]]) -> Iterator[DecisionFacts]:
    """As a write reads them; what cannot be written has none."""
    for record in records:
        with suppress(CallerError):
            found = read_facts(record)
            yield facts(
                resource_type=found.resource_type,
                codes=frozenset(found.codes),
                period=None if found.period is None else found.period.seconds,
            )


@pytest.mark.parametrize(
    ("asked", "isin"),
    [
        ({}, True),
        ({"conditions": [DIABETES]}, True),
        ({"conditions": [WEIGHT]}, False),
        ({"codes": [WEIGHT]}, True),
        ({"codes": [DIABETES, f"{LOINC}|1-8"]}, True),
        ({"codes": [f"{LOINC}|1-8"]}, False),
        ({"sex": ["female"]}, True),
        ({"sex": ["male", "other"]}, False),
        ({"age": {"from": 45, "to": 45}}, True),
        ({"age": {"from": 46}}, False),
        ({"age": {"to": 44}}, False),
        ({"dates": {"from": "2015-01-15", "to": "2015-01-20"}}, True),
        ({"dates": {"from": "2016-01-01"}}, False),
        ({"dates": {"from": "2010-05-06", "to": "2010-05-06"}}, True),
        ({"codes": [WEIGHT], "dates": {"to": "2014-12-31"}}, False),
        ({"codes": [WEIGHT], "dates": {"to": "2015-01-01"}}, True),
        ({"conditions": [DIABETES], "sex": ["female"], "age": {"from": 18}, "codes": [WEIGHT]}, True),
        ({"conditions": [DIABETES], "sex": ["male"], "age": {"from": 18}, "codes": [WEIGHT]}, False),
    ],
)
def test_everything_that_is_asked_must_hold(asked: dict[str, Any], isin: bool) -> None:
    assert admitted(asked) is isin
    assert admitted(asked, RECORDS[::-1]) is isin


@pytest.mark.parametrize("born", [None, "1980", "1980-11", "1980-02-31", 1980])
def test_whose_age_is_not_known_is_in_no_age_band(born: Any) -> None:
    assert not admitted({"age": {"from": 0}}, [{**PATIENT, "birthDate": born}])
    assert not admitted({"age": {"to": 150}}, [{**PATIENT, "birthDate": born}])


@pytest.mark.parametrize(
    "asked", [{"sex": ["female"]}, {"age": {"from": 0}}, {"codes": [DIABETES]}, {"dates": {"to": "2020-01-01"}}]
)
def test_nobodys_records_are_in_nothing_but_everybody(asked: dict[str, Any]) -> None:
    assert admitted({}, [])
    assert not admitted(asked, [])


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ([], ()),
        ({"name": "x"}, ("name",)),
        ({"conditions": "x"}, ("conditions",)),
        ({"conditions": ["44054006"]}, ("conditions",)),
        ({"conditions": [DIABETES] * 257}, ("conditions",)),
        ({"codes": [1]}, ("codes",)),
        ({"sex": ["woman"]}, ("sex",)),
        ({"age": 5}, ("age",)),
        ({"age": {}}, ("age",)),
        ({"age": {"least": 5}}, ("age",)),
        ({"age": {"from": -1}}, ("age", "from")),
        ({"age": {"to": True}}, ("age", "to")),
        ({"age": {"from": 9, "to": 8}}, ("age",)),
        ({"dates": {"from": "2015"}}, ("dates", "from")),
        ({"dates": {"to": "2015-02-30"}}, ("dates", "to")),
        ({"dates": {"from": "2016-01-01", "to": "2015-01-01"}}, ("dates",)),
        ({"dates": []}, ("dates",)),
    ],
)
def test_a_bad_criterion_is_named(asked: Any, field: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refused:
        parse_cohort(asked, field=("cohort",))
    assert refused.value.field == ("cohort", *field)


HOSTILE: tuple[Any, ...] = (
    {"resourceType": "Condition", "code": []},
    {"resourceType": "Condition", "code": {"coding": {"code": 1}}},
    {"resourceType": "Observation", "effectiveDateTime": 5, "effectivePeriod": {"start": None}},
    {"resourceType": 7},
)


@pytest.mark.parametrize("record", HOSTILE)
def test_a_record_of_another_shape_fits_nothing(record: Any) -> None:
    assert not admitted({"conditions": [DIABETES], "dates": {"from": "2010-01-01"}}, [record])
