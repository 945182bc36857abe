"""The chain of the audit log: what an entry's hash covers, and how a reader finds the first fault. Pure.

A lineage is what one gateway instance wrote, life after life of its notary: each entry names the hash before it, each
life counts from 1. A row that is edited, moved or missing in the middle breaks the chain by itself; a missing tail
shows only against what was seen outside (anchored leaves, receipts), which callers pass as `witnessed`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

GENESIS = bytes(32)
"""What the first entry of a gateway instance names as the one before it."""

_VERSION = b"consentry.audit.entry/1\x00"


class Entry(Protocol):
    """An entry as it lies in the index (`gateway.ports.rows.StoredEntry`)."""

    @property
    def writer(self) -> bytes: ...
    @property
    def seq(self) -> int: ...
    @property
    def decision(self) -> bytes: ...
    @property
    def previous(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...
    @property
    def public(self) -> bytes: ...
    @property
    def private(self) -> bytes: ...
    @property
    def subject_token(self) -> bytes: ...
    @property
    def receipt_digest(self) -> bytes: ...


class FaultKind(StrEnum):
    EDITED = "EDITED"
    """The hash is not that of the entry's own columns."""
    BROKEN = "BROKEN"
    """The entry does not name the one before it: something between was removed, moved or replaced."""
    GAP = "GAP"
    """A life's numbers do not go up by one from 1."""
    MISSING = "MISSING"
    """An entry that was seen outside is not there, or is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first place where the log is not what was written."""

    kind: FaultKind
    writer: bytes
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """(writer, seq, hash) as an anchored leaf or a receipt has it."""

    writer: bytes
    seq: int
    hash: bytes


def entry_hash(
    *,
    previous: bytes,
    writer: bytes,
    seq: int,
    decision: bytes,
    public: bytes,
    private: bytes,
    subject_token: bytes,
    receipt_digest: bytes,
) -> bytes:
    """SHA-256 (32 bytes) over a version mark, then previous ‖ writer ‖ seq (8 bytes, big-endian), then each other field
    after its length in 4 bytes, in the order of the arguments. `previous` and `writer` have 32 bytes."""
    return hashlib.sha256(
        b"".join(
            (
                _VERSION,
                previous,
                writer,
                seq.to_bytes(8, "big"),
                *(
                    len(field).to_bytes(4, "big") + field
                    for field in (decision, public, private, subject_token, receipt_digest)
                ),
            )
        )
    ).digest()


def complete_receipt(receipt: bytes, *, writer: bytes, seq: int) -> bytes:
    """The receipt that is signed: RFC 8785 text with `writer` and `writerSeq`, which sort after every other member.

    `receipt` is an object with at least one member, or empty (nothing was released: empty again).
    Raises ValueError for anything else.
    """
    if not receipt:
        return b""
    if len(receipt) < 5 or receipt[:1] != b"{" or receipt[-1:] != b"}":
        raise ValueError("a receipt is a JSON object with members")
    return b'%s,"writer":"0x%s","writerSeq":%d}' % (receipt[:-1], writer.hex().encode(), seq)


def verify_entries(entries: Iterable[Entry], *, witnessed: Iterable[Witness] = ()) -> Fault | None:
    """The first fault of a whole lineage, in the order of its lives and their numbers, or None.

    `witnessed` has what is known from outside; the newest witness bounds how much of the tail could be missing unseen.
    """
    before: Entry | None = None
    hashes: dict[tuple[bytes, int], bytes] = {}
    for entry in entries:
        kind = _fault_of(entry, before)
        if kind is not None:
            return Fault(kind=kind, writer=entry.writer, seq=entry.seq)
        hashes[entry.writer, entry.seq] = entry.hash
        before = entry
    for witness in witnessed:
        if hashes.get((witness.writer, witness.seq)) != witness.hash:
            return Fault(kind=FaultKind.MISSING, writer=witness.writer, seq=witness.seq)
    return None


def _fault_of(entry: Entry, before: Entry | None) -> FaultKind | None:
    same_life = before is not None and before.writer == entry.writer
    if entry.seq != (before.seq + 1 if before is not None and same_life else 1):
        return FaultKind.GAP
    if entry.previous != (GENESIS if before is None else before.hash):
        return FaultKind.BROKEN
    computed = entry_hash(
        previous=entry.previous,
        writer=entry.writer,
        seq=entry.seq,
        decision=entry.decision,
        public=entry.public,
        private=entry.private,
        subject_token=entry.subject_token,
        receipt_digest=entry.receipt_digest,
    )
    return None if computed == entry.hash else FaultKind.EDITED
