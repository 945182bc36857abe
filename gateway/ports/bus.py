"""Hints between replicas, and counters. All of it may be lost at any time: nothing here can grant, and a lost message
costs time, not safety, because the ledger compares guard versions in its own transaction."""

from collections.abc import Callable
from typing import Protocol, Self


class Subscription(Protocol):
    """Messages of one topic; `aclose` when done with it."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...


class Bus(Protocol):
    """In process by default; redis where several replicas run. Never raises for a lost neighbour on `publish`."""

    async def publish(self, topic: str, payload: bytes) -> None: ...

    def tell(self, topic: str, payload: bytes) -> None:
        """To this process alone. No I/O."""
        ...

    def subscribe(self, topic: str) -> Subscription:
        """Messages published after the call. A slow consumer loses the oldest (it must treat them as hints)."""
        ...

    def watch(self, heard: Callable[[str, bytes], None]) -> None:
        """`heard` is called with topic and payload of every message that arrives, this process's own too: a hint that
        what is kept about that topic is out of date. Must not block."""
        ...

    async def allow(self, key: str, *, rate: float, burst: int) -> bool:
        """Token bucket (tokens per second, bucket size). When the neighbour is down a local bucket decides."""
        ...

    async def check(self) -> None: ...

    async def close(self) -> None: ...
