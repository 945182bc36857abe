"""What runs beside the answers for as long as the gateway does, and what is in its way."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, Protocol

import structlog

from gateway.errors import frames_of

REST_SECONDS: Final = 1.0
"""Between the end of a part that should go on and its next beginning."""


class Duty(Protocol):
    """`run` goes on for ever; `trouble` says why it comes no further, if it does not."""

    @property
    def trouble(self) -> str | None: ...

    async def run(self) -> None: ...


async def kept_going(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Runs until `run` returns. What it raises is a fault of ours: told to the operator, and begun again, because a
    gateway whose follower or lane is gone would answer STALE until somebody came."""
    while True:
        try:
            return await run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is logged by type and frames; the part goes on
            structlog.get_logger("gateway").error(
                "a part ended and begins again", part=name, type=type(error).__name__, frames=frames_of(error)
            )
        await asyncio.sleep(REST_SECONDS)


class Duties:
    """By name. What ends without a fault is told, and not begun again."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Duty, asyncio.Task[None]]] = {}

    def begin(self, name: str, duty: Duty, closing: AsyncExitStack) -> None:
        task = asyncio.create_task(kept_going(name, duty.run), name=name)
        closing.callback(task.cancel)
        self._running[name] = (duty, task)

    def troubles(self) -> dict[str, str]:
        found = {name: duty.trouble for name, (duty, _) in self._running.items() if duty.trouble}
        return found | ended([task for _, task in self._running.values()])


class Troubles:
    """Logs what is in the way, whenever that changes."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("gateway")
        self._said: dict[str, str] = {}

    def tell(self, found: dict[str, str]) -> None:
        if found != self._said:
            self._said = found
            self._log.warning("chain", **{name.replace(" ", "_"): text for name, text in found.items()})


def ended(tasks: list[asyncio.Task[None]]) -> dict[str, str]:
    """Tasks that should go on and do not, by name."""
    return {task.get_name(): f"ended ({_ending(task)}): start this process anew" for task in tasks if task.done()}


def _ending(task: asyncio.Task[None]) -> str:
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return "returned" if error is None else type(error).__name__
