"""Octets whose number nobody knows beforehand: made while they are sent, squeezed where the client takes it.

Source: RFC 9110, sections 12.5.3 and 8.4.1.3; RFC 1952.
"""

import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from gateway.records.contents import Again
from gateway.web.replies import HeaderList

PIECE: Final = 64 * 1024
"""Octets that are gathered before they are sent."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What was decided on; good for one answer. `octets` raises ConsentryError where it may not go on: the answer is
    then cut short."""

    content_type: str
    told: HeaderList
    octets: Callable[[Again], AsyncGenerator[bytes, None]] = field(repr=False)


def takes_gzip(accepted: bytes | None) -> bool:
    """By an Accept-Encoding header: gzip, or whatever there is, and not at weight 0."""
    if accepted is None:
        return False
    weights: dict[str, float] = {}
    for one in accepted.decode("latin-1").lower().split(","):
        name, _, weight = (part.strip() for part in one.partition(";"))
        try:
            weights[name] = float(weight.removeprefix("q=")) if weight else 1.0
        except ValueError:
            weights[name] = 0.0
    named = weights.get("gzip", weights.get("x-gzip"))
    return (weights.get("*", 0.0) if named is None else named) > 0.0


async def gathered(octets: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """In pieces of `PIECE` or a little more."""
    held = bytearray()
    async with aclosing(octets):
        async for one in octets:
            held += one
            if len(held) >= PIECE:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


async def squeezed(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """As one gzip member."""
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    async with aclosing(pieces):
        async for piece in pieces:
            if made := packing.compress(piece) + packing.flush(zlib.Z_SYNC_FLUSH):
                yield made
    yield packing.flush()
