"""What comes in: octets as they will be sealed, validated, with facts, labels and the place where they go. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway import jsontext
from gateway.consent import policy, studies
from gateway.consent.model import Purpose
from gateway.crypto import envelope
from gateway.crypto.model import LargeFacts, RecordFacts
from gateway.errors import CallerError, ConflictError
from gateway.identity.model import Role
from gateway.ids import ActorId, RecordId, StudyId, SubjectId
from gateway.ports.anchors import AnchorState
from gateway.ports.clock import Entropy
from gateway.ports.rows import RecordRow, Row
from gateway.records import fhir
from gateway.records.facts import ResourceFacts
from gateway.records.large import require_told
from gateway.records.model import Appendix, StoredRecord
from gateway.records.model import StoredVersion as StoredVersion
from gateway.records.naming import joined, names_of
from gateway.records.opening import Found
from gateway.records.rules import UNCLASSIFIED
from gateway.storage.model import Cid, Codec

MOST_LABELS = 32
LONGEST_REASON = 1_000
_UNREAD = frozenset({UNCLASSIFIED})
_PENDING = AnchorState(status="PENDING", proof=None)
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidResource:
    """An R4 resource that passed validation. `octets` is what will be sealed; `at` names it in the input; `names`: what
    references call it."""

    value: dict[str, jsontext.JsonValue] = field(repr=False)
    octets: bytes = field(repr=False)
    facts: ResourceFacts = field(repr=False)
    at: tuple[str, ...]
    names: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedVersion:
    """A version sealed under a permit, not yet stored."""

    record: RecordId
    version: int
    facts: RecordFacts = field(repr=False)
    sealed: envelope.Sealed = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where resources go: new records (`row` None), or the version after `row` of one. Of an upload, `named` is the
    new record's name, `large` what was uploaded, and `rows` go with it. `study`: whose records these are to be,
    `reason` why they are written, `appendix` what becomes durable with them."""

    subject: SubjectId
    row: RecordRow | None
    previous: Found | None
    given: tuple[str, ...] | None
    purpose: Purpose
    expected: int = 0
    named: RecordId | None = None
    large: LargeFacts | None = None
    rows: tuple[Row, ...] = ()
    study: StudyId | None = None
    reason: str = ""
    appendix: Appendix | None = None

    @property
    def of_study(self) -> bytes:
        """As facts have it: empty for none."""
        return self.study or b""

    @property
    def kept(self) -> LargeFacts | None:
        """The large content that the next version has."""
        return self.large if self.previous is None else self.previous.known.facts.large

    @property
    def record(self) -> RecordId | None:
        return None if self.row is None else RecordId(self.row.record)

    @property
    def version(self) -> int:
        return self.expected + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An idempotency key and a request, as tokens that only this actor's key makes."""

    key: bytes
    request: bytes


def write_purpose(roles: frozenset[Role], named: Purpose | None, study: StudyId | None = None) -> Purpose:
    """A write names no purpose but an emergency's: else it is the study's where it is in one, or that of the role's own
    work, so no other purpose can get round a deny. Raises CallerError for any other."""
    if named is not None and study is not None:
        raise CallerError("a write in a study names no purpose", field=("purpose",))
    if study is not None:
        return studies.PURPOSE
    if named is Purpose.ETREAT:
        return named
    if named is not None:
        raise CallerError("a write names ETREAT, for an open emergency, or no purpose", field=("purpose",))
    preferred = (Purpose.TREAT, Purpose.PATRQT, Purpose.CLINTRCH, Purpose.HPAYMT, Purpose.HRESCH, Purpose.HOPERAT)
    claims = frozenset().union(*(policy.CLAIMS[role] for role in roles if role is not Role.AUDITOR))
    if Role.AUDITOR in roles:  # an inspector reads studies; what an auditor writes is of operations
        claims |= {Purpose.HOPERAT}
    return next((purpose for purpose in preferred if purpose in claims), Purpose.TREAT)


def checked_reason(reason: str, study: StudyId | None, *, needed: bool = False) -> str:
    """Why a version of a study's record is written. CallerError naming `reason`; what is written of no study keeps
    none."""
    if study is None and reason:
        raise CallerError("what is of no study is written without a reason", field=("reason",))
    if needed and study is not None and not reason.strip():
        raise CallerError("say why this is changed", field=("reason",))
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise CallerError(f"at most {LONGEST_REASON} printable characters", field=("reason",))
    return reason


def octets_of(value: object, at: tuple[str, ...]) -> bytes:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise CallerError("not a FHIR resource: an object with a resourceType", field=at)
    return jsontext.dumps(value)


def read_resource(value: object, octets: bytes, at: tuple[str, ...], full_url: str | None = None) -> ValidResource:
    try:
        facts = fhir.read_facts(value)  # type: ignore[arg-type]  # a JSON object, checked above
    except CallerError as error:
        raise CallerError(error.message, field=(*at, *error.field)) from error
    names = names_of(facts.resource_type, value.get("id") if isinstance(value, dict) else None, full_url)
    return ValidResource(value=value, octets=octets, facts=facts, at=at, names=names)  # type: ignore[arg-type]  # likewise


def canonical_of(one: ValidResource) -> bytes:
    try:
        return jsontext.canonical(one.value)
    except CallerError as error:
        raise CallerError(error.message, field=(*one.at, *error.field)) from error


def given_labels(labels: Sequence[str] | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if len(labels) > MOST_LABELS or not all(_LABEL.fullmatch(label) for label in labels):
        raise CallerError(f"at most {MOST_LABELS} codes of HL7 sensitivity labels", field=("labels",))
    return tuple(sorted(set(labels)))


def labels_of(one: ValidResource, target: Target, ruled: frozenset[str], *, owner: bool) -> tuple[str, ...]:
    """given ∪ meta.security ∪ rules; an amendment adds. Only the patient removes, and clears `unclassified`."""
    found = ruled | one.facts.security_labels | (_UNREAD if target.kept is not None else frozenset())
    before = None if target.previous is None else frozenset(target.previous.known.facts.labels)
    if owner and target.given is not None:
        return tuple(sorted((found - {UNCLASSIFIED}) | frozenset(target.given)))
    return tuple(sorted(found | frozenset(target.given or ()) | (before or frozenset())))


def draft_facts(
    one: ValidResource,
    target: Target,
    *,
    author: ActorId,
    seen: Seen | None,
    place: tuple[int, int],
    now: int,
    labels: tuple[str, ...],
    entropy: Entropy,
) -> RecordFacts:
    """What a decision will stand on, and what will be sealed. `now`: milliseconds since 1970;
    `place`: which of how many records of one write."""
    before = None if target.previous is None else target.previous.known.facts
    content_salt, octets_salt = entropy.bytes(32), entropy.bytes(32)
    return RecordFacts(
        salt=entropy.bytes(32),
        subject=target.subject,
        author=author,
        recorded_at=now,
        resource_type=one.facts.resource_type,
        contained_types=tuple(sorted(one.facts.contained_types)),
        labels=labels,
        given_labels=target.given if target.given is not None else before.given_labels if before else (),
        codes=one.facts.codes,
        mentioned=one.facts.mentioned,
        period=None if one.facts.period is None else one.facts.period.seconds,
        inline={part.pointer: tuple(sorted(part.labels)) for part in one.facts.parts},
        subject_references=one.facts.subject_references,
        previous=b"" if target.row is None else target.row.digest,
        idempotency=b"" if seen is None else seen.key,
        content_salt=content_salt,
        content_commitment=envelope.commit_content(content_salt, canonical_of(one)),
        octets_salt=octets_salt,
        octets_commitment=envelope.commit_octets(octets_salt, one.octets),
        content_size=len(one.octets),
        request=b"" if seen is None else seen.request,
        place=place[0],
        of=place[1],
        names=joined(one.names, () if before is None else before.names),
        large=target.kept,
        study=target.of_study,
        reason=target.reason,
    )


def require_kept(target: Target, valid: Sequence[ValidResource]) -> None:
    """To be asked after the decision: to anyone else these answers would tell what the record is."""
    for one in valid:
        require_told(one.value, target.kept, one.at)
    if target.previous is None:
        return
    before = target.previous.known.facts
    for one in valid:
        if before.resource_type != one.facts.resource_type:
            raise CallerError("an amendment keeps the type", field=(*one.at, "resourceType"))
        if before.subject_references != one.facts.subject_references:
            raise CallerError("an amendment keeps the subject", field=(*one.at, "subject"))


def require_version(target: Target) -> None:
    if target.row is not None and target.row.version != target.expected:
        raise ConflictError(f"the record is at version {target.row.version}", field=("expectedVersion",))


def acknowledged(one: StoredVersion) -> StoredRecord:
    """What the author gets back."""
    codec = Codec.DAG_PB if one.row.tree else Codec.RAW
    cid = str(Cid.from_digest(one.row.digest, codec=codec))
    return StoredRecord(record=RecordId(one.row.record), version=one.row.version, cid=cid, anchor=_PENDING)
