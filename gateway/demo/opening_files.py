"""Sealed files of a dataset, opened as their recipient opens them: with their own key and the gateway's half.

True here: nothing of the gateway's cryptography is used, and another library than its own, so a fault of one is not
hidden by the same fault of the other. What is opened was verified before it is given; a file that is cut short, put in
another's place or sealed to somebody else is a StepFailedError.
Source: RFC 9180 (HPKE), RFC 5869 (HKDF), NIST SP 800-38D (GCM), STREAM (Hoang et al. 2015); the layout is written down
in `gateway/crypto/releases.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol import HPKE
from Crypto.Protocol.KDF import HKDF
from Crypto.PublicKey import ECC

from gateway.demo.model import StepFailedError

MAGIC = b"CSNTRY\x03\x01"
SALT_SIZE = 16
HEAD_SIZE = len(MAGIC) + SALT_SIZE
TAG_SIZE = 16
SEALED_SIZE = (1 << 20) + TAG_SIZE
"""Of every chunk but the last, which is no longer."""
KEY_SIZE = 32
_WRAPPED_SIZE = 32 + KEY_SIZE + TAG_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """To what and whom files are sealed: `release` 16 octets, `recipient` (an actor) and `encryption_key` 32."""

    release: bytes
    recipient: bytes
    encryption_key: bytes

    @property
    def octets(self) -> bytes:
        return b"consentry/release/1" + self.release + self.recipient + self.encryption_key


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKeys:
    """Both halves of every file's key: the recipient's secret, and what the gateway gives with each opening."""

    address: Address
    secret: bytes = field(repr=False)
    half: bytes = field(repr=False)


class EncryptionKey:
    """An X25519 key of one's own. Its private half never leaves this object."""

    __slots__ = ("_key",)

    def __init__(self, key: ECC.EccKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> "EncryptionKey":
        return cls(ECC.generate(curve="Curve25519"))

    @property
    def public(self) -> bytes:
        """32 octets (RFC 7748)."""
        return bytes(self._key.public_key().export_key(format="raw"))

    def open_secret(self, wrapped: bytes, address: Address, *, manifest: bytes) -> bytes:
        """The recipient's half. `wrapped`: encapsulated key 32, ciphertext 48; `manifest`: its SHA-256."""
        try:
            if len(wrapped) != _WRAPPED_SIZE:
                raise ValueError("another length")
            context = HPKE.new(
                receiver_key=self._key,
                aead_id=HPKE.AEAD.AES256_GCM,
                enc=wrapped[:32],
                info=address.octets + manifest,
            )
            return bytes(context.unseal(wrapped[32:]))
        except ValueError as error:
            raise StepFailedError("the wrapped key does not open with our own, for this manifest") from error


def open_file(sealed: Iterable[bytes], keys: FileKeys, *, name: str) -> Iterator[bytes]:
    """The file's octets, a chunk at a time. What was given before a StepFailedError is right, and not all of it."""
    waiting, number, key = bytearray(), 0, b""
    for part in sealed:
        waiting += part
        if not key and len(waiting) >= HEAD_SIZE:
            key = _file_key(keys, name, bytes(waiting[:HEAD_SIZE]))
            del waiting[:HEAD_SIZE]
        while key and len(waiting) > SEALED_SIZE:
            yield _open(key, number, waiting[:SEALED_SIZE], keys, name, is_last=False)
            del waiting[:SEALED_SIZE]
            number += 1
    if not key:
        raise StepFailedError("a sealed file ends before it begins")
    yield _open(key, number, waiting, keys, name, is_last=True)


def _file_key(keys: FileKeys, name: str, head: bytes) -> bytes:
    if head[: len(MAGIC)] != MAGIC:
        raise StepFailedError("what was downloaded is no sealed file of a dataset")
    derived = HKDF(
        keys.secret + keys.half,
        KEY_SIZE,
        salt=keys.address.octets + head[len(MAGIC) :],
        hashmod=SHA256,
        context=b"consentry/1/release/file/" + name.encode(),
    )
    if not isinstance(derived, bytes):
        raise AssertionError("one key was asked for")
    return derived


def _open(key: bytes, number: int, chunk: bytes | bytearray, keys: FileKeys, name: str, *, is_last: bool) -> bytes:
    nonce = bytes(7) + number.to_bytes(4, "big") + bytes([is_last])
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_SIZE)
    cipher.update(MAGIC + keys.address.octets + name.encode())
    try:
        return cipher.decrypt_and_verify(bytes(chunk[:-TAG_SIZE]), bytes(chunk[-TAG_SIZE:]))
    except ValueError as error:
        raise StepFailedError(f"chunk {number} of a sealed file does not open") from error
