"""Dates, and ages over 89, of one patient.

True here: a date leaves as its year, or moved by a number of days that is the patient's own, so that the days between
any two of their dates stay. A time of day never leaves. Who was over 89 at the time of the release, or at death, has a
birth year of 90 years before that; no date of theirs before it leaves, for it would tell that they were older.
Source: 45 CFR 164.514(b)(2)(i)(C).
"""

import hmac
import re
from collections.abc import Callable
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from gateway.deid.trees import Json

OLDEST: Final = 89
"""Years that are told; all over it are 90."""
FURTHEST_DAYS: Final = 365
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?(?=T|\Z)")
_YEARS: Final = {"a": 1.0, "mo": 12.0, "wk": 52.1775, "d": 365.25}


class DateRule(StrEnum):
    YEAR = "year"
    SHIFT = "shift"


def pooled_year_of(born: Json, died: Json, *, today: date) -> int | None:
    """What stands for the birth year of one over 89; None for others. A partial date is its first day: rather too old
    than not."""
    started = _day(born)
    if started is None:
        return None
    ended = _day(died)
    anchor = today if ended is None or ended > today else ended
    return anchor.year - OLDEST - 1 if whole_years(started, anchor) > OLDEST else None


def whole_years(birth: date, day: date) -> int:
    """Somebody's age on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def shift_days(key: bytes, subject: bytes) -> int:
    """1 to 365 days, back or forth: a patient's own in one release, and of no use in another."""
    drawn = int.from_bytes(hmac.digest(key, b"shift" + subject, "sha256"), "big") % (2 * FURTHEST_DAYS)
    return drawn - FURTHEST_DAYS if drawn < FURTHEST_DAYS else drawn - FURTHEST_DAYS + 1


def date_rule(rule: DateRule, *, days: int, pooled: int | None) -> Callable[[Json], str | None]:
    """For the dates of one patient: FHIR date, dateTime or instant -> FHIR date; None for what may not leave. `pooled`:
    their birth year, where it stands for that of one over 89."""
    moved = _year if rule is DateRule.YEAR else _shifted(days)

    def apply(value: Json) -> str | None:
        if not isinstance(value, str) or (found := _DATE.match(value)) is None:
            return None
        left = moved(found[0])
        return None if left is None or (pooled is not None and int(left[:4]) < pooled) else left

    return apply


def birth_rule(rule: DateRule, *, days: int, pooled: int | None) -> Callable[[Json], str | None]:
    """For `Patient.birthDate`."""
    if pooled is not None:
        return lambda value: str(pooled)
    return date_rule(rule, days=days, pooled=pooled)


def is_past_oldest(value: float, unit: str) -> bool:
    """Whether an age, in a UCUM unit of time, is over 89 years."""
    each = _YEARS.get(unit)
    return each is not None and value / each >= OLDEST + 1


def _year(text: str) -> str:
    return text[:4]


def _shifted(days: int) -> Callable[[str], str | None]:
    """A month is moved from its middle, a year from its middle."""
    step = timedelta(days=days)

    def move(text: str) -> str | None:
        try:
            if len(text) == 10:
                return (date.fromisoformat(text) + step).isoformat()
            if len(text) == 7:
                return (date.fromisoformat(text + "-15") + step).isoformat()[:7]
            return (date.fromisoformat(text + "-07-01") + step).isoformat()[:4]
        except (ValueError, OverflowError):
            return None  # no day of the calendar

    return move


def _day(value: Json) -> date | None:
    if not isinstance(value, str) or (found := _DATE.match(value)) is None:
        return None
    try:
        return date.fromisoformat((found[0] + "-01-01")[:10])
    except ValueError:
        return None
