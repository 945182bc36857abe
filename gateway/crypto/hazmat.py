"""The primitives, each with its algorithm and sizes fixed. Three modules call these: `envelope`, `chunks` and `keys`.

Bulk AEAD comes from `cryptography` (OpenSSL). Nonces are random and keys fresh per sealed thing or bounded in use, so
a (key, nonce) pair never repeats; neither ever comes from content.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
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


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """AES-256-GCM (NIST SP 800-38D): ciphertext ‖ 16-byte tag."""
    return AESGCM(key).encrypt(nonce, plaintext, associated)


def open_sealed(key: bytes, nonce: bytes, ciphertext: bytes | memoryview, associated: bytes) -> bytes:
    """The inverse of `seal`. Raises IntegrityError for anything that was not sealed so."""
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, associated)
    except (InvalidTag, ValueError) as error:
        raise IntegrityError("sealed bytes do not open") from error


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


def stretch(passphrase: bytes, salt: bytes) -> bytes:
    """scrypt (RFC 7914), n = 2^16, r = 8, p = 1: 64 MiB, about a fifth of a second."""
    return Scrypt(salt=salt, length=KEY_SIZE, n=2**16, r=8, p=1).derive(passphrase)


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104), 32 bytes."""
    return hmac.digest(key, message, "sha256")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def permute(key: bytes, blocks: bytes) -> bytes:
    """AES-256 on each 16-byte block (FIPS 197): a keyed permutation, for opaque cursors alone, never for data."""
    return Cipher(AES256(key), ECB()).encryptor().update(blocks)  # noqa: S305 - each block alone, no mode


def permute_back(key: bytes, block: bytes) -> bytes:
    return Cipher(AES256(key), ECB()).decryptor().update(block)  # noqa: S305 - one block, no mode
