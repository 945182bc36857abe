"""What was gathered for a release, and who is in it, as sealed blocks under the release's own key.

A segment holds the rows of some patients before anything is generalized; it is read by the build of this release and by
nothing else, and is noise once the release's key is destroyed. No plaintext is ever on a disk.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from gateway.crypto.releases import ReleaseKeys
from gateway.errors import IntegrityError
from gateway.ports.clock import Entropy
from gateway.storage.dag import DagLimits
from gateway.storage.model import Cid, Codec
from gateway.storage.service import Blocks

LARGEST: Final = 1 << 30
"""Octets of one segment, or of the list of members."""
MEMBERS: Final = "members"
LIMITS: Final = DagLimits(content=LARGEST)
_LEVEL: Final = 1
T = TypeVar("T")


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A patient in a release. `version`: the guard version that their permits stood on; `records`: how many were
    permitted, of those that arrived up to `last_seq`; `until`: when the first consent that this stands on ends by
    itself, seconds since 1970."""

    subject: bytes
    version: int
    last_seq: int
    records: int
    until: int


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """`rows`: of each member, of each table. `unfit`: resources that fit no view about them; `broken`: records that did
    not verify; both stayed out."""

    members: tuple[Member, ...]
    rows: tuple[tuple[list[list[Any]], ...], ...]
    unfit: int = 0
    broken: int = 0


_encode = msgspec.msgpack.Encoder().encode
_segment = msgspec.msgpack.Decoder(Segment)
_members = msgspec.msgpack.Decoder(tuple[Member, ...])


class Segments:
    """Of one release."""

    def __init__(self, release: bytes, keys: ReleaseKeys, *, blocks: Blocks, entropy: Entropy) -> None:
        self._release = release
        self._keys = keys
        self._blocks = blocks
        self._entropy = entropy

    async def put(self, number: int, segment: Segment) -> bytes:
        """The binary CID; durable and pinned on return."""
        return await self._put(_encode(segment), f"segment/{number}")

    async def get(self, number: int, root: bytes) -> Segment:
        """IntegrityError, UpstreamError."""
        return _decoded(_segment, await self._get(root, f"segment/{number}"))

    async def put_members(self, edition: int, members: Sequence[Member]) -> bytes:
        return await self._put(_encode(members), f"{MEMBERS}/{edition}")

    async def members(self, edition: int, root: bytes) -> tuple[Member, ...]:
        return _decoded(_members, await self._get(root, f"{MEMBERS}/{edition}"))

    async def _put(self, octets: bytes, name: str) -> bytes:
        packed = zlib.compress(octets, _LEVEL)
        sealed = self._keys.seal_segment(packed, release=self._release, name=name, entropy=self._entropy)
        return bytes(await self._blocks.put_content((sealed,)))

    async def _get(self, root: bytes, name: str) -> bytes:
        sealed = await whole(Cid.from_bytes(root), self._blocks)
        return zlib.decompress(self._keys.open_segment(sealed, release=self._release, name=name))


async def whole(cid: Cid, blocks: Blocks) -> bytes:
    """A raw block, or what a tree holds. IntegrityError, UpstreamError."""
    if cid.codec is Codec.RAW:
        return await blocks.get(cid)
    return b"".join([part async for part in blocks.read_content(cid, limits=LIMITS)])


async def removed(blocks: Blocks, roots: Sequence[bytes]) -> None:
    """Each with all that is below it; what is not there is success."""
    for root in roots:
        cid = Cid.from_bytes(root)
        if await blocks.has(cid):
            tree = cid.codec is Codec.DAG_PB
            await blocks.remove(await blocks.list_blocks(cid, limits=LIMITS) if tree else [cid])


def _decoded(decoder: "msgspec.msgpack.Decoder[T]", octets: bytes) -> T:
    try:
        return decoder.decode(octets)
    except msgspec.DecodeError as error:
        raise IntegrityError("a segment of a release is not of its form") from error
