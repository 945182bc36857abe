"""Names of blocks, and blocks whose bytes are proven to be what their name says.

One spelling of a CID is lawful here: CIDv1, base32 lower case, sha2-256, codec raw or dag-pb. Identity and sha1
hashes would let a name vouch for bytes that nobody hashed, so they are refused, as is every other spelling.
Source: multiformats/cid, multiformats/multicodec (table.csv), RFC 4648 section 6.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple, Self

from gateway.errors import CallerError, IntegrityError

DIGEST_SIZE: Final = 32
CID_SIZE: Final = 36
"""Octets of a binary CID of this kind: version, codec, hash function, hash length, digest."""
CID_TEXT_SIZE: Final = 59

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_THREES: Final = tuple(a + b + c for a in _ALPHABET for b in _ALPHABET for c in _ALPHABET)
_TO_PYTHON_DIGITS: Final = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_SHIFTS: Final = tuple(range(285, -1, -15))


def split_digests(joined: bytes) -> tuple[bytes, ...]:
    """Digests that lie one after the other."""
    return tuple(joined[at : at + DIGEST_SIZE] for at in range(0, len(joined), DIGEST_SIZE))


class Codec(IntEnum):
    """How the bytes of a block are to be read; multicodec numbers."""

    RAW = 0x55
    DAG_PB = 0x70


_PREFIX: Final = {codec: bytes((1, codec, 0x12, DIGEST_SIZE)) for codec in Codec}
_CODEC_OF_PREFIX: Final = {prefix: codec for codec, prefix in _PREFIX.items()}


@lru_cache(maxsize=16_384)
def encode_base32(binary: bytes) -> str:
    """36 octets -> 59 characters, multibase prefix included; three characters at a time from a table
    (a third of the time of base64.b32encode, on every read and write), and those in use are remembered."""
    number = int.from_bytes(binary, "big") << 12
    return "b" + "".join([_THREES[(number >> shift) & 0x7FFF] for shift in _SHIFTS])[: CID_TEXT_SIZE - 1]


def decode_base32(text: str) -> bytes | None:
    """59 characters -> 36 octets; None for any other spelling of them."""
    if len(text) != CID_TEXT_SIZE or text[0] != "b" or not text.isascii():
        return None
    try:
        number = int(text[1:].translate(_TO_PYTHON_DIGITS), 32)
        binary = (number >> 2).to_bytes(CID_SIZE, "big")
    except (ValueError, OverflowError):  # int() also takes a sign and underscores
        return None
    return binary if encode_base32(binary) == text else None


@dataclass(frozen=True, slots=True)
class Cid:
    """A block's name: codec and SHA-256 of its bytes (32 octets)."""

    codec: Codec
    digest: bytes

    @classmethod
    def of(cls, block: bytes, *, codec: Codec = Codec.RAW) -> Self:
        """The name of these bytes."""
        return cls(codec, hashlib.sha256(block).digest())

    @classmethod
    def from_digest(cls, digest: bytes, *, codec: Codec = Codec.RAW) -> Self:
        """The name for a SHA-256 value (32 octets) that was anchored. Raises CallerError for another size."""
        if len(digest) != DIGEST_SIZE:
            raise CallerError("a SHA-256 digest has 32 octets", field=("digest",))
        return cls(codec, bytes(digest))

    @classmethod
    def from_bytes(cls, binary: bytes) -> Self:
        """36 octets, as links and CAR sections hold them. Raises CallerError naming `cid` for any other kind."""
        codec = _CODEC_OF_PREFIX.get(bytes(binary[:4]))
        if codec is None or len(binary) != CID_SIZE:
            raise CallerError("not a CIDv1 of a raw or dag-pb block with sha2-256", field=("cid",))
        return cls(codec, bytes(binary[4:]))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The base32 text form. Raises CallerError naming `cid` for anything else, CIDv0 and URLs included."""
        binary = decode_base32(text)
        if binary is None:
            raise CallerError("not a CIDv1 in lower-case base32", field=("cid",))
        return cls.from_bytes(binary)

    def __bytes__(self) -> bytes:
        return _PREFIX[self.codec] + self.digest

    def __str__(self) -> str:
        return encode_base32(_PREFIX[self.codec] + self.digest)

    def names(self, data: bytes) -> bool:
        """Whether these bytes are the block of this name."""
        return hashlib.sha256(data).digest() == self.digest


class Block(NamedTuple):
    """A name and bytes that somebody says belong together. Nothing is verified."""

    cid: Cid
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBlock:
    """A name and its bytes: an instance whose bytes do not hash to its name cannot be made (IntegrityError)."""

    cid: Cid
    data: bytes

    def __post_init__(self) -> None:
        if not self.cid.names(self.data):
            raise IntegrityError(f"bytes do not hash to {self.cid}")


def verify(block: Block) -> VerifiedBlock:
    """Proof that the bytes are the block of that name. Raises IntegrityError."""
    return VerifiedBlock(cid=block.cid, data=block.data)
