"""What was measured or asked, out of a row of any findings domain (VS, LB, EG, QS, SC …): an Observation.

True here: the test is named by LOINC where the row does, else by CDISC's own code (--TESTCD). The result is the
standardized number, or else a word that the study's definition lists; a row without either is none. Of a test that is
about an age or a birth a number leaves only with a unit of time, by which ages are told.
Source: SDTMIG 3.3 section 6.3.
"""

from typing import Final

from gateway.deid.codes import LOINC, SDTM, is_code
from gateway.deid.sdtm.quantities import UNITS, compared, quantity
from gateway.deid.sdtm.rows import SUBJECT, Row
from gateway.deid.trees import Json, Resource

INTERPRETATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
RANGES: Final = {"NORMAL": "N", "HIGH": "H", "LOW": "L", "ABNORMAL": "A"}
_OF_AGE: Final = ("AGE", "BRTH", "BIRTH")
_TIMES: Final = frozenset({"a", "mo", "wk", "d", "h", "min"})


def observation(row: Row) -> Resource | None:
    """None for a row that names no test, or has no result."""
    test = row.text("--TESTCD")
    code = _coded(LOINC, row.text("--LOINC")) or _coded(SDTM, test)
    value = None if code is None or not row.has_happened() else _value(row, test)
    if code is None or value is None:
        return None
    made: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": SUBJECT},
        "category": [row.category()],
        "code": {"coding": [code]},
    }
    at = row.date("--DTC")
    if at is not None:
        made["effectiveDateTime"] = at
    told = RANGES.get(row.text("--NRIND"))
    if told is not None:
        made["interpretation"] = [{"coding": [{"system": INTERPRETATION, "code": told}]}]
    return made | value


def _coded(system: str, code: str) -> dict[str, Json] | None:
    return {"system": system, "code": code} if is_code(system, code) else None


def _value(row: Row, test: str) -> Resource | None:
    number, unit = row.number("--STRESN"), row.text("--STRESU")
    measured = compared(row.text("--STRESC"), unit) if number is None else quantity(number, unit)
    if measured is not None:
        is_of_age = any(part in test for part in _OF_AGE)
        return None if is_of_age and UNITS.get(unit) not in _TIMES else {"valueQuantity": measured}
    word = row.word("--STRESC")
    return None if word is None else {"valueCodeableConcept": {"coding": [word]}}
