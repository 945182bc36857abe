"""An emergency access, from its opening to its review. What is stated is sealed; what stands on chain is its salted
commitment and its end. Times are seconds since 1970."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.ids import ActorId, EmergencyId, SubjectId


class EmergencyCode(StrEnum):
    """Why the glass was broken, in one word; the reason itself is in the clinician's own."""

    LIFE_THREATENING = "LIFE_THREATENING"
    CANNOT_CONSENT = "CANNOT_CONSENT"
    IN_CUSTODY = "IN_CUSTODY"
    OTHER = "OTHER"


class Verdict(StrEnum):
    """A reviewer's word on it."""

    JUSTIFIED = "JUSTIFIED"
    NOT_JUSTIFIED = "NOT_JUSTIFIED"


class EmergencyState(StrEnum):
    OPEN = "OPEN"
    ENDED = "ENDED"
    REVIEWED = "REVIEWED"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEmergency:
    """What a clinician asks for."""

    subject: SubjectId
    code: EmergencyCode
    reason: str = field(repr=False)
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a clinician stated when the glass was broken. `organizations`: the clinician's at that moment, from which
    the reviewer comes."""

    subject: SubjectId
    clinician: ActorId
    organizations: tuple[ActorId, ...]
    code: EmergencyCode
    reason: str = field(repr=False)
    opened_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The clinician needs it no longer."""

    emergency: EmergencyId
    by: ActorId
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A second person's word, which closes it."""

    emergency: EmergencyId
    reviewer: ActorId
    verdict: Verdict
    note: str = field(repr=False)
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A statement as it was sealed: its octets (RFC 8785 text) and salt, and what commits to both."""

    octets: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """Opened from its sealed statements and verified against its commitment."""

    id: EmergencyId
    opening: Opening
    stated: Stated = field(repr=False)
    ending: Ending | None
    review: Review | None
    transaction: bytes | None
    decision: bytes

    def state(self, now: float) -> EmergencyState:
        if self.review is not None:
            return EmergencyState.REVIEWED
        ended = self.ending is not None or now >= self.opening.expires_at
        return EmergencyState.ENDED if ended else EmergencyState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyView:
    """What the patient, the clinician and the reviewer are shown."""

    emergency: Emergency
    state: EmergencyState


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A line of the reviewers' report: that there is one, and since when. Whose it is and why is sealed; `overdue`: a
    day has gone by without a review."""

    id: EmergencyId
    opened_at: int
    expires_at: int
    overdue: bool
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`minutes`: the longest emergency. How many may be opened in 24 hours by one clinician, and by the members of one
    organization. `reviewers`: keys of those who review everybody's, as the settings name them."""

    minutes: int
    for_clinician: int
    for_organization: int
    reviewers: frozenset[bytes]
