"""Anchors and receipts as a client checks them, without us. Nothing is verified here; everything needed for it is."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

import strawberry

from gateway.audit.model import Receipt
from gateway.consent.model import Basis, Purpose
from gateway.ids import to_global
from schema.fields import resolved
from schema.scalars import Address, Hex


class _Proof(Protocol):
    """What the anchors port calls a Proof, by shape: the schema imports no port."""

    @property
    def log(self) -> bytes: ...
    @property
    def leaf_encoding(self) -> tuple[str, ...]: ...
    @property
    def leaf_values(self) -> tuple[bytes, ...]: ...
    @property
    def path(self) -> tuple[bytes, ...]: ...
    @property
    def root(self) -> bytes: ...
    @property
    def chain_id(self) -> int: ...
    @property
    def contract(self) -> str: ...
    @property
    def transaction(self) -> bytes: ...
    @property
    def block_number(self) -> int: ...


class _State(Protocol):
    @property
    def status(self) -> str: ...
    @property
    def proof(self) -> _Proof | None: ...


@strawberry.enum
class AnchorStatus(StrEnum):
    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    ANCHORED = "ANCHORED"
    FINAL = "FINAL"


@strawberry.type(
    description="Enough to check the record against any RPC endpoint of the chain, with the OpenZeppelin standard "
    "Merkle tree."
)
class AnchorProof:
    log: Hex
    leaf_encoding: list[str] = strawberry.field(
        description='ABI types, fixed for each kind of log; of records ["bytes16", "uint32", "bytes32", "bytes32", '
        '"bytes32"]'
    )
    leaf_values: list[Hex] = strawberry.field(
        description="Of a record: record id, version, digest inside the CID, content commitment, facts commitment"
    )
    path: list[Hex]
    root: Hex
    chain_id: int
    contract: Address
    transaction_hash: Hex
    block_number: int


@strawberry.type(description="Where a leaf is on its way to the chain.")
class Anchor:
    state: strawberry.Private[_State]
    status: AnchorStatus

    @resolved("Null until ANCHORED.")
    def proof(self) -> AnchorProof | None:
        proof = self.state.proof
        if proof is None:
            return None
        return AnchorProof(
            log=Hex(proof.log),
            leaf_encoding=list(proof.leaf_encoding),
            leaf_values=[Hex(value) for value in proof.leaf_values],
            path=[Hex(node) for node in proof.path],
            root=Hex(proof.root),
            chain_id=proof.chain_id,
            contract=Address(proof.contract),
            transaction_hash=Hex(proof.transaction),
            block_number=proof.block_number,
        )


def to_anchor(state: _State) -> Anchor:
    return Anchor(state=state, status=AnchorStatus(state.status))


@strawberry.type(description="What the gateway signed about this answer; it binds record, reader, consent and block.")
class DecisionReceipt:
    decision_id: strawberry.ID
    consent_id: Hex | None = strawberry.field(
        description="Null: no consent was needed (the patient's own access), or none asked (an emergency)."
    )
    purpose: Purpose
    as_of_block: int
    decided_at: datetime
    obligations: list[str]
    payload: str = strawberry.field(
        description="The exact RFC 8785 text that was signed, with all that binds it: see the design."
    )
    signer: Hex = strawberry.field(description="The gateway's key, as registered on chain.")
    signature: Hex
    anchor: Anchor
    basis: Basis
    emergency_id: strawberry.ID | None = strawberry.field(description="What it stands on, where the basis is one.")
    stale: bool = strawberry.field(
        description="Decided in an emergency on what was known here, further behind the chain than other decisions may "
        "stand."
    )


def to_receipt(receipt: Receipt) -> DecisionReceipt:
    return DecisionReceipt(
        decision_id=strawberry.ID(to_global("Decision", receipt.decision)),
        consent_id=Hex(receipt.consent) if receipt.consent is not None else None,
        purpose=Purpose(receipt.purpose),
        as_of_block=receipt.as_of_block,
        decided_at=receipt.decided_at,
        obligations=list(receipt.obligations),
        payload=receipt.payload,
        signer=Hex(receipt.signer),
        signature=Hex(receipt.signature),
        anchor=to_anchor(receipt.anchor),
        basis=Basis(receipt.basis),
        emergency_id=strawberry.ID(to_global("Emergency", receipt.emergency)) if receipt.emergency else None,
        stale=receipt.stale,
    )
