"""Where leaves are on their way to the chain, and their proofs once there. Reads only; the worker moves tickets.

A tree is built from its batch's leaves when it is first asked for, and kept while there is room: nothing here is state.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from anchoring.merkle import MerkleTree, hash_leaf
from anchoring.model import (
    LEAF_ENCODING,
    Batch,
    BatchState,
    LeafState,
    LeafStatus,
    LogKind,
    LogName,
    Proof,
    Ticket,
    kind_of,
)
from anchoring.ports import TicketStore
from anchoring.proof import log_id

TREES: Final = 32
"""Trees kept: about 130 KiB each at 1,024 leaves."""

_STATUS: Final = {
    BatchState.BATCHED: LeafStatus.PENDING,
    BatchState.SUBMITTED: LeafStatus.SUBMITTED,
    BatchState.ANCHORED: LeafStatus.ANCHORED,
    BatchState.FINAL: LeafStatus.FINAL,
}


class AnchorLog:
    """One gateway's logs on one chain. `contract`: AnchorRegistry's address; `writer`: who writes `records_log`,
    `releases_log` and `studies_log`."""

    def __init__(self, store: TicketStore, *, gateway: bytes, writer: bytes, chain_id: int, contract: str) -> None:
        self._store = store
        self._chain_id = chain_id
        self._contract = contract
        self._trees: OrderedDict[int, MerkleTree] = OrderedDict()
        self.gateway: Final = gateway
        self.records_log: Final = log_id(LogName(gateway=gateway, writer=writer, kind=LogKind.RECORDS))
        self.releases_log: Final = log_id(LogName(gateway=gateway, writer=writer, kind=LogKind.RELEASES))
        self.studies_log: Final = log_id(LogName(gateway=gateway, writer=writer, kind=LogKind.STUDIES))

    def audit_log(self, writer: bytes) -> bytes:
        """The log of an audit writer (32 bytes)."""
        return log_id(LogName(gateway=self.gateway, writer=writer, kind=LogKind.AUDIT))

    def leaf(self, values: Sequence[bytes], *, kind: str) -> bytes:
        """The double-hashed leaf of a log's ABI values; `kind`: a `LogKind` by its value. Raises ProofInvalid,
        ValueError."""
        return hash_leaf(LEAF_ENCODING[LogKind(kind)], values)

    async def waiting(self) -> int:
        """Leaves of any log that are not anchored yet. Raises StoreUnavailable."""
        return await self._store.count_waiting()

    async def anchor_states(self, leaves: Sequence[bytes]) -> tuple[LeafState, ...]:
        """Of each leaf, in order; a queued or unknown one is PENDING without a proof. Raises StoreUnavailable."""
        found = await self._store.batches_of(leaves) if leaves else {}
        states: list[LeafState] = []
        for leaf in leaves:
            if leaf not in found:
                states.append(LeafState(status=LeafStatus.PENDING, proof=None))
                continue
            ticket, batch = found[leaf]
            states.append(LeafState(status=_STATUS[batch.state], proof=await self._proof(ticket, batch)))
        return tuple(states)

    async def _proof(self, ticket: Ticket, batch: Batch) -> Proof | None:
        kind = kind_of(ticket.values)
        if batch.transaction is None or batch.block_number is None or kind is None:
            return None
        tree = await self._tree(batch)
        return Proof(
            log=batch.log,
            leaf_encoding=LEAF_ENCODING[kind],
            leaf_values=ticket.values,
            path=tree.path(ticket.leaf),
            root=batch.root,
            chain_id=self._chain_id,
            contract=self._contract,
            transaction=batch.transaction,
            block_number=batch.block_number,
        )

    async def _tree(self, batch: Batch) -> MerkleTree:
        tree = self._trees.get(batch.id)
        if tree is None:
            tree = self._trees[batch.id] = MerkleTree(await self._store.leaves_of(batch.id))
            while len(self._trees) > TREES:
                self._trees.popitem(last=False)
        self._trees.move_to_end(batch.id)
        return tree
