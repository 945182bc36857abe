"""Rows and calls that a rebuild writes; each call once, whichever document or transaction named it."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from anchoring.model import Event
from gateway.ports.rows import CallRow
from gateway.upkeep.report import Progress, RebuildReport
from gateway.wiring.upkeep import Upkeep

T = TypeVar("T")
CHUNK: Final = 500
"""Rows in one transaction."""


class Filling:
    """The empty index that is being filled."""

    def __init__(self, parts: Upkeep, report: RebuildReport, progress: Progress) -> None:
        self._parts = parts
        self._report = report
        self._progress = progress
        self._calls: set[bytes] = set()

    @property
    def calls(self) -> frozenset[bytes]:
        """Names of the calls that are written."""
        return frozenset(self._calls)

    async def insert(self, table: str, rows: Sequence[dict[str, object]]) -> None:
        await asyncio.to_thread(self._parts.loader.insert, table, rows)

    async def restore_calls(self, events: Sequence[Event]) -> None:
        """The calls that landed, from their transactions."""
        # The deployment registered the gateway before there was an index to intend it in.
        names = list(dict.fromkeys(event.transaction for event in events if event.name != "GatewayRegistered"))
        for part in chunks(names):
            rows = [row for row in await self._parts.calls(part) if row["call"] not in self._calls]
            unique = {row["call"]: row for row in rows}
            self._calls |= {bytes(name) for name in unique if isinstance(name, bytes)}
            await self.insert("calls", list(unique.values()))
            self._progress("reading calls", len(part))

    async def intend(self, call: CallRow, *, event: Event | None = None) -> None:
        """A call that has to be relayed, or one that somebody else's transaction made stand (`event`)."""
        if call.call in self._calls:
            return
        self._calls.add(call.call)
        row: dict[str, object] = {
            name: getattr(call, name) for name in ("call", "lane", "priority", "contract", "data")
        }
        row |= {"state": "INTENDED", "created_at": int(self._parts.clock.now())}
        if event is not None:
            row |= {"state": "LANDED", "transaction": event.transaction, "block_number": event.block_number}
            row |= {"block_hash": event.block_hash}
        await self.insert("calls", [row])
        self._report.restored["calls that go out again"] += event is None


def chunks(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK))
