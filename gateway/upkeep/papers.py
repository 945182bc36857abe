"""Papers from their sealed blocks: what opens a hash that the chain has, and signatures that are being collected.

A paper whose hash the chain has not got is left out, as a permit is: nobody was told that it stands.
"""

from collections.abc import Sequence
from typing import Final

from anchoring.model import Event
from gateway.ports.documents import PaperKind
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import Scratch

NAMED_BY: Final = {"GuardiansSet": (PaperKind.GUARDIANS, "guardians"), "DelegateAdded": (PaperKind.LIMITS, "limits")}
"""Event -> the kind of paper whose hash it has, and in which argument."""


def restore_papers(scratch: Scratch, report: RebuildReport, events: Sequence[Event]) -> list[dict[str, object]]:
    """Rows of the table; of two papers of one name, which say the same, the first by digest."""
    named = {
        (event.keys[0], kind, event.args[argument])
        for event in events
        if event.name in NAMED_BY
        for kind, argument in (NAMED_BY[event.name],)
    }
    rows: dict[tuple[bytes, bytes], dict[str, object]] = {}
    for found in scratch.papers():
        if found.kind != PaperKind.SIGNATURE and (found.subject, found.kind, found.name) not in named:
            report.dropped["papers whose hash the chain has not got"] += 1
            continue
        row: dict[str, object] = {"name": found.name, "subject": found.subject, "digest": found.digest}
        rows.setdefault((found.subject, found.name), row)
    report.restored["papers"] += len(rows)
    return list(rows.values())
