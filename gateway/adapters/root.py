"""The root key as it is used: it wraps the epoch key and nothing else, is never given out and never printed.

A wrapped key is 0x01 ‖ root id (8) ‖ nonce (12) ‖ AES-256-GCM of 32 octets (48), bound to its context and to the
root's id; 69 octets. The id is a one-way value of the root, so that files and stores tell whose they are. Folders of
before hold 40 octets of AES key wrap (RFC 3394) without a context: they open as they are, and are never written anew.
"""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from gateway.errors import IntegrityError

SIZE = 32
ID_SIZE = 8
LOCAL = b"\x01"
"""First octet of what a root of ours wrapped."""
_WRAPPED = 1 + ID_SIZE + 12 + SIZE + 16
_FORMER = SIZE + 8


class Root:
    """One root key in memory."""

    __slots__ = ("__key", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != SIZE:
            raise ValueError("a root key has 32 octets")
        self.__key = key
        self.id = root_id(key)

    @classmethod
    def fresh(cls) -> tuple["Root", bytes]:
        """A new root, and its octets for the one place where they are to lie."""
        key = secrets.token_bytes(SIZE)
        return cls(key), key

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        head, nonce = LOCAL + self.id, secrets.token_bytes(12)
        return head + nonce + AESGCM(self.__key).encrypt(nonce, key, head + context)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """IntegrityError for whatever this root did not wrap in this context."""
        if len(wrapped) == _FORMER:
            return self._unwrap_former(wrapped)
        if wrapped_by(wrapped) != self.id:
            raise IntegrityError("the epoch key was wrapped by another root")
        head, nonce = wrapped[: 1 + ID_SIZE], wrapped[1 + ID_SIZE : 13 + ID_SIZE]
        try:
            return AESGCM(self.__key).decrypt(nonce, wrapped[13 + ID_SIZE :], head + context)
        except InvalidTag as error:
            raise IntegrityError("the wrapped epoch key does not open") from error

    def _unwrap_former(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self.__key, wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise IntegrityError("the epoch key was wrapped by another root") from error


def root_id(key: bytes) -> bytes:
    """8 octets that tell a root from another and nothing of it: the root has 256 random bits."""
    return hmac.digest(key, b"consentry/root-id", hashlib.sha256)[:ID_SIZE]


def wrapped_by(wrapped: bytes) -> bytes | None:
    """The id of the root that wrapped this; None for what no root of ours did, or did before roots had ids."""
    return wrapped[1 : 1 + ID_SIZE] if len(wrapped) == _WRAPPED and wrapped[:1] == LOCAL else None
