"""How much a field can hold, by the type that it stands in: what a document's cost is counted with.

True here: a list of ours counts at its page or at PLAIN_LIST. Lists inside a FHIR resource count for PART_LIST, which
97 of 100 lists in Synthea's and HL7's resources do not pass; what one holds in truth its author was let store. A field
that opens another record counts for DECISION more. Not done here: measuring a document (schema.limits).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    get_named_type,
)

from schema.gates import PAGE_CEILING
from schema.parts import DECIDES, EXTENSION

PLAIN_LIST = 10
"""What a list of objects without `first` counts for."""
PART_LIST = 3
DECISION = 20
INTROSPECTION = "__"
"""What the types of a schema's own description begin with."""
INTROSPECTION_LISTS = {"types": 64, "fields": 8, "args": 4, "inputFields": 8, "enumValues": 8, "possibleTypes": 4}


@dataclass(frozen=True, slots=True)
class Extent:
    """`many` objects of `type` at most where `first` is not given; `extra`: what having it costs beside its fields."""

    many: int
    type: str | None
    extra: int = 0


_INTROSPECTED = {name: Extent(many, INTROSPECTION) for name, many in INTROSPECTION_LISTS.items()}
_ONE_INTROSPECTED = Extent(1, INTROSPECTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extents:
    """`roots`: the type of each kind of operation. `widest`: by field name, for types that the schema does not have."""

    roots: Mapping[OperationType, str]
    types: Mapping[str, Mapping[str, Extent]]
    widest: Mapping[str, Extent]

    def of(self, type_: str | None, field: str) -> Extent:
        if (type_ or field).startswith(INTROSPECTION):
            return _INTROSPECTED.get(field, _ONE_INTROSPECTED)
        known = self.types.get(type_ or "", {}).get(field)
        return known or self.widest.get(field) or _INTROSPECTED.get(field) or Extent(1, None)


def extents(schema: GraphQLSchema) -> Extents:
    types: dict[str, dict[str, Extent]] = {}
    widest: dict[str, Extent] = {}
    for name, type_ in schema.type_map.items():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__"):
            types[name] = {key: _extent(type_, field) for key, field in type_.fields.items()}
            for key, one in types[name].items():
                before = widest.get(key)
                if before is None or (one.many, one.extra) > (before.many, before.extra):
                    widest[key] = Extent(one.many, None, one.extra)
    roots = {kind: root.name for kind in OperationType if (root := schema.get_root_type(kind)) is not None}
    return Extents(roots=roots, types=types, widest=widest)


def _extent(type_: GraphQLObjectType | GraphQLInterfaceType, field: Any) -> Extent:
    holds = get_named_type(field.type).name
    extra = DECISION if field.extensions.get(DECIDES) else 0
    bare = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    if "first" in field.args:
        default = field.args["first"].default_value
        return Extent(default if isinstance(default, int) else PAGE_CEILING, holds, extra)
    if not isinstance(bare, GraphQLList) or "pageInfo" in type_.fields:
        return Extent(1, holds, extra)
    return Extent(PART_LIST if type_.extensions.get(EXTENSION) else PLAIN_LIST, holds, extra)
