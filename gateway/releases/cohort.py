"""A cohort: which consented patients a data set is about, told by what stands in their records.

True here: pure; every criterion that is given must hold, and none means everybody. A patient of whom a criterion cannot
be judged (no birth date, where an age is asked for) is not in. Codes are compared as they are written, `system|code`,
with no terminology behind them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from gateway.errors import CallerError

MOST_CODES: Final = 256
OLDEST: Final = 150
SEXES: Final = frozenset({"male", "female", "other", "unknown"})
_CODE = re.compile(r"[!-{}~]{1,256}\|[!-{}~]{1,128}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MEMBERS: Final = ("conditions", "codes", "sex", "age", "dates")
_ABOUT: Final = ("code", "vaccineCode", "medicationCodeableConcept")
_WHEN: Final = (
    "effectiveDateTime", "onsetDateTime", "performedDateTime", "occurrenceDateTime", "authoredOn", "recordedDate",
    "issued",
)  # fmt: skip
_WHILE: Final = ("effectivePeriod", "onsetPeriod", "performedPeriod", "period")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """`conditions`: one of these stands in a Condition. `codes`: one of these stands in any record, within `dates`
    where they are given. `sexes`: `Patient.gender`. `ages`: whole years on the day of the build, both ends included.
    `dates`: first and last day; without codes, some record must be of that time."""

    conditions: frozenset[str]
    codes: frozenset[str]
    sexes: frozenset[str]
    ages: tuple[int, int] | None
    dates: tuple[str, str] | None

    def admits(self, resources: Iterable[Mapping[str, Any]], *, today: date) -> bool:
        """Whether the patient whose records these are is in."""
        found = _Found(self, today)
        for resource in resources:
            found.look(resource)
        return found.all_hold


class _Found:
    """What was found so far, in one go over the records."""

    def __init__(self, cohort: Cohort, today: date) -> None:
        self._cohort = cohort
        self._today = today
        self._condition = not cohort.conditions
        self._code = not cohort.codes and cohort.dates is None
        self._person = not cohort.sexes and cohort.ages is None

    @property
    def all_hold(self) -> bool:
        return self._condition and self._code and self._person

    def look(self, resource: Mapping[str, Any]) -> None:
        cohort = self._cohort
        if resource.get("resourceType") == "Patient":
            self._person = self._person or self._fits(resource)
            return
        if self._condition and self._code:
            return
        codes = _codes_of(resource)
        if resource.get("resourceType") == "Condition" and not cohort.conditions.isdisjoint(codes):
            self._condition = True
        if not self._code and (not cohort.codes or not cohort.codes.isdisjoint(codes)):
            self._code = cohort.dates is None or _touches(resource, *cohort.dates)

    def _fits(self, patient: Mapping[str, Any]) -> bool:
        if self._cohort.sexes and patient.get("gender") not in self._cohort.sexes:
            return False
        if self._cohort.ages is None:
            return True
        age = age_on(patient.get("birthDate"), self._today)
        return age is not None and self._cohort.ages[0] <= age <= self._cohort.ages[1]


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


def age_on(born: object, today: date) -> int | None:
    """Whole years; None without a full birth date of the calendar."""
    if not isinstance(born, str) or not _DATE.fullmatch(born[:10]):
        return None
    try:
        birth = date.fromisoformat(born[:10])
    except ValueError:
        return None
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def _codes_of(resource: Mapping[str, Any]) -> set[str]:
    """What a resource is about."""
    concepts = (resource.get(name) for name in _ABOUT)
    codings = (one.get("coding") for one in concepts if isinstance(one, dict))
    return {
        f"{coding.get('system')}|{coding.get('code')}"
        for some in codings
        if isinstance(some, list)
        for coding in some
        if isinstance(coding, dict)
    }


def _touches(resource: Mapping[str, Any], first: str, last: str) -> bool:
    """Whether any of the times that a resource gives itself is within the days."""
    for name in _WHEN:
        if isinstance(told := resource.get(name), str) and first <= told[:10] <= last:
            return True
    for name in _WHILE:
        span = resource.get(name)
        if isinstance(span, dict):
            start, end = str(span.get("start") or "")[:10], str(span.get("end") or "9999")[:10]
            if start and start <= last and end >= first:
                return True
    return False


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


def _dates(value: object, field: tuple[str, ...]) -> tuple[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value or not value.keys() <= {"from", "to"}:
        raise CallerError("from, to, or both", field=field)
    first, last = value.get("from", "0001-01-01"), value.get("to", "9999-12-31")
    for name, day in (("from", first), ("to", last)):
        if not isinstance(day, str) or not _DATE.fullmatch(day) or age_on(day, date.max) is None:
            raise CallerError("a day of the calendar, YYYY-MM-DD", field=(*field, name))
    if first > last:
        raise CallerError("from must not be later than to", field=field)
    return first, last
