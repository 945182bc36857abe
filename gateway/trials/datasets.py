"""A study that is defined by its tables: each dataset of a Define-XML document as a form of one event, a row as a
repeat of its group. Pure.

True here: an item keeps its OID; a form has its dataset's OID before `form/`, so that it is never a group's. A row's
repeat key is its number in the table, from 0: by it a table is put together again in its order. What a cell was is
made again from its text and its variable: numbers of text keep their text, those of a transport file their bits.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from gateway.errors import CallerError, IntegrityError
from gateway.jsontext import Num
from gateway.trials.definition.forms import MOST_ITEMS, CapturedForm, CapturedGroup, CapturedItem
from gateway.trials.definition.items import DataType as ItemType
from gateway.trials.definition.model import EventType, FormDef, ItemGroupDef, Ref, StudyDefinition, StudyEventDef
from gateway.trials.definition.references import Directory
from gateway.trials.tabulation.model import NUMBERS, Cell, DataType, Exact, Missing, Row, Table, Variable

EVENT: Final = "consentry/tables"
"""The one event of a study that is defined by tables."""
SUBJECT: Final = "USUBJID"
"""The variable that names a row's subject."""
_FORM: Final = "form/"
_PARTIAL: Final = {
    ItemType.DATE: ItemType.PARTIAL_DATE,
    ItemType.TIME: ItemType.PARTIAL_TIME,
    ItemType.DATETIME: ItemType.PARTIAL_DATETIME,
}
_EXACT: Final = 2**53
_SPECIAL: Final = re.compile(r"\.[A-Z_]")
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]*")
MOST_ROWS: Final = 250
"""Of one captured form; fewer of a wide table, so that it has at most `definition.forms.MOST_ITEMS` items."""


def forms_of(definition: StudyDefinition) -> StudyDefinition:
    """As it is, or, where it has groups and no forms (Define-XML), each group as a form of its own in one event."""
    return definition if definition.forms or not definition.groups else tabular(definition)


def tabular(definition: StudyDefinition) -> StudyDefinition:
    """With a form for each group, in one event. Dates may lack parts, as Define-XML has them."""
    forms = tuple(
        FormDef(
            oid=form_of(group),
            name=group.name,
            repeating=True,
            description=group.description,
            groups=(Ref(oid=group.oid, mandatory=False),),
        )
        for group in definition.groups
    )
    event = StudyEventDef(
        oid=EVENT,
        name="Tables",
        type=EventType.COMMON,
        repeating=False,
        forms=tuple(Ref(oid=form.oid, mandatory=False) for form in forms),
    )
    groups = tuple(replace(group, repeating=True) for group in definition.groups)
    items = tuple(replace(item, data_type=_PARTIAL.get(item.data_type, item.data_type)) for item in definition.items)
    return replace(definition, events=(*definition.events, event), forms=forms, groups=groups, items=items)


def group_of(table: str, found: Directory) -> ItemGroupDef | None:
    """The group of a table, by its name."""
    return next((group for group in found.definition.groups if group.name.upper() == table.upper()), None)


def form_of(group: ItemGroupDef) -> str:
    """The OID of a group's form."""
    return _FORM + group.oid


def captured(
    table: Table, rows: Sequence[tuple[int, Row]], group: ItemGroupDef, found: Directory
) -> Iterator[CapturedForm]:
    """Rows of one subject, each with its number in the table, as forms of at most `MOST_ROWS`. Raises CallerError for
    a variable that the definition does not have."""
    places = items_of(table, group, found)
    study = found.definition
    most = max(1, min(MOST_ROWS, MOST_ITEMS // (1 + len(places))))
    for part, start in enumerate(range(0, len(rows), most)):
        yield CapturedForm(
            study=study.oid,
            version=study.version_oid,
            event=EVENT,
            form=form_of(group),
            form_repeat_key=str(part),
            groups=tuple(
                CapturedGroup(
                    oid=group.oid,
                    repeat_key=str(number),
                    items=tuple(
                        CapturedItem(oid=oid, text=text_of(cell)) for oid, cell in zip(places, row, strict=True)
                    ),
                )
                for number, row in rows[start : start + most]
            ),
        )


def rows_of(form: CapturedForm, table: Table, found: Directory) -> Iterator[tuple[int, Row]]:
    """The rows that a captured form holds, each with its number, as they were. IntegrityError for others."""
    group = group_of(table.name, found)
    if group is None:
        raise IntegrityError("a table is of no group of the study")
    places = {oid: at for at, oid in enumerate(items_of(table, group, found))}
    for one in form.groups:
        row: list[Cell] = [None] * len(places)
        for item in one.items:
            if item.oid not in places:
                raise IntegrityError("a captured row has an item that its table does not have")
            at = places[item.oid]
            row[at] = cell_of(item.text, table.variables[at])
        if not one.repeat_key or not one.repeat_key.isdecimal():
            raise IntegrityError("a captured row has no number in its table")
        yield int(one.repeat_key), tuple(row)


def items_of(table: Table, group: ItemGroupDef, found: Directory) -> list[str]:
    """Of each variable the OID of its item. Raises CallerError for one that is not defined."""
    named = {found.items[ref.oid].name.upper(): ref.oid for ref in group.items if ref.oid in found.items}
    unknown = [one.name for one in table.variables if one.name.upper() not in named]
    if unknown:
        raise CallerError("is no variable that the study defines", field=(table.name, unknown[0][:64]))
    return [named[one.name.upper()] for one in table.variables]


def text_of(cell: Cell) -> str | None:
    """A cell as it is captured, from which `cell_of` makes it again; special missing numbers as SAS writes them."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, Missing):
        return "._" if cell is Missing.UNDERSCORE else f".{cell.name}"
    if isinstance(cell, bool):
        return "true" if cell else "false"
    written = getattr(cell, "text", None)
    if isinstance(written, str):
        return written
    return _double_text(cell) if isinstance(cell, float) else str(cell)


def _double_text(double: float) -> str:
    """The shortest that reads back as the same double; of a whole number its digits alone."""
    is_negative_zero = not double and math.copysign(1.0, double) < 0
    whole = double.is_integer() and abs(double) < _EXACT and not is_negative_zero
    return str(int(double)) if whole else repr(double)


def cell_of(text: str | None, variable: Variable) -> Cell:
    """IntegrityError for a text that no cell of the variable has."""
    kind = variable.type
    if text is None or (kind not in NUMBERS and kind is not DataType.BOOLEAN):
        return text
    if kind is DataType.BOOLEAN:
        return text == "true"
    try:
        if _SPECIAL.fullmatch(text):
            return Missing.UNDERSCORE if text == "._" else Missing[text[1]]
        if variable.stored is not None:
            return _stored_number(text)
        if kind is DataType.DECIMAL:
            return Exact(text)
        return int(text) if _WHOLE.fullmatch(text) else Num(text)
    except (ValueError, ArithmeticError, CallerError) as error:
        raise IntegrityError("a captured number is none") from error


def _stored_number(text: str) -> Cell:
    """Of a transport file: a double, or, of more than 53 bits, the exact number."""
    double = float(text)
    return double if _double_text(double) == text else Decimal(text)


def names_subjects(table: Table) -> bool:
    return any(one.name.upper() == SUBJECT for one in table.variables)


def by_subject(table: Table, rows: Iterable[Row]) -> tuple[dict[str, list[tuple[int, Row]]], list[Row]]:
    """Rows by the subject that they name (USUBJID), each with its number; and all rows of a table that has none."""
    if not names_subjects(table):
        return {}, list(rows)
    at = [one.name.upper() for one in table.variables].index(SUBJECT)
    found: dict[str, list[tuple[int, Row]]] = {}
    for number, row in enumerate(rows):
        subject = row[at]
        if not isinstance(subject, str) or not subject.strip():
            raise CallerError("names no subject", field=(table.name, str(number), SUBJECT))
        found.setdefault(subject, []).append((number, row))
    return found, []
