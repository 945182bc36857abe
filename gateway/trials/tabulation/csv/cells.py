"""Fields of comma-separated text as cells of a type, and back.

True here: numbers are written as JSON writes them (RFC 8259, section 6) and keep their text.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from gateway.errors import CallerError
from gateway.jsontext import MAX_NUMBER_LENGTH, Num
from gateway.trials.tabulation.csv.records import CsvForm, Quoted
from gateway.trials.tabulation.model import TEXTS, Cell, DataType, Exact, Missing

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?")
_SPECIAL: Final = re.compile(r'[",\r\n]')
_FLAGS: Final = {"true": True, "false": False}


def kind_of(field: str, so_far: DataType) -> DataType:
    """INTEGER, FLOAT or STRING: what holds this field and those before it."""
    found = _NUMBER.fullmatch(field) if not isinstance(field, Quoted) and len(field) <= MAX_NUMBER_LENGTH else None
    if found is None:
        return DataType.STRING
    return DataType.FLOAT if found[1] or found[2] or field == "-0" else so_far


def reading(type_: DataType, missing: str) -> Callable[[str], Cell]:
    """A field as a cell of a column. Raises CallerError for what is not of the type."""
    of = _OF.get(type_, str)
    return lambda field: None if field == missing and not isinstance(field, Quoted) else of(field)


def _number(field: str) -> Cell:
    found = _NUMBER.fullmatch(field)
    if found is None:
        raise CallerError("is no number")
    number = Num(field)
    return number if found[1] or found[2] or field == "-0" else int(field)


def _whole(field: str) -> Cell:
    number = _number(field)
    if isinstance(number, float) and not number.is_integer():
        raise CallerError("is no whole number")
    return number


def _flag(field: str) -> Cell:
    if field not in _FLAGS:
        raise CallerError("is neither true nor false")
    return _FLAGS[field]


_OF: Final[dict[DataType, Callable[[str], Cell]]] = {
    DataType.INTEGER: _whole,
    DataType.FLOAT: _number,
    DataType.DOUBLE: _number,
    DataType.DECIMAL: Exact,
    DataType.BOOLEAN: _flag,
}


def writing(type_: DataType, form: CsvForm) -> Callable[[Cell], str]:
    """A cell of a column as a field. Raises CallerError for what CSV cannot say."""
    is_text = type_ in TEXTS

    def write(cell: Cell) -> str:
        if cell is None:
            return form.missing
        if isinstance(cell, Missing):
            raise CallerError("is a special missing number, which CSV cannot say")
        if is_text != isinstance(cell, str) or (type_ is DataType.BOOLEAN) != isinstance(cell, bool):
            raise CallerError(f"is not of its type, {type_}")
        text = cell if isinstance(cell, str) else _plain(cell)
        plain = text != form.missing and not (is_text and form.quotes_text) and not _SPECIAL.search(text)
        return text if plain else '"' + text.replace('"', '""') + '"'

    return write


def _plain(cell: int | float | Decimal) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Num | Exact):
        return cell.text
    if not isinstance(cell, int) and cell != cell:
        raise CallerError("is no number")
    return str(cell)
