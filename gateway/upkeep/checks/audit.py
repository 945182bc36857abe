"""The audit: each instance's chain of hashes, life after life."""

from typing import Any

from gateway.audit.rules import GENESIS, entry_hash
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.wiring.looking import Looking, leaf_of


async def check_audit(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Each instance's chain of hashes, life after life."""
    for (writer,) in parts.survey.rows("strays"):
        verdict.add(Fault.LIFE_MISSING, f"writer 0x{writer.hex()}")
    before: dict[bytes, bytes] = {}
    for writer, instance, _ in parts.survey.rows("lives"):
        number = 0
        for row in parts.survey.rows("entries", writer=writer):
            progress("audit entries", 1)
            verdict.checked["audit entries"] += 1
            names = ("writer", "seq", "decision", "previous", "hash", "public", "private", "subject_token")
            entry: dict[str, Any] = dict(zip((*names, "receipt_digest"), row, strict=True))
            own = entry.pop("hash")
            what = f"entry {entry['seq']} of writer 0x{writer.hex()}"
            if entry["seq"] != number + 1:
                verdict.add(Fault.ENTRY_GAP, what)
            elif entry["previous"] != before.get(instance, GENESIS):
                verdict.add(Fault.ENTRY_BROKEN, what)
            if entry_hash(**entry) != own:
                verdict.add(Fault.ENTRY_EDITED, what)
            leaf = leaf_of((writer, entry["seq"].to_bytes(8, "big"), own))
            log = parts.audit_log(instance)
            if leaf is None or parts.survey.one("ticket", leaf=leaf, log=log) is None:
                verdict.add(Fault.ENTRY_UNTICKETED, what)
            number, before[instance] = entry["seq"], own
