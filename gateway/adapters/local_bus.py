"""The bus of one process: hints and token buckets in memory."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Self

from gateway.ports.clock import Clock

BACKLOG = 1_024
"""Messages that a slow subscriber may be behind; the oldest go first."""
BUCKETS = 50_000


class Buckets:
    """Token buckets, the least used forgotten first (a forgotten bucket is a full one)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, *, rate: float, burst: int) -> bool:
        now = self._clock.monotonic()
        tokens, at = self._held.get(key, (float(burst), now))
        tokens = min(float(burst), tokens + (now - at) * rate)
        allowed = tokens >= 1.0
        self._held[key] = (tokens - 1.0 if allowed else tokens, now)
        self._held.move_to_end(key)
        if len(self._held) > BUCKETS:
            self._held.popitem(last=False)
        return allowed


class Fanout:
    """Topics and their listeners within this process."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Queue[bytes | None]]] = {}
        self._watchers: list[Callable[[str, bytes], None]] = []

    def watch(self, heard: Callable[[str, bytes], None]) -> None:
        """`heard` is called with each topic and message, before its subscribers get it."""
        self._watchers.append(heard)

    def deliver(self, topic: str, payload: bytes) -> None:
        for heard in self._watchers:
            heard(topic, payload)
        for queue in self._listeners.get(topic, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(payload)

    def listen(self, topic: str) -> "Listening":
        """Registered when this returns, so nothing published afterwards is missed."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)
        self._listeners.setdefault(topic, set()).add(queue)
        return Listening(queue, lambda: self._forget(topic, queue))

    def _forget(self, topic: str, queue: asyncio.Queue[bytes | None]) -> None:
        listeners = self._listeners.get(topic, set())
        listeners.discard(queue)
        if not listeners:
            self._listeners.pop(topic, None)


class Listening:
    """One subscriber's messages. `aclose` ends it, also when nothing was ever taken from it, and for whoever waits."""

    def __init__(self, queue: asyncio.Queue[bytes | None], forget: Callable[[], None]) -> None:
        self._queue = queue
        self._forget = forget

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        payload = await self._queue.get()
        if payload is None:
            self._queue.put_nowait(None)  # for the next to ask: the end stays the end
            raise StopAsyncIteration
        return payload

    async def aclose(self) -> None:
        self._forget()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)


class LocalBus:
    """Implements `gateway.ports.bus.Bus`."""

    def __init__(self, clock: Clock) -> None:
        self._buckets = Buckets(clock)
        self._fanout = Fanout()

    async def publish(self, topic: str, payload: bytes) -> None:
        self._fanout.deliver(topic, payload)

    def tell(self, topic: str, payload: bytes) -> None:
        self._fanout.deliver(topic, payload)

    def subscribe(self, topic: str) -> Listening:
        return self._fanout.listen(topic)

    def watch(self, heard: Callable[[str, bytes], None]) -> None:
        self._fanout.watch(heard)

    async def allow(self, key: str, *, rate: float, burst: int) -> bool:
        return self._buckets.take(key, rate=rate, burst=burst)

    async def check(self) -> None:
        """Memory is always there."""

    async def close(self) -> None:
        """Nothing is held open."""
