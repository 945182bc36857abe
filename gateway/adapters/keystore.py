"""The key store: wrapped domain keys in a SQLite file or a PostgreSQL schema of their own, never in an index dump.

True here: a key is written only under the epoch key that stands in the same transaction; a destroyed domain gets no key
again. Every write locks the one row of the epoch, so writers take turns. Keys are destroyed by deleting rows: SQLite
overwrites them (`secure_delete`) and its journal is emptied; PostgreSQL's tables are written anew (`vacuum full`), but
its write-ahead log keeps former pages until it is recycled. Waiting is off the event loop; a key once unwrapped stays
in memory, so this is not on the hot path.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, create_engine, delete, event, insert, select, text, tuple_, update
from sqlalchemy.exc import SQLAlchemyError

from anchoring.stores.sessions import CONNECT_SECONDS, LIVELY, BoundedSession
from gateway.adapters.keystore_forms import SCHEMA, bring_up, destroyed, epochs, keys
from gateway.adapters.sql.urls import postgres_conninfo, postgres_engine_url, sqlite_path
from gateway.errors import UpstreamError
from gateway.ports.keys import Destroyed, EpochKey, Moved, Turn, WrappedKey

WAITS_SECONDS = 5.0
"""How long a connection waits for its turn."""
SCRUB_SECONDS = 10.0
"""How long emptying SQLite's journal waits for readers of other processes."""
# Said once: making them takes longer than asking them.
_NEWEST = (
    select(keys)
    .where(keys.c.kind == bindparam("kind"), keys.c.name == bindparam("name"))
    .order_by(keys.c.version.desc())
    .limit(1)
)
_BY_ID = select(keys).where(keys.c.key_id == bindparam("key_id"))
T = TypeVar("T")


class SqlKeyStore:
    """Implements `gateway.ports.keys.KeyStore`. `open` makes the tables where they are not, and migrates them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> "SqlKeyStore":
        """`sqlite:////folder/keys.db`, or `postgresql+psycopg://…` (schema `consentry_keys`)."""
        store = cls(_engine(url))
        await store._write(bring_up)
        return store

    async def epoch(self) -> EpochKey | None:
        return await self._read(_standing)

    async def add_epoch(self, epoch: bytes, wrapped: bytes) -> EpochKey:
        def add(connection: Connection) -> EpochKey:
            standing = _standing(connection, lock=True)
            if standing is None:
                connection.execute(insert(epochs).values(present=1, epoch=epoch, wrapped=wrapped, revision=0))
                standing = EpochKey(epoch=epoch, wrapped=wrapped, revision=0)
            return standing

        return await self._write(add, exclusive=True)

    async def fill(self, epoch: EpochKey, restored: Sequence[WrappedKey], gone: Sequence[tuple[int, bytes]]) -> bool:
        """A whole store from a backup, in one transaction; False, and nothing is written, where there is an epoch
        key."""

        def put(connection: Connection) -> bool:
            if _standing(connection, lock=True) is not None:
                return False
            values = {"present": 1, "epoch": epoch.epoch, "wrapped": epoch.wrapped, "revision": epoch.revision}
            connection.execute(insert(epochs).values(**values))
            for key in restored:
                connection.execute(insert(keys).values(**{name: getattr(key, name) for name in WrappedKey.__slots__}))
            for kind, name in gone:
                connection.execute(insert(destroyed).values(kind=kind, name=name))
            return True

        return await self._write(put, exclusive=True)

    async def rewrap_epoch(self, standing: EpochKey, wrapped: bytes) -> bool:
        def rewrap(connection: Connection) -> bool:
            if _standing(connection, lock=True) != standing:
                return False
            connection.execute(update(epochs).values(wrapped=wrapped, revision=standing.revision + 1))
            return True

        done = await self._write(rewrap)
        await self._run(self._scrub)
        return done

    async def turn(self, turn: Turn) -> bool:
        def carry_out(connection: Connection) -> bool:
            standing = _standing(connection, lock=True)
            if standing is None or standing.epoch != turn.before:
                return False
            dropped = set(turn.dropped)
            named = [(bytes(row.key_id), row.kind, bytes(row.name)) for row in connection.execute(select(keys))]
            if {key_id for key_id, kind, name in named if (kind, name) not in dropped} != set(turn.rewrapped):
                return False  # another process added one meanwhile
            for kind, name in dropped:
                connection.execute(delete(keys).where(keys.c.kind == kind, keys.c.name == name))
                if not _is_destroyed(connection, kind, name):
                    connection.execute(insert(destroyed).values(kind=kind, name=name))
            for key_id, wrapped in turn.rewrapped.items():
                connection.execute(
                    update(keys).where(keys.c.key_id == key_id).values(epoch=turn.epoch, wrapped=wrapped)
                )
            # Commit point, with the transaction's: before it the old epoch key stands with all its keys; after it the
            # new one, and nothing that stands was wrapped by the old.
            connection.execute(
                update(epochs).values(epoch=turn.epoch, wrapped=turn.wrapped, revision=standing.revision + 1)
            )
            return True

        done = await self._write(carry_out)
        await self._run(self._scrub)
        return done

    async def newest(self, kind: int, name: bytes) -> WrappedKey | None:
        return await self._read(lambda connection: _one(connection, _NEWEST, kind=kind, name=name))

    async def newest_of(self, domains: Sequence[tuple[int, bytes]]) -> Sequence[WrappedKey]:
        query = select(keys).where(tuple_(keys.c.kind, keys.c.name).in_(domains)).order_by(keys.c.version)

        def look(connection: Connection) -> Sequence[WrappedKey]:
            found = {(key.kind, key.name): key for key in map(_key, connection.execute(query))}
            return tuple(found.values())

        return await self._read(look)

    async def version(self, kind: int, name: bytes, version: int) -> WrappedKey | None:
        query = select(keys).where(keys.c.kind == kind, keys.c.name == name, keys.c.version == version)
        return await self._read(lambda connection: _one(connection, query))

    async def by_id(self, key_id: bytes) -> WrappedKey | None:
        return await self._read(lambda connection: _one(connection, _BY_ID, key_id=key_id))

    async def add(self, key: WrappedKey) -> WrappedKey | Moved | Destroyed:
        def store(connection: Connection) -> WrappedKey | Moved | Destroyed:
            standing = _standing(connection, lock=True)
            if _is_destroyed(connection, key.kind, key.name):
                return Destroyed()
            found = _one(
                connection,
                select(keys).where(keys.c.kind == key.kind, keys.c.name == key.name, keys.c.version == key.version),
            )
            if found is not None:
                return found
            if standing is None or standing.epoch != key.epoch:
                return Moved()
            values = {name: getattr(key, name) for name in WrappedKey.__slots__}
            connection.execute(insert(keys).values(**values))
            if key.version > 1:
                connection.execute(update(epochs).values(revision=standing.revision + 1))
            return key

        return await self._write(store)

    async def all(self) -> Sequence[WrappedKey]:
        return await self._read(lambda connection: [_key(row) for row in connection.execute(select(keys))])

    async def domains(self, kind: int) -> Sequence[bytes]:
        query = select(keys.c.name).where(keys.c.kind == kind).distinct()
        return await self._read(lambda connection: [bytes(name) for name in connection.execute(query).scalars()])

    async def within(self, kind: int, start: bytes) -> Sequence[bytes]:
        # No name is as long as the last of these, so none that begins so lies behind it.
        lies_within = keys.c.name.between(start, start + b"\xff" * 64)
        query = select(keys.c.name).where(keys.c.kind == kind, lies_within).distinct().order_by(keys.c.name)
        return await self._read(lambda connection: [bytes(name) for name in connection.execute(query).scalars()])

    async def destroyed(self) -> Sequence[tuple[int, bytes]]:
        query = select(destroyed)
        return await self._read(lambda connection: [(row.kind, bytes(row.name)) for row in connection.execute(query)])

    async def check(self) -> None:
        await self.epoch()

    async def close(self) -> None:
        await asyncio.to_thread(self._engine.dispose)

    def _scrub(self) -> None:
        """No page of the tables or of SQLite's journal holds what was overwritten. UpstreamError: it may; try again."""
        if self._engine.dialect.name == "postgresql":
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for table in (epochs, keys):
                    connection.execute(text(f"vacuum full {SCHEMA}.{table.name}"))
            return
        deadline = time.monotonic() + SCRUB_SECONDS
        with contextlib.closing(self._engine.raw_connection()) as raw:
            while raw.cursor().execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise UpstreamError("the key store is being read all the time: its journal is not emptied yet")
                time.sleep(0.05)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        def read() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await self._run(read)

    async def _write(self, work: Callable[[Connection], T], *, exclusive: bool = False) -> T:
        def write() -> T:
            with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
                if exclusive and connection.dialect.name == "postgresql":
                    # There is no row to lock yet.
                    connection.execute(text(f"lock table {SCHEMA}.{epochs.name} in exclusive mode"))
                return work(connection)

        return await self._run(write)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except SQLAlchemyError as error:
            raise UpstreamError("the key store does not answer") from error


def _standing(connection: Connection, *, lock: bool = False) -> EpochKey | None:
    """SQLite has no row locks and ignores it: there the whole transaction is exclusive from its begin."""
    query = select(epochs)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return None if row is None else EpochKey(epoch=bytes(row.epoch), wrapped=bytes(row.wrapped), revision=row.revision)


def _is_destroyed(connection: Connection, kind: int, name: bytes) -> bool:
    query = select(destroyed.c.kind).where(destroyed.c.kind == kind, destroyed.c.name == name)
    return connection.execute(query).first() is not None


def _one(connection: Connection, query: Any, **values: Any) -> WrappedKey | None:
    row = connection.execute(query, values).first()
    return None if row is None else _key(row)


def _key(row: Any) -> WrappedKey:
    return WrappedKey(
        key_id=bytes(row.key_id),
        kind=row.kind,
        name=bytes(row.name),
        version=row.version,
        epoch=bytes(row.epoch),
        wrapped=bytes(row.wrapped),
    )


def _engine(url: str) -> Engine:
    path = sqlite_path(url)
    if path is not None:
        _make_private(path)
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": WAITS_SECONDS})
        event.listen(engine, "connect", _harden)
        event.listen(engine, "begin", _begin)
        return engine
    engine = create_engine(
        postgres_engine_url(url),
        pool_size=4,
        pool_pre_ping=True,
        creator=lambda: BoundedSession.connect(
            postgres_conninfo(url), connect_timeout=CONNECT_SECONDS, options=f"-c statement_timeout=5000 {LIVELY}"
        ),
    )
    return engine.execution_options(schema_translate_map={None: SCHEMA})


def _make_private(path: str) -> None:
    """The file, and with it SQLite's journals, which take its mode, are its owner's alone."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UpstreamError("the key store cannot be opened") from error


def _harden(connection: Any, _: Any) -> None:
    # The driver's own transactions would begin too late, and not at all before DDL: it is told to start none.
    connection.isolation_level = None
    _take_journal(connection)
    for pragma in ("synchronous=full", "secure_delete=on"):
        connection.execute(f"pragma {pragma}")


def _take_journal(connection: Any) -> None:
    """Of those that make a new file's journal at once SQLite refuses all but one, whatever their timeout."""
    until = time.monotonic() + WAITS_SECONDS
    while True:
        try:
            connection.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    """A writer takes its turn before it reads; a reader waits for nobody."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")
