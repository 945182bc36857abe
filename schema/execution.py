"""From a query's text to an answer: parse, survey, validate, execute, and say what went wrong without saying too much.

True here: a document is parsed, surveyed and validated once while it stays known, and known documents hold no text of a
client's own (no strings, no objects, so no resource); everything runs under a time budget; an unexpected failure is
masked and carries a correlation id. graphql-core is called straight: Strawberry's wrapper around it only adds
extensions, of which there are none. Not done here: HTTP, sockets, authentication.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, cast

from graphql import (
    ASTValidationRule,
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLInputType,
    OperationDefinitionNode,
    execute,
    parse,
    specified_rules,
    subscribe,
    type_from_ast,
    validate,
)
from graphql import OperationType as Kind
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.identity.model import Caller
from schema.context import RequestContext, Services
from schema.errors import INTERNAL, Fault, LimitFault, public_error
from schema.limits import Limits, Survey, check_variables, multipliers, survey
from schema.root import GatewaySchema

KNOWN_DOCUMENTS = 512
KNOWN_CHARACTERS = 8_192
SHORT_CHARACTERS = 1_024
VALIDATION_ERRORS = 10
RULES = cast(
    "tuple[type[ASTValidationRule], ...]",
    (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule),
)
TOO_MANY_TOKENS = ("Document contains more than", "Document is nested too deeply")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`payload`: `data` (where something was executed) and `errors`, ready to be written as JSON."""

    payload: dict[str, Any]
    executed: bool
    well_formed: bool = True
    """False where the request names no operation that can run here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a document, with the input types of its variables."""

    kind: Kind
    variables: Mapping[str, GraphQLInputType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that parsed, is within limits and is valid."""

    document: DocumentNode
    survey: Survey
    operations: Mapping[str | None, Operation]


class RefusedRequest(Exception):
    """Found before execution. `errors` are public."""

    def __init__(self, errors: list[dict[str, Any]], *, well_formed: bool = True) -> None:
        super().__init__("request refused")
        self.errors = errors
        self.well_formed = well_formed

    @classmethod
    def of(cls, code: str, message: str, *, well_formed: bool = True) -> "RefusedRequest":
        return cls([Fault(code=code, message=message).public()], well_formed=well_formed)

    def answer(self) -> Answer:
        return Answer(payload={"errors": self.errors}, executed=False, well_formed=self.well_formed)


class Engine:
    """Executes operations against one schema and one set of services."""

    def __init__(
        self,
        schema: GatewaySchema,
        services: Services,
        *,
        limits: Limits | None = None,
        introspection: bool = True,
        seconds: float = 30.0,
    ) -> None:
        self._schema = schema._schema
        self._executor = schema.execution_context_class
        self._services = services
        self._limits = limits or Limits()
        self._introspection = introspection
        self._seconds = seconds
        self._lists = multipliers(self._schema)
        self._known: OrderedDict[str, Prepared] = OrderedDict()
        self._turn = asyncio.Lock()

    async def execute(
        self,
        query: str,
        *,
        variables: dict[str, Any],
        operation_name: str | None,
        caller: Caller | None,
        token: str | None,
        correlation_id: str,
    ) -> Answer:
        """A query's or mutation's answer. A subscription is refused: it needs a socket."""
        try:
            prepared = await self._prepare(query)
            operation = self._choose(prepared, operation_name, variables)
            if operation.kind is Kind.SUBSCRIPTION:
                raise RefusedRequest.of(
                    "INVALID", "subscriptions are served over graphql-transport-ws", well_formed=False
                )
        except RefusedRequest as refused:
            return refused.answer()
        context = self._context(caller, token, correlation_id)
        try:
            async with asyncio.timeout(self._seconds):
                result = execute(
                    self._schema,
                    prepared.document,
                    context_value=context,
                    variable_values=variables,
                    operation_name=operation_name,
                    executor_class=self._executor,
                    is_awaitable=cast(Any, optimized_is_awaitable),
                    hide_suggestions=True,
                    operation_extensions=None,
                )
                done = await result if isawaitable(result) else result
        except TimeoutError:
            return _timed_out(correlation_id)
        return to_answer(done, correlation_id=correlation_id)

    async def stream(
        self,
        query: str,
        *,
        variables: dict[str, Any],
        operation_name: str | None,
        caller: Caller | None,
        token: str | None,
        correlation_id: str,
    ) -> AsyncGenerator[Answer, None]:
        """Any operation over a socket: a subscription's answers as they come, of others the one answer."""
        try:
            prepared = await self._prepare(query)
            operation = self._choose(prepared, operation_name, variables)
        except RefusedRequest as refused:
            yield refused.answer()
            return
        if operation.kind is not Kind.SUBSCRIPTION:
            yield await self.execute(
                query,
                variables=variables,
                operation_name=operation_name,
                caller=caller,
                token=token,
                correlation_id=correlation_id,
            )
            return
        async for answer in self._subscription(
            prepared, self._context(caller, token, correlation_id), variables, operation_name
        ):
            yield answer

    async def _subscription(
        self,
        prepared: Prepared,
        context: RequestContext,
        variables: dict[str, Any],
        operation_name: str | None,
    ) -> AsyncGenerator[Answer, None]:
        source = subscribe(
            self._schema,
            prepared.document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            executor_class=self._executor,
            hide_suggestions=True,
            operation_extensions=None,
        )
        opened: Any = await source if isawaitable(source) else source
        if isinstance(opened, ExecutionResult):
            yield to_answer(opened, correlation_id=context.correlation_id)
            return
        try:
            async for item in opened:
                yield to_answer(item, correlation_id=context.correlation_id)
        except Exception as error:  # noqa: BLE001 - the last place that can mask what a living source raises
            wrapped = GraphQLError(INTERNAL, original_error=error)
            masked = public_error(wrapped, correlation_id=context.correlation_id)
            yield Answer(payload={"data": None, "errors": [masked]}, executed=True)
        finally:
            await opened.aclose()

    def _context(self, caller: Caller | None, token: str | None, correlation_id: str) -> RequestContext:
        return RequestContext(services=self._services, caller=caller, token=token, correlation_id=correlation_id)

    async def _prepare(self, query: str) -> Prepared:
        known = self._known.get(query)
        if known is not None:
            self._known.move_to_end(query)
            return known
        try:
            if len(query) <= SHORT_CHARACTERS:
                return self._check(query, parse(query, **self._limits.parse_options))
            # One long document at a time, with the loop free between its steps: a heap of them delays the others in
            # the heap, and nobody who sends what is known or short.
            async with self._turn:
                await asyncio.sleep(0)
                document = parse(query, **self._limits.parse_options)
                await asyncio.sleep(0)
                return self._check(query, document)
        except LimitFault as fault:
            raise RefusedRequest.of("LIMIT", str(fault)) from fault
        except GraphQLError as error:
            raise RefusedRequest([_syntax_error(error)]) from error

    def _check(self, query: str, document: DocumentNode) -> Prepared:
        found = self._survey(document)
        errors = validate(self._schema, document, RULES, max_errors=VALIDATION_ERRORS, hide_suggestions=True)
        if errors:
            raise RefusedRequest([public_error(error, correlation_id="") for error in errors])
        prepared = Prepared(document=document, survey=found, operations=self._operations(document))
        if not found.holds_literals and len(query) <= KNOWN_CHARACTERS:
            self._known[query] = prepared
            if len(self._known) > KNOWN_DOCUMENTS:
                self._known.popitem(last=False)
        return prepared

    def _survey(self, document: DocumentNode, variables: Mapping[str, Any] | None = None) -> Survey:
        return survey(
            document,
            limits=self._limits,
            lists=self._lists,
            introspection=self._introspection,
            variables=variables,
        )

    def _operations(self, document: DocumentNode) -> dict[str | None, Operation]:
        found: dict[str | None, Operation] = {}
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                types = {
                    one.variable.name.value: cast("GraphQLInputType", type_from_ast(self._schema, one.type))
                    for one in node.variable_definitions or ()
                }
                name = node.name.value if node.name is not None else None
                found[name] = Operation(kind=node.operation, variables=types)
        return found

    def _choose(self, prepared: Prepared, name: str | None, variables: Mapping[str, Any]) -> Operation:
        """The operation asked for, its variables within limits. Raises RefusedRequest."""
        if name is None and len(prepared.operations) != 1:
            raise RefusedRequest.of(
                "INVALID", "operationName must name one of the document's operations", well_formed=False
            )
        operation = prepared.operations.get(name) if name is not None else next(iter(prepared.operations.values()))
        if operation is None:
            raise RefusedRequest.of(
                "INVALID", "no operation of this document has that operationName", well_formed=False
            )
        try:
            check_variables(variables, types=operation.variables, limits=self._limits)
            if not prepared.survey.cost_is_certain:
                self._survey(prepared.document, variables)
        except LimitFault as fault:
            raise RefusedRequest.of("LIMIT", str(fault)) from fault
        return operation


def to_answer(result: ExecutionResult, *, correlation_id: str) -> Answer:
    """A result without data whose errors have no path comes from coercing variables: nothing was executed."""
    if not result.errors:
        return Answer(payload={"data": result.data}, executed=True)
    errors = [public_error(error, correlation_id=correlation_id) for error in result.errors]
    if result.data is None and all(error.path is None for error in result.errors):
        return Answer(payload={"errors": errors}, executed=False)
    return Answer(payload={"data": result.data, "errors": errors}, executed=True)


def _syntax_error(error: GraphQLError) -> dict[str, Any]:
    shown = public_error(error, correlation_id="")
    if any(sign in error.message for sign in TOO_MANY_TOKENS):
        shown["extensions"] = {"code": "LIMIT"}
    return shown


def _timed_out(correlation_id: str) -> Answer:
    error = {
        "message": "the request took too long",
        "extensions": {"code": "UNAVAILABLE", "correlationId": correlation_id},
    }
    return Answer(payload={"data": None, "errors": [error]}, executed=True)
