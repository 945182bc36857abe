"""The worker with two logs, one of which cannot be served."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from anchoring.errors import StoreUnavailable
from anchoring.model import LogKind, LogName, Ticket
from anchoring.proof import log_id
from anchoring.worker import RECHECK_SECONDS, SMALLEST, AnchorWorker
from gateway.ports.clock import SystemClock

GATEWAY, WRITER, ANCHORER = b"\1" * 32, b"\2" * 32, "0x" + "ab" * 20
AUDIT = log_id(LogName(gateway=GATEWAY, writer=WRITER, kind=LogKind.AUDIT))
RECORDS = log_id(LogName(gateway=GATEWAY, writer=WRITER, kind=LogKind.RECORDS))


def audit(seq: int) -> Ticket:
    values = (WRITER, seq.to_bytes(32, "big"), bytes(32))
    return Ticket(seq=seq, log=AUDIT, leaf=seq.to_bytes(32, "big"), values=values, cid_digest=b"", locator=b"")


def record(seq: int) -> Ticket:
    values = (bytes(16), bytes(32), bytes(32), bytes(32), bytes(32))
    return Ticket(seq=seq, log=RECORDS, leaf=bytes([seq]) * 32, values=values, cid_digest=b"\3" * 32, locator=b"")


class Tickets:
    """As much of a store as a step asks."""

    def __init__(self, waiting: Sequence[Ticket]) -> None:
        self._waiting = tuple(waiting)
        self.cut: list[bytes] = []
        self.sizes: list[int] = []
        self.retried: list[int] = []
        self.refusing: tuple[tuple[Any, str], ...] = ()

    def come(self, tickets: Sequence[Ticket]) -> None:
        self._waiting += tuple(tickets)

    async def settle(self, **_: object) -> int:
        return 0

    async def waiting(self, *, limit: int) -> tuple[Ticket, ...]:
        return self._waiting[:limit]

    async def refused(self) -> tuple[tuple[Any, str], ...]:
        return self.refusing

    async def retry(self, batch: Any) -> None:
        self.retried.append(batch.id)

    async def write_cut(self, batch: Any, **_: object) -> bool:
        self.cut.append(batch.log)
        self.sizes.append(len(batch.tickets))
        self._waiting = tuple(one for one in self._waiting if one.seq not in {cut.seq for cut in batch.tickets})
        return True


class Segments:
    """Are written of so many tickets at most."""

    def __init__(self, most: int = 0) -> None:
        self._most = most

    async def put(self, tickets: Sequence[Ticket]) -> tuple[bytes, bytes]:
        if len(tickets) > self._most:
            raise StoreUnavailable("an audit segment cannot be written")
        return bytes(32), b""


class Manifests:
    async def put(self, manifest: bytes) -> str:
        return "cid"


class Calls:
    async def anchorer_of(self, log: bytes) -> str:
        return ANCHORER

    def anchor(self, **_: object) -> SimpleNamespace:
        return SimpleNamespace()


class Clock(SystemClock):
    """Stands still until it is moved."""

    at = 100.0

    def monotonic(self) -> float:
        return self.at


def working(store: Any, clock: Clock | None = None, *, most: int = 0) -> AnchorWorker:
    calls: Any = Calls()
    head: Any = SimpleNamespace(head=lambda: SimpleNamespace(number=7))
    return AnchorWorker(
        store=store,
        calls=calls,
        manifests=Manifests(),
        head=head,
        clock=clock or Clock(),
        gateway=GATEWAY,
        writer=WRITER,
        anchorer=ANCHORER,
        finality=1,
        segments=Segments(most),
    )


@pytest.mark.parametrize("waiting", [[audit(1), record(2)], [record(1), audit(2)]])
async def test_a_log_that_cannot_be_served_keeps_no_other_waiting(waiting: list[Ticket]) -> None:
    store = Tickets(waiting)
    with pytest.raises(StoreUnavailable, match="audit segment"):
        await working(store).step(drain=True)
    assert store.cut == [RECORDS]


async def test_what_the_chain_refuses_again_and_again_is_sent_later_each_time() -> None:
    store, clock = Tickets([]), Clock()
    refused: Any = SimpleNamespace(id=7, root=bytes(32), log=RECORDS)
    store.refusing = ((refused, "AlreadyAnchored"),)
    worker, times = working(store, clock), []
    for _ in range(4_000):  # a hundred seconds
        await worker.step()
        times += [round(clock.at - 100.0, 3)] * (len(store.retried) - len(times))
        clock.at += 0.025
    assert times[:3] == [0.0, 0.25, 0.75]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(RECHECK_SECONDS, abs=0.1)
    assert len(times) < 12
    assert worker.trouble == f"the chain refuses root 0x{'00' * 32} again: AlreadyAnchored"


async def test_another_refusal_waits_for_no_batch_that_was_refused_before() -> None:
    store, clock = Tickets([]), Clock()
    first, second = (SimpleNamespace(id=one, root=bytes(32), log=RECORDS) for one in (1, 2))
    store.refusing = ((first, "AlreadyAnchored"),)
    worker = working(store, clock)
    for _ in range(100):
        await worker.step()
        clock.at += 1.0
    store.retried.clear()
    store.refusing = ((first, "AlreadyAnchored"), (second, "AlreadyAnchored"))
    await worker.step()
    assert 2 in store.retried


async def test_a_batch_that_is_too_large_to_be_written_is_tried_smaller() -> None:
    store = Tickets([audit(seq) for seq in range(3_000)])
    worker, failed = working(store, most=300), 0
    for _ in range(100):
        try:
            await worker.step(drain=True)
        except StoreUnavailable:
            failed += 1
    assert sum(store.sizes) == 3_000
    assert max(store.sizes) <= 300
    assert failed < len(store.sizes) + 2


async def test_what_cannot_be_written_at_all_is_tried_at_the_smallest() -> None:
    store = Tickets([audit(seq) for seq in range(SMALLEST + 1)])
    worker = working(store, most=SMALLEST)
    for _ in range(3):
        with suppress(StoreUnavailable):
            await worker.step(drain=True)
    assert store.sizes == [SMALLEST, 1]


async def test_small_batches_make_no_later_one_small() -> None:
    store = Tickets([audit(1)])
    worker = working(store, most=1_024)
    await worker.step(drain=True)
    store.come([audit(seq) for seq in range(2, 1_002)])
    await worker.step(drain=True)
    assert store.sizes == [1, 1_000]
