"""A closed audit batch as one sealed block, durable before its root is broadcast: so the audit survives the database.

Entries are sealed already; the block seals them once more under the gateway's log key, for tokens and key ids would
tell who steals all blocks which entries are of one patient. Not done here: checking the chain of hashes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from anchoring.model import Ticket
from gateway.crypto import envelope
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import LifeFacts, PlacedEntry, SegmentFacts
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from gateway.ports.clock import Entropy
from gateway.ports.index import Index
from gateway.ports.rows import LifeRow, StoredEntry
from gateway.storage.model import Cid, Codec
from gateway.storage.service import Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Where the block is: the digest of a raw block, or the binary CID of a tree; and its locator."""

    cid_digest: bytes
    locator: bytes


class Segments:
    """Writes the segment of a batch of audit leaves."""

    def __init__(self, *, blocks: Blocks, keys: KeyRing, index: Index, entropy: Entropy) -> None:
        self._blocks = blocks
        self._keys = keys
        self._index = index
        self._entropy = entropy

    async def put(self, tickets: Sequence[Ticket]) -> Segment:
        """Durable and pinned on return. IntegrityError for a leaf whose entry is not in the index; UpstreamError."""
        numbers: dict[bytes, list[int]] = {}
        for ticket in tickets:
            numbers.setdefault(ticket.values[0], []).append(int.from_bytes(ticket.values[1], "big"))
        lives: list[LifeRow] = []
        rows: list[tuple[int, StoredEntry]] = []
        for writer, seqs in numbers.items():
            life = await self._index.life(writer)
            rows += await self._index.entries_of(writer, first=min(seqs), last=max(seqs))
            if life is None:
                raise IntegrityError("an audit leaf is of a writer that the index does not know")
            lives.append(life)
        wanted = {(ticket.values[0], int.from_bytes(ticket.values[1], "big"), ticket.values[2]) for ticket in tickets}
        rows = [(row, entry) for row, entry in rows if (entry.writer, entry.seq, entry.hash) in wanted]
        if len(rows) != len(wanted):
            raise IntegrityError("an audit leaf has no entry in the index")
        sealed = await asyncio.to_thread(self._seal, tickets[0].log, lives, rows)
        cid = await self._blocks.put_content((sealed.block,))
        return Segment(cid_digest=cid.digest if cid.codec is Codec.RAW else bytes(cid), locator=sealed.locator)

    def _seal(self, log: bytes, lives: Sequence[LifeRow], rows: Sequence[tuple[int, StoredEntry]]) -> envelope.Sealed:
        facts = SegmentFacts(
            salt=self._entropy.bytes(32),
            log=log,
            lives=tuple(LifeFacts(life.writer, life.instance, life.previous, life.started_at) for life in lives),
            entries=tuple(placed(row, entry) for row, entry in rows),
        )
        return envelope.seal_document(
            facts, name=RecordId(self._entropy.bytes(16)), key=self._keys.log, log=self._keys.log, entropy=self._entropy
        )


def placed(row: int, entry: StoredEntry) -> PlacedEntry:
    return PlacedEntry(
        row,
        entry.writer,
        entry.seq,
        entry.decision,
        entry.previous,
        entry.hash,
        entry.public,
        entry.private,
        entry.subject_token,
        entry.receipt_digest,
    )


def stored(entry: PlacedEntry) -> StoredEntry:
    """The inverse of `placed`, without the row's number."""
    return StoredEntry(
        writer=entry.writer,
        seq=entry.seq,
        decision=entry.decision,
        previous=entry.previous,
        hash=entry.hash,
        public=entry.public,
        private=entry.private,
        subject_token=entry.subject_token,
        receipt_digest=entry.receipt_digest,
    )


def cid_of(cid_digest: bytes) -> Cid:
    """The CID behind a ticket's or a manifest's `cid_digest`: 32 octets of a raw block, or 36 of a binary CID."""
    return Cid.from_digest(cid_digest) if len(cid_digest) == 32 else Cid.from_bytes(cid_digest)
