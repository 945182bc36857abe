"""Work that is begun before its turn: in order, so much at a time, and nothing left over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from gateway.errors import UpstreamError
from gateway.releases.ahead import ahead


class _Work:
    """Pieces by number; each waits for its gate, where there is one."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.gates: dict[int, asyncio.Event] = {}
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.failing: set[int] = set()

    async def pieces(self) -> AsyncIterator[Coroutine[Any, Any, int]]:
        for number in range(self.count):
            yield self._piece(number)

    async def _piece(self, number: int) -> int:
        self.begun.append(number)
        try:
            if number in self.gates:
                await self.gates[number].wait()
            if number in self.failing:
                raise UpstreamError("away")
            return number
        finally:
            self.ended.append(number)


async def test_results_come_in_order_whichever_is_done_first() -> None:
    work = _Work(5)
    work.gates[0] = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, work.gates[0].set)
    async with contextlib.aclosing(ahead(work.pieces(), most=3)) as found:
        assert [one async for one in found] == [0, 1, 2, 3, 4]
    assert work.ended[0] != 0


async def test_no_more_are_under_way_than_may_be() -> None:
    work = _Work(9)
    async with contextlib.aclosing(ahead(work.pieces(), most=3)) as found:
        assert await anext(found) == 0
        await asyncio.sleep(0)
        assert work.begun == [0, 1, 2]


async def test_of_nothing_comes_nothing() -> None:
    assert [one async for one in ahead(_Work(0).pieces(), most=3)] == []


async def test_a_failure_is_told_in_its_turn_and_ends_the_rest() -> None:
    work = _Work(9)
    work.failing.add(1)
    work.gates[2] = asyncio.Event()
    found = ahead(work.pieces(), most=3)
    assert await anext(found) == 0
    with pytest.raises(UpstreamError):
        await anext(found)
    assert sorted(work.ended) == sorted(work.begun)


async def test_who_gives_up_leaves_nothing_under_way() -> None:
    work = _Work(9)
    work.gates |= {number: asyncio.Event() for number in (1, 2)}
    async with contextlib.aclosing(ahead(work.pieces(), most=3)) as found:
        assert await anext(found) == 0
        await asyncio.sleep(0)
    assert sorted(work.ended) == sorted(work.begun) == [0, 1, 2]
