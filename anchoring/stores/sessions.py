"""PostgreSQL sessions that no silence outlives: a server that says nothing for `SILENCE_SECONDS` has lost its session.

A server's own `statement_timeout` does not help where the server, or the way to it, is mute: libpq then waits for ever.
Whoever gives up on an answer loses the session too, at once: what comes late would be taken for the next answer.
`LIVELY` makes the server notice within seconds that we are gone, so that it frees what the session held.
"""

import asyncio
import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg import waiting

SILENCE_SECONDS: Final = 4.0
CONNECT_SECONDS: Final = 2
"""libpq counts whole seconds, at least two."""
LIVELY: Final = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2"
"""For a session's `options`: the server's own keepalive."""
_LOOK_SECONDS: Final = 0.1
_NOTHING: Final = 0
"""What libpq's waiting loops send when nothing came (psycopg.waiting.Ready.NONE)."""

RV = TypeVar("RV")


class BoundedSession(psycopg.Connection[Any]):
    """A psycopg connection that raises OperationalError, and is closed, after a silence."""

    def wait(self, gen: Any, interval: float = _LOOK_SECONDS, timeout: float | None = None) -> Any:
        try:
            return waiting.wait(_lively(gen), self.pgconn.socket, interval=interval, timeout=timeout)
        except _SilentError as error:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server is silent") from error


class BoundedAsyncSession(psycopg.AsyncConnection[Any]):
    """The same on an event loop. Cancelled, it is closed at once: it waits for no server's leave."""

    async def wait(self, gen: Any, interval: float = _LOOK_SECONDS, timeout: float | None = None) -> Any:
        try:
            return await waiting.wait_async(_lively(gen), self.pgconn.socket, interval=interval, timeout=timeout)
        except _SilentError as error:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server is silent") from error
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class _SilentError(Exception):
    """Nothing came for too long."""


def _lively(gen: Generator[Any, Any, RV]) -> Generator[Any, Any, RV]:
    """The same generator, until nothing has come for too long."""
    try:
        wanted = next(gen)
        heard = time.monotonic()
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready != _NOTHING:
                heard = now
            elif now - heard > SILENCE_SECONDS:
                gen.close()
                raise _SilentError
            wanted = gen.send(ready)
    except StopIteration as end:
        answer: RV = end.value
        return answer
