"""When a batch closes, and what is then fixed: its leaves, its root and its manifest. Pure; the worker writes.

A manifest names leaf, CID and locator of each ticket, nothing more, in order of arrival, as deterministic DAG-CBOR:
the same tickets always give the same bytes, so an interrupted cut repeats itself exactly.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import dag_cbor
from dag_cbor.decoding.err import CBORDecodingError

from anchoring.errors import ProofInvalid
from anchoring.merkle import MerkleTree
from anchoring.model import Ticket

MANIFEST_VERSION: Final = 1
RAW_SHA256: Final = bytes((0x01, 0x55, 0x12, 0x20))
"""CIDv1, raw codec, sha2-256, 32 bytes: what stands before the digest in a binary CID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """A batch closes at `size` tickets, or when its oldest was first seen `age` seconds ago."""

    size: int = 1024
    age: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A batch that is decided but not yet written."""

    log: bytes
    tickets: tuple[Ticket, ...]
    root: bytes
    manifest: bytes
    manifest_digest: bytes


def is_due(policy: BatchPolicy, *, waiting: int, oldest_age: float) -> bool:
    """Whether the tickets of one log that wait are to be cut now. `oldest_age`: seconds since the oldest was seen."""
    return waiting >= policy.size or (waiting > 0 and oldest_age >= policy.age)


def cut(tickets: Sequence[Ticket]) -> Cut:
    """The batch of these tickets. Raises ProofInvalid for none, for two logs, or for a leaf that is there twice."""
    if len({ticket.log for ticket in tickets}) != 1 or len({ticket.leaf for ticket in tickets}) != len(tickets):
        raise ProofInvalid("a batch is of one log, and has each leaf once")
    ordered = tuple(sorted(tickets, key=lambda ticket: ticket.seq))
    manifest = manifest_of(ordered)
    return Cut(
        log=ordered[0].log,
        tickets=ordered,
        root=MerkleTree([ticket.leaf for ticket in ordered]).root,
        manifest=manifest,
        manifest_digest=hashlib.sha256(manifest).digest(),
    )


def manifest_of(tickets: Sequence[Ticket]) -> bytes:
    """DAG-CBOR of {version, log, entries: [[leaf, CID, locator], …]}. CIDs are bytes, not links: pinning a manifest
    must not pin what it lists, or nothing could be erased. A ticket without a block has empty bytes."""
    return dag_cbor.encode(
        {
            "version": MANIFEST_VERSION,
            "log": tickets[0].log,
            "entries": [[ticket.leaf, _cid(ticket.cid_digest), ticket.locator] for ticket in tickets],
        }
    )


def read_manifest(manifest: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes, bytes], ...]]:
    """(log, (leaf, CID digest or empty, locator) of each). Raises ProofInvalid for what `manifest_of` never wrote."""
    try:
        decoded = dag_cbor.decode(manifest)
    except (CBORDecodingError, ValueError, OverflowError, RecursionError) as e:  # the library lets the last three out
        raise ProofInvalid("a manifest that is not DAG-CBOR") from e
    if not isinstance(decoded, dict) or set(decoded) != {"version", "log", "entries"}:
        raise ProofInvalid("a manifest without its three fields")
    log, entries = decoded["log"], decoded["entries"]
    if decoded["version"] != MANIFEST_VERSION or not isinstance(log, bytes) or not isinstance(entries, list):
        raise ProofInvalid("a manifest of another version")
    return log, tuple(_entry(entry) for entry in entries)


def _entry(entry: object) -> tuple[bytes, bytes, bytes]:
    if isinstance(entry, list) and len(entry) == 3:
        leaf, cid, locator = entry
        if isinstance(leaf, bytes) and isinstance(cid, bytes) and isinstance(locator, bytes) and len(leaf) == 32:
            return leaf, cid.removeprefix(RAW_SHA256), locator
    raise ProofInvalid("a manifest entry that is not leaf, CID and locator")


def _cid(digest: bytes) -> bytes:
    return digest if len(digest) != 32 else RAW_SHA256 + digest
