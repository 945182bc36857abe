"""How large content moves over HTTP: at a pace, in a place of its own, and never longer than its reader or sender.

True here: transfers have places apart from other requests', a few for each actor, and one that hardly moves is ended;
of a body no more is in memory than what came last.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.types import Receive, Send

from gateway.underway import Places
from gateway.web.access import RETRY
from gateway.web.replies import Exchange, RejectedError

IDLE_SECONDS = 20.0
"""How long one piece may take."""
PACE_SECONDS = 20.0
PACE_OCTETS = 64 * 1024
"""In so many seconds of waiting, so many octets at least."""
PIECE = 256 * 1024


class EndedError(Exception):
    """The other side went away, or moved too slowly."""


class Transfers:
    """Places for content, in and out."""

    def __init__(self, *, most: int, each: int) -> None:
        self._places = Places(most)
        self._each = each
        self._held: Counter[bytes] = Counter()

    @contextmanager
    def one(self, actor: bytes) -> Iterator[None]:
        """Raises RejectedError where there is no place: nobody waits for one."""
        if self._places.full or self._held[actor] >= self._each:
            raise RejectedError(429, "too many transfers at once; try again shortly", code="LIMIT", headers=RETRY)
        self._held[actor] += 1
        try:
            with self._places.one():
                yield
        finally:
            self._held[actor] -= 1
            if not self._held[actor]:
                del self._held[actor]


class Pace:
    """Counts the time that the other side took, and what it did with it."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._moved = 0

    def add(self, seconds: float, octets: int) -> None:
        """Raises EndedError for one that hardly moves."""
        self._waited += seconds
        self._moved += octets
        if self._waited >= PACE_SECONDS:
            if self._moved < PACE_OCTETS:
                raise EndedError
            self._waited, self._moved = 0.0, 0


class Incoming:
    """A body as it comes. `is_whole` once its last octet came; else its sender went away, or was too slow (`slow`)."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_whole = False
        self.slow = False

    async def octets(self) -> AsyncIterator[bytes]:
        """Ends in any case without an error: what came counts."""
        pace = Pace()
        coming = self._receive()
        try:
            while not self.is_whole:
                began = time.monotonic()
                async with asyncio.timeout(IDLE_SECONDS):
                    message = await coming
                if message["type"] == "http.disconnect":
                    return
                body = message.get("body", b"")
                self.is_whole = not message.get("more_body", False)
                if not self.is_whole:
                    # The server reads on while this piece is dealt with.
                    coming = self._receive()
                pace.add(time.monotonic() - began, len(body))
                if body:
                    yield body
        except (TimeoutError, EndedError):
            self.slow = True


async def send_all(
    first: bytes, octets: AsyncIterator[bytes], receive: Receive, send: Send, exchange: Exchange
) -> None:
    """The body of a response whose start was sent. EndedError where the reader is gone or hardly reads."""
    pace = Pace()
    leaving = asyncio.create_task(_gone(receive))
    try:
        async for chunk in _chained(first, octets):
            for at in range(0, len(chunk), PIECE):
                piece = chunk[at : at + PIECE]
                began = time.monotonic()
                if leaving.done():
                    raise EndedError
                async with asyncio.timeout(IDLE_SECONDS):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                exchange.octets += len(piece)
                pace.add(time.monotonic() - began, len(piece))
        await send({"type": "http.response.body", "body": b""})
    except TimeoutError as error:
        raise EndedError from error
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for one in rest:
        yield one


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
