"""How the selects of a view make rows: columns side by side, selects joined crosswise, unions one after the other.

Source: the processing model of SQL on FHIR v2 (https://sql-on-fhir.org/ig/latest/functional-model.html).
True here: no resource makes more than `MAX_ROWS` rows, nor takes more than `MAX_WORK` steps of expressions, whatever
the view; what would is UnfitError. A cell is a text, a number, a Boolean, None, or a list of them for a collection.
"""

from collections.abc import Callable
from decimal import Decimal
from itertools import chain
from typing import TypeAlias

from gateway.deid.fhirpath import Expression
from gateway.deid.fhirpath.names import kind_class
from gateway.deid.fhirpath.parts import Flaw, Tree, UnfitError

Cell: TypeAlias = str | int | float | bool | list[str | int | float | bool] | None
Row: TypeAlias = tuple[Cell, ...]
CellOf: TypeAlias = Callable[[Tree, int], Cell]

MAX_ROWS = 10_000
"""Rows of one resource."""
MAX_WORK = 2_000_000
"""Steps of expressions, over all items that forEach and repeat come by in one resource."""

_CLASSES: dict[str, tuple[type, ...]] = {
    "text": (str,), "boolean": (bool,), "integer": (int,), "decimal": (int, float, Decimal),
    "any": (str, bool, int, float, Decimal),
}  # fmt: skip


class Work:
    """What one resource may still cost."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_WORK

    def spend(self, steps: int) -> None:
        """Raises UnfitError when there is no more."""
        self.left -= steps
        if self.left < 0:
            raise UnfitError(Flaw.TOO_LARGE)


RowsOf: TypeAlias = Callable[[Tree, int, Work], list[Row]]
ItemsOf: TypeAlias = Callable[[Tree, int, Work], list[Tree]]


def check_rows(count: int) -> None:
    """Raises UnfitError for more than `MAX_ROWS`."""
    if count > MAX_ROWS:
        raise UnfitError(Flaw.TOO_MANY_ROWS)


def cell(expression: Expression, *, kind: str | None, collection: bool) -> CellOf:
    """`kind`: the column's type; None holds any primitive. Raises UnfitError for several values, or of other types."""
    run, fitting = expression.run, _CLASSES["any" if kind is None else kind_class(kind)]

    def one(node: Tree, row: int) -> Cell:
        values = run(node, row)
        if not values:
            return None
        if len(values) > 1:
            raise UnfitError(Flaw.MANY_VALUES)
        value = values[0]
        return _plain(value, fitting) if type(value) is not str or str not in fitting else value

    def many(node: Tree, row: int) -> Cell:
        return [_plain(value, fitting) for value in run(node, row)]

    return many if collection else one


def _plain(value: Tree, fitting: tuple[type, ...]) -> str | int | float | bool:
    kind = type(value)
    if kind in (dict, list):
        raise UnfitError(Flaw.NOT_PRIMITIVE)
    if kind not in fitting:
        raise UnfitError(Flaw.OTHER_TYPE)
    plain: str | int | float | bool = float(value) if kind is Decimal else value
    return plain


def one_row(cells: tuple[CellOf, ...], names: tuple[str, ...]) -> RowsOf:
    """The columns of a select: always one row. UnfitError names the column."""

    def rows(node: Tree, row: int, _work: Work) -> list[Row]:
        made: list[Cell] = []
        try:
            # A loop: how many were made says whose error it is.
            for get in cells:
                made.append(get(node, row))
        except UnfitError as error:
            raise UnfitError(error.flaw, column=names[len(made)]) from error
        return [tuple(made)]

    return rows


def joined(parts: list[RowsOf]) -> RowsOf:
    """Each row of one with each of the next."""
    first, *others = parts
    if not others:
        return first

    def rows(node: Tree, row: int, work: Work) -> list[Row]:
        made = first(node, row, work)
        for part in others:
            if not made:
                return made
            more = part(node, row, work)
            check_rows(len(made) * len(more))
            made = [left + right for left in made for right in more]
        return made

    return rows


def united(branches: list[RowsOf]) -> RowsOf:
    """The rows of all, in their order."""

    def rows(node: Tree, row: int, work: Work) -> list[Row]:
        made = list(chain.from_iterable(branch(node, row, work) for branch in branches))
        check_rows(len(made))
        return made

    return rows


def each(items: ItemsOf, inner: RowsOf, *, blank: Row | None, cost: int) -> RowsOf:
    """The inner rows of every item. `blank`: the row when there is no item. `cost`: steps of an item."""

    def rows(node: Tree, row: int, work: Work) -> list[Row]:
        found = items(node, row, work)
        if not found and blank is not None:
            return [blank]
        made: list[Row] = []
        for number, item in enumerate(found):
            work.spend(cost)
            made += inner(item, number, work)
            check_rows(len(made))
        return made

    return rows


def elements(expression: Expression) -> ItemsOf:
    """The items of forEach."""
    run = expression.run
    return lambda node, row, _work: run(node, row)


def descendants(expressions: list[Expression]) -> ItemsOf:
    """The items of repeat: those of each path, and theirs in turn, each before its own."""
    runs = [expression.run for expression in expressions]

    def below(node: Tree, row: int, work: Work) -> list[Tree]:
        children = [child for run in runs for child in run(node, row)]
        work.spend(len(runs) + len(children))
        return children[::-1]

    def items(node: Tree, row: int, work: Work) -> list[Tree]:
        found: list[Tree] = []
        pending = below(node, row, work)
        while pending:
            item = pending.pop()
            found.append(item)
            pending += below(item, row, work)
        return found

    return items
