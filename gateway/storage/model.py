"""Names of blocks, and blocks whose bytes are proven to be what their name says.

One spelling of a CID is lawful here: CIDv1, base32 lower case, sha2-256, codec raw or dag-pb. Identity and sha1
hashes would let a name vouch for bytes that nobody hashed, so they are refused, as is every other spelling.
Source: multiformats/cid, multiformats/multicodec (table.csv), RFC 4648 section 6.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple, Self

import msgspec

from gateway.errors import CallerError, IntegrityError

DIGEST_SIZE: Final = 32
CID_SIZE: Final = 36
"""Octets of a binary CID of this kind: version, codec, hash function, hash length, digest."""
CID_TEXT_SIZE: Final = 59
KEPT: Final = 2_047
"""Octets that hashlib hashes without giving the interpreter to another thread."""
SHORT: Final = 16 * 1024
"""A block that is hashed sooner than another thread gives the interpreter back."""

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_TO_PYTHON_DIGITS: Final = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_FROM_FIVE_BITS: Final = _ALPHABET.encode().ljust(256, b"-")
_PLACES: Final = 64
"""Octets that 36 are spread over, five bits each: a power of two, the first six of them nothing."""


def _halvings() -> Iterator[tuple[int, int, int]]:
    """Steps that spread what lies dense over `_PLACES` octets: the upper half of each group of five bits a place, and
    by how far it moves up until the group takes as many octets as it has places."""
    places = _PLACES
    while places > 1:
        size, half = 8 * places, 5 * places // 2
        groups = range(0, 8 * _PLACES, size)
        lower = sum((1 << half) - 1 << at for at in groups)
        yield lower, lower << half, size // 2 - half
        places //= 2


_HALVINGS: Final = tuple(_halvings())


def split_digests(joined: bytes) -> tuple[bytes, ...]:
    """Digests that lie one after the other."""
    return tuple(joined[at : at + DIGEST_SIZE] for at in range(0, len(joined), DIGEST_SIZE))


class Codec(IntEnum):
    """How the bytes of a block are to be read; multicodec numbers."""

    RAW = 0x55
    DAG_PB = 0x70


_PREFIX: Final = {codec: bytes((1, codec, 0x12, DIGEST_SIZE)) for codec in Codec}
_RAW: Final = _PREFIX[Codec.RAW]
_CODEC_OF_PREFIX: Final = {prefix: codec for codec, prefix in _PREFIX.items()}


@lru_cache(maxsize=4_096)
def encode_base32(binary: bytes) -> str:
    """36 octets -> 59 characters, multibase prefix included; all digits at once, as parts of one number
    (a sixth of the time of base64.b32encode, on every read and write), and those in use are remembered."""
    number = int.from_bytes(binary, "big") << 2
    for lower, upper, shift in _HALVINGS:
        number = number & lower | (number & upper) << shift
    digits = number.to_bytes(_PLACES, "big")[1 - CID_TEXT_SIZE :]
    return "b" + digits.translate(_FROM_FIVE_BITS).decode()


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


class Cid(msgspec.Struct, frozen=True):
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
        # Most are raw, and to look up a member of an enumeration is to hash its name.
        return (_RAW if self.codec is Codec.RAW else _PREFIX[self.codec]) + self.digest

    def __str__(self) -> str:
        return encode_base32(bytes(self))

    def names(self, data: bytes) -> bool:
        """Whether these bytes are the block of this name."""
        return _sha256(data) == self.digest


def _sha256(data: bytes) -> bytes:
    """The interpreter is kept for what takes a few microseconds: whoever gets it has it for up to five milliseconds."""
    if len(data) > SHORT:
        return hashlib.sha256(data).digest()
    view = memoryview(data)
    hashed = hashlib.sha256(view[:KEPT])
    for at in range(KEPT, len(data), KEPT):
        hashed.update(view[at : at + KEPT])
    return hashed.digest()


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
