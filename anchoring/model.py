"""The nouns of anchoring: leaves and logs, batches, calls, blocks and events. Data only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class LogKind(StrEnum):
    """What a log's leaves are. On chain a kind is its name in ASCII, zero-padded to 32 bytes."""

    RECORDS = "records"
    AUDIT = "audit"
    RELEASES = "releases"
    STUDIES = "studies"

    @property
    def on_chain(self) -> bytes:
        return self.value.encode().ljust(32, b"\0")


LEAF_ENCODING: Mapping[LogKind, tuple[str, ...]] = {
    LogKind.RECORDS: ("bytes16", "uint32", "bytes32", "bytes32", "bytes32"),
    LogKind.AUDIT: ("bytes32", "uint64", "bytes32"),
    LogKind.RELEASES: ("bytes16", "uint32", "bytes32", "bytes32"),
    LogKind.STUDIES: ("bytes32", "uint32", "bytes32", "bytes32"),
}
"""ABI types of a leaf. records: record id, version, digest in the CID, content commitment, facts commitment.
audit: writer, sequence number, entry hash. releases: release id, number of the paper, its SHA-256, that of the one
before (zeros: none). studies: study, number of the entry in its journal, its SHA-256, that of the one before (zeros:
none)."""


def kind_of(values: Sequence[bytes]) -> LogKind | None:
    """The kind of log whose leaves have values of these sizes; None for values of no log."""
    return _KIND_BY_SIZES.get(tuple(map(len, values)))


def _size(abi: str) -> int:
    return int(abi[5:]) if abi.startswith("bytes") else int(abi[4:]) // 8


_KIND_BY_SIZES: Mapping[tuple[int, ...], LogKind] = {
    tuple(map(_size, encoding)): kind for kind, encoding in LEAF_ENCODING.items()
}


class CallState(StrEnum):
    """INTENDED: durable, no nonce yet. SENT: signed under a nonce, perhaps in the mempool. LANDED: in a canonical
    block. REVERTED: the contract refused it; it is not sent again unless somebody asks for it again."""

    INTENDED = "INTENDED"
    SENT = "SENT"
    LANDED = "LANDED"
    REVERTED = "REVERTED"


class BatchState(StrEnum):
    """BATCHED: cut, its anchor call durable. SUBMITTED: that call was signed. ANCHORED: its event is indexed.
    FINAL: so deep that the chain's profile calls it final."""

    BATCHED = "BATCHED"
    SUBMITTED = "SUBMITTED"
    ANCHORED = "ANCHORED"
    FINAL = "FINAL"


class LeafStatus(StrEnum):
    """As the public schema has it; PENDING covers queued and batched."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    ANCHORED = "ANCHORED"
    FINAL = "FINAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogName:
    """Who writes which kind of leaf: `gateway` and `writer` are 32 bytes."""

    gateway: bytes
    writer: bytes
    kind: LogKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A durable leaf that waits for its batch. `seq` orders by arrival; `cid_digest` and `locator` may be empty."""

    seq: int
    log: bytes
    leaf: bytes
    values: tuple[bytes, ...]
    cid_digest: bytes
    locator: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A closed batch as it lies in the database. `block_number` and `transaction` from ANCHORED on."""

    id: int
    log: bytes
    root: bytes
    manifest_digest: bytes
    count: int
    state: BatchState
    block_number: int | None
    transaction: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Enough to check a leaf against any RPC endpoint (OpenZeppelin StandardMerkleTree, sorted pairs)."""

    log: bytes
    leaf_encoding: tuple[str, ...]
    leaf_values: tuple[bytes, ...]
    path: tuple[bytes, ...]
    root: bytes
    chain_id: int
    contract: str
    transaction: bytes
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafState:
    """Where a leaf is; `proof` from ANCHORED on."""

    status: LeafStatus
    proof: Proof | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An intended transaction. `call`: 16 bytes, the same for the same contract and data. `lane` and `priority` say
    who sends it and in which order (lower first)."""

    call: bytes
    lane: str
    priority: int
    contract: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class IntendedCall:
    """A call without a nonce. `seq` orders by arrival."""

    call: Call
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCall:
    """A call under a nonce. `attempts`: every signed transaction ever made for it under this nonce, oldest first;
    any one of them may land. `sent_at`: seconds since 1970 of the newest."""

    call: Call
    nonce: int
    attempts: tuple[bytes, ...]
    sent_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFate:
    """What the database knows of a call. `indexed`: its block is indexed here, on the canonical chain."""

    state: CallState
    error: str | None
    transaction: bytes | None
    block_number: int | None
    indexed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRef:
    """A block of the canonical chain as last seen. `timestamp`: seconds since 1970."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A decoded contract event. `keys`: indexed topics after the first, 32 bytes each; `args`: everything else, and
    indexed values that are no 32-byte name are here too, by name. `orphaned_at`: the head's number when its block was
    first seen off the canonical chain."""

    contract: str
    name: str
    keys: tuple[bytes, ...]
    args: Mapping[str, bytes | int]
    block_number: int
    block_hash: bytes
    log_index: int
    transaction: bytes
    orphaned_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorState:
    """An actor at a block. `key` empty: unknown. `memberships`: end of each (seconds since 1970; 0: none, or of an
    organization that was removed) by organization."""

    key: bytes
    roles: int
    epoch: int
    removed: bool
    memberships: Mapping[bytes, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest indexed block. `lag`: blocks behind the chain's head; `heard_at`: monotonic seconds of the chain's
    last answer."""

    number: int
    hash: bytes
    timestamp: int
    lag: int
    heard_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """The call is on the canonical chain and indexed here."""

    transaction: bytes
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """The contract refused it. `error`: the custom error's name."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """Not yet known; relaying goes on."""


Outcome = Landed | Reverted | Underway
