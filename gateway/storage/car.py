"""CARv1 files: written one way, and read block by block with nothing believed.

Each section is hashed against its own CID before it is handed on, and ceilings on the header, each block, the
number of blocks and the whole are checked against the declared lengths before those octets are read. A file that is
malformed or too large is the caller's (CallerError, field `car`); a block that is not its name is an IntegrityError.
Source: ipld.io/specs/transport/car/carv1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import dag_cbor
import multiformats
from dag_cbor.encoding.err import CBORError

from gateway.errors import CallerError, LimitError
from gateway.storage.dagpb import encode_varint
from gateway.storage.model import CID_SIZE, Block, Cid, VerifiedBlock, verify

_FIELD: Final = ("car",)
_VARINT_OCTETS_MAX: Final = 5


class Source(Protocol):
    """Something to read octets from: a file opened for binary reading, a pipe, a BytesIO."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CarLimits:
    """What a reader accepts: octets of the header and of one block; octets and blocks in all."""

    header: int = 1 << 20
    block: int = (2 << 20) + (1 << 16)
    total: int = 64 << 30
    count: int = 16_000_000


def encode_header(roots: Sequence[Cid]) -> bytes:
    """The start of a file. `roots` may not be empty: other readers refuse a file without one (CallerError)."""
    if not roots:
        raise CallerError("a CAR file needs a root", field=_FIELD)
    header = dag_cbor.encode({"version": 1, "roots": [multiformats.CID.decode(str(root)) for root in roots]})
    return encode_varint(len(header)) + header


def encode_section(block: Block) -> bytes:
    """One block as it stands in a file."""
    return encode_varint(CID_SIZE + len(block.data)) + bytes(block.cid) + block.data


class CarReader:
    """A file that is being read: the roots at once, then its blocks, each verified, in the order of the file."""

    __slots__ = ("_limits", "_source", "_total", "roots")

    def __init__(self, source: Source, *, limits: CarLimits) -> None:
        self._source = source
        self._limits = limits
        self._total = 0
        self.roots: tuple[Cid, ...] = self._read_roots()

    def blocks(self) -> Iterator[VerifiedBlock]:
        """Each block once read and verified. CallerError, LimitError, IntegrityError; what came before it stands."""
        count = 0
        while (size := self._read_length(self._limits.block + CID_SIZE)) is not None:
            count += 1
            if count > self._limits.count:
                raise LimitError(f"a CAR file of more than {self._limits.count} blocks", field=_FIELD)
            section = self._take(size)
            yield verify(Block(_read_cid(section[:CID_SIZE]), section[CID_SIZE:]))

    def _read_roots(self) -> tuple[Cid, ...]:
        size = self._read_length(self._limits.header)
        if size is None:
            raise CallerError("an empty CAR file", field=_FIELD)
        try:
            header = dag_cbor.decode(self._take(size))
        except (CBORError, ValueError, LookupError, OverflowError, RecursionError) as error:
            raise CallerError("the header of a CAR file is not DAG-CBOR", field=_FIELD) from error
        if not isinstance(header, dict) or header.keys() != {"version", "roots"} or header["version"] != 1:
            raise CallerError("not a CAR file of version 1", field=_FIELD)
        roots = header["roots"]
        if not isinstance(roots, list) or not all(isinstance(root, multiformats.CID) for root in roots):
            raise CallerError("the roots of a CAR file are not CIDs", field=_FIELD)
        return tuple(_read_cid(bytes(root)) for root in roots if isinstance(root, multiformats.CID))

    def _read_length(self, limit: int) -> int | None:
        """A section's declared length, None at the end of the file. Checked before any of it is read."""
        number = 0
        for place in range(_VARINT_OCTETS_MAX):
            octet = self._source.read(1)
            if not octet:
                if place == 0:
                    return None
                break
            number |= (octet[0] & 0x7F) << (7 * place)
            if octet[0] < 0x80:
                if number == 0 or (octet[0] == 0 and place):
                    break
                return self._admit(number, limit)
        raise CallerError("a length in a CAR file is not lawful", field=_FIELD)

    def _admit(self, size: int, limit: int) -> int:
        if size > limit:
            raise LimitError(f"a part of a CAR file has more than {limit} octets", field=_FIELD)
        self._total += size
        if self._total > self._limits.total:
            raise LimitError(f"a CAR file of more than {self._limits.total} octets", field=_FIELD)
        return size

    def _take(self, size: int) -> bytes:
        """Exactly `size` octets; pipes may give them in pieces."""
        parts = []
        while size:
            part = self._source.read(size)
            if not part:
                raise CallerError("a CAR file ends within a block", field=_FIELD)
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_cid(binary: bytes) -> Cid:
    try:
        return Cid.from_bytes(binary)
    except CallerError as error:
        raise CallerError("a CAR file names a block that is not sha2-256, raw or dag-pb", field=_FIELD) from error
