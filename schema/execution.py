"""From a query's text to an answer, without saying too much of what went wrong.

True here: everything runs under a time budget; an unexpected failure is masked and carries a correlation id.
graphql-core is called straight: Strawberry's wrapper around it only adds extensions, of which there are none. Not done
here: reading documents (schema.documents), HTTP, sockets, authentication.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from types import MappingProxyType
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError, execute, subscribe
from graphql import OperationType as Kind
from strawberry.execution import optimized_is_awaitable

from gateway.identity.model import Caller
from gateway.underway import bounded
from schema.context import RequestContext, Services
from schema.documents import Documents, Prepared, RefusedRequest
from schema.errors import CORRELATION, INTERNAL, public_error
from schema.limits import Limits
from schema.plain import PlainExecutor, executor_for
from schema.root import GatewaySchema
from schema.straight import Straight, straight_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`payload`: `data` (where something was executed) and `errors`, ready to be written as JSON."""

    payload: dict[str, Any]
    executed: bool
    well_formed: bool = True
    """False where the request names no operation that can run here."""
    needs_post: bool = False
    """True where GET asked for what only POST may."""


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
        trusted: Mapping[str, str] = MappingProxyType({}),
        trusted_only: bool = False,
    ) -> None:
        """`trusted`: documents by identifier; one that is not valid here is a SettingsError."""
        self._schema = schema._schema
        self._executor = executor_for(self._schema)
        self._services = services
        self._seconds = seconds
        self.documents = Documents(
            self._schema,
            limits=limits or Limits(),
            introspection=introspection,
            trusted=trusted,
            trusted_only=trusted_only,
        )

    async def execute(
        self,
        query: str | None,
        *,
        document_id: str | None = None,
        variables: dict[str, Any],
        operation_name: str | None,
        caller: Caller | None,
        token: str | None,
        correlation_id: str,
        by_get: bool = False,
    ) -> Answer:
        """A query's or mutation's answer. A subscription is refused: it needs a socket; and so is a mutation by GET."""
        try:
            prepared = await self.documents.find(query, document_id)
            operation = self.documents.choose(prepared, operation_name, variables)
            if operation.kind is Kind.SUBSCRIPTION:
                raise RefusedRequest.of(
                    "INVALID", "subscriptions are served over graphql-transport-ws", well_formed=False
                )
        except RefusedRequest as refused:
            return _refusal(refused)
        if by_get and operation.kind is Kind.MUTATION:
            return Answer(payload={}, executed=False, needs_post=True)
        context = self._context(caller, token, correlation_id)
        try:
            async with bounded(self._seconds):
                straight = self._straight(prepared, context, variables, operation_name)
                arguments = None if straight is None else straight.arguments(variables)
                if straight is not None and arguments is not None:
                    executor = partial(self._built, prepared, context, variables, operation_name)
                    done = await straight.answer(arguments, context, executor=executor)
                else:
                    done = await self._executed(prepared, context, variables, operation_name)
        except TimeoutError:
            return _timed_out(correlation_id)
        return to_answer(done, correlation_id=correlation_id)

    async def _executed(
        self, prepared: Prepared, context: RequestContext, variables: dict[str, Any], operation_name: str | None
    ) -> ExecutionResult:
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
            selections=prepared.selections,
        )
        return await result if isawaitable(result) else result

    def _built(
        self, prepared: Prepared, context: RequestContext, variables: dict[str, Any], operation_name: str | None
    ) -> PlainExecutor:
        """Raises GraphQLError for variables that are not as declared."""
        built = self._executor.build(
            self._schema,
            prepared.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation_name,
            is_awaitable=cast(Any, optimized_is_awaitable),
            hide_suggestions=True,
            operation_extensions=None,
            selections=prepared.selections,
        )
        if isinstance(built, list):
            raise built[0]
        return cast(PlainExecutor, built)

    def _straight(
        self, prepared: Prepared, context: RequestContext, variables: dict[str, Any], operation_name: str | None
    ) -> Straight | None:
        """Looked for when a document comes for the second time: most that are not kept come once."""
        if prepared.selections is None:
            return None
        known, ran = prepared.selections.straight, prepared.selections.ran
        if operation_name not in known:
            if operation_name not in ran:
                ran.add(operation_name)
                return None
            try:
                known[operation_name] = straight_of(self._built(prepared, context, variables, operation_name))
            except GraphQLError:
                return None
        found: Straight | None = known[operation_name]
        return found

    async def stream(
        self,
        query: str | None,
        *,
        document_id: str | None = None,
        variables: dict[str, Any],
        operation_name: str | None,
        caller: Caller | None,
        token: str | None,
        correlation_id: str,
    ) -> AsyncGenerator[Answer, None]:
        """Any operation over a socket: a subscription's answers as they come, of others the one answer."""
        try:
            prepared = await self.documents.find(query, document_id)
            operation = self.documents.choose(prepared, operation_name, variables)
        except RefusedRequest as refused:
            yield _refusal(refused)
            return
        if operation.kind is not Kind.SUBSCRIPTION:
            yield await self.execute(
                query,
                document_id=document_id,
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
        CORRELATION.set(correlation_id)
        return RequestContext(services=self._services, caller=caller, token=token, correlation_id=correlation_id)


def to_answer(result: ExecutionResult, *, correlation_id: str) -> Answer:
    """A result without data whose errors have no path comes from coercing variables: nothing was executed."""
    if not result.errors:
        return Answer(payload={"data": result.data}, executed=True)
    errors = [public_error(error, correlation_id=correlation_id) for error in result.errors]
    if result.data is None and all(error.path is None for error in result.errors):
        return Answer(payload={"errors": errors}, executed=False)
    return Answer(payload={"data": result.data, "errors": errors}, executed=True)


def _refusal(refused: RefusedRequest) -> Answer:
    return Answer(payload={"errors": refused.errors}, executed=False, well_formed=refused.well_formed)


def _timed_out(correlation_id: str) -> Answer:
    error = {
        "message": "the request took too long",
        "extensions": {"code": "UNAVAILABLE", "correlationId": correlation_id},
    }
    return Answer(payload={"data": None, "errors": [error]}, executed=True)
