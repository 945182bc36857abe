"""Migrations leave the old schema or the new one, whoever starts, however often, and wherever they are killed."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from anchoring.stores.tables import metadata as anchoring_tables
from gateway.adapters.sql import migrations
from gateway.adapters.sql.migrations import migrate
from gateway.adapters.sql.tables import metadata as gateway_tables
from gateway.errors import UpstreamError
from tests.ports.databases import DATABASES, empty_url, query

TABLES = {*gateway_tables.tables, *anchoring_tables.tables, "alembic_version"}
PROGRAM = (
    "import sys\n"
    "from gateway.adapters.sql.migrations import migrate\n"
    "print('ready', flush=True)\n"
    "sys.stdin.readline()\n"
    "migrate(sys.argv[1])\n"
    "print('done', flush=True)\n"
)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_url(request, tmp_path)


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"sqlite_sequence"}
    finally:
        engine.dispose()


def started(url: str) -> "subprocess.Popen[str]":
    """A process that has loaded everything and waits for a line to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def release(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_the_migrated_schema_is_the_declared_one(url: str) -> None:
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, [gateway_tables, anchoring_tables])
    engine.dispose()
    assert differences == []
    assert tables(url) == TABLES


def migrate_to(url: str, revision: str) -> None:
    """As a program did whose newest schema that was."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)

    def steps(found: Any, context: MigrationContext) -> Any:
        return scripts._upgrade_revs(revision, found)

    engine = create_engine(url)
    with (
        engine.begin() as connection,
        EnvironmentContext(config, scripts, fn=steps, destination_rev=revision) as environment,
    ):
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
    engine.dispose()


def test_a_database_of_before_studies_keeps_what_is_in_it(url: str) -> None:
    migrate_to(url, "0011")
    assert "study_entries" not in tables(url)
    octets = "x'6f6e65'" if url.startswith("sqlite") else "'\\x6f6e65'"
    query(url, f"insert into release_papers (release, number, kind, digest) values ({octets}, 0, 0, {octets})")
    migrate(url)
    assert tables(url) == TABLES
    assert query(url, "select release, digest from release_papers") == [(b"one", b"one")]
    assert query(url, "select count(*) from study_entries") == [(0,)]


def test_a_second_migration_changes_nothing(url: str) -> None:
    migrate(url)
    query(url, "insert into meta (key, value) values ('chain_id', '1') returning key")
    migrate(url)
    assert query(url, "select key from meta") == [("chain_id",)]


def test_replicas_that_start_together_both_find_the_schema(url: str) -> None:
    processes = [started(url) for _ in range(3)]
    for process in processes:
        release(process)
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert outputs == ["done\n"] * 3
    assert tables(url) == TABLES


def test_a_kill_leaves_nothing_or_everything(request: pytest.FixtureRequest, tmp_path: Path, url: str) -> None:
    kind: str = request.node.callspec.params["url"]
    request.param = kind
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        target = empty_url(request, folder)
        with started(target) as process:
            release(process)
            time.sleep(random.random() * (0.06 if kind == "sqlite" else 0.3))
            process.kill()
        found = tables(target)
        assert found in (set(), TABLES)
        migrate(target)
        assert tables(target) == TABLES


def test_a_migration_that_fails_in_the_middle_leaves_the_old_schema(url: str) -> None:
    query(url, "create table tickets (mine integer)")  # the last of the second migration's tables
    with pytest.raises(UpstreamError):
        migrate(url)
    assert tables(url) == {"tickets"}


def test_a_database_of_a_newer_program_is_left_alone(url: str) -> None:
    migrate(url)
    query(url, "update alembic_version set version_num = '9999' returning version_num")
    with pytest.raises(UpstreamError, match="newer"):
        migrate(url)


def test_a_database_that_is_down_is_said_so() -> None:
    with pytest.raises(UpstreamError):
        migrate("postgresql+psycopg://consentry@127.0.0.1:9/none")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlite_commits_reach_the_disk(url: str) -> None:
    migrate(url)
    assert query(url, "pragma journal_mode") == [("wal",)]
    assert query(url, "pragma integrity_check") == [("ok",)]
