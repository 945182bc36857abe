"""Roots of data, the head over them, and the lock that names both. Pure.

A root is OpenZeppelin's tree over (bytes32 study, uint32 number, bytes32 SHA-256 of the entry, bytes32 of the one
before); head = keccak256(head ‖ root ‖ count). True here: of each entry its leaf is kept. A root that begins before the
last ones end takes their place: the registry had refused them, and whether that is so its head says.
"""

from collections.abc import Iterator
from typing import Final

from anchoring.verifier.study.acts import Act
from anchoring.verifier.study.report import Flaw
from anchoring.verifier.verify import keccak256, leaf_of, root_of, word

ENTRY: Final = ("bytes32", "uint32", "bytes32", "bytes32")
_SIZE: Final = 32
_Found = Iterator[tuple[Flaw, str]]


def entry_leaf(study: bytes, number: int, sha256: bytes, previous: bytes) -> bytes:
    return leaf_of(ENTRY, (study, number.to_bytes(4, "big"), sha256, previous))


class Data:
    """`recorded`: entries under a root."""

    def __init__(self) -> None:
        self.roots: list[tuple[int, bytes, int]] = []
        self.recorded = 0
        self._leaves = bytearray()
        self._captured = -1

    def add(self, number: int, leaf: bytes, kind: str) -> None:
        self._leaves += leaf
        if kind == "CAPTURE":
            self._captured = number

    def record(self, number: int, act: Act) -> _Found:
        """A root, which entry `number` tells of."""
        first, count, root = act.said["first"], act.said["count"], act.octets("root")
        while self.roots and self.recorded > first:
            self.recorded -= self.roots.pop()[2]
        held = len(self._leaves) // _SIZE - self.recorded
        if first != self.recorded or not 0 < count <= held:
            yield Flaw.DATA, f"a root over {count} entries from {first}, where those from {self.recorded} are next"
            return
        octets = range(first * _SIZE, (first + count) * _SIZE, _SIZE)
        if root_of(bytes(self._leaves[at : at + _SIZE]) for at in octets) != root:
            yield Flaw.DATA, f"entries {first} to {first + count - 1} are not those of their root"
        self.roots.append((number, root, count))
        self.recorded += count

    @property
    def head(self) -> bytes:
        head = bytes(_SIZE)
        for _, root, count in self.roots:
            head = keccak256(head + root + word(count))
        return head

    def lock(self, act: Act) -> _Found:
        if (act.octets("head"), act.said["records"]) != (self.head, self.recorded):
            yield Flaw.DATA, "locks other data than the roots before it are of"
        if self._captured >= self.recorded:
            yield Flaw.DATA, f"entry {self._captured} was captured beside the roots that are locked"
