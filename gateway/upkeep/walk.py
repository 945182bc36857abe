"""Every pinned block, hashed, located under the log key and opened under its domain's: what it is, and whose.

What does not open is foreign and changes nothing: a block of another gateway, a copy, a forged locator, a leaf of a
tree. What each kind of sealed facts becomes stands in `KINDS`, one line a kind.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.crypto import envelope
from gateway.crypto.chunks import LARGEST_SEALED, is_chunk
from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import (
    LOG_DOMAIN,
    ConsentFacts,
    Domain,
    Facts,
    FormFacts,
    PaperFacts,
    ProfileFacts,
    RecordFacts,
    ReleaseFacts,
    SegmentFacts,
    StatementFacts,
    StudyFacts,
    actor_domain,
    audit_domain,
    record_domain,
    study_entry_domain,
    subject_domain,
)
from gateway.crypto.releases import is_piece
from gateway.errors import BlockMissingError, IntegrityError
from gateway.records.opening import TREE, search_tokens
from gateway.storage.dag import DagLimits
from gateway.storage.model import Cid, Codec
from gateway.storage.service import Blocks
from gateway.trials.links import digest_of
from gateway.upkeep.scratch import (
    FoundDocument,
    FoundForm,
    FoundPaper,
    FoundRecord,
    FoundRelease,
    FoundStatement,
    FoundStudyEntry,
    Scratch,
)

HEAD: Final = 8
LARGE_TREE: Final = DagLimits(content=LARGEST_SEALED)
AT_ONCE: Final = 64
"""Blocks in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A sealed block of this gateway. `facts` None: its key is gone, as after an erasure."""

    cid: Cid
    located: envelope.Located = field(repr=False)
    key: DomainKey | None = field(repr=False)
    opened: envelope.Opened[Facts] | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A block that this gateway did not seal. `content`: SHA-256 of it, or of what a tree holds."""

    cid: Cid
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A sealed chunk of large content, a segment or a file of a release, or a node above some: a record's facts or a
    paper say whose."""

    cid: Cid


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A pinned block whose bytes are not its name, or a sealed one that does not open; `why` names no content."""

    cid: Cid
    why: str


Inspected = Found | Foreign | Piece | Damaged


def _record(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    opened = found.opened
    assert opened is not None
    scratch.add_record(
        FoundRecord(
            digest=found.cid.digest,
            tree=int(found.cid.codec is Codec.DAG_PB),
            record=found.located.record,
            version=found.located.version,
            subject=facts.subject,
            recorded_at=facts.recorded_at,
            previous=facts.previous,
            idempotency=facts.idempotency,
            request=facts.request,
            place=facts.place,
            of_=facts.of,
            content_commitment=facts.content_commitment,
            facts_commitment=opened.commitment,
            locator=found.located.locator,
            tokens=b"".join(search_tokens(key, facts)),
            content=b"" if facts.large is None else Cid.from_bytes(facts.large.root).digest,
        )
    )


def _document(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    scratch.add_document(
        FoundDocument(
            digest=found.cid.digest, subject=facts.subject, typed_data=facts.typed_data, signature=facts.signature
        )
    )


def _statement(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    scratch.add_statement(
        FoundStatement(digest=found.cid.digest, subject=facts.subject, octets=facts.octets, salt=facts.salt)
    )


def _paper(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    scratch.add_paper(FoundPaper(digest=found.cid.digest, subject=facts.subject, kind=facts.kind, name=facts.name))


def _form(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    scratch.add_form(FoundForm(digest=found.cid.digest, octets=facts.octets))


def _release(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    scratch.add_release(
        FoundRelease(
            digest=found.cid.digest,
            release=facts.release,
            requester=facts.requester,
            number=facts.number,
            kind=facts.kind,
            octets=facts.octets,
            locator=found.located.locator,
        )
    )


def _study_entry(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    scratch.add_study_entry(
        FoundStudyEntry(
            digest=found.cid.digest,
            study=facts.study,
            number=facts.number,
            kind=facts.kind,
            subject=facts.subject,
            entry=digest_of(facts.octets),
            previous=facts.previous,
            locator=found.located.locator,
        )
    )


def _nothing(found: Found, facts: Any, key: DomainKey, scratch: Scratch) -> None:
    """Found where it is named: a profile by its actor's events, a segment by its batch's manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of sealed facts: its name in reports, whose key seals it, and what the index makes of it."""

    name: str
    domain: Callable[[Any], Domain]
    stage: Callable[[Found, Any, DomainKey, Scratch], None]


KINDS: Final[Mapping[type[Facts], Kind]] = {
    RecordFacts: Kind(name="records", domain=lambda facts: record_domain(facts.subject, facts.study), stage=_record),
    ConsentFacts: Kind(name="documents", domain=lambda facts: subject_domain(facts.subject), stage=_document),
    ProfileFacts: Kind(name="profiles", domain=lambda facts: actor_domain(facts.actor), stage=_nothing),
    StatementFacts: Kind(name="statements", domain=lambda facts: audit_domain(facts.subject), stage=_statement),
    PaperFacts: Kind(name="papers", domain=lambda facts: subject_domain(facts.subject), stage=_paper),
    FormFacts: Kind(name="forms", domain=lambda facts: actor_domain(facts.publisher), stage=_form),
    ReleaseFacts: Kind(name="papers of releases", domain=lambda facts: actor_domain(facts.requester), stage=_release),
    StudyFacts: Kind(name="entries of studies", domain=study_entry_domain, stage=_study_entry),
    SegmentFacts: Kind(name="segments", domain=lambda facts: LOG_DOMAIN, stage=_nothing),
}


async def inspect(cid: Cid, *, blocks: Blocks, keys: KeyRing) -> Inspected:
    """What one block is. Raises UpstreamError where the store, not the block, is at fault."""
    try:
        head = await _head(cid, blocks)
        if is_chunk(head) or is_piece(head):
            return Piece(cid=cid)
        content = await whole(cid, blocks)
        located = await envelope.locate_in(content, keys)
    except BlockMissingError:
        return Damaged(cid=cid, why="pinned, and not there")
    except IntegrityError as error:
        return await _unlocated(cid, blocks, str(error))
    try:
        key = await keys.by_id(located.key_id)
    except IntegrityError:
        return Found(cid=cid, located=located, key=None, opened=None)
    try:
        opened = envelope.open_facts(located, key)
    except IntegrityError as error:
        return Damaged(cid=cid, why=str(error))
    kind = KINDS.get(type(opened.facts))
    if kind is not None and key.domain != kind.domain(opened.facts):
        return Damaged(cid=cid, why="sealed under the key of another domain than its facts name")
    return Found(cid=cid, located=located, key=key, opened=opened)


async def _unlocated(cid: Cid, blocks: Blocks, why: str) -> Inspected:
    try:
        content = await whole(cid, blocks)
    except IntegrityError:
        return Damaged(cid=cid, why=why)
    return Foreign(cid=cid, content=hashlib.sha256(content).digest())


async def _head(cid: Cid, blocks: Blocks) -> bytes:
    """What a block, or a tree of any size, begins with."""
    if cid.codec is Codec.RAW:
        return (await blocks.get(cid))[:HEAD]
    return b"".join([part async for part in blocks.read_content(cid, limits=LARGE_TREE, stop=HEAD)])


async def whole(cid: Cid, blocks: Blocks) -> bytes:
    """A raw block, or what a tree holds."""
    if cid.codec is Codec.RAW:
        return await blocks.get(cid)
    return b"".join([part async for part in blocks.read_content(cid, limits=TREE)])


async def inspected(blocks: Blocks, keys: KeyRing) -> AsyncIterator[Inspected]:
    """Every pinned block of ours, in no order."""
    batch: list[Cid] = []
    async for cid in blocks.pins():
        batch.append(cid)
        if len(batch) == AT_ONCE:
            for one in await asyncio.gather(*(inspect(each, blocks=blocks, keys=keys) for each in batch)):
                yield one
            batch = []
    for one in await asyncio.gather(*(inspect(each, blocks=blocks, keys=keys) for each in batch)):
        yield one


async def is_whole(cid: Cid, *, blocks: Blocks, keys: KeyRing) -> bool:
    """Whether a block is just what was sealed, for a CID that no batch vouches for: whoever copied a block and changed
    its content has valid facts, too. Raises UpstreamError."""
    found = await inspect(cid, blocks=blocks, keys=keys)
    return isinstance(found, Found) and found.key is not None and envelope.is_whole(found.located, found.key)


@dataclass(slots=True, kw_only=True)
class Walked:
    """What a walk met, by kind; `damaged` at most a hundred of them by name."""

    counts: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)


async def walk(blocks: Blocks, keys: KeyRing, scratch: Scratch, *, progress: Callable[[int], None]) -> Walked:
    """Stages every sealed block of this gateway. Raises UpstreamError."""
    walked = Walked()
    async for one in inspected(blocks, keys):
        progress(1)
        if isinstance(one, Piece):
            walked.counts["pieces of large content and releases"] += 1
        elif isinstance(one, Foreign):
            walked.counts["foreign"] += 1
            scratch.add_other(one.content, bytes(one.cid))
        elif isinstance(one, Damaged):
            walked.counts["damaged"] += 1
            if len(walked.damaged) < 100:
                walked.damaged.append(f"{one.cid}: {one.why}")
        elif one.opened is None or one.key is None:
            walked.counts["without key"] += 1
        else:
            kind = KINDS.get(type(one.opened.facts))
            walked.counts["unknown kinds" if kind is None else kind.name] += 1
            if kind is not None:
                kind.stage(one, one.opened.facts, one.key, scratch)
    return walked


async def segment_of(cid: Cid, *, blocks: Blocks, keys: KeyRing) -> SegmentFacts:
    """The audit segment in a block. Raises IntegrityError, UpstreamError."""
    found = await inspect(cid, blocks=blocks, keys=keys)
    if not isinstance(found, Found) or found.opened is None or not isinstance(found.opened.facts, SegmentFacts):
        raise IntegrityError(f"{cid} is no audit segment of this gateway")
    return found.opened.facts
