"""The block: magic ‖ locator ‖ wrapped data key ‖ sealed facts ‖ sealed content, a power of two of at least 4 KiB.

Content opens for a `Permit` and for nothing else; facts open for the decision; the locator for whoever walks pins.
Layout, in octets: magic 8 (`CSNTRY`, format 1, algorithm 1); locator 76 (nonce 12, sealed 48, tag 16); wrapped key 40;
facts nonce 12 and ciphertext; content nonce 12 and ciphertext. Sealed lengths stand in the sealed locator and inside
the plaintexts, and padding is inside the seal, so a block's size tells its power of two and nothing finer.
"""

import struct
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from gateway.consent.model import Action, Basis, Permit
from gateway.consent.studies import name_of
from gateway.crypto import hazmat
from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import Facts, KeyId, RecordFacts, record_domain
from gateway.crypto.unlocked import LENGTH, Unlocked, open_unlocked
from gateway.errors import IntegrityError
from gateway.ids import RecordId
from gateway.ports.clock import Entropy

MAGIC = b"CSNTRY\x01\x01"
SMALLEST = 4096
LARGEST = 32 * 1024 * 1024
_LOCATOR = struct.Struct(">16sI16sIQ")
LOCATOR_SIZE = hazmat.NONCE_SIZE + _LOCATOR.size + hazmat.TAG_SIZE
"""Octets of a sealed locator, as manifests have it."""
_FACTS_AT = len(MAGIC) + LOCATOR_SIZE + hazmat.WRAPPED_SIZE
_FACTS_STEP = 128
F = TypeVar("F", bound=Facts, covariant=True)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Facts).decode


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """A block whose locator opened: which record and version it claims to be, under which key."""

    block: bytes
    record: RecordId
    version: int
    key_id: KeyId
    facts_size: int
    content_size: int

    def __repr__(self) -> str:
        return f"Located(record={self.record.hex()}, version={self.version})"

    def of(self, block: bytes) -> "Located":
        """The same of a block with the same digest, whose locator need not be opened once more."""
        return Located(
            block=block,
            record=self.record,
            version=self.version,
            key_id=self.key_id,
            facts_size=self.facts_size,
            content_size=self.content_size,
        )

    @property
    def facts_sealed(self) -> bytes:
        return self.block[_FACTS_AT : _FACTS_AT + self.facts_size]

    @property
    def locator(self) -> bytes:
        """The sealed locator, as manifests have it."""
        return self.block[len(MAGIC) : len(MAGIC) + LOCATOR_SIZE]


class Opened(msgspec.Struct, Generic[F], frozen=True, kw_only=True):
    """A located block whose facts opened under its domain's facts key."""

    located: Located
    facts: F
    commitment: bytes


def commit_facts(encoded: bytes) -> bytes:
    """sha-256(0x03 ‖ facts octets); the octets hold 32 random bytes."""
    return hazmat.sha256(b"\x03" + encoded)


def commit_content(salt: bytes, canonical: bytes) -> bytes:
    """sha-256(0x01 ‖ 32-byte salt ‖ RFC 8785 form)."""
    return hazmat.sha256(b"\x01" + salt + canonical)


def commit_octets(salt: bytes, octets: bytes) -> bytes:
    """sha-256(0x02 ‖ 32-byte salt ‖ octets as received)."""
    return hazmat.sha256(b"\x02" + salt + octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A block ready to be stored, with the commitment of its facts and its locator as anchored in manifests."""

    block: bytes = field(repr=False)
    facts_commitment: bytes
    locator: bytes


def seal_record(
    permit: Permit,
    *,
    facts: RecordFacts,
    content: bytes,
    record: RecordId,
    version: int,
    key: DomainKey,
    log: DomainKey,
    entropy: Entropy,
) -> Sealed:
    """Seals one version under a WRITE permit for its subject. Raises IntegrityError for a permit that is not it."""
    if permit.action is not Action.WRITE or permit.subject != facts.subject or permit.record not in (None, record):
        raise IntegrityError("this permit does not write this record")
    if name_of(permit.study) != facts.study:
        raise IntegrityError("this permit does not write in this study")
    if key.domain != record_domain(facts.subject, facts.study):
        raise IntegrityError("this key is not the subject's")
    return _seal(facts, content, record=record, version=version, key=key, log=log, entropy=entropy)


def seal_document(facts: Facts, *, name: RecordId, key: DomainKey, log: DomainKey, entropy: Entropy) -> Sealed:
    """Seals what a decision itself needs (signed consents, profiles): all of it facts, no content."""
    return _seal(facts, b"", record=name, version=0, key=key, log=log, entropy=entropy)


def _seal(
    facts: Facts, content: bytes, *, record: RecordId, version: int, key: DomainKey, log: DomainKey, entropy: Entropy
) -> Sealed:
    encoded = _encode(facts)
    facts_plain = LENGTH.pack(len(encoded)) + encoded
    facts_plain += bytes(-len(facts_plain) % _FACTS_STEP)
    facts_size = hazmat.NONCE_SIZE + len(facts_plain) + hazmat.TAG_SIZE
    fixed = _FACTS_AT + facts_size + hazmat.NONCE_SIZE + hazmat.TAG_SIZE
    total = max(SMALLEST, 1 << (fixed + LENGTH.size + len(content) - 1).bit_length())
    if total > LARGEST:
        raise IntegrityError("content is larger than one block may be")
    content_plain = LENGTH.pack(len(content)) + content
    content_plain += bytes(total - fixed - len(content_plain))

    located = _LOCATOR.pack(record, version, key.id, facts_size, total - fixed + hazmat.TAG_SIZE)
    locator_nonce = entropy.bytes(hazmat.NONCE_SIZE)
    locator = locator_nonce + hazmat.seal(log.locating, locator_nonce, located, MAGIC)
    facts_nonce = entropy.bytes(hazmat.NONCE_SIZE)
    associated = _associated(record, version, key)
    facts_sealed = facts_nonce + hazmat.seal(key.facts, facts_nonce, facts_plain, associated)
    data_key = entropy.bytes(hazmat.KEY_SIZE)
    nonce = entropy.bytes(hazmat.NONCE_SIZE)
    content_sealed = hazmat.seal(data_key, nonce, content_plain, associated + hazmat.sha256(facts_sealed))
    block = b"".join((MAGIC, locator, hazmat.wrap(key.wrapping, data_key), facts_sealed, nonce, content_sealed))
    return Sealed(block=block, facts_commitment=commit_facts(encoded), locator=locator)


def locate(block: bytes, log: DomainKey) -> Located:
    """Opens a block's locator under the gateway's log key. Raises IntegrityError."""
    if block[: len(MAGIC)] != MAGIC or len(block) < SMALLEST:
        raise IntegrityError("not a block of this format")
    start = len(MAGIC)
    nonce = block[start : start + hazmat.NONCE_SIZE]
    plain = log.open_locator(nonce, block[start + hazmat.NONCE_SIZE : start + LOCATOR_SIZE], MAGIC)
    record, version, key_id, facts_size, content_size = _LOCATOR.unpack(plain)
    if len(block) != _FACTS_AT + facts_size + hazmat.NONCE_SIZE + content_size:
        raise IntegrityError("a block's parts do not fill it")
    return Located(
        block=block,
        record=RecordId(record),
        version=version,
        key_id=KeyId(key_id),
        facts_size=facts_size,
        content_size=content_size,
    )


async def locate_in(block: bytes, ring: KeyRing) -> Located:
    """`locate` under the log key as it stands now: another process may just have given it a new version."""
    try:
        return locate(block, ring.log)
    except IntegrityError:
        if not await ring.refresh():
            raise
        return locate(block, ring.log)


def key_named_by(locator: bytes, log: DomainKey) -> KeyId:
    """The key that a locator names, for a block that is not there. Raises IntegrityError."""
    plain = log.open_locator(locator[: hazmat.NONCE_SIZE], locator[hazmat.NONCE_SIZE :], MAGIC)
    if len(plain) != _LOCATOR.size:
        raise IntegrityError("not a locator of this format")
    return KeyId(_LOCATOR.unpack(plain)[2])


class FactsOpener:
    """Opens facts under one domain's key, for the decision engine: for who opens many."""

    __slots__ = ("_aead", "_key")

    def __init__(self, key: DomainKey) -> None:
        self._key = key
        self._aead = hazmat.Aead(key.facts)

    def is_of(self, key: DomainKey) -> bool:
        return self._key is key

    def open(self, located: Located) -> Opened[Facts]:
        """Raises IntegrityError."""
        key = self._key
        if key.id != located.key_id:
            raise IntegrityError("the block names another key")
        sealed = located.facts_sealed
        nonce, ciphertext = sealed[: hazmat.NONCE_SIZE], sealed[hazmat.NONCE_SIZE :]
        plain = self._aead.open(nonce, ciphertext, _associated(located.record, located.version, key))
        (size,) = LENGTH.unpack_from(plain)
        encoded = plain[LENGTH.size : LENGTH.size + size]
        try:
            facts = _decode(encoded)
        except msgspec.DecodeError as error:
            raise IntegrityError("sealed facts are not of this format") from error
        return Opened(located=located, facts=facts, commitment=commit_facts(encoded))


def open_facts(located: Located, key: DomainKey) -> Opened[Facts]:
    """For the decision engine. Raises IntegrityError."""
    return FactsOpener(key).open(located)


def is_whole(located: Located, key: DomainKey) -> bool:
    """Whether the content is what was sealed with these facts. Tells that alone: nothing of the content leaves here."""
    at = _FACTS_AT + located.facts_size
    associated = _associated(located.record, located.version, key) + hazmat.sha256(located.facts_sealed)
    nonce = located.block[at : at + hazmat.NONCE_SIZE]
    try:
        data_key = hazmat.unwrap(key.wrapping, located.block[_FACTS_AT - hazmat.WRAPPED_SIZE : _FACTS_AT])
        hazmat.open_sealed(data_key, nonce, located.block[at + hazmat.NONCE_SIZE :], associated)
    except IntegrityError:
        return False
    return True


def open_content(permit: Permit, opened: Opened[RecordFacts], key: DomainKey, *, now: float) -> bytes:
    """The one way to a record's plaintext. Raises IntegrityError for a permit of another record, or an expired one."""
    return open_unlocked(unlock(permit, opened, key, now=now))


def unlock(permit: Permit, opened: Opened[RecordFacts], key: DomainKey, *, now: float) -> Unlocked:
    """`open_content` up to the record's own data key, for whoever opens it elsewhere. Raises as that does."""
    facts, located = opened.facts, opened.located
    if permit.action is not Action.READ or permit.record != located.record or permit.subject != facts.subject:
        raise IntegrityError("this permit does not open this record")
    if not permit.decided_at <= now < permit.expires:
        raise IntegrityError("this permit has expired, or the clock was set back")
    if name_of(permit.study) != facts.study and permit.basis is not Basis.OWN:
        raise IntegrityError("this permit does not open what is of this study")
    if key.domain != record_domain(permit.subject, facts.study):
        raise IntegrityError("this key is not the subject's")
    at = _FACTS_AT + located.facts_size
    return Unlocked(
        hazmat.unwrap(key.wrapping, located.block[_FACTS_AT - hazmat.WRAPPED_SIZE : _FACTS_AT]),
        located.block[at:],
        _associated(located.record, located.version, key) + hazmat.sha256(located.facts_sealed),
        facts.content_size,
    )


def _associated(record: bytes, version: int, key: DomainKey) -> bytes:
    return MAGIC + record + version.to_bytes(4, "big") + key.domain.name + key.id
