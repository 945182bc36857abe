"""A study that is defined by its tables: each dataset of a Define-XML document as a form of one event, a row as a
repeat of its group. Pure.

True here: an item keeps its OID; a form has its dataset's OID before `form/`, so that it is never a group's. A row's
repeat key is its number in the table, from 0: by it a table is put together again in its order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from gateway.errors import CallerError, IntegrityError
from gateway.trials.definition.forms import CapturedForm, CapturedGroup, CapturedItem
from gateway.trials.definition.model import EventType, FormDef, ItemGroupDef, Ref, StudyDefinition, StudyEventDef
from gateway.trials.definition.references import Directory
from gateway.trials.tabulation.model import Cell, DataType, Missing, Row, Table

EVENT: Final = "consentry/tables"
"""The one event of a study that is defined by tables."""
_FORM: Final = "form/"
MOST_ROWS: Final = 250
"""Of one captured form."""
_NUMBERS: Final = frozenset({DataType.INTEGER, DataType.FLOAT, DataType.DOUBLE, DataType.DECIMAL})


def tabular(definition: StudyDefinition) -> StudyDefinition:
    """With a form for each group, in one event that may come again."""
    forms = tuple(
        FormDef(
            oid=_FORM + group.oid,
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
    return replace(definition, events=(*definition.events, event), forms=forms, groups=groups)


def group_of(table: str, found: Directory) -> ItemGroupDef | None:
    """The group of a table, by its name."""
    return next((group for group in found.definition.groups if group.name.upper() == table.upper()), None)


def captured(
    table: Table, rows: Sequence[tuple[int, Row]], group: ItemGroupDef, found: Directory
) -> Iterator[CapturedForm]:
    """Rows of one subject, each with its number in the table, as forms of at most `MOST_ROWS`. Raises CallerError for
    a variable that the definition does not have."""
    places = _places(table, group, found)
    study = found.definition
    for part, start in enumerate(range(0, len(rows), MOST_ROWS)):
        yield CapturedForm(
            study=study.oid,
            version=study.version_oid,
            event=EVENT,
            form=_FORM + group.oid,
            form_repeat_key=str(part),
            groups=tuple(
                CapturedGroup(
                    oid=group.oid,
                    repeat_key=str(number),
                    items=tuple(
                        CapturedItem(oid=oid, text=text_of(cell)) for oid, cell in zip(places, row, strict=True)
                    ),
                )
                for number, row in rows[start : start + MOST_ROWS]
            ),
        )


def rows_of(form: CapturedForm, table: Table, found: Directory) -> Iterator[tuple[int, Row]]:
    """The rows that a captured form holds, each with its number, as they were. IntegrityError for others."""
    group = group_of(table.name, found)
    if group is None:
        raise IntegrityError("a table is of no group of the study")
    places = {oid: at for at, oid in enumerate(_places(table, group, found))}
    for one in form.groups:
        row: list[Cell] = [None] * len(places)
        for item in one.items:
            at = places[item.oid]
            row[at] = cell_of(item.text, table.variables[at].type)
        yield int(one.repeat_key or 0), tuple(row)


def _places(table: Table, group: ItemGroupDef, found: Directory) -> list[str]:
    """Of each variable the OID of its item."""
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
    return written if isinstance(written, str) else repr(cell) if isinstance(cell, float) else str(cell)


def cell_of(text: str | None, kind: DataType) -> Cell:
    """IntegrityError for a text that no cell of the kind has."""
    if text is None or (kind not in _NUMBERS and kind is not DataType.BOOLEAN):
        return text
    if kind is DataType.BOOLEAN:
        return text == "true"
    if text.startswith(".") and len(text) == 2 and not text[1].isdigit():
        return Missing.UNDERSCORE if text == "._" else Missing[text[1]]
    try:
        if kind is DataType.INTEGER:
            return int(text) if text.lstrip("-").isdigit() else float(text)
        return Decimal(text) if kind is DataType.DECIMAL else float(text)
    except (ValueError, ArithmeticError) as error:
        raise IntegrityError("a captured number is none") from error


def by_subject(table: Table, rows: Iterable[Row]) -> tuple[dict[str, list[tuple[int, Row]]], list[Row]]:
    """Rows by the subject that they name (USUBJID), each with its number; and all rows of a table that has none."""
    names = [one.name.upper() for one in table.variables]
    if "USUBJID" not in names:
        return {}, list(rows)
    at = names.index("USUBJID")
    found: dict[str, list[tuple[int, Row]]] = {}
    for number, row in enumerate(rows):
        subject = row[at]
        if not isinstance(subject, str) or not subject.strip():
            raise CallerError("names no subject", field=(table.name, str(number), "USUBJID"))
        found.setdefault(subject, []).append((number, row))
    return found, []
