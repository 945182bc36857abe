"""The octets of a pack file: a head, then records, each with a checksum over its own header.

A record is a block, the order to remove one, or the note that its bytes are gone. The block's bytes have no checksum
of their own: their name is their SHA-256. Each pack has a random mark that starts its records, so bytes inside a block
cannot pose as a record when a reader looks for the next one after damage. Integers are big-endian.

    pack   = copy copy copy record*      copy = "CNSTPK01" mark(8); two equal ones suffice to read the pack
    record = mark(8) kind(1) codec(1) zero(2) size(4) digest(32) crc32(4) bytes(size)
"""

import os
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from gateway.storage.model import CID_SIZE, DIGEST_SIZE, Codec, decode_base32, encode_base32

PACK_MAGIC: Final = b"CNSTPK01"
MARK_SIZE: Final = 8
_COPY_SIZE: Final = len(PACK_MAGIC) + MARK_SIZE
PACK_HEAD_SIZE: Final = 3 * _COPY_SIZE
_HEAD: Final = struct.Struct(f">{MARK_SIZE}sBBHI{DIGEST_SIZE}s")
HEAD_SIZE: Final = _HEAD.size + 4
_DIGEST_AT: Final = _HEAD.size - DIGEST_SIZE
_SIZE_AT: Final = _DIGEST_AT - 4
_SEARCH_SIZE: Final = 1 << 20


class Kind(IntEnum):
    """What a record says about the block that it names."""

    BLOCK = 1
    REMOVED = 2
    ERASED = 3


_KINDS: Final = {kind.value: kind for kind in Kind}
_CODECS: Final = frozenset(codec.value for codec in Codec)


class Record(NamedTuple):
    """A whole record: the CID's text, and where its bytes lie in the pack."""

    kind: Kind
    cid: str
    offset: int
    size: int


class Damage(NamedTuple):
    """Octets between records that are no record. They are kept, reported and skipped."""

    offset: int
    size: int


class Torn(NamedTuple):
    """The last record is incomplete from here on: its writer died, so nobody was told that it was stored."""

    offset: int


def encode_pack_head(mark: bytes) -> bytes:
    """The start of a pack."""
    return (PACK_MAGIC + mark) * 3


def decode_pack_head(head: bytes) -> bytes | None:
    """The mark of the pack's records; None if these octets start no pack. One damaged copy is outvoted."""
    copies = [head[at : at + _COPY_SIZE] for at in range(0, PACK_HEAD_SIZE, _COPY_SIZE)]
    for copy in copies[:2]:
        if copies.count(copy) > 1 and copy.startswith(PACK_MAGIC):
            return copy[len(PACK_MAGIC) :]
    return None


def encode_head(mark: bytes, kind: Kind, cid: str, size: int) -> bytes:
    """What stands before the bytes of a record. `cid` is the text form of a lawful CID (ValueError)."""
    binary = decode_base32(cid)
    if binary is None:
        raise ValueError("not a CID")
    head = _HEAD.pack(mark, kind, binary[1], 0, size, binary[4:])
    return head + zlib.crc32(head).to_bytes(4, "big")


def decode_head(head: bytes, mark: bytes, at: int) -> Record | None:
    """The record whose header starts at offset `at` of the pack; None if these octets are no header of this pack."""
    if len(head) != HEAD_SIZE or zlib.crc32(head[:-4]).to_bytes(4, "big") != head[-4:]:
        return None
    found, kind, codec, zero, size, digest = _HEAD.unpack(head[:-4])
    if found != mark or kind not in _KINDS or codec not in _CODECS or zero:
        return None
    cid = encode_base32(bytes((1, codec, 0x12, CID_SIZE - 4)) + digest)
    return Record(_KINDS[kind], cid, at + HEAD_SIZE, size)


def block_in(window: bytes, at: int, digest: bytes) -> tuple[int, int] | None:
    """Where in these octets of a pack the bytes of a block lie whose head is at `at`, maybe past their end; None if
    there is no head of it. Only what hashes to the digest is the block."""
    if window[at + _DIGEST_AT : at + _DIGEST_AT + DIGEST_SIZE] != digest:
        return None
    start = at + HEAD_SIZE
    return start, start + int.from_bytes(window[at + _SIZE_AT : at + _DIGEST_AT], "big")


def scan(pack: int, mark: bytes, *, start: int, stop: int) -> Iterator[Record | Damage | Torn]:
    """Every record of the pack (a file descriptor) from offset `start`, reading headers alone. OSError."""
    at = start
    while at < stop:
        record = decode_head(os.pread(pack, min(HEAD_SIZE, stop - at), at), mark, at)
        if record is not None and record.offset + record.size <= stop:
            yield record
            at = record.offset + record.size
        elif record is not None or _is_cut_off(pack, mark, at, stop):
            yield Torn(at)
            return
        else:
            following = _find_record(pack, mark, at + 1, stop)
            yield Damage(at, following - at)
            at = following


def _is_cut_off(pack: int, mark: bytes, at: int, stop: int) -> bool:
    """Whether the rest is the start of a header, or zeros that a file system left where data never arrived."""
    head = os.pread(pack, HEAD_SIZE, at)
    if stop - at < HEAD_SIZE and head[:MARK_SIZE] == mark[: len(head)]:
        return True
    return not any(any(os.pread(pack, _SEARCH_SIZE, part)) for part in range(at, stop, _SEARCH_SIZE))


def _find_record(pack: int, mark: bytes, at: int, stop: int) -> int:
    """The offset of the next record at or after `at`; `stop` if there is none."""
    while at < stop:
        window = os.pread(pack, _SEARCH_SIZE + HEAD_SIZE, at)
        place = window.find(mark)
        while 0 <= place < _SEARCH_SIZE:
            record = decode_head(window[place : place + HEAD_SIZE], mark, at + place)
            if record is not None and record.offset + record.size <= stop:
                return at + place
            place = window.find(mark, place + 1)
        at += _SEARCH_SIZE
    return stop
