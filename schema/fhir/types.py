"""The GraphQL types of FHIR, made at start from `types.json`, and hung into the schema under `Record.resource`.

True here: every element of a shown type is a field of its own name, each nullable, because an obligation may have taken
it out; a resource of another type reads as `FhirOther`, with its JSON. Not done here: what
`Reference.resource` and `Reference.record` come to (references), and reading a field (schema.parts).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

import orjson
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    assert_object_type,
    assert_scalar_type,
    assert_union_type,
)

from schema.errors import Refusal
from schema.fhir.leaves import LEAVES, each, string
from schema.fhir.references import part_of, resolve_record, resolve_resource
from schema.parts import DECIDES, EXTENSION, Member, Part, ResolveInfo, member_field
from schema.records import Record

PREFIX = "Fhir"
OTHER = "FhirOther"
REFERENCE = "Reference"
RESOURCE = "Resource"
"""What the outline calls any resource inside a resource."""
PAGES = "https://hl7.org/fhir/R4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """`resources`: the types shown. `types`: type -> (what it is, its elements)."""

    resources: frozenset[str]
    types: Mapping[str, tuple[str, Mapping[str, str]]]


def read_outline() -> Outline:
    read = orjson.loads(files(__package__).joinpath("types.json").read_bytes())
    return Outline(
        resources=frozenset(read["resources"]),
        types={name: (one["about"], one["elements"]) for name, one in read["types"].items()},
    )


def type_name(name: str) -> str:
    """`Observation_Component` -> `FhirObservationComponent`."""
    return PREFIX + name.replace("_", "")


class Types:
    """The types of one schema, beside those of ours that they lead to."""

    def __init__(self, outline: Outline, *, ours: Mapping[str, GraphQLNamedType]) -> None:
        self._outline = outline
        self._record_result = assert_union_type(ours["RecordResult"])
        json = assert_scalar_type(ours["JSON"])
        self.resource = GraphQLInterfaceType(
            "FhirResource",
            fields={"resourceType": GraphQLField(GraphQLNonNull(GraphQLString)), "id": GraphQLField(GraphQLString)},
            resolve_type=self._resolve,
            description="A FHIR R4 resource, after the decision's obligations: what they took out reads null. All of it"
            " is in Record.content.",
        )
        self.types = {name: self._type(name) for name in outline.types}
        self.other = GraphQLObjectType(
            OTHER,
            fields={
                **self._common(),
                "content": GraphQLField(GraphQLNonNull(json), resolve=_whole, description="The resource."),
            },
            interfaces=[self.resource],
            extensions={EXTENSION: True},
            description="A resource of a type that has no fields of its own here.",
        )
        resources = [self.types[name] for name in sorted(outline.resources)]
        self.referenced = GraphQLUnionType(
            "FhirReferenceResult",
            types=[*resources, self.other, assert_object_type(ours["Refusal"])],
            resolve_type=self._resolve,
            description="What a reference means: a resource of the patient's that may be read, or NOT_PERMITTED, alike"
            " for what is forbidden, what does not exist, and what is another patient's.",
        )

    def every(self) -> tuple[GraphQLNamedType, ...]:
        """All that no field may lead to."""
        return (*(self.types[name] for name in sorted(self._outline.resources)), self.other)

    def _resolve(self, part: Part | Refusal, _info: ResolveInfo, _type: Any) -> str:
        if isinstance(part, Refusal):
            return "Refusal"
        name = part.value.get("resourceType")
        return type_name(name) if isinstance(name, str) and name in self._outline.resources else OTHER

    def _common(self) -> dict[str, GraphQLField]:
        named = Member(name="resourceType", many=False, write=string)
        return {
            "resourceType": GraphQLField(
                GraphQLNonNull(GraphQLString), resolve=named.read, extensions={EXTENSION: named}
            ),
            "id": member_field(GraphQLString, name="id", write=string),
        }

    def _type(self, name: str) -> GraphQLObjectType:
        about, _ = self._outline.types[name]
        is_resource = name in self._outline.resources
        page = f" {PAGES}/{name.lower()}.html" if is_resource else ""
        return GraphQLObjectType(
            type_name(name),
            fields=partial(self._fields, name),
            interfaces=[self.resource] if is_resource else [],
            extensions={EXTENSION: True},
            description=about + page,
        )

    def _fields(self, name: str) -> dict[str, GraphQLField]:
        _, elements = self._outline.types[name]
        fields = {key: self._field(key, kind) for key, kind in elements.items()}
        if name == REFERENCE:
            fields |= self._leading_on()
        return {**fields, **self._common()} if name in self._outline.resources else fields

    def _leading_on(self) -> dict[str, GraphQLField]:
        """What HL7's convention adds to a reference, and the record with its receipt."""
        return {
            "resource": GraphQLField(
                self.referenced,
                resolve=resolve_resource,
                extensions={DECIDES: True},
                description="What is referred to, decided on by itself. Null without `reference`.",
            ),
            "record": GraphQLField(
                self._record_result,
                resolve=resolve_record,
                extensions={DECIDES: True},
                description="The same as a record, with its receipt. Null also where `reference` points into the"
                " resource itself.",
            ),
        }

    def _field(self, key: str, kind: str) -> GraphQLField:
        bare = kind.strip("[]")
        many = kind != bare
        if bare in LEAVES:
            scalar, write = LEAVES[bare]
            return member_field(GraphQLList(scalar) if many else scalar, name=key, write=each(write) if many else write)
        holds = self.resource if bare == RESOURCE else self.types[bare]
        return member_field(GraphQLList(holds) if many else holds, name=key, write=None)


def _whole(part: Part, _info: ResolveInfo) -> Any:
    return part.value


def with_fhir(schema: GraphQLSchema, outline: Outline) -> GraphQLSchema:
    """The schema with `Record.resource` and all that it leads to."""
    types = Types(outline, ours=schema.type_map)
    record = assert_object_type(schema.type_map["Record"])
    record.fields["resource"] = GraphQLField(
        types.resource,
        resolve=_resource,
        description="The resource by its fields, as HL7's definitions of R4 have them. content is the same as JSON.",
    )
    known: dict[str, Any] = dict(schema.to_kwargs())
    return GraphQLSchema(**{**known, "types": (*(known["types"] or ()), *types.every())})


def _resource(record: Record, _info: ResolveInfo) -> Part:
    if record.read is None:
        record.read = part_of(record)
    part: Part = record.read
    return part
