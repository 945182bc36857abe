"""SQLite for the index. Reads run inline, without a transaction: microseconds, and each sees the newest commit.

Writes run in one thread with a connection of its own, for they wait for fsync and for the notary's writes.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.adapters.sql.source import TIMEOUT, Rows
from gateway.adapters.sql.statements import STATEMENTS, Plan, Value
from gateway.errors import ConflictError, UpstreamError

_T = TypeVar("_T")

UNIQUE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
"""Extended codes that say that a key is taken (sqlite.org/rescode.html)."""


def connect(path: str, *, busy: float = TIMEOUT) -> sqlite3.Connection:
    """A connection without transactions of its own; a commit returns after fsync of the WAL. The file must exist."""
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        timeout=busy,
    )
    connection.execute("pragma synchronous = full")
    connection.execute("pragma wal_autocheckpoint = 4000")
    return connection


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


class SqliteSource:
    """One file, which `migrate` has made. Raises UpstreamError when it is not there."""

    def __init__(self, path: str) -> None:
        try:
            # A reader waits for nobody in WAL mode, but right after a crash: half a second, for it holds the loop.
            self._reader = connect(path, busy=0.5)
            self._writer = connect(path)
        except sqlite3.Error as error:
            raise _upstream(error) from error
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index-writer")

    async def fetch(self, sql: str, parameters: Sequence[Value]) -> Rows:
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise _upstream(error) from error

    async def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        return await self._write(lambda connection: connection.execute(sql, parameters).rowcount)

    async def apply(self, plan: Plan) -> None:
        await self._write(lambda connection: _apply(connection, plan))

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown, wait=True)
        self._reader.close()
        self._writer.close()

    async def _write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, _transaction, self._writer, work)
        except sqlite3.Error as error:
            raise _upstream(error) from error
        except RuntimeError as error:
            raise UpstreamError("the index is closed") from error


def _transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T]) -> _T:
    connection.execute("begin immediate")
    try:
        result = work(connection)
        # Commit point: a crash before it leaves nothing of `work`, after it all of it.
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    return result


def _apply(connection: sqlite3.Connection, plan: Plan) -> None:
    for number, rows in plan:
        statement = STATEMENTS[number]
        try:
            changed = connection.executemany(statement.sql, rows).rowcount
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode not in UNIQUE:
                raise
            raise ConflictError(f"a key is taken: {statement.table}") from error
        if statement.exact and changed != len(rows):
            raise ConflictError(f"a key is taken: {statement.table}")


def _upstream(error: sqlite3.Error) -> UpstreamError:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return UpstreamError(f"the database refuses ({name})")
