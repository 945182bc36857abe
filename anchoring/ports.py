"""What anchoring needs from outside, and what its upper storeys need from `chain` and `stores`.

Stores raise `LeaseLost` or `CursorMoved` when a compare-and-swap failed: then nothing of that call was written.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from anchoring.batcher import Cut
from anchoring.indexer import Undo
from anchoring.model import (
    Batch,
    BlockRef,
    Call,
    CallFate,
    Event,
    Head,
    IntendedCall,
    LogName,
    SentCall,
    Ticket,
)


class ManifestSink(Protocol):
    async def put(self, manifest: bytes) -> str:
        """Durable and pinned on return; the same bytes give the same CID text. Raises StoreUnavailable when in doubt,
        and nothing else: it is put again."""
        ...


class SegmentSink(Protocol):
    async def put(self, tickets: Sequence[Ticket]) -> tuple[bytes, bytes]:
        """What stands behind a batch of audit leaves, as one block, durable and pinned on return: (its digest or
        binary CID, its locator). Raises StoreUnavailable: nothing of the batch may be broadcast; it is put again."""
        ...


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back."""
        ...


class CallStore(Protocol):
    """Calls and the accounts that send them. Every change is conditional on the lease of `owner`."""

    async def take_lease(self, account: str, *, owner: str, now: int, until: int) -> bool:
        """Whether `owner` writes for the account until then; also renews."""
        ...

    async def drop_lease(self, account: str, *, owner: str) -> None: ...

    async def intended(self, lane: str, *, limit: int) -> tuple[IntendedCall, ...]:
        """Calls without a nonce, by priority, then arrival; the oldest of the lane is always among them."""
        ...

    async def sent(self, lane: str) -> tuple[SentCall, ...]:
        """Calls under a nonce that have not landed, by nonce."""
        ...

    async def mark_sent(self, account: str, *, owner: str, sent: SentCall, until: int) -> None:
        """COMMIT POINT before a broadcast. Renews the lease. Raises LeaseLost."""
        ...

    async def mark_landed(self, account: str, *, owner: str, call: bytes, transaction: bytes, block: BlockRef) -> bool:
        """False, and nothing written, where the index already has another block at this height. Raises LeaseLost."""
        ...

    async def mark_reverted(self, account: str, *, owner: str, call: bytes, error: str) -> None: ...

    async def requeue(self, account: str, *, owner: str, call: bytes) -> None:
        """Back to INTENDED, without a nonce. Raises LeaseLost."""
        ...

    async def settled(self, lane: str) -> BlockRef | None:
        """Where the index stands, if nothing of the lane is under way and all that landed is indexed; else None."""
        ...

    async def fate(self, call: bytes) -> CallFate | None: ...


class EventStore(Protocol):
    """The index of events and the place it stands at."""

    async def cursor(self) -> BlockRef | None: ...

    async def known(self, *, limit: int) -> tuple[BlockRef, ...]:
        """The newest kept headers, highest first."""
        ...

    async def advance(
        self, *, expected: BlockRef | None, blocks: Sequence[BlockRef], events: Sequence[Event], keep_from: int
    ) -> None:
        """Events and the cursor (the last of `blocks`) in one transaction. Raises CursorMoved."""
        ...

    async def above(self, number: int, *, upto: int | None = None) -> tuple[Event, ...]:
        """Canonical events of blocks above `number`, in chain order."""
        ...

    async def rewind(self, *, expected: BlockRef, ancestor: BlockRef, head: int, undo: Undo) -> None:
        """Undo and the cursor in one transaction; calls and batches that stood above are pending again.
        Raises CursorMoved."""
        ...

    async def mend(self, *, at: BlockRef, missing: Sequence[Event], undo: Undo) -> None:
        """Adds canonical events up to the indexed block `at` that were left out, and undoes what is none of the
        chain's, in one transaction. Raises CursorMoved where `at` is no longer indexed."""
        ...

    async def forget_orphans(self, *, upto: int) -> tuple[Event, ...]:
        """Deletes events that were orphaned at a head of at most `upto`; returns them."""
        ...


class TicketStore(Protocol):
    """Tickets and batches."""

    async def waiting(self, *, limit: int) -> tuple[Ticket, ...]:
        """Tickets without a batch, oldest first, at most `limit` of each log."""
        ...

    async def count_waiting(self) -> int:
        """Tickets that no anchored batch has, those without a batch among them."""
        ...

    async def write_cut(self, cut: Cut, *, manifest_cid: str, call: Call, now: int) -> bool:
        """Batch, tickets and anchor call in one transaction; False, and nothing written, if any ticket has a batch."""
        ...

    async def settle(self, *, head: int, finality: int) -> int:
        """Moves batches to where call and index say they are; returns how many moved."""
        ...

    async def refused(self) -> tuple[tuple[Batch, str], ...]:
        """Batches whose anchor call reverted, with the error's name."""
        ...

    async def retry(self, batch: Batch) -> None:
        """The batch's anchor call is INTENDED again, byte for byte."""
        ...

    async def intend(self, call: Call, *, now: int) -> None:
        """A call of anchoring's own; what is there already stays, and one that reverted is INTENDED again."""
        ...

    async def batches_of(self, leaves: Sequence[bytes]) -> Mapping[bytes, tuple[Ticket, Batch]]:
        """Of each leaf that has a batch. A leaf that is missing is queued or unknown."""
        ...

    async def leaves_of(self, batch: int) -> tuple[bytes, ...]: ...


class AnchorCalls(Protocol):
    """Encodes the calls of anchoring's own, and reads what a log stands at."""

    def open_log(self, name: LogName, *, anchorer: str) -> Call: ...

    def anchor(self, *, log: bytes, root: bytes, manifest_digest: bytes, count: int) -> Call: ...

    async def anchorer_of(self, log: bytes) -> str | None:
        """The account that anchors a log, at the newest block; None while it is not open."""
        ...


class IndexedHead(Protocol):
    def head(self) -> Head:
        """What the index stands on; no I/O."""
        ...


OnEvents = Callable[[Sequence[Event]], None]
"""Called after the commit with events as stored or undone (`orphaned_at` set). In-process; must not block."""
