"""Dates, times and what is partly known of them, as ODM's data types write them.

True here: a moment that is less precise, or has gaps, is before or after another only if every moment it may mean is;
otherwise the order is not known. With a zone and without one cannot be told apart once there are hours.
Not done here: years beyond 9999 or before 1, and the hour 24, which XML Schema allows: both are refused.
Source: ODM 1.3.2, section 2.14; https://www.w3.org/TR/xmlschema-2/#dateTime; ISO 8601.
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from gateway.trials.definition.items import DataType

_ZONE: Final = r"(?P<zone>Z|[-+](?:[01]\d|2[0-3]):[0-5]\d)?"
_DAY: Final = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
_CLOCK: Final = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2}(?:\.\d{1,12})?)"
_PARTIAL_DAY: Final = r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?"
_PARTIAL_CLOCK: Final = r"(?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d{1,12})?))?)?"
_GAPPED_DAY: Final = r"(?P<year>\d{4}|-)-(?P<month>\d{2}|-)-(?P<day>\d{2}|-)"
_GAPPED_CLOCK: Final = (
    r"(?P<hour>\d{2}|-):(?P<minute>\d{2}|-):(?P<second>\d{2}(?:\.\d{1,12})?|-)"
    r"(?P<zone>Z|-|[-+](?:[01]\d|2[0-3]):[0-5]\d)?"
)
_PARTIAL_BOTH: Final = r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})(?:T" + _PARTIAL_CLOCK + _ZONE + r")?)?)?"


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.ASCII) for pattern in patterns)


_PATTERNS: Final[Mapping[DataType, tuple[re.Pattern[str], ...]]] = {
    DataType.DATE: _compiled(_DAY + _ZONE),
    DataType.TIME: _compiled(_CLOCK + _ZONE),
    DataType.DATETIME: _compiled(f"{_DAY}T{_CLOCK}{_ZONE}"),
    DataType.PARTIAL_DATE: _compiled(_PARTIAL_DAY + _ZONE),
    DataType.PARTIAL_TIME: _compiled(_PARTIAL_CLOCK + _ZONE),
    DataType.PARTIAL_DATETIME: _compiled(_PARTIAL_BOTH),
    DataType.INCOMPLETE_DATE: _compiled(_PARTIAL_DAY + _ZONE, _GAPPED_DAY),
    DataType.INCOMPLETE_TIME: _compiled(_PARTIAL_CLOCK + _ZONE, _GAPPED_CLOCK),
    DataType.INCOMPLETE_DATETIME: _compiled(_PARTIAL_BOTH, f"{_GAPPED_DAY}T{_GAPPED_CLOCK}"),
}
KINDS: Final = frozenset(_PATTERNS)
_DURATION: Final = re.compile(
    r"[-+]?P(?=.)(?:\d{1,9}W|(?:\d{1,9}Y)?(?:\d{1,9}M)?(?:\d{1,9}D)?"
    r"(?:T(?=.)(?:\d{1,9}H)?(?:\d{1,9}M)?(?:\d{1,9}(?:\.\d{1,12})?S)?)?)",
    re.ASCII,
)
_OF_DAY: Final = ("year", "month", "day")
_OF_CLOCK: Final = ("hour", "minute", "second")
_NAMES: Final[Mapping[DataType, tuple[str, ...]]] = {
    DataType.DATE: _OF_DAY,
    DataType.PARTIAL_DATE: _OF_DAY,
    DataType.INCOMPLETE_DATE: _OF_DAY,
    DataType.TIME: _OF_CLOCK,
    DataType.PARTIAL_TIME: _OF_CLOCK,
    DataType.INCOMPLETE_TIME: _OF_CLOCK,
}
_ALL: Final = _OF_DAY + _OF_CLOCK
_MINUTES_A_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`parts`: those that its type has, of year, month, day, hour, minute and second; None where one is not known.
    `zone`: minutes east of Greenwich, None if not said."""

    parts: tuple[Decimal | None, ...]
    has_clock: bool = True
    zone: int | None = None


def parse(text: str, kind: DataType) -> Moment | None:
    """A text of one of `KINDS`. None if it is none, or on no calendar or clock."""
    for pattern in _PATTERNS[kind]:
        match = pattern.fullmatch(text)
        if match is not None:
            found = {name: _number(text) for name, text in match.groupdict().items() if name != "zone"}
            if not _exists(found):
                return None
            names = _NAMES.get(kind, _ALL)
            parts = tuple(found.get(name) for name in names)
            return Moment(parts=parts, has_clock=names != _OF_DAY, zone=_zone(match.groupdict().get("zone")))
    return None


def _number(text: str | None) -> Decimal | None:
    return None if text in (None, "-") else Decimal(text or 0)


def _zone(text: str | None) -> int | None:
    if text in (None, "-"):
        return None
    if not text or text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:])
    return -minutes if text[0] == "-" else minutes


def _exists(parts: Mapping[str, Decimal | None]) -> bool:
    """Whether every part is one that there is. A day without a month or year is one of the longest that it may mean."""
    year, month, day = (parts.get(name) for name in _OF_DAY)
    hour, minute, second = (parts.get(name) for name in _OF_CLOCK)
    if year == 0 or (month is not None and not 1 <= month <= 12):
        return False
    if day is not None and not 1 <= day <= calendar.monthrange(int(year or 2000), int(month or 1))[1]:
        return False
    return (hour or 0) < 24 and (minute or 0) < 60 and (second or 0) < 60


def compare(one: Moment, other: Moment) -> int | None:
    """-1, 0 or 1: one is before, at or after the other, of the same data type; None when that cannot be told."""
    left, right = one.parts, other.parts
    if one.zone != other.zone:
        universal_left, universal_right = _universal(one), _universal(other)
        if universal_left is None or universal_right is None:
            return None
        left, right = universal_left, universal_right
    has_gap = False
    for here, there in zip(left, right, strict=False):
        if here is None and there is None:
            has_gap = True
        elif here is None or there is None:
            return None
        elif here != there:
            return None if has_gap else -1 if here < there else 1
    return 0


def _universal(moment: Moment) -> tuple[Decimal | None, ...] | None:
    """Minutes and seconds at Greenwich; None without a zone, or without a clock down to the minute."""
    if moment.zone is None or not moment.has_clock or None in moment.parts[:-1]:
        return None
    *day, hour, minute, second = moment.parts
    days = date(*(int(part or 0) for part in day)).toordinal() if day else 0
    return (Decimal(days * _MINUTES_A_DAY + int(hour or 0) * 60 + int(minute or 0) - moment.zone), second)


def is_duration(text: str) -> bool:
    """`P1Y2M`, `-PT36H`, `P2W`."""
    return _DURATION.fullmatch(text) is not None


def is_interval(text: str) -> bool:
    """Two moments, or one and a duration, with a stroke between them."""
    start, stroke, end = text.partition("/")
    if not stroke:
        return False
    moments = [parse(one, DataType.PARTIAL_DATETIME) is not None for one in (start, end)]
    return all(moments) or (any(moments) and is_duration(start if moments[1] else end))
