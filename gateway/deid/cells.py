"""Small cells and outliers: what fewer than k people have in common does not leave.

True here: counted over all people first, applied to each row after. A table of fewer than k people has no rows. A value
that fewer than k people have is taken out of its row; a number beyond that of the k-th person from either end becomes
that person's, within rows of the same code and unit; of a group of fewer than k people no number leaves. In memory are
values and 2k numbers a group, not people.
Source: CMS cell size suppression policy (no cell of 1 to 10); top- and bottom-coding (Hundepool 2012, section 3.4).
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from gateway.deid.views.selects import Cell, Row

Value: TypeAlias = str | int | float | bool
Group: TypeAlias = tuple[str, ...]
MOST_VALUES: Final = 1_000_000
"""Different values of one column that are counted; of a column with more, none leaves that was not counted by then."""


class ColumnKind(StrEnum):
    """`KEY`: a pseudonym. `QUASI`: generalized elsewhere. `VALUE`: codes, words, booleans, years. `NUMBER`: measured.
    `MOVED`: a date that was shifted, which is nobody's."""

    KEY = "key"
    QUASI = "quasi"
    VALUE = "value"
    NUMBER = "number"
    MOVED = "moved"


@dataclass(slots=True)
class _Ends:
    """Each person's least and greatest number, of the k least and the k greatest; how many people there are."""

    people: int = 0
    least: list[float] = field(default_factory=list)
    greatest: list[float] = field(default_factory=list)

    def add(self, low: float, high: float, k: int) -> None:
        self.people += 1
        for heap, value in ((self.greatest, high), (self.least, -low)):
            if len(heap) < k:
                heapq.heappush(heap, value)
            else:
                heapq.heappushpop(heap, value)


class Cells:
    """Of one table. `add` every person's rows, then `close`, then `apply` to each row."""

    def __init__(self, kinds: Sequence[ColumnKind], *, grouped_by: Iterable[int], k: int) -> None:
        """`grouped_by`: places of the columns that say what a number measures."""
        self._kinds = tuple(kinds)
        self._group = tuple(grouped_by)
        self._k = k
        self._values: dict[int, Counter[Value]] = {
            at: Counter() for at, kind in enumerate(kinds) if kind is ColumnKind.VALUE
        }
        self._numbers: dict[int, dict[Group, _Ends]] = {
            at: {} for at, kind in enumerate(kinds) if kind is ColumnKind.NUMBER
        }
        self.people = 0
        self.taken_out = 0
        self.clamped = 0

    def add(self, rows: Sequence[Row]) -> None:
        """All rows of one person."""
        self.people += bool(rows)
        for at, counts in self._values.items():
            seen = {value for row in rows for value in _values_in(row[at])}
            if len(counts) < MOST_VALUES:
                counts.update(seen)
        for at, groups in self._numbers.items():
            ends: dict[Group, tuple[float, float]] = {}
            for row in rows:
                value = row[at]
                if isinstance(value, int | float) and not isinstance(value, bool):
                    group = self._group_of(row)
                    low, high = ends.get(group, (value, value))
                    ends[group] = (min(low, value), max(high, value))
            for group, (low, high) in ends.items():
                if len(groups) < MOST_VALUES or group in groups:
                    groups.setdefault(group, _Ends()).add(low, high, self._k)

    @property
    def is_small(self) -> bool:
        """Fewer than k people have a row at all, which by itself may tell what a view asks for: none leaves."""
        return self.people < self._k

    def apply(self, row: Row) -> Row:
        """The row as it leaves."""
        cells = list(row)
        for at, groups in self._numbers.items():
            cells[at] = self._bounded(row[at], groups.get(self._group_of(row)))
        for at, counts in self._values.items():
            there = _values_in(row[at])
            kept = [value for value in there if counts[value] >= self._k]
            if len(kept) < len(there):
                self.taken_out += len(there) - len(kept)
                cells[at] = kept if isinstance(row[at], list) and kept else None
        return tuple(cells)

    def _group_of(self, row: Row) -> Group:
        return tuple(str(row[place]) for place in self._group)

    def _bounded(self, value: Cell, ends: _Ends | None) -> Cell:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        if ends is None or ends.people < self._k:
            self.taken_out += 1
            return None
        # The k-th person's, from either end.
        low, high = -ends.least[0], ends.greatest[0]
        bounded = min(max(value, low), high) if low <= high else None
        self.clamped += bounded != value
        return bounded


def _values_in(cell: Cell) -> Sequence[Value]:
    return () if cell is None else cell if isinstance(cell, list) else (cell,)
