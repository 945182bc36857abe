"""The commitment over large content: a Merkle tree over salted plaintext chunks, so that any range verifies by itself.

A chunk's leaf is sha-256(0x06 ‖ salt of the chunk ‖ plaintext); the salt of chunk n is HMAC-SHA-256(salt, n as 4
octets), so whoever is shown a range can guess at no other chunk. A node is sha-256(0x07 ‖ left ‖ right), the left side
the largest power of two that leaves something to the right (RFC 9162, section 2.1.1). Pure; how many chunks there are
stands beside the root, in what is committed to with it.
"""

import hashlib
import hmac
from collections.abc import Sequence

DIGEST_SIZE = 32


def chunk_salt(salt: bytes, number: int) -> bytes:
    """32 octets, for one chunk alone."""
    return hmac.digest(salt, number.to_bytes(4, "big"), "sha256")


def commit_chunk(salt: bytes, number: int, plaintext: bytes) -> bytes:
    """The leaf of one chunk; `salt` the content's."""
    hashed = hashlib.sha256(b"\x06" + chunk_salt(salt, number))
    hashed.update(plaintext)
    return hashed.digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root; at least one leaf (ValueError)."""
    if not leaves:
        raise ValueError("a tree has at least one leaf")
    # Each entry is a full subtree; those of equal height join at once, so that what is left joins from the right.
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        height, digest = 0, leaf
        while stack and stack[-1][0] == height:
            digest = _node(stack.pop()[1], digest)
            height += 1
        stack.append((height, digest))
    digest = stack.pop()[1]
    while stack:
        digest = _node(stack.pop()[1], digest)
    return digest


def path_of(leaves: Sequence[bytes], number: int) -> list[bytes]:
    """What joins leaf `number` to the root, from the leaf up."""
    if not 0 <= number < len(leaves):
        raise ValueError("no such leaf")
    if len(leaves) == 1:
        return []
    half = _left(len(leaves))
    if number < half:
        return [*path_of(leaves[:half], number), root_of(leaves[half:])]
    return [*path_of(leaves[half:], number - half), root_of(leaves[:half])]


def root_by(leaf: bytes, number: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its path come to, among `count` leaves; None where the path is not of that length."""
    sides: list[bool] = []
    while count > 1:
        half = _left(count)
        sides.append(number < half)
        number, count = (number, half) if number < half else (number - half, count - half)
    if number != 0 or len(path) != len(sides):
        return None
    digest = leaf
    for beside, is_left in zip(path, reversed(sides), strict=True):
        digest = _node(digest, beside) if is_left else _node(beside, digest)
    return digest


def _left(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x07" + left + right).digest()
