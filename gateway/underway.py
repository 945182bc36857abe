"""What a request under way may use: a bounded time, whichever part is mute, and a place among those that are served.

True here: a request that nothing prolongs is given up when its seconds are over (TimeoutError from `bounded`). Work
that is long by its nature asks for more first (`prolong`); waiting for a block of the chain stands `aside`: it has a
bound of its own, uses nothing but a timer, and so takes neither the request's time nor its place. Outside a request all
of it does nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType


class Places:
    """How many requests are served at once. `full` says that the next is refused: none ever waits for a place."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @property
    def full(self) -> bool:
        return self._taken >= self._most

    @property
    def crowded(self) -> bool:
        """More are served than there are places for: some came back from `aside` when others had come."""
        return self._taken > self._most

    @property
    def taken(self) -> int:
        return self._taken

    @contextmanager
    def one(self) -> Iterator[None]:
        """Holds a place; work within may give it up for a while by `aside`."""
        self._move(1)
        token = _place.set(self._move)
        try:
            yield
        finally:
            _place.reset(token)
            self._move(-1)

    def _move(self, by: int) -> None:
        self._taken += by


_deadline: ContextVar[asyncio.Timeout | None] = ContextVar("deadline", default=None)
_place: ContextVar[Callable[[int], None] | None] = ContextVar("place", default=None)


class bounded:
    """Raises TimeoutError when the seconds are over, prolonged or not. Within another such block, that one's hold. A
    class, not a generator, because each request passes through it: half the time."""

    __slots__ = ("_seconds", "_timeout", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout: asyncio.Timeout | None = None

    async def __aenter__(self) -> None:
        if _deadline.get() is None:
            self._timeout = asyncio.timeout(self._seconds)
            await self._timeout.__aenter__()
            self._token = _deadline.set(self._timeout)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timeout is not None:
            _deadline.reset(self._token)
            await self._timeout.__aexit__(kind, error, trace)


def prolong(seconds: float) -> None:
    """The request under way may take so much longer."""
    deadline = _deadline.get()
    if deadline is not None and (when := deadline.when()) is not None:
        deadline.reschedule(when + seconds)


class aside:
    """The request's time stands still, and its place is free, until the end of the block; from `after` seconds on, so
    that what takes but a moment lets nobody else in. Whoever uses it bounds it."""

    __slots__ = ("_after", "_deadline", "_leaving", "_left", "_move", "_when")

    def __init__(self, *, after: float = 0.0) -> None:
        self._after = after
        self._deadline, self._move = _deadline.get(), _place.get()
        self._leaving: asyncio.TimerHandle | None = None
        self._when: float | None = None
        self._left: float | None = None

    async def __aenter__(self) -> None:
        if self._after:
            self._leaving = asyncio.get_running_loop().call_later(self._after, self.leave)
        else:
            self.leave()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        self.come_back()

    def leave(self) -> None:
        self._left = asyncio.get_running_loop().time()
        if self._deadline is not None and not self._deadline.expired():
            self._when = self._deadline.when()
            self._deadline.reschedule(None)
        if self._move is not None:
            self._move(-1)

    def come_back(self) -> None:
        if self._left is None:
            return
        if self._move is not None:
            self._move(1)
        if self._deadline is not None and self._when is not None and not self._deadline.expired():
            self._deadline.reschedule(self._when + asyncio.get_running_loop().time() - self._left)
