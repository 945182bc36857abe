"""The worker with two logs, one of which cannot be served."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from anchoring.errors import StoreUnavailable
from anchoring.model import LogKind, LogName, Ticket
from anchoring.proof import log_id
from anchoring.worker import AnchorWorker
from gateway.ports.clock import SystemClock

GATEWAY, WRITER, ANCHORER = b"\1" * 32, b"\2" * 32, "0x" + "ab" * 20
AUDIT = log_id(LogName(gateway=GATEWAY, writer=WRITER, kind=LogKind.AUDIT))
RECORDS = log_id(LogName(gateway=GATEWAY, writer=WRITER, kind=LogKind.RECORDS))


def audit(seq: int) -> Ticket:
    values = (WRITER, seq.to_bytes(32, "big"), bytes(32))
    return Ticket(seq=seq, log=AUDIT, leaf=bytes([seq]) * 32, values=values, cid_digest=b"", locator=b"")


def record(seq: int) -> Ticket:
    values = (bytes(16), bytes(32), bytes(32), bytes(32), bytes(32))
    return Ticket(seq=seq, log=RECORDS, leaf=bytes([seq]) * 32, values=values, cid_digest=b"\3" * 32, locator=b"")


class Tickets:
    """As much of a store as a step asks."""

    def __init__(self, waiting: Sequence[Ticket]) -> None:
        self._waiting = tuple(waiting)
        self.cut: list[bytes] = []

    async def settle(self, **_: object) -> int:
        return 0

    async def waiting(self, *, limit: int) -> tuple[Ticket, ...]:
        return self._waiting[:limit]

    async def refused(self) -> tuple[()]:
        return ()

    async def write_cut(self, batch: Any, **_: object) -> bool:
        self.cut.append(batch.log)
        return True


class Lost:
    """Segments that are never written."""

    async def put(self, tickets: Sequence[Ticket]) -> tuple[bytes, bytes]:
        raise StoreUnavailable("an audit segment cannot be written")


class Manifests:
    async def put(self, manifest: bytes) -> str:
        return "cid"


class Calls:
    async def anchorer_of(self, log: bytes) -> str:
        return ANCHORER

    def anchor(self, **_: object) -> SimpleNamespace:
        return SimpleNamespace()


def working(store: Any) -> AnchorWorker:
    calls: Any = Calls()
    head: Any = SimpleNamespace(head=lambda: SimpleNamespace(number=7))
    return AnchorWorker(
        store=store,
        calls=calls,
        manifests=Manifests(),
        head=head,
        clock=SystemClock(),
        gateway=GATEWAY,
        writer=WRITER,
        anchorer=ANCHORER,
        finality=1,
        segments=Lost(),
    )


@pytest.mark.parametrize("waiting", [[audit(1), record(2)], [record(1), audit(2)]])
async def test_a_log_that_cannot_be_served_keeps_no_other_waiting(waiting: list[Ticket]) -> None:
    store = Tickets(waiting)
    with pytest.raises(StoreUnavailable, match="audit segment"):
        await working(store).step(drain=True)
    assert store.cut == [RECORDS]
