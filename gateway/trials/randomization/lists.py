"""Lists of arms, one a stratum, drawn from a seed; and of each position the commitment that goes on chain.

    list of a stratum   drawn under "consentry/trials/1/list" ‖ study ‖ stratum as 4 octets
    salt of a position  HMAC-SHA-256(subkey "consentry/trials/1/salt" ‖ study, stratum ‖ position, 4 octets each)
    arm commitment      sha-256(0x09 ‖ study ‖ stratum ‖ position ‖ salt ‖ arm as UTF-8)

    simple              a number below the sum of the shares; the arm in whose share it falls, in the scheme's order
    permuted blocks     a size by a number below how many there are; the block's arms, in the scheme's order, shuffled

True here: seed, study and scheme alone give the list, its salts and its commitments. A commitment tells nothing of its
arm while its salt is not known, and opening one position opens no other. Positions count from 0.
Not done here: keeping the seed secret until the lock (the caller's: it opens every position); the tree (`commitments`).
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from gateway.trials.randomization.drawing import Drawing, subkey
from gateway.trials.randomization.scheme import PermutedBlocks, Scheme

STUDY_SIZE: Final = 32
SALT_SIZE: Final = 32
_LIST: Final = b"consentry/trials/1/list"
_SALT: Final = b"consentry/trials/1/salt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One position of a stratum's list, opened."""

    study: bytes
    stratum: int
    position: int
    arm: str = field(repr=False)
    salt: bytes = field(repr=False)

    @property
    def commitment(self) -> bytes:
        """32 bytes."""
        return commit_arm(self.study, self.stratum, self.position, salt=self.salt, arm=self.arm)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationList:
    """`strata`: the positions of each, in order."""

    study: bytes
    scheme: Scheme
    strata: tuple[tuple[Place, ...], ...] = field(repr=False)

    def place(self, stratum: int, position: int) -> Place | None:
        """None for no position of the list."""
        if not 0 <= stratum < len(self.strata) or not 0 <= position < len(self.strata[stratum]):
            return None
        return self.strata[stratum][position]


def draw_list(seed: bytes, *, study: bytes, scheme: Scheme) -> AllocationList:
    """`seed`: 32 bytes; `study`: its 32-byte name on chain. ValueError for other sizes."""
    if len(study) != STUDY_SIZE:
        raise ValueError(f"a study's name has {STUDY_SIZE} bytes")
    salts = subkey(seed, _SALT + study)
    return AllocationList(
        study=study,
        scheme=scheme,
        strata=tuple(
            tuple(
                Place(study=study, stratum=stratum, position=position, arm=arm, salt=_salt(salts, stratum, position))
                for position, arm in enumerate(_arms(seed, study, stratum, scheme))
            )
            for stratum in range(scheme.strata)
        ),
    )


def commit_arm(study: bytes, stratum: int, position: int, *, salt: bytes, arm: str) -> bytes:
    """What stands on chain for a position, 32 bytes. ValueError for a study or a salt of another size."""
    if len(study) != STUDY_SIZE or len(salt) != SALT_SIZE:
        raise ValueError("a study's name and a salt have 32 bytes")
    return hashlib.sha256(b"\x09" + study + _uint32(stratum) + _uint32(position) + salt + arm.encode()).digest()


def _salt(key: bytes, stratum: int, position: int) -> bytes:
    return hmac.digest(key, _uint32(stratum) + _uint32(position), "sha256")


def _uint32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _arms(seed: bytes, study: bytes, stratum: int, scheme: Scheme) -> list[str]:
    drawing = Drawing(subkey(seed, _LIST + study + _uint32(stratum)))
    arms = [one.arm for one in scheme.arms for _ in range(one.share)]
    if not isinstance(scheme.method, PermutedBlocks):
        return [arms[drawing.below(len(arms))] for _ in range(scheme.positions)]
    sizes, found = scheme.method.sizes, list[str]()
    while len(found) < scheme.positions:
        times = sizes[drawing.below(len(sizes))] // len(arms)
        found.extend(drawing.shuffled([one.arm for one in scheme.arms for _ in range(one.share * times)]))
    return found[: scheme.positions]
