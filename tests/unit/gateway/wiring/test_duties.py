"""A duty that is hindered is named, and so is one that ended."""

import asyncio
from contextlib import AsyncExitStack

from gateway.wiring.duties import Duties


class Hindered:
    trouble: str | None = "the vault is away"

    async def run(self) -> None:
        await asyncio.Event().wait()


class Faulty:
    trouble: str | None = None

    async def run(self) -> None:
        raise TypeError("nobody foresaw it")


async def test_what_is_in_the_way_is_told_and_an_end_too() -> None:
    async with AsyncExitStack() as closing:
        duties = Duties()
        duties.begin("erasures", Hindered(), closing)
        duties.begin("pinning", Faulty(), closing)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert duties.troubles() == {
            "erasures": "the vault is away",
            "pinning": "ended (TypeError): start this process anew",
        }
