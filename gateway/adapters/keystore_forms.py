"""The key store's tables, and the steps that bring a store of any earlier form to this one: all in one transaction.

A step that has shipped is never edited; the next change is the next step. `key_store_form` holds the number of the last
one; a store without that table and with keys is of form 1. Nothing here connects.
"""

from collections.abc import Callable

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateSchema, CreateTable

from gateway.errors import UpstreamError

SCHEMA = "consentry_keys"
metadata = MetaData()
form = Table(
    "key_store_form",
    metadata,
    Column("present", Integer, CheckConstraint("present = 1"), primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
)
epochs = Table(
    "epoch_keys",
    metadata,
    # One row and no other: two processes that start at once agree on one epoch key, or a key is lost to one of them.
    Column("present", Integer, CheckConstraint("present = 1"), primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
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
destroyed = Table(
    "destroyed_domains",
    metadata,
    Column("kind", Integer, primary_key=True, autoincrement=False),
    Column("name", LargeBinary, primary_key=True),
)
"""Domains that never get keys again. Their names are random and stand on chain as erased."""


def bring_up(connection: Connection) -> None:
    """Makes or migrates the tables; the caller holds the transaction. UpstreamError for a form of a newer program."""
    where = _schema(connection)
    if where is not None:
        # "If not exists" does not keep two starts at once from colliding; the lock does.
        connection.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": where})
        connection.execute(CreateSchema(where, if_not_exists=True))
    connection.execute(CreateTable(form, if_not_exists=True))
    number = connection.execute(select(form.c.number)).scalar()
    if number is None:
        number = 1 if inspect(connection).has_table(epochs.name, schema=where) else 0
        connection.execute(insert(form).values(present=1, number=number))
    if number > len(STEPS):
        raise UpstreamError("the key store was migrated by a newer program than this one")
    for step in STEPS[number:]:
        step(connection)
    if number < len(STEPS):
        # Commit point, with the caller's commit: before it the store is of the old form, after it of the new one.
        connection.execute(update(form).values(number=len(STEPS)))


def _first(connection: Connection) -> None:
    blob = "bytea" if _schema(connection) else "blob"
    at = _prefix(connection)
    connection.execute(
        text(
            f"create table {at}epoch_keys (present integer primary key check (present = 1),"
            f" epoch {blob} not null, wrapped {blob} not null)"
        )
    )
    connection.execute(
        text(
            f"create table {at}domain_keys (key_id {blob} primary key, kind integer not null, name {blob} not null,"
            f" version integer not null, epoch {blob} not null, wrapped {blob} not null, unique (kind, name, version))"
        )
    )


def _second(connection: Connection) -> None:
    """Revisions, and domains that were destroyed."""
    connection.execute(
        text(f"alter table {_prefix(connection)}epoch_keys add column revision integer not null default 0")
    )
    connection.execute(CreateTable(destroyed))


STEPS: tuple[Callable[[Connection], None], ...] = (_first, _second)


def _schema(connection: Connection) -> str | None:
    return SCHEMA if connection.dialect.name == "postgresql" else None


def _prefix(connection: Connection) -> str:
    return f"{SCHEMA}." if _schema(connection) else ""
