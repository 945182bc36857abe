"""The embedded block store: append-only pack files in one folder, shared by every process of the gateway.

What `put_many` has returned for is on disk. Writers take turns by an exclusive lock on the folder; readers take none
and look again when a CID is not found. After a crash only an incomplete last record is cut off; any other octets that
are no record are kept and reported by `check`. `remove` leaves none of the bytes in the pack. Not done here: hashing
what is read (callers verify), except before a block that is already here is called stored.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from gateway.adapters.pack_disk import QUICK_SIZE_MAX
from gateway.adapters.pack_folder import PackFolder
from gateway.adapters.pack_walk import PackWalk
from gateway.errors import BlockMissingError, ConsentryError, IntegrityError, UpstreamError
from gateway.storage.model import Cid

PACK_SIZE_MAX: Final = 1 << 30
BLOCK_SIZE_MAX: Final = 16 << 20

T = TypeVar("T")
_Blocks = Sequence[tuple[str, bytes]]


class PackStore:
    """A BlockStore over one folder. Open it with `open`; any number of processes may have it open."""

    __slots__ = ("_closed", "_flushing", "_folder", "_readers", "_waiting", "_writer")

    def __init__(self, folder: PackFolder) -> None:
        self._folder = folder
        # One writer thread: the lock between processes is held for one batch at a time.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="packs-write")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="packs-read")
        self._waiting: list[tuple[_Blocks, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    def open(cls, folder: Path, *, pack_size_max: int = PACK_SIZE_MAX) -> "PackStore":
        """Makes the folder if need be, cuts off an incomplete last record and reads all headers. UpstreamError."""
        return cls(PackFolder.open(folder, pack_size_max=pack_size_max))

    @classmethod
    def look(cls, folder: Path) -> "PackStore":
        """To be read alone, beside whoever writes: nothing is made, cut off or repaired. UpstreamError."""
        return cls(PackFolder.look(folder, pack_size_max=PACK_SIZE_MAX))

    async def put_many(self, blocks: _Blocks) -> None:
        """Durable and pinned on return. Calls that come while the disk is busy share its next sync."""
        self._require_open()
        for cid, data in blocks:
            Cid.parse(cid)
            if len(data) > BLOCK_SIZE_MAX:
                raise UpstreamError(f"a block has at most {BLOCK_SIZE_MAX} octets")
        if not blocks:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((blocks, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        await done

    async def get(self, cid: str, *, limit: int) -> bytes:
        """The bytes stored for this CID. BlockMissingError; IntegrityError past the limit."""
        self._require_open()
        data = await self._read(cid, limit)
        if data is None:
            # Another process may have stored or removed it since this one looked.
            await self._in_thread(self._readers, self._folder.refresh)
            data = await self._read(cid, limit)
        if data is None and self._folder.size_of(cid) is not None:
            raise IntegrityError(f"the bytes of {cid} are gone")
        if data is None:
            raise BlockMissingError(f"no block {cid}")
        return data

    def get_now(self, cid: str) -> bytes | None:
        """The bytes stored for this CID if this process has seen it and it is not large, else None. UpstreamError."""
        return self._folder.read(cid, most=QUICK_SIZE_MAX)

    def walk(self) -> PackWalk:
        """For blocks that were stored one after the other, as long as they are asked for in that order."""
        return PackWalk(self._folder)

    async def has(self, cid: str) -> bool:
        self._require_open()
        if self._folder.size_of(cid) is None:
            await self._in_thread(self._readers, self._folder.refresh)
        return self._folder.size_of(cid) is not None

    async def pins(self) -> AsyncIterator[str]:
        """Everything stored is pinned."""
        self._require_open()
        await self._in_thread(self._readers, self._folder.refresh)
        for cid in await self._in_thread(self._readers, self._folder.cids):
            yield cid

    async def remove(self, cids: Sequence[str]) -> None:
        """On return the bytes are in no pack. UpstreamError: in doubt, remove again (opening also completes it)."""
        self._require_open()
        await self._in_thread(self._writer, partial(self._folder.remove, cids))

    async def check(self) -> None:
        """UpstreamError if nothing can be stored; IntegrityError while any pack is damaged."""
        self._require_open()
        await self._in_thread(self._readers, self._folder.check)

    async def close(self) -> None:
        """Finishes what is being written, then lets go of the files."""
        if self._closed:
            return
        self._closed = True
        if self._flushing is not None:
            await self._flushing
        self._writer.shutdown()
        self._readers.shutdown()
        self._folder.close()

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            blocks = [block for part, _ in batch for block in part]
            failure: ConsentryError | None = UpstreamError("the block store stopped in mid-write")
            try:
                await self._in_thread(self._writer, partial(self._folder.append, blocks))
                failure = None
            except ConsentryError as error:
                failure = error
            finally:
                _settle(batch, failure)

    async def _read(self, cid: str, limit: int) -> bytes | None:
        size = self._folder.size_of(cid)
        if size is None:
            return None
        if size > limit:
            raise IntegrityError(f"{cid} has more than {limit} octets")
        if size <= QUICK_SIZE_MAX:
            return self._folder.read(cid, most=size)
        return await self._in_thread(self._readers, partial(self._folder.read, cid, most=size))

    async def _in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def _require_open(self) -> None:
        if self._closed:
            raise UpstreamError("the block store is closed")


def _settle(batch: list[tuple[_Blocks, "asyncio.Future[None]"]], failure: ConsentryError | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
