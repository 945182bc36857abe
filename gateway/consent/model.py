"""What a decision is made of: the request, verified facts, verified grants, and the two answers.

Two states are two classes: a `Permit` can be built by the decision alone (`gateway.consent.policy`), and it is the
only thing that opens a data key. Nothing here is truthy by accident: neither answer has `__bool__`.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime
from enum import Enum, IntEnum, StrEnum
from typing import Any

import msgspec

from gateway.consent.languages import Language
from gateway.identity.model import Reach, Role
from gateway.ids import ActorId, ConsentId, EmergencyId, RecordId, StudyId, SubjectId


class Purpose(StrEnum):
    """HL7 v3 PurposeOfUse."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"
    HRESCH = "HRESCH"
    CLINTRCH = "CLINTRCH"
    PATRQT = "PATRQT"
    PUBHLTH = "PUBHLTH"


class Action(StrEnum):
    READ = "READ"
    WRITE = "WRITE"


class Effect(IntEnum):
    """As ConsentRegistry has it."""

    PERMIT = 0
    DENY = 1


class ConsentStatus(StrEnum):
    ACTIVE = "ACTIVE"
    NOT_YET = "NOT_YET"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


NO_END = 2**64 - 1
"""`notAfter` of a DENY without an end."""
ANYONE = bytes(32)
"""Grantee of a scope that names everyone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Version 1 of the signed scope. Empty collections mean all, except `actions`, `purposes` and (in a permit)
    `labels`, where empty means none. Times are RFC 3339 UTC text, or empty for unbounded."""

    grantee: ActorId
    actions: tuple[str, ...]
    purposes: tuple[str, ...]
    resource_types: tuple[str, ...]
    codes: tuple[str, ...]
    labels: tuple[str, ...]
    authors: tuple[ActorId, ...]
    records: tuple[RecordId, ...]
    data_from: str
    data_to: str
    data_use: tuple[str, ...]
    context: str
    terms_hash: bytes
    salt: bytes
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A consent as it is signed (EIP-712 `Consent`). Times are seconds since 1970."""

    subject: SubjectId
    effect: Effect
    scope: Scope
    not_before: int
    not_after: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a delegate of the patient may consent to. `resource_types` empty: all; `labels` empty: nothing sensitive.
    `denies`: may forbid, too. `permits_until`: the latest end of a permit, seconds since 1970. `lists`: is shown the
    patient's consents and access log. `salt`: 32 bytes."""

    subject: SubjectId
    actor: ActorId
    actions: tuple[Action, ...]
    purposes: tuple[Purpose, ...]
    resource_types: tuple[str, ...]
    labels: tuple[str, ...]
    denies: bool
    permits_until: int
    lists: bool
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """As the controller signs it (EIP-712 `Delegation`): `limits` the hash of what `signer` may, until `not_after`."""

    subject: SubjectId
    signer: bytes
    limits: bytes
    not_after: int
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """A delegation that holds but for its end (`not_after`, seconds since 1970), with its limits, opened and hashed.
    `number` as on chain, from 1; `signer` the delegate's key."""

    number: int
    signer: bytes
    not_after: int
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A consent that is on chain and whose signature this gateway verified over the opened terms.

    `confirmed`: the chain profile's confirmations are there (a permit counts only then; a deny at once).
    `revoked`: a revocation is durable here or seen on chain, confirmed or not. `mandate`: under which a permit was
    signed by a delegate, within its limits: the permit ends with it, and never lets in the delegate.
    """

    consent: ConsentId
    terms: Terms
    confirmed: bool
    revoked: bool
    mandate: Mandate | None = None

    @property
    def ends(self) -> int:
        """Seconds since 1970."""
        return self.terms.not_after if self.mandate is None else min(self.terms.not_after, self.mandate.not_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedDeny:
    """An active deny on chain whose scope we cannot open: all but the patient are denied."""

    consent: ConsentId
    not_before: int
    not_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """A subject's standing at one block. `stale`: the indexed events do not add up to the chain's (epoch, seq).
    `credentials`: actors by which the patient signs in, as the controller linked them on chain."""

    subject: SubjectId
    epoch: int
    seq: int
    version: int
    stale: bool
    controller: bytes
    custodian: ActorId | None
    credentials: frozenset[ActorId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The block that a decision stands on. `fresh` False: lag or silence of the chain is past the bound."""

    block_number: int
    block_hash: bytes
    block_time: int
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks. `key` is the signer of the actor, compared with the subject's controller. `reach`: what a bearer
    token's scopes leave of all that follows; None: everything."""

    actor: ActorId
    key: bytes
    roles: frozenset[Role]
    organizations: frozenset[ActorId]
    reach: Reach | None = None


class StudyRole(StrEnum):
    """What somebody is in a study."""

    SPONSOR = "SPONSOR"
    INVESTIGATOR = "INVESTIGATOR"
    COORDINATOR = "COORDINATOR"
    MONITOR = "MONITOR"
    STATISTICIAN = "STATISTICIAN"
    SAFETY_BOARD = "SAFETY_BOARD"
    INSPECTOR = "INSPECTOR"


class StudyState(StrEnum):
    """OPEN alone takes data."""

    PLANNED = "PLANNED"
    OPEN = "OPEN"
    FROZEN = "FROZEN"
    LOCKED = "LOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStanding:
    """Whoever asks, in one study, about one subject, as its journal stands at `version` of the study's guard.

    `roles`: those that reach this subject's site now; `collects`: the subject is enrolled, and not withdrawn from
    collection. Hashes of versions of the informed consent: `terms`, under which data are collected now (empty: none);
    `all_terms`, of every version ever; `kept`, of those that say that what was collected stays after a withdrawal.
    `until`: when the first of the roles ends by itself, seconds since 1970.
    """

    study: StudyId
    sponsor: ActorId
    roles: frozenset[StudyRole]
    state: StudyState
    collects: bool
    terms: bytes
    all_terms: frozenset[bytes]
    kept: frozenset[bytes]
    version: int
    until: int = NO_END


class AccessRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the engine. `record` None: a record yet to be made. `data_use`: of a release of data, the terms
    of DUO that its use was declared by; only consents that name terms answer it. `study`: the one that is asked in,
    which reaches its own records and no other; None: none."""

    requester: Requester
    subject: SubjectId
    record: RecordId | None
    action: Action
    purpose: Purpose
    data_use: frozenset[str] = frozenset()
    study: StudyStanding | None = None


class DecisionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Verified facts of a record, opened under the facts key; of a record to be written, read from its resource.

    `codes`: what it is about, for permits; `mentioned`: every coding in it, for denies. `labels`: its own, and, of an
    old version, the current ones too. `period`: (start, end) seconds since 1970, None where the resource has no date.
    `inline`: labels inside the resource by JSON pointer of the part. `study`: whose record it is, or empty.
    """

    subject: SubjectId
    record: RecordId | None
    resource_type: str
    contained_types: frozenset[str]
    codes: frozenset[str]
    mentioned: frozenset[str]
    labels: frozenset[str]
    author: ActorId | None
    period: tuple[float, float] | None
    inline: Mapping[str, frozenset[str]]
    study: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEmergency:
    """An emergency access that nobody has ended, as stated, sealed and committed to when it was opened.

    Times are seconds since 1970. `version`: of its guard, which the ledger compares: ending it moves it on.
    """

    emergency: EmergencyId
    subject: SubjectId
    clinician: ActorId
    opened_at: int
    expires_at: int
    version: int


class Basis(Enum):
    """What a permit stands on."""

    OWN = "own"
    CONSENT = "consent"
    CUSTODY = "custody"
    EMERGENCY = "emergency"


class _Mint:
    """Held by the decision alone; a Permit built without it raises."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Opens exactly one record (or writes one) of one subject, for one request, for seconds.

    `obligations`: JSON pointers to be redacted. `expires`: seconds since 1970. `version`: the subject's guard version
    that the ledger compares when it acknowledges; `emergency`: what else it must compare, where the basis is one;
    `study`: likewise, where one was asked in, and then the permit is for its records alone. The mint is shown and not
    kept, so no copy with other values is made of a permit (`dataclasses.replace`).
    """

    mint: InitVar[_Mint]
    action: Action
    basis: Basis
    subject: SubjectId
    record: RecordId | None
    requester: ActorId
    purpose: Purpose
    consents: tuple[ConsentId, ...]
    obligations: tuple[str, ...]
    epoch: int
    seq: int
    version: int
    as_of: AsOf
    decided_at: float
    expires: float
    emergency: OpenEmergency | None = None
    study: StudyStanding | None = None

    def __post_init__(self, mint: _Mint) -> None:
        if type(mint) is not _Mint:
            raise TypeError("a Permit is made by a decision alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """`reason` stays inside: the audit has it, the client does not."""

    reason: str


Decision = Permit | Deny


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentInput:
    """What a patient asks to be drafted; ids are already parsed. Times are seconds since 1970. `study`: that it is for
    one study and its sponsor."""

    subject: SubjectId
    effect: Effect
    grantee: ActorId
    actions: tuple[Action, ...]
    purposes: tuple[Purpose, ...]
    resource_types: tuple[str, ...]
    codes: tuple[str, ...]
    authors: tuple[ActorId, ...]
    records: tuple[RecordId, ...]
    labels: tuple[str, ...]
    data_from: datetime | None
    data_to: datetime | None
    data_use: tuple[str, ...]
    not_before: datetime | None
    not_after: datetime | None
    terms_hash: bytes | None
    language: Language = Language.EN
    study: StudyId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """A consent as its patient sees it."""

    consent: ConsentId
    terms: Terms
    status: ConsentStatus
    signer: bytes
    transaction: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateInput:
    """Whom a patient asks to make a delegate, and for what; `not_after` the end of it. `permits_until` None: that."""

    subject: SubjectId
    actor: ActorId
    not_after: datetime
    actions: tuple[Action, ...]
    purposes: tuple[Purpose, ...]
    resource_types: tuple[str, ...]
    labels: tuple[str, ...]
    denies: bool
    permits_until: datetime | None
    lists: bool
    language: Language = Language.EN


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateDraft:
    """`limits`: the JSON whose hash is in the typed data, to be given back with the signature; `statement`: what it
    says, in plain words."""

    id: bytes
    typed_data: Mapping[str, Any]
    limits: Mapping[str, Any]
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateView:
    """A delegate as the patient sees it. `limits` None: they cannot be opened, and permit nothing. `holds`: now."""

    subject: SubjectId
    number: int
    signer: bytes
    not_after: int
    holds: bool
    limits: Limits | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedAll:
    subject: SubjectId
    epoch: int
