"""What ties a caller to patients: being theirs to act for, and being named by their consents. Values alone."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.model import Action, ConsentStatus, ConsentView, Purpose
from gateway.ids import ActorId, SubjectId


class Relation(StrEnum):
    """CONTROLLER: by the key that signs the patient's consents; CREDENTIAL: by an actor whom the controller linked."""

    CONTROLLER = "CONTROLLER"
    CREDENTIAL = "CREDENTIAL"
    DELEGATE = "DELEGATE"
    GUARDIAN = "GUARDIAN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """A patient, and what the caller is to them: at least one."""

    subject: SubjectId
    relations: tuple[Relation, ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TiePage:
    """`start` and `end`: where to go on from, also where nothing was found on the way."""

    ties: tuple[Tie, ...] = ()
    has_next: bool = False
    has_previous: bool = False
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedFilter:
    """Which consents to the caller are wanted; None: all. `status`: ACTIVE or NOT_YET, for what has ended is no tie.
    `grantee`: the caller, or an organization of theirs."""

    status: ConsentStatus = ConsentStatus.ACTIVE
    purpose: Purpose | None = None
    action: Action | None = None
    grantee: ActorId | None = None
    subject: SubjectId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A consent that names the caller, or an organization of theirs."""

    view: ConsentView
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedPage:
    """As `TiePage`."""

    granted: tuple[Granted, ...] = ()
    has_next: bool = False
    has_previous: bool = False
    start: str | None = None
    end: str | None = None
