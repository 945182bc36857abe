"""Bytes to facts to content: every block is hashed against its CID, bound to the row that named it, and opened.

Facts open for the decision; content opens for its Permit alone. Facts are kept by digest, content never is.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from gateway import jsontext
from gateway.consent.model import DecisionFacts, Permit
from gateway.crypto import envelope
from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import RecordFacts, audit_domain, record_domain, study_domain, subject_domain
from gateway.crypto.unlocked import Unlocked
from gateway.errors import ConsentryError, IntegrityError, UpstreamError
from gateway.ids import ActorId, RecordId, StudyId, SubjectId
from gateway.ports.anchors import Anchors
from gateway.ports.rows import RecordRow
from gateway.records import fhir
from gateway.records.model import RecordFilter
from gateway.records.naming import key_of
from gateway.records.redaction import redact
from gateway.storage.dag import DagLimits
from gateway.storage.model import Cid, Codec
from gateway.storage.service import Blocks, BlockWalk

HELD = 20_000
TOKENS = 4
ALIKE_SECONDS = 1.0
"""How long what is refused anyway may wait for a block."""
TREE = DagLimits(content=envelope.LARGEST)
_OTHER_KEY = "the block is sealed under another key than its row and facts name"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a verified block: its place and its facts, never its content."""

    located: envelope.Located
    facts: RecordFacts
    decision_facts: DecisionFacts
    facts_commitment: bytes
    name: Cid

    @property
    def cid(self) -> str:
        return str(self.name)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A verified block of the row that named it."""

    known: Known
    opened: envelope.Opened[RecordFacts]
    key: DomainKey


class Walk:
    """What a look at all of a patient's records needs from one to the next: where the blocks lie, and a key that is set
    up. For as long as that look."""

    __slots__ = ("_opener", "blocks")

    def __init__(self, blocks: BlockWalk) -> None:
        self.blocks = blocks
        self._opener: envelope.FactsOpener | None = None

    def opener(self, key: DomainKey) -> envelope.FactsOpener:
        if self._opener is None or not self._opener.is_of(key):
            self._opener = envelope.FactsOpener(key)
        return self._opener


class Opening:
    """Finds and opens; decides nothing."""

    def __init__(self, *, blocks: Blocks, keys: KeyRing, anchors: Anchors) -> None:
        self._blocks = blocks
        self._keys = keys
        self._anchors = anchors
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._leaves: dict[bytes, bytes] = {}

    def walk(self) -> Walk:
        """For who looks at all of a patient's records once."""
        return Walk(self._blocks.walk())

    async def find(self, row: RecordRow, *, walk: Walk | None = None) -> Found:
        """The facts of a version. Raises IntegrityError for whatever is not what the row and the CID say. On a `walk`
        nothing is kept of it: that would push out what is asked for again."""
        if row.newest > row.version:
            raise IntegrityError("an older version stands in the place of the present one")
        cid = Cid.from_digest(row.digest, codec=Codec.DAG_PB if row.tree else Codec.RAW)
        blocks = self._blocks if walk is None else walk.blocks
        block = None if row.tree else blocks.get_now(cid)
        if block is None:
            block = await self._fetch(cid, tree=row.tree)
        known = self._known.get(row.digest)
        located = await envelope.locate_in(block, self._keys) if known is None else known.located.of(block)
        if (located.record, located.version) != (row.record, row.version):
            raise IntegrityError("the block is of another record or version")
        key = self._keys.held(located.key_id) or await self._keys.by_id(located.key_id)
        if known is None:
            opened = envelope.open_facts(located, key) if walk is None else walk.opener(key).open(located)
            facts = opened.facts
            if not isinstance(facts, RecordFacts) or facts.subject != row.subject:
                raise IntegrityError("the block is no record of this subject")
            if key.domain != record_domain(row.subject, facts.study):
                raise IntegrityError(_OTHER_KEY)
            known = _known(row, located.of(b"") if walk is None else located, facts, opened.commitment, cid)
            if walk is None:
                self._keep(row, known)
        elif key.domain != record_domain(row.subject, known.facts.study):
            raise IntegrityError(_OTHER_KEY)
        return Found(
            known=known,
            opened=envelope.Opened(located=located, facts=known.facts, commitment=known.facts_commitment),
            key=key,
        )

    async def is_gone(self, row: RecordRow) -> bool:
        """Whether the block is the row's own and nobody opens it any more: the key that it names was destroyed. Raises
        as `find` does for what is not the row's."""
        cid = Cid.from_digest(row.digest, codec=Codec.DAG_PB if row.tree else Codec.RAW)
        located = await envelope.locate_in(await self._fetch(cid, tree=row.tree), self._keys)
        if (located.record, located.version) != (row.record, row.version):
            raise IntegrityError("the block is of another record or version")
        return await self._keys.is_gone(located.key_id)

    async def glance(self, row: RecordRow | None) -> None:
        """The work of `find`, whatever comes of it: nothing of it is used. What is refused anyway then costs what is
        there costs, and waits for no block for longer than `ALIKE_SECONDS`."""
        if row is None:
            return
        with contextlib.suppress(IntegrityError, UpstreamError, TimeoutError):
            async with asyncio.timeout(ALIKE_SECONDS):
                await self.find(row)

    def content(self, permit: Permit, found: Found, *, now: float) -> bytes:
        """JSON text, after the permit's obligations."""
        content = envelope.open_content(permit, found.opened, found.key, now=now)
        if not permit.obligations:
            return content
        return jsontext.dumps(redact(jsontext.loads(content), frozenset(permit.obligations)))

    def unlocked(self, permit: Permit, found: Found, *, now: float) -> Unlocked:
        """As `content`, for a worker that opens it; the permit's obligations are the worker's."""
        return envelope.unlock(permit, found.opened, found.key, now=now)

    async def discard(self, rows: Sequence[RecordRow]) -> None:
        """Blocks of a write that is known to be refused: a rebuild must not find them. A store that is away keeps
        them, and a rebuild then tells them by their time (see DECISIONS)."""
        with contextlib.suppress(ConsentryError):
            for row in rows:
                cid = Cid.from_digest(row.digest, codec=Codec.DAG_PB if row.tree else Codec.RAW)
                await self._blocks.remove(await self._blocks.list_blocks(cid, limits=TREE) if row.tree else [cid])

    def forget(self, subject: bytes) -> None:
        """Drops what is kept of a subject's blocks: it was erased."""
        for digest in [digest for digest, known in self._known.items() if known.facts.subject == subject]:
            del self._known[digest]
            self._leaves.pop(digest, None)

    async def load_keys(self, subjects: Sequence[SubjectId]) -> None:
        """Has what the subjects' keys open, and seal of who looked, wait for no key: for who looks at many."""
        await self._keys.load([of(subject) for of in (subject_domain, audit_domain) for subject in subjects])

    async def subject_key(self, subject: SubjectId) -> DomainKey | None:
        domain = subject_domain(subject)
        return self._keys.held_of(domain) or await self._keys.existing(domain)

    async def study_key(self, subject: SubjectId, study: StudyId) -> DomainKey | None:
        """As `subject_key`, of the subject in one study: of its records' tokens."""
        domain = study_domain(subject, study)
        return self._keys.held_of(domain) or await self._keys.existing(domain)

    async def keys_of_all(self, subject: SubjectId) -> tuple[DomainKey, ...]:
        """The subject's own key, and those of every study that has something of theirs: for the patient, whose
        questions reach all of it."""
        own = await self.subject_key(subject)
        in_studies = await self._keys.studies_of(subject)
        return in_studies if own is None else (own, *in_studies)

    async def _fetch(self, cid: Cid, *, tree: bool) -> bytes:
        if not tree:
            return await self._blocks.get(cid)
        return b"".join([part async for part in self._blocks.read_content(cid, limits=TREE)])

    def _keep(self, row: RecordRow, known: Known) -> None:
        self._known[row.digest] = known
        if len(self._known) > HELD:
            self._leaves.pop(self._known.popitem(last=False)[0], None)

    def leaf(self, row: RecordRow, known: Known) -> bytes:
        """By which the record is anchored."""
        leaf = self._leaves.get(row.digest)
        if leaf is None:
            values = leaf_values(row, known.facts.content_commitment, known.facts_commitment)
            leaf = self._anchors.leaf(values, kind="records")
            if row.digest in self._known:
                self._leaves[row.digest] = leaf
        return leaf


def _known(row: RecordRow, located: envelope.Located, facts: RecordFacts, commitment: bytes, cid: Cid) -> Known:
    return Known(
        located=located,
        facts=facts,
        decision_facts=decision_facts(facts, RecordId(row.record)),
        facts_commitment=commitment,
        name=cid,
    )


def leaf_values(row: RecordRow, content_commitment: bytes, facts_commitment: bytes) -> tuple[bytes, ...]:
    """As `AnchorProof.leafValues` of the public schema has them."""
    return (row.record, row.version.to_bytes(4, "big"), row.digest, content_commitment, facts_commitment)


def decision_facts(facts: RecordFacts, record: RecordId | None) -> DecisionFacts:
    """Sealed facts as a decision sees them."""
    return DecisionFacts(
        subject=SubjectId(facts.subject),
        record=record,
        resource_type=facts.resource_type,
        contained_types=frozenset(facts.contained_types),
        codes=frozenset(facts.codes),
        mentioned=frozenset(facts.mentioned),
        labels=frozenset(facts.labels),
        author=ActorId(facts.author),
        period=facts.period,
        inline={part: frozenset(labels) for part, labels in facts.inline.items()},
        study=facts.study,
    )


def named_tokens(key: DomainKey, facts: RecordFacts) -> frozenset[bytes]:
    """Equal only within a patient: the type, each code, and what references look for."""
    codes = (code_token(key, code) for code in facts.codes)
    return frozenset((type_token(key, facts.resource_type), *codes, *(name_token(key, name) for name in facts.names)))


def search_tokens(key: DomainKey, facts: RecordFacts) -> tuple[bytes, ...]:
    """Those that are named, filled up to a multiple of `TOKENS` with tokens of nothing, in no order: how many codes a
    record has would tell its type."""
    found = named_tokens(key, facts)
    fill = (key.token(b"fill", facts.salt, bytes([number])) for number in range(-len(found) % TOKENS))
    return tuple(sorted({*found, *fill}))


def filter_tokens(keys: Sequence[DomainKey], wanted: RecordFilter) -> tuple[tuple[bytes, ...], ...]:
    """Any of the types, and the code, under any of the keys."""
    types = tuple(type_token(key, name) for name in wanted.resource_types for key in keys)
    code = () if wanted.code is None else tuple(code_token(key, wanted.code) for key in keys)
    return tuple(part for part in (types, code) if part)


def in_period(period: tuple[float, float] | None, wanted: RecordFilter) -> bool:
    """Whether a clinical period meets the filter's; without a date only an unbounded filter is met."""
    if wanted.start is None and wanted.end is None:
        return True
    if period is None:
        return False
    start = float("-inf") if wanted.start is None else wanted.start.timestamp()
    end = float("inf") if wanted.end is None else wanted.end.timestamp()
    return period[0] <= end and start <= period[1]


def is_labelled(labels: Sequence[str], wanted: RecordFilter) -> bool:
    """Whether a record bears one of the filter's labels, if there are any."""
    return not wanted.labels or not wanted.labels.isdisjoint(labels)


def told_by(content: bytes) -> tuple[tuple[float, float] | None, frozenset[str]]:
    """Period and codes of a redacted resource, by what is left of it."""
    facts = fhir.read_facts(jsontext.loads(content))
    return None if facts.period is None else facts.period.seconds, frozenset(facts.codes)


def met_by(content: bytes, wanted: RecordFilter) -> bool:
    """Whether a redacted resource still meets a filter by what is left of it."""
    return is_met(*told_by(content), wanted)


def is_met(period: tuple[float, float] | None, codes: frozenset[str], wanted: RecordFilter) -> bool:
    """As `met_by`, of what was read of a resource."""
    return (wanted.code is None or wanted.code in codes) and in_period(period, wanted)


def type_token(key: DomainKey, resource_type: str) -> bytes:
    return key.token(b"type", resource_type.encode())


def code_token(key: DomainKey, code: str) -> bytes:
    return key.token(b"code", code.encode())


def name_token(key: DomainKey, name: str) -> bytes:
    return key.token(b"name", key_of(name).encode())
