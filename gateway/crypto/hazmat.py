"""The primitives, each with its algorithm and sizes fixed. Four modules call these: `envelope`, `chunks`, `releases`
and `keys`.

Bulk AEAD comes from `cryptography` (OpenSSL). Nonces are random and keys fresh per sealed thing or bounded in use, so
a (key, nonce) pair never repeats; neither ever comes from content.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gateway.errors import IntegrityError

KEY_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
WRAPPED_SIZE = KEY_SIZE + 8
_SHUT = "sealed bytes do not open"
_HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """AES-256-GCM (NIST SP 800-38D): ciphertext ‖ 16-byte tag."""
    return AESGCM(key).encrypt(nonce, plaintext, associated)


def open_sealed(key: bytes, nonce: bytes, ciphertext: bytes | memoryview, associated: bytes) -> bytes:
    """The inverse of `seal`. Raises IntegrityError for anything that was not sealed so."""
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, associated)
    except (InvalidTag, ValueError) as error:
        raise IntegrityError(_SHUT) from error


class Aead:
    """`open_sealed` under one key, which is set up once: more than half of the time of opening what is small. It takes
    2.5 KB. Never printed."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def open(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """Raises IntegrityError for anything that was not sealed so."""
        try:
            return self._cipher.decrypt(nonce, ciphertext, associated)
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(_SHUT) from error


def wrap(key_encryption_key: bytes, key: bytes) -> bytes:
    """AES key wrap (RFC 3394): 32-byte key -> 40 bytes."""
    return aes_key_wrap(key_encryption_key, key)


def unwrap(key_encryption_key: bytes, wrapped: bytes) -> bytes:
    """The inverse of `wrap`. Raises IntegrityError."""
    try:
        return aes_key_unwrap(key_encryption_key, wrapped)
    except (InvalidUnwrap, ValueError) as error:
        raise IntegrityError("a wrapped key does not open") from error


def derive(key: bytes, label: str) -> bytes:
    """HKDF-Expand with SHA-256 (RFC 5869, section 2.3) from a uniform 32-byte key: one subkey per label."""
    return HKDFExpand(algorithm=SHA256(), length=KEY_SIZE, info=b"consentry/1/" + label.encode()).derive(key)


def hpke_seal(plaintext: bytes, public_key: bytes, info: bytes) -> bytes:
    """HPKE, base mode, single shot (RFC 9180): X25519, HKDF-SHA-256, AES-256-GCM; encapsulated key ‖ ciphertext. Raises
    IntegrityError for what is no public key."""
    try:
        return _HPKE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info=info)
    except ValueError as error:
        raise IntegrityError("not an X25519 public key") from error


def hpke_open(sealed: bytes, private_key: bytes, info: bytes) -> bytes:
    """The inverse of `hpke_seal`. Raises IntegrityError."""
    try:
        return _HPKE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), info=info)
    except (InvalidTag, ValueError) as error:
        raise IntegrityError(_SHUT) from error


def stretch(passphrase: bytes, salt: bytes) -> bytes:
    """scrypt (RFC 7914), n = 2^16, r = 8, p = 1: 64 MiB, about a fifth of a second."""
    return Scrypt(salt=salt, length=KEY_SIZE, n=2**16, r=8, p=1).derive(passphrase)


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104), 32 bytes."""
    return hmac.digest(key, message, "sha256")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def stream_nonce(number: int, *, is_last: bool) -> bytes:
    """Of a chunk in STREAM (Hoang et al. 2015): its counter, and whether it is the last."""
    return bytes(7) + number.to_bytes(4, "big") + (b"\x01" if is_last else b"\x00")


def permute(key: bytes, blocks: bytes) -> bytes:
    """AES-256 on each 16-byte block (FIPS 197): a keyed permutation, for opaque cursors alone, never for data."""
    return Cipher(AES256(key), ECB()).encryptor().update(blocks)  # noqa: S305 - each block alone, no mode


def permute_back(key: bytes, block: bytes) -> bytes:
    return Cipher(AES256(key), ECB()).decryptor().update(block)  # noqa: S305 - one block, no mode
