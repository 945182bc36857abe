"""People and institutions, as a decision sees them: random names, keys, roles, epochs. A name for display is sealed
at rest and shown only through the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

from gateway.ids import ActorId, SessionId, SubjectId

NO_SESSION = SessionId(b"")


class Role(Enum):
    """Bit of `IdentityRegistry.roles`. Names are those of `ActorRole` in the public schema."""

    REGISTRAR = 1
    PATIENT = 2
    CLINICIAN = 4
    ORGANIZATION = 8
    RESEARCHER = 16
    DATA_STEWARD = 32
    AUDITOR = 64
    DEVICE = 128
    PAYER = 256


def to_bits(roles: frozenset[Role]) -> int:
    return sum(role.value for role in roles)


def from_bits(bits: int) -> frozenset[Role]:
    return frozenset(role for role in Role if bits & role.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """`key` is an ERC-7913 signer: a 20-byte address, or verifier ‖ key. `encryption_key` X25519, 32 bytes or empty."""

    id: ActorId
    key: bytes
    roles: frozenset[Role]
    name: str | None
    encryption_key: bytes
    epoch: int
    version: int

    @property
    def told_name(self) -> str | None:
        """As others are told it. Ids stand on chain for all to read; whose they are, where it is a patient, does not,
        and is told to nobody but to them."""
        return None if Role.PATIENT in self.roles else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """`member` belongs to `organization` until `not_after` (seconds since 1970)."""

    organization: ActorId
    member: ActorId
    not_after: int
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the scopes of a bearer token leave of its actor's rights: (action, purpose, resource type or `*`). It only
    ever takes away."""

    parts: frozenset[tuple[str, str, str]]

    def covers(self, action: str, purpose: str, resource_type: str | None) -> bool:
        """`resource_type` None: some type."""
        return any(
            one == action and why == purpose and (resource_type is None or of in (resource_type, "*"))
            for one, why, of in self.parts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A caller that an identity provider vouches for, by an identity that the actor linked. `link` names it; times are
    seconds since 1970."""

    link: bytes
    issued_at: int
    good_until: int
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated actor with what a decision needs of it.

    `guards`: (name, version) of the actor and of its organizations, for the ledger to compare. `proven`: the chain
    itself said that key, roles and memberships are no better than it has them; else no ordinary decision stands on
    them. `disproven`: it said that they are better. `session`: what the caller signed in to, and `credential` the
    digest of the token that says so (empty: none). `bearer`: who comes with an identity provider's token instead, and
    may read and write records within its scopes, and do nothing else.
    """

    actor: Actor
    organizations: frozenset[ActorId]
    registrar: bool
    guards: tuple[tuple[bytes, int], ...]
    proven: bool = True
    disproven: bool = False
    session: SessionId = NO_SESSION
    credential: bytes = field(default=b"", repr=False)
    bearer: Bearer | None = None


class Custody(StrEnum):
    """Whose hand is on a subject's consents."""

    CONTROLLER = "controller"
    CUSTODIAN = "custodian"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A patient. `controller` empty while in custody of `custodian` (an actor)."""

    id: SubjectId
    controller: bytes
    custodian: ActorId | None
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialLink:
    """Whether `actor` is now the patient `subject` when it signs in."""

    subject: SubjectId
    actor: ActorId
    linked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """The ERC-7913 signer that controls `subject` from now on."""

    subject: SubjectId
    controller: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """An EIP-4361 message to be signed by the address named in it."""

    message: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`access_token` is shown once; we keep its SHA-256. Others may follow it until `ends_at`."""

    id: SessionId
    access_token: str = field(repr=False)
    expires_at: datetime
    ends_at: datetime
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session as its owner sees it. `device`: as they named it, None where they did not; `current`: the one that
    asks; `cursor`: its place in the list."""

    id: SessionId
    device: str | None = field(repr=False)
    opened_at: datetime
    expires_at: datetime
    ends_at: datetime
    current: bool
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedIdentity:
    """Somebody at an identity provider who stands for the actor that sees this. `name`: 16 bytes, keyed. `not_after`
    seconds since 1970. `holds`: it is signed by the actor's present key, and not over."""

    name: bytes
    issuer: str
    subject: str = field(repr=False)
    not_after: int
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """EIP-712 JSON for `eth_signTypedData_v4`; `id` is its digest (of a consent: the consent id)."""

    id: bytes
    typed_data: Mapping[str, Any]
