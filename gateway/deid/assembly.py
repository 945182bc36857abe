"""A release put together, in three goes over everybody's rows: who is alike, what few have, what leaves.

    observe  each person's rows, of all who are in the cohort and consented
    plan     how far quasi-identifiers are generalized, and who is left out
    count    the rows of those who are in, again: values that few have, and ends of numbers
    release  the rows as they leave, once more
    verdict  measured on what left, not on what was planned

True here: the verdict is of the very rows that left; a release whose verdict is not good enough must not be given out.
In memory are classes, values and ends: none of it grows with the people once their kinds are seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.deid.cells import Cells, ColumnKind
from gateway.deid.classes import Classes, Measures, Quasi, Sensitive
from gateway.deid.generalizing import Levels, Plan, generalize
from gateway.deid.ladders import Ladder
from gateway.deid.profile import Profile
from gateway.deid.tables import Table
from gateway.deid.views.selects import Row

PersonRows = Sequence[Sequence[Row]]
"""Of one person: rows of each table, in the order of the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`people`: all who were observed; `suppressed`: of them left out. `rows`: of each table. `taken_out`, `clamped`:
    cells. `failed`: the measures that are not what the profile asks for, by name."""

    people: int
    suppressed: int
    measures: Measures
    rows: tuple[int, ...]
    taken_out: int
    clamped: int
    failed: tuple[str, ...]


class Assembly:
    """Of one release."""

    def __init__(self, tables: Sequence[Table], profile: Profile) -> None:
        self._tables = tuple(tables)
        self._profile = profile
        self._observed = Classes()
        self._left = Classes()
        self._cells = [
            Cells(one.kinds, grouped_by=one.grouped_by, k=profile.anonymity.k, together=one.together) for one in tables
        ]
        self._rows = [0] * len(tables)
        self._plan: Plan | None = None

    @property
    def ladders(self) -> Sequence[Ladder]:
        return [ladder for table in self._tables for ladder in table.ladders]

    def observe(self, person: PersonRows) -> None:
        self._observed.add(self._quasi(person), self._sensitive(person))

    def plan(self, levels: Levels | None = None) -> Plan:
        """Once everybody was observed. `levels`: of a plan before, which this one keeps to."""
        self._plan = generalize(self._observed, self.ladders, self._profile.anonymity, levels=levels)
        return self._plan

    def count(self, person: PersonRows) -> None:
        if self._place(person) is not None:
            for cells, rows in zip(self._cells, person, strict=True):
                cells.add(rows)

    def release(self, person: PersonRows) -> list[list[Row]] | None:
        """The rows that leave, of each table; None for one who is left out."""
        place = self._place(person)
        if place is None:
            return None
        left: list[list[Row]] = []
        start = 0
        for table, cells, rows in zip(self._tables, self._cells, person, strict=True):
            told = place[start : start + len(table.ladders)]
            start += len(table.ladders)
            left.append([] if cells.is_small else [_told(table, row, told) for row in cells.apply(rows)])
        for at, rows in enumerate(left):
            self._rows[at] += len(rows)
        self._left.add(place, self._sensitive(left))
        return left

    def verdict(self) -> Verdict:
        """Once everything was released."""
        wanted, measured = self._profile.anonymity, self._left.measure()
        people = self._observed.people
        suppressed = people - measured.people
        failed = {
            "people": measured.people == 0,
            "k": measured.k < wanted.k,
            "l": any(one.sensitive for one in self._left.by_quasi.values()) and measured.diversity < wanted.diversity,
            "t": measured.t > wanted.t,
            "suppressed": suppressed > wanted.suppressed_most * people,
        }
        return Verdict(
            people=people,
            suppressed=suppressed,
            measures=measured,
            rows=tuple(self._rows),
            taken_out=sum(one.taken_out for one in self._cells),
            clamped=sum(one.clamped for one in self._cells),
            failed=tuple(name for name, is_bad in failed.items() if is_bad),
        )

    def _place(self, person: PersonRows) -> Quasi | None:
        if self._plan is None:
            raise AssertionError("everybody is observed, and a plan made, before anything is counted or leaves")
        return self._plan.place(self._quasi(person))

    def _quasi(self, person: PersonRows) -> Quasi:
        pairs = zip(self._tables, person, strict=True)
        return tuple(value for table, rows in pairs if table.is_of_people for value in table.quasi(rows))

    def _sensitive(self, person: PersonRows) -> Sensitive:
        pairs = zip(self._tables, person, strict=True)
        return {column: values for table, rows in pairs for column, values in table.sensitive_values(rows).items()}


def _told(table: Table, row: Row, told: Quasi) -> Row:
    """The row with its quasi-identifiers as they leave."""
    if not told:
        return row
    left = iter(told)
    return tuple(next(left) if kind is ColumnKind.QUASI else cell for kind, cell in zip(table.kinds, row, strict=True))
