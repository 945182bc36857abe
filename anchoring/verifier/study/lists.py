"""The list of arms, drawn again from its seed once that is opened. Pure.

    subkey(label)     HMAC-SHA-256(seed, label ‖ 0x01)
    numbers           HMAC-SHA-256(subkey, n as 8 octets), n = 0, 1, 2 …, end to end, read as numbers of 4 octets
    below(m)          the next number less than the largest multiple of m up to 2^32; its remainder by m
    a stratum's arms  subkey "consentry/trials/1/list" ‖ study ‖ stratum; each by itself, or in permuted blocks
    a place's salt    HMAC-SHA-256(subkey "consentry/trials/1/salt" ‖ study, stratum ‖ position)
    its commitment    sha-256(0x09 ‖ study ‖ stratum ‖ position ‖ salt ‖ arm)
    the root          OpenZeppelin's tree over (uint32 stratum, uint32 position, bytes32 commitment)

Integers are big-endian, 4 octets where nothing else is said.
"""

import hashlib
import hmac
import math
from collections.abc import Iterator
from typing import Any, Final

from anchoring.verifier.verify import Refused, leaf_of, root_of

PLACE: Final = ("uint32", "uint32", "bytes32")
MOST: Final = 100_000
"""Places of a list."""
_RANGE: Final = 1 << 32


def place_leaf(stratum: int, position: int, commitment: bytes) -> bytes:
    return leaf_of(PLACE, (_four(stratum), _four(position), commitment))


class Drawn:
    """A list. Raises Refused for a scheme that is none."""

    def __init__(self, seed: bytes, study: bytes, scheme: Any) -> None:
        try:
            self._shares = [(str(one["arm"]), int(one["share"])) for one in scheme["arms"]]
            sizes = scheme["method"].get("sizes")
            self._sizes = None if sizes is None else [int(one) for one in sizes]
            strata = math.prod(len(one["levels"]) for one in scheme.get("factors") or ())
            positions = int(scheme["positions"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refused("the scheme of the list is none") from error
        shares = sum(share for _, share in self._shares)
        fits = self._sizes is None or (bool(self._sizes) and all(s > 0 and s % shares == 0 for s in self._sizes))
        if not 0 < strata * positions <= MOST or not 0 < shares <= MOST or not fits:
            raise Refused("the scheme of the list is none")
        salts = _subkey(seed, b"consentry/trials/1/salt" + study)
        self.strata: list[list[bytes]] = []
        for stratum in range(strata):
            arms = self._arms(_Numbers(_subkey(seed, b"consentry/trials/1/list" + study + _four(stratum))), positions)
            self.strata.append(
                [
                    _commitment(study, stratum, position, salts, arm)
                    for position, arm in zip(range(positions), arms, strict=False)
                ]
            )

    @property
    def root(self) -> bytes:
        return root_of(
            [
                place_leaf(stratum, position, one)
                for stratum, places in enumerate(self.strata)
                for position, one in enumerate(places)
            ]
        )

    @property
    def size(self) -> int:
        return sum(map(len, self.strata))

    def commitment(self, stratum: int, position: int) -> bytes | None:
        """None: no place of the list."""
        if stratum >= len(self.strata) or position >= len(self.strata[stratum]):
            return None
        return self.strata[stratum][position]

    def _arms(self, numbers: "_Numbers", positions: int) -> Iterator[str]:
        arms = [arm for arm, share in self._shares for _ in range(share)]
        if self._sizes is None:
            yield from (arms[numbers.below(len(arms))] for _ in range(positions))
            return
        while True:
            times = self._sizes[numbers.below(len(self._sizes))] // len(arms)
            block = [arm for arm, share in self._shares for _ in range(share * times)]
            for place in range(len(block) - 1, 0, -1):
                other = numbers.below(place + 1)
                block[place], block[other] = block[other], block[place]
            yield from block


class _Numbers:
    def __init__(self, key: bytes) -> None:
        self._words = self._drawn(key)

    def below(self, most: int) -> int:
        limit = _RANGE - _RANGE % most
        return next(one for one in self._words if one < limit) % most

    def _drawn(self, key: bytes) -> Iterator[int]:
        number = 0
        while True:
            block = hmac.digest(key, number.to_bytes(8, "big"), "sha256")
            yield from (int.from_bytes(block[at : at + 4], "big") for at in range(0, 32, 4))
            number += 1


def _subkey(seed: bytes, label: bytes) -> bytes:
    return hmac.digest(seed, label + b"\x01", "sha256")


def _commitment(study: bytes, stratum: int, position: int, salts: bytes, arm: str) -> bytes:
    place = _four(stratum) + _four(position)
    salt = hmac.digest(salts, place, "sha256")
    return hashlib.sha256(b"\x09" + study + place + salt + arm.encode()).digest()


def _four(number: int) -> bytes:
    if not 0 <= number < _RANGE:
        raise Refused("a number of more than 4 octets")
    return number.to_bytes(4, "big")
