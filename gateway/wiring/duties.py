"""What runs beside the answers for as long as the gateway does, and what is in its way."""

import asyncio
from contextlib import AsyncExitStack
from typing import Protocol

import structlog


class Duty(Protocol):
    """`run` goes on for ever; `trouble` says why it comes no further, if it does not."""

    @property
    def trouble(self) -> str | None: ...

    async def run(self) -> None: ...


class Duties:
    """By name. One that ended is a fault of ours: nothing begins it again until the gateway is restarted."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Duty, asyncio.Task[None]]] = {}

    def begin(self, name: str, duty: Duty, closing: AsyncExitStack) -> None:
        task = asyncio.create_task(duty.run(), name=name)
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
    error = None if task.cancelled() else task.exception()
    return "cancelled" if task.cancelled() else type(error).__name__
