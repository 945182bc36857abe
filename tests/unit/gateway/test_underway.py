"""A request's time and place: bounded, prolonged, and given up while it waits for the chain; and what it may open."""

import asyncio
import time

import pytest

from gateway.errors import LimitError
from gateway.underway import (
    MOST_WAITING,
    Allowance,
    Places,
    Turns,
    allow,
    aside,
    bounded,
    prolong,
    releasing,
    walking,
)


async def test_a_request_is_given_up_when_its_seconds_are_over() -> None:
    with pytest.raises(TimeoutError):
        async with bounded(0.02):
            await asyncio.sleep(1)


async def test_long_work_asks_for_more() -> None:
    async with bounded(0.02):
        prolong(1)
        await asyncio.sleep(0.05)


async def test_time_aside_does_not_count() -> None:
    async with bounded(0.5):
        async with aside():
            await asyncio.sleep(0.6)
        await asyncio.sleep(0.01)


async def test_what_is_left_after_time_aside_is_what_was_left_before() -> None:
    async def late() -> None:
        async with bounded(0.05):
            async with aside():
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.2)

    with pytest.raises(TimeoutError):
        await late()


async def test_an_inner_bound_is_the_outer_ones() -> None:
    async def inner() -> None:
        async with bounded(0.02), bounded(10):
            await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        await inner()


async def test_a_place_is_free_while_its_request_stands_aside() -> None:
    places = Places(1)
    with places.one():
        assert places.full
        async with aside():
            assert not places.full
        assert places.full
    assert places.taken == 0


async def test_outside_a_request_nothing_is_bounded() -> None:
    prolong(1)
    async with aside():
        await asyncio.sleep(0)


async def test_what_takes_but_a_moment_keeps_its_place_and_what_takes_longer_does_not() -> None:
    places = Places(1)
    with places.one():
        async with aside(after=0.02):
            assert places.full
            await asyncio.sleep(0.06)
            assert not places.full
            with places.one():
                assert not places.crowded
        assert places.full
        async with aside(after=1.0):
            await asyncio.sleep(0)
            assert places.full


async def test_who_comes_back_when_others_have_come_is_one_too_many() -> None:
    places, coming = Places(1), asyncio.Event()

    async def other() -> None:
        with places.one():
            await coming.wait()

    with places.one():
        async with aside():
            beside = asyncio.create_task(other())
            await asyncio.sleep(0)
        assert places.crowded
        coming.set()
        await beside
        assert not places.crowded


async def test_a_place_comes_back_though_the_time_is_over_in_the_moment_of_leaving() -> None:
    places = Places(1)

    async def late() -> None:
        async with bounded(0.01), aside(after=0.011):
            time.sleep(0.05)  # both are due at once
            await asyncio.sleep(1)

    with places.one():
        with pytest.raises(TimeoutError):
            await late()
        assert places.taken == 1
    assert places.taken == 0


async def test_an_allowance_is_shared_by_all_tasks_of_a_request() -> None:
    allow(Allowance(records=3))
    await asyncio.gather(*(asyncio.create_task(_release(1)) for _ in range(3)))
    with pytest.raises(LimitError):
        releasing(0)


async def _release(octets: int) -> None:
    releasing(octets)


async def test_an_allowance_is_of_records_their_octets_and_their_lists() -> None:
    allow(Allowance(octets=10, parts=4))
    releasing(10)
    with pytest.raises(LimitError):
        releasing(1)
    walking(4)
    with pytest.raises(LimitError):
        walking(1)


async def test_what_is_renewed_counts_anew() -> None:
    allowance = Allowance(records=1, parts=1)
    allow(allowance)
    for _ in range(3):
        releasing(5)
        walking(1)
        assert allowance.octets == 5
        allowance.renew()


async def test_outside_a_request_nothing_is_counted() -> None:
    await asyncio.create_task(_release(2**40))
    walking(2**40)


async def test_few_wait_for_a_turn_and_the_next_is_refused() -> None:
    turns, done = Turns(), []

    async def work(number: int) -> None:
        async with turns.one():
            done.append(number)

    async with turns.one():
        waiting = [asyncio.create_task(work(number)) for number in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(LimitError):
            await work(-1)
    await asyncio.gather(*waiting)
    assert done == list(range(MOST_WAITING))
    await work(-2)
    assert done[-1] == -2
