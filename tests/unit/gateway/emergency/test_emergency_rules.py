"""What is stated of an emergency, and who may do what with it."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from gateway.emergency import rules
from gateway.emergency.model import Bounds, EmergencyCode, Ending, NewEmergency, Opening, Review, Verdict
from gateway.errors import CallerError, IntegrityError
from gateway.identity.model import Actor, Caller, Role
from gateway.ids import ActorId, EmergencyId, SubjectId

NOW = 1_800_000_000.5
CLINICIAN, REVIEWER, HOSPITAL = ActorId(b"\x01" * 32), ActorId(b"\x02" * 32), ActorId(b"\x03" * 32)
SUBJECT, NAME, SALT = SubjectId(b"\x11" * 32), EmergencyId(b"\x22" * 32), b"\x33" * 32
BOUNDS = Bounds(minutes=240, for_clinician=10, for_organization=100, reviewers=frozenset({b"\x0f" * 20}))
OPENING = Opening(
    subject=SUBJECT,
    clinician=CLINICIAN,
    organizations=(HOSPITAL,),
    code=EmergencyCode.CANNOT_CONSENT,
    reason='Found unconscious, "no" papers\nand no phone – ✚',
    opened_at=1_800_000_000,
    expires_at=1_800_003_600,
)


def caller(actor: ActorId, *roles: Role, key: bytes = b"\x0a" * 20, of: frozenset[ActorId] = frozenset()) -> Caller:
    made = Actor(id=actor, key=key, roles=frozenset(roles), name=None, encryption_key=b"", epoch=0, version=0)
    return Caller(actor=made, organizations=of, registrar=False, guards=())


def asked(**changes: Any) -> NewEmergency:
    plain = NewEmergency(subject=SUBJECT, code=EmergencyCode.OTHER, reason="Anaphylaxis, no contact", minutes=60)
    return replace(plain, **changes)


def test_what_is_stated_is_read_back_as_it_was() -> None:
    ending = Ending(emergency=NAME, by=CLINICIAN, at=1_800_000_100)
    review = Review(emergency=NAME, reviewer=REVIEWER, verdict=Verdict.NOT_JUSTIFIED, note="No call in the log", at=7)
    assert rules.read_opening(rules.state_opening(OPENING, SALT).octets) == OPENING
    assert rules.read_ending(rules.state_ending(ending, SALT).octets) == ending
    assert rules.read_review(rules.state_review(review, SALT).octets) == review


def test_a_commitment_is_checked_with_one_hash() -> None:
    stated = rules.state_opening(OPENING, SALT)
    assert stated.commitment == hashlib.sha256(b"\x04" + SALT + stated.octets).digest()


def test_another_salt_is_another_commitment() -> None:
    assert rules.state_opening(OPENING, SALT).commitment != rules.state_opening(OPENING, bytes(32)).commitment


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b"\xff",
        rules.state_ending(Ending(emergency=NAME, by=CLINICIAN, at=1), SALT).octets,
        rules.state_opening(OPENING, SALT).octets.replace(b'"open"', b'"end"'),
        rules.state_opening(OPENING, SALT).octets.replace(b"0x01", b"0x"),
        rules.state_opening(OPENING, SALT).octets.replace(b"0x01", b"0xzz"),
        rules.state_opening(OPENING, SALT).octets.replace(b"CANNOT_CONSENT", b"CURIOSITY"),
        rules.state_opening(OPENING, SALT).octets.replace(b'"kind"', b'"more":1,"kind"'),
    ],
)
def test_a_text_of_another_form_is_no_opening(octets: bytes) -> None:
    with pytest.raises(IntegrityError):
        rules.read_opening(octets)


def test_an_opening_is_the_callers_for_the_minutes_asked() -> None:
    opening = rules.opening_of(
        asked(), caller(CLINICIAN, Role.CLINICIAN, of=frozenset({HOSPITAL})), now=NOW, bounds=BOUNDS
    )
    assert (opening.clinician, opening.organizations, opening.subject) == (CLINICIAN, (HOSPITAL,), SUBJECT)
    assert (opening.opened_at, opening.expires_at) == (1_800_000_000, 1_800_003_600)


@pytest.mark.parametrize("minutes", [-1, 0, 241, 10**9])
def test_minutes_past_the_bound_are_refused(minutes: int) -> None:
    with pytest.raises(CallerError) as refused:
        rules.opening_of(asked(minutes=minutes), caller(CLINICIAN, Role.CLINICIAN), now=NOW, bounds=BOUNDS)
    assert refused.value.field == ("minutes",)


@pytest.mark.parametrize(
    "reason", ["", "urgent", " " * 40, "x" * 1001, "a reason with \u202e in it", "a reason\x00 too"]
)
def test_a_reason_is_given_in_readable_words(reason: str) -> None:
    with pytest.raises(CallerError) as refused:
        rules.opening_of(asked(reason=reason), caller(CLINICIAN, Role.CLINICIAN), now=NOW, bounds=BOUNDS)
    assert refused.value.field == ("reason",)


@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_clinicians_alone_open(role: Role) -> None:
    assert rules.may_open(caller(CLINICIAN, role)) is (role is Role.CLINICIAN)


@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_a_colleague_reviews_whose_role_it_is(role: Role) -> None:
    colleague = caller(REVIEWER, role, of=frozenset({HOSPITAL}))
    assert rules.may_review(colleague, OPENING, BOUNDS) is (role in {Role.AUDITOR, Role.DATA_STEWARD})


def test_nobody_reviews_their_own() -> None:
    both = caller(CLINICIAN, Role.CLINICIAN, Role.AUDITOR, key=b"\x0f" * 20, of=frozenset({HOSPITAL}))
    assert not rules.may_review(both, OPENING, BOUNDS)


def test_another_houses_auditor_does_not_review() -> None:
    assert not rules.may_review(caller(REVIEWER, Role.AUDITOR, of=frozenset({REVIEWER})), OPENING, BOUNDS)


def test_whom_the_settings_name_reviews_everybodys_in_the_role_alone() -> None:
    named = caller(REVIEWER, Role.AUDITOR, key=b"\x0f" * 20)
    assert rules.may_review(named, replace(OPENING, organizations=()), BOUNDS)
    assert not rules.may_review(caller(REVIEWER, Role.REGISTRAR, key=b"\x0f" * 20), OPENING, BOUNDS)


def test_words_never_show_in_a_repr() -> None:
    assert "unconscious" not in repr(OPENING)
    assert "Anaphylaxis" not in repr(asked())
