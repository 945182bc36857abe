"""Ages of one patient: a number of years, whatever the element, its unit or the code that it stands under.

True here: an age over 89 years leaves as 90, in whatever unit it is told. What is an age (FHIR's Age, a Range of ages,
a value under a code of `AGES`) without a unit is in years; in a unit that is not known here it does not leave. Any
other quantity of so much time is pooled alike, for nothing says that it is no age. What is in a unit in which a time is
multiplied (`100.a`) does not leave, but for a few of physics and pharmacology. Of whom no age may be told, no quantity
of a year or more leaves either.
Not known here: an age that is a bare number under a local code.
Sources: 45 CFR 164.514(b)(2)(i)(C); UCUM section 4.4 (units of time); HL7's value set
LOINCObservationActContextAgeType, and what else LOINC and SNOMED CT have for ages and births.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gateway.deid.codes import UCUM, is_code, kept_number
from gateway.deid.trees import Json

OLDEST: Final = 89
"""Years that are told; all over it are 90."""
MOST_YEARS: Final = 150
"""Nobody is older: what says so is no age, and may be the year of a birth."""
_COMPARATORS: Final = frozenset({"<", "<=", ">=", ">"})
_SLACK: Final = 0.03
"""Years by which an age in weeks or days may be short: rather too old than not."""
AGES: Final = frozenset({
    "21611-9", "21612-7", "29553-5", "30525-0", "30972-4",  # HL7's own list
    "35267-4", "35659-2", "39016-1", "42798-9", "42802-9", "43993-5", "46251-5", "63900-5", "103973-4",
    "21112-8", "80904-6",  # LOINC's births
    "105727008", "397669002", "424144002", "445518008", "184099003",  # SNOMED CT
})  # fmt: skip
"""Codes of which a value is an age, or the year of a birth."""
_YEARS: Final = {
    "a": 1.0, "a_t": 1.0, "a_j": 1.0, "a_g": 1.0, "mo": 1 / 12, "mo_s": 29.53059 / 365.25, "mo_j": 1 / 12,
    "mo_g": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25, "h": 1 / 8766, "min": 1 / 525_960, "s": 1 / 31_557_600,
}  # fmt: skip
"""UCUM's units of time -> years."""
_PREFIXES: Final = {
    "Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1,
    "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18, "z": 1e-21, "y": 1e-24,
}  # fmt: skip
_YEARS_EACH: Final = _YEARS | {f"{prefix}s": factor * _YEARS["s"] for prefix, factor in _PREFIXES.items()}
_WORDS: Final = {
    word: atom
    for atom, words in {
        "a": "a ann y yr yrs yo year years 258707000", "mo": "mo mos mth mths month months 258706009",
        "wk": "wk wks week weeks 258705008", "d": "d day days 258703001", "h": "h hr hrs hour hours 258702006",
        "min": "min mins minute minutes 258701004", "s": "s sec secs second seconds 257997001",
    }.items()
    for word in words.split()
}  # fmt: skip
"""As units are written where they are not UCUM's: in English, in UCUM's capitals, as SNOMED CT's codes -> UCUM's."""
_COMPONENT = re.compile(r"([./]?)([^./{}]*)((?:\{[^{}]*\})*)")
_POWER = re.compile(r"(.*?)([-+]?[0-9]+)?")
_MULTIPLIED = re.compile(
    r"(?:[munpf]?(?:g|mol)|\[IU\]|U)\.(?:d|h|min)/[mud]?L|dyn\.s(?:\.m2)?/cm5"
    r"|(?:[mk]?Pa|cm\[H2O\]|mm\[Hg\])\.(?:s|min)(?:/m?L)?"
)
"""Areas under a curve, resistances, viscosities: no time, though a time is multiplied in them."""


def kept_age(value: Json) -> dict[str, Json] | None:
    """What must be an age: a FHIR Age or Quantity."""
    number = kept_number(value.get("value")) if isinstance(value, dict) else None
    if not isinstance(value, dict) or number is None:
        return None
    code, unit = value.get("code"), value.get("unit")
    atom = _age_unit(code, unit, is_ucum=value.get("system") == UCUM) if _is_said(code) or _is_said(unit) else "a"
    if atom is None or abs(number * _YEARS_EACH[atom]) > MOST_YEARS:
        return None
    return _pooled(number, atom) or {"value": number, **_compared(value), "system": UCUM, "code": atom}


def kept_years(value: Json) -> float | int | None:
    """A bare number that must be an age in years."""
    number = kept_number(value)
    if number is None or abs(number) > MOST_YEARS:
        return None
    return OLDEST + 1 if abs(number) > OLDEST else number


def kept_quantity(value: Json, *, tells_ages: bool) -> dict[str, Json] | None:
    """A FHIR Quantity of anything. `tells_ages`: of one whose ages may be told."""
    number = kept_number(value.get("value")) if isinstance(value, dict) else None
    if not isinstance(value, dict) or number is None:
        return None
    system, code, unit = value.get("system"), value.get("code"), value.get("unit")
    coded, shown = (_read(one) if isinstance(one, str) else _NO_TIME for one in (code, unit))
    if coded.is_multiplied or (shown.is_multiplied and not _is_said(code)):
        return None
    atom = coded.atom or shown.atom
    if atom is not None and not tells_ages and abs(number * _YEARS_EACH[atom]) >= 1:
        return None
    if atom is not None and (pooled := _pooled(number, atom)) is not None:
        return pooled
    kept: dict[str, Json] = {"value": number, **_compared(value)}
    if system == UCUM and isinstance(code, str) and is_code(UCUM, code):
        kept |= {"system": system, "code": code}
    return kept


def _pooled(number: float, atom: str) -> dict[str, Json] | None:
    if abs(number * _YEARS_EACH[atom]) < OLDEST + 1 - _SLACK:
        return None
    return {"value": OLDEST + 1, "system": UCUM, "code": "a"}


def _compared(value: dict[str, Json]) -> dict[str, Json]:
    comparator = value.get("comparator")
    return {"comparator": comparator} if isinstance(comparator, str) and comparator in _COMPARATORS else {}


def _is_said(value: Json) -> bool:
    return value is not None and (not isinstance(value, str) or value.strip() != "")


def _age_unit(code: Json, unit: Json, *, is_ucum: bool) -> str | None:
    """UCUM's word for it; None for what is not known. UCUM's own code is heeded before what is shown."""
    for text in (code,) if is_ucum and _is_said(code) else (code, unit):
        if isinstance(text, str):
            read = _read(text)
            if read.is_multiplied:
                return None
            if (atom := read.atom or _WORDS.get(text.strip().lower())) is not None:
                return atom
    return None


@dataclass(frozen=True, slots=True)
class _Unit:
    """`atom`: the unit of time that it is, as UCUM writes it. `is_multiplied`: it may be any time at all."""

    atom: str | None
    is_multiplied: bool


_NO_TIME: Final = _Unit(None, False)


@lru_cache(maxsize=4_096)
def _read(text: str) -> _Unit:
    """A unit, as a code or in words."""
    if (word := text.strip().lower()) in _WORDS and len(word) > 1 and text not in _YEARS_EACH:
        return _Unit(_WORDS[word], False)
    atoms: list[str] = []
    power, parts = 0, 0
    for sign, body, notes in _COMPONENT.findall(text):
        name, exponent = _split(body)
        parts += bool(body or notes)
        known = name if name in _YEARS_EACH else _noted(notes)
        if known is not None:
            atoms.append(known)
            power += (-1 if sign == "/" else 1) * int(exponent or 1)
            parts += exponent is not None
    if power <= 0 or _MULTIPLIED.fullmatch(text):
        return _NO_TIME
    return _Unit(atoms[0], False) if parts == 1 else _Unit(None, True)


def _split(body: str) -> tuple[str, str | None]:
    found = _POWER.fullmatch(body)
    return (found[1], found[2]) if found is not None and found[1] else (body, None)


def _noted(notes: str) -> str | None:
    """`{years}` is a unit of nothing, and says what it is."""
    return next((_WORDS[one] for one in notes.lower().strip("{}").split("}{") if one in _WORDS), None)
