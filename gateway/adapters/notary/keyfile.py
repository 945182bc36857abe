"""The receipt key at rest: an Ed25519 key in a sealed file, its public half readable without the passphrase."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.adapters import sealed_file
from gateway.adapters.sealed_file import Passphrase
from gateway.errors import SettingsError

KIND = "consentry.receipt-key/1"


def create(path: Path, passphrase: Passphrase) -> bytes:
    """Makes a new key; returns its raw public half (32 bytes). Durable on return. SettingsError if the file exists."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    sealed_file.create(path, kind=KIND, public=public, secret=private.private_bytes_raw(), passphrase=passphrase)
    return public


def open_private(path: Path, passphrase: Passphrase) -> Ed25519PrivateKey:
    """The private key. SettingsError for a missing or damaged file, or another passphrase."""
    public, secret = sealed_file.open_secret(path, kind=KIND, passphrase=passphrase)
    try:
        private = Ed25519PrivateKey.from_private_bytes(secret)
    except ValueError as error:
        raise SettingsError(f"{path.name} holds no receipt key") from error
    if private.public_key().public_bytes_raw() != public:
        raise SettingsError(f"{path.name} holds two keys that do not belong together")
    return private


def read_public(path: Path) -> bytes:
    """The raw public key (32 bytes), without the passphrase. SettingsError for a missing or damaged file."""
    public = sealed_file.read_public(path, kind=KIND)
    if len(public) != 32:
        raise SettingsError(f"{path.name} is no receipt key that this program knows")
    return public
