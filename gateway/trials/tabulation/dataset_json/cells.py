"""The cells of a Dataset-JSON row, by the type of their column, and back.

True here: each cell is of the JSON type that its column's logical type asks for, or null; a number keeps its text.
Source: CDISC Dataset-JSON 1.1, "Supported Column Data Type Combinations".
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from math import isfinite
from typing import Final, cast

from gateway.errors import CallerError
from gateway.jsontext import MAX_NUMBER_LENGTH, JsonValue, Num
from gateway.trials.tabulation.model import TEXTS, Cell, DataType, Exact, Missing, Row, Table
from gateway.trials.tabulation.places import columns_of, converted, fault

_NULL: Final = type(None)
_READY: Final[dict[DataType, frozenset[type]]] = {
    **dict.fromkeys(TEXTS, frozenset({str, _NULL})),
    DataType.INTEGER: frozenset({int, _NULL}),
    DataType.FLOAT: frozenset({int, Num, _NULL}),
    DataType.DOUBLE: frozenset({int, Num, _NULL}),
    DataType.BOOLEAN: frozenset({bool, _NULL}),
    DataType.DECIMAL: frozenset({_NULL}),
}
"""What is the same on both sides."""


class Cells:
    """The rows of one table. `blank_special`: a special missing number goes out as null, which says less; else it is
    refused."""

    def __init__(self, table: Table, *, file: str, blank_special: bool = False) -> None:
        self._variables = table.variables
        self._file = file
        self._blank = blank_special

    def read(self, values: Sequence[JsonValue], first: int) -> list[Row]:
        """JSON arrays as rows; `first`: the number of the first. Raises CallerError with row and variable."""
        listed: list[list[JsonValue]] = []
        for row, value in enumerate(values, first):
            if not isinstance(value, list):
                raise fault("is no JSON array", file=self._file, row=row)
            listed.append(value)
        columns: list[Sequence[Cell]] = []
        for variable, column in zip(self._variables, self._columns(listed, first), strict=True):
            if set(map(type, column)) <= _READY[variable.type]:
                columns.append(cast("tuple[Cell, ...]", column))  # by the types just looked at
            else:
                of = _reading(variable.type)
                columns.append(converted(column, of, file=self._file, first=first, variable=variable.name))
        return list(zip(*columns, strict=True))

    def written(self, rows: Sequence[Row], first: int) -> list[tuple[JsonValue, ...]]:
        """Rows as JSON values. Raises CallerError with row and variable for what is not of its column's type."""
        columns: list[Sequence[JsonValue]] = []
        for variable, column in zip(self._variables, self._columns(rows, first), strict=True):
            if set(map(type, column)) <= _READY[variable.type]:
                columns.append(cast("tuple[JsonValue, ...]", column))
            else:
                of = _writing(variable.type, self._blank)
                columns.append(converted(column, of, file=self._file, first=first, variable=variable.name))
        return list(zip(*columns, strict=True))

    def _columns(self, rows: Sequence[Sequence[object]], first: int) -> list[tuple[object, ...]]:
        return columns_of(rows, len(self._variables), file=self._file, first=first)


def _reading(type_: DataType) -> Callable[[object], Cell]:
    if type_ is DataType.INTEGER:
        return _whole
    return _decimal if type_ is DataType.DECIMAL else _refused(type_)


def _writing(type_: DataType, blank: bool) -> Callable[[object], JsonValue]:
    if type_ is DataType.DECIMAL:
        return lambda cell: None if _nothing(cell, blank) else _decimal_text(cell)
    if type_ in (DataType.INTEGER, DataType.FLOAT, DataType.DOUBLE):
        whole = type_ is DataType.INTEGER
        return lambda cell: None if _nothing(cell, blank) else _number(cell, whole)
    return _refused(type_)


def _refused(type_: DataType) -> Callable[[object], None]:
    ready = _READY[type_]

    def refuse(cell: object) -> None:
        if type(cell) not in ready:
            raise CallerError(f"is not of its type, {type_}")
        return cast("None", cell)

    return refuse


def _nothing(cell: object, blank: bool) -> bool:
    if isinstance(cell, Missing):
        if not blank:
            raise CallerError("is a special missing number, which Dataset-JSON cannot say")
        return True
    return cell is None


def _whole(cell: object) -> Cell:
    """A whole number may be written `1.0`, as JSON Schema has it."""
    if cell is None or type(cell) is int or (isinstance(cell, Num) and cell.is_integer()):
        return cast("Cell", cell)
    raise CallerError("is not of its type, integer")


def _decimal(cell: object) -> Cell:
    if cell is None:
        return None
    if not isinstance(cell, str):
        raise CallerError("is not of its type, decimal, which JSON has as text")
    return Exact(cell)


def _decimal_text(cell: object) -> JsonValue:
    return cell.text if isinstance(cell, Exact | Num) else str(_finite(cell))


def _number(cell: object, whole: bool) -> JsonValue:
    """The shortest text that reads back as the same double; a decimal's own; a whole number without a point."""
    number = _finite(cell)
    if whole and not (number == number.to_integral_value() if isinstance(number, Decimal) else number == int(number)):
        raise CallerError("is not of its type, integer")
    if isinstance(number, Num):
        return number
    if isinstance(number, float):
        number = int(number) if number.is_integer() and abs(number) < 2**53 and str(number) != "-0.0" else number
    text = str(number)
    if len(text) > MAX_NUMBER_LENGTH:
        raise CallerError(f"is a number of more than {MAX_NUMBER_LENGTH} characters, which JSON here does not hold")
    return number if isinstance(number, int) and abs(number) < 2**63 else Num(text)


def _finite(cell: object) -> int | float | Decimal:
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise CallerError("is no number")
    if isinstance(cell, int) or (cell.is_finite() if isinstance(cell, Decimal) else isfinite(cell)):
        return cell
    raise CallerError("is no finite number")
