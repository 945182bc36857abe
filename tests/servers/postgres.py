"""A PostgreSQL cluster on loopback with trust authentication and everything else as durable as by default.

PostgreSQL does not run as root: under root it runs as the `postgres` user, who owns the data folder.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import psycopg.sql

from tests.servers.process import ServerProcess, free_port
from tests.servers.programs import program

_ROLE = "consentry"
_SERVICE_USER = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running cluster: `url` is a database of its own in SQLAlchemy's form, empty at start."""

    url: str
    port: int
    data_dir: Path
    process: ServerProcess
    _names: Iterator[int] = field(default_factory=itertools.count)

    def fresh_database(self) -> str:
        """Make an empty database and return its URL: `postgresql+psycopg://consentry@127.0.0.1:PORT/NAME`."""
        name = f"{_ROLE}_{next(self._names)}"
        _create_database(self.port, name)
        return _url(self.port, name)

    def dsn(self, url: str | None = None) -> str:
        """`url` (or the first database) in libpq's own form, without SQLAlchemy's driver name."""
        return (url or self.url).replace("postgresql+psycopg://", "postgresql://", 1)


def _url(port: int, name: str) -> str:
    return f"postgresql+psycopg://{_ROLE}@127.0.0.1:{port}/{name}"


def _connects(port: int) -> bool:
    try:
        psycopg.connect(host="127.0.0.1", port=port, user=_ROLE, dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _create_database(port: int, name: str) -> None:
    """Make the database unless it is there (a restart on the same folder finds the first one)."""
    with psycopg.connect(host="127.0.0.1", port=port, user=_ROLE, dbname="postgres", autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))


def _init(data_dir: Path, *, user: str | None) -> None:
    """Make the cluster unless it is there."""
    if (data_dir / "PG_VERSION").exists():
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    if user is not None:
        shutil.chown(data_dir, user, user)
    command: list[str | Path] = [program("initdb"), "--pgdata", data_dir, "--username", _ROLE]
    command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    groups: list[str] | None = None if user is None else []
    subprocess.run(command, check=True, capture_output=True, cwd=data_dir, user=user, group=user, extra_groups=groups)


@contextmanager
def running_postgres(data_dir: Path | None = None) -> Iterator[Postgres]:
    """Run a cluster on `data_dir` (made when empty, used again when not), or on a folder that goes away.

    Under root every folder above `data_dir` must be passable for the `postgres` user. Raises `MissingProgram`
    or `ServerFailed`.
    """
    postgres = program("postgres")
    user = _SERVICE_USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="consentry-postgres-") as scratch:
        Path(scratch).chmod(0o755)
        folder = data_dir or Path(scratch) / "data"
        _init(folder, user=user)
        port = free_port()
        listening = ("-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
        process = ServerProcess(
            (postgres, "-D", folder, *listening),
            log=Path(scratch) / "postgres.log",
            answers=lambda: _connects(port),
            user=user,
            stop_signal=signal.SIGINT,  # PostgreSQL's "fast" shutdown; SIGTERM would wait for clients to leave
        )
        try:
            process.start()
            _create_database(port, _ROLE)
            yield Postgres(url=_url(port, _ROLE), port=port, data_dir=folder, process=process)
        finally:
            process.stop()
