"""One lookup for each key in a request. A page of fifty records of one author asks for that author once; what fifty
records refer to is asked for in one go.

True here: concurrent askers of a key share one call, and its answer lives as long as the request, no longer: nothing
that a decision stands on is kept here, only what is shown beside it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

Group = TypeVar("Group", bound=Hashable)


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


class Batch(Generic[Group, Key, Value]):
    """Memo of a lookup of many keys at once: those of a group that are asked for before the loop gets its turn."""

    __slots__ = ("_ceiling", "_load", "_most", "_open", "_places")

    def __init__(
        self, load: Callable[[Group, Sequence[Key]], Awaitable[Sequence[Value]]], *, most: int, ceiling: Exception
    ) -> None:
        """A request that asks for more than `most` keys gets `ceiling` for each that is too many."""
        self._load = load
        self._most = most
        self._ceiling = ceiling
        self._open: dict[Group, tuple[list[Key], asyncio.Task[Sequence[Value]]]] = {}
        self._places: dict[tuple[Group, Key], tuple[asyncio.Task[Sequence[Value]], int]] = {}

    def get(self, group: Group, key: Key) -> Awaitable[Value]:
        """Notes the key at once; the value is awaited. Raises what the lookup raised, to every asker of its keys."""
        place = self._places.get((group, key))
        if place is None:
            if len(self._places) >= self._most:
                return self._refuse()
            if group not in self._open:
                keys: list[Key] = []
                task = asyncio.ensure_future(self._run(group, keys))
                task.add_done_callback(_hear)
                self._open[group] = (keys, task)
            keys, task = self._open[group]
            place = self._places[(group, key)] = (task, len(keys))
            keys.append(key)
        return self._pick(*place)

    async def _run(self, group: Group, keys: list[Key]) -> Sequence[Value]:
        del self._open[group]
        return await self._load(group, keys)

    async def _pick(self, task: "asyncio.Task[Sequence[Value]]", at: int) -> Value:
        return (await asyncio.shield(task))[at]

    async def _refuse(self) -> Value:
        raise self._ceiling
