"""Octets of a file as they come: regrouped, unpacked, cut into lines.

True here: in memory is one group of octets; what is unpacked is counted, and stops at the bound; a packed stream that
ends early, or goes on after its end, is refused.
Sources: RFC 1950 (zlib), RFC 1952 (gzip).
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from gateway.trials.tabulation.places import fault, limit

GROUP: Final = 65_536
MOST_UNPACKED: Final = 4 * 2**30
"""Octets that one packed file may unpack to."""
_GZIP: Final = b"\x1f\x8b"


def grouped(octets: Iterable[bytes], *, size: int = GROUP) -> Iterator[bytes]:
    """The same octets in groups of at least `size` and less than twice that; only the last may be shorter. Tiny pieces
    cost no more than large ones, and one huge piece is not copied again and again."""
    parts: list[bytes] = []
    held = 0
    for part in octets:
        parts.append(part)
        held += len(part)
        if held >= size:
            data = b"".join(parts)
            ends = [*range(size, held - size + 1, size), held]
            yield from (data[start:end] for start, end in pairwise([0, *ends]))
            parts, held = [], 0
    if held:
        yield b"".join(parts)


def unpacked(octets: Iterable[bytes], *, file: str, most: int = MOST_UNPACKED) -> Iterator[bytes]:
    """Of a zlib or gzip stream, by its first octets; a gzip file of several members too. Raises LimitError beyond
    `most` octets, CallerError for a broken stream."""
    made, left = 0, b""
    reading: zlib._Decompress | None = None
    several = False
    for part in grouped(octets):
        data = left + part
        while data:
            if reading is None:
                if len(data) < 2:
                    break
                several = data.startswith(_GZIP)
                reading = zlib.decompressobj(31 if several else 15)
            out, data = _step(reading, data, file)
            made += len(out)
            if made > most:
                raise limit(f"unpacks to more than {most} octets", file=file)
            if out:
                yield out
            if reading.eof:
                if data and not (several and _GZIP.startswith(data[:2])):
                    raise fault("goes on after its packed stream has ended", file=file)
                reading = None
        left = data
    if reading is not None or left or not made:
        raise fault("ends within its packed stream", file=file)


def lines(octets: Iterable[bytes], *, file: str, longest: int) -> Iterator[bytes]:
    """Lines without their ends (LF, or CR LF). The last needs no end. Raises LimitError for a line of more than
    `longest` octets."""
    left: list[bytes] = []
    held = 0
    for part in grouped(octets):
        *ended, rest = part.split(b"\n")
        if ended:
            ended[0] = b"".join([*left, ended[0]])
            left, held = [], 0
        for line in ended:
            if len(line) > longest:
                raise limit(f"a line is longer than {longest} octets", file=file)
            yield line.removesuffix(b"\r")
        left.append(rest)
        held += len(rest)
        if held > longest:
            raise limit(f"a line is longer than {longest} octets", file=file)
    if held:
        yield b"".join(left)


def _step(reading: "zlib._Decompress", data: bytes, file: str) -> tuple[bytes, bytes]:
    """Some octets, and what of the packed ones is still to be read."""
    try:
        out = reading.decompress(data, GROUP)
    except zlib.error as error:
        raise fault("is no sound zlib or gzip stream", file=file) from error
    return out, reading.unused_data if reading.eof else reading.unconsumed_tail
