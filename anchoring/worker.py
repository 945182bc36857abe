"""Moves tickets: queued → batched → submitted → anchored → final. Each leaf is anchored exactly once.

1. Open a log that is new on chain, and wait until it is open.
2. Close a batch when it is full or old enough: put its segment (of audit leaves) and its manifest durably, then write
   the cut.
3. Let batches follow what the index says of them; send again what the chain refused for a reason that has passed.

Several workers may run: a cut takes its tickets only while they are free, all or none. Not done here: sending (the
anchor lane) and looking at the chain (the follower).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from anchoring.batcher import BatchPolicy, Cut, cut, is_due
from anchoring.errors import AnchoringError, StoreUnavailable
from anchoring.model import LEAF_ENCODING, Batch, LogKind, LogName, Ticket
from anchoring.ports import AnchorCalls, Clock, IndexedHead, ManifestSink, SegmentSink, TicketStore
from anchoring.proof import log_id

TICK_SECONDS: Final = 0.25
SMALLEST: Final = 32
"""Tickets of a batch that is tried after larger ones failed; each that is written doubles it."""
RECHECK_SECONDS: Final = 30.0
"""How often an open log is asked for again: a reorganization may have closed it."""


class AnchorWorker:
    """Run it with `run`, end it with `stop`. `writer` and `gateway` name the records' log; audit logs name themselves
    in their leaves. `anchorer`: the anchor lane's account; `head`: the follower's; `on_calls`: wakes the lanes;
    `instances`: the writers that this gateway has had, for logs of other replicas."""

    def __init__(
        self,
        *,
        store: TicketStore,
        calls: AnchorCalls,
        manifests: ManifestSink,
        head: IndexedHead,
        clock: Clock,
        gateway: bytes,
        writer: bytes,
        anchorer: str,
        finality: int,
        policy: BatchPolicy | None = None,
        on_calls: Callable[[], None] = lambda: None,
        instances: Callable[[], Awaitable[Sequence[bytes]]] | None = None,
        segments: SegmentSink | None = None,
    ) -> None:
        self._store = store
        self._calls = calls
        self._manifests = manifests
        self._head = head
        self._clock = clock
        self._gateway = gateway
        self._records = LogName(gateway=gateway, writer=writer, kind=LogKind.RECORDS)
        self._anchorer = anchorer
        self._finality = finality
        self._policy = policy or BatchPolicy()
        self._on_calls = on_calls
        self._instances = instances
        self._segments = segments
        self._logs: dict[bytes, LogName] = {}
        self._first_seen: dict[bytes, tuple[int, float]] = {}
        self._open_until: dict[bytes, float] = {}
        self._sizes: dict[bytes, int] = {}
        self._retried: dict[int, tuple[int, float]] = {}
        self._started = False
        self._work = asyncio.Event()
        self._stopping = False
        self.trouble: str | None = None
        """What keeps tickets from moving, in words for an operator; None while all is well."""

    def wake(self) -> None:
        """Says that tickets or blocks are new; no I/O."""
        self._work.set()

    def stop(self) -> None:
        """Ends `run` after the step that is under way."""
        self._stopping = True
        self._work.set()

    async def run(self) -> None:
        """Steps until `stop`. An unreachable chain, database or block store is tried again."""
        while not self._stopping:
            self._work.clear()
            self.trouble = None
            moved = False
            try:
                moved = await self.step()
            except AnchoringError as e:
                self.trouble = str(e)
            if not moved:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._work.wait(), TICK_SECONDS)

    async def step(self, *, drain: bool = False) -> bool:
        """One round; True if a batch was cut. `drain` closes batches whatever their age. Raises AnchoringError, the
        first one: a log that cannot be served keeps no other waiting."""
        await self._settle()
        waiting = await self._store.waiting(limit=self._policy.size)
        by_log: dict[bytes, list[Ticket]] = {}
        for ticket in waiting:
            by_log.setdefault(ticket.log, []).append(ticket)
        moved, failures = False, list[AnchoringError]()
        for log, tickets in by_log.items():
            if is_due(self._policy, waiting=len(tickets), oldest_age=self._age(tickets, drain=drain)):
                size = self._sizes.get(log, self._policy.size)
                part = tickets[:size]
                try:
                    moved = await self._close(log, part) or moved
                    self._sizes[log] = min(2 * size, self._policy.size)
                except AnchoringError as error:
                    failures.append(error)
                    if isinstance(error, StoreUnavailable):
                        # A slow block store may have time for a small segment where it has none for a large one.
                        self._sizes[log] = min(max(len(part) // 2, SMALLEST), self._policy.size)
        self._first_seen = {log: seen for log, seen in self._first_seen.items() if log in by_log}
        self._started = True
        if failures:
            raise failures[0]
        return moved

    def _age(self, tickets: Sequence[Ticket], *, drain: bool) -> float:
        """Seconds since the oldest was first seen. What waited before this worker started has waited long enough."""
        oldest, now = tickets[0], self._clock.monotonic()
        if drain or not self._started:
            return float("inf")
        seq, since = self._first_seen.get(oldest.log, (-1, now))
        if seq != oldest.seq:
            self._first_seen[oldest.log] = (oldest.seq, now)
            return 0.0
        return now - since

    # 1. Logs

    async def _is_open(self, log: bytes, name: LogName) -> bool:
        """Whether the log takes our roots now; if it is not open yet, it will be."""
        now = self._clock.monotonic()
        if now < self._open_until.get(log, 0.0):
            return True
        anchorer = await self._calls.anchorer_of(log)
        if anchorer is None:
            await self._store.intend(self._calls.open_log(name, anchorer=self._anchorer), now=int(self._clock.now()))
            self._on_calls()
            return False
        if anchorer.lower() != self._anchorer.lower():
            self.trouble = f"log 0x{log.hex()} takes roots from {anchorer}, not from {self._anchorer}: setAnchorer"
            return False
        self._open_until[log] = now + RECHECK_SECONDS
        return True

    async def _name(self, log: bytes, ticket: Ticket) -> LogName | None:
        """The name behind a log id, checked: of a writer that is known, or of the one that an audit leaf names."""
        writers = [self._records.writer]
        if len(ticket.values) == len(LEAF_ENCODING[LogKind.AUDIT]) and len(ticket.values[0]) == 32:
            writers.append(ticket.values[0])
        found = self._logs.get(log) or self._match(log, writers)
        if found is None and self._instances is not None:
            found = self._match(log, await self._instances())
        return found

    def _match(self, log: bytes, writers: Sequence[bytes]) -> LogName | None:
        for writer in writers:
            for kind in LogKind:
                name = LogName(gateway=self._gateway, writer=writer, kind=kind)
                if log_id(name) == log:
                    self._logs[log] = name
                    return name
        return None

    # 2. Batches

    async def _close(self, log: bytes, tickets: Sequence[Ticket]) -> bool:
        name = await self._name(log, tickets[0])
        if name is None:
            self.trouble = f"tickets of log 0x{log.hex()}, which is none of this gateway's"
            return False
        if not await self._is_open(log, name):
            return False
        if name.kind is LogKind.AUDIT and self._segments is not None:
            # One block holds all entries of the batch: its first leaf names it. A cut that is made again after a crash
            # puts another block; the one that nothing names is dropped by nobody's loss.
            digest, locator = await self._segments.put(tickets)
            tickets = [replace(tickets[0], cid_digest=digest, locator=locator), *tickets[1:]]
        return await self._write(cut(tickets))

    async def _write(self, batch: Cut) -> bool:
        """COMMIT POINTS, in this order. The manifest is durable: a crash here leaves a block that nothing names, and
        the tickets still queued. The cut is written: batch, tickets and call are fixed together, and the lane sends
        the call however often this process dies. A batch is never cut again."""
        cid = await self._manifests.put(batch.manifest)
        call = self._calls.anchor(
            log=batch.log, root=batch.root, manifest_digest=batch.manifest_digest, count=len(batch.tickets)
        )
        written = await self._store.write_cut(batch, manifest_cid=cid, call=call, now=int(self._clock.now()))
        self._on_calls()
        return written

    # 3. Batches under way

    async def _settle(self) -> None:
        await self._store.settle(head=self._head.head().number, finality=self._finality)
        now = self._clock.monotonic()
        self._retried = {
            one: (tries, due) for one, (tries, due) in self._retried.items() if now < due + RECHECK_SECONDS
        }
        for batch, error in await self._store.refused():
            if error not in ("NotAnchorer", "AlreadyAnchored"):
                self.trouble = f"the chain refuses root 0x{batch.root.hex()}: {error}"
                continue
            # NotAnchorer: a reorganization closed the log, and its opening is on its way again. AlreadyAnchored: the
            # event was not readable yet. Both pass; the same bytes go out, later each time: a lane looks at its oldest
            # calls alone, and those that are refused again and again would keep all others away.
            self._open_until.pop(batch.log, None)
            tries, due = self._retried.get(batch.id, (0, now))
            if tries:
                self.trouble = f"the chain refuses root 0x{batch.root.hex()} again: {error}"
            if now >= due and (error == "AlreadyAnchored" or await self._reopen(batch)):
                await self._store.retry(batch)
                self._retried[batch.id] = tries + 1, now + min(RECHECK_SECONDS, TICK_SECONDS * 2**tries)
                self._on_calls()

    async def _reopen(self, batch: Batch) -> bool:
        leaves = await self._store.leaves_of(batch.id)
        ticket, _ = (await self._store.batches_of(leaves[:1]))[leaves[0]]
        name = await self._name(batch.log, ticket)
        return name is not None and await self._is_open(batch.log, name)
