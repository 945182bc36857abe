"""A record on its way in and on its way out. A past participle is a proof: `StoredRecord` is durable, `Released` was
decided, verified, opened, redacted and audited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from gateway.audit.model import Receipt
from gateway.consent.model import Action, Purpose
from gateway.ids import ActorId, ConsentId, RecordId, StudyId, SubjectId
from gateway.ports.anchors import AnchorState
from gateway.ports.rows import RecordRow, Row, TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A version whose block is durable on IPFS, with the rows that will acknowledge it."""

    row: RecordRow
    ticket: TicketRow


class Appendix(Protocol):
    """What goes into the transaction of a write besides it: an entry of a study's journal, say."""

    async def rows(self, stored: Sequence[StoredVersion]) -> Sequence[Row]:
        """Its rows, for these versions, which nothing acknowledges yet. Asked for anew where a key of the rows before
        was taken meanwhile, and then of the versions as they stand then. CallerError where they may not be written
        after all: nothing is."""
        ...

    async def done(self) -> None:
        """The write is acknowledged, and with it the rows that were asked for last. What fails here is not told to
        whoever wrote: nothing is raised."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """`resource`: the JSON value as the client sent it (numbers keep their text: `gateway.jsontext`). `study`: whose
    record it is to be, 32 bytes; `reason`: why it is written, which studies alone keep; `appendix`: what becomes
    durable with it."""

    subject: SubjectId
    resource: object
    labels: tuple[str, ...] | None
    idempotency_key: str | None
    purpose: Purpose | None = None
    study: StudyId | None = None
    reason: str = ""
    appendix: Appendix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """`study`: the record's, as it must be named; its versions say why they were written (`reason`)."""

    record: RecordId
    expected_version: int
    resource: object
    labels: tuple[str, ...] | None
    idempotency_key: str | None
    purpose: Purpose | None = None
    study: StudyId | None = None
    reason: str = ""
    appendix: Appendix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBundle:
    """As `NewRecord`, of many resources."""

    subject: SubjectId
    bundle: object
    idempotency_key: str | None
    purpose: Purpose | None = None
    study: StudyId | None = None
    reason: str = ""
    appendix: Appendix | None = None


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


class RecordOrder(Enum):
    """ARRIVAL: by first version, oldest first. CLINICAL: by the beginning of the clinical period, newest first, what
    has no date last. LATEST: as CLINICAL, and of each kind (type and codes) the first alone."""

    ARRIVAL = 1
    CLINICAL = 2
    LATEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Empty types, labels: all; of several, any. `code`: `system|code`. Times bound the clinical period."""

    resource_types: tuple[str, ...] = ()
    code: str | None = None
    labels: frozenset[str] = frozenset()
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`text`: as a resource has it. `author`: of the record that it stands in."""

    text: str
    author: ActorId


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
    """`cursors`: one for each item; what was refused is skipped without a trace."""

    items: tuple[Released, ...]
    cursors: tuple[str, ...]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a grantee may do with a record now. `hidden`: JSON pointers that they are not shown; `until`: seconds since
    1970. Grantee ANYONE: whoever is named nowhere."""

    grantee: ActorId
    action: Action
    purpose: Purpose
    consent: ConsentId
    hidden: tuple[str, ...]
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """A deny that reaches a record, or a part of it. No actions and purposes: its scope cannot be opened."""

    grantee: ActorId
    actions: tuple[Action, ...]
    purposes: tuple[Purpose, ...]
    consent: ConsentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Who may do what with one record at a moment, and which denies reach it."""

    record: RecordId
    permitted: tuple[Sight, ...]
    barred: tuple[Barred, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many records a grantee may read for a purpose now, on which consents, and how many of them with parts
    hidden."""

    grantee: ActorId
    purpose: Purpose
    records: int
    redacted: int
    consents: tuple[ConsentId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Who may read how much of `records`."""

    records: int
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effected:
    """How many records a grantee may read for a purpose, before a consent and with it."""

    grantee: ActorId
    purpose: Purpose
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a consent would change, were it in force now. `opened`, `closed`: records whose readers would be more, or
    fewer; the newest of them first, at most as many as a page holds."""

    statement: str
    records: int
    effects: tuple[Effected, ...]
    opened: tuple[RecordId, ...]
    closed: tuple[RecordId, ...]
