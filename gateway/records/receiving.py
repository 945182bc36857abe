"""Octets on their way in: cut into chunks, sealed in threads, durable on IPFS, and then noted in the index.

What the index notes is durable; what it does not note, an upload does not count as received. One place is sealed by one
connection at a time: whoever is quicker takes the next part's number. A crash between blocks and their part leaves
sealed chunks that nothing names. In memory are a few chunks, whatever the size.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.crypto.chunks import CHUNK_SIZE, ChunkSealer, SealedChunk, count_of, leaf_size, size_at
from gateway.crypto.chunktree import DIGEST_SIZE, root_of
from gateway.crypto.keys import DomainKey
from gateway.errors import ConflictError, IntegrityError
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import Index
from gateway.ports.rows import Row, UploadGoesOn, UploadPart, UploadPartDropped
from gateway.storage.dag import DagWriter
from gateway.storage.model import Block, Cid, split_digests
from gateway.storage.service import Blocks

TOGETHER: Final = 16
"""Chunks that are sealed, and stored, at a time."""
NOTED_EACH: Final = 32
"""Chunks between one note in the index and the next."""


class PartFacts(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed of a part: commitments of its chunks, joined; or the octets after the last whole chunk, in a part
    that the next one takes the place of."""

    commitments: bytes
    tail: bytes


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far an upload has come, as the index notes it."""

    upload: bytes
    size: int
    digests: list[bytes] = field(default_factory=list)
    commitments: list[bytes] = field(default_factory=list)
    tail: bytes = field(default=b"", repr=False)
    number: int = -1

    @property
    def offset(self) -> int:
        return len(self.digests) * CHUNK_SIZE + len(self.tail)


def progress_of(upload: bytes, size: int, parts: Sequence[UploadPart], key: DomainKey) -> Progress:
    """From the parts, in order. IntegrityError for parts that are not this upload's."""
    found = Progress(upload=upload, size=size)
    for part in parts:
        facts = _decode(key.open(part.sealed, context=_context(upload, part.number)))
        if len(facts.commitments) != len(part.digests) or len(part.digests) % DIGEST_SIZE:
            raise IntegrityError("a part of an upload is not as it was noted")
        found.digests += split_digests(part.digests)
        found.commitments += split_digests(facts.commitments)
        found.tail, found.number = facts.tail, part.number
    if found.offset > size or len(found.digests) > count_of(size):
        raise IntegrityError("an upload has more than was declared")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """All of it, durable: `root` of the tree on IPFS; `part`: the number that one more part would have."""

    root: Cid
    commitment: bytes
    part: int


class Receiving:
    """One connection. `take` what comes; then `settle`, or `finish` once all has come; `discard` what a refusal
    left."""

    def __init__(
        self,
        progress: Progress,
        sealer: ChunkSealer,
        *,
        blocks: Blocks,
        index: Index,
        key: DomainKey,
        clock: Clock,
        entropy: Entropy,
        keep_seconds: int,
        threads: Executor,
    ) -> None:
        self._progress = progress
        self._sealer = sealer
        self._blocks = blocks
        self._index = index
        self._key = key
        self._clock = clock
        self._entropy = entropy
        self._keep_seconds = keep_seconds
        self._threads = threads
        self._buffer = bytearray(progress.tail)
        self._sealing: list[asyncio.Future[SealedChunk]] = []
        self._storing: asyncio.Task[None] | None = None
        self._chunks = len(progress.digests)
        self._unnoted: list[SealedChunk] = []
        self._unnamed: list[Cid] = []

    @property
    def offset(self) -> int:
        """Octets that came so far, noted or not."""
        return self._chunks * CHUNK_SIZE + len(self._buffer)

    async def take(self, data: bytes) -> None:
        """More octets; waits while enough is under way."""
        self._buffer += data
        # The last chunk of all waits for `finish`: it is acknowledged with the record, not before.
        while len(self._buffer) > CHUNK_SIZE or (len(self._buffer) == CHUNK_SIZE and self.offset < self._progress.size):
            plain = bytes(memoryview(self._buffer)[:CHUNK_SIZE])
            del self._buffer[:CHUNK_SIZE]
            self._seal(plain)
            if len(self._sealing) == TOGETHER:
                await self._pass_on()
                if len(self._unnoted) >= NOTED_EACH:
                    await self._note(b"")

    async def settle(self) -> int:
        """All that came is durable and noted on return: the offset. ConflictError where another was quicker."""
        await self._pass_on()
        await self._stored()
        if self._unnoted or bytes(self._buffer) != self._progress.tail:
            await self._note(bytes(self._buffer))
        return self._progress.offset

    async def finish(self) -> Received:
        """All of it has come: the rest, the index and the tree above them, durable; and nothing of it noted yet."""
        if self.offset != self._progress.size:
            raise IntegrityError("an upload is not whole")
        self._seal(bytes(self._buffer))
        self._buffer.clear()
        await self._pass_on()
        await self._stored()
        commitments = [*self._progress.commitments, *(one.commitment for one in self._unnoted)]
        number = self._sealer.take(self._clock.now())
        index = await asyncio.to_thread(self._sealer.seal, number, b"".join(commitments))
        digests = [*self._progress.digests, *(one.digest for one in self._unnoted), index.digest]
        root, nodes = await asyncio.to_thread(self._tree, digests)
        await self._put([Block(Cid.from_digest(index.digest), index.octets), *nodes])
        commitment = await asyncio.to_thread(root_of, commitments)
        return Received(root=root, commitment=commitment, part=self._progress.number + 1)

    async def stop(self) -> None:
        """Lets nothing go on behind the caller's back."""
        await asyncio.gather(*self._sealing, return_exceptions=True)
        if self._storing is not None:
            await asyncio.gather(self._storing, return_exceptions=True)
        self._sealing, self._storing = [], None

    async def discard(self) -> None:
        """Removes what was stored here and not noted: it is known that nothing will name it."""
        await self.stop()
        if self._unnamed:
            await self._blocks.remove(self._unnamed)
            self._unnamed.clear()

    # ---- the steps

    def _seal(self, plain: bytes) -> None:
        number = self._sealer.take(self._clock.now())
        if len(plain) != size_at(self._progress.size, number):
            raise IntegrityError("chunks are not sealed in their order")
        self._chunks += 1
        loop = asyncio.get_running_loop()
        self._sealing.append(loop.run_in_executor(self._threads, self._sealer.seal, number, plain))

    async def _pass_on(self) -> None:
        """What is being sealed goes to the store, once that has taken what it was given before; more may come
        meanwhile."""
        await self._stored()
        if self._sealing:
            sealing, self._sealing = self._sealing, []
            self._storing = asyncio.create_task(self._store(sealing))

    async def _store(self, sealing: Sequence[asyncio.Future[SealedChunk]]) -> None:
        sealed = [await one for one in sealing]
        await self._put([Block(Cid.from_digest(one.digest), one.octets) for one in sealed])
        # Octets are the store's now: here names are enough.
        self._unnoted += [
            SealedChunk(number=one.number, octets=b"", digest=one.digest, commitment=one.commitment) for one in sealed
        ]

    async def _stored(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            await storing

    async def _put(self, blocks: Sequence[Block]) -> None:
        self._unnamed += [block.cid for block in blocks]
        await self._blocks.put_named(blocks)

    async def _note(self, tail: bytes) -> None:
        now, progress = int(self._clock.now()), self._progress
        rows: list[Row] = [UploadGoesOn(upload=progress.upload, now=now, expires_at=now + self._keep_seconds)]
        number, chunks = progress.number, list(self._unnoted)
        if chunks:
            number += 1
            facts = PartFacts(commitments=b"".join(one.commitment for one in chunks), tail=b"")
            rows.append(await self._part(number, b"".join(one.digest for one in chunks), facts))
        if tail:
            number += 1
            rows.append(await self._part(number, b"", PartFacts(commitments=b"", tail=tail)))
        if progress.tail:
            rows.append(UploadPartDropped(upload=progress.upload, number=progress.number))
        try:
            # Commit point: before it these octets count as not received, and come again; after it they are.
            await self._index.apply(rows)
        except ConflictError as error:
            raise ConflictError("the upload went on elsewhere, or is over") from error
        progress.digests += [one.digest for one in chunks]
        progress.commitments += [one.commitment for one in chunks]
        progress.tail, progress.number = tail, number
        # What is being stored meanwhile is noted the next time.
        del self._unnoted[: len(chunks)]
        del self._unnamed[: len(chunks)]

    async def _part(self, number: int, digests: bytes, facts: PartFacts) -> UploadPart:
        upload = self._progress.upload
        sealed = await asyncio.to_thread(
            self._key.seal, _encode(facts), context=_context(upload, number), entropy=self._entropy
        )
        return UploadPart(upload=upload, number=number, digests=digests, sealed=sealed)

    def _tree(self, digests: Sequence[bytes]) -> tuple[Cid, list[Block]]:
        writer = DagWriter()
        nodes: list[Block] = []
        for number, digest in enumerate(digests):
            nodes += writer.add_leaf(Cid.from_digest(digest), leaf_size(self._progress.size, number))
        root, last = writer.finish_nodes()
        return root, nodes + last


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PartFacts).decode


def _context(upload: bytes, number: int) -> bytes:
    return b"upload part" + upload + number.to_bytes(4, "big")
