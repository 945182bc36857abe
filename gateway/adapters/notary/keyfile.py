"""The receipt key at rest: an Ed25519 key sealed under a passphrase, its public half readable without.

JSON, mode 0600, never rewritten. scrypt (RFC 7914, n = 2^15, r = 8, p = 1: 32 MiB, about 0.1 s) then AES-256-GCM; the
public key is associated data, so neither half can be exchanged.
"""

import os
import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.errors import SettingsError

_FORMAT = "consentry.receipt-key/1"


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Binary fields are hex."""

    format: str
    public: str
    salt: str
    nonce: str
    sealed: str


def create(path: Path, passphrase: bytes) -> bytes:
    """Makes a new key; returns its raw public half (32 bytes). Durable on return. SettingsError if the file exists."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = AESGCM(_derive(passphrase, salt)).encrypt(nonce, private.private_bytes_raw(), _associated(public))
    content = _KeyFile(format=_FORMAT, public=public.hex(), salt=salt.hex(), nonce=nonce.hex(), sealed=sealed.hex())
    _write_new(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    return public


def open_private(path: Path, passphrase: bytes) -> Ed25519PrivateKey:
    """The private key. SettingsError for a missing or damaged file, or another passphrase."""
    content = _read(path)
    public = bytes.fromhex(content.public)
    key = _derive(passphrase, bytes.fromhex(content.salt))
    try:
        raw = AESGCM(key).decrypt(bytes.fromhex(content.nonce), bytes.fromhex(content.sealed), _associated(public))
    except InvalidTag as error:
        raise SettingsError(f"{path.name} is damaged, or the passphrase is another") from error
    private = Ed25519PrivateKey.from_private_bytes(raw)
    if private.public_key().public_bytes_raw() != public:
        raise SettingsError(f"{path.name} holds two keys that do not belong together")
    return private


def read_public(path: Path) -> bytes:
    """The raw public key (32 bytes), without the passphrase. SettingsError for a missing or damaged file."""
    return bytes.fromhex(_read(path).public)


def read_passphrase(path: Path) -> bytes:
    """The first line of a passphrase file. SettingsError when it is missing or empty."""
    try:
        line = path.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read") from error
    if not line:
        raise SettingsError(f"{path.name} is empty")
    return line


def _derive(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase)


def _associated(public: bytes) -> bytes:
    return _FORMAT.encode() + b"\x00" + public


def _read(path: Path) -> _KeyFile:
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
        lengths = [len(bytes.fromhex(text)) for text in (content.public, content.salt, content.nonce, content.sealed)]
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read") from error
    except ValueError as error:
        raise SettingsError(f"{path.name} is no receipt key") from error
    if content.format != _FORMAT or lengths != [32, 16, 12, 48]:
        raise SettingsError(f"{path.name} is no receipt key that this program knows")
    return content


def _write_new(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Commit point: the link. Before it there is no key, after it the whole key; a name that exists is kept.
        os.link(temporary, path)
    except FileExistsError as error:
        raise SettingsError(f"{path.name} exists already") from error
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
