"""Log lines on their way out: what is told for the record waits a tenth of a second, what is wrong goes at once.

A line that is flushed alone costs a system call and lets other threads in; at a thousand requests a second that was a
twentieth of the server. A crash can lose the last tenth of a second of access lines; the audit is durable elsewhere.
"""

import asyncio
import atexit
import threading
from typing import Any, TextIO

import orjson

HELD_SECONDS = 0.1
HELD_LINES = 256


class LogLines:
    """A structlog logger over one stream. Safe to use from any thread; order is kept."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held: list[str] = []
        self._armed: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        atexit.register(self.flush)

    def __call__(self, *_: object) -> "LogLines":
        """As structlog's logger factory: every logger shares this one."""
        return self

    def msg(self, line: str) -> None:
        """Writes the line and all before it now."""
        with self._lock:
            self._held.append(line)
        self.flush()

    def info(self, line: str) -> None:
        """Writes the line soon; at once where no event loop runs that could."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.msg(line)
            return
        with self._lock:
            self._held.append(line)
            full = len(self._held) >= HELD_LINES
        if full:
            self.flush()
        elif self._armed is not loop:
            self._armed = loop
            loop.call_later(HELD_SECONDS, self._due)

    debug = info
    log = failure = fatal = critical = exception = error = err = warning = warn = msg

    def flush(self) -> None:
        """Writes what is held. A stream that is closed or full swallows it: logging stops nothing."""
        with self._lock:
            held, self._held = self._held, []
            if not held:
                return
            try:
                self._stream.write("\n".join(held) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                return

    def _due(self) -> None:
        self._armed = None
        self.flush()


def to_json(event: Any, **options: Any) -> str:
    """structlog's serializer."""
    return orjson.dumps(event, default=options.get("default")).decode()
