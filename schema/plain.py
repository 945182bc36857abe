"""Plain fields without ceremony: an attribute that is a leaf is read, written, and done.

True here: the answer is graphql-core's own. Only the good case is short; what is null where it may not be, fails, has
a resolver or selections of its own goes graphql-core's way, which also says what is wrong. Most of a read's fields are
plain, and a third of its time went into their path, info and arguments.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import GraphQLField, GraphQLLeafType, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.pyutils import Path, Undefined
from graphql.type import is_leaf_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from schema.parts import Members, Part, Plan, members_of, plan_of, walk

Write: TypeAlias = Callable[[Any], Any]


class _LongWay(Exception):
    """This value is for graphql-core to complete, or to refuse."""


_LONG_WAY = _LongWay()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainField:
    """`attribute` of the source, written by `write`, which raises for whatever is not the plain good case."""

    attribute: str
    nullable: bool
    write: Write


PlainFields: TypeAlias = Mapping[str, Mapping[str, PlainField]]
"""Object type -> field -> how it is read."""


def plain_fields(schema: GraphQLSchema) -> PlainFields:
    """The plain fields of each object type of a Strawberry schema."""
    return {
        name: {field_name: plain for field_name, field in kind.fields.items() if (plain := _plain(field)) is not None}
        for name, kind in schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
    }


def _plain(field: GraphQLField) -> PlainField | None:
    known = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if field.args or not isinstance(known, StrawberryField) or not known.is_basic_field:
        return None
    if known.default_resolver is not getattr:
        return None
    write = _writer(field.type)
    if write is None:
        return None
    return PlainField(attribute=known.python_name, nullable=not isinstance(field.type, GraphQLNonNull), write=write)


def _writer(kind: Any) -> Write | None:
    """Of a leaf, or of a list of leaves that are never null."""
    inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if is_leaf_type(inner):
        return _leaf(inner)
    item = inner.of_type if isinstance(inner, GraphQLList) else None
    if isinstance(item, GraphQLNonNull) and is_leaf_type(item.of_type):
        return _list_of(_leaf(item.of_type))
    return None


def _leaf(kind: GraphQLLeafType) -> Write:
    write = kind.coerce_output_value

    def leaf(value: Any) -> Any:
        if isinstance(value, Exception):
            raise _LONG_WAY
        written = write(value)
        if written is None or written is Undefined:
            raise _LONG_WAY
        return written

    return leaf


def _list_of(item: Write) -> Write:
    def several(value: Any) -> Any:
        if type(value) is not list or None in value:
            raise _LONG_WAY
        return [item(each) for each in value]

    return several


class Selections:
    """What a document selects of which type, collected once for all its executions.

    Only for a document without directives: nothing else lets a variable change what is selected. Keys are identities
    of lists and nodes, which live as long as this does.
    """

    __slots__ = ("below", "plans", "roots")

    def __init__(self) -> None:
        self.plans: dict[int, tuple[GroupedFieldSet, Plan]] = {}
        self.roots: dict[int, GroupedFieldSet] = {}
        self.below: dict[tuple[GraphQLObjectType, int], Any] = {}


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """Set `plain` and `members` in a subclass (`executor_for`)."""

    plain: PlainFields = {}
    members: Members = {}

    def __init__(self, *args: Any, selections: Selections | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._selections = selections
        self._plans = {} if selections is None else selections.plans
        if selections is not None:
            self._relevant_sub_fields = selections.below

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Any,
    ) -> Any:
        """With the root's selections of the first time, by which those below are known."""
        if self._selections is not None:
            grouped_field_set = self._selections.roots.setdefault(id(self.operation), grouped_field_set)
        return super().execute_collected_root_fields(
            root_type, root_value, grouped_field_set, serially, new_defer_usages
        )

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        """The plain ones at once, in their places; the others as graphql-core does it."""
        if type(source_value) is Part and self.middleware_manager is None:
            return self._execute_part(parent_type, source_value, path, grouped_field_set, position_context)
        known = self.plain.get(parent_type.name)
        if not known or self.middleware_manager is not None:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        results: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for response_name, details in grouped_field_set.items():
            name = details[0].node.name.value
            field = known.get(name)
            results[response_name] = None
            if field is None:
                if name == "__typename":
                    results[response_name] = parent_type.name
                else:
                    others[response_name] = details
                continue
            try:
                value = getattr(source_value, field.attribute)
                if value is not None:
                    results[response_name] = field.write(value)
                elif not field.nullable:
                    others[response_name] = details
            except Exception:  # noqa: BLE001 - done again the long way, which knows whose error it is
                others[response_name] = details
        if not others:
            return results
        rest = super().execute_fields(parent_type, source_value, path, others, position_context)
        if type(rest) is dict:
            return _merged(results, rest, others)
        return _merge_later(results, rest, others)

    def _execute_part(
        self,
        parent_type: GraphQLObjectType,
        part: Part,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        """What is plain of a part of a tree, in one walk; the rest as graphql-core does it."""
        kept = self._plans.get(id(grouped_field_set))
        if kept is None:
            plan = plan_of(parent_type, grouped_field_set, members=self.members, collect=self._selected_below)
            # With what it was made of, so that its identity is not another's meanwhile.
            kept = self._plans[id(grouped_field_set)] = (grouped_field_set, plan)
        plan = kept[1]
        walked = walk(plan.steps, part.value)
        if not plan.others:
            return walked
        results = {name: walked.get(name) for name in grouped_field_set}
        others = dict(plan.others)
        rest = super().execute_fields(parent_type, part, path, others, position_context)
        if type(rest) is dict:
            return _merged(results, rest, others)
        return _merge_later(results, rest, others)

    def _selected_below(self, type_: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet | None:
        collected = self.collect_subfields(type_, details)
        return None if collected.new_defer_usages else collected.grouped_field_set


async def _merge_later(results: dict[str, Any], rest: Any, others: dict[str, Any]) -> dict[str, Any]:
    return _merged(results, await rest, others)


def _merged(results: dict[str, Any], rest: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Every field in its place; what graphql-core left out is left out."""
    results.update(rest)
    if len(rest) != len(others):
        for name in others.keys() - rest.keys():
            del results[name]
    return results


def executor_for(schema: GraphQLSchema) -> type[PlainExecutor]:
    """An executor class that knows this schema's plain fields."""
    return type("SchemaExecutor", (PlainExecutor,), {"plain": plain_fields(schema), "members": members_of(schema)})
