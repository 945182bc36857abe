"""The journal of a study: what was done in it, entry after entry, each sealed, hash-linked to the one before, and a
leaf on its way to the chain.

True here: an entry that is read is the one of its row, of this study and kind, and follows the one before it; nothing
is appended behind an entry that is not so. An entry about a subject is sealed under that subject's key in this study:
an erasure shreds what it says, and leaves its number, kind and hash, so the chain still verifies. A journal is read
from a place on, and never held. The row of an entry, its block and its ticket become durable in one transaction with
whatever else happens; where somebody else was quicker, (study, number) is taken, and who comes second begins again at
the new head.
Not done here: who may append or read, what an entry says, and the transaction itself.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import BlockMissingError, CallerError, IntegrityError, LimitError, UpstreamError
from gateway.ids import ActorId, SubjectId
from gateway.ports.anchors import Anchors, AnchorState
from gateway.ports.documents import Documents, SealedPaper, StudyPaper
from gateway.ports.index import Index
from gateway.ports.rows import Row, TicketRow
from gateway.ports.sealing import SealingKeys
from gateway.ports.trials import STANDING, StudyEntryKind, StudyEntryRow
from gateway.trials.links import ABOUT, FIRST, digest_of, leaf_values

LARGEST: Final = 1_000_000
"""Octets of an entry: with what goes around it, one raw block."""
MOST: Final = 1_000
"""Entries in one append, and in one read."""
AT_ONCE: Final = 32
"""Blocks that are opened beside one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest entry of a journal: its number, from 0, and its SHA-256. `standing`: number of the newest one up to it
    that changed how the study stands, -1: none."""

    number: int
    entry: bytes
    standing: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """To be appended. `octets`: RFC 8785 text, at most `LARGEST`. Its SHA-256 outlives the subject's key: a text about
    somebody that could be guessed holds a salt of its own. `subject` None: it is about nobody."""

    kind: StudyEntryKind
    octets: bytes = field(repr=False)
    subject: SubjectId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that was read and holds. `entry`: SHA-256 of its octets, `previous`: of those of the one before, 32 zero
    bytes before the first; `standing`: number of the newest one before that changed how the study stands, -1: none.
    `octets` None: its key was destroyed, and so it is not told whose it was either (`sponsor` and `subject` None)."""

    study: bytes
    number: int
    kind: StudyEntryKind
    entry: bytes
    previous: bytes
    octets: bytes | None = field(default=None, repr=False)
    sponsor: ActorId | None = None
    subject: SubjectId | None = None
    standing: int = -1

    @property
    def is_erased(self) -> bool:
        return self.octets is None


class Journal:
    """Of every study. What is appended is rows for a transaction of the caller's; `pin` once it is durable."""

    def __init__(self, *, documents: Documents, index: Index, anchors: Anchors, keys: SealingKeys) -> None:
        self._documents = documents
        self._index = index
        self._anchors = anchors
        self._keys = keys

    def token(self, study: bytes, subject: bytes) -> bytes:
        """By which the index finds a subject's entries in one study; compares with no other study's."""
        return self._keys.mark(ABOUT, study, subject)

    # ---- appending

    async def rows(
        self, study: bytes, sponsor: ActorId, after: Head | None, added: Sequence[NewEntry]
    ) -> tuple[tuple[Row, ...], tuple[SealedPaper, ...], Head]:
        """Rows that add entries behind `after` (None: they are the first), the papers to pin once they are durable, and
        the head from then on. IntegrityError where a subject's keys in this study were destroyed."""
        if not added:
            raise CallerError("append an entry at least", field=("entries",))
        if len(added) > MOST:
            raise LimitError(f"append at most {MOST} entries at once", field=("entries",))
        number, previous = (0, FIRST) if after is None else (after.number + 1, after.entry)
        standing = -1 if after is None else after.standing
        rows: list[Row] = []
        sealed_papers: list[SealedPaper] = []
        for at, new in enumerate(added):
            if len(new.octets) > LARGEST:
                raise LimitError(f"an entry has at most {LARGEST} octets", field=("entries", str(at)))
            values = leaf_values(study, number, digest_of(new.octets), previous)
            about = b"" if new.subject is None else self.token(study, new.subject)
            paper = StudyPaper(
                study=study,
                sponsor=sponsor,
                subject=new.subject or b"",
                number=number,
                kind=int(new.kind),
                previous=previous,
                octets=new.octets,
                standing=standing,
            )
            sealed = await self._documents.seal_study_entry(paper, about=about)
            digest = sealed.unpinned.digest
            row = StudyEntryRow(study=study, number=number, kind=new.kind, about=about, entry=values[2], digest=digest)
            rows += [row, sealed.unpinned, self._ticket(values, sealed)]
            sealed_papers.append(sealed)
            standing = number if new.kind in STANDING else standing
            number, previous = number + 1, values[2]
        return tuple(rows), tuple(sealed_papers), Head(number=number - 1, entry=previous, standing=standing)

    def _ticket(self, values: tuple[bytes, ...], sealed: SealedPaper) -> TicketRow:
        return TicketRow(
            log=self._anchors.studies_log,
            leaf=self._anchors.leaf(values, kind="studies"),
            values=values,
            cid_digest=sealed.unpinned.digest,
            locator=sealed.locator,
        )

    async def pin(self, sealed: Sequence[SealedPaper]) -> None:
        """Papers that are durable, on IPFS: now, or as soon as it takes them."""
        with contextlib.suppress(UpstreamError):
            await self._documents.pin_each([one.unpinned for one in sealed])

    # ---- reading

    async def head(self, study: bytes) -> Head | None:
        """The newest entry, opened and checked as `read` does; None where the study has no journal."""
        found = await self._index.study_head(study)
        if found is None:
            return None
        number, entry = found
        newest = await self.read(study, after=number - 1, limit=1)
        if not newest or newest[0].entry != entry:
            raise IntegrityError("the head of a study's journal is another entry than its last")
        # Somebody may have appended since: what was the head is one no more, and an append behind it is a conflict.
        return Head(number=number, entry=entry, standing=await self._standing(study, newest[0]))

    async def _standing(self, study: bytes, entry: Entry) -> int:
        """Of the head that an entry is. Those that were erased do not say: then from the newest before that does."""
        while True:
            if entry.kind in STANDING or entry.number == 0:
                return entry.number if entry.kind in STANDING else -1
            if entry.octets is not None:
                return entry.standing
            before = await self.read(study, after=max(-1, entry.number - 1 - AT_ONCE), limit=AT_ONCE)
            entries = [one for one in before if one.number < entry.number]
            entry = next((one for one in reversed(entries) if not one.is_erased or one.kind in STANDING), entries[0])

    async def read(
        self,
        study: bytes,
        *,
        after: int = -1,
        limit: int,
        kinds: tuple[StudyEntryKind, ...] = (),
        subject: SubjectId | None = None,
    ) -> tuple[Entry, ...]:
        """Entries with number > `after`, ascending, at most `limit`: of these kinds (none: of all), and about one
        subject where one is named, erased or not. IntegrityError for one that is missing, swapped, of another study,
        kind or subject, or that does not follow the one before it."""
        if not 0 < limit <= MOST:
            raise LimitError(f"read 1 to {MOST} entries at once", field=("limit",))
        about = None if subject is None else self.token(study, subject)
        rows = await self._index.study_entries(study, after=after, limit=limit, kinds=kinds, about=about)
        entries: list[Entry] = []
        for at in range(0, len(rows), AT_ONCE):
            entries += await asyncio.gather(*(self._opened(study, row) for row in rows[at : at + AT_ONCE]))
        if not kinds and subject is None and any(one.number != at for at, one in enumerate(entries, start=after + 1)):
            raise IntegrityError("an entry of a study's journal is missing")
        return tuple(entries)

    async def anchored(self, study: bytes, entries: Sequence[Entry]) -> tuple[AnchorState, ...]:
        """Where the leaf of each is, erased or not."""
        if any(one.study != study for one in entries):
            raise IntegrityError("an entry is of another study")
        values = (leaf_values(study, one.number, one.entry, one.previous) for one in entries)
        return await self._anchors.states([self._anchors.leaf(one, kind="studies") for one in values])

    async def _opened(self, study: bytes, row: StudyEntryRow) -> Entry:
        if row.study != study:
            raise IntegrityError("an entry is of another study")
        if not row.previous:
            raise IntegrityError("an entry of a study's journal is missing")
        paper = await self._paper(row)
        known = Entry(study=study, number=row.number, kind=row.kind, entry=row.entry, previous=row.previous)
        if paper is None:
            return known
        if digest_of(paper.octets) != row.entry:
            raise IntegrityError("an entry of a study's journal is another than its row says")
        if paper.previous != row.previous:
            raise IntegrityError("an entry of a study's journal does not follow the one before it")
        if row.about != (self.token(study, paper.subject) if paper.subject else b""):
            raise IntegrityError("an entry of a study's journal is about somebody else than its row says")
        return Entry(
            study=study,
            number=row.number,
            kind=row.kind,
            entry=row.entry,
            previous=row.previous,
            octets=paper.octets,
            sponsor=ActorId(paper.sponsor),
            subject=SubjectId(paper.subject) if paper.subject else None,
            standing=paper.standing,
        )

    async def _paper(self, row: StudyEntryRow) -> StudyPaper | None:
        """Put where it belongs first, if it waits for that."""
        named = {"number": row.number, "kind": int(row.kind)}
        try:
            return await self._documents.study_entry(row.study, row.digest, **named)
        except BlockMissingError:
            waiting = await self._index.unpinned_block(row.digest)
            if waiting is not None:
                await self._documents.pin(waiting)
            return await self._documents.study_entry(row.study, row.digest, **named)
