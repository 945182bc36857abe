"""A request for a patient's consent: what is asked for and why, as it is sealed, and how it stands. Pure.

True here: a request confers nothing; it stands as granted because a consent stands that was drafted from it, and it is
known by its salt. To who asked, silence, a decline and a patient who does not exist look alike, until the request is
over. Not done here: sealing, and who may see it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import msgspec

from gateway.consent import rules
from gateway.consent.model import ANYONE, ConsentInput, Effect, Grant, Purpose, SealedDeny, Terms
from gateway.consent.policy import CLAIMS
from gateway.errors import CallerError, IntegrityError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, ConsentId, RequestId, SubjectId

SHORTEST_REASON = 10
LONGEST_REASON = 1000
MOST_DAYS = 90
DAY_SECONDS = 24 * 3600
WINDOW_SECONDS = DAY_SECONDS
"""In which an asker's requests are counted."""
MOST_OCTETS = 16_384
"""Of a request with all its terms: it lies in the index, and in the patient's list."""
MOST_OPEN = 3
"""Requests of one asker to one patient that are not over, declined ones too."""
KEPT_SECONDS = 90 * DAY_SECONDS
"""How long a request that is over is shown to who asked."""
_STEP = 1024
"""Sealed texts are padded to a multiple of so many octets, so that their size tells little."""
SUBJECT, ASKER, PAIR, COUNT = b"request/subject", b"request/asker", b"request/pair", b"request/count"
"""What keyed tokens of requests are for."""


class RequestState(StrEnum):
    OPEN = "OPEN"
    GRANTED = "GRANTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInput:
    """What somebody asks for. `terms`: as a patient would have them drafted; ANYONE as grantee stands for who asks."""

    terms: ConsentInput
    reason: str = field(repr=False)
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """As it was sealed. Times are seconds since 1970. `salt`: of the consents that are drafted from it, 32 bytes."""

    id: RequestId
    asker: ActorId
    terms: ConsentInput
    reason: str = field(repr=False)
    salt: bytes = field(repr=False)
    asked_at: int
    expires_at: int

    @property
    def subject(self) -> SubjectId:
        return self.terms.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """A request as it is shown. `consent`: the one that was granted, if it was."""

    request: ConsentRequest
    state: RequestState
    consent: ConsentId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """Newest first, each with its cursor."""

    views: tuple[tuple[str, RequestView], ...]
    has_next: bool = False
    has_previous: bool = False


class _Text(msgspec.Struct, frozen=True, array_like=True, tag="request"):
    asker: bytes
    terms: ConsentInput
    reason: str
    salt: bytes
    asked_at: int
    expires_at: int


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Text).decode


def request_of(asked: RequestInput, caller: Caller, *, id: RequestId, salt: bytes, now: float) -> ConsentRequest:
    """What the caller would ask. Raises CallerError naming the field."""
    if not 1 <= asked.days <= MOST_DAYS:
        raise CallerError(f"1 to {MOST_DAYS} days", field=("days",))
    terms = asked.terms
    if terms.grantee == ANYONE:
        terms = replace(terms, grantee=caller.actor.id)
    own = terms.grantee == caller.actor.id
    if not own and terms.grantee not in caller.organizations:
        raise CallerError("not an organization of yours", field=("organizationId",))
    if terms.effect is not Effect.PERMIT:
        raise CallerError("a request is for a permit", field=("effect",))
    claims: frozenset[Purpose] = frozenset().union(*(CLAIMS[role] for role in caller.actor.roles))
    if own and not claims.issuperset(terms.purposes):
        raise CallerError("not a purpose of your roles", field=("purposes",))
    at = int(now)
    drafted = rules.draft_terms(terms, epoch=0, now=at, salt=salt, grantee_name=None)
    if drafted.not_after <= now:
        raise CallerError("already over", field=("notAfter",))
    return ConsentRequest(
        id=id,
        asker=caller.actor.id,
        terms=terms,
        reason=_words(asked.reason),
        salt=salt,
        asked_at=at,
        expires_at=min(at + asked.days * DAY_SECONDS, drafted.not_after),
    )


def may_ask(caller: Caller) -> bool:
    """Whoever acts in some role besides a patient's."""
    return bool(caller.actor.roles - {Role.PATIENT})


def terms_of(request: ConsentRequest, *, now: float) -> Terms:
    """As they would be drafted now, but for the epoch and the grantee's name."""
    at = min(int(now), request.expires_at - 1)
    return rules.draft_terms(request.terms, epoch=0, now=at, salt=request.salt, grantee_name=None)


def written(request: ConsentRequest) -> bytes:
    """Octets to be sealed: the length of the text in 4 octets, the text, zeros."""
    text = _pack(
        _Text(request.asker, request.terms, request.reason, request.salt, request.asked_at, request.expires_at)
    )
    if len(text) > MOST_OCTETS:
        raise CallerError(f"a request has at most {MOST_OCTETS} octets", field=("input",))
    whole = len(text).to_bytes(4, "big") + text
    return whole + bytes(-len(whole) % _STEP)


def read(id: RequestId, octets: bytes) -> ConsentRequest:
    """Raises IntegrityError for octets that no request has."""
    size = int.from_bytes(octets[:4], "big")
    try:
        found = _unpack(octets[4 : 4 + size])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError("a sealed request is not of its form") from error
    return ConsentRequest(
        id=id,
        asker=ActorId(found.asker),
        terms=found.terms,
        reason=found.reason,
        salt=found.salt,
        asked_at=found.asked_at,
        expires_at=found.expires_at,
    )


def granted(request: ConsentRequest, grants: Iterable[Grant | SealedDeny]) -> ConsentId | None:
    """The consent that was drafted from it and granted, whatever became of that since."""
    for grant in grants:
        if isinstance(grant, Grant) and grant.terms.scope.salt == request.salt:
            return grant.consent
    return None


def state_of(
    request: ConsentRequest, *, consent: ConsentId | None, declined: bool, withdrawn: bool, now: float
) -> RequestState:
    """To who asked, `declined` is False: a decline is told to nobody but the patient."""
    if consent is not None:
        return RequestState.GRANTED
    if declined:
        return RequestState.DECLINED
    if withdrawn:
        return RequestState.WITHDRAWN
    return RequestState.EXPIRED if now >= request.expires_at else RequestState.OPEN


def _words(text: str) -> str:
    """People's own words, on one line or several, and no characters that hide others."""
    plain = text.strip()
    if not SHORTEST_REASON <= len(plain) <= LONGEST_REASON:
        raise CallerError(f"{SHORTEST_REASON} to {LONGEST_REASON} characters", field=("reason",))
    if not all(character.isprintable() or character == "\n" for character in plain):
        raise CallerError("printable characters and line ends", field=("reason",))
    return plain
