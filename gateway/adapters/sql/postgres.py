"""PostgreSQL for the index: SQLAlchemy's asynchronous engine over psycopg, a bounded pool, reads in autocommit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from anchoring.stores.sessions import CONNECT_SECONDS, LIVELY, BoundedAsyncSession
from gateway.adapters.sql.source import TIMEOUT, Rows
from gateway.adapters.sql.statements import STATEMENTS, Plan, Value, for_postgres
from gateway.adapters.sql.urls import postgres_conninfo, postgres_engine_url
from gateway.errors import ConflictError, UpstreamError

_T = TypeVar("_T")

SESSION_OPTIONS = f"-c statement_timeout=5000 -c lock_timeout=5000 -c synchronous_commit=on {LIVELY}"
"""Of every session: nothing waits for ever, and a commit returns after fsync whatever the server's default."""
UNIQUE_VIOLATION = "23505"


class PostgresSource:
    """Connects at the first use. After a lost connection a read is tried once more, a write never: it is in doubt."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self._engine = create_async_engine(
            postgres_engine_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=TIMEOUT,
            async_creator=lambda: BoundedAsyncSession.connect(
                postgres_conninfo(url),
                connect_timeout=CONNECT_SECONDS,
                options=SESSION_OPTIONS,
                tcp_user_timeout=int(TIMEOUT * 1000),
            ),
        )
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def fetch(self, sql: str, parameters: Sequence[Value]) -> Rows:
        text = for_postgres(sql)

        async def read() -> Rows:
            async with self._autocommit.connect() as connection:
                result = await connection.exec_driver_sql(text, tuple(parameters))
                return [tuple(row) for row in result]

        try:
            return await _within(read)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise _upstream(error) from error
        except SQLAlchemyError as error:
            raise _upstream(error) from error
        try:
            return await _within(read)
        except SQLAlchemyError as error:
            raise _upstream(error) from error

    async def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        async def work(connection: AsyncConnection) -> int:
            result = await connection.exec_driver_sql(for_postgres(sql), tuple(parameters))
            return int(result.rowcount)

        return await self._transaction(work)

    async def apply(self, plan: Plan) -> None:
        await self._transaction(lambda connection: _apply(connection, plan))

    async def close(self) -> None:
        await self._engine.dispose()

    async def _transaction(self, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        async def whole() -> _T:
            # Commit point: the block's end. A crash before it leaves nothing of `work`, after it all of it.
            async with self._engine.begin() as connection:
                return await work(connection)

        try:
            return await _within(whole)
        except SQLAlchemyError as error:
            raise _upstream(error) from error


async def _within(work: Callable[[], Awaitable[_T]]) -> _T:
    try:
        async with asyncio.timeout(TIMEOUT):
            return await work()
    except TimeoutError as error:
        raise UpstreamError("the database does not answer in time") from error


async def _apply(connection: AsyncConnection, plan: Plan) -> None:
    for number, rows in plan:
        statement = STATEMENTS[number]
        try:
            result = await connection.exec_driver_sql(for_postgres(statement.sql), list(rows))
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != UNIQUE_VIOLATION:
                raise
            raise ConflictError(f"a key is taken: {statement.table}") from error
        if statement.exact and result.rowcount != len(rows):
            raise ConflictError(f"a key is taken: {statement.table}")


def _upstream(error: SQLAlchemyError) -> UpstreamError:
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return UpstreamError(f"the database refuses ({state or type(error).__name__})")
