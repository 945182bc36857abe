"""Dates as SAS counts them, and as ISO 8601 writes them.

True here: a date is days since 1960-01-01, a date and time seconds since its first midnight, a time seconds since
midnight; an offset from UTC is known to neither. Each way is the other's inverse, or is refused.
Sources: SAS 9.4 Language Reference: Concepts, "About SAS Date, Time, and Datetime Values"; CDISC Dataset-JSON 1.1,
"Date/Time Variables" (a date whose target is an integer is exchanged as ISO 8601 text).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.errors import CallerError
from gateway.trials.tabulation.model import NUMBERS, Cell, DataType, Row, Table, Variable
from gateway.trials.tabulation.places import fault

_ZERO: Final = datetime.fromisoformat("1960-01-01")
_FORMATS: Final = {
    DataType.DATE: ("DATE", "E8601DA", "IS8601DA", "B8601DA", "YYMMDD", "MMDDYY", "DDMMYY", "WEEKDATE", "WORDDATE"),
    DataType.DATETIME: ("DATETIME", "E8601DT", "IS8601DT", "B8601DT", "DATEAMPM", "MDYAMPM"),
    DataType.TIME: ("TIME", "E8601TM", "IS8601TM", "B8601TM", "HHMM", "TOD"),
}
_TYPES: Final = {name: type_ for type_, names in _FORMATS.items() for name in names}
_WIDTH: Final = re.compile(r"\d*\.?\d*\Z", re.ASCII)
_DATE: Final = r"\d{4}-\d\d-\d\d"
_CLOCK: Final = r"\d\d:\d\d:\d\d(?P<part>\.\d{0,5}[1-9])?"
_SHAPES: Final = {
    DataType.DATE: re.compile(_DATE, re.ASCII),
    DataType.DATETIME: re.compile(f"{_DATE}T{_CLOCK}", re.ASCII),
    DataType.TIME: re.compile(_CLOCK, re.ASCII),
}
_DAY: Final = 86_400


def moment_type(display_format: str | None) -> DataType | None:
    """DATE, DATETIME or TIME, where a SAS format shows one; None for any other."""
    return _TYPES.get(_WIDTH.sub("", (display_format or "").upper()))


def number_of(text: str, type_: DataType) -> int | Decimal:
    """A date, date and time, or time as SAS counts it. Raises CallerError, which names no value, for a text that its
    number would not give back: partial, with an offset, without seconds, or of no calendar."""
    found = _SHAPES[type_].fullmatch(text)
    if found is None:
        raise CallerError(f"is no whole {type_} of ISO 8601, so it has no number")
    try:
        read = datetime.fromisoformat(f"1960-01-01T{text}" if type_ is DataType.TIME else text)
    except ValueError as error:
        raise CallerError(f"is no {type_} of the calendar") from error
    passed = read - _ZERO
    if type_ is DataType.DATE:
        return passed.days
    seconds = passed.days * _DAY + passed.seconds
    return seconds + Decimal(passed.microseconds) / 1_000_000 if passed.microseconds else seconds


def text_of(cell: Cell, type_: DataType) -> str | None:
    """ISO 8601 of what SAS counted; None of None. Raises CallerError, which names no value, for a special missing
    number, for parts of a day or of a microsecond, and for what is of no calendar."""
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal) or cell != cell:
        raise CallerError(f"has no {type_}: it is no number, or a special missing one")
    if isinstance(cell, Decimal) and cell.adjusted() > 18:
        raise CallerError(f"is no {type_} of the calendar")
    micros = Decimal(cell) * (_DAY if type_ is DataType.DATE else 1) * 1_000_000
    step = _DAY * 1_000_000 if type_ is DataType.DATE else 1
    if abs(micros) > 10**18 or micros % step or (type_ is DataType.TIME and not 0 <= micros < _DAY * 1_000_000):
        raise CallerError(f"is no whole {type_}")
    try:
        moment = _ZERO + timedelta(microseconds=int(micros))
    except OverflowError as error:
        raise CallerError(f"is no {type_} of the calendar") from error
    if type_ is DataType.DATE:
        return moment.date().isoformat()
    text = moment.isoformat() if type_ is DataType.DATETIME else moment.time().isoformat()
    return text.rstrip("0") if moment.microsecond else text


def dated(table: Table, rows: Iterable[Row], *, file: str) -> tuple[Table, Iterator[Row]]:
    """The same table with each number that a SAS format shows as a date, date and time, or time as ISO 8601 text whose
    target is an integer, as Dataset-JSON wants it. The iterator raises CallerError with file, row and variable."""
    types = [moment_type(one.display_format) if one.type in NUMBERS else None for one in table.variables]
    variables = tuple(
        one if type_ is None else replace(one, type=type_, target_type=DataType.INTEGER)
        for one, type_ in zip(table.variables, types, strict=True)
    )
    turned = [(at, table.variables[at], type_) for at, type_ in enumerate(types) if type_ is not None]
    return replace(table, variables=variables), _dated(rows, turned, file) if turned else iter(rows)


def _dated(
    rows: Iterable[Row],
    turned: list[tuple[int, Variable, DataType]],
    file: str,
) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        cells = list(row)
        for at, variable, type_ in turned:
            try:
                cells[at] = text_of(cells[at], type_)
            except CallerError as error:
                raise fault(error.message, file=file, row=number, variable=variable.name) from error
        yield tuple(cells)
