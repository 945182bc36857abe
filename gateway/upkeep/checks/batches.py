"""Batches: leaves, root, manifest, call and place of each; of audit batches the segment, too."""

import hashlib
from typing import Any

from gateway.errors import ConsentryError, IntegrityError
from gateway.storage.model import Cid
from gateway.storage.segments import cid_of
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import segment_of, whole
from gateway.wiring.looking import Looking, leaf_of, root_of, split_values
from gateway.wiring.upkeep import read


async def check_batches(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Leaves, root, manifest, call and place of each batch; of audit batches the segment."""
    for row in parts.survey.rows("batches"):
        number, log, root, digest, cid, count, state, _, block, block_hash, transaction, data, _ = row
        what = f"batch {number} with root 0x{root.hex()}"
        progress("batches", 1)
        verdict.checked["batches"] += 1
        tickets = list(parts.survey.rows("tickets of batch", batch=number))
        if len(tickets) != count:
            verdict.add(Fault.BATCH_COUNT, what)
        if root_of([ticket[0] for ticket in tickets]) != root:
            verdict.add(Fault.BATCH_ROOT, what)
        wanted = parts.registries.anchor(log=log, root=root, manifest_digest=digest, count=count)
        if data != wanted.data:
            verdict.add(Fault.BATCH_CALL, what)
        if state in ("ANCHORED", "FINAL"):
            place = named.anchored(log, root)
            said = (block or 0).to_bytes(8, "big") + (block_hash or b"") + (transaction or b"")
            if place != said:
                verdict.add(Fault.BATCH_PLACE, what)
        await _check_manifest(parts, verdict, named, log=log, digest=digest, cid=cid, tickets=tickets, what=what)


async def _check_manifest(
    parts: Looking,
    verdict: Verdict,
    named: Named,
    *,
    log: bytes,
    digest: bytes,
    cid: str,
    tickets: list[tuple[Any, ...]],
    what: str,
) -> None:
    try:
        name = Cid.parse(cid)
        named.name(name.digest)
        content = await whole(name, parts.blocks)
    except ConsentryError:
        verdict.add(Fault.MANIFEST_MISSING, what)
        return
    try:
        manifest = read(content)
        entries = {(leaf, block, locator) for leaf, block, locator in manifest.entries}
    except IntegrityError:
        entries, manifest = set(), None
    rows = {(leaf, block, locator) for leaf, _, block, locator in tickets}
    if manifest is None or manifest.log != log or entries != rows or hashlib.sha256(content).digest() != digest:
        verdict.add(Fault.MANIFEST_OTHER, what)
    if tickets and len(split_values(tickets[0][1])) == 3:
        await _check_segment(parts, verdict, named, tickets=tickets, what=what)


async def _check_segment(
    parts: Looking, verdict: Verdict, named: Named, *, tickets: list[tuple[Any, ...]], what: str
) -> None:
    blocks = [ticket[2] for ticket in tickets if ticket[2]]
    if not blocks:
        verdict.add(Fault.SEGMENT_MISSING, what)
        return
    try:
        cid = cid_of(blocks[0])
        named.name(cid.digest)
        segment = await segment_of(cid, blocks=parts.blocks, keys=parts.keys)
    except ConsentryError:
        verdict.add(Fault.SEGMENT_MISSING, what)
        return
    leaves = {leaf_of((one.writer, one.seq.to_bytes(8, "big"), one.hash)) for one in segment.entries}
    if leaves != {ticket[0] for ticket in tickets}:
        verdict.add(Fault.SEGMENT_OTHER, what)
        return
    for one in segment.entries:
        row = parts.survey.one("entry", writer=one.writer, seq=one.seq)
        if row is None or row[0] != one.hash:
            verdict.add(Fault.ENTRY_MISSING, f"entry {one.seq} of writer 0x{one.writer.hex()}")
