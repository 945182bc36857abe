"""A key store's file, made by several at once."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from gateway.adapters.keystore import _take_journal


def test_who_meets_another_making_the_file_waits_for_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as first,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0.0)) as second,
    ):
        first.execute("begin exclusive")
        soon = threading.Timer(0.3, first.execute, ("commit",))
        soon.start()
        _take_journal(second)
        soon.join()
        assert second.execute("pragma journal_mode").fetchone() == ("wal",)
