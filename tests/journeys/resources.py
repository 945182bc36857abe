"""Small FHIR R4 resources for the journeys: valid, cleared by the labelling rules unless a test asks for a label."""

from gateway.jsontext import JsonValue, Num

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
SYSTOLIC, WEIGHT = "8480-6", "29463-7"
HIV_POSITIVE = "165816005"


def observation(
    *, code: str = SYSTOLIC, value: str = "120", date: str | None = "2020-05-01", **members: JsonValue
) -> dict[str, JsonValue]:
    """A measured value; `value` is the number's text."""
    made: dict[str, JsonValue] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "valueQuantity": {"value": Num(value), "unit": "mmHg"},
    }
    if date is not None:
        made["effectiveDateTime"] = date
    return {**made, **members}


def condition(*, code: str = "38341003", date: str = "2020-05-01", **members: JsonValue) -> dict[str, JsonValue]:
    """A diagnosis by SNOMED CT code; by default hypertension."""
    return {
        "resourceType": "Condition",
        "code": {"coding": [{"system": SNOMED, "code": code}]},
        "subject": {"reference": "urn:uuid:7a9a1c52-6f0e-4c7c-8a58-0d4f5a1b2c3d"},
        "onsetDateTime": date,
        **members,
    }


def bundle(*resources: JsonValue) -> dict[str, JsonValue]:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }
