"""Ladders of generalization: what a quasi-identifier's value becomes, step by step, until nothing is told.

True here: the first step of a ladder is the value as the release would show it, the last is `*` for all; two values
that are the same on one step are the same on every later one. Sources: Samarati 2001 (domain generalization
hierarchies); the form of a table of steps is ARX's: one line a value, its steps separated by semicolons.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from gateway.errors import CallerError

ALL: Final = "*"
NOTHING: Final = ""
"""Stands for a value that is missing: a value of its own."""
BANDS: Final = (5, 10, 20, 40)
MOST_VALUES: Final = 100_000

Ladder: TypeAlias = Callable[[str], Sequence[str]]
"""A value -> all of its steps, itself first."""


class Kind(StrEnum):
    """What a quasi-identifier is."""

    YEAR = "year"
    ZIP3 = "zip3"
    NUMBER = "number"
    WORD = "word"


def year_ladder(value: str) -> Sequence[str]:
    """A FHIR date -> its year, bands of years, all. What is no date has one step of its own before `*`."""
    year = value[:4]
    if not (len(year) == 4 and year.isdigit()):
        return (value, *[NOTHING] * len(BANDS), ALL)
    return (year, *(_band(int(year), width) for width in BANDS), ALL)


def number_ladder(value: str) -> Sequence[str]:
    """A number -> itself, bands, all."""
    try:
        whole = int(float(value))
    except (ValueError, OverflowError):
        return (value, *[NOTHING] * len(BANDS), ALL)
    return (value, *(_band(whole, width) for width in BANDS), ALL)


def zip_ladder(value: str) -> Sequence[str]:
    """Three digits -> two, one, all."""
    return (value, f"{value[:2]}*", f"{value[:1]}**", ALL) if value else (value, value, value, ALL)


def word_ladder(value: str) -> Sequence[str]:
    return (value, ALL)


LADDERS: Final[Mapping[Kind, Ladder]] = {
    Kind.YEAR: year_ladder,
    Kind.NUMBER: number_ladder,
    Kind.ZIP3: zip_ladder,
    Kind.WORD: word_ladder,
}


def parse_ladder(text: str, *, field: tuple[str, ...]) -> Ladder:
    """A table of steps, `value;step;…;*` a line. A value that is not in it is told on no step but the last. Raises
    CallerError for lines of different lengths, and for a step that says of one value more than the step before."""
    rows = [tuple(one.strip() for one in row) for row in csv.reader(io.StringIO(text), delimiter=";") if row]
    height = len(rows[0]) if rows else 0
    if not rows or len(rows) > MOST_VALUES or height < 2 or any(len(row) != height for row in rows):
        raise CallerError(f"1 to {MOST_VALUES} lines of as many steps each, two at least", field=field)
    for step in range(height - 1):
        above: dict[str, str] = {}
        for row in rows:
            if above.setdefault(row[step], row[step + 1]) != row[step + 1]:
                raise CallerError(f"step {step + 1} parts what step {step} holds together", field=field)
    known = {row[0]: (*row[:-1], ALL) for row in rows}
    unknown = (ALL,) * height
    return lambda value: known.get(value, unknown)


def _band(value: int, width: int) -> str:
    start = value // width * width
    return f"{start}-{start + width - 1}"
