"""Criteria of one condition, and records to ask."""

from datetime import date
from typing import Any

import orjson

from gateway import jsontext
from gateway.trials.recruitment.criteria import read_criteria
from gateway.trials.recruitment.matching import Judged, Match, match
from gateway.trials.recruitment.model import Criteria

TODAY = date(2024, 6, 15)
SNOMED, LOINC, RXNORM = "http://snomed.info/sct", "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"


def criteria(*inclusion: dict[str, Any], exclusion: tuple[dict[str, Any], ...] = ()) -> Criteria:
    told = {
        "inclusion": [{"text": "As the patient reads it."} | one for one in inclusion],
        "exclusion": [{"text": "As the patient reads it."} | one for one in exclusion],
    }
    return read_criteria(jsontext.loads(orjson.dumps(told)))


def judged(condition: dict[str, Any], *records: Any, today: date = TODAY) -> Judged:
    (one,) = match(criteria(condition), records, today=today).judged
    return one


def matched(asked: Criteria, *records: Any) -> Match:
    return match(asked, records, today=TODAY)


def patient(**told: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p"} | told


def concept(code: str, system: str = SNOMED) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def status(name: str, code: str) -> dict[str, Any]:
    return concept(code, f"http://terminology.hl7.org/CodeSystem/condition-{name}")


def condition(code: str = "90560007", **told: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": f"c{code}", "code": concept(code)} | told


def medication(code: str = "855332", **told: Any) -> dict[str, Any]:
    concept_of = {"medicationCodeableConcept": concept(code, RXNORM)}
    return {"resourceType": "MedicationRequest", "id": f"m{code}", "status": "completed"} | concept_of | told


def value(number: Any, unit: str = "%", **told: Any) -> dict[str, Any]:
    return {"value": number, "unit": unit, "system": UCUM, "code": unit} | told


def observation(day: str | None, quantity: Any, code: str = "4548-4", **told: Any) -> dict[str, Any]:
    base = {"resourceType": "Observation", "id": f"o{day}", "status": "final", "code": concept(code, LOINC)}
    dated = {} if day is None else {"effectiveDateTime": day}
    return base | dated | {"valueQuantity": quantity} | told


GOUT = {"has": {"in": "conditions", "codes": [f"{SNOMED}|90560007"]}}
GOUT_OF_LATE = {"has": GOUT["has"] | {"withinDays": 365}}
NO_GOUT = {"hasNot": GOUT["has"]}
WARFARIN_OF_LATE = {"has": {"in": "medications", "codes": [f"{RXNORM}|855332"], "withinDays": 90}}
HBA1C = {"lab": {"code": f"{LOINC}|4548-4", "from": 5.7, "to": 6.4, "unit": "%"}}
HBA1C_OF_LATE = {"lab": HBA1C["lab"] | {"withinDays": 180}}
