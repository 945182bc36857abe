"""What a request under way may use: a bounded time, whichever part is mute, a place among those that are served, and so
much of what is opened for it; and its turn at what would hold up all others.

True here: a request that nothing prolongs is given up when its seconds are over (TimeoutError from `bounded`). Work
that is long by its nature asks for more first (`prolong`); waiting for a block of the chain stands `aside`: it has a
bound of its own, uses nothing but a timer, and so takes neither the request's time nor its place. Each record that is
released counts with its octets, also where it is decided on again; past the allowance nothing more is (LimitError).
Outside a request all of it does nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from types import TracebackType

from gateway.errors import LimitError

MIB = 1024 * 1024
MOST_WAITING = 16
"""For a turn; the next is refused."""
MOST_RECORDS = 2_000
MOST_PARTS = 50_000


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


class Turns:
    """For work that holds the loop: one piece of it at a time, and after each the loop is everybody's for as long as
    the piece took. A heap of it then takes half of the loop at most, and who does little waits for one piece. Few may
    wait: each holds a place meanwhile."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A turn: what is in the block awaits nothing. Raises LimitError where as many wait as may."""
        if self._waiting >= MOST_WAITING:
            raise LimitError("too much at once that takes long; try again shortly")
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            # Whoever had the turn goes on at once; the next one waits.
            loop.call_later(loop.time() - began, self._turn.release)


class Allowance:
    """`records`: how many may be released, the same one twice counted twice; `octets`: of them all; `parts`: items of
    lists inside them that are walked, once for each field that asks for the list. `self.octets`: of the records that an
    answer may show."""

    def __init__(self, *, records: int = MOST_RECORDS, octets: int = 64 * MIB, parts: int = MOST_PARTS) -> None:
        self._most = (records, octets, parts)
        self.renew()

    def renew(self, *, shown: int = 0) -> None:
        """As if nothing had been used. `shown`: octets of a record that was released before, and is shown now."""
        self._records = self._octets = self._parts = 0
        self.octets = shown

    def release(self, octets: int) -> None:
        """Counts one record. Raises LimitError."""
        self._records += 1
        self.octets += octets
        self._octets += octets
        records, most, _ = self._most
        if self._records > records:
            raise LimitError(f"more than {records} records for one answer")
        if self._octets > most:
            raise LimitError(f"records of more than {most // MIB} MiB for one answer")

    def walk(self, parts: int) -> None:
        """Counts items of a list inside a resource. Raises LimitError."""
        self._parts += parts
        if self._parts > self._most[2]:
            raise LimitError(f"more than {self._most[2]} items of lists inside resources for one answer")


_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


def allow(allowance: Allowance) -> None:
    """What this task and those that it starts may use from now on."""
    _allowance.set(allowance)


def releasing(octets: int) -> None:
    """A record of so many octets is about to be released. Raises LimitError."""
    allowance = _allowance.get()
    if allowance is not None:
        allowance.release(octets)


def walking(parts: int) -> None:
    """A list of so many items inside a resource is about to be walked. Raises LimitError."""
    allowance = _allowance.get()
    if allowance is not None:
        allowance.walk(parts)


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
