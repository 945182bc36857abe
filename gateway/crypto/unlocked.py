"""A sealed content with its own data key: what a decision's permit opens a record to, and all that a worker has of it.

True here: nothing of a patient's other records, no domain key, and nothing else of the gateway is imported.
"""

import struct
from typing import Final

import msgspec

from gateway.crypto import hazmat
from gateway.errors import IntegrityError

LENGTH: Final = struct.Struct(">Q")
"""Before the content, inside the seal."""


class Unlocked(msgspec.Struct, frozen=True, array_like=True):
    """One record's content, still sealed, with the one key that opens it: what a worker is given. Never printed."""

    data_key: bytes
    sealed: bytes
    associated: bytes
    size: int

    def __repr__(self) -> str:
        return "Unlocked()"


def open_unlocked(unlocked: Unlocked) -> bytes:
    """The content. Raises IntegrityError."""
    nonce, sealed = unlocked.sealed[: hazmat.NONCE_SIZE], unlocked.sealed[hazmat.NONCE_SIZE :]
    plain = hazmat.open_sealed(unlocked.data_key, nonce, sealed, unlocked.associated)
    (size,) = LENGTH.unpack_from(plain)
    if size != unlocked.size:
        raise IntegrityError("content is not as long as its facts say")
    return plain[LENGTH.size : LENGTH.size + size]
