"""Parts of a JSON tree as GraphQL objects: how a field is read from one, the long way and the short.

True here: both ways give the same. A part never fails: a member that is not there, was taken out, or is not what the
type says reads null, like any other; but lists are walked only as far as the request's allowance goes. Not done here:
which types there are (schema.fhir), and where a tree comes from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import GraphQLField, GraphQLList, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema, get_named_type
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

from gateway.underway import walking

EXTENSION = "part"
"""Under this name a GraphQL field's extensions hold its Member, and those of a type of parts hold True."""
DECIDES = "decides"
"""Under this name those of a field hold True that opens another record, under a decision of its own."""

Write: TypeAlias = Callable[[Any], Any]
Tree: TypeAlias = dict[str, Any]
ResolveInfo: TypeAlias = "GraphQLResolveInfo[Any]"


@dataclass(frozen=True, slots=True)
class Part:
    """An object of the tree, and whose tree it is (`origin`: for whoever made it)."""

    value: Tree
    origin: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A field that is a member of a part under the same `name`. `write` None: an object, or a list of them."""

    name: str
    many: bool
    write: Write | None

    def read(self, part: Part, _info: ResolveInfo) -> Any:
        """As a resolver, for graphql-core to complete."""
        value = part.value.get(self.name)
        if value is None:
            return None
        if type(value) is list:
            walking(len(value))
        if self.write is not None:
            return self.write(value)
        if self.many:
            return [_below(item, part) for item in value] if type(value) is list else None
        return _below(value, part)


def _below(value: Any, part: Part) -> Part | None:
    return Part(value, part.origin) if type(value) is dict else None


def member_field(kind: Any, *, name: str, write: Write | None) -> GraphQLField:
    """The GraphQL field of a member. `write` gives what the answer holds, a list of leaves as a whole."""
    member = Member(name=name, many=isinstance(kind, GraphQLList), write=write)
    return GraphQLField(kind, resolve=member.read, extensions={EXTENSION: member})


Members: TypeAlias = Mapping[str, Mapping[str, tuple[Member, GraphQLObjectType | None]]]
"""Object type -> field -> its member, and the type of the parts that it holds."""


def members_of(schema: GraphQLSchema) -> Members:
    """Of each object type that is read from parts."""
    found: dict[str, dict[str, tuple[Member, GraphQLObjectType | None]]] = {}
    for name, type_ in schema.type_map.items():
        if isinstance(type_, GraphQLObjectType) and type_.extensions.get(EXTENSION):
            found[name] = {}
            for key, field in type_.fields.items():
                member = field.extensions.get(EXTENSION)
                holds = get_named_type(field.type)
                if member is not None and (member.write is not None or isinstance(holds, GraphQLObjectType)):
                    below = holds if isinstance(holds, GraphQLObjectType) else None
                    found[name][key] = (member, below)
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """One field of an answer. `below` None: a leaf, written by `write`, or `constant` where that is None."""

    response: str
    name: str
    many: bool = False
    write: Write | None = None
    below: "Sequence[Step] | None" = None
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps` are walked here; `others` go graphql-core's way."""

    steps: Sequence[Step]
    others: Mapping[str, FieldDetailsList]


Collect: TypeAlias = Callable[[GraphQLObjectType, FieldDetailsList], GroupedFieldSet | None]
"""What is selected below a field; None where only graphql-core knows."""


def plan_of(type_: GraphQLObjectType, selected: GroupedFieldSet, *, members: Members, collect: Collect) -> Plan:
    """How to walk what is selected of a type. A field with anything in it that is no plain member goes to `others`."""
    known = members[type_.name]
    steps: list[Step] = []
    others: dict[str, FieldDetailsList] = {}
    for response, details in selected.items():
        node = details[0].node
        step = None
        if node.name.value == "__typename":
            step = Step(response, "", constant=type_.name)
        elif node.name.value in known and not node.arguments:
            step = _step(response, details, *known[node.name.value], members=members, collect=collect)
        if step is None:
            others[response] = details
        else:
            steps.append(step)
    return Plan(tuple(steps), others)


def _step(
    response: str,
    details: FieldDetailsList,
    member: Member,
    type_: GraphQLObjectType | None,
    *,
    members: Members,
    collect: Collect,
) -> Step | None:
    if type_ is None:
        return Step(response, member.name, write=member.write)
    selected = collect(type_, details)
    if selected is None or type_.name not in members:
        return None
    below = plan_of(type_, selected, members=members, collect=collect)
    return None if below.others else Step(response, member.name, many=member.many, below=below.steps)


def walk(steps: Sequence[Step], value: Tree) -> Tree:
    """The answer of one part."""
    answer: Tree = {}
    for step in steps:
        found = value.get(step.name)
        if step.constant is not None:
            found = step.constant
        elif found is not None:
            if type(found) is list:
                walking(len(found))
            if step.below is None:
                found = step.write(found) if step.write is not None else None
            elif step.many:
                below = step.below
                found = (
                    [walk(below, item) if type(item) is dict else None for item in found]
                    if type(found) is list
                    else None
                )
            else:
                found = walk(step.below, found) if type(found) is dict else None
        answer[step.response] = found
    return answer
