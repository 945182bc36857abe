"""The chain's one SQLite file: py-evm's keys and values, an index of logs, and which chain this is.

True here: writes happen only inside a block (`begin` … `commit`), all of a block in one SQLite transaction
(WAL, `synchronous=FULL`); what is held in memory never runs ahead of the disk; one process holds the file.
Not done here: any rule of Ethereum. This file does not know what a block holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth.db.backends.base import BaseDB

from anchoring.chain.embedded.errors import ChainRefused, CommitUncertain

FORMAT: Final = 1
CACHE_BYTES: Final = 32 * 1024 * 1024
CACHE_ENTRY_OVERHEAD: Final = 200
APPLICATION_ID: Final = 0x436E7331  # "Cns1", in SQLite's header: tells our files from others

SCHEMA: Final = """
create table if not exists chain(
    one integer primary key check (one = 1), format integer not null, chain_id integer not null);
create table if not exists kv(k blob primary key, v blob not null) without rowid;
create table if not exists log(
    block integer not null, ix integer not null, tx blob not null, tx_ix integer not null, address blob not null,
    t0 blob, t1 blob, t2 blob, t3 blob, data blob not null, primary key (block, ix)) without rowid;
create index if not exists log_by_event on log(address, t0, block);
create index if not exists log_by_topic1 on log(address, t1, block);
"""

Hook = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One event as it is indexed: block and place there, transaction, 20-byte address, 0 to 4 topics of 32 bytes."""

    block: int
    index: int
    transaction: bytes
    transaction_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


def _nothing() -> None:
    return None


class ChainStore(BaseDB):
    """A `dict` of bytes for py-evm over one SQLite file. Use `open_store`; close it with `close`.

    Single-threaded by contract: whoever holds it calls it from one thread at a time.
    """

    def __init__(self, connection: sqlite3.Connection, lock: int, *, before: Hook, after: Hook) -> None:
        self._sql = connection
        self._lock = lock
        self._before_commit = before
        self._after_commit = after
        self._cache: dict[bytes, bytes] = {}
        self._cached_bytes = 0
        self._pending: dict[bytes, bytes | None] | None = None

    # -- which chain

    def chain_id(self) -> int | None:
        """The chain id fixed at genesis, or None before genesis."""
        row = self._sql.execute("select format, chain_id from chain").fetchone()
        if row is None:
            return None
        if row[0] != FORMAT:
            raise ChainRefused(f"the chain file has format {row[0]}, this program reads format {FORMAT}")
        return int(row[1])

    # -- blocks

    def begin(self) -> None:
        """Collect the writes that follow in memory, for one block. Reads see them; the disk does not yet."""
        if self._pending is not None:
            raise RuntimeError("a block is already open")
        self._pending = {}

    def rollback(self) -> None:
        """Forget the open block's writes; nothing of it was written anywhere."""
        self._pending = None

    def commit(self, logs: Sequence[LogRow], *, genesis_chain_id: int | None = None) -> None:
        """Make the open block durable, all of it or nothing.

        COMMIT POINT: SQLite's COMMIT below. A crash right before it leaves the old head, with no trace of the block;
        right after it the new head, with its state, receipts and logs. The caller answers its client only after.
        Errors: `sqlite3.Error` when nothing was written (disk full, say: the block is rolled back, the chain goes on),
        `CommitUncertain` when COMMIT itself failed (the process must end; reopening tells).
        """
        if self._pending is None:
            raise RuntimeError("no block is open")
        writes, self._pending = self._pending, None
        try:
            self._write(writes, logs, genesis_chain_id)
        except sqlite3.Error:
            if self._sql.in_transaction:
                self._sql.execute("rollback")
            raise
        self._before_commit()
        try:
            self._sql.execute("commit")
        except sqlite3.Error as e:
            raise CommitUncertain(f"SQLite could not commit a block: {e}") from e
        self._after_commit()
        for key, value in writes.items():
            self._forget(key) if value is None else self._remember(key, value)

    def _write(self, writes: dict[bytes, bytes | None], logs: Sequence[LogRow], genesis_chain_id: int | None) -> None:
        run = self._sql.executemany
        self._sql.execute("begin immediate")
        if genesis_chain_id is not None:
            run("insert into chain values (1, ?, ?)", [(FORMAT, genesis_chain_id)])
        run("insert or replace into kv values (?, ?)", [(k, v) for k, v in writes.items() if v is not None])
        run("delete from kv where k = ?", [(k,) for k, v in writes.items() if v is None])
        run("insert into log values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [_log_columns(row) for row in logs])

    # -- py-evm's dict

    def __getitem__(self, key: bytes) -> bytes:
        if self._pending is not None and key in self._pending:
            pending = self._pending[key]
            if pending is None:
                raise KeyError(key)
            return pending
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        row = self._sql.execute("select v from kv where k = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        value = bytes(row[0])
        self._remember(key, value)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._open_block()[key] = value

    def __delitem__(self, key: bytes) -> None:
        self._open_block()[key] = None

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def _open_block(self) -> dict[bytes, bytes | None]:
        if self._pending is None:
            raise RuntimeError("the chain is written only inside a block")
        return self._pending

    def _remember(self, key: bytes, value: bytes) -> None:
        if self._cached_bytes > CACHE_BYTES:
            self._cache.clear()
            self._cached_bytes = 0
        self._forget(key)
        self._cache[key] = value
        self._cached_bytes += len(value) + CACHE_ENTRY_OVERHEAD

    def _forget(self, key: bytes) -> None:
        old = self._cache.pop(key, None)
        if old is not None:
            self._cached_bytes -= len(old) + CACHE_ENTRY_OVERHEAD

    # -- logs

    def logs(self, where: str, arguments: Sequence[int | bytes]) -> Iterator[LogRow]:
        """Committed logs in chain order. `where` is SQL built of constants by this package; values are bound."""
        rows = self._sql.execute(
            f"select block, ix, tx, tx_ix, address, t0, t1, t2, t3, data from log where {where} order by block, ix",  # noqa: S608  # built of constants
            arguments,
        )
        for block, ix, tx, tx_ix, address, *topics, data in rows:
            yield LogRow(
                block=block,
                index=ix,
                transaction=tx,
                transaction_index=tx_ix,
                address=address,
                topics=tuple(topic for topic in topics if topic is not None),
                data=data,
            )

    def close(self) -> None:
        """Release file and lock. Harmless when repeated."""
        self._sql.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def open_store(path: Path, *, before_commit: Hook = _nothing, after_commit: Hook = _nothing) -> ChainStore:
    """Open or create the file at `path`, for this process alone. Errors: `ChainRefused`."""
    lock = _hold(path.with_name(path.name + ".lock"))
    try:
        return ChainStore(_connect(path), lock, before=before_commit, after=after_commit)
    except sqlite3.Error as e:
        os.close(lock)
        raise ChainRefused(f"{path.name} cannot be opened as a chain: {e}") from e
    except BaseException:
        os.close(lock)
        raise


def _hold(path: Path) -> int:
    """Lock `path` until this process ends, however it ends: the kernel drops the lock with the descriptor."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise ChainRefused(f"the lock file {path.name} cannot be made: {e.strerror}") from e
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(descriptor)
        raise ChainRefused(f"another process runs this chain ({path.name} is locked)") from e
    return descriptor


def _connect(path: Path) -> sqlite3.Connection:
    # The file is made before SQLite sees it, so that it is private from its first byte.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    sql = sqlite3.connect(path, isolation_level=None)
    try:
        _prepare(sql, path)
    except BaseException:
        sql.close()
        raise
    return sql


def _prepare(sql: sqlite3.Connection, path: Path) -> None:
    found = sql.execute("pragma application_id").fetchone()[0]
    tables = sql.execute("select count(*) from sqlite_master").fetchone()[0]
    if tables and found != APPLICATION_ID:
        raise ChainRefused(f"{path.name} is a database, but not an embedded chain")
    mode = sql.execute("pragma journal_mode=wal").fetchone()[0]
    if mode != "wal":
        raise ChainRefused(f"SQLite cannot keep a write-ahead log beside {path.name} (it offers {mode})")
    for pragma in _pragmas():
        sql.execute(pragma)
    sql.executescript(f"begin immediate; pragma application_id={APPLICATION_ID}; {SCHEMA} commit;")


def _pragmas() -> Iterable[str]:
    # FULL: COMMIT returns after the fsync of the write-ahead log, so an answered transaction survives a power cut.
    return ("pragma synchronous=full", "pragma cache_size=-16384", "pragma busy_timeout=5000")


def _log_columns(row: LogRow) -> tuple[int | bytes | None, ...]:
    topics: list[bytes | None] = [*row.topics, *[None] * (4 - len(row.topics))]
    return (row.block, row.index, row.transaction, row.transaction_index, row.address, *topics, row.data)
