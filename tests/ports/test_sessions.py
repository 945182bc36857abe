"""A PostgreSQL server that falls mute in mid-statement costs its session and a bounded wait, and nothing more."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text

from anchoring.stores import sessions
from anchoring.stores.database import Database
from anchoring.stores.sessions import BoundedAsyncSession, BoundedSession
from gateway.adapters.sql.postgres import PostgresSource
from gateway.errors import UpstreamError
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.services


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SILENCE_SECONDS", 0.5)


@contextmanager
def mute(backend: int) -> Iterator[None]:
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


def test_a_silence_ends_a_session(postgres: Postgres) -> None:
    session = BoundedSession.connect(postgres.dsn(), autocommit=True)
    with mute(session.info.backend_pid), pytest.raises(psycopg.OperationalError, match="silent"):
        session.execute("select 1")
    assert session.closed


def test_a_long_statement_of_a_server_that_goes_on_sending_is_no_silence(postgres: Postgres) -> None:
    with BoundedSession.connect(postgres.dsn(), autocommit=True) as session:
        slow = "select pg_sleep(0.01), repeat('x', 9000) from generate_series(1, 100)"
        assert len(session.execute(slow).fetchall()) == 100


async def test_who_is_cancelled_waits_for_no_servers_leave(postgres: Postgres) -> None:
    session = await BoundedAsyncSession.connect(postgres.dsn(), autocommit=True)
    began = time.monotonic()
    with mute(session.info.backend_pid):
        asking = asyncio.create_task(session.execute("select 1"))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert time.monotonic() - began < 0.45
    assert session.closed


async def test_the_index_asks_anew_once_a_session_is_lost(postgres: Postgres) -> None:
    source = PostgresSource(postgres.url, pool_size=1)
    ((backend,),) = await source.fetch("select pg_backend_pid()", ())
    with mute(backend):
        # The one session is lost to silence, and what is asked again is asked of another.
        assert await source.fetch("select 1", ()) == [(1,)]
    await source.close()


async def test_a_write_to_a_mute_database_is_in_doubt_and_not_repeated(postgres: Postgres) -> None:
    source = PostgresSource(postgres.url, pool_size=1)
    ((backend,),) = await source.fetch("select pg_backend_pid()", ())
    with mute(backend), pytest.raises(UpstreamError):
        await source.execute("select 1", ())
    assert await source.fetch("select 1", ()) == [(1,)]
    await source.close()


async def test_anchoring_takes_another_session_when_one_is_mute(postgres: Postgres) -> None:
    database = Database(postgres.url)
    backend = await database.read(lambda connection: connection.execute(text("select pg_backend_pid()")).scalar())
    assert isinstance(backend, int)
    with mute(backend):
        assert await database.read(lambda connection: connection.execute(text("select 1")).scalar()) == 1
    database.close()
