"""What is sealed, and under whose key.

Facts are msgpack arrays (`msgspec`, `array_like`): fields are only ever added at the end, and a reader of an older
block sees their defaults. Each carries 32 random bytes, so its commitment cannot be guessed.
"""

from collections.abc import Container, Iterable
from enum import Enum
from typing import Final, NewType

import msgspec

KeyId = NewType("KeyId", bytes)
"""16 random bytes: names one version of a domain's key, in blocks and in the key store."""


class DomainKind(Enum):
    """Whose key it is. The value is stored; what destroys it is in ARCHITECTURE, key domains."""

    SUBJECT = 1
    AUDIT = 2
    ACTOR = 3
    LOG = 4
    STUDY = 5
    RELEASE = 6


class Domain(msgspec.Struct, frozen=True, array_like=True):
    """`name`: the subject, the actor, subject and study (64 bytes), the release (16), or 32 zero bytes for
    the gateway's log."""

    kind: int
    name: bytes


_SUBJECT: Final = DomainKind.SUBJECT.value


def subject_domain(subject: bytes) -> Domain:
    return Domain(_SUBJECT, subject)


def audit_domain(subject: bytes) -> Domain:
    return Domain(DomainKind.AUDIT.value, subject)


def actor_domain(actor: bytes) -> Domain:
    return Domain(DomainKind.ACTOR.value, actor)


def study_domain(subject: bytes, study: bytes) -> Domain:
    """A subject in one study: apart from the subject's own records, so that signed terms can keep it when they go."""
    return Domain(DomainKind.STUDY.value, subject + study)


def record_domain(subject: bytes, study: bytes) -> Domain:
    """Whose key seals a record, as its facts say: the subject's, or the subject's in the study that they name."""
    return study_domain(subject, study) if study else subject_domain(subject)


def release_domain(release: bytes) -> Domain:
    """A release of data: its end destroys the key, and with it what was sealed."""
    return Domain(DomainKind.RELEASE.value, release)


def domains_of(subject: bytes, domains: Iterable[Domain], *, kept: Container[Domain] = ()) -> tuple[Domain, ...]:
    """What an erasure destroys of the domains that have keys: the subject's own, and each study's that is not kept.
    The audit's is not among them: who looked stays known."""
    studies = [domain for domain in domains if domain.kind == DomainKind.STUDY.value and domain.name[:32] == subject]
    return (subject_domain(subject), *(domain for domain in studies if domain not in kept))


LOG_DOMAIN = Domain(DomainKind.LOG.value, bytes(32))


class LargeFacts(msgspec.Struct, frozen=True, array_like=True):
    """Where a record's large content lies: `root` binary CID of the tree of sealed chunks; `size` octets; `key_id` and
    `wrapped` its data key under the subject's key; `salt` and `commitment` of its plaintext (`chunktree`)."""

    root: bytes
    size: int
    key_id: bytes
    wrapped: bytes
    salt: bytes
    commitment: bytes


class RecordFacts(msgspec.Struct, frozen=True, array_like=True, tag="record"):
    """What a decision needs of one version of a record.

    `recorded_at` milliseconds since 1970; `codes` what it is about, `mentioned` every
    coding in it; `period` (start, end) seconds since 1970; `inline` labels by JSON pointer;
    `previous` digest of the version before, or empty; `content_commitment` sha-256(0x01 ‖ content_salt ‖ RFC 8785),
    `octets_commitment` sha-256(0x02 ‖ octets_salt ‖ octets); `author_signature` over the content commitment, or empty;
    `request` keyed digest of what was asked under the idempotency key; `place` among the `of` records of one write;
    `names` by which other resources refer to it; `large` where the content is more than the resource; `study` whose
    record it is, 32 bytes, or empty, and `reason` why the version was written (21 CFR 11.10(e)).
    """

    salt: bytes
    subject: bytes
    author: bytes
    recorded_at: int
    resource_type: str
    contained_types: tuple[str, ...]
    labels: tuple[str, ...]
    given_labels: tuple[str, ...]
    codes: tuple[str, ...]
    mentioned: tuple[str, ...]
    period: tuple[float, float] | None
    inline: dict[str, tuple[str, ...]]
    subject_references: tuple[str, ...]
    previous: bytes
    idempotency: bytes
    content_salt: bytes
    content_commitment: bytes
    octets_salt: bytes
    octets_commitment: bytes
    content_size: int
    author_signature: bytes = b""
    request: bytes = b""
    place: int = 0
    of: int = 1
    names: tuple[str, ...] = ()
    large: LargeFacts | None = None
    study: bytes = b""
    reason: str = ""


class ConsentFacts(msgspec.Struct, frozen=True, array_like=True, tag="consent"):
    """A signed consent, revocation or revocation of all: the typed data as RFC 8785 text, and its signature."""

    salt: bytes
    subject: bytes
    typed_data: bytes
    signature: bytes


class ProfileFacts(msgspec.Struct, frozen=True, array_like=True, tag="profile"):
    """An actor's name for display, with the key that signed for its encryption key."""

    salt: bytes
    actor: bytes
    name: str
    encryption_key: bytes
    encryption_key_signature: bytes


class LifeFacts(msgspec.Struct, frozen=True, array_like=True):
    """A life of a notary: `instance` it wrote for, hash of the entry before its first, seconds since 1970."""

    writer: bytes
    instance: bytes
    previous: bytes
    started_at: int


class PlacedEntry(msgspec.Struct, frozen=True, array_like=True):
    """An audit entry as it lies in the index (`gateway.ports.rows.StoredEntry`), and the number of its row."""

    row: int
    writer: bytes
    seq: int
    decision: bytes
    previous: bytes
    hash: bytes
    public: bytes
    private: bytes
    subject_token: bytes
    receipt_digest: bytes


class SegmentFacts(msgspec.Struct, frozen=True, array_like=True, tag="segment"):
    """The entries of one audit batch of `log`, and the lives that wrote them."""

    salt: bytes
    log: bytes
    lives: tuple[LifeFacts, ...]
    entries: tuple[PlacedEntry, ...]


class StatementFacts(msgspec.Struct, frozen=True, array_like=True, tag="statement"):
    """What was stated about an emergency access to a subject (opening, end, review), under the subject's audit key."""

    salt: bytes
    subject: bytes
    octets: bytes


class PaperFacts(msgspec.Struct, frozen=True, array_like=True, tag="paper"):
    """What a subject's hash stands for (`gateway.ports.documents.Paper`), under the subject's key."""

    salt: bytes
    subject: bytes
    kind: str
    name: bytes
    octets: bytes


class FormFacts(msgspec.Struct, frozen=True, array_like=True, tag="form"):
    """A version of a consent form (`gateway.consent.forms`), under its publisher's key."""

    salt: bytes
    publisher: bytes
    octets: bytes


class ReleaseFacts(msgspec.Struct, frozen=True, array_like=True, tag="release"):
    """A paper of a release (`gateway.releases.papers`), under the key of who asked for it."""

    salt: bytes
    release: bytes
    requester: bytes
    number: int
    kind: int
    octets: bytes


class StudyFacts(msgspec.Struct, frozen=True, array_like=True, tag="study"):
    """An entry of a study's journal (`gateway.trials.journal`): under the key of `subject` in that study, or, where
    that is empty, under the sponsor's. `previous`: SHA-256 of the entry before, zeros: none; `standing`: number of the
    newest entry before that changed how the study stands, -1: none."""

    salt: bytes
    study: bytes
    sponsor: bytes
    subject: bytes
    number: int
    kind: int
    octets: bytes
    previous: bytes
    standing: int = -1


def study_entry_domain(facts: StudyFacts) -> Domain:
    """Whose key seals an entry: an erasure of the subject shreds it, and leaves those about nobody."""
    return study_domain(facts.subject, facts.study) if facts.subject else actor_domain(facts.sponsor)


Facts = (
    RecordFacts
    | ConsentFacts
    | ProfileFacts
    | StatementFacts
    | SegmentFacts
    | PaperFacts
    | FormFacts
    | ReleaseFacts
    | StudyFacts
)
