"""What befell a subject, out of a row of AE, MH or CE: a Condition.

True here: it is named by MedDRA's codes (--PTCD, --LLTCD) or not at all; the words of it, reported or preferred, are in
no resource. What did not occur is none.
Source: SDTMIG 3.3 section 6.2.
"""

from typing import Final

from gateway.deid.codes import MEDDRA, is_code
from gateway.deid.sdtm.rows import SUBJECT, Row
from gateway.deid.trees import Json, Resource

SNOMED: Final = "http://snomed.info/sct"
SEVERITIES: Final = {"MILD": "255604002", "MODERATE": "6736007", "SEVERE": "24484000"}


def condition(row: Row) -> Resource | None:
    """None without a code."""
    codings: list[Json] = [
        {"system": MEDDRA, "code": code}
        for name in ("--PTCD", "--LLTCD")
        if is_code(MEDDRA, code := _whole(row.number(name)))
    ]
    if not codings or not row.has_happened():
        return None
    made: Resource = {
        "resourceType": "Condition",
        "subject": {"reference": SUBJECT},
        "category": [row.category()],
        "code": {"coding": codings},
    }
    for element, name in (("onsetDateTime", "--STDTC"), ("abatementDateTime", "--ENDTC"), ("recordedDate", "--DTC")):
        at = row.date(name)
        if at is not None:
            made[element] = at
    severity = SEVERITIES.get(row.text("--SEV"))
    if severity is not None:
        made["severity"] = {"coding": [{"system": SNOMED, "code": severity}]}
    return made


def _whole(number: float | None) -> str:
    """SAS has codes as numbers."""
    return str(int(number)) if number is not None and number.is_integer() else ""
