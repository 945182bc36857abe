"""What every command needs: its settings, an event loop, and a voice. Imports little, so that help is quick."""

import asyncio
import contextlib
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from gateway.settings import Settings

T = TypeVar("T")


def say(text: str) -> None:
    """Told at once, also where the output is a file."""
    typer.echo(text)
    sys.stdout.flush()


def settings(**overrides: object) -> "Settings":
    """Raises SettingsError naming each wrong variable."""
    from gateway.settings import load

    return load(**overrides)


def use(config: Path | None) -> None:
    """The TOML file that an option names."""
    if config is not None:
        os.environ["CONSENTRY_CONFIG"] = str(config)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While what a command needs is imported: all of it stays, and the collector that looks through it again and again
    finds nothing (a tenth of the time that the gateway's imports take)."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Runs to its end in an event loop of its own."""
    import uvloop

    # Whatever a command makes is its owner's alone: SQLite and the block store take the process's mask.
    os.umask(0o077)

    async def wrapped() -> T:
        return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(wrapped())
