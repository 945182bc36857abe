"""Large content: the row that names its tree, every node and sealed chunk below it, and chunks that are under way."""

from gateway.crypto.model import LargeFacts
from gateway.errors import BlockMissingError, IntegrityError
from gateway.storage.model import Cid, split_digests
from gateway.upkeep.checks.erased import is_erased
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import LARGE_TREE
from gateway.wiring.looking import Looking


async def check_content(
    parts: Looking, verdict: Verdict, named: Named, record: bytes, subject: bytes, large: LargeFacts, what: str
) -> None:
    """Of one version; content that the next version keeps is read once."""
    root = Cid.from_bytes(large.root)
    row = parts.survey.one("content", digest=root.digest)
    if row is None or (row[0], row[1]) != (record, subject):
        verdict.add(Fault.CONTENT_OTHER, what)
    if named.is_named(root.digest):
        return
    try:
        for cid in await parts.blocks.list_blocks(root, limits=LARGE_TREE):
            named.name(cid.digest)
            await parts.blocks.get(cid)
            verdict.checked["chunks"] += 1
    except BlockMissingError:
        verdict.add(Fault.CONTENT_MISSING, what)
    except IntegrityError:
        verdict.add(Fault.CONTENT_DAMAGED, what)


async def check_contents(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """After the records: rows that none of them named; and names what unfinished uploads have."""
    for digest, record, subject in parts.survey.rows("contents"):
        progress("contents", 1)
        verdict.checked["contents"] += 1
        if not named.is_named(digest) and not await is_erased(parts, subject):
            verdict.add(Fault.CONTENT_STRAY, f"record {record.hex()}")
    for (digests,) in parts.survey.rows("parts under way"):
        for digest in split_digests(digests):
            named.name(digest)
