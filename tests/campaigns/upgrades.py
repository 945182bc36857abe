"""B22: kill -9 inside each step that brings something to a newer form or makes it anew, at every act of that step.

What is left by a kill is the old form or the new one, and opens; the start after it ends in the new form, with every
row and key of before. Index (from each schema that ever was), key store (from each form), notary, embedded chain,
secrets, deployment. `rounds`: so many acts of each step are killed at, drawn from the seed; the release form takes
every one.
"""

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from anchoring.chain.embedded.process import EmbeddedChainProcess
from gateway.adapters.keystore_forms import STEPS
from gateway.adapters.sql import migrations
from gateway.settings import Settings
from gateway.wiring.secrets import address_of, secrets_of
from tests.campaigns.model import Asked, Figure, Report, digest_of, none_of, told
from tests.campaigns.restores import restored
from tests.campaigns.stopping import CHAIN_ID
from tests.ports.databases import query
from tests.ports.key_store_forms import of_the_first_form
from tests.servers.postgres import running_postgres

Fresh = Callable[[], str]
"""Makes a target of the old form."""
MARK = "insert into meta (key, value) values ('campaign', '1') returning key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`fresh` gives a target of the old form; `form` names what a target is now, in one line; `kept` tells what of
    before is missing from one that is new."""

    name: str
    work: str
    fresh: Fresh
    form: Callable[[str], str]
    kept: Callable[[str], list[str]] = lambda target: []


@dataclass(slots=True, kw_only=True)
class Tally:
    """What went otherwise than it must."""

    neither: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    acts: int = 0
    kills: int = 0
    plan: list[str] = field(default_factory=list)


class Stopper:
    """The program that stops; see `tests.campaigns.stopping`."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.stopping"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def run(self, work: str, target: str, *, last: int = 0) -> str:
        """`killed`, `done ACTS` or `failed`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{work} {last} {target}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._log.close()


def upgrade(asked: Asked, *, restoring: bool = True) -> Report:
    """Every step killed, then what an old index does."""
    began = time.monotonic()
    tally, chance = Tally(), random.Random(asked.seed)
    with steps_of(asked) as steps, stopping(asked.folder / "stopping.log") as stopper:
        for step in steps:
            _stop_everywhere(step, stopper, asked, chance, tally)
            asked.say(f"{step.name}: {tally.kills} kills so far, {time.monotonic() - began:.0f} s")
    figures: tuple[Figure, ...] = (
        told("steps", len(steps)),
        told("acts in all of them", tally.acts),
        told("kills", tally.kills),
        none_of("kills that left neither the old form nor the new", tally.neither),
        none_of("starts after a kill that did not end in the new form", tally.unfinished),
        none_of("kills that lost what was there", tally.lost),
        *(restored(asked) if restoring else ()),
    )
    return Report(
        bar="B22",
        asked=asked,
        figures=figures,
        plan=digest_of(tally.plan),
        history=digest_of([*tally.plan, *([one.name, one.met] for one in figures)]),
        seconds=time.monotonic() - began,
    )


@contextmanager
def stopping(log: Path) -> Iterator[Stopper]:
    """What it says of errors goes to `log`."""
    stopper = Stopper(log)
    try:
        yield stopper
    finally:
        stopper.close()


def _stop_everywhere(step: Step, stopper: Stopper, asked: Asked, chance: random.Random, tally: Tally) -> None:
    target = step.fresh()
    old = step.form(target)
    whole = stopper.run(step.work, target)
    new = step.form(target)
    assert whole.startswith("done "), f"{step.name}: {whole}; see stopping.log"
    acts = int(whole.removeprefix("done "))
    tally.acts += acts
    for last in sorted(chance.sample(range(1, acts + 1), min(asked.rounds, acts))):
        tally.plan.append(f"{step.name} {last}")
        _stop_once(step, stopper, last, (old, new), tally)


def _stop_once(step: Step, stopper: Stopper, last: int, forms: tuple[str, str], tally: Tally) -> None:
    target, where = step.fresh(), f"{step.name} at act {last}"
    said = stopper.run(step.work, target, last=last)
    if said != "killed":
        tally.unfinished.append(f"{where}: {said} and not killed")
        return
    tally.kills += 1
    if (found := step.form(target)) not in forms:
        tally.neither.append(f"{where}: {found}")
    again = stopper.run(step.work, target)
    if not again.startswith("done ") or step.form(target) != forms[1]:
        tally.unfinished.append(f"{where}: {again}, {step.form(target)}")
    tally.lost.extend(f"{where}: {one}" for one in step.kept(target))


# What there is to stop


@contextmanager
def steps_of(asked: Asked) -> Iterator[list[Step]]:
    """In the real column the databases are PostgreSQL's."""
    with ExitStack() as stack:
        databases = _files(asked.folder)
        if asked.servers == "real":
            databases = stack.enter_context(running_postgres()).fresh_database
        steps = [*_of_the_index(databases), *_of_the_keys(databases), _of_the_notary(databases)]
        if asked.servers == "embedded":
            steps += [_of_the_chain(asked.folder), _of_the_secrets(asked.folder)]
            steps.append(stack.enter_context(_of_the_deployment(asked.folder)))
        yield steps


def _files(folder: Path) -> Fresh:
    numbers = iter(range(1_000_000))
    return lambda: f"sqlite:///{folder}/{next(numbers)}.db"


def _folders(folder: Path, name: str) -> Callable[[], Path]:
    numbers = iter(range(1_000_000))
    return lambda: folder / f"{name}-{next(numbers)}"


def revisions() -> list[str]:
    """Of the index, oldest first."""
    return [script.revision for script in reversed(list(_scripts().walk_revisions()))]


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return ScriptDirectory.from_config(config)


def brought_to(url: str, revision: str) -> str:
    """An index as a program of that time made it, with a row in it."""
    scripts = _scripts()
    engine = migrations._engine(url)
    with (
        engine.connect() as connection,
        connection.begin(),
        EnvironmentContext(
            Config(), scripts, fn=lambda at, context: scripts._upgrade_revs(revision, at), destination_rev=revision
        ) as environment,
    ):
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
    engine.dispose()
    query(url, MARK)
    return url


def schema_of(url: str, schema: str | None = None) -> str:
    """Every table with its columns and indexes, and the revision."""

    def told_by(connection: Connection) -> dict[str, Any]:
        found = inspect(connection)
        tables = sorted(set(found.get_table_names(schema=schema)) - {"sqlite_sequence"})
        return {
            name: [
                sorted(column["name"] for column in found.get_columns(name, schema=schema)),
                sorted(str(index["name"]) for index in found.get_indexes(name, schema=schema)),
            ]
            for name in tables
        }

    engine = create_engine(url)
    with engine.connect() as connection:
        tables = told_by(connection)
    engine.dispose()
    revision = query(url, "select version_num from alembic_version") if "alembic_version" in tables else []
    return digest_of([tables, [str(row[0]) for row in revision]])


def _of_the_index(databases: Fresh) -> list[Step]:
    def marked(url: str) -> list[str]:
        return [] if query(url, "select key from meta") == [("campaign",)] else ["the row is gone"]

    def older_by(revision: str) -> Fresh:
        return lambda: brought_to(databases(), revision)

    older = [
        Step(
            name=f"index from {revision}",
            work="index",
            fresh=older_by(revision),
            form=schema_of,
            kept=marked,
        )
        for revision in revisions()[:-1]
    ]
    return [Step(name="index from nothing", work="index", fresh=databases, form=schema_of), *older]


def _of_the_keys(databases: Fresh) -> list[Step]:
    def first() -> str:
        of_the_first_form(url := databases())
        return url

    def at(url: str) -> str:
        return "consentry_keys" if url.startswith("postgresql") else ""

    def form(url: str) -> str:
        return schema_of(url, at(url) or None)

    def held(url: str) -> list[str]:
        where = f"{at(url)}." if at(url) else ""
        counts = query(
            url, f"select (select count(*) from {where}epoch_keys), (select count(*) from {where}domain_keys)"
        )
        return [] if counts == [(1, 1)] else [f"keys left: {counts}"]

    assert len(STEPS) == 2, "a new form of the key store: its predecessor wants a step here"
    return [
        Step(name="key store from nothing", work="keys", fresh=databases, form=form),
        Step(name="key store from form 1", work="keys", fresh=first, form=form, kept=held),
    ]


def _of_the_notary(databases: Fresh) -> Step:
    def fresh() -> str:
        migrations.migrate(url := databases())
        return url

    def form(url: str) -> str:
        found = query(url, "select count(*) from writers")[0][0]
        return "lives" if found else "no life"

    return Step(name="notary's life", work="notary", fresh=fresh, form=form)


def _of_the_chain(folder: Path) -> Step:
    paths = _folders(folder, "chain")

    def form(path: str) -> str:
        if not Path(path).exists() or Path(path).stat().st_size == 0:
            return "none"
        url = f"sqlite:///{path}"
        tables = query(url, "select name from sqlite_master where name = 'chain'")
        rows = query(url, "select chain_id, (select count(*) > 0 from kv) from chain") if tables else []
        return "none" if not rows else f"chain of {rows}" if rows == [(CHAIN_ID, 1)] else f"half: {rows}"

    return Step(name="embedded chain's store", work="chain", fresh=lambda: str(paths()), form=form)


def _of_the_secrets(folder: Path) -> Step:
    paths = _folders(folder, "secrets")
    wanted = {"passphrase", "root.key", "receipt.key", "registrar.key", "gateway.salt", "relay.key", "anchor.key"}

    def form(path: str) -> str:
        there = {one.name for one in Path(path).glob("[!.]*")} if Path(path).exists() else set()
        return "whole" if there == wanted else "begun" if there <= wanted else f"odd: {sorted(there)}"

    return Step(name="secrets", work="secrets", fresh=lambda: str(paths()), form=form)


@contextmanager
def _of_the_deployment(folder: Path) -> Iterator[Step]:
    kept = folder / "deployer"
    opened = secrets_of(Settings(data_dir=kept))
    chain = EmbeddedChainProcess.start(
        data=folder / "deployed.db", chain_id=CHAIN_ID, funded=[address_of(opened.relay_key)]
    )
    paths = _folders(folder, "deployment")

    def fresh() -> str:
        shutil.copytree(kept, path := paths())
        return json.dumps({"folder": str(path), "url": chain.url})

    def form(target: str) -> str:
        path = Path(json.loads(target)["folder"]) / "deployment.json"
        return f"{len(json.loads(path.read_text()))} facts" if path.exists() else "none"

    try:
        yield Step(name="deployment", work="deployment", fresh=fresh, form=form)
    finally:
        chain.stop()
