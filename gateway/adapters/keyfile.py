"""The embedded default's vault: a root key in a passphrase-protected file, opened at start, and again where what is
to be unwrapped names another root (`consentry keys rotate-root` puts a new file in its place).

The file's public half is the root's id (empty in files of before), so that whose it is shows without the passphrase.
"""

import asyncio
from pathlib import Path

from gateway.adapters import sealed_file
from gateway.adapters.root import Root, wrapped_by
from gateway.adapters.sealed_file import Passphrase

KIND = "consentry.root-key/1"


class KeyFileVault:
    """Implements `gateway.ports.keys.Vault`."""

    def __init__(self, path: Path, passphrase_path: Path, root: Root) -> None:
        self._path = path
        self._passphrase_path = passphrase_path
        self._root = root

    @classmethod
    def open(cls, path: Path, passphrase_path: Path, passphrase: Passphrase | None = None) -> "KeyFileVault":
        """`passphrase`: that file's, where others open with it too. SettingsError for a missing or damaged file, or
        another passphrase."""
        return cls(path, passphrase_path, Root(open_key(path, passphrase_path, passphrase)))

    @classmethod
    def create(cls, path: Path, passphrase_path: Path, passphrase: Passphrase | None = None) -> "KeyFileVault":
        """A new root. `passphrase` as in `open`. Durable on return; SettingsError if there is one."""
        root, key = Root.fresh()
        given = passphrase or Passphrase(passphrase_path)
        sealed_file.create(path, kind=KIND, public=root.id, secret=key, passphrase=given)
        return cls(path, passphrase_path, root)

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        return self._root.wrap(key, context=context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        named = wrapped_by(wrapped)
        if named is not None and named != self._root.id:
            self._root = Root(await asyncio.to_thread(open_key, self._path, self._passphrase_path))
        return self._root.unwrap(wrapped, context=context)

    async def check(self) -> None:
        """A root in memory is always there."""

    async def close(self) -> None:
        """Nothing is held open."""


def open_key(path: Path, passphrase_path: Path, passphrase: Passphrase | None = None) -> bytes:
    """The root's octets. `passphrase` as in `KeyFileVault.open`. SettingsError."""
    return sealed_file.open_secret(path, kind=KIND, passphrase=passphrase or Passphrase(passphrase_path))[1]


def id_in(path: Path) -> bytes:
    """The root's id, without the passphrase; empty in a file of before. SettingsError for a damaged file."""
    return sealed_file.read_public(path, kind=KIND)
