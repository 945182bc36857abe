"""Walks everything and changes nothing: the chain against the index, batches, the audit, consents, records, blocks.

Works beside a gateway at work and without one. What is read once is judged once: what was written since is not looked
at, so nothing that is under way counts as a fault. Memory is flat: names of blocks that rows name lie on disk.
"""

from contextlib import AsyncExitStack
from typing import Final

from gateway.crypto.model import ConsentFacts, Facts, PaperFacts, StatementFacts, StudyFacts
from gateway.settings import Settings
from gateway.upkeep.checks.audit import check_audit
from gateway.upkeep.checks.batches import check_batches
from gateway.upkeep.checks.chain import check_events
from gateway.upkeep.checks.contents import check_contents
from gateway.upkeep.checks.documents import check_documents, check_profiles, check_stray_document
from gateway.upkeep.checks.emergencies import check_emergencies, check_stray_statement
from gateway.upkeep.checks.erasures import check_erasures
from gateway.upkeep.checks.named import Named
from gateway.upkeep.checks.papers import check_papers, check_stray_paper
from gateway.upkeep.checks.records import check_records, check_tickets
from gateway.upkeep.checks.releases import check_releases
from gateway.upkeep.checks.studies import check_stray_entry, check_studies
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import KINDS, Damaged, Foreign, Piece, inspected
from gateway.wiring.looking import Looking, open_looking

STEPS: Final = (
    check_events,
    check_batches,
    check_audit,
    check_documents,
    check_profiles,
    check_papers,
    check_emergencies,
    check_erasures,
    check_records,
    check_contents,
    check_releases,
    check_studies,
    check_tickets,
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


async def check_pins(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Blocks that no row names. Documents among them are judged; the rest is noted: it harms nobody."""
    async for one in inspected(parts.blocks, parts.keys):
        progress("blocks", 1)
        verdict.checked["blocks"] += 1
        if named.is_named(one.cid.digest):
            continue
        if isinstance(one, Piece):
            verdict.notes["pieces of large content or of releases that nothing names"] += 1
        elif isinstance(one, Foreign):
            verdict.notes["pinned blocks that this gateway did not seal"] += 1
        elif isinstance(one, Damaged):
            verdict.notes["pinned blocks that no row names and that are damaged or forged"] += 1
        elif one.opened is None:
            verdict.notes["blocks without a row whose key is gone"] += 1
        else:
            kind = KINDS.get(type(one.opened.facts))
            verdict.notes[f"sealed {kind.name if kind else 'blocks'} that no row names"] += 1
            await _check_stray(parts, verdict, one.opened.facts)


async def _check_stray(parts: Looking, verdict: Verdict, facts: Facts) -> None:
    match facts:
        case ConsentFacts():
            await check_stray_document(parts, verdict, facts)
        case PaperFacts():
            await check_stray_paper(parts, verdict, facts)
        case StatementFacts():
            await check_stray_statement(parts, verdict, facts)
        case StudyFacts():
            await check_stray_entry(parts, verdict, facts)
        case _:
            pass  # noted by its kind
