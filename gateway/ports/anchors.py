"""Anchors: where a leaf is on its way to the chain, and its proof once there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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
class AnchorState:
    """`status`: PENDING, SUBMITTED, ANCHORED or FINAL; `proof` from ANCHORED on."""

    status: str
    proof: Proof | None


class Anchors(Protocol):
    """Reads only; the anchoring worker moves tickets."""

    records_log: bytes
    releases_log: bytes
    studies_log: bytes

    def leaf(self, values: Sequence[bytes], *, kind: str) -> bytes:
        """The double-hashed leaf of a log's ABI values; kind `records`, `audit`, `releases` or `studies`.
        Pure."""
        ...

    async def states(self, leaves: Sequence[bytes]) -> tuple[AnchorState, ...]:
        """Of each leaf; an unknown leaf is PENDING without a proof."""
        ...

    async def waiting(self) -> int:
        """Leaves that are acknowledged and that the chain has not got, as of a second ago at most. UpstreamError."""
        ...
