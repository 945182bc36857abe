"""Dates and times of FHIR as FHIRPath compares and bounds them (https://hl7.org/fhirpath/N1/#datetime-comparison).

True here: moments are compared part by part, years first; when one is less precise and all its parts are equal, the
answer is neither yes nor no. A moment with a zone and one without cannot be told apart once they have hours.
Boundaries are those of FHIRPath 3.0's lowBoundary() and highBoundary() without an argument, to the millisecond, over
every zone of the earth when none is given. What is no date of the calendar has no answer.
"""

import calendar
import re
from datetime import date
from decimal import Decimal

_MOMENT = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]{1,12})?))?(Z|[-+][0-9]{2}:[0-9]{2})?)?)?)?",
    re.ASCII,
)
_TIME = re.compile(r"([0-9]{2})(?::([0-9]{2})(?::([0-9]{2}(?:\.[0-9]{1,12})?))?)?", re.ASCII)
_DAY = 24 * 60
_EARLIEST_ZONE, _LATEST_ZONE = "+14:00", "-12:00"

Parts = tuple[list[Decimal], str | None]


def parse(text: str) -> Parts | None:
    """A date, dateTime or instant as its parts, largest first, and its zone. None for any other text."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    parts = [Decimal(part) for part in match.groups()[:6] if part is not None]
    return (parts, match[7]) if _on_calendar(parts) else None


def parse_time(text: str) -> Parts | None:
    """A time of day (`12:30`, `12:30:05.250`) as its parts. None for any other text."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    parts = [Decimal(part) for part in match.groups() if part is not None]
    return (parts, None) if _on_clock(parts) else None


def compare(left: str, right: str) -> int | None:
    """-1, 0 or 1: left is before, at or after right. None when that cannot be told."""
    first, second = parse(left), parse(right)
    if first is None or second is None:
        first, second = parse_time(left), parse_time(right)
    if first is None or second is None:
        return None
    if len(first[0]) > 3 and len(second[0]) > 3:
        if (first[1] is None) != (second[1] is None):
            return None
        if first[1] is not None and second[1] is not None:
            return _compare_parts(_universal(first[0], first[1]), _universal(second[0], second[1]))
    return _compare_parts(first[0], second[0])


def _compare_parts(left: list[Decimal], right: list[Decimal]) -> int | None:
    for one, other in zip(left, right, strict=False):
        if one != other:
            return -1 if one < other else 1
    return 0 if len(left) == len(right) else None


def _universal(parts: list[Decimal], zone: str) -> list[Decimal]:
    """Minutes since the calendar's first day at Greenwich, and the seconds if they are given."""
    year, month, day, hour, minute = (int(part) for part in parts[:5])
    offset = 0 if zone == "Z" else int(zone[1:3]) * 60 + int(zone[4:])
    minutes = date(year, month, day).toordinal() * _DAY + hour * 60 + minute
    return [Decimal(minutes + offset if zone[0] == "-" else minutes - offset), *parts[5:]]


def _on_calendar(parts: list[Decimal]) -> bool:
    year, month, day = (int(part) for part in (*parts[:3], *(Decimal(1),) * (3 - len(parts))))
    if year < 1 or not 1 <= month <= 12:
        return False
    return 1 <= day <= calendar.monthrange(year, month)[1] and _on_clock(parts[3:])


def _on_clock(parts: list[Decimal]) -> bool:
    return all(part < limit for part, limit in zip(parts, (24, 60, 61), strict=False))


def boundary(text: str, *, kind: str, high: bool) -> str | None:
    """The first or last moment that a date, dateTime, instant or time may mean. `kind`: how to read a bare date.

    None for a text that is none of them.
    """
    if kind == "time":
        clock = parse_time(text)
        return None if clock is None else _clock(text, high=high)
    parsed = parse(text)
    if parsed is None:
        return None
    day = _day(parsed[0], high=high)
    if kind == "date":
        return day
    zone = parsed[1] or (_LATEST_ZONE if high else _EARLIEST_ZONE)
    clock_text = text[11:].removesuffix(parsed[1]) if parsed[1] else text[11:]
    return f"{day}T{_clock(clock_text, high=high)}{zone}"


def _day(parts: list[Decimal], *, high: bool) -> str:
    year, month = int(parts[0]), int(parts[1]) if len(parts) > 1 else 12 if high else 1
    if len(parts) > 2:
        return f"{year:04}-{month:02}-{int(parts[2]):02}"
    return f"{year:04}-{month:02}-{calendar.monthrange(year, month)[1] if high else 1:02}"


def _clock(text: str, *, high: bool) -> str:
    full = "23:59:59.999" if high else "00:00:00.000"
    return text + full[len(text) :]
