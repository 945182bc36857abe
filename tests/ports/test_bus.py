"""One suite for every bus: hints reach who listens, buckets bound, and a lost redis costs neither errors nor safety."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.adapters.local_bus import BACKLOG, LocalBus
from gateway.adapters.redis_bus import RedisBus
from gateway.errors import UpstreamError
from gateway.ports.clock import SystemClock
from tests.servers.redis import Redis, running_redis

BUSES = ["local", pytest.param("redis", marks=pytest.mark.services)]
Bus = LocalBus | RedisBus


class StoppedClock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(params=BUSES)
async def bus(request: pytest.FixtureRequest, clock: StoppedClock) -> AsyncIterator[Bus]:
    if request.param == "local":
        yield LocalBus(clock)
        return
    made = RedisBus(request.getfixturevalue("redis_server").url, clock)
    made.start()
    yield made
    await made.close()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    return request.node.nodeid + str(time.monotonic_ns())


async def taken(bus: Bus, key: str, *, times: int, rate: float = 1.0, burst: int = 3) -> int:
    return sum([await bus.allow(key, rate=rate, burst=burst) for _ in range(times)])


async def heard(messages: AsyncIterator[bytes], *, within: float = 3.0) -> bytes:
    return await asyncio.wait_for(anext(messages), within)


async def until(condition: Callable[[], object], *, within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_what_is_published_reaches_who_listens(bus: Bus) -> None:
    messages = bus.subscribe("t")
    await bus.publish("t", b"\x00hint\x00")
    assert await heard(messages) == b"\x00hint\x00"


async def test_every_listener_of_a_topic_hears_once(bus: Bus) -> None:
    first, second = bus.subscribe("t"), bus.subscribe("t")
    await bus.publish("t", b"1")
    await bus.publish("t", b"2")
    assert [await heard(one) for one in (first, first, second, second)] == [b"1", b"2", b"1", b"2"]


async def test_other_topics_are_not_heard(bus: Bus) -> None:
    messages = bus.subscribe("mine")
    await bus.publish("other", b"1")
    await bus.publish("mine", b"2")
    assert await heard(messages) == b"2"


async def test_a_slow_listener_loses_the_oldest(bus: Bus) -> None:
    messages = bus.subscribe("t")
    for number in range(BACKLOG + 1):
        await bus.publish("t", str(number).encode())
    assert await heard(messages) == b"1"


async def test_a_closed_listener_ends_also_while_it_waits(bus: Bus) -> None:
    messages = bus.subscribe("t")
    waiting = asyncio.ensure_future(anext(messages, b"ended"))
    await asyncio.sleep(0)
    await messages.aclose()
    assert await asyncio.wait_for(waiting, 1.0) == b"ended"


async def test_a_bucket_lets_its_burst_through_and_no_more(bus: Bus, key: str) -> None:
    assert await taken(bus, key, times=5, burst=3) == 3


async def test_a_bucket_fills_again_with_time_and_never_past_its_size(bus: Bus, clock: StoppedClock, key: str) -> None:
    await taken(bus, key, times=3)
    clock.seconds += 1.5
    one = await taken(bus, key, times=3)
    clock.seconds += 1_000.0
    assert (one, await taken(bus, key, times=9)) == (1, 3)


async def test_a_clock_set_back_fills_no_bucket(bus: Bus, clock: StoppedClock, key: str) -> None:
    await taken(bus, key, times=3)
    clock.seconds -= 500.0
    assert await taken(bus, key, times=3) == 0


async def test_buckets_of_two_keys_are_two(bus: Bus, key: str) -> None:
    await taken(bus, key, times=3)
    assert await taken(bus, key + "'", times=1) == 1


@pytest.fixture
async def pair(redis_server: Redis) -> AsyncIterator[tuple[RedisBus, RedisBus]]:
    buses = RedisBus(redis_server.url, SystemClock()), RedisBus(redis_server.url, SystemClock())
    for one in buses:
        one.start()
    await reach(*buses)
    yield buses
    for one in buses:
        await one.close()


async def reach(sender: RedisBus, listener: RedisBus, *, within: float = 15.0) -> None:
    """Returns once a message of `sender` came to `listener`."""
    messages = listener.subscribe("probe")
    deadline = time.monotonic() + within
    while True:
        await sender.publish("probe", b"?")
        try:
            await heard(messages, within=0.2)
        except TimeoutError:
            assert time.monotonic() < deadline
            continue
        await messages.aclose()
        return


@pytest.mark.services
async def test_two_processes_hear_each_other_and_themselves_once(pair: tuple[RedisBus, RedisBus]) -> None:
    first, second = pair
    own, other = first.subscribe("t"), second.subscribe("t")
    await first.publish("t", b"1")
    await first.publish("t", b"2")
    assert [await heard(one) for one in (own, own, other, other)] == [b"1", b"2", b"1", b"2"]


@pytest.mark.services
async def test_two_processes_share_one_bucket(pair: tuple[RedisBus, RedisBus], key: str) -> None:
    first, second = pair
    through = await taken(first, key, times=3, rate=0.001) + await taken(second, key, times=3, rate=0.001)
    assert through == 3


@pytest.fixture
async def lonely() -> AsyncIterator[tuple[RedisBus, Redis]]:
    """A bus with a redis of its own, which a test may lose."""
    with running_redis() as server:
        bus = RedisBus(server.url, SystemClock())
        bus.start()
        await bus.check()
        yield bus, server
        await bus.close()


@pytest.mark.services
async def test_without_redis_the_local_bucket_decides_and_nothing_raises(
    lonely: tuple[RedisBus, Redis], key: str
) -> None:
    bus, server = lonely
    messages = bus.subscribe("t")
    server.process.kill()
    await bus.publish("t", b"still heard here")
    assert await heard(messages) == b"still heard here"
    assert await taken(bus, key, times=5, rate=0.001) == 3


@pytest.mark.services
async def test_a_dead_redis_costs_no_call_more_than_its_bound(lonely: tuple[RedisBus, Redis], key: str) -> None:
    bus, server = lonely
    server.process.kill()
    started = time.monotonic()
    await taken(bus, key, times=100)
    assert time.monotonic() - started < 2.0


@pytest.mark.services
async def test_a_frozen_redis_costs_no_call_more_than_its_bound(lonely: tuple[RedisBus, Redis], key: str) -> None:
    bus, server = lonely
    server.process.suspend()
    started = time.monotonic()
    await taken(bus, key, times=100)
    await bus.publish("t", b"1")
    spent = time.monotonic() - started
    server.process.resume()
    assert spent < 3.0


@pytest.mark.services
async def test_a_redis_that_is_away_fails_the_check(lonely: tuple[RedisBus, Redis]) -> None:
    bus, server = lonely
    server.process.kill()
    with pytest.raises(UpstreamError):
        await bus.check()


@pytest.mark.services
async def test_a_bus_recovers_by_itself_when_redis_is_back(lonely: tuple[RedisBus, Redis]) -> None:
    bus, server = lonely
    other = RedisBus(server.url, SystemClock())
    other.start()
    await reach(other, bus)
    server.process.kill()
    await bus.publish("t", b"lost")
    server.process.start()
    await reach(other, bus)
    await reach(bus, other)
    await other.close()


@pytest.mark.services
async def test_what_a_stranger_writes_into_redis_is_a_hint_at_most(lonely: tuple[RedisBus, Redis]) -> None:
    bus, _ = lonely
    messages = bus.subscribe("t")
    for payload in (b"", b"\x00", b"no origin", b"\xff" * 9):
        await bus._client.publish("consentry:t", payload)
    hints = [await heard(messages) for _ in range(4)]
    await bus.publish("t", b"alive")
    assert (hints, await heard(messages)) == ([b"", b"", b"", b""], b"alive")


async def test_octets_that_are_no_redis_cost_a_hint_and_not_an_answer() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for garbled in (b":x1\r\n", b"%q\r\n", b"$-x\r\nabc", b"*1\r\n*1\r\n:\xff\r\n"):
            if not await reader.read(4096):
                break
            writer.write(garbled)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    bus = RedisBus(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", SystemClock())
    bus.start()
    for _ in range(5):
        await bus.publish("subject:00", b"x")
        assert await bus.allow("somebody", rate=1.0, burst=100)
        bus._away_until = 0.0
    assert bus._listener is not None
    assert not bus._listener.done()
    await bus.close()
    server.close()
