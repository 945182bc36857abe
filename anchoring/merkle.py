"""OpenZeppelin's StandardMerkleTree, node for node: what is built here, its JavaScript library dumps alike.

A leaf is keccak-256(keccak-256(abi.encode(values))), so no inner node can pose as one. Leaves are sorted by hash and
laid from the end of an array of 2n − 1 nodes; each inner node hashes its two children in sorted order.
Source: github.com/OpenZeppelin/merkle-tree, `src/core.ts` and `src/standard.ts`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol

import sha3  # type: ignore[import-untyped]  # safe-pysha3 ships no types

from anchoring.errors import ProofInvalid

WORD: Final = 32
MAX_PATH: Final = 64
"""AnchorRegistry.verify takes no longer path: 2^64 leaves."""


class _Hash(Protocol):
    def digest(self) -> bytes: ...


_keccak: Callable[[bytes], _Hash] = sha3.keccak_256


def keccak256(data: bytes) -> bytes:
    """Ethereum's keccak-256 (not SHA3-256), 32 bytes."""
    return _keccak(data).digest()


def encode_values(encoding: Sequence[str], values: Sequence[bytes]) -> bytes:
    """`abi.encode` of static values: `bytesN` (exactly N bytes, padded right) and `uintN` (big-endian bytes of any
    length whose number fits, padded left). Raises ProofInvalid."""
    if len(encoding) != len(values) or not encoding:
        raise ProofInvalid(f"{len(encoding)} types for {len(values)} values")
    return b"".join(_word(kind, value) for kind, value in zip(encoding, values, strict=True))


@lru_cache(maxsize=64)
def _size_of(kind: str) -> tuple[bool, int]:
    """Whether a `bytesN`, and N; else a `uintN`, and N in bytes."""
    if kind.startswith("bytes") and kind[5:].isdecimal() and 0 < int(kind[5:]) <= WORD:
        return True, int(kind[5:])
    if kind.startswith("uint") and kind[4:].isdecimal() and int(kind[4:]) % 8 == 0 and 0 < int(kind[4:]) <= 256:
        return False, int(kind[4:]) // 8
    raise ProofInvalid(f"a leaf has no values of type {kind!r}")


def _word(kind: str, value: bytes) -> bytes:
    exact, size = _size_of(kind)
    if exact:
        if len(value) != size:
            raise ProofInvalid(f"{len(value)} bytes for a {kind}")
        return value.ljust(WORD, b"\0")
    if len(value) > size and any(value[:-size]):
        raise ProofInvalid(f"a value too large for {kind}")
    return value[-size:].rjust(WORD, b"\0")


def hash_leaf(encoding: Sequence[str], values: Sequence[bytes]) -> bytes:
    """The double-hashed leaf, 32 bytes. Raises ProofInvalid."""
    return _keccak(_keccak(encode_values(encoding, values)).digest()).digest()


def hash_pair(one: bytes, other: bytes) -> bytes:
    """A parent: its children in sorted order, hashed."""
    return _keccak(one + other if one < other else other + one).digest()


class MerkleTree:
    """A tree over leaves (32 bytes each, at least one). Immutable once built."""

    __slots__ = ("_places", "nodes")

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves:
            raise ProofInvalid("a tree has at least one leaf")
        count = len(leaves)
        nodes: list[bytes] = [b""] * (count - 1) + sorted(leaves, reverse=True)
        hashed = _keccak
        for at in range(count - 2, -1, -1):
            left, right = nodes[2 * at + 1], nodes[2 * at + 2]
            nodes[at] = hashed(left + right if left < right else right + left).digest()
        self.nodes: Final = tuple(nodes)
        self._places = {leaf: at for at, leaf in enumerate(nodes[count - 1 :], count - 1)}

    @property
    def root(self) -> bytes:
        return self.nodes[0]

    def place(self, leaf: bytes) -> int:
        """The leaf's index in `nodes` (`treeIndex` of a dump). Raises ProofInvalid when it is no leaf of this tree."""
        try:
            return self._places[leaf]
        except KeyError as e:
            raise ProofInvalid("no such leaf in this tree") from e

    def path(self, leaf: bytes) -> tuple[bytes, ...]:
        """Siblings from the leaf up to below the root. Raises ProofInvalid when it is no leaf of this tree."""
        at = self.place(leaf)
        siblings: list[bytes] = []
        while at > 0:
            siblings.append(self.nodes[at + 1 if at % 2 else at - 1])
            at = (at - 1) // 2
        return tuple(siblings)
