"""A duty that is hindered is named; one that failed is told and goes on; one that ended is named."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from gateway.wiring import duties as duties_module
from gateway.wiring.duties import Duties


class Hindered:
    trouble: str | None = "the vault is away"

    async def run(self) -> None:
        await asyncio.Event().wait()


class Faulty:
    """Fails three times with what nobody foresaw, and then goes on."""

    trouble: str | None = None

    def __init__(self) -> None:
        self.begun = 0

    async def run(self) -> None:
        self.begun += 1
        if self.begun <= 3:
            raise TypeError("Jane Doe has hypertension")
        await asyncio.Event().wait()


class Idle:
    trouble: str | None = None

    async def run(self) -> None:
        return


async def test_what_is_in_the_way_is_told_and_an_end_too() -> None:
    async with AsyncExitStack() as closing:
        duties = Duties()
        duties.begin("erasures", Hindered(), closing)
        duties.begin("pinning", Idle(), closing)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert duties.troubles() == {
            "erasures": "the vault is away",
            "pinning": "ended (returned): start this process anew",
        }


async def test_what_failed_begins_again_and_is_told_without_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties_module, "REST_SECONDS", 0.001)
    faulty = Faulty()
    with capture_logs() as logs:
        async with AsyncExitStack() as closing:
            duties = Duties()
            duties.begin("pinning", faulty, closing)
            async with asyncio.timeout(2):
                while faulty.begun < 4:
                    await asyncio.sleep(0.001)
            assert duties.troubles() == {}
    assert [(line["part"], line["type"], line["log_level"]) for line in logs] == [("pinning", "TypeError", "error")] * 3
    assert "Jane" not in str(logs)
    assert "test_duties.py" in logs[0]["frames"][-1]
