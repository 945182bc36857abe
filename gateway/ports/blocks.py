"""Blocks by content. Callers verify: what a store returns is bytes, not truth."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol


class StoreWalk(Protocol):
    """Reads of some blocks in the order in which they were stored, for the length of a few pages of rows."""

    def get_now(self, cid: bytes) -> bytes | None:
        """As `BlockStore.get_now`, of a binary CID. UpstreamError."""
        ...


class BlockStore(Protocol):
    """Raw blocks named by CIDv1 (sha2-256); `cid` is its text form."""

    async def put_many(self, blocks: Sequence[tuple[str, bytes]]) -> None:
        """Durable and pinned on return; idempotent. UpstreamError: in doubt, put again."""
        ...

    async def get(self, cid: str, *, limit: int) -> bytes:
        """Unverified bytes, at most `limit`. BlockMissingError, UpstreamError; IntegrityError past the limit."""
        ...

    def get_now(self, cid: str) -> bytes | None:
        """The block if it lies on this machine and needs no waiting, else None (then use `get`)."""
        ...

    def walk(self) -> StoreWalk | None:
        """None where a walk would give no more than `get_now`."""
        ...

    async def has(self, cid: str) -> bool: ...

    def pins(self) -> AsyncIterator[str]:
        """Every pinned CID, in no order."""
        ...

    async def remove(self, cids: Sequence[str]) -> None:
        """Unpinned and deleted on return."""
        ...

    async def check(self) -> None: ...

    async def close(self) -> None: ...
