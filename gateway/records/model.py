"""A record on its way in and on its way out. A past participle is a proof: `StoredRecord` is durable, `Released` was
decided, verified, opened, redacted and audited."""

from dataclasses import dataclass
from datetime import datetime

from gateway.audit.model import Receipt
from gateway.consent.model import Purpose
from gateway.ids import ActorId, RecordId, SubjectId
from gateway.ports.anchors import AnchorState


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """`resource`: the JSON value as the client sent it (numbers keep their text: `gateway.jsontext`)."""

    subject: SubjectId
    resource: object
    labels: tuple[str, ...] | None
    idempotency_key: str | None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    record: RecordId
    expected_version: int
    resource: object
    labels: tuple[str, ...] | None
    idempotency_key: str | None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBundle:
    subject: SubjectId
    bundle: object
    idempotency_key: str | None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLarge:
    """Large content, of which the octets come by themselves. `size`: how many there will be; `record`: its name from
    the beginning."""

    subject: SubjectId
    record: RecordId
    content_type: str
    size: int
    labels: tuple[str, ...] | None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """What the author gets back. No content."""

    record: RecordId
    version: int
    cid: str
    anchor: AnchorState


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Empty `resource_types`: all. `code`: `system|code`. Times bound the clinical period."""

    resource_types: tuple[str, ...] = ()
    code: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """`content`: JSON text, after obligations. `content_salt` None where an obligation removed something."""

    record: RecordId
    version: int
    subject: SubjectId
    resource_type: str
    labels: tuple[str, ...]
    recorded_at: datetime
    author: ActorId
    content: bytes
    content_salt: bytes | None
    cid: str
    anchor: AnchorState
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """`cursors`: one for each item. `end_cursor` may stand past the last item: what was refused is skipped without a
    trace."""

    items: tuple[Released, ...]
    cursors: tuple[str, ...]
    has_next: bool
    end_cursor: str | None
