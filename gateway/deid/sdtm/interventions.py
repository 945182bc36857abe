"""What a subject took or was given, out of a row of CM, EX or EC: a MedicationStatement or a MedicationAdministration.

True here: it is named by an ATC code, or by a word that the study's definition lists (a study's own treatments); a name
that somebody wrote is in no resource.
Source: SDTMIG 3.3 section 6.1.
"""

from gateway.deid.codes import ATC, is_code
from gateway.deid.sdtm.quantities import quantity
from gateway.deid.sdtm.rows import SUBJECT, Row
from gateway.deid.trees import Json, Resource


def statement(row: Row) -> Resource | None:
    """Of CM; None without a code."""
    return _taken(row, "MedicationStatement")


def administration(row: Row) -> Resource | None:
    """Of EX and EC, with the dose; None without a code."""
    made = _taken(row, "MedicationAdministration")
    dose = row.number("--DOSE")
    if made is not None and dose is not None:
        made["dosage"] = {"dose": quantity(dose, row.text("--DOSU"))}
    return made


def _taken(row: Row, kind: str) -> Resource | None:
    code = row.text("--CLASCD")
    codings: list[Json] = [{"system": ATC, "code": code}] if is_code(ATC, code) else []
    codings += [word for name in ("--DECOD", "--TRT") if (word := row.word(name)) is not None]
    if not codings or not row.has_happened():
        return None
    made: Resource = {
        "resourceType": kind,
        "status": "completed",
        "subject": {"reference": SUBJECT},
        "category": row.category(),
        "medicationCodeableConcept": {"coding": codings},
    }
    period = row.period("--STDTC", "--ENDTC")
    return made | ({"effectivePeriod": period} if period else {})
