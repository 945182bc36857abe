"""Brings a database to the newest schema: all missing steps in one transaction, so a kill leaves the old or the new.

Replicas may start together: SQLite's write lock or a PostgreSQL advisory lock lets one migrate, the rest find it done.
"""

import sqlite3
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from gateway.adapters.sql.urls import postgres_engine_url, sqlite_path
from gateway.errors import UpstreamError

_LOCK = 0x636F6E73656E7472  # "consentr": the advisory lock that only migrations take
_WAIT = 60
"""Seconds that one replica waits for another's migration."""


def migrate(url: str) -> None:
    """Blocks until the database has the newest schema. `url`: `sqlite:///path` or `postgresql+psycopg://…`.

    Raises UpstreamError when the database cannot be reached, refuses, or is newer than this program.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
            _upgrade(connection)
        # Commit point: before it the schema is wholly the old one, after it wholly the new one.
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise UpstreamError(f"the database could not be migrated ({type(error).__name__})") from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    _refuse_unknown(connection, scripts)

    def steps(revision: Any, context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", revision)

    with EnvironmentContext(config, scripts, fn=steps, destination_rev="head") as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()


def _refuse_unknown(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present <= known:
        raise UpstreamError("the database was migrated by a newer program than this one")


def _engine(url: str) -> Engine:
    path = sqlite_path(url)
    if path is None:
        options = f"-c lock_timeout={_WAIT}s -c statement_timeout={_WAIT}s"
        return create_engine(
            postgres_engine_url(url), poolclass=NullPool, connect_args={"connect_timeout": 3, "options": options}
        )
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": _WAIT})
    event.listen(engine, "connect", _own_transactions)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _own_transactions(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions would commit before each DDL statement: it is told to start none.
    connection.isolation_level = None
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("begin immediate")
