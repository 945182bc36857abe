"""Random numbers from a seed, so that anybody who has the seed draws the same.

    subkey(label)   HKDF-Expand with SHA-256 from the seed, info = label, 32 bytes: HMAC(seed, label ‖ 0x01)
    block n         HMAC-SHA-256(subkey, n as 8 octets), n = 0, 1, 2 …, laid end to end, read as numbers of 4 octets
    below(m)        the next number that is less than the largest multiple of m up to 2^32; its remainder by m
    shuffled        Fisher and Yates: from the last place down to the second, exchange with the place below(place + 1)

True here: integers are big-endian; a number that is not taken is thrown away, so that no remainder is likelier than
another. Fixed for ever: another construction is another version in the labels.
Not done here: drawing the seed. Who may choose among seeds chooses among lists: where that matters, the seed comes from
a beacon, or from two parties.
Sources: RFC 5869, section 2.3; NIST SP 800-108r1, section 4.1 (counter mode); NIST SP 800-90A, B.5.1.1 (simple
discard); Durstenfeld 1964, Algorithm 235.
"""

import hmac
from typing import Final, TypeVar

SEED_SIZE: Final = 32
_WORD: Final = 4
_RANGE: Final = 1 << 8 * _WORD
_T = TypeVar("_T")


def subkey(seed: bytes, label: bytes) -> bytes:
    """32 bytes, for one use alone. ValueError for a seed that is not of 32 bytes."""
    if len(seed) != SEED_SIZE:
        raise ValueError(f"a seed has {SEED_SIZE} bytes")
    return hmac.digest(seed, label + b"\x01", "sha256")


class Drawing:
    """Numbers of one subkey, in order."""

    __slots__ = ("_at", "_block", "_key", "_number")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._number = 0
        self._block = b""
        self._at = 0

    def below(self, most: int) -> int:
        """0 to most - 1, each as likely as the others. ValueError beyond 1 to 2^32."""
        if not 1 <= most <= _RANGE:
            raise ValueError("from 1 to 2^32")
        limit = _RANGE - _RANGE % most
        while (number := self._next()) >= limit:
            pass
        return number % most

    def shuffled(self, given: list[_T]) -> list[_T]:
        """A list in another order, each order as likely as the others."""
        found = given.copy()
        for place in range(len(found) - 1, 0, -1):
            other = self.below(place + 1)
            found[place], found[other] = found[other], found[place]
        return found

    def _next(self) -> int:
        if self._at == len(self._block):
            self._block = hmac.digest(self._key, self._number.to_bytes(8, "big"), "sha256")
            self._number += 1
            self._at = 0
        self._at += _WORD
        return int.from_bytes(self._block[self._at - _WORD : self._at], "big")
