"""A list's root on chain, proofs of its positions, and the review of who got what once the seed is opened.

    1. root    over (uint32 stratum, uint32 position, bytes32 armCommitment) of every position
    2. order   within a stratum, assignments stand at 0, 1, 2 …, in the order of the chain
    3. each    an assignment's commitment is the list's at its position, and what the subject got is the list's arm
    4. once    no subject has two

True here: pure; leaves and trees are OpenZeppelin's StandardMerkleTree, which is handed in as functions. Every fault is
told, with its place: no fault is the only proof that the list was followed.
Not done here: reading the chain; signatures.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Final, Protocol

from gateway.errors import IntegrityError
from gateway.trials.randomization.lists import SALT_SIZE, AllocationList, Place

LEAF_ENCODING: Final = ("uint32", "uint32", "bytes32")
LONGEST_PATH: Final = 64


class Tree(Protocol):
    """A tree over leaves."""

    @property
    def root(self) -> bytes: ...

    def path(self, leaf: bytes) -> tuple[bytes, ...]:
        """Siblings from the leaf up to below the root."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Merkle:
    """`hash_leaf(types, values)`: the double-hashed leaf of ABI values; `hash_pair`: a parent; `grow`: a tree."""

    hash_leaf: Callable[[Sequence[str], Sequence[bytes]], bytes]
    hash_pair: Callable[[bytes, bytes], bytes]
    grow: Callable[[Sequence[bytes]], Tree]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """As the chain has it; `arm`: what the trial's data say that the subject got, None where they do not yet tell."""

    stratum: int
    position: int
    commitment: bytes
    subject: bytes
    arm: str | None


class Flaw(StrEnum):
    """`ROOT`: seed, scheme or list are not those that were committed to; its stratum and position are None.
    `SKIPPED`: this position was passed over. `REPEATED`: it had been assigned, or passed over, before. `NOT_LISTED`:
    the list has no such position. `OTHER_COMMITMENT`: not the list's. `OTHER_ARM`: the subject got another one.
    `SUBJECT_TWICE`: the subject had been assigned before."""

    ROOT = "ROOT"
    SKIPPED = "SKIPPED"
    REPEATED = "REPEATED"
    NOT_LISTED = "NOT_LISTED"
    OTHER_COMMITMENT = "OTHER_COMMITMENT"
    OTHER_ARM = "OTHER_ARM"
    SUBJECT_TWICE = "SUBJECT_TWICE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    flaw: Flaw
    stratum: int | None
    position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A list and its tree."""

    allocation: AllocationList
    root: bytes
    size: int
    _tree: Tree
    _merkle: Merkle

    def path(self, place: Place) -> tuple[bytes, ...]:
        """The proof of a position of this list, from its leaf up."""
        return self._tree.path(_leaf(place.stratum, place.position, place.commitment, self._merkle))


def commit(allocation: AllocationList, *, merkle: Merkle) -> Committed:
    """The root of a list, 32 bytes, with how many positions are under it."""
    leaves = [
        _leaf(place.stratum, place.position, place.commitment, merkle)
        for stratum in allocation.strata
        for place in stratum
    ]
    tree = merkle.grow(leaves)
    return Committed(allocation=allocation, root=tree.root, size=len(leaves), _tree=tree, _merkle=merkle)


def check_place(place: Place, *, root: bytes, path: Sequence[bytes], merkle: Merkle) -> None:
    """Whether one opened position is under the root: what a subject who was unblinded can check alone. Raises
    IntegrityError."""
    if not (0 <= place.stratum < 1 << 32 and 0 <= place.position < 1 << 32 and len(place.salt) == SALT_SIZE):
        raise IntegrityError("no position of a list", field=("place",))
    if len(path) > LONGEST_PATH or any(len(one) != len(root) for one in path):
        raise IntegrityError("no path of this tree", field=("path",))
    leaf = _leaf(place.stratum, place.position, place.commitment, merkle)
    if reduce(merkle.hash_pair, path, leaf) != root:
        raise IntegrityError("the opened position is not under the root", field=("root",))


def review(
    allocation: AllocationList, assignments: Sequence[Assignment], *, root: bytes, merkle: Merkle
) -> tuple[Fault, ...]:
    """`allocation`: drawn anew from the opened seed; `assignments`: in the order of the chain. None: it was followed.
    Where the root is not the list's, positions are judged all the same: which of them differ is then told, too."""
    faults = [] if commit(allocation, merkle=merkle).root == root else [_fault(Flaw.ROOT, None, None)]
    following: dict[int, int] = {}
    subjects = set[bytes]()
    for one in assignments:
        due = following.get(one.stratum, 0)
        faults.extend(_misplaced(one, due, len(_positions(allocation, one.stratum))))
        faults.extend(_misgiven(one, allocation))
        if one.subject in subjects:
            faults.append(_fault(Flaw.SUBJECT_TWICE, one.stratum, one.position))
        subjects.add(one.subject)
        following[one.stratum] = max(due, one.position + 1)
    return tuple(faults)


def _misplaced(one: Assignment, due: int, size: int) -> Iterator[Fault]:
    if one.position < due:
        yield _fault(Flaw.REPEATED, one.stratum, one.position)
    yield from (_fault(Flaw.SKIPPED, one.stratum, passed) for passed in range(due, min(one.position, size)))


def _misgiven(one: Assignment, allocation: AllocationList) -> Iterator[Fault]:
    place = allocation.place(one.stratum, one.position)
    if place is None:
        yield _fault(Flaw.NOT_LISTED, one.stratum, one.position)
        return
    if place.commitment != one.commitment:
        yield _fault(Flaw.OTHER_COMMITMENT, one.stratum, one.position)
    if one.arm is not None and one.arm != place.arm:
        yield _fault(Flaw.OTHER_ARM, one.stratum, one.position)


def _positions(allocation: AllocationList, stratum: int) -> tuple[Place, ...]:
    return allocation.strata[stratum] if 0 <= stratum < len(allocation.strata) else ()


def _fault(flaw: Flaw, stratum: int | None, position: int | None) -> Fault:
    return Fault(flaw=flaw, stratum=stratum, position=position)


def _leaf(stratum: int, position: int, commitment: bytes, merkle: Merkle) -> bytes:
    values = (stratum.to_bytes(4, "big"), position.to_bytes(4, "big"), commitment)
    return merkle.hash_leaf(LEAF_ENCODING, values)
