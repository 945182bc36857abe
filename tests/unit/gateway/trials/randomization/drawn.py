"""Schemes and lists to try."""

from typing import Any

from anchoring import merkle
from gateway.trials.randomization.commitments import Assignment, Merkle
from gateway.trials.randomization.lists import AllocationList, draw_list
from gateway.trials.randomization.scheme import Scheme, parse_scheme

STUDY = bytes(range(32))
SEED = b"\x07" * 32
TREES = Merkle(hash_leaf=merkle.hash_leaf, hash_pair=merkle.hash_pair, grow=merkle.MerkleTree)
BLOCKS = {"name": "permuted blocks", "sizes": [4, 6]}


def scheme(**told: Any) -> Scheme:
    arms = told.pop("arms", {"drug": 1, "placebo": 1})
    factors = told.pop("factors", {})
    tree = {
        "arms": [{"arm": arm, "share": share} for arm, share in arms.items()],
        "method": told.pop("method", BLOCKS),
        "factors": [{"name": name, "levels": levels} for name, levels in factors.items()],
        "positions": told.pop("positions", 20),
    }
    return parse_scheme(tree | told)


STRATIFIED = scheme(factors={"site": ["Bern", "Genf", "Chur"], "sex": ["female", "male"]})


def drawn(seed: bytes = SEED, of: Scheme = STRATIFIED, study: bytes = STUDY) -> AllocationList:
    return draw_list(seed, study=study, scheme=of)


def followed(allocation: AllocationList, *, each: int) -> list[Assignment]:
    """The first positions of each stratum, stratum by turn."""
    return [
        Assignment(
            stratum=number,
            position=position,
            commitment=stratum[position].commitment,
            subject=number.to_bytes(16, "big") + position.to_bytes(16, "big"),
            arm=stratum[position].arm,
        )
        for position in range(each)
        for number, stratum in enumerate(allocation.strata)
    ]
