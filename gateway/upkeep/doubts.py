"""Blocks that no batch names: were they acknowledged? Decided the same way each time, and reported.

1. A version that stands already (the same record and version, or the same idempotency token, in a batch): left out.
2. Older by an hour than the newest batched record of every log: it would have been batched: left out.
3. Part of a write whose other parts are not there, or a version without the one before it: left out, for a write is all
   or nothing.
4. Of several for one version, or of one idempotency token, the latest write stands (a retry follows a crash), by digest
   where they are equal.
5. What is left is recovered, in doubt: the client was not told, or was told a moment before the database went.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import FoundRecord, Scratch

MARGIN: Final = 3_600_000
"""Milliseconds between a block and its acknowledgement, at most, with room to spare."""


def settle_doubts(scratch: Scratch, report: RebuildReport, *, logs: int) -> None:
    """Marks every block that no batch names IN_DOUBT or DROPPED."""
    latest = scratch.latest()
    bound = min(latest.values()) - MARGIN if latest and len(latest) == logs else None
    waiting: list[FoundRecord] = []
    for one in scratch.unplaced():
        if scratch.stands(one.record, one.version) is not None or scratch.is_written(one.idempotency or b"\0"):
            _drop(one, "superseded", scratch, report)
        elif bound is not None and one.recorded_at < bound:
            _drop(one, "too old", scratch, report)
        else:
            waiting.append(one)
    for write in _writes(waiting):
        _judge(write, scratch, report)


def _writes(found: Sequence[FoundRecord]) -> list[list[FoundRecord]]:
    """Blocks of one write together, the latest write first."""
    groups: dict[tuple[object, ...], list[FoundRecord]] = defaultdict(list)
    for one in found:
        alone = b"" if one.of_ > 1 else one.digest
        groups[one.subject, one.recorded_at, one.idempotency, one.of_, alone].append(one)
    return sorted(groups.values(), key=lambda write: (-write[0].recorded_at, write[0].version, write[0].digest))


def _judge(write: list[FoundRecord], scratch: Scratch, report: RebuildReport) -> None:
    reason = ""
    if {one.place for one in write} != set(range(write[0].of_)) or len(write) != write[0].of_:
        reason = "incomplete"
    elif write[0].idempotency and scratch.is_written(write[0].idempotency):
        reason = "superseded"
    for one in write:
        before = scratch.stands(one.record, one.version - 1)
        if scratch.stands(one.record, one.version) is not None:
            reason = reason or "superseded"
        elif one.version > 1 and not _follows(one, before, scratch):
            reason = reason or "without a version before"
    for one in write:
        if reason:
            _drop(one, reason, scratch, report)
        else:
            scratch.mark(one.digest, "IN_DOUBT")
            report.in_doubt.append(f"record {one.record.hex()} version {one.version}")


def _follows(one: FoundRecord, before: FoundRecord | None, scratch: Scratch) -> bool:
    """Whether the version before stands, or waits too: then it is judged after, being older, and must be the one."""
    if before is not None:
        return before.digest == one.previous
    found = scratch.record(one.previous)
    return (
        found is not None and found.state == "FOUND" and (found.record, found.version) == (one.record, one.version - 1)
    )


def _drop(one: FoundRecord, reason: str, scratch: Scratch, report: RebuildReport) -> None:
    scratch.mark(one.digest, "DROPPED")
    report.dropped[reason] += 1
