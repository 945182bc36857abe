"""Filling an empty index from outside it, with a mark that keeps every gateway away until it is whole.

Not for a gateway at work: it writes through the ledger. Blocking; call it in a thread.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, create_engine, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from anchoring.stores.tables import metadata as anchoring_tables
from gateway.adapters.sql.tables import meta
from gateway.adapters.sql.tables import metadata as gateway_tables
from gateway.adapters.sql.urls import postgres_engine_url, sqlite_path
from gateway.errors import SettingsError, UpstreamError

MARK = "rebuilding"
"""In `meta` while an index is being rebuilt: what lies there is not whole."""
_TABLES: Mapping[str, Table] = {**gateway_tables.tables, **anchoring_tables.tables}
_COUNTED = {
    "records": "seq",
    "consents": "seq",
    "narrowings": "seq",
    "writers": "id",
    "entries": "id",
    "forms": "seq",
    "releases": "seq",
} | {
    "calls": "seq",
    "batches": "id",
    "tickets": "seq",
}
"""Tables that number their rows by themselves, and the column that does it."""


class Loader:
    """One migrated database. `begin`, any number of `insert`, `finish`; a crash in between leaves the mark."""

    def __init__(self, url: str) -> None:
        path = sqlite_path(url)
        options: dict[str, Any] = {} if path is None else {"timeout": 30}
        target = postgres_engine_url(url) if path is None else f"sqlite:///{path}"
        self._engine = create_engine(target, poolclass=NullPool, connect_args=options)

    def rows(self) -> dict[str, int]:
        """How many rows each table has, but for empty ones."""
        with self._transaction() as connection:
            counts = {
                name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
                for name, table in _TABLES.items()
            }
        return {name: count for name, count in counts.items() if count}

    def begin(self, *, replace: bool) -> bool:
        """Marks the index and empties what an unfinished rebuild left (True), or, with `replace`, whatever is there.
        SettingsError where something is there that nobody gave up."""
        found = self.rows()
        unfinished = self._marked()
        if found and not unfinished and not replace:
            named = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
            raise SettingsError(f"the index is not empty ({named}): move it away, or give it up with --replace")
        with self._transaction() as connection:
            # Commit point: before it the old rows stand; after it none do, and no gateway starts on what follows.
            for table in [*reversed(anchoring_tables.sorted_tables), *reversed(gateway_tables.sorted_tables)]:
                connection.execute(delete(table))
            connection.execute(insert(meta).values(key=MARK, value=b"\x01"))
        return unfinished

    def insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """In one transaction. UpstreamError for a key that is taken: the caller chose badly."""
        if rows:
            with self._transaction() as connection:
                connection.execute(insert(_TABLES[table]), [dict(row) for row in rows])

    def update(self, table: str, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        """The rows whose columns are `key`."""
        found = _TABLES[table]
        with self._transaction() as connection:
            where = [found.c[name] == value for name, value in key.items()]
            connection.execute(update(found).where(*where).values(**values))

    def renumber(self) -> None:
        """PostgreSQL's counters go on after the highest number that was inserted; SQLite's do by themselves."""
        with self._transaction() as connection:
            for name, column in _COUNTED.items() if connection.dialect.name == "postgresql" else ():
                highest = connection.execute(select(func.max(_TABLES[name].c[column]))).scalar()
                if highest is not None:
                    counter = func.setval(func.pg_get_serial_sequence(name, column), highest)
                    connection.execute(select(counter))

    def finish(self) -> None:
        """The index is whole: the mark goes."""
        with self._transaction() as connection:
            # Commit point: before it no gateway starts here and a rebuild begins anew; after it the index is whole.
            connection.execute(delete(meta).where(meta.c.key == MARK))

    def close(self) -> None:
        self._engine.dispose()

    def _marked(self) -> bool:
        with self._transaction() as connection:
            return connection.execute(select(meta.c.value).where(meta.c.key == MARK)).first() is not None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise UpstreamError(f"the database refuses ({type(error).__name__})") from error
