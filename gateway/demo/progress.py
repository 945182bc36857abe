"""What a person sees while it works: bars on a terminal, a line a step elsewhere. Nothing is decided here."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

Advance = Callable[[int], None]


class Stages:
    """Steps under way. A context manager; safe to advance from threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        if console.is_terminal:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )

    def __enter__(self) -> "Stages":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, line: str, *, style: str = "") -> None:
        """A line that stays. Text from outside is never read as markup."""
        self._console.print(Text(line, style=style))

    def show(self, table: Table) -> None:
        self._console.print(table)

    def stage(self, name: str, *, total: int, durations: dict[str, float], key: str) -> AbstractContextManager[Advance]:
        """A step: yields what moves it on; its seconds go into `durations` also where it fails."""
        return self._bar(name, total, durations, key) if self._bars else self._line(name, total, durations, key)

    @contextmanager
    def _bar(self, name: str, total: int, durations: dict[str, float], key: str) -> Iterator[Advance]:
        if self._bars is None:
            raise AssertionError("bars are for terminals")
        bars, started = self._bars, time.perf_counter()
        task = bars.add_task(name, total=total or None)
        try:
            yield lambda step: bars.advance(task, step)
        finally:
            durations[key] = time.perf_counter() - started
            bars.remove_task(task)

    @contextmanager
    def _line(self, name: str, total: int, durations: dict[str, float], key: str) -> Iterator[Advance]:
        started, done = time.perf_counter(), 0

        def advance(step: int) -> None:
            nonlocal done
            done += step

        try:
            yield advance
        finally:
            durations[key] = time.perf_counter() - started
            progress = f" {done} of {total}" if total else ""
            self.say(f"{name}:{progress} in {durations[key]:.2f} s")
