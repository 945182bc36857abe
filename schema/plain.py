"""Plain fields without ceremony: an attribute that is a leaf is read, written, and done; so is one that holds an
object of which only such fields are selected, or a list of them.

True here: the answer is graphql-core's own. Only the good case is short; what is null where it may not be, fails, has
a resolver or is of another class than the schema knows goes graphql-core's way, which also says what is wrong. Most of
a read's fields are plain, and a third of its time went into their path, info and arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_fields
from graphql.pyutils import Path, Undefined
from graphql.type import is_abstract_type, is_leaf_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from schema.parts import Collect, Members, Part, Plan, members_of, plan_of, walk

Write: TypeAlias = Callable[[Any], Any]


class _LongWay(Exception):
    """This value is for graphql-core to complete, or to refuse."""


_LONG_WAY = _LongWay()


class Raised:
    """What a block raised, for graphql-core to locate as it does what any field raises."""

    __slots__ = ("error",)

    def __enter__(self) -> "Raised":
        self.error: Exception | None = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainField:
    """`attribute` of the source. `write` None: objects of the composite `kind`, written as what is selected of them."""

    attribute: str
    nullable: bool
    write: Write | None
    kind: Any


PlainFields: TypeAlias = Mapping[str, Mapping[str, PlainField]]
"""Object type -> field -> how it is read."""


@dataclass(frozen=True, slots=True)
class PlainStep:
    """One field of an answer. `write` raises for what is not the plain good case; None: `constant` is the answer."""

    response: str
    attribute: str
    nullable: bool
    write: Write | None
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class PlainPlan:
    """`steps` are walked here; `others` go graphql-core's way."""

    steps: Sequence[PlainStep]
    others: Mapping[str, FieldDetailsList]


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
    nullable = not isinstance(field.type, GraphQLNonNull)
    return PlainField(attribute=known.python_name, nullable=nullable, write=_writer(field.type), kind=field.type)


def _writer(kind: Any) -> Write | None:
    """Of a leaf, or of a list of leaves that are never null."""
    inner = bare(kind)
    if is_leaf_type(inner):
        return _leaf(inner)
    item = inner.of_type if isinstance(inner, GraphQLList) else None
    if isinstance(item, GraphQLNonNull) and is_leaf_type(item.of_type):
        return _list_of(_leaf(item.of_type))
    return None


def bare(kind: Any) -> Any:
    """A type without its non-null."""
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def _leaf(kind: GraphQLLeafType) -> Write:
    if isinstance(kind, CustomGraphQLEnumType):
        # A member that is none of its own raises KeyError, and an unhashable one TypeError: both are the long way.
        members: Any = kind.wrapped_cls
        written = {member: kind.coerce_output_value(member) for member in members}
        return written.__getitem__
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


def _objects(steps_of: Mapping[type, Sequence[PlainStep]]) -> Write:
    def written(value: Any) -> Any:
        steps = steps_of.get(type(value))
        if steps is None:
            raise _LONG_WAY
        return _walk(steps, value)

    return written


def _walk(steps: Sequence[PlainStep], source: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for step in steps:
        if step.write is None:
            answer[step.response] = step.constant
            continue
        value = getattr(source, step.attribute)
        if value is not None:
            answer[step.response] = step.write(value)
        elif step.nullable:
            answer[step.response] = None
        else:
            raise _LONG_WAY
    return answer


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans of what is selected, with all that is plain below it. `collect`: what is selected below a field."""

    schema: GraphQLSchema
    plain: PlainFields
    collect: Collect

    def plan(self, type_: GraphQLObjectType, selected: GroupedFieldSet) -> PlainPlan:
        """For sources of one type."""
        known = self.plain.get(type_.name, {})
        steps: list[PlainStep] = []
        others: dict[str, FieldDetailsList] = {}
        for response, details in selected.items():
            name = details[0].node.name.value
            field = known.get(name)
            write = None if field is None else field.write or self.writer(field.kind, details)
            if name == "__typename":
                steps.append(PlainStep(response, "", False, None, type_.name))
            elif field is None or write is None:
                others[response] = details
            else:
                steps.append(PlainStep(response, field.attribute, field.nullable, write))
        return PlainPlan(tuple(steps), others)

    def writer(self, kind: Any, details: FieldDetailsList) -> Write | None:
        """Of objects, or lists of them, of which only what is plain is selected; None for any other."""
        inner = bare(kind)
        if isinstance(inner, GraphQLList):
            item = self.writer(inner.of_type, details) if isinstance(inner.of_type, GraphQLNonNull) else None
            return None if item is None else _list_of(item)
        steps_of: dict[type, Sequence[PlainStep]] = {}
        for type_ in self._possible(inner):
            selected = self.collect(type_, details)
            definition = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            if selected is None or not isinstance(definition, StrawberryObjectDefinition):
                continue
            plan = self.plan(type_, selected)
            if not plan.others:
                steps_of[definition.origin] = plan.steps
        return _objects(steps_of) if steps_of else None

    def _possible(self, kind: Any) -> Sequence[GraphQLObjectType]:
        if isinstance(kind, GraphQLObjectType):
            return (kind,)
        return self.schema.get_possible_types(kind) if is_abstract_type(kind) else ()


class Selections:
    """What a document selects of which type, collected once for all its executions.

    Only for a document without directives: nothing else lets a variable change what is selected. Keys are identities
    of lists and nodes, which live as long as this does.
    """

    __slots__ = ("below", "plans", "ran", "roots", "straight")

    def __init__(self) -> None:
        self.plans: dict[int, tuple[GroupedFieldSet, Plan | PlainPlan]] = {}
        self.roots: dict[int, GroupedFieldSet] = {}
        self.below: dict[tuple[GraphQLObjectType, int], Any] = {}
        self.straight: dict[str | None, Any] = {}
        """By an operation's name: its `schema.straight.Straight`, or None where it has none."""
        self.ran: set[str | None] = set()


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
        if parent_type.name not in self.plain or self.middleware_manager is not None:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        plan = self._planned(parent_type, grouped_field_set)
        results: dict[str, Any] = {}
        others = dict(plan.others)
        for step in plan.steps:
            if step.write is None:
                results[step.response] = step.constant
                continue
            try:
                value = getattr(source_value, step.attribute)
                if value is not None:
                    results[step.response] = step.write(value)
                elif step.nullable:
                    results[step.response] = None
                else:
                    others[step.response] = grouped_field_set[step.response]
            except Exception:  # noqa: BLE001 - done again the long way, which knows whose error it is
                others[step.response] = grouped_field_set[step.response]
        if not others:
            return results
        results = {name: results.get(name) for name in grouped_field_set}
        rest = super().execute_fields(parent_type, source_value, path, others, position_context)
        if type(rest) is dict:
            return _merged(results, rest, others)
        return _merge_later(results, rest, others)

    def _planned(self, parent_type: GraphQLObjectType, selected: GroupedFieldSet) -> PlainPlan:
        kept = self._plans.get(id(selected))
        if kept is None:
            # With what it was made of, so that its identity is not another's meanwhile.
            kept = self._plans[id(selected)] = (selected, self.planner().plan(parent_type, selected))
        return cast(PlainPlan, kept[1])

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
        plan = cast(Plan, kept[1])
        walked = walk(plan.steps, part.value)
        if not plan.others:
            return walked
        results = {name: walked.get(name) for name in grouped_field_set}
        others = dict(plan.others)
        rest = super().execute_fields(parent_type, part, path, others, position_context)
        if type(rest) is dict:
            return _merged(results, rest, others)
        return _merge_later(results, rest, others)

    def root_fields(self, root: GraphQLObjectType) -> GroupedFieldSet | None:
        """What the operation selects of its root, known as when it is executed; None where only graphql-core knows."""
        found = collect_fields(
            self.schema, self.fragments, self.variable_values, root, self.operation, self.hide_suggestions
        )
        if found.new_defer_usages or self._selections is None:
            return None
        return self._selections.roots.setdefault(id(self.operation), found.grouped_field_set)

    def planner(self) -> Planner:
        """For what this executor's document selects."""
        return Planner(self.schema, self.plain, self._selected_below)

    async def complete_root(
        self, response: str, details: FieldDetailsList, field: GraphQLField, outcome: Any
    ) -> ExecutionResult:
        """The answer of a query of one root field, whose resolver gave `outcome`, or raised it."""
        root = cast(GraphQLObjectType, self.schema.query_type)
        path = Path(None, response, root.name)
        info = self.build_resolve_info(field, [one.node for one in details], root, path)
        try:
            completed = None
            with Raised() as raised:
                completed = self.complete_value(field.type, details, info, path, outcome, None)
                if self.is_awaitable(completed):
                    completed = await completed
            if raised.error is not None:  # as graphql-core does it for any field
                self.handle_field_error(raised.error, field.type, details, path)
                completed = None
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return cast(ExecutionResult, self.build_response(None))
        return cast(ExecutionResult, self.build_response({response: completed}))

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
