"""From a query's text to an answer, without saying too much of what went wrong.

True here: everything runs under a time budget, each item of a subscription under one of its own, and under an allowance
of what is opened for it; an unexpected failure is masked and carries a correlation id.
graphql-core is called straight: Strawberry's wrapper around it only adds extensions, of which there are none. Not done
here: reading documents (schema.documents), writing answers (schema.answers), HTTP, sockets, authentication.
"""

from collections.abc import AsyncGenerator, Mapping
from functools import partial
from inspect import isawaitable
from types import MappingProxyType
from typing import Any, cast

from graphql import ExecutionResult, Executor, GraphQLError, execute
from graphql import OperationType as Kind
from graphql.execution import create_source_event_stream, execute_subscription_event, map_source_to_response_event
from strawberry.execution import optimized_is_awaitable

from gateway.errors import LimitError
from gateway.identity.model import Caller
from gateway.underway import MIB, Allowance, Turns, allow, bounded
from schema.answers import Answer, Bound, refusal, timed_out, to_answer
from schema.context import RequestContext, Services
from schema.documents import Documents, Prepared, RefusedRequest
from schema.errors import CORRELATION, INTERNAL, public_error
from schema.limits import Limits
from schema.plain import PlainExecutor, executor_for
from schema.root import GatewaySchema
from schema.straight import Straight, straight_of


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
        most_octets: int = 64 * MIB,
        trusted: Mapping[str, str] = MappingProxyType({}),
        trusted_only: bool = False,
    ) -> None:
        """`most_octets` of an answer, and of what is opened for it. `trusted`: documents by identifier; one that is not
        valid here is a SettingsError."""
        self._schema = schema._schema
        self._executor = executor_for(self._schema)
        self._services = services
        self._seconds = seconds
        self._most_octets = most_octets
        self.turns = Turns()
        self.documents = Documents(
            self._schema,
            limits=limits or Limits(),
            introspection=introspection,
            trusted=trusted,
            trusted_only=trusted_only,
            turns=self.turns,
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
            return refusal(refused)
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
                    result = await self._started(prepared, context, variables, operation_name)
                    done = await result if isawaitable(result) else result
        except TimeoutError:
            return timed_out(correlation_id)
        except LimitError as error:  # too many wait for a turn; what a resolver raises is in its answer
            return refusal(RefusedRequest.of("LIMIT", error.message))
        return to_answer(done, correlation_id=correlation_id, bound=self._bound(context, prepared))

    async def _started(
        self, prepared: Prepared, context: RequestContext, variables: dict[str, Any], operation_name: str | None
    ) -> Any:
        """What was executed, or is to be awaited. Of the schema itself much is told without an await: by turns."""

        def run() -> Any:
            return execute(
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

        if not prepared.survey.introspects:
            return run()
        async with self.turns.one():
            return run()

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
            yield refusal(refused)
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
        executor = self._executor.build(
            self._schema,
            prepared.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation_name,
            hide_suggestions=True,
            operation_extensions=None,
        )
        if isinstance(executor, list):
            yield to_answer(ExecutionResult(None, errors=executor), correlation_id=context.correlation_id)
            return
        source: Any = create_source_event_stream(executor)
        opened = await source if isawaitable(source) else source
        if isinstance(opened, ExecutionResult):
            yield to_answer(opened, correlation_id=context.correlation_id)
            return
        items = map_source_to_response_event(executor, opened, self._in_time)
        try:
            async for item in items:
                bound = self._bound(context, prepared)
                yield to_answer(item, correlation_id=context.correlation_id, bound=bound)
        except TimeoutError:
            yield timed_out(context.correlation_id)
        except Exception as error:  # noqa: BLE001 - the last place that can mask what a living source raises
            wrapped = GraphQLError(INTERNAL, original_error=error)
            masked = public_error(wrapped, correlation_id=context.correlation_id)
            yield Answer(payload={"data": None, "errors": [masked]}, executed=True)
        finally:
            await items.aclose()

    async def _in_time(self, item: Executor[Any]) -> ExecutionResult:
        """One item of a subscription: TimeoutError where a mute part holds it up."""
        async with bounded(self._seconds):
            result = execute_subscription_event(item)
            return await result if isawaitable(result) else result

    def _bound(self, context: RequestContext, prepared: Prepared) -> Bound:
        return Bound(
            most=self._most_octets, allowance=context.allowance, survey=prepared.survey, followed=context.followed
        )

    def _context(self, caller: Caller | None, token: str | None, correlation_id: str) -> RequestContext:
        CORRELATION.set(correlation_id)
        allowance = Allowance(octets=self._most_octets)
        allow(allowance)
        return RequestContext(
            services=self._services, caller=caller, token=token, correlation_id=correlation_id, allowance=allowance
        )
