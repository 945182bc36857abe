"""How an entry of a study's journal is tied to the one before it, and to the chain. Pure."""

import hashlib
from typing import Final

ABOUT: Final = b"study/subject"
"""What a keyed token of a subject in a study is for."""
FIRST: Final = bytes(32)
"""In the place of the entry before the first."""


def digest_of(octets: bytes) -> bytes:
    """SHA-256 of an entry."""
    return hashlib.sha256(octets).digest()


def leaf_values(study: bytes, number: int, entry: bytes, previous: bytes) -> tuple[bytes, ...]:
    """(study, number, SHA-256 of the entry, that of the one before): 32, 4, 32 and 32 bytes."""
    return (study, number.to_bytes(4, "big"), entry, previous)
