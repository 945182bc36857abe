"""What is stated of an emergency, as the text that is committed to, and who may do what with it. Pure.

A statement is RFC 8785 text; its commitment is sha-256(0x04 ‖ 32-byte salt ‖ text), which anyone can check who is shown
salt and text, and nobody else can guess. The opening's commitment is the emergency's name, here and on chain.
"""

import hashlib
from typing import TypeVar

import msgspec

from gateway import jsontext
from gateway.emergency.model import (
    Bounds,
    EmergencyCode,
    Ending,
    NewEmergency,
    Opening,
    Review,
    Stated,
    Verdict,
)
from gateway.errors import CallerError, IntegrityError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, EmergencyId, SubjectId

SHORTEST_REASON = 10
LONGEST_REASON = 1000
WINDOW_SECONDS = 24 * 3600
"""In which emergencies are counted."""
REVIEW_SECONDS = 24 * 3600
"""After which one that nobody has reviewed is overdue."""
REVIEWERS = frozenset({Role.AUDITOR, Role.DATA_STEWARD})


class _Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag="open", tag_field="kind"):
    clinician: str
    code: EmergencyCode
    expires_at: int
    opened_at: int
    organizations: tuple[str, ...]
    reason: str
    subject: str


class _Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag="end", tag_field="kind"):
    at: int
    by: str
    emergency: str


class _Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag="review", tag_field="kind"):
    at: int
    emergency: str
    note: str
    reviewer: str
    verdict: Verdict


_S = TypeVar("_S", _Opening, _Ending, _Review)


def commit(salt: bytes, octets: bytes) -> bytes:
    """sha-256(0x04 ‖ 32-byte salt ‖ octets)."""
    return hashlib.sha256(b"\x04" + salt + octets).digest()


def state_opening(opening: Opening, salt: bytes) -> Stated:
    return _stated(
        {
            "clinician": _hex(opening.clinician),
            "code": opening.code.value,
            "expiresAt": opening.expires_at,
            "kind": "open",
            "openedAt": opening.opened_at,
            "organizations": [_hex(one) for one in opening.organizations],
            "reason": opening.reason,
            "subject": _hex(opening.subject),
        },
        salt,
    )


def state_ending(ending: Ending, salt: bytes) -> Stated:
    return _stated(
        {"at": ending.at, "by": _hex(ending.by), "emergency": _hex(ending.emergency), "kind": "end"},
        salt,
    )


def state_review(review: Review, salt: bytes) -> Stated:
    return _stated(
        {
            "at": review.at,
            "emergency": _hex(review.emergency),
            "kind": "review",
            "note": review.note,
            "reviewer": _hex(review.reviewer),
            "verdict": review.verdict.value,
        },
        salt,
    )


def read_opening(octets: bytes) -> Opening:
    """Raises IntegrityError for a text that no opening has."""
    found = _read(octets, _Opening)
    return Opening(
        subject=SubjectId(_bytes(found.subject)),
        clinician=ActorId(_bytes(found.clinician)),
        organizations=tuple(ActorId(_bytes(one)) for one in found.organizations),
        code=found.code,
        reason=found.reason,
        opened_at=found.opened_at,
        expires_at=found.expires_at,
    )


def read_ending(octets: bytes) -> Ending:
    """Raises IntegrityError for a text that no ending has."""
    found = _read(octets, _Ending)
    return Ending(emergency=EmergencyId(_bytes(found.emergency)), by=ActorId(_bytes(found.by)), at=found.at)


def read_review(octets: bytes) -> Review:
    """Raises IntegrityError for a text that no review has."""
    found = _read(octets, _Review)
    return Review(
        emergency=EmergencyId(_bytes(found.emergency)),
        reviewer=ActorId(_bytes(found.reviewer)),
        verdict=found.verdict,
        note=found.note,
        at=found.at,
    )


def opening_of(asked: NewEmergency, caller: Caller, *, now: float, bounds: Bounds) -> Opening:
    """What the caller would state. Raises CallerError naming the field."""
    if not 1 <= asked.minutes <= bounds.minutes:
        raise CallerError(f"1 to {bounds.minutes} minutes", field=("minutes",))
    opened = int(now)
    return Opening(
        subject=asked.subject,
        clinician=caller.actor.id,
        organizations=tuple(sorted(caller.organizations)),
        code=asked.code,
        reason=_words(asked.reason, "reason"),
        opened_at=opened,
        expires_at=opened + asked.minutes * 60,
    )


def review_of(emergency: EmergencyId, caller: Caller, *, verdict: Verdict, note: str, now: float) -> Review:
    """What the caller would state. Raises CallerError naming the field."""
    words = _words(note, "note")
    return Review(emergency=emergency, reviewer=caller.actor.id, verdict=verdict, note=words, at=int(now))


def may_open(caller: Caller) -> bool:
    return Role.CLINICIAN in caller.actor.roles


def reviews_everybody(caller: Caller, bounds: Bounds) -> bool:
    """Named by the settings: for clinicians of no organization, and for houses with one office for it."""
    return bool(REVIEWERS & caller.actor.roles) and caller.actor.key in bounds.reviewers


def may_review(caller: Caller, opening: Opening, bounds: Bounds) -> bool:
    """A second person of the house that the clinician acted in, whose role is to look; never the clinician."""
    if caller.actor.id == opening.clinician or not REVIEWERS & caller.actor.roles:
        return False
    return reviews_everybody(caller, bounds) or bool(caller.organizations & frozenset(opening.organizations))


def _words(text: str, field: str) -> str:
    """People's own words, on one line or several, and no characters that hide others."""
    plain = text.strip()
    if not SHORTEST_REASON <= len(plain) <= LONGEST_REASON:
        raise CallerError(f"{SHORTEST_REASON} to {LONGEST_REASON} characters", field=(field,))
    if not all(character.isprintable() or character == "\n" for character in plain):
        raise CallerError("printable characters and line ends", field=(field,))
    return plain


def _stated(value: dict[str, jsontext.JsonValue], salt: bytes) -> Stated:
    octets = jsontext.canonical(value)
    return Stated(octets=octets, salt=salt, commitment=commit(salt, octets))


def _read(octets: bytes, kind: type[_S]) -> _S:
    try:
        return msgspec.json.decode(octets, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError("a sealed statement is not of its form") from error


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _bytes(text: str) -> bytes:
    """32 bytes."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise IntegrityError("a sealed statement names nobody") from error
    if len(raw) != 32 or _hex(raw) != text:
        raise IntegrityError("a sealed statement names nobody")
    return raw
