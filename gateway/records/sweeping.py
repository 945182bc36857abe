"""Removes uploads that rested too long, and forgets finished ones: first nothing can be added, then the sealed chunks
go, then the rows that named them. A crash in between leaves rows, which are found again."""

import asyncio
from typing import Final

from gateway.errors import ConflictError, ConsentryError
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.ports.rows import UploadGoesOn, UploadGone, UploadOver, UploadRow
from gateway.storage.model import Cid, split_digests
from gateway.storage.service import Blocks

EACH_SECONDS: Final = 30.0
_MOST: Final = 16


async def end_upload(row: UploadRow, *, index: Index, blocks: Blocks, now: int) -> None:
    """Of an unfinished upload. ConflictError where it was finished meanwhile."""
    if row.expires_at > now:
        # Commit point: before it the upload goes on; after it nothing is added to it, and whoever sweeps finds it.
        await index.apply((UploadGoesOn(upload=row.upload, now=now, expires_at=now),))
    elif row.slot is not None:
        # The same of one that is over by its time: whoever began to finish it before is refused.
        await index.apply((UploadOver(upload=row.upload, now=now),))
    parts = await index.upload_parts(row.upload)
    cids = [Cid.from_digest(digest) for part in parts for digest in split_digests(part.digests)]
    if cids:
        await blocks.remove(cids)
    await index.apply((UploadGone(upload=row.upload),))


class Sweeping:
    """Run it with `run`, until it is cancelled."""

    def __init__(self, *, index: Index, blocks: Blocks, clock: Clock) -> None:
        self._index = index
        self._blocks = blocks
        self._clock = clock
        self.trouble: str | None = None
        """Why uploads that are over stay, in words for an operator; None while none does."""

    async def run(self) -> None:
        while True:
            try:
                ended = await self.step()
                self.trouble = None
            except ConflictError:
                ended = 1  # another replica was quicker
            except ConsentryError as error:
                ended, self.trouble = 0, f"uploads that are over cannot be removed ({error.code})"
            if not ended:
                await asyncio.sleep(EACH_SECONDS)

    async def step(self) -> int:
        """Ends what is past its time; how many that were. Raises UpstreamError."""
        now = int(self._clock.now())
        over = await self._index.uploads_over(now=now, limit=_MOST)
        for row in over:
            await end_upload(row, index=self._index, blocks=self._blocks, now=now)
        return len(over)
