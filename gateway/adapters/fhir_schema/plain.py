"""Resources of which the models have nothing to say that the schema has not said: most of them, told in a tenth of the
time that the models take.

True here: a resource is plain only where every element is of a type for which the first stage is as strict as the
model, every required element is there with a value, and no choice has two types. Of all else the models decide: what
is told here is read off those very models (`fhir.resources`), and differs from them nowhere
(`tests/unit/gateway/adapters/test_plain_fhir.py`).
"""

import datetime
import decimal
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from fhir.resources.R4B import get_fhir_model_class
from fhir_core.fhirabstractmodel import FHIRAbstractModel
from fhir_core.types import (
    Canonical,
    Code,
    FhirBase,
    FhirElementOrResourceBase,
    Id,
    Markdown,
    String,
    Uri,
    Xhtml,
)
from pydantic.fields import FieldInfo

from gateway.adapters.fhir_schema.models import WITHOUT_MODEL

Model: typing.TypeAlias = type[FHIRAbstractModel]
_TEXTS = (Canonical, Code, Id, Markdown, String, Uri, Xhtml)
"""Their patterns are the schema's, or wider."""
_VALUES = (bool, int, decimal.Decimal, datetime.date, datetime.datetime, datetime.time)
"""Held by the schema to the form and the range that the models demand: url, base64Binary, oid and uuid are not."""
_SAID = object()
"""The schema has said all of this element."""
_RESOURCE = object()
"""A resource, of the type that it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """Of one type. `elements`: by their names in JSON. `needed`: those with a cardinality from 1. `choices`: the names
    of each choice, and whether one of them is needed."""

    elements: Mapping[str, object]
    needed: tuple[str, ...]
    choices: tuple[tuple[tuple[str, ...], bool], ...]


def is_plain(resource: dict[str, object]) -> bool:
    """Of a resource that has passed the first stage. False: ask the models."""
    return _are_plain(resource, _RESOURCE)


def _is_plain(value: dict[str, object], model: Model) -> bool:
    rules = _rules_of(model)
    elements = rules.elements
    for name, item in value.items():
        said = elements.get(name)
        if said is _SAID:
            # Blank text of other than ASCII's blanks is none to the models, and null holds a place only for some.
            if isinstance(item, str) and item.isspace():
                return False
            if isinstance(item, list) and any(one is None or (isinstance(one, str) and one.isspace()) for one in item):
                return False
        elif said is None or not _are_plain(item, said):
            return False
    for name in rules.needed:
        if name not in value:
            return False
    for names, needed in rules.choices:
        there = sum([name in value for name in names])
        if there > 1 or (needed and not there):
            return False
    return True


def _are_plain(item: object, said: object) -> bool:
    items = item if isinstance(item, list) else (item,)
    for one in items:
        if not isinstance(one, dict):
            return False
        if said is not _RESOURCE:
            model = typing.cast(Model, said)
        elif one["resourceType"] in WITHOUT_MODEL:
            return False
        else:
            model = get_fhir_model_class(one["resourceType"])
        if not _is_plain(one, model):
            return False
    return True


@cache
def _rules_of(model: Model) -> _Rules:
    empty = model.model_construct()
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    aliases = {name: field.alias or name for name, field in model.model_fields.items()}
    elements = {alias: _said_of(field) for alias, field in fields.items()}
    if model.has_resource_base():
        elements["resourceType"] = _SAID
    needed = [name for name, _ in empty.get_required_fields()]
    return _Rules(
        elements={alias: said for alias, said in elements.items() if said is not None},
        needed=tuple(dict.fromkeys([*needed, *(alias for alias, field in fields.items() if field.is_required())])),
        choices=tuple(
            (tuple(aliases[name] for name in names), _is_needed(model.model_fields[names[0]]))
            for names in empty.get_one_of_many_fields().values()
        ),
    )


def _is_needed(field: FieldInfo) -> bool:
    """Of a choice, by one of its types."""
    extra = field.json_schema_extra
    return not isinstance(extra, dict) or extra["one_of_many_required"] is True


def _said_of(field: FieldInfo) -> object:
    """None: only the model knows."""
    leaf, *others = {one for one in _leaves(field.annotation) if one is not type(None)}
    if others:
        return None
    if isinstance(leaf, type) and issubclass(leaf, FhirElementOrResourceBase):
        return _RESOURCE if leaf.get_model_klass().__name__ == "Resource" else None
    if isinstance(leaf, type) and issubclass(leaf, FhirBase):
        return leaf.get_model_klass()
    plain, *marks = [leaf, *field.metadata]
    if typing.get_origin(leaf) is typing.Annotated:
        plain, *marks = typing.get_args(leaf)
    if plain is str:
        return _SAID if any(type(mark) in _TEXTS for mark in marks) else None
    return _SAID if plain in _VALUES else None


def _leaves(annotation: object) -> Iterator[object]:
    """The types under Optional and List."""
    if typing.get_origin(annotation) in (None, typing.Annotated):
        yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _leaves(argument)
