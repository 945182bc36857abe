"""What stands beside clinical data: who changed it, who signed it, what was noted and asked.

True here: names of users, places and kinds of signature are OIDs of the document's AdminData. Times are ISO 8601 texts
with or without a zone, as written.
Not done here: whether a signature holds; in ODM it is a statement of whoever wrote the document.
Source: ODM 1.3.2 and 2.0: AuditRecord, Signature, Annotation, Query.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.trials.definition.elements import NOTHING_KEPT, Kept
from gateway.trials.definition.texts import Texts


class Transaction(StrEnum):
    """What a document does with a part of the data; `CONTEXT`: nothing, it is there for what it holds."""

    INSERT = "Insert"
    UPDATE = "Update"
    REMOVE = "Remove"
    UPSERT = "Upsert"
    CONTEXT = "Context"


class EditPoint(StrEnum):
    """Where in the course of data a change was made."""

    MONITORING = "Monitoring"
    DATA_MANAGEMENT = "DataManagement"
    DB_AUDIT = "DBAudit"


class QueryState(StrEnum):
    CANDIDATE = "Candidate"
    OPEN = "Open"
    ANSWERED = "Answered"
    CLOSED = "Closed"
    CANCELLED = "Cancelled"
    RESOLVED = "Resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """`source`: where the value stands outside of this system (SourceID). `imputed`: it was computed by a method."""

    user: str
    location: str
    at: str
    reason: str | None = field(default=None, repr=False)
    source: str | None = None
    edit_point: EditPoint | None = None
    imputed: bool | None = None
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`definition`: OID of the SignatureDef, which says what it means. `manifest`: CryptoBindingManifest."""

    user: str
    location: str
    definition: str
    at: str
    manifest: str | None = None
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A coded note: a value of a code list, and the kind of flag, of another."""

    value: str = field(repr=False)
    value_list: str
    type: str | None = None
    type_list: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """`by`: `Sponsor` or `Site`, who made the comment."""

    number: int
    transaction: Transaction | None = None
    comment: Texts = field(default=(), repr=False)
    by: str | None = None
    flags: tuple[Flag, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question about data. `source`: who asked (`System`, `Data Management`, `Site Monitor` …). `history`: its audit
    records, as they were made."""

    oid: str
    source: str
    state: QueryState
    updated_at: str
    text: str = field(repr=False)
    target: str | None = None
    type: str | None = None
    name: str | None = None
    history: tuple[AuditRecord, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Of one part of clinical data, at whatever level."""

    audit: AuditRecord | None = None
    signature: Signature | None = None
    annotations: tuple[Annotation, ...] = ()
    queries: tuple[Query, ...] = ()
    kept: Kept = NOTHING_KEPT


NO_MARKS = Marks()
