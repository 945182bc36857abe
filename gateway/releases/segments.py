"""What was gathered for a release, and who is in it, as sealed blocks under the release's own key.

A segment holds the rows of some patients before anything is generalized; it is read by the build of this release and by
nothing else, and is noise once the release's key is destroyed. Each patient's part is sealed once more under a key that
needs the patient's own, so an erasure shreds it wherever it lies. No plaintext is ever on a disk.
"""

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from gateway.crypto.keys import DomainKey
from gateway.crypto.releases import SEGMENT_MAGIC, ReleaseKeys, is_piece
from gateway.errors import IntegrityError
from gateway.ids import SubjectId
from gateway.ports.clock import Entropy
from gateway.storage.dag import DagLimits
from gateway.storage.model import Cid, Codec
from gateway.storage.service import Blocks

LARGEST: Final = 1 << 30
"""Octets of one segment, or of the list of members."""
MEMBERS: Final = "members"
TOKEN_SIZE: Final = 12
LIMITS: Final = DagLimits(content=LARGEST)
_LEVEL: Final = 1
T = TypeVar("T")


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A patient in a release. `version`: the guard version that their permits stood on; `permitted`: SHA-256 of the
    tokens of what was permitted, of the records that arrived up to `last_seq`; `until`: when that may be otherwise by
    itself (a consent ends, a deny begins), seconds since 1970."""

    subject: bytes
    version: int
    last_seq: int
    permitted: bytes
    until: int


class Person(msgspec.Struct, frozen=True, array_like=True):
    """Of one member. `permitted`: tokens of TOKEN_SIZE octets, joined; `rows`: of each table."""

    permitted: bytes
    rows: tuple[list[tuple[Any, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """`unfit`: resources that fit no view about them; `broken`: records that did not verify; both stayed out.
    `organizations`: those of who asked, on which the permits may have stood."""

    members: tuple[Member, ...]
    people: tuple[Person, ...]
    organizations: tuple[bytes, ...] = ()
    unfit: int = 0
    broken: int = 0


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """As it is sealed. `people`: each once more, under a key that needs the patient's own."""

    members: tuple[Member, ...]
    people: tuple[bytes, ...]
    organizations: tuple[bytes, ...]
    unfit: int
    broken: int


_encode = msgspec.msgpack.Encoder().encode
_stored = msgspec.msgpack.Decoder(_Stored)
_person = msgspec.msgpack.Decoder(Person)
_members = msgspec.msgpack.Decoder(tuple[Member, ...])
SubjectKey: TypeAlias = Callable[[SubjectId], Awaitable[DomainKey | None]]


class Segments:
    """Of one release. Packing, sealing and their reverse are done beside the loop."""

    def __init__(
        self, release: bytes, keys: ReleaseKeys, *, blocks: Blocks, entropy: Entropy, subject_key: SubjectKey
    ) -> None:
        self._release = release
        self._keys = keys
        self._blocks = blocks
        self._entropy = entropy
        self._subject_key = subject_key

    async def put(self, number: int, segment: Segment) -> bytes:
        """The binary CID; durable and pinned on return. Whoever was erased meanwhile is not in it."""
        keys = await self._keys_of(segment.members)
        sealed = await asyncio.to_thread(self._sealed, segment, keys, f"segment/{number}")
        return bytes(await self._blocks.put_content((sealed,)))

    async def get(self, number: int, root: bytes) -> Segment:
        """Without those who were erased. IntegrityError, UpstreamError."""
        sealed = await whole(Cid.from_bytes(root), self._blocks)
        stored = await asyncio.to_thread(self._stored, sealed, f"segment/{number}")
        keys = await self._keys_of(stored.members)
        return await asyncio.to_thread(self._opened, stored, keys)

    async def put_members(self, edition: int, members: Sequence[Member]) -> bytes:
        sealed = await asyncio.to_thread(self._packed, _encode(members), f"{MEMBERS}/{edition}")
        return bytes(await self._blocks.put_content((sealed,)))

    async def members(self, edition: int, root: bytes) -> tuple[Member, ...]:
        sealed = await whole(Cid.from_bytes(root), self._blocks)
        return await asyncio.to_thread(lambda: _decoded(_members, self._unpacked(sealed, f"{MEMBERS}/{edition}")))

    async def _keys_of(self, members: Sequence[Member]) -> dict[bytes, DomainKey]:
        found = {one.subject: await self._subject_key(SubjectId(one.subject)) for one in members}
        return {subject: key for subject, key in found.items() if key is not None}

    def _sealed(self, segment: Segment, keys: Mapping[bytes, DomainKey], name: str) -> bytes:
        kept = [
            (member, self._person(person, keys[member.subject]))
            for member, person in zip(segment.members, segment.people, strict=True)
            if member.subject in keys
        ]
        stored = _Stored(
            tuple(member for member, _ in kept),
            tuple(person for _, person in kept),
            segment.organizations,
            segment.unfit,
            segment.broken,
        )
        return self._packed(_encode(stored), name)

    def _person(self, person: Person, key: DomainKey) -> bytes:
        packed = zlib.compress(_encode(person), _LEVEL)
        return self._keys.seal_person(packed, key, release=self._release, entropy=self._entropy)

    def _stored(self, sealed: bytes, name: str) -> _Stored:
        return _decoded(_stored, self._unpacked(sealed, name))

    def _opened(self, stored: _Stored, keys: Mapping[bytes, DomainKey]) -> Segment:
        members, people = [], []
        for member, sealed in zip(stored.members, stored.people, strict=True):
            key = keys.get(member.subject)
            if key is not None:
                packed = self._keys.open_person(sealed, key, release=self._release)
                members.append(member)
                people.append(_decoded(_person, zlib.decompress(packed)))
        return Segment(
            members=tuple(members),
            people=tuple(people),
            organizations=stored.organizations,
            unfit=stored.unfit,
            broken=stored.broken,
        )

    def _packed(self, octets: bytes, name: str) -> bytes:
        packed = zlib.compress(octets, _LEVEL)
        return self._keys.seal_segment(packed, release=self._release, name=name, entropy=self._entropy)

    def _unpacked(self, sealed: bytes, name: str) -> bytes:
        return zlib.decompress(self._keys.open_segment(sealed, release=self._release, name=name))


def token_of(record: bytes, hidden: Sequence[str]) -> bytes:
    """Of a record with what a permit leaves out of it."""
    return hashlib.sha256(record + "\0".join(hidden).encode()).digest()[:TOKEN_SIZE]


def tokens_in(joined: bytes) -> frozenset[bytes]:
    return frozenset(joined[at : at + TOKEN_SIZE] for at in range(0, len(joined), TOKEN_SIZE))


async def put_people(sealed: bytes, blocks: Blocks) -> bytes:
    """The sealed tokens of whose rows left, durable and pinned: the binary CID. Not under the release's key: what left
    is compared with when that is destroyed."""
    return bytes(await blocks.put_content((SEGMENT_MAGIC + sealed,)))


async def sealed_people(root: bytes, blocks: Blocks) -> bytes:
    """What `put_people` put. IntegrityError, UpstreamError."""
    octets = await whole(Cid.from_bytes(root), blocks)
    if not is_piece(octets):
        raise IntegrityError("the people of a release are not of their form")
    return octets[len(SEGMENT_MAGIC) :]


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
