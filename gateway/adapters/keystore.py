"""The key store: wrapped domain keys in a SQLite file or a PostgreSQL schema of their own, never in an index dump.

Keys are destroyed by deleting rows here; `secure_delete` overwrites them in SQLite's file. Waiting is off the event
loop; a key once unwrapped stays in memory, so this is not on the hot path.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    CheckConstraint,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError as DuplicateError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateSchema, CreateTable

from gateway.adapters.sql.urls import postgres_engine_url, sqlite_path
from gateway.errors import UpstreamError
from gateway.ports.keys import WrappedKey

SCHEMA = "consentry_keys"
metadata = MetaData()
epochs = Table(
    "epoch_keys",
    metadata,
    # One row and no other: two processes that start at once agree on one epoch key, or a key is lost to one of them.
    Column("present", Integer, CheckConstraint("present = 1"), primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)
keys = Table(
    "domain_keys",
    metadata,
    Column("key_id", LargeBinary, primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("name", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),
    Column("epoch", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    UniqueConstraint("kind", "name", "version"),
)
T = TypeVar("T")


class SqlKeyStore:
    """Implements `gateway.ports.keys.KeyStore`. `open` makes the tables where they are not."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> "SqlKeyStore":
        """`sqlite:////folder/keys.db`, or `postgresql+psycopg://…` (schema `consentry_keys`)."""
        store = cls(_engine(url))
        await store._run(store._prepare)
        return store

    async def epoch(self) -> tuple[bytes, bytes] | None:
        return await self._run(self._epoch)

    async def add_epoch(self, epoch: bytes, wrapped: bytes) -> tuple[bytes, bytes]:
        def add() -> tuple[bytes, bytes]:
            with contextlib.suppress(DuplicateError), self._engine.begin() as connection:
                connection.execute(insert(epochs).values(present=1, epoch=epoch, wrapped=wrapped))
            standing = self._epoch()
            if standing is None:
                raise UpstreamError("the key store did not keep the epoch key")
            return standing

        return await self._run(add)

    async def newest(self, kind: int, name: bytes) -> WrappedKey | None:
        query = select(keys).where(keys.c.kind == kind, keys.c.name == name).order_by(keys.c.version.desc()).limit(1)
        return await self._run(lambda: self._one(query))

    async def by_id(self, key_id: bytes) -> WrappedKey | None:
        query = select(keys).where(keys.c.key_id == key_id)
        return await self._run(lambda: self._one(query))

    async def add(self, key: WrappedKey) -> WrappedKey:
        def store() -> WrappedKey:
            values = {name: getattr(key, name) for name in WrappedKey.__slots__}
            try:
                with self._engine.begin() as connection:
                    connection.execute(insert(keys).values(**values))
            except DuplicateError:
                query = select(keys).where(
                    keys.c.kind == key.kind, keys.c.name == key.name, keys.c.version == key.version
                )
                standing = self._one(query)
                if standing is None:
                    raise
                return standing
            return key

        return await self._run(store)

    async def domains(self, kind: int) -> Sequence[bytes]:
        def names() -> Sequence[bytes]:
            with self._engine.connect() as connection:
                query = select(keys.c.name).where(keys.c.kind == kind).distinct()
                return [bytes(name) for name in connection.execute(query).scalars()]

        return await self._run(names)

    async def check(self) -> None:
        await self._run(self._epoch)

    async def close(self) -> None:
        await asyncio.to_thread(self._engine.dispose)

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # "If not exists" does not keep two starts at once from colliding; the lock does.
                connection.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": SCHEMA})
                connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
            for table in metadata.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))

    def _epoch(self) -> tuple[bytes, bytes] | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(epochs)).first()
        return None if row is None else (bytes(row.epoch), bytes(row.wrapped))

    def _one(self, query: Any) -> WrappedKey | None:
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return WrappedKey(
            key_id=bytes(row.key_id),
            kind=row.kind,
            name=bytes(row.name),
            version=row.version,
            epoch=bytes(row.epoch),
            wrapped=bytes(row.wrapped),
        )

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except SQLAlchemyError as error:
            raise UpstreamError("the key store does not answer") from error


def _engine(url: str) -> Engine:
    path = sqlite_path(url)
    if path is not None:
        _make_private(path)
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 5.0})
        event.listen(engine, "connect", _harden)
        return engine
    engine = create_engine(
        postgres_engine_url(url), pool_size=4, pool_pre_ping=True, connect_args={"connect_timeout": 3}
    )
    return engine.execution_options(schema_translate_map={None: SCHEMA})


def _make_private(path: str) -> None:
    """The file, and with it SQLite's journals, which take its mode, are its owner's alone."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UpstreamError("the key store cannot be opened") from error


def _harden(connection: Any, _: Any) -> None:
    for pragma in ("journal_mode=wal", "synchronous=full", "secure_delete=on"):
        connection.execute(f"pragma {pragma}")
