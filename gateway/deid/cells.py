"""Small cells and outliers: what fewer than k people have in common does not leave.

True here: counted over all people first, applied to each person's rows after. A table of fewer than k people has no
rows. A value that fewer than k people have is taken out of its row. Columns that a view makes of the same elements
count as one: what a row says in all of them, of a number or a date whether there is one, is a value; and so is that
they say nothing: were fewer than k people silent, the rarest other value is taken out, too, as it is where but one
other value is left. A number beyond that of the k-th person from either end becomes that person's, within rows of the
same code and unit; of a group of fewer than k people no number leaves. In memory are values, of each fewer than k
people's numbers, and 2k numbers a group.
Source: CMS cell size suppression policy (no cell of 1 to 10); top- and bottom-coding (Hundepool 2012, section 3.4);
secondary suppression of cells (ibid.).
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from gateway.deid.views.selects import Cell, Row

Value: TypeAlias = str | int | float | bool
Group: TypeAlias = tuple[str, ...]
Places: TypeAlias = tuple[int, ...]
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


@dataclass(slots=True)
class _Values:
    """Of one column, or of several as one. `counts`: people by value; `alone`: by a value that is a cell's only one;
    `few`: the numbers of those who have a cell of rare values alone, fewer than k of each; `without`: of those who have
    a cell of nothing, k at most. `is_telling`: that there is nothing may be what was asked for."""

    is_telling: bool
    counts: Counter[Value] = field(default_factory=Counter)
    alone: Counter[Value] = field(default_factory=Counter)
    few: dict[tuple[Value, ...], list[int]] = field(default_factory=dict)
    without: set[int] = field(default_factory=set)

    def add(self, cells: Sequence[Cell], person: int, k: int) -> None:
        """All of one person."""
        there = {tuple(values_in(cell)) for cell in distinct(cells)}
        if () in there and len(self.without) < k:
            self.without.add(person)
        if len(self.counts) >= MOST_VALUES:
            return
        self.alone.update({cell[0] for cell in there if len(cell) == 1})
        for value in {value for cell in there for value in cell}:
            self.counts[value] += 1
            if self.counts[value] == k:
                self.few.pop((value,), None)
        for cell in there:
            if cell and all(self.counts[value] < k for value in cell):
                self.few.setdefault(cell, []).append(person)

    def left(self, k: int) -> frozenset[Value]:
        """The values that leave."""
        common = {value for value, count in self.counts.items() if count >= k}
        taken_out = (people for cell, people in self.few.items() if common.isdisjoint(cell))
        silent = set(self.without)
        for people in taken_out:
            silent.update(people)
            if len(silent) >= k:
                break
        if 0 < len(silent) < k and (self.is_telling or (len(common) == 1 and len(self.counts) > 1)):
            hiding = {value for value in common if self.alone[value] >= k}
            common -= {min(hiding, key=lambda value: (self.counts[value], str(value)))} if hiding else set(common)
        return frozenset(common)


class Cells:
    """Of one table. `add` every person's rows, then `apply` to each person's."""

    def __init__(
        self, kinds: Sequence[ColumnKind], *, grouped_by: Iterable[int], k: int, together: Iterable[Places] = ()
    ) -> None:
        """`grouped_by`: places of the columns that say what a number measures; `together`: of those that count as one,
        because a view makes them of the same elements."""
        self._kinds = tuple(kinds)
        self._group = tuple(grouped_by)
        self._k = k
        self._values = {places: _Values(is_telling=True) for places in together}
        made = {at for places in self._values for at in places}
        self._values |= {
            (at,): _Values(is_telling=False)
            for at, kind in enumerate(kinds)
            if kind is ColumnKind.VALUE and at not in made
        }
        self._single = frozenset(one for one in self._values if len(one) == 1 and kinds[one[0]] is ColumnKind.VALUE)
        self._numbers: dict[int, dict[Group, _Ends]] = {
            at: {} for at, kind in enumerate(kinds) if kind is ColumnKind.NUMBER
        }
        self._left: dict[Places, frozenset[Value]] | None = None
        self.people = 0
        self.taken_out = 0
        self.clamped = 0

    def add(self, rows: Sequence[Row]) -> None:
        """All rows of one person."""
        self.people += bool(rows)
        for places, values in self._values.items():
            values.add(self._each_said(rows, places), self.people, self._k)
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

    def apply(self, rows: Sequence[Row]) -> list[Row]:
        """One person's rows as they leave, once everybody was added."""
        if self._left is None:
            self._left = {places: values.left(self._k) for places, values in self._values.items()}
        if not rows:
            return []
        columns: list[list[Cell]] = [list(column) for column in zip(*rows, strict=True)]
        for at, groups in self._numbers.items():
            columns[at] = [self._bounded(cell, groups, row) for cell, row in zip(columns[at], rows, strict=True)]
        for places, left in self._left.items():
            said = self._each_said(rows, places)
            if any(value not in left for cell in distinct(said) for value in values_in(cell)):
                self._take_out(columns, rows, places, said)
        return list(zip(*columns, strict=True))

    def _take_out(self, columns: list[list[Cell]], rows: Sequence[Row], places: Places, said: Sequence[Cell]) -> None:
        """Of what is said, what does not leave."""
        assert self._left is not None
        left = self._left[places]
        for number, (row, cell) in enumerate(zip(rows, said, strict=True)):
            there = values_in(cell)
            kept = [value for value in there if value in left]
            if len(kept) < len(there):
                self.taken_out += len(there) - len(kept)
                for at in places:
                    columns[at][number] = None if not isinstance(row[at], list) else kept if len(places) == 1 else []

    def _each_said(self, rows: Sequence[Row], places: Places) -> Sequence[Cell]:
        if places in self._single:
            (at,) = places
            return [row[at] for row in rows]
        return [self._said(row, places) for row in rows]

    def _said(self, row: Row, places: Places) -> Cell:
        """What a row says in a column that counts for whether there is something, or in several columns."""
        said = [
            str(row[at])
            if self._kinds[at] is ColumnKind.VALUE and row[at] not in (None, [])
            else row[at] not in (None, [])
            for at in places
        ]
        return repr(said) if any(said) else None

    def _group_of(self, row: Row) -> Group:
        return tuple([str(row[place]) for place in self._group])

    def _bounded(self, value: Cell, groups: Mapping[Group, _Ends], row: Row) -> Cell:
        if not (type(value) is float or type(value) is int):
            return None
        ends = groups.get(self._group_of(row))
        if ends is None or ends.people < self._k:
            self.taken_out += 1
            return None
        # The k-th person's, from either end.
        low, high = -ends.least[0], ends.greatest[0]
        bounded = min(max(value, low), high) if low <= high else None
        self.clamped += bounded != value
        return bounded


def distinct(cells: Sequence[Cell]) -> Iterable[Cell]:
    """Each cell that is no list once: most of a person's are the same few texts, and one look at each of those does."""
    try:
        return set(cells)
    except TypeError:
        lists = [cell for cell in cells if isinstance(cell, list)]
        return [*lists, *{cell for cell in cells if not isinstance(cell, list)}]


def values_in(cell: Cell) -> Sequence[Value]:
    """Each of a list, or the value; none of nothing."""
    return () if cell is None else cell if isinstance(cell, list) else (cell,)
