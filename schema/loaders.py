"""One lookup for each key in a request. A page of fifty records of one author asks for that author once.

True here: concurrent askers of a key share one call, and its answer lives as long as the request, no longer: nothing
that a decision stands on is kept here, only what is shown beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def _hear(future: "asyncio.Future[Value]") -> None:
    if not future.cancelled():
        future.exception()


class Loader(Generic[Key, Value]):
    """Memo of one async lookup, for one request."""

    __slots__ = ("_futures", "_load")

    def __init__(self, load: Callable[[Key], Awaitable[Value]]) -> None:
        self._load = load
        self._futures: dict[Key, asyncio.Future[Value]] = {}

    async def get(self, key: Key) -> Value:
        """The value of `key`. Raises what the lookup raised, to every asker of that key."""
        future = self._futures.get(key)
        if future is None:
            future = self._futures[key] = asyncio.ensure_future(self._call(key))
            # A request that ran out of time leaves nobody to hear of a failure; asyncio would log its message.
            future.add_done_callback(_hear)
        return await asyncio.shield(future)

    async def _call(self, key: Key) -> Value:
        return await self._load(key)
