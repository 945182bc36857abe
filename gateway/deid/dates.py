"""Dates of one patient.

True here: a date leaves as its year, or moved by a number of days that is the patient's own, so that the days between
any two of their dates stay. A time of day never leaves. Who was over 89 at the time of the release, or at death, has a
birth year of 90 years before that, before their death as it leaves; no date of theirs before it leaves, for it would
tell that they were older. Of whom no birth date is known nothing leaves that is of so long ago.
Source: 45 CFR 164.514(b)(2)(i)(C).
"""

import hmac
import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from gateway.deid.ages import OLDEST
from gateway.deid.trees import Json

FURTHEST_DAYS: Final = 365
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?(?=T|\Z)")


class DateRule(StrEnum):
    YEAR = "year"
    SHIFT = "shift"


def pooled_year_of(
    born: Json, died: Json, *, today: date, leave: Callable[[Json], str | None] | None = None
) -> int | None:
    """What stands for the birth year of one over 89; None for others, and where no birth date is known. A partial date
    of birth is its first day, of death its last: rather too old than not. `leave`: the rule of their dates."""
    started, ended = _day(born), _day(died, last=True)
    if started is None:
        return None
    anchor = today if ended is None or not started <= ended <= today else ended
    if whole_years(started, anchor) <= OLDEST:
        return None
    told = leave(died) if leave is not None and anchor is ended else None
    return (anchor.year if told is None else int(told[:4])) - OLDEST - 1


def earliest_year_of(born: Json, pooled: int | None, *, today: date) -> int | None:
    """Before which no date of theirs may leave; None where all may. `pooled`: what stands for their birth year."""
    return today.year - OLDEST - 1 if pooled is None and _day(born) is None else pooled


def whole_years(birth: date, day: date) -> int:
    """Somebody's age on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def shift_days(key: bytes, subject: bytes) -> int:
    """1 to 365 days, back or forth: a patient's own in one release, and of no use in another."""
    drawn = int.from_bytes(hmac.digest(key, b"shift" + subject, "sha256"), "big") % (2 * FURTHEST_DAYS)
    return drawn - FURTHEST_DAYS if drawn < FURTHEST_DAYS else drawn - FURTHEST_DAYS + 1


def date_rule(rule: DateRule, *, days: int, pooled: int | None) -> Callable[[Json], str | None]:
    """For the dates of one patient: FHIR date, dateTime or instant -> FHIR date; None for what may not leave. `pooled`:
    the year before which none may."""
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


def _day(value: Json, *, last: bool = False) -> date | None:
    """The first or last day that a date may mean. Of what is no day of the calendar, its month or its year."""
    if not isinstance(value, str) or (found := _DATE.match(value)) is None:
        return None
    for text in (found[0], found[0][:7], found[0][:4]):
        try:
            return _end(text, last=last)
        except ValueError:
            continue
    return None


def _end(text: str, *, last: bool) -> date:
    """Of a year, a month or a day. Raises ValueError for what is not of the calendar."""
    first = date.fromisoformat((text + "-01-01")[:10])
    if not last or len(text) == 10:
        return first
    month = 12 if len(text) == 4 else first.month
    return first.replace(month=month, day=monthrange(first.year, month)[1])
