"""Walks everything and changes nothing: the chain against the index, batches, the audit, consents, records, blocks.

Works beside a gateway at work and without one. What is read once is judged once: what was written since is not looked
at, so nothing that is under way counts as a fault. Memory is flat: names of blocks that rows name lie on disk.
"""

import sqlite3
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from gateway.settings import Settings
from gateway.upkeep import checking
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import KINDS, Damaged, Foreign, inspected
from gateway.wiring.looking import Looking, open_looking

STEPS: Final = (
    checking.check_events,
    checking.check_batches,
    checking.check_audit,
    checking.check_documents,
    checking.check_profiles,
    checking.check_records,
    checking.check_tickets,
)


async def verify(settings: Settings, *, rpc: str | None, progress: Progress) -> Verdict:
    """SettingsError where keys or contracts are missing; UpstreamError where a part is away."""
    async with AsyncExitStack() as closing:
        parts = await open_looking(settings, closing, rpc=rpc)
        with Named() as named:
            verdict = Verdict()
            if parts.survey.one("mark") is not None:
                verdict.add(Fault.UNFINISHED, "this index")
            for step in STEPS:
                await step(parts, verdict, named, progress)
            await check_pins(parts, verdict, named, progress)
            return verdict


class Named:
    """Digests of blocks that rows name, and batches that the chain has; on disk."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="consentry-verify-")
        self._db = sqlite3.connect(Path(self._folder.name) / "named.db", isolation_level=None, check_same_thread=False)
        self._db.execute("pragma synchronous = off")
        self._db.execute("create table blocks (digest primary key) without rowid")
        self._db.execute("create table batches (log, root, place, primary key (log, root))")

    def __enter__(self) -> "Named":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._folder.cleanup()

    def name(self, digest: bytes) -> None:
        self._db.execute("insert or ignore into blocks values (?)", (digest,))

    def is_named(self, digest: bytes) -> bool:
        return self._db.execute("select 1 from blocks where digest = ?", (digest,)).fetchone() is not None

    def anchor(self, log: bytes, root: bytes, place: bytes) -> None:
        self._db.execute("insert or ignore into batches values (?, ?, ?)", (log, root, place))

    def anchored(self, log: bytes, root: bytes) -> bytes | None:
        row = self._db.execute("select place from batches where log = ? and root = ?", (log, root)).fetchone()
        return None if row is None else bytes(row[0])


async def check_pins(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Blocks that no row names. Documents among them are judged; the rest is noted: it harms nobody."""
    async for one in inspected(parts.blocks, parts.keys):
        progress("blocks", 1)
        verdict.checked["blocks"] += 1
        if named.is_named(one.cid.digest):
            continue
        if isinstance(one, Foreign):
            verdict.notes["pinned blocks that this gateway did not seal"] += 1
        elif isinstance(one, Damaged):
            verdict.notes["pinned blocks that no row names and that are damaged or forged"] += 1
        elif one.opened is None:
            verdict.notes["blocks without a row whose key is gone"] += 1
        else:
            kind = KINDS.get(type(one.opened.facts))
            verdict.notes[f"sealed {kind.name if kind else 'blocks'} that no row names"] += 1
            await checking.check_stray(parts, verdict, one.cid.digest, one.opened.facts)
