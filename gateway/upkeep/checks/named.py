"""What checks leave for one another: blocks that rows name, and batches that the chain has. On disk: memory is flat."""

import sqlite3
import tempfile
from pathlib import Path


class Named:
    """Digests of blocks that rows name, and batches that the chain has; on disk."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="consentry-verify-")
        self._db = sqlite3.connect(Path(self._folder.name) / "named.db", isolation_level=None, check_same_thread=False)
        self._db.execute("pragma synchronous = off")
        self._db.execute("create table blocks (digest primary key) without rowid")
        self._db.execute("create table batches (log, root, place, primary key (log, root))")

    def __enter__(self) -> "Named":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._folder.cleanup()

    def name(self, digest: bytes) -> None:
        self._db.execute("insert or ignore into blocks values (?)", (digest,))

    def is_named(self, digest: bytes) -> bool:
        return self._db.execute("select 1 from blocks where digest = ?", (digest,)).fetchone() is not None

    def anchor(self, log: bytes, root: bytes, place: bytes) -> None:
        self._db.execute("insert or ignore into batches values (?, ?, ?)", (log, root, place))

    def anchored(self, log: bytes, root: bytes) -> bytes | None:
        row = self._db.execute("select place from batches where log = ? and root = ?", (log, root)).fetchone()
        return None if row is None else bytes(row[0])
