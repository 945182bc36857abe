"""Time and randomness enter through here, so that a decision can be replayed."""

import secrets
import time
from typing import Final, Protocol

NAMES_AT_ONCE: Final = 64


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


class Steady:
    """The time by a clock that nobody sets: what was read once, gone on with by the monotonic one. Where the host's
    clock is stepped in mid-run, this neither revives what has ended nor ends what denies."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now() - clock.monotonic()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._began + self._clock.monotonic()


class SystemEntropy:
    """The operating system's randomness."""

    def bytes(self, size: int) -> bytes:
        return secrets.token_bytes(size)


class RandomNames:
    """Random octets that name things and are no secrets: the system is asked for many at a time."""

    def __init__(self, entropy: Entropy, *, size: int) -> None:
        self._entropy = entropy
        self._size = size
        self._drawn: list[bytes] = []

    def next(self) -> bytes:
        if not self._drawn:
            drawn = self._entropy.bytes(self._size * NAMES_AT_ONCE)
            self._drawn = [drawn[at : at + self._size] for at in range(0, len(drawn), self._size)]
        return self._drawn.pop()
