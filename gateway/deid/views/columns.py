"""The selects of a view, read and compiled: columns, their types, and the elements that each may read.

Source: https://sql-on-fhir.org/ig/latest/StructureDefinition-ViewDefinition.html (select, column types, column order).
True here: a select's own columns come first, then its nested selects', then its union's; no name stands twice; the
branches of a union have the same columns. Depth, number of selects, columns and places are bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

from gateway.deid.fhirpath import ANYTHING, Expression, compile_path
from gateway.deid.fhirpath.names import PRIMITIVES, kind_class
from gateway.deid.fhirpath.parts import Origin, Part
from gateway.deid.views import reading, selects
from gateway.deid.views.reading import Field
from gateway.deid.views.selects import CellOf, ItemsOf, Row, RowsOf
from gateway.errors import CallerError

MAX_COLUMNS = 100
MAX_DEPTH = 8
MAX_SELECTS = 100
MAX_REPEATED = 10
MAX_PLACES = 64

_MEMBERS = frozenset({"column", "select", "forEach", "forEachOrNull", "repeat", "unionAll"})
_COLUMN = frozenset({"name", "path", "type", "collection", "description", "tag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`type`: a FHIR primitive type. `checked`: every value is of it; else the view named none, none could be inferred,
    and it is `string`, while a cell holds whatever primitive is there. `collection`: a cell is a list.

    `reads`: every element that it may look at, as a path from the resource type; choices as in JSON
    (`Observation.valueQuantity.value`). `*` as a step stands for any steps, or none (below repeat). `origin`: what its
    values are; that of a union is chosen, and of what stands below a forEachOrNull with a criterion. `field`: of its
    path in the view.
    """

    name: str
    type: str
    checked: bool
    collection: bool
    reads: frozenset[str]
    origin: Origin
    field: Field = dataclass_field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Compiled selects. `blank`: the row that forEachOrNull makes of nothing."""

    columns: tuple[Column, ...]
    conditions: frozenset[str]
    rows: RowsOf
    blank: Row
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """Where a select stands. `resource`: its type, while the item in context is the resource. `bases`: the places that
    the item may have. `left`: selects that the view may still have. `is_chosen`: a criterion says whether there is an
    item at all."""

    resource: str | None
    bases: frozenset[str]
    constants: Mapping[str, Part]
    left: list[object]
    depth: int = 0
    is_chosen: bool = False

    def compile(self, text: str, *, field: Field) -> Expression:
        return compile_path(text, field=field, constants=self.constants, resource=self.resource)

    def full(self, reads: frozenset[str]) -> frozenset[str]:
        return frozenset(f"{base}.{read}" if read else base for base in self.bases for read in reads)


def compile_selects(
    view: Mapping[str, object], *, resource: str, constants: Mapping[str, Part], field: Field
) -> Selected:
    """All of a view's selects. Raises CallerError."""
    context = _Context(resource=resource, bases=frozenset({resource}), constants=constants, left=[None] * MAX_SELECTS)
    if "select" not in view:
        raise CallerError("is missing", field=(*field, "select"))
    selected = _joined(_nested(view, context, field))
    names: set[str] = set()
    for column in selected.columns:
        if column.name in names:
            raise CallerError(f"{column.name} is the name of two columns", field=(*field, "select"))
        names.add(column.name)
    if len(names) > MAX_COLUMNS:
        raise CallerError(f"has more than {MAX_COLUMNS} columns", field=(*field, "select"))
    return selected


def _nested(holder: Mapping[str, object], context: _Context, field: Field) -> list[Selected]:
    found = reading.items(holder, "select", field=field, most=MAX_SELECTS)
    return [_select(value, context, place) for value, place in found]


def _select(value: object, context: _Context, field: Field) -> Selected:
    if context.depth >= MAX_DEPTH:
        raise CallerError(f"is nested more than {MAX_DEPTH} deep", field=field)
    if not context.left:
        raise CallerError(f"is one of more than {MAX_SELECTS} selects", field=field)
    context.left.pop()
    select = reading.members(value, _MEMBERS, field=field)
    items, inner, conditions = _iteration(select, replace(context, depth=context.depth + 1), field)
    parts = [*_columns(select, inner, field), *_nested(select, inner, field), *_union(select, inner, field)]
    if not parts:
        raise CallerError("must have a column, a select or a unionAll", field=field)
    joined = _joined(parts)
    if items is None:
        return joined
    blank = joined.blank if "forEachOrNull" in select else None
    return replace(
        joined,
        conditions=joined.conditions | conditions,
        rows=selects.each(items, joined.rows, blank=blank, cost=1 + joined.cost),
        cost=1,
    )


def _iteration(
    select: Mapping[str, object], context: _Context, field: Field
) -> tuple[ItemsOf | None, _Context, frozenset[str]]:
    """What a select goes over, what its items are in, and the places that decide which they are."""
    given = [name for name in ("forEach", "forEachOrNull", "repeat") if name in select]
    if not given:
        return None, context, frozenset()
    if len(given) > 1:
        raise CallerError(f"cannot be beside {given[0]}", field=(*field, given[1]))
    if given[0] == "repeat":
        return _repeat(select, context, field)
    place = (*field, given[0])
    expression = context.compile(reading.text(select, given[0], field=field), field=place)
    if expression.place is None:
        raise CallerError("must be a path to elements", field=place)
    inner = context
    if expression.place:
        inner = replace(context, resource=None, bases=context.full(frozenset({expression.place})))
    if given[0] == "forEachOrNull" and expression.origin is not Origin.ELEMENT:
        inner = replace(inner, is_chosen=True)
    return selects.elements(expression), inner, context.full(expression.reads)


def _repeat(select: Mapping[str, object], context: _Context, field: Field) -> tuple[ItemsOf, _Context, frozenset[str]]:
    expressions: list[Expression] = []
    for text, place in reading.items(select, "repeat", field=field, most=MAX_REPEATED):
        if not isinstance(text, str):
            raise CallerError("must be a text", field=place)
        expression = context.compile(text, field=place)
        if not expression.place:
            raise CallerError("must be a path to elements below", field=place)
        expressions.append(expression)
    bases = context.full(frozenset(f"{one.place}.{ANYTHING}" for one in expressions))
    if len(bases) > MAX_PLACES:
        raise CallerError(f"leads to more than {MAX_PLACES} places", field=(*field, "repeat"))
    inner = replace(context, resource=None, bases=bases)
    reads = frozenset(read for one in expressions for read in one.reads)
    return selects.descendants(expressions), inner, context.full(reads) | inner.full(reads)


def _columns(select: Mapping[str, object], context: _Context, field: Field) -> list[Selected]:
    found = [
        _column(value, context, place)
        for value, place in reading.items(select, "column", field=field, most=MAX_COLUMNS)
    ]
    if not found:
        return []
    columns = tuple(column for column, _, _ in found)
    names = tuple(column.name for column in columns)
    blank: Row = tuple(0 if expression.is_row_index else None for _, expression, _ in found)
    return [
        Selected(
            columns=columns,
            conditions=frozenset(),
            rows=selects.one_row(tuple(get for _, _, get in found), names),
            blank=blank,
            cost=sum(expression.nodes for _, expression, _ in found),
        )
    ]


def _column(value: object, context: _Context, field: Field) -> tuple[Column, Expression, CellOf]:
    given = reading.members(value, _COLUMN, field=field)
    name, text = reading.sql_name(given, field=field), reading.text(given, "path", field=field)
    kind, collection = reading.primitive(given, field=field), reading.flag(given, "collection", field=field)
    expression = context.compile(text, field=(*field, "path"))
    inferred = expression.kind
    if inferred is not None and inferred not in PRIMITIVES:
        raise CallerError(f"is a {inferred}, and a column is a primitive", field=(*field, "path"))
    if kind is not None and inferred is not None and kind_class(kind) != kind_class(inferred):
        raise CallerError(f"is not what the path gives, a {inferred}", field=(*field, "type"))
    known = kind or inferred
    column = Column(
        name=name,
        type=known or "string",
        checked=known is not None,
        collection=collection,
        reads=context.full(expression.reads),
        origin=_chosen(expression.origin) if context.is_chosen else expression.origin,
        field=(*field, "path"),
    )
    return column, expression, selects.cell(expression, kind=known, collection=collection)


def _union(select: Mapping[str, object], context: _Context, field: Field) -> list[Selected]:
    found = reading.items(select, "unionAll", field=field, most=MAX_SELECTS)
    branches = [_select(value, context, place) for value, place in found]
    if not branches:
        return []
    first = branches[0]
    for branch, (_, place) in zip(branches, found, strict=True):
        if _shape(branch) != _shape(first):
            raise CallerError("must have the columns of the first: names, types and order", field=place)
    return [
        Selected(
            columns=tuple(map(_united, zip(*(branch.columns for branch in branches), strict=True))),
            conditions=frozenset[str]().union(*(branch.conditions for branch in branches)),
            rows=selects.united([branch.rows for branch in branches]),
            blank=first.blank,
            cost=sum(branch.cost for branch in branches),
        )
    ]


def _shape(selected: Selected) -> list[tuple[str, str, bool]]:
    return [(column.name, column.type, column.collection) for column in selected.columns]


def _united(alike: Sequence[Column]) -> Column:
    """Of each branch's the one that stands for all."""
    computed = [column for column in alike if column.origin is Origin.COMPUTED]
    return replace(
        alike[0],
        reads=frozenset[str]().union(*(column.reads for column in alike)),
        origin=_chosen((computed or alike)[0].origin) if len(alike) > 1 else alike[0].origin,
    )


def _chosen(origin: Origin) -> Origin:
    """Of what is there by a criterion alone."""
    return Origin.COMPUTED if origin is Origin.COMPUTED else Origin.CHOSEN


def _joined(parts: list[Selected]) -> Selected:
    return Selected(
        columns=tuple(column for part in parts for column in part.columns),
        conditions=frozenset[str]().union(*(part.conditions for part in parts)),
        rows=selects.joined([part.rows for part in parts]),
        blank=tuple(value for part in parts for value in part.blank),
        cost=sum(part.cost for part in parts),
    )
