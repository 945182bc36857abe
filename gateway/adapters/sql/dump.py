"""The whole index as one stream of rows, and back: the same stream from SQLite and PostgreSQL, and into either.

One snapshot of the newest commit, taken beside whoever writes. Sessions, challenges and unfinished uploads stay out:
they are worth nothing on another day; so do linked identities, or one that was ended since would come back. Frames: 4
octets of length, then msgpack; first the schema's revision, then (table, columns), then lists of rows, ended by an
empty one. Nothing here is a key: the key store is another database.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import msgspec
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, create_engine, event, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from anchoring.stores.tables import metadata as anchoring_tables
from gateway.adapters.sql.tables import challenges, identities, sessions, spent_tokens, upload_parts, uploads
from gateway.adapters.sql.tables import metadata as gateway_tables
from gateway.adapters.sql.urls import postgres_engine_url, sqlite_path
from gateway.errors import IntegrityError, SettingsError, UpstreamError

LEFT_OUT = frozenset(
    {challenges.name, sessions.name, spent_tokens.name, identities.name, uploads.name, upload_parts.name}
)
_ROWS = 500
_FRAME_MOST = 64 << 20
_pack, _unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode


def dump(url: str, stream: BinaryIO) -> int:
    """Writes every row; gives their number. Blocks. UpstreamError."""
    count = 0
    with _connected(url, writes=False) as connection:
        _write(stream, MigrationContext.configure(connection).get_current_revision())
        for table in _tables():
            _write(stream, [str(table.name), [str(column.name) for column in table.columns]])
            rows: list[list[Any]] = []
            # In their order of arrival: a reference is there before what refers to it.
            for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
                rows.append([bytes(value) if isinstance(value, memoryview) else value for value in row])
                count += 1
                if len(rows) == _ROWS:
                    _write(stream, rows)
                    rows = []
            _write(stream, rows)
            if rows:
                _write(stream, [])
    return count


def load(url: str, stream: BinaryIO) -> int:
    """All rows into a migrated, empty index, in one transaction; gives their number. SettingsError where it is not
    empty or of another revision, IntegrityError for a stream that is not ours: then nothing was written."""
    count = 0
    frames = _frames(stream)
    with _connected(url, writes=True) as connection:
        revision = next(frames, None)
        if revision != MigrationContext.configure(connection).get_current_revision():
            raise SettingsError("the backup is of another version of this program: restore it with that one")
        tables = {table.name: table for table in _tables()}
        if any(connection.execute(select(table).limit(1)).first() is not None for table in tables.values()):
            raise SettingsError("the index is not empty: restore into a new one")
        for named in frames:
            table = tables.pop(named[0], None) if isinstance(named, list) and len(named) == 2 else None
            if table is None or [str(column.name) for column in table.columns] != named[1]:
                raise IntegrityError("the backup's index names a table that this program does not have")
            while rows := next(frames, None):
                connection.execute(insert(table), [dict(zip(named[1], row, strict=True)) for row in rows])
                count += len(rows)
            _count_on(connection, table)
        if tables:
            raise IntegrityError("the backup's index is cut short")
        # Commit point, with the transaction's: before it the index is empty, after it whole.
    return count


def _tables() -> list[Table]:
    named = [*anchoring_tables.sorted_tables, *gateway_tables.sorted_tables]
    return [table for table in named if table.name not in LEFT_OUT]


def _count_on(connection: Connection, table: Table) -> None:
    """PostgreSQL counts on from where it stood, not from the rows that were put in."""
    column = table.autoincrement_column
    if column is None or connection.dialect.name != "postgresql":
        return
    sequence = connection.execute(
        text("select pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
    ).scalar()
    highest = connection.execute(select(func.max(column))).scalar()
    if sequence is not None and highest is not None:
        connection.execute(text("select setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})


@contextmanager
def _connected(url: str, *, writes: bool) -> Iterator[Connection]:
    """One transaction; a reader's is one snapshot."""
    path = sqlite_path(url)
    if path is None:
        engine = create_engine(
            postgres_engine_url(url),
            poolclass=NullPool,
            connect_args={"connect_timeout": 3},
            isolation_level="SERIALIZABLE" if writes else "REPEATABLE READ",
        )
    else:
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": 30})
        event.listen(engine, "connect", _own_transactions)
        event.listen(engine, "begin", _immediate if writes else _snapshot)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise UpstreamError(f"the database refuses ({type(error).__name__})") from error
    finally:
        engine.dispose()


def _own_transactions(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("pragma synchronous = full")


def _immediate(connection: Connection) -> None:
    connection.exec_driver_sql("begin immediate")


def _snapshot(connection: Connection) -> None:
    connection.exec_driver_sql("begin")


def _write(stream: BinaryIO, value: object) -> None:
    packed = _pack(value)
    stream.write(len(packed).to_bytes(4, "big") + packed)


def _frames(stream: BinaryIO) -> Iterator[Any]:
    while head := stream.read(4):
        size = int.from_bytes(head, "big")
        packed = stream.read(size) if len(head) == 4 and size <= _FRAME_MOST else b""
        try:
            yield _unpack(packed)
        except msgspec.DecodeError as error:
            raise IntegrityError("the backup's index is damaged") from error
