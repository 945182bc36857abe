"""A migrated database of its own for each test, of either kind."""

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import psycopg.sql
import pytest

from anchoring.stores.tables import metadata as anchoring_tables
from gateway.adapters.sql.migrations import migrate
from gateway.adapters.sql.tables import metadata as gateway_tables
from gateway.adapters.sql.urls import postgres_conninfo, sqlite_path

_emptied: dict[str, str] = {}
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.services)]


def empty_url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of an empty database of the kind that `request.param` names."""
    if request.param == "sqlite":
        return f"sqlite:///{folder}/index.db"
    url: str = request.getfixturevalue("postgres").fresh_database()
    return url


def migrated_url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a database with the newest schema and no row. On PostgreSQL, where making one takes a second of
    fsync, it is one for the session, emptied each time."""
    if request.param == "sqlite":
        url = empty_url(request, folder)
        migrate(url)
        return url
    server: str = request.getfixturevalue("postgres").url
    if server not in _emptied:
        _emptied[server] = empty_url(request, folder)
        migrate(_emptied[server])
    tables = [*gateway_tables.sorted_tables, *anchoring_tables.sorted_tables]
    with psycopg.connect(postgres_conninfo(_emptied[server])) as session:
        for table in reversed(tables):
            session.execute(psycopg.sql.SQL("delete from {}").format(psycopg.sql.Identifier(table.name)))
    return _emptied[server]


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a statement, over a connection of its own."""
    path = sqlite_path(url)
    if path is not None:
        connection = sqlite3.connect(path)
        try:
            rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows
    with psycopg.connect(postgres_conninfo(url)) as session:
        cursor = session.execute(sql)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []
