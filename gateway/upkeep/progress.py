"""What an operator sees while a long command works: a line a step on stderr, told again each second at most."""

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

SECONDS = 1.0


class Shown:
    """`gateway.upkeep.report.Progress` on stderr. Use it as a context, which ends with how far each step came."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for step, count in self._counts.items():
            sys.stderr.write(f"{step}: {count}\n")

    def __call__(self, step: str, count: int) -> None:
        self._counts[step] += count
        if time.monotonic() - self._told >= SECONDS:
            self._told = time.monotonic()
            sys.stderr.write(f"{step}: {self._counts[step]}\n")
            sys.stderr.flush()
