"""Releases of data: each paper against its sealed block and its leaf, one chain a release; and the files that may still
be opened, to the octet."""

import hashlib

from gateway.crypto.model import ReleaseFacts
from gateway.errors import ConsentryError
from gateway.ports.releases import ReleasePaper, ReleaseStage
from gateway.releases import papers
from gateway.releases.keeping import FIRST, leaf_values
from gateway.releases.papers import Delivery, Kind
from gateway.releases.segments import LIMITS, sealed_people
from gateway.storage.model import Cid, Codec
from gateway.upkeep.checks.named import Named
from gateway.upkeep.faults import Fault, Verdict
from gateway.upkeep.report import Progress
from gateway.upkeep.walk import Found, inspect
from gateway.wiring.looking import Looking, leaf_of


async def check_releases(parts: Looking, verdict: Verdict, named: Named, progress: Progress) -> None:
    """Every release, in the order of the requests."""
    for release, stage in parts.survey.rows("releases"):
        progress("releases", 1)
        verdict.checked["releases"] += 1
        found = await _papers(parts, verdict, named, release)
        for (root,) in parts.survey.rows("release segments", release=release):
            await _name_tree(parts, named, Cid.from_bytes(root))
        last = next((one for one in reversed(found) if papers.kind_of(one) is Kind.MANIFEST), b"")
        for octets in found:
            is_open = stage == ReleaseStage.RELEASED and octets == last
            await _check_paper(parts, verdict, named, octets, release=release, is_open=is_open)


async def _papers(parts: Looking, verdict: Verdict, named: Named, release: bytes) -> list[bytes]:
    """What opens of them, in order."""
    previous, opened = FIRST, list[bytes]()
    for place, (number, kind, digest) in enumerate(parts.survey.rows("release papers", release=release)):
        verdict.checked["papers of releases"] += 1
        named.name(digest)
        what = f"paper {number} of release {release.hex()}"
        found = await inspect(Cid.from_digest(digest), blocks=parts.blocks, keys=parts.keys)
        facts = found.opened.facts if isinstance(found, Found) and found.opened is not None else None
        if not isinstance(facts, ReleaseFacts) or (facts.release, facts.number, facts.kind) != (release, number, kind):
            verdict.add(Fault.RELEASE_PAPER, what)
            return opened
        if number != place or papers.KINDS[ReleasePaper(kind)] is not papers.kind_of(facts.octets):
            verdict.add(Fault.RELEASE_GAP, what)
        values = leaf_values(release, number, facts.octets, previous)
        leaf = leaf_of(values)
        ticket = None if leaf is None else parts.survey.one("leaf", leaf=leaf)
        if ticket is None or ticket[0] != digest:
            verdict.add(Fault.RELEASE_TICKET, what)
        previous = values[2]
        opened.append(facts.octets)
    return opened


async def _check_paper(
    parts: Looking, verdict: Verdict, named: Named, octets: bytes, *, release: bytes, is_open: bool
) -> None:
    """What a manifest or a delivery names; of editions before the last nothing need be there any more."""
    match papers.kind_of(octets):
        case Kind.DELIVERY:
            delivery = papers.read_delivery(octets)
            for root in filter(None, (delivery.members, delivery.people)):
                await _name_tree(parts, named, Cid.from_bytes(bytes.fromhex(root)))
            if delivery.people:
                await _check_people(parts, verdict, delivery, release=release)
        case Kind.MANIFEST:
            for file in papers.read_files(octets):
                cid = Cid.parse(file.cid)
                await _name_tree(parts, named, cid)
                if is_open:
                    verdict.checked["files of releases"] += 1
                    if await _digest(parts, cid) != file.sha256:
                        verdict.add(Fault.RELEASE_FILE, f"{file.name} of release {release.hex()}")
        case _:
            pass  # it names nothing


async def _check_people(parts: Looking, verdict: Verdict, delivery: Delivery, *, release: bytes) -> None:
    """Later releases are compared with the row."""
    row = parts.survey.one("release people", release=release, edition=delivery.edition)
    try:
        sealed = await sealed_people(bytes.fromhex(delivery.people), parts.blocks)
    except ConsentryError:
        sealed = b""
    if row is None or row[0] != sealed:
        verdict.add(Fault.RELEASE_PEOPLE, f"edition {delivery.edition} of release {release.hex()}")


async def _name_tree(parts: Looking, named: Named, cid: Cid) -> None:
    named.name(cid.digest)
    if cid.codec is Codec.DAG_PB and await parts.blocks.has(cid):
        for one in await parts.blocks.list_blocks(cid, limits=LIMITS):
            named.name(one.digest)


async def _digest(parts: Looking, cid: Cid) -> bytes:
    """Empty where it is not all there."""
    found = hashlib.sha256()
    try:
        if cid.codec is Codec.RAW:
            found.update(await parts.blocks.get(cid))
        else:
            async for part in parts.blocks.read_content(cid, limits=LIMITS):
                found.update(part)
    except ConsentryError:
        return b""
    return found.digest()
