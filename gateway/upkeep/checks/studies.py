"""Journals of studies: each entry against its sealed block and its leaf, one gapless chain a study. An entry whose
subject was erased is checked by its hashes, its leaf and its line, and noted."""

from dataclasses import dataclass

from gateway.crypto.model import DomainKind, StudyFacts
from gateway.errors import IntegrityError
from gateway.storage.lines import StudyLine, line_behind, plain
from gateway.storage.model import Cid
from gateway.trials.links import ABOUT, FIRST, leaf_values
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import Damaged, Found, inspect
from gateway.wiring.looking import Looking, leaf_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """An entry as its row and its place in the chain have it, and what to call it."""

    line: StudyLine
    digest: bytes
    what: str


async def check_studies(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Every entry of every journal, in order."""
    for (study,) in parts.survey.rows("studies"):
        verdict.checked["studies"] += 1
        erased = await _erased(parts, study)
        at, previous = 0, FIRST
        for number, kind, about, entry, digest in parts.survey.rows("study entries", study=study):
            progress("entries of studies", 1)
            verdict.checked["entries of studies"] += 1
            named.name(digest)
            what = f"entry {number} of study {study.hex()}"
            if number != at:
                verdict.add(Fault.STUDY_CHAIN, what)
            line = StudyLine(study=study, number=number, kind=kind, about=about, entry=entry, previous=previous)
            await _check_entry(parts, verdict, _Placed(line=line, digest=digest, what=what), erased=erased)
            at, previous = number + 1, entry


async def _erased(parts: Looking, study: bytes) -> frozenset[bytes]:
    """Tokens of the subjects whose key in a study was destroyed."""
    names = [name for kind, name in await parts.store.destroyed() if kind == DomainKind.STUDY.value]
    return frozenset(parts.keys.log.token(ABOUT, study, name[: -len(study)]) for name in names if name.endswith(study))


async def _check_entry(parts: Looking, verdict: Verdict, one: _Placed, *, erased: frozenset[bytes]) -> None:
    found = await inspect(Cid.from_digest(one.digest), blocks=parts.blocks, keys=parts.keys)
    locator = found.located.locator if isinstance(found, Found) else None
    if isinstance(found, Found) and found.opened is not None:
        _check_facts(parts, verdict, one, found.opened.facts)
    elif isinstance(found, Found | Damaged) and one.line.about in erased | await _erased(parts, one.line.study):
        # Asked again: somebody may be erased while this walk is under way.
        verdict.notes["entries of studies about erased patients"] += 1
    elif isinstance(found, Found):
        verdict.add(Fault.STUDY_KEY, one.what)
    else:
        verdict.add(Fault.STUDY_ENTRY, one.what)
    _check_leaf(parts, verdict, one, locator)


def _check_facts(parts: Looking, verdict: Verdict, one: _Placed, facts: object) -> None:
    if not isinstance(facts, StudyFacts):
        verdict.add(Fault.STUDY_ENTRY, one.what)
        return
    about = parts.keys.log.token(ABOUT, facts.study, facts.subject) if facts.subject else b""
    said = StudyLine.of(facts, about=about)
    if (said.study, said.number, said.kind, said.about, said.entry) != (
        one.line.study,
        one.line.number,
        one.line.kind,
        one.line.about,
        one.line.entry,
    ):
        verdict.add(Fault.STUDY_ENTRY, one.what)
    elif said.previous != one.line.previous:
        verdict.add(Fault.STUDY_CHAIN, one.what)


def _check_leaf(parts: Looking, verdict: Verdict, one: _Placed, locator: bytes | None) -> None:
    """`locator`: the block's own, where there is a block."""
    line = one.line
    leaf = leaf_of(leaf_values(line.study, line.number, line.entry, line.previous))
    ticket = None if leaf is None else parts.survey.one("leaf", leaf=leaf)
    if ticket is None or ticket[0] != one.digest or locator not in (None, plain(ticket[1])):
        verdict.add(Fault.STUDY_TICKET, one.what)
        return
    try:
        told = line_behind(ticket[1], digest=one.digest, log=parts.keys.log)
    except IntegrityError:
        told = None
    if told != line:
        verdict.add(Fault.STUDY_TICKET, one.what)


async def check_stray_entry(parts: Looking, verdict: Verdict, facts: StudyFacts) -> None:
    """An entry that no row names: lawful if it is a copy, for a row is durable before its block is pinned."""
    if parts.survey.one("study entry", study=facts.study, number=facts.number) is None:
        verdict.add(Fault.STUDY_MISSING, f"entry {facts.number} of study {facts.study.hex()}")
