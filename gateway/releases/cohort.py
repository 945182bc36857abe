"""A cohort: which consented patients a data set is about, told by the facts of their records.

True here: pure; every criterion that is given must hold, and none means everybody. A patient of whom a criterion cannot
be judged (no birth date, where an age is asked for) is not in. Codes and clinical periods are those that decisions and
searches take (`gateway.records.fhir`); codes are compared as they are written, with no terminology behind them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from gateway.consent.model import DecisionFacts
from gateway.deid.dates import whole_years
from gateway.errors import CallerError

MOST_CODES: Final = 256
OLDEST: Final = 150
SEXES: Final = frozenset({"male", "female", "other", "unknown"})
_CODE = re.compile(r"[!-{}~]{1,256}\|[!-{}~]{1,128}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MEMBERS: Final = ("conditions", "codes", "sex", "age", "dates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """`conditions`: a Condition is about one of these. `codes`: any record is about one of these, within `dates` where
    they are given. `sexes`: `Patient.gender`. `ages`: whole years on the day of the build, both ends included. `dates`:
    seconds since 1970, both ends included; without codes, some record must be of that time."""

    conditions: frozenset[str]
    codes: frozenset[str]
    sexes: frozenset[str]
    ages: tuple[int, int] | None
    dates: tuple[float, float] | None

    def admits_records(self, records: Iterable[DecisionFacts]) -> bool:
        """Whether these records are of somebody who is in, for all that they are about and when."""
        condition, code = not self.conditions, not self.codes and self.dates is None
        for facts in records:
            condition = condition or (
                facts.resource_type == "Condition" and not self.conditions.isdisjoint(facts.codes)
            )
            code = code or self._has(facts)
        return condition and code

    def admits_patient(self, patient: Mapping[str, Any] | None, *, today: date) -> bool:
        """Whether somebody of this Patient resource, if there is one, is in by sex and age."""
        told = patient or {}
        if self.sexes and told.get("gender") not in self.sexes:
            return False
        if self.ages is None:
            return True
        birth = _day(told.get("birthDate"))
        return birth is not None and self.ages[0] <= whole_years(birth, today) <= self.ages[1]

    def _has(self, facts: DecisionFacts) -> bool:
        if self.codes and self.codes.isdisjoint(facts.codes):
            return False
        if self.dates is None:
            return True
        return facts.period is not None and min(facts.period) <= self.dates[1] and self.dates[0] <= max(facts.period)


def parse_cohort(value: object, *, field: tuple[str, ...]) -> Cohort:
    """Raises CallerError that names the member."""
    if not isinstance(value, dict):
        raise CallerError("a JSON object", field=field)
    for member in value.keys() - set(_MEMBERS):
        raise CallerError("no criterion of a cohort", field=(*field, str(member)[:64]))
    sexes = _texts(value, "sex", field)
    if not sexes <= SEXES:
        raise CallerError("male, female, other or unknown", field=(*field, "sex"))
    return Cohort(
        conditions=_codes(value, "conditions", field),
        codes=_codes(value, "codes", field),
        sexes=sexes,
        ages=_ages(value.get("age"), (*field, "age")),
        dates=_dates(value.get("dates"), (*field, "dates")),
    )


def _texts(value: Mapping[str, Any], name: str, field: tuple[str, ...]) -> frozenset[str]:
    given = value.get(name, [])
    if not isinstance(given, list) or len(given) > MOST_CODES or not all(isinstance(one, str) for one in given):
        raise CallerError(f"a list of at most {MOST_CODES} texts", field=(*field, name))
    return frozenset(given)


def _codes(value: Mapping[str, Any], name: str, field: tuple[str, ...]) -> frozenset[str]:
    given = _texts(value, name, field)
    if not all(_CODE.fullmatch(one) for one in given):
        raise CallerError("system|code", field=(*field, name))
    return given


def _ages(value: object, field: tuple[str, ...]) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value or not value.keys() <= {"from", "to"}:
        raise CallerError("from, to, or both, in years", field=field)
    first, last = value.get("from", 0), value.get("to", OLDEST)
    for name, years in (("from", first), ("to", last)):
        if isinstance(years, bool) or not isinstance(years, int) or not 0 <= years <= OLDEST:
            raise CallerError(f"0 to {OLDEST} years", field=(*field, name))
    if first > last:
        raise CallerError("from must not be more than to", field=field)
    return first, last


def _dates(value: object, field: tuple[str, ...]) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value or not value.keys() <= {"from", "to"}:
        raise CallerError("from, to, or both", field=field)
    days = []
    for name, otherwise in (("from", date.min), ("to", date.max)):
        day = _day(value[name]) if name in value else otherwise
        if day is None:
            raise CallerError("a day of the calendar, YYYY-MM-DD", field=(*field, name))
        days.append(day)
    if days[0] > days[1]:
        raise CallerError("from must not be later than to", field=field)
    first, last = (datetime.combine(day, at, UTC) for day, at in zip(days, (time.min, time.max), strict=True))
    return first.timestamp(), last.timestamp()


def _day(value: object) -> date | None:
    """A whole date of the calendar."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else None
    except ValueError:
        return None
