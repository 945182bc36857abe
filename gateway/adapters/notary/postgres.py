"""The notary's transactions on PostgreSQL: row locks hold the guards still until the commit, for every replica.

READ COMMITTED: who waits for such a lock reads the moved version after it. Locks are taken in the order of the names.
"""

import contextlib
import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import errors

from anchoring.stores.sessions import CONNECT_SECONDS, BoundedSession
from gateway.adapters.notary.sqlite import CLAIM, LAST, NEWEST, PROBE
from gateway.adapters.notary.store import FencedError, RowRefusedError, RowTakenError, StoreBusyError, StoreError
from gateway.adapters.sql.postgres import SESSION_OPTIONS
from gateway.adapters.sql.statements import INSERT_ENTRY, STATEMENTS, TICKET, Parameters, Plan, for_postgres
from gateway.adapters.sql.urls import postgres_conninfo
from gateway.audit.rules import GENESIS

_SQL = tuple(for_postgres(statement.sql) for statement in STATEMENTS)
# Whole columns in one statement each, so that a group costs two statements however many it holds.
_INSERT_ENTRIES = (
    INSERT_ENTRY.partition(" values ")[0]
    + " select * from unnest(%b::bytea[], %b::bigint[]"
    + ", %b::bytea[]" * 7
    + ")"
)
_INSERT_TICKETS = (
    STATEMENTS[TICKET].sql.partition(" values ")[0] + " select * from unnest(%b::bytea[]" + ", %b::bytea[]" * 4 + ")"
)
# A name without a row cannot be locked: it gets one, of version 0, which says the same.
_ENSURE = "insert into epochs (name, version) select unnest(%s::bytea[]), 0 on conflict do nothing"
_SHARE = "select name, version from epochs where name = any(%s::bytea[]) order by name for share"
_MOVE = "select name, version from epochs where name = any(%s::bytea[]) order by name for no key update"
_KNOWN = 100_000
"""Names remembered to have a row."""


class PostgresStore:
    """One session, with an advisory lock on the instance for as long as it lives; a lost session is made anew."""

    def __init__(self, url: str) -> None:
        self._conninfo = postgres_conninfo(url)
        self._connection: psycopg.Connection[Any] | None = None
        self._claimed: tuple[bytes, bytes] | None = None
        self._known: set[bytes] = set()

    def claim(self, instance: bytes, writer: bytes, *, now: int, patience: float) -> bytes:
        with self._refusals():
            self._connection = self._connect()
            self._lock_instance(self._connection, instance, patience)
            # Commit point: the end of the block. Before it this life never was; after it, it is the newest.
            with self._connection.transaction():
                found = self._connection.execute(for_postgres(NEWEST), (instance,)).fetchone()
                previous: bytes = found[0] if found else GENESIS
                self._connection.execute(for_postgres(CLAIM), (writer, instance, previous, now))
        self._claimed = (instance, writer)
        return previous

    def begin(self, names: Sequence[bytes], *, exclusive: bool) -> dict[bytes, int]:
        with self._refusals():
            session = self._session()
            self._ensure(session, names)
            with session.pipeline():
                session.execute("begin")
                locked = session.execute(_MOVE if exclusive else _SHARE, (list(names),)) if names else None
            versions: dict[bytes, int] = dict(locked.fetchall()) if locked else {}
        if len(versions) != len(names):
            self._known.clear()
            raise StoreBusyError("a guard's row is gone")
        return versions

    def rows(self, plan: Plan, *, fallible: bool) -> None:
        with self._refusals():
            session = self._session()
            if fallible:
                session.execute("savepoint rows")
            try:
                self._execute(session, plan)
            except (RowTakenError, RowRefusedError):
                if not fallible:
                    raise
                session.execute("rollback to savepoint rows")
                session.execute("release savepoint rows")
                raise
            if fallible:
                session.execute("release savepoint rows")

    def finish(self, entries: Sequence[Parameters], tickets: Sequence[Parameters]) -> None:
        with self._refusals():
            session = self._session()
            with session.pipeline():
                session.execute(_INSERT_ENTRIES, [list(column) for column in zip(*entries, strict=True)])
                session.execute(_INSERT_TICKETS, [list(column) for column in zip(*tickets, strict=True)])
                # Commit point: before it nothing of the group exists; after it (fsync of the WAL) all of it does.
                done = session.execute("commit")
            if done.statusmessage != "COMMIT":
                raise StoreError("the transaction was not committed")

    def rollback(self) -> None:
        session = self._connection
        if session is None:
            return
        if not session.closed:
            with contextlib.suppress(psycopg.Error):
                session.execute("rollback")
                return
        session.close()
        self._connection = None

    def last(self, writer: bytes) -> tuple[int, bytes] | None:
        with self._refusals():
            row: tuple[int, bytes] | None = self._session().execute(for_postgres(LAST), (writer,)).fetchone()
        return row

    def probe(self, writer: bytes) -> None:
        with self._refusals():
            self._session().execute(for_postgres(PROBE), (writer,))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _session(self) -> psycopg.Connection[Any]:
        """The session; a new one, if the last was lost, once it is sure that this life is still the newest."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if self._claimed is None:
            raise StoreError("no life was claimed")
        instance, writer = self._claimed
        session = self._connect()
        try:
            self._lock_instance(session, instance, 0)
            newest = session.execute(
                "select writer from writers where instance = %s order by id desc limit 1", (instance,)
            ).fetchone()
        except (psycopg.Error, StoreError):
            session.close()
            raise
        if newest != (writer,):
            session.close()
            raise FencedError("a newer notary of this gateway instance is running")
        self._connection = session
        return session

    def _connect(self) -> psycopg.Connection[Any]:
        return BoundedSession.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options=SESSION_OPTIONS,
            tcp_user_timeout=5000,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
        )

    @staticmethod
    def _lock_instance(session: psycopg.Connection[Any], instance: bytes, patience: float) -> None:
        digest = hashlib.sha256(b"consentry.notary\x00" + instance).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        deadline = time.monotonic() + patience
        while session.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone() != (True,):
            if time.monotonic() > deadline:
                raise StoreError("another notary of this gateway instance is running")
            time.sleep(0.05)

    def _ensure(self, session: psycopg.Connection[Any], names: Sequence[bytes]) -> None:
        new = [name for name in names if name not in self._known]
        if not new:
            return
        session.execute(_ENSURE, (new,))
        if len(self._known) > _KNOWN:
            self._known.clear()
        self._known.update(names)

    @staticmethod
    def _execute(session: psycopg.Connection[Any], plan: Plan) -> None:
        with session.cursor() as cursor:
            for number, rows in plan:
                statement = STATEMENTS[number]
                try:
                    cursor.executemany(_SQL[number], rows)
                except errors.UniqueViolation as error:
                    raise RowTakenError(statement.table) from error
                except (psycopg.IntegrityError, psycopg.DataError, psycopg.ProgrammingError) as error:
                    raise RowRefusedError(statement.table) from error
                if statement.exact and cursor.rowcount != len(rows):
                    raise RowTakenError(statement.table)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (errors.DeadlockDetected, errors.SerializationFailure) as error:
            raise StoreBusyError(type(error).__name__) from error
        except psycopg.Error as error:
            raise StoreError(type(error).__name__) from error
