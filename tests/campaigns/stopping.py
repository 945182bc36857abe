"""A step of a start in a process that is killed at its n-th act: `python -m tests.campaigns.stopping`.

An act is an SQL statement (BEGIN and COMMIT too; on PostgreSQL before and after it), a question to a chain's node
before and after, or a file that is opened, linked, renamed or removed. The program loads everything once; for each line
`WORK N TARGET` it forks a child, which does the work on the target and ends itself with SIGKILL at act N (0: never) and
says how that went: `killed`, `done ACTS` or `failed`. No time plays a part: N is the same place each run.
"""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import psycopg

from anchoring.chain.client import ChainClient
from anchoring.chain.embedded.evm import open_chain
from anchoring.chain.embedded.store import open_store
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.notary.postgres import PostgresStore
from gateway.adapters.notary.sqlite import SqliteStore
from gateway.adapters.sql.migrations import migrate
from gateway.adapters.sql.urls import sqlite_path
from gateway.settings import Settings
from gateway.wiring.chain import deploy
from gateway.wiring.secrets import secrets_of

CHAIN_ID: Final = 20_262
INSTANCE: Final = b"i" * 32
RECEIPT_KEY: Final = b"r" * 32
FILE_EVENTS: Final = frozenset({"open", "os.link", "os.rename", "os.remove", "os.mkdir"})


class Acts:
    """Counts them, and ends the process at the one that is asked for."""

    def __init__(self, last: int, folder: str) -> None:
        self.count = 0
        self._last = last
        self._folder = folder

    def act(self, *_: object) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook (PEP 578)."""
        if event in FILE_EVENTS and self._folder and str(arguments[0]).startswith(self._folder):
            self.act()

    def watch(self) -> None:
        """From here on, in this process, for good."""
        sys.addaudithook(self.hear)
        connecting = sqlite3.connect

        def connect(*values: Any, **named: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connecting(*values, **named)
            connection.set_trace_callback(self.act)
            return connection

        for module in (sqlite3, sqlite3.dbapi2):
            module.connect = connect
        for kind, name in (
            (psycopg.Cursor, "execute"),
            (psycopg.Cursor, "executemany"),
            (psycopg.Connection, "commit"),
        ):
            setattr(kind, name, self._around(getattr(kind, name)))
        for kind, name in ((ChainClient, "_exchange"),):
            setattr(kind, name, self._around_answer(getattr(kind, name)))

    def _around_answer(self, work: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(*values: Any) -> Any:
            self.act()
            found = await work(*values)
            self.act()
            return found

        return watched

    def _around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*values: Any, **named: Any) -> Any:
            self.act()
            found = work(*values, **named)
            self.act()
            return found

        return watched


def _keys(target: str) -> None:
    async def run() -> None:
        await (await SqlKeyStore.open(target)).close()

    asyncio.run(run())


def _notary(target: str) -> None:
    path = sqlite_path(target)
    store = SqliteStore(path) if path is not None else PostgresStore(target)
    writer = os.urandom(32)
    store.claim(INSTANCE, writer, now=int(time.time()), patience=5.0)
    store.probe(writer)
    store.close()


def _chain(target: str) -> None:
    store = open_store(Path(target))
    open_chain(store, chain_id=CHAIN_ID, funded=[], clock=time.time)
    store.close()


def _secrets(target: str) -> None:
    secrets_of(Settings(data_dir=Path(target)))


def _deployment(target: str) -> None:
    named = json.loads(target)
    settings = Settings(data_dir=Path(named["folder"]), chain_url=named["url"])

    async def run() -> None:
        client = ChainClient(named["url"])
        with contextlib.suppress(FileExistsError):
            await deploy(settings, secrets_of(settings), client, RECEIPT_KEY)
        await client.close()

    asyncio.run(run())


WORKS: Final[Mapping[str, Callable[[str], None]]] = {
    "index": migrate,
    "keys": _keys,
    "notary": _notary,
    "chain": _chain,
    "secrets": _secrets,
    "deployment": _deployment,
}


def _child(work: Callable[[str], None], last: int, target: str, answer: int) -> None:
    folder = json.loads(target)["folder"] if target.startswith("{") else target if target.startswith("/") else ""
    acts = Acts(last, folder)
    acts.watch()
    work(target)  # what it raises ends this process with its traceback
    os.write(answer, str(acts.count).encode())
    os._exit(0)


def main() -> None:
    for line in sys.stdin:
        work, last, target = line.rstrip("\n").split(" ", 2)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            _child(WORKS[work], int(last), target, writing)
        os.close(writing)
        _, status = os.waitpid(pid, 0)
        count = os.read(reading, 20).decode()
        os.close(reading)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        said = "killed" if killed else f"done {count}" if os.WEXITSTATUS(status) == 0 else "failed"
        print(said, flush=True)


if __name__ == "__main__":
    main()
