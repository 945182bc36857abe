"""One database, SQLite or PostgreSQL: transactions that write are whole or not there, and run off the event loop.

SQLite: WAL, `synchronous=FULL`, and BEGIN IMMEDIATE, so that nothing read in a writing transaction can change before
its commit. PostgreSQL: READ COMMITTED; each writing transaction first takes the row that it competes for; no session
outlives a silence. Driver errors become StoreUnavailable here; none leaves this package.
"""

import asyncio
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Row, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from anchoring.errors import StoreUnavailable
from anchoring.stores.commits import Commits
from anchoring.stores.sessions import CONNECT_SECONDS, LIVELY, BoundedSession

T = TypeVar("T")
AnyRow = Row[*tuple[Any, ...]]
"""A row whose columns are read by name."""
BUSY_SECONDS = 10
SESSIONS = 4
_OPTIONS = f"-c statement_timeout=10000 -c lock_timeout=5000 {LIVELY}"
_WRITES = "anchoring_writes"
MANY = 500
"""Most values in one IN list."""


class Database:
    """An engine of anchoring's own. Use `read` and `write`; close it with `close`."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        # SQLite has one writer: threads of this process queue here instead of polling the file's lock.
        self._one_writer = threading.Lock() if self._engine.dialect.name == "sqlite" else None
        self._commits = Commits(str(self._engine.url.database)) if self._one_writer is not None else None
        self._found: dict[Hashable, tuple[int, object]] = {}
        # Threads of its own: a mute database holds up nobody else's.
        self._threads = ThreadPoolExecutor(SESSIONS, thread_name_prefix="anchoring-db")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a thread, in a transaction that writes nothing. Raises StoreUnavailable."""
        return await self._in_thread(work, False)

    async def reread(self, question: Hashable, work: Callable[[Connection], T]) -> T:
        """As `read`, for what is asked again and again and mostly in vain: where nothing was committed since `question`
        was answered here last, that answer stands. `question` names `work`, of which there are few; what it gives is
        changed by nobody. Raises StoreUnavailable."""
        at = None if self._commits is None else self._commits.count()
        if at is not None and question in self._found and self._found[question][0] == at:
            return cast(T, self._found[question][1])
        # Looked at before the read: a commit in between is read now, and once more the next time.
        found = await self.read(work)
        if at is not None:
            self._found[question] = at, found
        return found

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a thread, in one durable transaction; what it raises undoes it. Raises StoreUnavailable.

        COMMIT POINT: before the return nothing of it is there after a crash, or all of it; after the return, all.
        """
        return await self._in_thread(work, True)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._commits is not None:
            self._commits.close()
        self._engine.dispose()

    async def _in_thread(self, work: Callable[[Connection], T], writes: bool) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._run, work, writes)
        except RuntimeError as e:
            raise StoreUnavailable("the database is closed") from e
        return await running

    def _run(self, work: Callable[[Connection], T], writes: bool) -> T:
        try:
            with self._transaction(writes) as connection:
                return work(connection)
        except IntegrityError:
            raise
        except DBAPIError as e:
            raise StoreUnavailable(f"the database does not do it ({type(e.orig).__name__})") from e

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[Connection]:
        lock = self._one_writer if writes else None
        if lock is not None:
            lock.acquire()
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(**{_WRITES: writes})
                with connection.begin():
                    yield connection
        finally:
            if lock is not None:
                lock.release()


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, creator=lambda: _session(url), pool_pre_ping=True, pool_size=SESSIONS, max_overflow=0)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _session(url: str) -> BoundedSession:
    return BoundedSession.connect(
        "postgresql://" + url.partition("://")[2], connect_timeout=CONNECT_SECONDS, options=_OPTIONS
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    # A quarter MiB of pages each: the pool has many sessions, and most of them come round seldom.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-256"):
        connection.execute(f"pragma {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
