"""Where in a file something is wrong.

True here: a message names the file, the row and the variable, and never a value. Rows count from 1.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway.errors import CallerError, LimitError

Before = TypeVar("Before")
After = TypeVar("After")


def fault(text: str, *, file: str, row: int | None = None, variable: str | None = None) -> CallerError:
    """What is wrong with the caller's file, and where."""
    return CallerError(*_told(text, file, row, variable), field=_path(file, row, variable))


def limit(text: str, *, file: str, row: int | None = None, variable: str | None = None) -> LimitError:
    """The file is larger, longer or wider than may be."""
    return LimitError(*_told(text, file, row, variable), field=_path(file, row, variable))


def converted(
    column: Sequence[Before], of: Callable[[Before], After], *, file: str, first: int, variable: str
) -> list[After]:
    """A column's cells, each as `of` has it. `first`: the row of the first. Raises CallerError that names the row of
    the first cell that `of` refuses."""
    try:
        return list(map(of, column))
    except CallerError:
        for row, cell in enumerate(column, first):
            try:
                of(cell)
            except CallerError as error:
                raise fault(error.message, file=file, row=row, variable=variable) from error
        raise


def columns_of(rows: Sequence[Sequence[Before]], width: int, *, file: str, first: int) -> list[tuple[Before, ...]]:
    """Rows as columns. Raises CallerError that names the row that has more or fewer than `width` cells."""
    for row, cells in enumerate(rows, first):
        if len(cells) != width:
            raise fault(f"has {len(cells)} values for {width} variables", file=file, row=row)
    return list(zip(*rows, strict=True))


def _told(text: str, file: str, row: int | None, variable: str | None) -> tuple[str]:
    where = [file, *([] if row is None else [f"row {row}"]), *([] if variable is None else [variable])]
    return (f"{', '.join(where)}: {text}",)


def _path(file: str, row: int | None, variable: str | None) -> tuple[str, ...]:
    return (file, *(() if row is None else ("rows", str(row))), *(() if variable is None else (variable,)))
