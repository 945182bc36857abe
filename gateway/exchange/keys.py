"""The keys of an import: all of them of one secret in one file, which its owner alone may read.

True here: who has the file can sign for everybody whom an import enrolled; nobody else can, the gateway neither. A key
is the same each time, so an import that was broken off goes on as the same people.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.demo.model import WrongCallError
from gateway.demo.wallet import Wallet

SIZE: Final = 32
_TAG: Final = b"consentry/study-import/1/"
_SECRET: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """`secret`: 32 octets."""

    secret: bytes = field(repr=False)

    def role(self, name: str) -> Wallet:
        """Of a role that is the same person in every study of this file."""
        return self._wallet(b"role", name)

    def patient(self, study: str, key: str) -> Wallet:
        """Of a subject in the study of a title: two studies may call two people by one key."""
        return self._wallet(b"patient", study, key)

    def name(self, *parts: str) -> str:
        """A name that says nothing to who has not the secret: 32 hexadecimal characters."""
        return self._derived(b"name", *parts).hex()[:32]

    def _wallet(self, kind: bytes, *parts: str) -> Wallet:
        return Wallet.of_hex(self._derived(kind, *parts).hex())

    def _derived(self, kind: bytes, *parts: str) -> bytes:
        told = b"".join(len(one).to_bytes(4, "big") + one for one in (kind, *(part.encode() for part in parts)))
        return hmac.digest(self.secret, _TAG + told, hashlib.sha256)


def load_keys(path: Path) -> KeyRing:
    """Of a file that is there. Raises WrongCallError, without quoting it."""
    try:
        found = _SECRET.fullmatch(path.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCallError(f"{path}: no key file that can be read; name it with --key") from error
    if found is None:
        raise WrongCallError(f"{path}: is no key file: 32 octets of hexadecimal are")
    return KeyRing(secret=bytes.fromhex(found[1]))


def make_keys(path: Path) -> KeyRing:
    """As `load_keys`; where there is none, a new one, durable before it is used."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load_keys(path)
    except OSError as error:
        raise WrongCallError(f"{path}: cannot be written: {error.strerror}") from error
    with open(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(SIZE) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return load_keys(path)
