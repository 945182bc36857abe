"""Who a subject is, out of their row of DM: a Patient.

True here: where there is no date of birth the year is told from the age at the reference date, and of the two that it
may be it is the earlier one: rather too old than not, as dates are read (`gateway.deid.dates`), so who is over 89 is
pooled. Without a reference date, or a unit, nothing is told of it: then no age of theirs leaves.
Source: SDTMIG 3.3 section 5.2; US Core 3.1 (race and ethnicity, by CDC's codes).
"""

import calendar
import math
from datetime import date, timedelta
from typing import Final

from gateway.deid.ages import MOST_YEARS
from gateway.deid.resources import GROUPS
from gateway.deid.sdtm.rows import Row
from gateway.deid.trees import Json, Resource

SEXES: Final = {"F": "female", "M": "male", "U": "unknown", "UNDIFFERENTIATED": "other", "INTERSEX": "other"}
CDC: Final = "urn:oid:2.16.840.1.113883.6.238"
RACES: Final = {
    "WHITE": "2106-3",
    "BLACK OR AFRICAN AMERICAN": "2054-5",
    "ASIAN": "2028-9",
    "AMERICAN INDIAN OR ALASKA NATIVE": "1002-5",
    "NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER": "2076-8",
}
ETHNICITIES: Final = {"HISPANIC OR LATINO": "2135-2", "NOT HISPANIC OR LATINO": "2186-5"}
_DAYS: Final = {"WEEKS": 7.0, "DAYS": 1.0, "HOURS": 1 / 24}


def patient(row: Row) -> Resource:
    """Of DM."""
    made: Resource = {"resourceType": "Patient"}
    if row.text("SEX") in SEXES:
        made["gender"] = SEXES[row.text("SEX")]
    born = row.date("BRTHDTC") or _born(row)
    if born is not None:
        made["birthDate"] = born
    died = row.date("DTHDTC")
    if died is not None:
        made["deceasedDateTime"] = died
    elif row.text("DTHFL") == "Y":
        made["deceasedBoolean"] = True
    told = ((RACES, row.text("RACE")), (ETHNICITIES, row.text("ETHNIC")))
    groups: list[Json] = [
        _group(url, codes[word]) for url, (codes, word) in zip(GROUPS, told, strict=True) if word in codes
    ]
    return made | ({"extension": groups} if groups else {})


def _group(url: str, code: str) -> Resource:
    return {"url": url, "extension": [{"url": "ombCategory", "valueCoding": {"system": CDC, "code": code}}]}


def _born(row: Row) -> str | None:
    """The earliest year of birth by AGE at RFSTDTC, where there is none at DMDTC."""
    age, told = row.number("AGE"), row.date("RFSTDTC") or row.date("DMDTC")
    if age is None or age < 0 or told is None:
        return None
    try:
        at = date.fromisoformat((told + "-01-01")[:10])
        first = _earliest(at, math.floor(age), row.text("AGEU"))
    except (ValueError, OverflowError):
        return None  # no day of the calendar
    return None if first is None or at.year - first.year > MOST_YEARS + 1 else f"{first.year:04}"


def _earliest(at: date, age: int, unit: str) -> date | None:
    """The first day on which somebody may have been born who is so old: not yet one more, a day later."""
    if unit in _DAYS:
        return at - timedelta(days=math.ceil((age + 1) * _DAYS[unit]))
    months = {"YEARS": 12, "MONTHS": 1}.get(unit)
    if months is None:
        return None
    year, month = divmod(at.year * 12 + at.month - 1 - (age + 1) * months, 12)
    last = calendar.monthrange(year, month + 1)[1] if year > 0 else 0
    return date(year, month + 1, min(at.day, last)) + timedelta(days=1)
