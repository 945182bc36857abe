"""What comes in: octets as they will be sealed, validated, with facts, labels and the place where they go. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway import jsontext
from gateway.consent import policy
from gateway.consent.model import Purpose
from gateway.crypto import envelope
from gateway.crypto.model import RecordFacts
from gateway.errors import CallerError
from gateway.identity.model import Role
from gateway.ids import RecordId, SubjectId
from gateway.ports.rows import RecordRow, TicketRow
from gateway.records import fhir
from gateway.records.facts import ResourceFacts
from gateway.records.opening import Found
from gateway.records.rules import UNCLASSIFIED

MOST_LABELS = 32
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidResource:
    """An R4 resource that passed validation. `octets` is what will be sealed; `at` names it in the input."""

    value: dict[str, jsontext.JsonValue] = field(repr=False)
    octets: bytes = field(repr=False)
    facts: ResourceFacts = field(repr=False)
    at: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedVersion:
    """A version sealed under a permit, not yet stored."""

    record: RecordId
    version: int
    facts: RecordFacts = field(repr=False)
    sealed: envelope.Sealed = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A version whose block is durable on IPFS, with the rows that will acknowledge it."""

    row: RecordRow
    ticket: TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where resources go: new records (`row` None), or the version after `row` of one."""

    subject: SubjectId
    row: RecordRow | None
    previous: Found | None
    given: tuple[str, ...] | None
    expected: int = 0

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


def write_purpose(roles: frozenset[Role]) -> Purpose:
    """A write names no purpose: it is that of the role's own work, so no other purpose can get round a deny."""
    preferred = (Purpose.TREAT, Purpose.PATRQT, Purpose.CLINTRCH, Purpose.HPAYMT, Purpose.HRESCH, Purpose.HOPERAT)
    claims = frozenset().union(*(policy.CLAIMS[role] for role in roles))
    return next((purpose for purpose in preferred if purpose in claims), Purpose.TREAT)


def octets_of(value: object, at: tuple[str, ...]) -> bytes:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise CallerError("not a FHIR resource: an object with a resourceType", field=at)
    return jsontext.dumps(value)


def read_resource(value: object, octets: bytes, at: tuple[str, ...]) -> ValidResource:
    try:
        facts = fhir.read_facts(value)  # type: ignore[arg-type]  # a JSON object, checked above
    except CallerError as error:
        raise CallerError(error.message, field=(*at, *error.field)) from error
    return ValidResource(value=value, octets=octets, facts=facts, at=at)  # type: ignore[arg-type]  # likewise


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
    found = ruled | one.facts.security_labels
    before = None if target.previous is None else frozenset(target.previous.known.facts.labels)
    if owner and target.given is not None:
        return tuple(sorted((found - {UNCLASSIFIED}) | frozenset(target.given)))
    return tuple(sorted(found | frozenset(target.given or ()) | (before or frozenset())))


def seconds_of(moment: datetime) -> float:
    """Seconds since 1970, also before it."""
    return (moment - _EPOCH).total_seconds()
