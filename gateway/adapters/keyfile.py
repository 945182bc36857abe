"""The vault of the embedded default: a root key in a passphrase-protected file, opened once at start.

The root wraps the epoch key and nothing else, and is never given out.
"""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gateway.adapters import sealed_file
from gateway.errors import IntegrityError

KIND = "consentry.root-key/1"


class KeyFileVault:
    """Implements `gateway.ports.keys.Vault`."""

    def __init__(self, root: bytes) -> None:
        self.__root = root

    @classmethod
    def open(cls, path: Path, passphrase_path: Path) -> "KeyFileVault":
        """SettingsError for a missing or damaged file, or another passphrase."""
        _, root = sealed_file.open_secret(path, kind=KIND, passphrase=sealed_file.read_passphrase(passphrase_path))
        return cls(root)

    @staticmethod
    def create(path: Path, passphrase_path: Path) -> None:
        """A new root. Durable on return; SettingsError if there is one."""
        sealed_file.create(
            path,
            kind=KIND,
            public=b"",
            secret=secrets.token_bytes(32),
            passphrase=sealed_file.read_passphrase(passphrase_path),
        )

    async def wrap(self, key: bytes) -> bytes:
        return aes_key_wrap(self.__root, key)

    async def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self.__root, wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise IntegrityError("the epoch key was wrapped by another root") from error

    async def check(self) -> None:
        """A root in memory is always there."""
