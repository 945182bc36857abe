"""Time and randomness enter through here, so that a decision can be replayed."""

import secrets
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back."""
        ...


class Entropy(Protocol):
    def bytes(self, size: int) -> bytes: ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class SystemEntropy:
    """The operating system's randomness."""

    def bytes(self, size: int) -> bytes:
        return secrets.token_bytes(size)
