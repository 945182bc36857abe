"""Whether anything was committed to a SQLite database since one looked last, by whichever process: told without a read.

True here: two looks give the same number only if no other connection committed in between (SQLite's
`pragma data_version`). It takes some microseconds and waits for no lock, so it is asked on the event loop.
"""

import contextlib
import sqlite3
from urllib.parse import quote


class Commits:
    """Of the database at `path`, over a connection of its own, which writes nothing."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def count(self) -> int | None:
        """None where SQLite does not tell it now: then read."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"file:{quote(self._path)}?mode=ro",
                    uri=True,
                    timeout=0,
                    isolation_level=None,
                    check_same_thread=False,
                )
            ((count,),) = self._connection.execute("pragma data_version").fetchall()
        except (sqlite3.Error, ValueError):
            self.close()
            return None
        return int(count)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
