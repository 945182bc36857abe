"""What hashes on chain stand for: each paper's row against its sealed block, and the block against the hash."""

from gateway.consent import guardianship, limits
from gateway.crypto.model import PaperFacts
from gateway.errors import IntegrityError
from gateway.ports.documents import Paper, PaperKind
from gateway.storage.model import Cid
from gateway.upkeep.checks.erased import is_erased
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.papers import NAMED_BY
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import Found, inspect
from gateway.wiring.looking import Looking, decode_args


async def check_papers(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Each row's block is the paper of its name."""
    for name, subject, digest in parts.survey.rows("papers"):
        progress("papers", 1)
        verdict.checked["papers"] += 1
        named.name(digest)
        found = await inspect(Cid.from_digest(digest), blocks=parts.blocks, keys=parts.keys)
        if isinstance(found, Found) and found.opened is None and await is_erased(parts, subject):
            verdict.notes["papers of erased patients"] += 1
            continue
        facts = found.opened.facts if isinstance(found, Found) and found.opened is not None else None
        if not isinstance(facts, PaperFacts) or (facts.subject, facts.name) != (subject, name):
            verdict.add(Fault.PAPER_BLOCK, f"paper 0x{name.hex()}")
        elif not _is_what_it_says(facts):
            verdict.add(Fault.PAPER_OTHER, f"paper 0x{name.hex()}")


async def check_stray_paper(parts: Looking, verdict: Verdict, facts: PaperFacts) -> None:
    """A paper that no row names: lawful if it is a copy, or if the chain has not got its hash."""
    if parts.survey.one("paper", subject=facts.subject, hashed=facts.name) is not None:
        return
    for event, args in parts.survey.rows("hashes", subject=facts.subject):
        kind, argument = NAMED_BY[event]
        if facts.kind == kind and decode_args(args).get(argument) == facts.name:
            verdict.add(Fault.PAPER_MISSING, f"paper 0x{facts.name.hex()}")
            return


def _is_what_it_says(facts: PaperFacts) -> bool:
    """A signature's name is salted by the guardianship, which nobody here asks for: its block speaks for it."""
    match facts.kind:
        case PaperKind.LIMITS:
            return limits.commitment(facts.octets) == facts.name
        case PaperKind.GUARDIANS:
            try:
                paper = Paper(kind=PaperKind.GUARDIANS, name=facts.name, octets=facts.octets)
                return bool(guardianship.read_paper(paper, facts.name).guardians)
            except IntegrityError:
                return False
        case _:
            return facts.kind == PaperKind.SIGNATURE
