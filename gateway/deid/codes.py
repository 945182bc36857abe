"""Codes that may leave: of a known code system, and written as that system writes them.

True here: a code is kept only where its system is known and it could be one of that system's, so that a name or a
number of another kind, put where a code belongs, does not leave; the display is never kept, nor a system's name that
is more than words. That such a code or system exists is not known here: a code that fewer than k patients have is taken
out later (`cells`). Sources: SNOMED CT Release File Specification (SCTID, its Verhoeff digit), LOINC Users' Guide
(check digit), UCUM, MedDRA's Introductory Guide (codes of eight digits) and HL7's THO (its system), WHO's guidelines
for ATC (structure of codes), SDTMIG 3.3 (--TESTCD: eight capitals, digits and underscores, no digit first).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from gateway.deid.trees import Json

UCUM: Final = "http://unitsofmeasure.org"
LOINC: Final = "http://loinc.org"
MEDDRA: Final = "https://www.meddra.org"
ATC: Final = "http://www.whocc.no/atc"
SDTM: Final = "http://www.cdisc.org/ns/sdtm"
"""Domains and codes of tests, as CDISC writes them (`gateway.deid.sdtm`)."""
STUDY: Final = "urn:consentry:study:codes"
"""Words that the definition of a study lists, whichever study it is."""
MOST_DIGITS: Final = 1e7
"""A number from here on is as long as one that names a person: it does not leave."""
_PLACES: Final = 6
_DIHEDRAL = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTATION = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z][A-Za-z.]*(-[A-Za-z]+)*(-?[0-9]{1,3})?|[A-Z]?[0-9]{1,3}")
_ATOM = r"(?:10[*^]-?[0-9]{1,2}|[A-Za-z%'\[\]]{1,12}(?:_[A-Za-z]{1,8}\]?)?-?[0-9]?)(?:\{[A-Za-z][A-Za-z-]{0,17}\})?"
_UNIT = re.compile(
    rf"1|/?(?:100\.?)?(?:{_ATOM}|\{{[A-Za-z][A-Za-z-]{{0,17}}\}})(?:[./](?:{_ATOM}|\{{1\.73_m2\}}|[0-9]{{1,3}}[a-z]?))*"
)
_PART = r"[A-Za-z]+[0-9]{0,2}(?:[-_.](?:[A-Za-z]+[0-9]{0,2}|[0-9]{1,2}))*"
_NAME = re.compile(
    rf"(?:{_PART}/){{0,4}}(?:v2-[0-9]{{4}}(?:/2\.[0-9](?:\.[0-9])?)?|iso-21089-lifecycle|C4BB[A-Za-z]+|{_PART})"
)
"""Of a code system, within a family of them: words, hardly a digit."""
_MEDDRA = "10[0-9]{6}"
_CURRENCY = re.compile("[A-Z]{3}")


def _is_snomed(code: str) -> bool:
    if not (6 <= len(code) <= 18 and code.isascii() and code.isdigit() and code[0] != "0"):
        return False
    if code[-3:-1] not in ("00", "10"):
        return False  # no concept, but a description, a relationship, or a telephone
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = int(_DIHEDRAL[check][int(_PERMUTATION[place % 8][int(digit)])])
    return check == 0


def _is_loinc(code: str) -> bool:
    found = re.fullmatch(r"(?:LA|LP|MTHU)?([0-9]{1,7})-([0-9])", code)
    if found is None:
        return False
    digits = [int(one) for one in reversed(found[1])]
    doubled = sum(sum(divmod(2 * one, 10)) for one in digits[::2])
    return (doubled + sum(digits[1::2])) % 10 == (10 - int(found[2])) % 10


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda code: compiled.fullmatch(code) is not None


SYSTEMS: Final[dict[str, Callable[[str], bool]]] = {
    "http://snomed.info/sct": _is_snomed,
    LOINC: _is_loinc,
    "http://www.nlm.nih.gov/research/umls/rxnorm": _matches("[1-9][0-9]{1,6}"),
    "http://hl7.org/fhir/sid/cvx": _matches("[0-9]{1,3}"),
    "http://hl7.org/fhir/sid/ndc": _matches("[0-9]{4,5}-[0-9]{3,4}-[0-9]{1,2}"),
    "http://hl7.org/fhir/sid/icd-10": _matches(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?"),
    "http://hl7.org/fhir/sid/icd-10-cm": _matches(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?"),
    "http://hl7.org/fhir/sid/icd-9-cm": _matches(r"[0-9EV][0-9]{2,3}(\.[0-9]{1,2})?"),
    "http://www.ama-assn.org/go/cpt": _matches("[0-9]{4}[0-9A-Z]"),
    "urn:oid:2.16.840.1.113883.6.238": _matches("[0-9]{4}-[0-9]"),
    "http://dicom.nema.org/resources/ontology/DCM": _matches("[A-Z]{2,3}|[0-9]{6}"),
    "http://nucc.org/provider-taxonomy": _matches("[0-9]{3}[0-9A-Z]{6}X"),
    MEDDRA: _matches(_MEDDRA),
    "http://terminology.hl7.org/CodeSystem/mdr": _matches(_MEDDRA),
    "http://terminology.hl7.org/CodeSystem/MDRAE": _matches(_MEDDRA),
    "urn:ietf:bcp:47": _matches("[a-z]{2,3}(-[A-Z]{2})?"),
    "https://bluebutton.cms.gov/resources/codesystem/adjudication": _matches(
        f"https://bluebutton.cms.gov/resources/variables/{_PART}"
    ),
    UCUM: lambda code: _UNIT.fullmatch(code) is not None,
    ATC: _matches("[A-DGHJLMNPRSV]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?"),
    SDTM: _matches(r"(?=[A-Z0-9_]{1,8}\Z)(?:[A-Z_][0-9]{0,3}|[A-Z_][0-9]*[A-Z_][A-Z0-9_]*)"),
    STUDY: lambda code: _WORD.fullmatch(code) is not None,
}
"""Each with whether a code could be of it. CDC's race and ethnicity codes are the OID; MedDRA's two others are how HL7
called it before."""
FAMILIES: Final = (
    "http://terminology.hl7.org/",
    "http://hl7.org/fhir/",
    "https://bluebutton.cms.gov/resources/variables/",
)
"""Beginnings of systems whose codes are words."""
LONGEST: Final = 96
"""Characters of a system, and of a code."""


@lru_cache(maxsize=65_536)
def is_code(system: str, code: str) -> bool:
    """Whether the code could be one of a known system's."""
    if len(system) > LONGEST or len(code) > LONGEST:
        return False
    known = SYSTEMS.get(system)
    if known is not None:
        return bool(known(code))
    family = next((one for one in FAMILIES if system.startswith(one)), None)
    if family is None or _NAME.fullmatch(system, len(family)) is None:
        return False
    return _WORD.fullmatch(code) is not None


def kept_coding(value: Json) -> dict[str, Json] | None:
    """A FHIR Coding with system and code alone; None where nothing may be kept."""
    if not isinstance(value, dict):
        return None
    system, code = value.get("system"), value.get("code")
    if isinstance(system, str) and isinstance(code, str) and is_code(system, code):
        return {"system": system, "code": code}
    return None


def kept_concept(value: Json) -> dict[str, Json] | None:
    """A FHIR CodeableConcept without its text; None where no coding may be kept."""
    codings = value.get("coding") if isinstance(value, dict) else None
    if not isinstance(codings, list):
        return None
    kept: list[Json] = [one for one in map(kept_coding, codings) if one is not None]
    return {"coding": kept} if kept else None


def kept_number(value: Json) -> float | int | None:
    """A number of at most seven digits before the point, to six places in all."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST_DIGITS:
        return None
    return value if isinstance(value, int) and abs(value) < 10**_PLACES else float(f"{value:.{_PLACES}g}")


def kept_money(value: Json) -> dict[str, Json] | None:
    """A FHIR Money; None without an amount."""
    amount = kept_number(value.get("value")) if isinstance(value, dict) else None
    if not isinstance(value, dict) or amount is None:
        return None
    currency = value.get("currency")
    coded = {"currency": currency} if isinstance(currency, str) and _CURRENCY.fullmatch(currency) else {}
    return {"value": amount, **coded}
