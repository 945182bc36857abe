"""A secret at rest in a file of its own: sealed under a passphrase, mode 0600, written whole or not at all.

JSON of hex fields. scrypt (RFC 7914, n = 2^16, r = 8, p = 1: 64 MiB, about a fifth of a second), then AES-256-GCM with
the format's name and the public half as associated data, so neither can be exchanged. Files that are made together
share a salt, and so a key: whoever opens them together (`Passphrase`) derives it once.
"""

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.errors import SettingsError


class _SealedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    public: str
    salt: str
    nonce: str
    sealed: str


class Passphrase:
    """The first line of a passphrase file, and the keys that were derived from it: kept for as long as somebody opens
    files, and no longer. The file is read when the first key is derived."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[bytes, bytes] = {}
        self.salt: Final = secrets.token_bytes(16)
        """Of the files that are made with it."""

    def key(self, salt: bytes) -> bytes:
        """32 bytes. SettingsError when the passphrase file is missing or empty."""
        if salt not in self._keys:
            self._keys[salt] = Scrypt(salt=salt, length=32, n=2**16, r=8, p=1).derive(read_passphrase(self._path))
        return self._keys[salt]


def create(path: Path, *, kind: str, public: bytes, secret: bytes, passphrase: Passphrase) -> None:
    """Durable on return. SettingsError if the file exists already or cannot be made. `kind`: format and version."""
    salt, nonce = passphrase.salt, secrets.token_bytes(12)
    sealed = AESGCM(passphrase.key(salt)).encrypt(nonce, secret, _associated(kind, public))
    content = _SealedFile(format=kind, public=public.hex(), salt=salt.hex(), nonce=nonce.hex(), sealed=sealed.hex())
    write_new(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def open_secret(path: Path, *, kind: str, passphrase: Passphrase) -> tuple[bytes, bytes]:
    """(public, secret). SettingsError for a missing or damaged file, or another passphrase."""
    content = _read(path, kind)
    public = bytes.fromhex(content.public)
    key = passphrase.key(bytes.fromhex(content.salt))
    try:
        secret = AESGCM(key).decrypt(
            bytes.fromhex(content.nonce), bytes.fromhex(content.sealed), _associated(kind, public)
        )
    except InvalidTag as error:
        raise SettingsError(f"{path.name} is damaged, or the passphrase is another") from error
    return public, secret


def read_public(path: Path, *, kind: str) -> bytes:
    """The public half, without the passphrase. SettingsError for a missing or damaged file."""
    return bytes.fromhex(_read(path, kind).public)


def read_passphrase(path: Path) -> bytes:
    """The first line of a passphrase file. SettingsError when it is missing or empty."""
    try:
        line = path.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read") from error
    if not line:
        raise SettingsError(f"{path.name} is empty")
    return line


def write_new(path: Path, content: bytes) -> None:
    """A new file of mode 0600, whole or not at all, durable on return. SettingsError if it exists already."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be made") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Commit point: the link. Before it there is no file, after it the whole file; a name that exists is kept.
        os.link(temporary, path)
    except FileExistsError as error:
        raise SettingsError(f"{path.name} exists already") from error
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def replace(path: Path, by: Path) -> None:
    """`by` takes the place of `path`, whose octets are overwritten first. Durable on return."""
    if path.exists():
        _overwrite(path)
    # Commit point: the rename. Before it `by` stands beside a file of zeros, after it alone.
    by.replace(path)
    sync_folder(path.parent)


def shred(path: Path) -> None:
    """Overwritten, then removed; nothing to do where it is not there. What a file system or a disk keeps of former
    octets is out of reach from here."""
    if path.exists():
        _overwrite(path)
        path.unlink()
        sync_folder(path.parent)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _associated(kind: str, public: bytes) -> bytes:
    return kind.encode() + b"\x00" + public


def _read(path: Path, kind: str) -> _SealedFile:
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_SealedFile)
        parts = (content.salt, content.nonce, content.sealed, content.public)
        sizes = [len(bytes.fromhex(text)) for text in parts][:2]
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read") from error
    except ValueError as error:
        raise SettingsError(f"{path.name} is no key file") from error
    if content.format != kind or sizes != [16, 12]:
        raise SettingsError(f"{path.name} is no {kind} file")
    return content
