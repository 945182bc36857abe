"""The shape of a release: what its columns hold, and how many people have each value, told from the rows that left.

True here: counts are of people, not of rows, and of released values alone; no count from 1 to k - 1 is told, so the
shape says nothing of few that the tables do not. Pure.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.deid.assembly import PersonRows
from gateway.deid.cells import ColumnKind
from gateway.deid.dates import DateRule
from gateway.deid.profile import Profile
from gateway.deid.tables import Table, cell_text

MOST_SHOWN: Final = 12
"""Values of a column that are shown; the rest are added up."""
COUNTED: Final = (ColumnKind.QUASI, ColumnKind.VALUE)
DONE: Final = {
    ColumnKind.KEY: "a pseudonym, the same all through this release and in no other",
    ColumnKind.QUASI: "generalized, so that at least {k} people are alike in all such columns",
    ColumnKind.VALUE: "taken out where fewer than {k} people have it",
    ColumnKind.NUMBER: "bounded by the {k}th person's from either end, within one code and unit",
    ColumnKind.MOVED: "moved by days that are the person's own; intervals are kept",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEntry:
    """A line of the data dictionary. `reads`: the FHIR elements that it is told from; `done`: what became of it."""

    name: str
    type: str
    kind: ColumnKind
    reads: tuple[str, ...]
    done: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """People by the values of one column, the most frequent first; `others` have one that is not shown."""

    table: str
    column: str
    values: tuple[tuple[str, int], ...]
    others: int


def dictionary(table: Table, profile: Profile) -> tuple[ColumnEntry, ...]:
    """What each column of a table is."""
    years = " (dates are years)" if profile.dates is DateRule.YEAR else ""
    return tuple(
        ColumnEntry(
            name=column.name,
            type=column.type,
            kind=kind,
            reads=tuple(sorted(column.reads)),
            done=DONE[kind].format(k=profile.anonymity.k) + (years if kind is ColumnKind.VALUE else ""),
        )
        for column, kind in zip(table.view.columns, table.kinds, strict=True)
    )


class Shape:
    """Counts as people are released."""

    def __init__(self, tables: Sequence[Table], profile: Profile) -> None:
        self._tables = tuple(tables)
        self._k = profile.anonymity.k
        self._counts: dict[tuple[int, int], Counter[str]] = {
            (number, at): Counter()
            for number, table in enumerate(tables)
            for at, kind in enumerate(table.kinds)
            if kind in COUNTED
        }

    def add(self, person: PersonRows) -> None:
        """The rows of one who was released, as they left."""
        for (number, at), counts in self._counts.items():
            counts.update({cell_text(row[at]) for row in person[number] if row[at] is not None})

    def bars(self) -> tuple[Bars, ...]:
        """Of each column with values."""
        made = []
        for (number, at), counts in self._counts.items():
            told = [(value, count) for value, count in counts.most_common() if count >= self._k]
            if told:
                shown, rest = told[:MOST_SHOWN], told[MOST_SHOWN:]
                table = self._tables[number]
                made.append(
                    Bars(
                        table=table.name,
                        column=table.view.columns[at].name,
                        values=tuple(shown),
                        others=len(rest),
                    )
                )
        return tuple(made)
