"""How much of a document of ODM is read: it is in memory as a whole, about a kilobyte an element.

Two sets: whatever somebody sends to a gateway is bounded so that many can; who reads a file of their own, on their own
machine, may have a whole study in it.
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import LimitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`elements`: of all kinds, the outermost counted."""

    octets: int
    elements: int

    def check(self, octets: bytes, *, field: tuple[str, ...]) -> None:
        """Raises LimitError."""
        if len(octets) > self.octets:
            raise LimitError(f"is larger than {self.octets} octets", field=field)


BOUNDS: Final = Bounds(octets=32 << 20, elements=500_000)
OWN: Final = Bounds(octets=512 << 20, elements=5_000_000)
