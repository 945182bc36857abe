"""When a batch closes, and what is then fixed: its leaves, its root and its manifest. Pure; the worker writes.

A manifest names leaf, CID and locator of each ticket, nothing more, in order of arrival, as deterministic DAG-CBOR:
the same tickets always give the same bytes, so an interrupted cut repeats itself exactly.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchoring.errors import ProofInvalid
from anchoring.merkle import MerkleTree
from anchoring.model import Ticket

MANIFEST_VERSION: Final = 1
RAW_SHA256: Final = bytes((0x01, 0x55, 0x12, 0x20))
"""CIDv1, raw codec, sha2-256, 32 bytes: what stands before the digest in a binary CID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """A batch closes at `size` tickets, or when its oldest was first seen `age` seconds ago."""

    size: int = 1024
    age: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A batch that is decided but not yet written."""

    log: bytes
    tickets: tuple[Ticket, ...]
    root: bytes
    manifest: bytes
    manifest_digest: bytes


def is_due(policy: BatchPolicy, *, waiting: int, oldest_age: float) -> bool:
    """Whether the tickets of one log that wait are to be cut now. `oldest_age`: seconds since the oldest was seen."""
    return waiting >= policy.size or (waiting > 0 and oldest_age >= policy.age)


def cut(tickets: Sequence[Ticket]) -> Cut:
    """The batch of these tickets. Raises ProofInvalid for none, for two logs, or for a leaf that is there twice."""
    if len({ticket.log for ticket in tickets}) != 1 or len({ticket.leaf for ticket in tickets}) != len(tickets):
        raise ProofInvalid("a batch is of one log, and has each leaf once")
    ordered = tuple(sorted(tickets, key=lambda ticket: ticket.seq))
    manifest = manifest_of(ordered)
    return Cut(
        log=ordered[0].log,
        tickets=ordered,
        root=MerkleTree([ticket.leaf for ticket in ordered]).root,
        manifest=manifest,
        manifest_digest=hashlib.sha256(manifest).digest(),
    )


def manifest_of(tickets: Sequence[Ticket]) -> bytes:
    """DAG-CBOR of {version, log, entries: [[leaf, CID, locator], …]}. CIDs are bytes, not links: pinning a manifest
    must not pin what it lists, or nothing could be erased. A ticket without a block has empty bytes; of a batch of
    audit entries the first names the segment that holds them all."""
    written = bytearray(_head(_MAP, 3) + _text(b"log") + _octets(tickets[0].log))
    written += _text(b"entries") + _head(_LIST, len(tickets))
    for ticket in tickets:
        written += _head(_LIST, 3) + _octets(ticket.leaf) + _octets(_cid(ticket.cid_digest)) + _octets(ticket.locator)
    written += _text(b"version") + _head(_UNSIGNED, MANIFEST_VERSION)
    return bytes(written)


def _head(major: int, argument: int) -> bytes:
    """In the fewest octets, as DAG-CBOR demands."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    for size, sign in ((1, 24), (2, 25), (4, 26)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | sign,)) + argument.to_bytes(size)
    raise ProofInvalid("too long for a manifest")


def _octets(octets: bytes) -> bytes:
    return _head(_BYTES, len(octets)) + octets


def _text(text: bytes) -> bytes:
    return _head(_TEXT, len(text)) + text


def read_manifest(manifest: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes, bytes], ...]]:
    """(log, (leaf, CID digest or empty, locator) of each). Raises ProofInvalid for what `manifest_of` never wrote.

    Reads this one shape, in one pass bounded by the input: general decoders of CBOR let hostile bytes choose depths,
    lengths and exceptions.
    """
    reader = _Reader(manifest)
    reader.expect(_MAP, 3)
    reader.expect_text(b"log")
    log = reader.octets()
    reader.expect_text(b"entries")
    entries = tuple(_entry(reader) for _ in range(reader.head(_LIST)))
    reader.expect_text(b"version")
    reader.expect(_UNSIGNED, MANIFEST_VERSION)
    if reader.rest or len(log) != 32:
        raise ProofInvalid("a manifest of another shape")
    return log, entries


_UNSIGNED, _BYTES, _TEXT, _LIST, _MAP = 0, 2, 3, 4, 5
"""Major types of RFC 8949, section 3.1."""


class _Reader:
    """CBOR heads and strings of definite length, front to back. Raises ProofInvalid at the first surprise."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def rest(self) -> int:
        return len(self._data) - self._at

    def head(self, major: int) -> int:
        """The argument of a head of this major type; never more than the octets that are left."""
        (first,) = self._take(1)
        size = first & 31
        argument = size if size < 24 else int.from_bytes(self._take({24: 1, 25: 2, 26: 4}.get(size, self.rest + 1)))
        if first >> 5 != major or argument > max(self.rest, MANIFEST_VERSION):
            raise ProofInvalid("a manifest of another shape")
        return argument

    def octets(self) -> bytes:
        return self._take(self.head(_BYTES))

    def expect(self, major: int, argument: int) -> None:
        if self.head(major) != argument:
            raise ProofInvalid("a manifest of another shape")

    def expect_text(self, text: bytes) -> None:
        if self._take(self.head(_TEXT)) != text:
            raise ProofInvalid("a manifest of another shape")

    def _take(self, count: int) -> bytes:
        if count > self.rest:
            raise ProofInvalid("a manifest that is cut short")
        self._at += count
        return self._data[self._at - count : self._at]


def _entry(reader: _Reader) -> tuple[bytes, bytes, bytes]:
    reader.expect(_LIST, 3)
    leaf, cid, locator = reader.octets(), reader.octets(), reader.octets()
    if len(leaf) != 32:
        raise ProofInvalid("a leaf that is not 32 bytes")
    return leaf, cid.removeprefix(RAW_SHA256), locator


def _cid(digest: bytes) -> bytes:
    return digest if len(digest) != 32 else RAW_SHA256 + digest
