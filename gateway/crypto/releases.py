"""A release of data, sealed to one researcher: it opens with their key and with the gateway's half, and with neither
alone.

A file's key is HKDF-SHA-256 of the release's secret and the gateway's half, for the release, the recipient and the
file's name. The secret is random and goes to the researcher by HPKE (RFC 9180, base mode: X25519, HKDF-SHA-256,
AES-256-GCM), whose `info` names release, recipient, their key and the manifest: another manifest opens nothing. The
half comes from the release's key domain; once that is destroyed, what lies on IPFS is noise, whoever kept what.

A sealed file is magic 8 ‖ salt 16, then chunks of 1 MiB and a tag, each by AES-256-GCM with its number and whether it
is the last one in the nonce (STREAM, Hoang et al. 2015). The salt is new for each sealing, so a build that begins anew
never repeats a nonce under a key.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.crypto import hazmat
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import DomainKind
from gateway.errors import IntegrityError
from gateway.ports.clock import Entropy

MAGIC: Final = b"CSNTRY\x03\x01"
SEGMENT_MAGIC: Final = b"CSNTRY\x04\x01"
SALT_SIZE: Final = 16
CHUNK_SIZE: Final = 1 << 20
SEALED_SIZE: Final = CHUNK_SIZE + hazmat.TAG_SIZE
HEAD_SIZE: Final = len(MAGIC) + SALT_SIZE
SECRET_SIZE: Final = hazmat.KEY_SIZE
LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What a release is sealed to. `release` 16 octets, `recipient` an actor's 32, `encryption_key` their X25519."""

    release: bytes
    recipient: bytes
    encryption_key: bytes

    def __post_init__(self) -> None:
        if (len(self.release), len(self.recipient), len(self.encryption_key)) != (16, 32, 32):
            raise IntegrityError("a release, its recipient and their key have 16, 32 and 32 octets")

    @property
    def octets(self) -> bytes:
        return b"consentry/release/1" + self.release + self.recipient + self.encryption_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseKeys:
    """Of one release's domain, the same whatever the version of its key. `half`: the gateway's part of each file's key,
    handed out with a download; `pseudonyms` and `shifts`: for de-identification, and nobody else's; `segments`: for
    what is gathered."""

    half: bytes = field(repr=False)
    pseudonyms: bytes = field(repr=False)
    shifts: bytes = field(repr=False)
    segments: bytes = field(repr=False)

    @classmethod
    def of(cls, key: DomainKey) -> "ReleaseKeys":
        """IntegrityError for the key of another domain."""
        if key.domain.kind != DomainKind.RELEASE.value:
            raise IntegrityError("this key is no release's")
        return cls(
            half=hazmat.derive(key.search, "release/half"),
            pseudonyms=hazmat.derive(key.search, "release/pseudonyms"),
            shifts=hazmat.derive(key.search, "release/shifts"),
            segments=hazmat.derive(key.search, "release/segments"),
        )

    def seal_person(self, octets: bytes, subject: DomainKey, *, release: bytes, entropy: Entropy) -> bytes:
        """nonce 12 ‖ AES-256-GCM, under a key that needs the patient's own: an erasure shreds it."""
        nonce = entropy.bytes(hazmat.NONCE_SIZE)
        key = self._person_key(subject, release)
        return nonce + hazmat.seal(key, nonce, octets, _named(release, subject.domain.name.hex()))

    def open_person(self, sealed: bytes, subject: DomainKey, *, release: bytes) -> bytes:
        """Raises IntegrityError."""
        nonce, rest = sealed[: hazmat.NONCE_SIZE], sealed[hazmat.NONCE_SIZE :]
        key = self._person_key(subject, release)
        return hazmat.open_sealed(key, nonce, rest, _named(release, subject.domain.name.hex()))

    def _person_key(self, subject: DomainKey, release: bytes) -> bytes:
        return hazmat.derive(hazmat.mac(self.segments, subject.token(b"release", release)), "release/person")

    def seal_segment(self, octets: bytes, *, release: bytes, name: str, entropy: Entropy) -> bytes:
        """magic 8 ‖ nonce 12 ‖ AES-256-GCM, bound to the release and the segment's name."""
        nonce = entropy.bytes(hazmat.NONCE_SIZE)
        return SEGMENT_MAGIC + nonce + hazmat.seal(self.segments, nonce, octets, _named(release, name))

    def open_segment(self, sealed: bytes, *, release: bytes, name: str) -> bytes:
        """Raises IntegrityError."""
        if sealed[: len(SEGMENT_MAGIC)] != SEGMENT_MAGIC:
            raise IntegrityError("not a segment of a release")
        nonce = sealed[len(SEGMENT_MAGIC) : len(SEGMENT_MAGIC) + hazmat.NONCE_SIZE]
        rest = sealed[len(SEGMENT_MAGIC) + hazmat.NONCE_SIZE :]
        return hazmat.open_sealed(self.segments, nonce, rest, _named(release, name))


def is_piece(head: bytes) -> bool:
    """Whether a block that begins so is a sealed file, or a segment, of some release."""
    return head[: len(MAGIC)] in (MAGIC, SEGMENT_MAGIC)


def wrap_secret(secret: bytes, binding: Binding, *, manifest: bytes) -> bytes:
    """encapsulated key 32 ‖ ciphertext 48. `manifest`: its SHA-256."""
    return hazmat.hpke_seal(secret, binding.encryption_key, binding.octets + manifest)


def open_secret(wrapped: bytes, private_key: bytes, binding: Binding, *, manifest: bytes) -> bytes:
    """What a researcher does. IntegrityError for another key, release, recipient or manifest."""
    return hazmat.hpke_open(wrapped, private_key, binding.octets + manifest)


def seal_file(
    parts: Iterable[bytes], binding: Binding, *, name: str, secret: bytes, half: bytes, entropy: Entropy
) -> Iterator[bytes]:
    """The octets of a sealed file, as they come; in memory is one chunk."""
    sealing = FileSealing(binding, name=name, secret=secret, half=half, entropy=entropy)
    for part in parts:
        yield sealing.add(part)
    yield sealing.end()


class FileSealing:
    """A file that is sealed as it is written: `add` any number of times, then `end`, each with the octets so far."""

    def __init__(self, binding: Binding, *, name: str, secret: bytes, half: bytes, entropy: Entropy) -> None:
        salt = entropy.bytes(SALT_SIZE)
        self._key, self._associated = _file_key(binding, name, secret, half, salt), _associated(binding, name)
        self._ready, self._waiting, self._number = bytearray(MAGIC + salt), bytearray(), 0

    def add(self, part: bytes) -> bytes:
        self._waiting += part
        while len(self._waiting) > CHUNK_SIZE:
            self._seal(bytes(self._waiting[:CHUNK_SIZE]), is_last=False)
            del self._waiting[:CHUNK_SIZE]
        return self._taken()

    def end(self) -> bytes:
        self._seal(bytes(self._waiting), is_last=True)
        return self._taken()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        nonce = hazmat.stream_nonce(self._number, is_last=is_last)
        self._ready += hazmat.seal(self._key, nonce, chunk, self._associated)
        self._number += 1

    def _taken(self) -> bytes:
        taken = bytes(self._ready)
        self._ready.clear()
        return taken


def open_file(sealed: Iterable[bytes], binding: Binding, *, name: str, secret: bytes, half: bytes) -> Iterator[bytes]:
    """The file's octets, each chunk verified before it is given. IntegrityError for what was changed, cut off, put in
    another's place, or is not this recipient's: what was given before that is right, and not all of it."""
    waiting, number, key = bytearray(), 0, b""
    associated = _associated(binding, name)
    for part in sealed:
        waiting += part
        if not key and len(waiting) >= HEAD_SIZE:
            if waiting[: len(MAGIC)] != MAGIC:
                raise IntegrityError("not a sealed file of a release")
            key = _file_key(binding, name, secret, half, bytes(waiting[len(MAGIC) : HEAD_SIZE]))
            del waiting[:HEAD_SIZE]
        while key and len(waiting) > SEALED_SIZE:
            chunk = bytes(waiting[:SEALED_SIZE])
            del waiting[:SEALED_SIZE]
            yield hazmat.open_sealed(key, hazmat.stream_nonce(number, is_last=False), chunk, associated)
            number += 1
    if not key:
        raise IntegrityError("a sealed file ends before it begins")
    yield hazmat.open_sealed(key, hazmat.stream_nonce(number, is_last=True), bytes(waiting), associated)


def _file_key(binding: Binding, name: str, secret: bytes, half: bytes, salt: bytes) -> bytes:
    if len(secret) != SECRET_SIZE or len(half) != SECRET_SIZE or not 0 < len(name) <= LONGEST_NAME:
        raise IntegrityError("a file's key is made of two secrets of 32 octets, and a name")
    joined = hazmat.mac(binding.octets + salt, secret + half)  # HKDF-Extract (RFC 5869, section 2.2)
    return hazmat.derive(joined, "release/file/" + name)


def _associated(binding: Binding, name: str) -> bytes:
    return MAGIC + binding.octets + name.encode()


def _named(release: bytes, name: str) -> bytes:
    return SEGMENT_MAGIC + release + name.encode()
