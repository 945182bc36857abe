"""Tables of a release: what each column of a view is, and so what is done with it before it leaves.

True here: all of a patient's own description, but the key, is quasi-identifying, whatever the column is called: a view
on Patient has no conditions, so that its rows tell nothing that its cells do not. Of other views a number is measured
within rows of one code and unit, and what no rule knows is a value that enough people must share: so is all that a view
makes of elements. A key, a number or a moved date is an element as it stands, and a date is one by the catalogue,
whatever the view calls it.
Not done here: who has how many rows in a table is not generalized.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.deid.catalogue import rule_at
from gateway.deid.cells import ColumnKind, Places, values_in
from gateway.deid.classes import Quasi, Sensitive
from gateway.deid.dates import DateRule
from gateway.deid.fhirpath.parts import Origin
from gateway.deid.ladders import LADDERS, NOTHING, Kind, Ladder
from gateway.deid.profile import Profile
from gateway.deid.views import View
from gateway.deid.views.columns import Column
from gateway.deid.views.selects import Cell, Row
from gateway.errors import CallerError

PERSON: Final = "Patient"
KEYS: Final = frozenset({
    "id", "subject.reference", "patient.reference", "beneficiary.reference", "encounter.reference", "context.reference",
    "claim.reference", "prescription.reference", "basedOn.reference", "partOf.reference", "hasMember.reference",
    "derivedFrom.reference", "result.reference", "reasonReference.reference", "diagnosis.condition.reference",
    "medicationReference.reference", "addresses.reference", "item.encounter.reference",
})  # fmt: skip
"""Elements that name the patient, or a record of theirs alone. A reference to others is a value, as a code is."""
NUMBERS: Final = frozenset({"decimal", "integer", "integer64", "positiveInt", "unsignedInt"})
DATES: Final = frozenset({"date", "dateTime", "instant"})
_YEARS: Final = frozenset({"Patient.birthDate", "Patient.deceasedDateTime"})
_ZIP: Final = "Patient.address.postalCode"
_UNITS: Final = (".coding.code", "Quantity.code", "Quantity.unit")
_MAIN: Final = (
    "code.coding.code", "medicationCodeableConcept.coding.code", "vaccineCode.coding.code", "reasonCode.coding.code",
    "diagnosisCodeableConcept.coding.code", "procedureCodeableConcept.coding.code", "itemCodeableConcept.coding.code",
)  # fmt: skip
"""What a record is about, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`kinds`: of the columns, in order; `ladders`: of the quasi-identifying ones. `grouped_by`: columns that say what
    a number measures; `sensitive`: those that say what a record is about; `together`: those that
    are more than elements as they stand, each with all that read the same."""

    name: str
    view: View
    kinds: tuple[ColumnKind, ...]
    ladders: tuple[Ladder, ...]
    grouped_by: tuple[int, ...]
    sensitive: tuple[int, ...]
    together: tuple[Places, ...]

    @property
    def is_of_people(self) -> bool:
        return self.view.resource == PERSON

    def quasi(self, rows: Sequence[Row]) -> Quasi:
        """Of one person. A patient without a Patient resource has nothing of each."""
        if not rows:
            return (NOTHING,) * len(self.ladders)
        return tuple(cell_text(rows[0][at]) for at, kind in enumerate(self.kinds) if kind is ColumnKind.QUASI)

    def sensitive_values(self, rows: Sequence[Row]) -> Sensitive:
        """Of one person; each of a list is a value."""
        return {
            f"{self.name}.{self.view.columns[at].name}": {
                cell_text(value) for row in rows for value in values_in(row[at])
            }
            for at in self.sensitive
        }


def make_table(name: str, view: View, profile: Profile, *, field: tuple[str, ...]) -> Table:
    """Raises CallerError that names the view's member."""
    if view.resource == PERSON and view.conditions:
        raise CallerError("a view on Patient has no where, forEach or repeat: choose people by the cohort", field=field)
    kinds = tuple(kind_of(column, view.resource, profile.dates) for column in view.columns)
    if view.resource == PERSON and ColumnKind.KEY not in kinds:
        raise CallerError("a view on Patient has a column of getResourceKey()", field=field)
    return Table(
        name=name,
        view=view,
        kinds=kinds,
        ladders=tuple(
            LADDERS[_ladder(column)]
            for column, kind in zip(view.columns, kinds, strict=True)
            if kind is ColumnKind.QUASI
        ),
        grouped_by=_reading(view, kinds, _UNITS),
        sensitive=() if view.resource == PERSON else _reading(view, kinds, _MAIN),
        together=() if view.resource == PERSON else _together(view.columns),
    )


def kind_of(column: Column, resource: str, dates: DateRule) -> ColumnKind:
    """What a column holds, by the elements that it may read."""
    inside = {read.removeprefix(f"{resource}.") for read in column.reads}
    is_element = column.origin is not Origin.COMPUTED and not column.collection
    if inside and inside <= KEYS and is_element:
        return ColumnKind.KEY
    if resource == PERSON:
        return ColumnKind.QUASI
    if column.checked and is_element:
        if column.type in NUMBERS:
            return ColumnKind.NUMBER
        if column.type in DATES and dates is DateRule.SHIFT and all(rule_at(read) == "date" for read in column.reads):
            return ColumnKind.MOVED
    return ColumnKind.VALUE


def cell_text(cell: Cell) -> str:
    """One text for one value; nothing for none."""
    if cell is None:
        return NOTHING
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return ",".join(map(cell_text, cell)) if isinstance(cell, list) else str(cell)


def _ladder(column: Column) -> Kind:
    if column.reads <= _YEARS:
        return Kind.YEAR
    if column.reads == {_ZIP}:
        return Kind.ZIP3
    return Kind.NUMBER if column.type in NUMBERS else Kind.WORD


def _reading(view: View, kinds: Sequence[ColumnKind], ends: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(
        at
        for at, (column, kind) in enumerate(zip(view.columns, kinds, strict=True))
        if kind is ColumnKind.VALUE and any(_may_end(read, end) for read in column.reads for end in ends)
    )


def _may_end(read: str, end: str) -> bool:
    """`*` stands for any steps."""
    _, anything, tail = read.rpartition("*.")
    return tail.endswith(end) or (anything != "" and end.endswith(tail))


def _together(columns: Sequence[Column]) -> tuple[Places, ...]:
    """Columns that a criterion or a computation makes of elements, with all that read one of those."""
    found: list[set[int]] = []
    for at, column in enumerate(columns):
        if column.origin is not Origin.ELEMENT:
            made = {at} | {other for other, one in enumerate(columns) if one.reads & column.reads}
            apart = [places for places in found if not places & made]
            found = [*apart, made.union(*(places for places in found if places & made))]
    return tuple(tuple(sorted(places)) for places in found)
