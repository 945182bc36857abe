"""A worker of its own tells what is in its way, and ends where a part of it has ended."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from gateway.errors import UpstreamError
from gateway.wiring import worker
from gateway.wiring.worker import Worker


class Parts:
    def __init__(self) -> None:
        self.way: dict[str, str] = {}
        self.gone: dict[str, str] = {}

    def troubles(self) -> dict[str, str]:
        return self.way | self.gone

    def ended(self) -> dict[str, str]:
        return self.gone


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(worker, "WATCH_SECONDS", 0.001)
    return Parts()


async def test_what_is_in_the_way_is_logged_once_and_its_end_too(parts: Parts) -> None:
    parts.way = {"lane anchors": "the chain is away"}
    with capture_logs() as logs:
        watching = asyncio.create_task(Worker(parts, AsyncExitStack()).watch())
        await asyncio.sleep(0.05)
        parts.way = {}
        await asyncio.sleep(0.05)
        watching.cancel()
    assert [{name: line[name] for name in line if name != "log_level"} for line in logs] == [
        {"event": "chain", "lane_anchors": "the chain is away"},
        {"event": "chain"},
    ]


async def test_it_ends_with_a_part_that_ended(parts: Parts) -> None:
    parts.gone = {"anchoring worker": "ended (TypeError): start this process anew"}
    with capture_logs() as logs, pytest.raises(UpstreamError, match=r"anchoring worker ended \(TypeError\)"):
        await asyncio.wait_for(Worker(parts, AsyncExitStack()).watch(), 2)
    assert len(logs) == 1
