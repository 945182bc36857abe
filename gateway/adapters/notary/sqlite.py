"""The notary's transactions on SQLite: BEGIN IMMEDIATE shuts every other writer out until the commit."""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence

from gateway.adapters.notary.store import FencedError, RowRefusedError, RowTakenError, StoreError
from gateway.adapters.sql.sqlite import UNIQUE, connect
from gateway.adapters.sql.statements import INSERT_ENTRY, STATEMENTS, TICKET, Parameters, Plan
from gateway.audit.rules import GENESIS

NEWEST = (
    "select e.hash from entries e join writers w on w.writer = e.writer"
    " where w.instance = ? order by w.id desc, e.seq desc limit 1"
)
CLAIM = "insert into writers (writer, instance, previous, started_at) values (?, ?, ?, ?)"
LAST = "select seq, hash from entries where writer = ? order by seq desc limit 1"
PROBE = "update writers set checks = checks + 1 where writer = ?"


class SqliteStore:
    """One file; a lock file beside it, held while the process lives, keeps two lives of an instance apart."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock: int | None = None
        with _refusals():
            self._db = connect(path)

    def claim(self, instance: bytes, writer: bytes, *, now: int, patience: float) -> bytes:
        self._lock = _locked(f"{self._path}.notary-{instance.hex()[:16]}.lock", patience)
        with _refusals():
            self._db.execute("begin immediate")
            found = self._db.execute(NEWEST, (instance,)).fetchone()
            previous: bytes = found[0] if found else GENESIS
            self._db.execute(CLAIM, (writer, instance, previous, now))
            # Commit point: before it this life never was; after it, it is the instance's newest.
            self._db.execute("commit")
        return previous

    def begin(self, names: Sequence[bytes], *, exclusive: bool) -> dict[bytes, int]:
        with _refusals():
            self._db.execute("begin immediate")
            versions = dict.fromkeys(names, 0)
            for start in range(0, len(names), 256):
                some = list(names[start : start + 256])
                # Padded to a power of two, so that a few prepared statements serve every number of names.
                width = 1 << (len(some) - 1).bit_length()
                marks = ",".join("?" * width)
                sql = f"select name, version from epochs where name in ({marks})"  # noqa: S608 - only marks
                versions.update(self._db.execute(sql, some + some[-1:] * (width - len(some))).fetchall())
        return versions

    def rows(self, plan: Plan, *, fallible: bool) -> None:
        with _refusals():
            if not fallible:
                self._execute(plan)
                return
            self._db.execute("savepoint rows")
            try:
                self._execute(plan)
            except (RowTakenError, RowRefusedError):
                self._db.execute("rollback to rows")
                self._db.execute("release rows")
                raise
            self._db.execute("release rows")

    def finish(self, entries: Sequence[Parameters], tickets: Sequence[Parameters]) -> None:
        with _refusals():
            self._db.executemany(INSERT_ENTRY, entries)
            self._db.executemany(STATEMENTS[TICKET].sql, tickets)
            # Commit point: before it nothing of the group exists; after it (fsync of the WAL) all of it does.
            self._db.execute("commit")

    def rollback(self) -> None:
        if self._db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("rollback")

    def last(self, writer: bytes) -> tuple[int, bytes] | None:
        with _refusals():
            row: tuple[int, bytes] | None = self._db.execute(LAST, (writer,)).fetchone()
        return row

    def probe(self, writer: bytes) -> None:
        with _refusals():
            self._db.execute(PROBE, (writer,))

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)

    def _execute(self, plan: Plan) -> None:
        for number, rows in plan:
            statement = STATEMENTS[number]
            try:
                changed = self._db.executemany(statement.sql, rows).rowcount
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode in UNIQUE:
                    raise RowTakenError(statement.table) from error
                raise RowRefusedError(statement.table) from error
            except (sqlite3.DataError, sqlite3.ProgrammingError, OverflowError) as error:
                raise RowRefusedError(statement.table) from error
            if statement.exact and changed != len(rows):
                raise RowTakenError(statement.table)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(getattr(error, "sqlite_errorname", type(error).__name__)) from error


def _locked(path: str, patience: float) -> int:
    """The descriptor that holds the lock; the kernel lets go of it however the process ends."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError("the notary's lock file cannot be opened") from error
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise FencedError("another notary of this gateway instance is running") from error
            time.sleep(0.05)
        else:
            return descriptor
