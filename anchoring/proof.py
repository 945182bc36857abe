"""A proof is checked here without a chain and without a tree: values, path and root are all it takes.

What a chain must add, and this does not say: that the root stands in the log (`AnchorRegistry.anchoredAt`).
"""

from collections.abc import Sequence

from anchoring.errors import ProofInvalid
from anchoring.merkle import MAX_PATH, WORD, hash_leaf, hash_pair, keccak256
from anchoring.model import LEAF_ENCODING, LogName, Proof


def fold(leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that `path` leads to from `leaf`. Raises ProofInvalid for a node that is not 32 bytes or a path of more
    than 64."""
    if len(path) > MAX_PATH:
        raise ProofInvalid(f"a path of {len(path)} nodes")
    if len(leaf) != WORD or any(len(node) != WORD for node in path):
        raise ProofInvalid("a node is not 32 bytes")
    for sibling in path:
        leaf = hash_pair(leaf, sibling)
    return leaf


def leads_to(leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from the leaf to this root."""
    return fold(leaf, path) == root


def verify(proof: Proof) -> None:
    """Returns if the values lead to the root by the path. Raises ProofInvalid otherwise, also for an encoding that no
    log has."""
    if proof.leaf_encoding not in LEAF_ENCODING.values():
        raise ProofInvalid("no log has leaves of this encoding")
    if not leads_to(hash_leaf(proof.leaf_encoding, proof.leaf_values), proof.path, proof.root):
        raise ProofInvalid("the path does not lead to the root")


def log_id(name: LogName) -> bytes:
    """keccak256(abi.encode(gateway, writer, kind)), as AnchorRegistry names a log."""
    if len(name.gateway) != WORD or len(name.writer) != WORD:
        raise ProofInvalid("gateway and writer have 32 bytes")
    return keccak256(name.gateway + name.writer + name.kind.on_chain)


def gateway_id(owner: bytes, salt: bytes) -> bytes:
    """keccak256(abi.encode(owner, salt)), as IdentityRegistry names a gateway. `owner` 20 bytes, `salt` 32."""
    if len(owner) != 20 or len(salt) != WORD:
        raise ProofInvalid("an owner has 20 bytes, a salt 32")
    return keccak256(owner.rjust(WORD, b"\0") + salt)
