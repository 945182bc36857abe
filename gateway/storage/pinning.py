"""Takes what came into force while IPFS was away to IPFS, as soon as it is back.

True here: a sealed block leaves the index only once it is pinned; several replicas may try at once. Not done here:
deciding what may count before it is pinned.
"""

import asyncio
from typing import Final

from gateway.errors import ConsentryError
from gateway.ports.index import Index
from gateway.storage.service import Blocks

LOOK_SECONDS: Final = 0.5
_MOST: Final = 64


class Pinning:
    """Run it with `run`, until it is cancelled."""

    def __init__(self, *, index: Index, blocks: Blocks) -> None:
        self._index = index
        self._blocks = blocks
        self.trouble: str | None = None
        """Why blocks wait, in words for an operator; None while none does."""

    async def run(self) -> None:
        while True:
            try:
                moved = await self.step()
                self.trouble = None
            except ConsentryError as error:
                moved, self.trouble = 0, f"sealed documents wait for IPFS ({error.code})"
            if not moved:
                await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> int:
        """Pins what waits; how many that were. Raises UpstreamError."""
        waiting = await self._index.unpinned(limit=_MOST)
        if waiting:
            await self._blocks.put_many([row.block for row in waiting])
            # Commit point: a crash before it, and the same blocks are put again; after it, IPFS alone has them.
            await self._index.forget_unpinned([row.digest for row in waiting])
        return len(waiting)
