"""Bytes in, their CID out; a CID in, the bytes that hash to it out, or an error. Nothing unverified leaves this room.

Whatever a store answers is hashed against the CID before the caller sees it: other, short or flipped bytes are an
IntegrityError, a missing block or a store out of reach an UpstreamError. Not done here: sealing, deciding, anchoring.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import BinaryIO, Final, TypeVar

from gateway.errors import IntegrityError
from gateway.ports.blocks import BlockStore, StoreWalk
from gateway.storage.car import CarLimits, CarReader, encode_header, encode_section
from gateway.storage.dag import LEAF_SIZE, DagLimits, DagReader, DagWriter
from gateway.storage.model import Block, Cid, VerifiedBlock

BLOCK_SIZE_MAX: Final = 2 << 20
"""Octets that any IPFS client exchanges in one block."""
ROOTS_MAX: Final = 10_000
"""A CAR file of more blocks names only the first as root, so that its header stays readable everywhere."""
_BATCH_SIZE: Final = 8 << 20
_BATCH_COUNT: Final = 1024
T = TypeVar("T")


class BlockWalk:
    """Reads of some blocks in the order in which they were stored: each costs less than by `Blocks.get_now`."""

    __slots__ = ("_blocks", "_walk")

    def __init__(self, blocks: "Blocks", walk: StoreWalk | None) -> None:
        self._blocks = blocks
        self._walk = walk

    def get_now(self, cid: Cid) -> bytes | None:
        """As `Blocks.get_now`."""
        data = None if self._walk is None else self._walk.get_now(bytes(cid))
        # What was read ahead may have been half written or half removed: it is wrong if what lies there now is.
        return data if data is not None and cid.names(data) else self._blocks.get_now(cid)


class Blocks:
    """Content-addressed storage over one block store."""

    __slots__ = ("_store",)

    def __init__(self, store: BlockStore) -> None:
        self._store = store

    async def put(self, data: bytes) -> Cid:
        """One raw block, durable and pinned on return. At most 1 MiB (ValueError): larger content is a tree."""
        return (await self.put_many((data,)))[0]

    async def put_many(self, blocks: Sequence[bytes]) -> list[Cid]:
        """Raw blocks, all durable and pinned on return by one commit. UpstreamError: in doubt, put again."""
        if any(len(data) > LEAF_SIZE for data in blocks):
            raise ValueError("a raw block has at most 1 MiB; use put_content")
        cids = [Cid.of(data) for data in blocks]
        await self._store.put_many([(str(cid), data) for cid, data in zip(cids, blocks, strict=True)])
        return cids

    async def put_content(self, chunks: Iterable[bytes]) -> Cid:
        """Content of any size, in pieces of any size -> its root. Up to 1 MiB that is one raw block, else a tree.

        The root is written last: a crash before leaves parts that no root names, and putting again completes them.
        """
        writer = DagWriter()
        waiting: list[Block] = []
        for chunk in chunks:
            waiting += writer.write(chunk)
            if sum(len(block.data) for block in waiting) >= _BATCH_SIZE:
                await self._store_blocks(waiting)
                waiting = []
        root, last = writer.finish()
        await self._store_blocks(waiting + last)
        return root

    async def put_named(self, blocks: Sequence[Block]) -> None:
        """Blocks whose names their maker made of their octets; all durable and pinned on return. UpstreamError: in
        doubt, put again."""
        await self._store_blocks(blocks)

    def get_now(self, cid: Cid) -> bytes | None:
        """The verified block if it lies here and needs no waiting, else None (then `get`). IntegrityError."""
        data = self._store.get_now(str(cid))
        if data is not None and not cid.names(data):
            raise IntegrityError(f"stored bytes do not hash to {cid}")
        return data

    def walk(self) -> BlockWalk:
        """For as long as one goes through rows in the order in which they were stored."""
        return BlockWalk(self, self._store.walk())

    async def get(self, cid: Cid, *, limit: int = BLOCK_SIZE_MAX) -> bytes:
        """The block's bytes, verified. IntegrityError (wrong, or more than `limit` octets), UpstreamError."""
        return (await self.fetch(cid, limit)).data

    async def get_through(self, cid: Cid, *, limit: int, threads: Executor, then: Callable[[bytes], T]) -> T:
        """What `then` makes of the block's bytes, hashed and made in one of the threads: for blocks of which many
        follow each other. Raises as `get`, and what `then` raises."""
        data = await self._store.get(str(cid), limit=limit)

        def work() -> T:
            if len(data) > limit or not cid.names(data):
                raise IntegrityError(f"bytes do not hash to {cid}")
            return then(data)

        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def leaves(
        self, root: Cid, *, limits: DagLimits, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[tuple[Cid, int]]:
        """Name and size of each leaf of a tree between two octets; nodes alone are fetched."""
        return DagReader(root, self.fetch, limits=limits).leaves(start=start, stop=stop)

    async def fetch(self, cid: Cid, limit: int) -> VerifiedBlock:
        """As `get`, with the proof as a type."""
        data = await self._store.get(str(cid), limit=limit)
        if len(data) > limit:
            raise IntegrityError(f"{cid} has more than {limit} octets")
        return VerifiedBlock(cid=cid, data=data)

    def read_content(
        self, root: Cid, *, limits: DagLimits, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        """The octets `start` to before `stop` of a block or tree, verified leaf by leaf."""
        return DagReader(root, self.fetch, limits=limits).read(start=start, stop=stop)

    async def list_blocks(self, root: Cid, *, limits: DagLimits) -> list[Cid]:
        """Every block of a tree, the root first."""
        return [cid async for cid in DagReader(root, self.fetch, limits=limits).cids()]

    async def has(self, cid: Cid) -> bool:
        """Whether the store says that it holds this block."""
        return await self._store.has(str(cid))

    async def pins(self) -> AsyncIterator[Cid]:
        """Every pinned block of our kind, in no order."""
        async for text in self._store.pins():
            yield Cid.parse(text)

    async def remove(self, cids: Sequence[Cid]) -> None:
        """Erasure: unpinned and deleted on return; what is not there is success."""
        await self._store.remove([str(cid) for cid in cids])

    async def check(self) -> None:
        """Returns if blocks can be read and written now; else UpstreamError or IntegrityError saying why not."""
        await self._store.check()

    async def export_car(self, stream: BinaryIO, *, cids: Sequence[Cid] | None = None) -> int:
        """Writes those blocks (all pinned ones without `cids`), each verified, as CARv1; gives their number.

        CARv1 has no count of blocks: after an error the file may look whole and must be thrown away (write it under
        another name and rename it on return).
        """
        chosen = list(cids) if cids is not None else [cid async for cid in self.pins()]
        roots = chosen if len(chosen) <= ROOTS_MAX else chosen[:1]
        pending = bytearray(encode_header(roots))
        for cid in chosen:
            block = await self.fetch(cid, BLOCK_SIZE_MAX)
            pending += encode_section(Block(block.cid, block.data))
            if len(pending) >= _BATCH_SIZE:
                await asyncio.to_thread(stream.write, bytes(pending))
                pending.clear()
        await asyncio.to_thread(stream.write, bytes(pending))
        return len(chosen)

    async def import_car(self, stream: BinaryIO, *, limits: CarLimits | None = None) -> int:
        """Stores and pins every block of a CARv1 file; gives their number.

        CallerError, LimitError or IntegrityError ends the import; whole verified batches before it stay, which is
        harmless: they are named by what they are, and importing again completes them.
        """
        reader = await asyncio.to_thread(CarReader, stream, limits=limits or CarLimits())
        blocks = reader.blocks()
        count = 0
        while batch := await asyncio.to_thread(_next_batch, blocks):
            await self._store.put_many([(str(block.cid), block.data) for block in batch])
            count += len(batch)
        return count

    async def _store_blocks(self, blocks: Sequence[Block]) -> None:
        await self._store.put_many([(str(block.cid), block.data) for block in blocks])


def _next_batch(blocks: Iterator[VerifiedBlock]) -> list[VerifiedBlock]:
    """Reads and hashes a bounded number of blocks, in a thread."""
    batch: list[VerifiedBlock] = []
    size = 0
    for block in blocks:
        batch.append(block)
        size += len(block.data)
        if size >= _BATCH_SIZE or len(batch) == _BATCH_COUNT:
            break
    return batch
