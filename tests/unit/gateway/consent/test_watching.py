"""Who listens hears of what moved in the database, whatever hints were lost."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from gateway.adapters.local_bus import LocalBus
from gateway.consent.names import topic
from gateway.consent.watching import LOOK_SECONDS, MOVED, Watched, Watching
from gateway.errors import UpstreamError
from gateway.ids import SubjectId
from gateway.ports.clock import SystemClock
from gateway.ports.index import Index

ONE, OTHER, ACTOR = SubjectId(b"\x01" * 32), SubjectId(b"\x02" * 32), b"\x03" * 32


class Versions:
    """The index's one question that is asked here. `away`: it does not answer."""

    def __init__(self) -> None:
        self.now: dict[bytes, int] = {}
        self.asked = 0
        self.away = False

    async def versions_of(self, names: Sequence[bytes]) -> Mapping[bytes, int]:
        self.asked += 1
        if self.away:
            raise UpstreamError("the database does not answer")
        return {name: self.now.get(name, 0) for name in names}


@pytest.fixture
def versions() -> Versions:
    return Versions()


@pytest.fixture
def watching(versions: Versions) -> Watching:
    return Watching(bus=LocalBus(SystemClock()), index=cast("Index", versions))


async def told(listening: Watched, *, seconds: float = 20 * LOOK_SECONDS) -> bytes:
    return await asyncio.wait_for(anext(listening), seconds)


@pytest.mark.parametrize("name", [ONE, ACTOR])
async def test_a_name_that_moved_is_told_though_no_hint_came(
    watching: Watching, versions: Versions, name: bytes
) -> None:
    listening = watching.listen(ONE, [ACTOR])
    assert await told(listening) == MOVED
    versions.now[name] = 1
    assert await told(listening) == MOVED
    await listening.aclose()


async def test_what_moved_for_another_is_not_told(watching: Watching, versions: Versions) -> None:
    listening, others = watching.listen(ONE), watching.listen(OTHER)
    assert [await told(listening), await told(others)] == [MOVED, MOVED]
    versions.now[OTHER] = 1
    assert await told(others) == MOVED
    with pytest.raises(TimeoutError):
        await told(listening, seconds=3 * LOOK_SECONDS)
    for one in (listening, others):
        await one.aclose()


async def test_a_hint_is_passed_on_at_once(versions: Versions) -> None:
    bus = LocalBus(SystemClock())
    listening = Watching(bus=bus, index=cast("Index", versions)).listen(ONE)
    await bus.publish(topic(ONE), b"record:x")
    assert await told(listening) == b"record:x"
    await listening.aclose()


async def test_a_database_that_was_away_is_asked_again(watching: Watching, versions: Versions) -> None:
    versions.away = True
    listening = watching.listen(ONE)
    with pytest.raises(TimeoutError):
        await told(listening, seconds=2 * LOOK_SECONDS)
    versions.away = False
    listening = watching.listen(ONE)
    assert await told(listening) == MOVED
    await listening.aclose()


async def test_nothing_is_asked_when_nobody_listens(watching: Watching, versions: Versions) -> None:
    listening = watching.listen(ONE)
    await told(listening)
    await listening.aclose()
    await asyncio.sleep(2 * LOOK_SECONDS)
    asked = versions.asked
    await asyncio.sleep(3 * LOOK_SECONDS)
    assert versions.asked == asked
