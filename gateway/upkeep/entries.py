"""Audit entries from the segments of their batches: each is its leaf's, by its own hash, or it is a loss."""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.audit.rules import entry_hash
from gateway.crypto.model import PlacedEntry, SegmentFacts
from gateway.errors import ConsentryError, IntegrityError
from gateway.storage.segments import cid_of
from gateway.upkeep.batches import OwnLog
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import Scratch
from gateway.upkeep.walk import segment_of
from gateway.wiring.anchors import AnchorsPort
from gateway.wiring.upkeep import Manifest, Upkeep

CHUNK: Final = 500
"""Rows in one transaction."""


class Entries:
    """`newest`: of each instance, the sealed public part of its last entry that is back."""

    def __init__(self, parts: Upkeep, scratch: Scratch, report: RebuildReport, anchors: AnchorsPort) -> None:
        self._parts = parts
        self._scratch = scratch
        self._report = report
        self._anchors = anchors
        self._lives: set[bytes] = set()
        self._rows: dict[bytes, int] = {}
        self.newest: dict[bytes, bytes] = {}

    async def restore(self, log: OwnLog, manifest: Manifest) -> dict[bytes, tuple[bytes, ...]]:
        """The leaves' values from the segment that the first leaf names; and the entries themselves."""
        segment = await self._segment(log, manifest)
        values: dict[bytes, tuple[bytes, ...]] = {}
        leaves = {leaf for leaf, _, _ in manifest.entries}
        rows: list[dict[str, object]] = []
        for entry in segment.entries if segment is not None else ():
            own = (entry.writer, entry.seq.to_bytes(8, "big"), entry.hash)
            leaf = self._anchors.leaf(own, kind="audit")
            if leaf not in leaves or _hash_of(entry) != entry.hash:
                self._report.lost.append(f"audit entry {entry.seq} of writer {entry.writer.hex()} is not its leaf's")
                continue
            values[leaf] = own
            if self._scratch.add_entry(entry.hash, entry.previous, entry.writer, entry.seq):
                rows.append(_entry_row(entry))
                if entry.row > self._rows.get(log.instance, 0):
                    self._rows[log.instance], self.newest[log.instance] = entry.row, entry.public
        if segment is not None:
            await self._restore_lives(segment, log)
        for at in range(0, len(rows), CHUNK):
            await self._insert("entries", rows[at : at + CHUNK])
        self._report.restored["audit entries"] += len(rows)
        return values

    async def _segment(self, log: OwnLog, manifest: Manifest) -> SegmentFacts | None:
        digest = manifest.entries[0][1]
        try:
            if not digest:
                raise IntegrityError("its manifest names no segment")
            segment = await segment_of(cid_of(digest), blocks=self._parts.blocks, keys=self._parts.keys)
            if segment.log != log.log:
                raise IntegrityError("its segment is of another log")
        except ConsentryError as error:
            self._report.lost.append(f"{len(manifest.entries)} audit entries: {error.message}")
            return None
        return segment

    async def _restore_lives(self, segment: SegmentFacts, log: OwnLog) -> None:
        rows = [
            {"writer": one.writer, "instance": one.instance, "previous": one.previous, "started_at": one.started_at}
            for one in segment.lives
            if one.writer not in self._lives and one.instance == log.instance
        ]
        self._lives.update(one.writer for one in segment.lives)
        await self._insert("writers", rows)

    async def _insert(self, table: str, rows: Sequence[dict[str, object]]) -> None:
        await asyncio.to_thread(self._parts.loader.insert, table, rows)


def _hash_of(entry: PlacedEntry) -> bytes:
    return entry_hash(
        previous=entry.previous,
        writer=entry.writer,
        seq=entry.seq,
        decision=entry.decision,
        public=entry.public,
        private=entry.private,
        subject_token=entry.subject_token,
        receipt_digest=entry.receipt_digest,
    )


def _entry_row(entry: PlacedEntry) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(entry, name) for name in PlacedEntry.__struct_fields__ if name != "row"}
    return {"id": entry.row, **row}
