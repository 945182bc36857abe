"""The parts of a definition by their OIDs, and references that lead nowhere.

True here: of two parts of a kind with the same OID the definition is refused, because a reference would mean both;
so is a group that holds itself, at whatever depth, and what refers to one part twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from gateway.errors import CallerError
from gateway.trials.definition.items import CodeList, CodeListItem, ItemDef, Unit
from gateway.trials.definition.model import (
    ConditionDef,
    FormDef,
    ItemGroupDef,
    ItemRef,
    MethodDef,
    Ref,
    StudyDefinition,
    StudyEventDef,
)
from gateway.trials.definition.values import NUMBERS, Value, typed_as

MOST_NESTED: Final = 8
"""Groups within each other, the outermost counted."""


class _Named(Protocol):
    @property
    def oid(self) -> str: ...


_Part = TypeVar("_Part", bound=_Named)
_AnyRef = TypeVar("_AnyRef", bound=Ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Of one definition: OID -> part, each kind by itself. `codes`: of a code list's OID, coded value -> item;
    `numbers`: the values of a list of numbers."""

    definition: StudyDefinition
    events: Mapping[str, StudyEventDef]
    forms: Mapping[str, FormDef]
    groups: Mapping[str, ItemGroupDef]
    items: Mapping[str, ItemDef]
    code_lists: Mapping[str, CodeList]
    codes: Mapping[str, Mapping[str, CodeListItem]]
    numbers: Mapping[str, frozenset[Value]]
    units: Mapping[str, Unit]
    conditions: Mapping[str, ConditionDef]
    methods: Mapping[str, MethodDef]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Dangling:
    """A reference to what is not defined: who refers, to which kind of part, by which OID."""

    holder: str
    kind: str
    oid: str


def directory(definition: StudyDefinition) -> Directory:
    """Raises CallerError for an OID that is there twice, and for groups that hold themselves or lie too deep."""
    found = Directory(
        definition=definition,
        events=_by_oid(definition.events, "StudyEventDef"),
        forms=_by_oid(definition.forms, "FormDef"),
        groups=_by_oid(definition.groups, "ItemGroupDef"),
        items=_by_oid(definition.items, "ItemDef"),
        code_lists=_by_oid(definition.code_lists, "CodeList"),
        codes={one.oid: {item.value: item for item in one.items} for one in definition.code_lists},
        numbers={one.oid: _numbers(one) for one in definition.code_lists},
        units=_by_oid(definition.units, "MeasurementUnit"),
        conditions=_by_oid(definition.conditions, "ConditionDef"),
        methods=_by_oid(definition.methods, "MethodDef"),
    )
    for holder, refs in _holders(definition):
        if len({(type(one), one.oid) for one in refs}) != len(refs):
            raise CallerError("refers to one part twice", field=("ODM", holder[:64]))
    heights: dict[str, int] = {}
    for oid in found.groups:
        _height(found, oid, heights, ())
    return found


def _numbers(codes: CodeList) -> frozenset[Value]:
    """Those that are numbers, of a list of numbers: `01` and `1` are one."""
    if codes.data_type not in NUMBERS:
        return frozenset()
    found = set()
    for one in codes.items:
        with suppress(CallerError):
            found.add(typed_as(one.value, codes.data_type, field=()).value)
    return frozenset(found)


def _holders(definition: StudyDefinition) -> Iterator[tuple[str, tuple[Ref, ...]]]:
    yield from ((one.oid, one.forms) for one in definition.events)
    yield from ((one.oid, one.groups) for one in definition.forms)
    yield from ((one.oid, one.members) for one in definition.groups)


def in_order(refs: Iterable[_AnyRef]) -> list[_AnyRef]:
    """By their order numbers, as they are presented; those without one last, in the order of the document."""
    return sorted(refs, key=lambda one: (one.order is None, one.order or 0))


def _by_oid(parts: Iterable[_Part], kind: str) -> dict[str, _Part]:
    found: dict[str, _Part] = {}
    for part in parts:
        if part.oid in found:
            raise CallerError("is defined twice", field=("ODM", kind, part.oid[:64]))
        found[part.oid] = part
    return found


def _height(found: Directory, oid: str, heights: dict[str, int], above: tuple[str, ...]) -> int:
    """Groups from this one down to the innermost; each is looked at once."""
    if oid in above:
        raise CallerError("holds itself", field=("ODM", "ItemGroupDef", oid[:64]))
    if len(above) >= MOST_NESTED:
        raise CallerError(f"lies deeper than {MOST_NESTED} groups", field=("ODM", "ItemGroupDef", oid[:64]))
    if oid not in heights:
        inner = [one.oid for one in found.groups[oid].groups if one.oid in found.groups]
        heights[oid] = 1 + max((_height(found, one, heights, (*above, oid)) for one in inner), default=0)
    if len(above) + heights[oid] > MOST_NESTED:
        raise CallerError(f"lies deeper than {MOST_NESTED} groups", field=("ODM", "ItemGroupDef", oid[:64]))
    return heights[oid]


def dangling(found: Directory) -> tuple[Dangling, ...]:
    """Every reference that leads nowhere, in order, each once. A study that has one cannot be captured whole."""
    return tuple(sorted(set(_dangling(found))))


def _dangling(found: Directory) -> Iterator[Dangling]:
    definition = found.definition
    protocol = definition.protocol
    yield from _missing(found, "Protocol", () if protocol is None else protocol.events, "StudyEventDef", found.events)
    for event in definition.events:
        yield from _missing(found, event.oid, event.forms, "FormDef", found.forms)
    for form in definition.forms:
        yield from _missing(found, form.oid, form.groups, "ItemGroupDef", found.groups)
    for group in definition.groups:
        yield from _missing(found, group.oid, group.groups, "ItemGroupDef", found.groups)
        yield from _missing(found, group.oid, group.items, "ItemDef", found.items)
    for item in definition.items:
        yield from _missing_of(item, found)


def _missing(
    found: Directory, holder: str, refs: Iterable[Ref], kind: str, parts: Mapping[str, _Named]
) -> Iterator[Dangling]:
    for ref in refs:
        if ref.oid not in parts:
            yield Dangling(holder=holder, kind=kind, oid=ref.oid)
        if ref.exception is not None and ref.exception not in found.conditions:
            yield Dangling(holder=holder, kind="ConditionDef", oid=ref.exception)
        if isinstance(ref, ItemRef):
            if ref.method is not None and ref.method not in found.methods:
                yield Dangling(holder=holder, kind="MethodDef", oid=ref.method)
            if ref.role_code_list is not None and ref.role_code_list not in found.code_lists:
                yield Dangling(holder=holder, kind="CodeList", oid=ref.role_code_list)


def _missing_of(item: ItemDef, found: Directory) -> Iterator[Dangling]:
    if item.code_list is not None and item.code_list not in found.code_lists:
        yield Dangling(holder=item.oid, kind="CodeList", oid=item.code_list)
    for unit in (*item.units, *(one.unit for one in item.checks if one.unit is not None)):
        if unit not in found.units:
            yield Dangling(holder=item.oid, kind="MeasurementUnit", oid=unit)
    for check in item.checks:
        if check.item is not None and check.item not in found.items:
            yield Dangling(holder=item.oid, kind="ItemDef", oid=check.item)
