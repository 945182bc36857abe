"""What an expression is made of while it is compiled: parts, each a closure and what is known of it beforehand.

True here: a part yields a collection, as everything in FHIRPath does, from the item in context and its place among the
rows. It knows which elements it reads before it has seen a resource.
Not done here: the grammar (`gateway.deid.fhirpath`), the steps (`steps`) and the operators.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from gateway.errors import CallerError

# A resource is a tree of unknown shape here: the steps of an expression are what gives it one.
Tree = Any
Run = Callable[[Tree, int], list[Tree]]
Value = str | bool | int | Decimal

NOTHING: frozenset[str] = frozenset()
MAX_TEXT = 1_000_000
"""Characters of a text that an expression may make."""


class Flaw(StrEnum):
    """Why an expression does not fit one resource, although it is a good expression."""

    MANY_VALUES = "many_values"
    NOT_PRIMITIVE = "not_primitive"
    OTHER_TYPE = "other_type"
    NOT_BOOLEAN = "not_boolean"
    NOT_COMPARABLE = "not_comparable"
    CHOICE_WITHOUT_TYPE = "choice_without_type"
    TOO_MANY_ROWS = "too_many_rows"
    TOO_LARGE = "too_large"


class Origin(StrEnum):
    """What the items of a part are. `ELEMENT`: an element as it stands; `CHOSEN`: elements of which a criterion says
    whether they are there; `COMPUTED`: made of elements, or of nothing but the expression."""

    ELEMENT = "element"
    CHOSEN = "chosen"
    COMPUTED = "computed"


class UnfitError(CallerError):
    """An expression does not fit this resource. The message names the flaw and the expression, never a value."""

    def __init__(self, flaw: Flaw, *, field: tuple[str, ...] = (), column: str | None = None) -> None:
        super().__init__(f"does not fit a resource: {flaw.value.replace('_', ' ')}", field=field)
        self.flaw = flaw
        self.column = column


class StepError(CallerError):
    """A step that its part does not allow; the parser says where, and raises CallerError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`place`: where its items lie, from the expression's context (`name.given`; the context itself is the empty text);
    None for what is computed. `reads`: places read on the way there. `kind`: the FHIR type, when it is known.
    `literal`: the value, for a literal or a constant. `origin`: a key or a boundary is what it is one of.

    `names` are the last steps that are plain elements, walked from `start` (None: from the context).
    """

    run: Run
    place: str | None
    reads: frozenset[str] = NOTHING
    kind: str | None = None
    literal: Value | None = None
    origin: Origin = Origin.COMPUTED
    start: Run | None = None
    names: tuple[str, ...] | None = None

    @property
    def consumed(self) -> frozenset[str]:
        """Every place that is read when the items themselves are looked at."""
        return self.reads if self.place is None else self.reads | {self.place}


def computed(run: Run, reads: frozenset[str], *, kind: str | None) -> Part:
    """What an operator or a function makes."""
    return Part(run=run, place=None, reads=reads, kind=kind)


def literal(value: Value, *, kind: str) -> Part:
    """A literal, or a constant's value."""
    items = [value]
    return Part(run=lambda _node, _row: items, place=None, kind=kind, literal=value)


def context(place: str | None) -> Part:
    """`$this`: the item itself."""
    return Part(run=lambda node, _row: [node], place=place, origin=Origin.ELEMENT, names=())


def row_index() -> Part:
    """`%rowIndex`: the item's place among those of the nearest forEach, forEachOrNull or repeat, from 0."""
    return computed(lambda _node, row: [row], NOTHING, kind="integer")


def truth(items: list[Tree]) -> bool | None:
    """A collection where a Boolean is asked for (https://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections):
    None when it is empty, true for one item that is no Boolean. Raises UnfitError for more items."""
    if not items:
        return None
    if len(items) > 1:
        raise UnfitError(Flaw.MANY_VALUES)
    return items[0] is not False
