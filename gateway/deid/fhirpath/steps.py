"""The steps of a path: elements, indexers and the functions that SQL on FHIR asks for.

Source: https://sql-on-fhir.org/ig/latest/StructureDefinition-ShareableViewDefinition.html (required and experimental
functions) and https://sql-on-fhir.org/ig/latest/StructureDefinition-ViewDefinition.html (keys).
True here: a step looks only at the element it names, so that a part's places are all it can have read. Nulls of a list
are not items.
Not done here: extensions of primitive elements (`_birthDate`), which are not seen; references other than `Type/id`.
"""

import re
from dataclasses import replace
from decimal import Decimal

from gateway.deid.fhirpath import moments
from gateway.deid.fhirpath.names import (
    ALWAYS_CHOICES,
    CHOICE_TYPES,
    DATES,
    PRIMITIVES,
    SOMETIMES_CHOICES,
    SUFFIXES,
    choice_key,
    kind_class,
)
from gateway.deid.fhirpath.operators import DECIMAL128, exact
from gateway.deid.fhirpath.parts import MAX_TEXT, Flaw, Origin, Part, Run, StepError, Tree, UnfitError, computed, truth

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})", re.ASCII)


def below(place: str, name: str) -> str:
    """The place of an element within a place."""
    return f"{place}.{name}" if place else name


def settled(part: Part) -> Part:
    """The part, unless it ends in a choice element whose type was not said. Raises StepError."""
    if part.names and part.names[-1] in ALWAYS_CHOICES:
        raise StepError(f"{part.names[-1]} is a choice of types, and needs ofType()")
    return part


def element(part: Part, name: str) -> Part:
    """`part.name`. Raises StepError when the part has no elements."""
    settled(part)
    if part.place is None:
        raise StepError("takes an element of what has none")
    names, start = ((*part.names, name), part.start) if part.names is not None else ((name,), part.run)
    kind = "date" if name in DATES else None
    return Part(
        run=_walk(start, names),
        place=below(part.place, name),
        reads=part.reads,
        kind=kind,
        origin=part.origin,
        start=start,
        names=names,
    )


def _walk(start: Run | None, names: tuple[str, ...]) -> Run:
    def run(node: Tree, row: int) -> list[Tree]:
        items = [node] if start is None else start(node, row)
        for name in names:
            found: list[Tree] = []
            for item in items:
                if type(item) is not dict:
                    continue
                value = item.get(name)
                if value is None:
                    if name in SOMETIMES_CHOICES:
                        _check_no_choice(item, name)
                elif type(value) is list:
                    found.extend([one for one in value if one is not None])
                else:
                    found.append(value)
            items = found
        return items

    return run


def _check_no_choice(item: dict[str, Tree], name: str) -> None:
    """A choice element read without its type would look absent. Raises UnfitError."""
    length = len(name)
    for key in item:
        if key.startswith(name) and key[length:] in SUFFIXES:
            raise UnfitError(Flaw.CHOICE_WITHOUT_TYPE)


def of_type(part: Part, kind: str) -> Part:
    """`value.ofType(Quantity)`: the element `valueQuantity`. Raises StepError."""
    if kind not in CHOICE_TYPES:
        raise StepError("ofType() of what is no type of a choice element")
    if not part.names or part.place is None or part.names[-1] not in ALWAYS_CHOICES | SOMETIMES_CHOICES:
        raise StepError("ofType() is supported right after a choice element alone")
    name = choice_key(part.names[-1], kind)
    names = (*part.names[:-1], name)
    place = part.place[: len(part.place) - len(part.names[-1])] + name
    return replace(part, run=_walk(part.start, names), place=place, kind=kind, names=names)


def index(part: Part, number: int) -> Part:
    """`part[number]`, from 0."""
    run = settled(part).run
    return Part(
        run=lambda node, row: run(node, row)[number : number + 1],
        place=part.place,
        reads=part.reads,
        kind=part.kind,
        origin=part.origin,
    )


def where(part: Part, criterion: Part) -> Part:
    """`part.where(criterion)`: the items of which it is true."""
    run, test = settled(part).run, settled(criterion).run
    return Part(
        run=lambda node, row: [item for item in run(node, row) if truth(test(item, row))],
        place=part.place,
        reads=part.reads | _looked_at(criterion),
        kind=part.kind,
        origin=Origin.CHOSEN,
    )


def exists(part: Part, *, negated: bool) -> Part:
    """`part.exists()`, or negated `part.empty()`."""
    run = settled(part).run
    return computed(lambda node, row: [bool(run(node, row)) is not negated], _looked_at(part), kind="boolean")


def negation(part: Part) -> Part:
    """`part.not()`: empty stays empty."""
    run = settled(part).run

    def negate(node: Tree, row: int) -> list[Tree]:
        known = truth(run(node, row))
        return [] if known is None else [not known]

    return computed(negate, part.consumed, kind="boolean")


def _looked_at(part: Part) -> frozenset[str]:
    """That the item in context exists is no news."""
    return part.consumed - {""}


def extension(part: Part, url: str) -> Part:
    """`part.extension(url)`: short for `part.extension.where(url = 'url')`."""
    found = element(part, "extension")
    run = found.run
    return Part(
        run=lambda node, row: [item for item in run(node, row) if type(item) is dict and item.get("url") == url],
        place=found.place,
        reads=part.reads | {below(found.place or "", "url")},
        origin=Origin.CHOSEN,
    )


def joined(part: Part, separator: str) -> Part:
    """`part.join(separator)`: one text of all; empty for none. Raises UnfitError for items that are no text."""
    run = settled(part).run

    def join(node: Tree, row: int) -> list[Tree]:
        items = run(node, row)
        if not items:
            return []
        if not all(type(item) is str for item in items):
            raise UnfitError(Flaw.OTHER_TYPE)
        if sum(map(len, items)) + len(separator) * len(items) > MAX_TEXT:
            raise UnfitError(Flaw.TOO_LARGE)
        return [separator.join(items)]

    return computed(join, part.consumed, kind="string")


def resource_key(part: Part) -> Part:
    """`getResourceKey()`: the resource's id."""
    found = element(part, "id")
    return Part(run=found.run, place=found.place, reads=found.reads, kind="id", origin=found.origin)


def reference_key(part: Part, kind: str | None) -> Part:
    """`getReferenceKey(Type)`: the id of a relative reference `Type/id`; empty for any other reference or type."""
    found = element(part, "reference")
    run = found.run

    def keys(node: Tree, row: int) -> list[Tree]:
        texts = [text for text in run(node, row) if type(text) is str]
        matches = [_RELATIVE.fullmatch(text) for text in texts]
        return [match[2] for match in matches if match is not None and kind in (None, match[1])]

    return replace(computed(keys, found.consumed, kind="id"), origin=found.origin)


def boundary(part: Part, *, high: bool) -> Part:
    """`lowBoundary()` and `highBoundary()` of a number, a date, a dateTime or a time, without a precision.

    Raises StepError for types that have none.
    """
    kind, run = settled(part).kind, part.run
    if kind is not None and (kind not in PRIMITIVES or kind == "boolean"):
        raise StepError(f"a boundary of {kind} is not supported")

    def bound(node: Tree, row: int) -> list[Tree]:
        items = run(node, row)
        if not items:
            return []
        if len(items) > 1:
            raise UnfitError(Flaw.MANY_VALUES)
        value = items[0]
        if type(value) is not str:
            return _number_boundary(value, high=high)
        is_time = kind == "time" or (kind is None and value[2:3] == ":")
        found = moments.boundary(value, kind="time" if is_time else kind or "dateTime", high=high)
        return [] if found is None else [found]

    is_number = kind is not None and kind_class(kind) != "text"
    return replace(computed(bound, part.consumed, kind="decimal" if is_number else kind), origin=part.origin)


def _number_boundary(value: Tree, *, high: bool) -> list[Tree]:
    if type(value) not in (int, float, Decimal):
        raise UnfitError(Flaw.OTHER_TYPE)
    number = exact(value)
    if number is None:
        return []
    exponent = number.as_tuple().exponent
    half = Decimal(5).scaleb(min(exponent if isinstance(exponent, int) else 0, 0) - 1)
    return [DECIMAL128.add(number, half) if high else DECIMAL128.subtract(number, half)]
