"""A document of clinical data: subjects' events, forms, groups and items, each with its marks, and who is who in it.

True here: a top group of an event in ODM 2.0 is a form. Rows of Dataset-XML are groups of the clinical data itself.
Identifiers of records within a document (ID of AuditRecord, Signature and Annotation) are resolved, and are no part of
it.
Not done here: whether the data fit their definition (`gateway.trials.definition.checks`).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.trials.definition.elements import NOTHING_KEPT, Element, Kept
from gateway.trials.definition.model import StudyDefinition
from gateway.trials.odm.marks import NO_MARKS, Marks, Transaction


class FileType(StrEnum):
    """`SNAPSHOT`: the data as they are; each is there once. `TRANSACTIONAL`: what was done to them, in order."""

    SNAPSHOT = "Snapshot"
    TRANSACTIONAL = "Transactional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """`created_at`, `as_of`: ISO 8601 texts. `description` of ODM 2.0 that has languages is in `kept`."""

    file_oid: str
    file_type: FileType
    created_at: str
    as_of: str | None = None
    granularity: str | None = None
    description: str | None = None
    prior_file_oid: str | None = None
    originator: str | None = None
    source_system: str | None = None
    source_system_version: str | None = None
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """`type`: as ODM says it (Sponsor, Investigator …). Addresses and numbers are in `kept`."""

    oid: str
    type: str | None = None
    login_name: str | None = None
    display_name: str | None = None
    full_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    organization: str | None = None
    locations: tuple[str, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRef:
    """Since which day (ISO 8601) a place works by which version of which study."""

    study: str
    version: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """`type`: as ODM says it (Site, Lab …)."""

    oid: str
    name: str
    type: str | None = None
    versions: tuple[VersionRef, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureDef:
    """What a signature means, and why it binds. `methodology`: `Digital` or `Electronic`."""

    oid: str
    methodology: str | None = None
    meaning: str
    legal_reason: str
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminData:
    """`study`: OID; None: of all studies of the document."""

    study: str | None = None
    users: tuple[User, ...] = ()
    locations: tuple[Location, ...] = ()
    signature_definitions: tuple[SignatureDef, ...] = ()
    kept: Kept = NOTHING_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemData:
    """`value`: as written; None: it was not given, or, with `is_null`, there is none. `unit`: OID."""

    oid: str
    value: str | None = field(default=None, repr=False)
    is_null: bool = False
    unit: str | None = None
    transaction: Transaction | None = None
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupData:
    """`sequence`: the row's number in its dataset (Dataset-XML, ODM 2.0)."""

    oid: str
    repeat_key: str | None = None
    sequence: int | None = None
    transaction: Transaction | None = None
    items: tuple[ItemData, ...] = ()
    groups: "tuple[GroupData, ...]" = ()
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class FormData:
    oid: str
    repeat_key: str | None = None
    transaction: Transaction | None = None
    groups: tuple[GroupData, ...] = ()
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class EventData:
    oid: str
    repeat_key: str | None = None
    transaction: Transaction | None = None
    forms: tuple[FormData, ...] = ()
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectData:
    """`key`: the subject's name in the study. `site` and `investigator`: OIDs of a location and a user."""

    key: str
    site: str | None = None
    investigator: str | None = None
    transaction: Transaction | None = None
    events: tuple[EventData, ...] = ()
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalData:
    """Under one version of one study, by their OIDs. `groups`: rows of datasets, of no subject by themselves."""

    study: str
    version: str
    subjects: tuple[SubjectData, ...] = ()
    groups: tuple[GroupData, ...] = ()
    marks: Marks = NO_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`others`: ReferenceData and associations, whole, as they were."""

    header: Header
    definitions: tuple[StudyDefinition, ...] = ()
    admin: tuple[AdminData, ...] = ()
    clinical: tuple[ClinicalData, ...] = ()
    others: tuple[Element, ...] = ()
