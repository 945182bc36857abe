"""A query of one root field, straight to its resolver and back: what an app asks for most, without the executor.

True here: the answer is graphql-core's own. Arguments that are no leaves, several fields, directives and whatever else
is not the plain good case are executed as ever; a resolver that ran never runs again: what it gave or raised is
completed by graphql-core where this file cannot. Not done here: anything a resolver does.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, cast

import strawberry
from graphql import ExecutionResult, GraphQLField, GraphQLNonNull, OperationType, VariableNode
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import get_argument_values
from graphql.pyutils import Undefined
from graphql.type import is_leaf_type
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from schema.plain import PlainExecutor, Raised, Write, bare


@dataclass(frozen=True, slots=True)
class RootInfo:
    """What resolvers of root fields read of graphql-core's info."""

    context: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A leaf, without a default. `argument`: the resolver's name for it."""

    name: str
    argument: str | None
    coerce: Callable[[Any], Any]
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Straight:
    """The one field of an operation. `write` raises for what graphql-core must complete; None: always."""

    response: str
    details: FieldDetailsList
    field: GraphQLField
    known: StrawberryField
    variables: Sequence[Variable]
    constants: Mapping[str, Any]
    write: Write | None

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """The resolver's, of a request's variables; None where graphql-core must judge them."""
        found = dict(self.constants)
        for variable in self.variables:
            value = given.get(variable.name)
            if value is None:
                if variable.required or variable.name in given:
                    return None
                continue
            coerced = None
            with suppress(Exception):  # graphql-core says what is wrong with it
                coerced = variable.coerce(value)
            if coerced is None or coerced is Undefined:
                return None
            if variable.argument is not None:
                found[variable.argument] = coerced
        return found

    async def answer(
        self, arguments: dict[str, Any], context: Any, *, executor: Callable[[], PlainExecutor]
    ) -> ExecutionResult:
        """Runs the resolver once. `executor`: of the same request, for what is left to graphql-core."""
        resolver = self.known.base_resolver
        assert resolver is not None
        if resolver.info_parameter:
            arguments[resolver.info_parameter.name] = strawberry.Info(
                _raw_info=cast(Any, RootInfo(context)), _field=self.known
            )
        value = None
        with Raised() as raised:  # located, and masked, by those who do it for any
            call: Callable[..., Any] = resolver
            value = call(None, **arguments) if resolver.self_parameter else call(**arguments)
            if isawaitable(value):
                value = await value
        if raised.error is not None:
            return await executor().complete_root(self.response, self.details, self.field, raised.error)
        if value is not None and self.write is not None:
            with suppress(Exception):  # done again the long way, which knows whose error it is
                return ExecutionResult({self.response: self.write(value)}, None)
        return await executor().complete_root(self.response, self.details, self.field, value)


def straight_of(executor: PlainExecutor) -> Straight | None:
    """Of the operation that an executor was made for; None where it is not of this kind."""
    operation, root = executor.operation, executor.schema.query_type
    if operation.operation is not OperationType.QUERY or root is None:
        return None
    fields = executor.root_fields(root)
    if fields is None or len(fields) != 1:
        return None
    ((response, details),) = fields.items()
    field = root.fields.get(details[0].node.name.value)
    known = None if field is None else field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if field is None or not isinstance(known, StrawberryField) or known.extensions or known.base_resolver is None:
        return None
    if known.base_resolver.parent_parameter or known.base_resolver.root_parameter:
        return None
    names = _python_names(field, known)
    variables = None if names is None else _variables(executor, details, field, names)
    if names is None or variables is None:
        return None
    return Straight(
        response=response,
        details=details,
        field=field,
        known=known,
        variables=variables,
        constants={names[name]: value for name, value in _constants(executor, details, field).items()},
        write=executor.planner().writer(field.type, details),
    )


def _python_names(field: GraphQLField, known: StrawberryField) -> dict[str, str] | None:
    """Argument -> the resolver's name for it; None where one is no leaf."""
    if not all(is_leaf_type(bare(argument.type)) for argument in field.args.values()):
        return None
    found: dict[str, str] = {}
    for name, argument in zip(field.args, known.arguments, strict=True):
        found[name] = argument.python_name
    return found


def _constants(executor: PlainExecutor, details: FieldDetailsList, field: GraphQLField) -> dict[str, Any]:
    """What is the same for every request: literals, and defaults of what is not given."""
    node = details[0].node
    named = {one.name.value for one in node.arguments or () if isinstance(one.value, VariableNode)}
    values = get_argument_values(field, node, executor.variable_values, details[0].fragment_variable_values)
    return {name: value for name, value in values.items() if name not in named}


def _variables(
    executor: PlainExecutor, details: FieldDetailsList, field: GraphQLField, names: Mapping[str, str]
) -> tuple[Variable, ...] | None:
    """The operation's; None where one is no leaf, has a default here or where it is used, or is used twice."""
    used: dict[str, list[str]] = {}
    for node in details[0].node.arguments or ():
        if isinstance(node.value, VariableNode):
            used.setdefault(node.value.name.value, []).append(node.name.value)
    found: list[Variable] = []
    for definition in executor.operation.variable_definitions or ():
        name = definition.variable.name.value
        signature = executor.variable_values.sources.get(name)
        if signature is None or definition.default_value is not None or len(used.get(name, ())) > 1:
            return None
        kind = signature.signature.type
        argument = next(iter(used.get(name, ())), None)
        required = isinstance(kind, GraphQLNonNull)
        if not is_leaf_type(bare(kind)) or not (required or argument is None or _has_no_default(field, argument)):
            return None
        found.append(
            Variable(
                name=name,
                argument=None if argument is None else names[argument],
                coerce=bare(kind).coerce_input_value,
                required=required,
            )
        )
    return tuple(found)


def _has_no_default(field: GraphQLField, argument: str) -> bool:
    return field.args[argument].default is None and field.args[argument].default_value is Undefined
