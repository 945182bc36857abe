"""A small clinic to decide about. Every maker gives the plain case; a test names only what it changes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway.consent.model import (
    NO_END,
    AccessRequest,
    Action,
    AsOf,
    DecisionFacts,
    Effect,
    Epochs,
    Grant,
    Limits,
    Mandate,
    OpenEmergency,
    Purpose,
    Requester,
    Scope,
    SealedDeny,
    StudyRole,
    StudyStanding,
    StudyState,
    Terms,
)
from gateway.consent.policy import decide
from gateway.consent.studies import context_of
from gateway.identity.model import Role
from gateway.ids import ActorId, ConsentId, EmergencyId, RecordId, StudyId, SubjectId

NOW = 1_800_000_000
DAY = 86_400
PATIENT = SubjectId(b"\x01" * 32)
OTHER_PATIENT = SubjectId(b"\x02" * 32)
PATIENT_KEY = b"\x0a" * 20
DOCTOR = ActorId(b"\x11" * 32)
OTHER_DOCTOR = ActorId(b"\x12" * 32)
DELEGATE = ActorId(b"\x13" * 32)
DELEGATE_KEY = b"\x0d" * 20
HOSPITAL = ActorId(b"\x21" * 32)
RECORD = RecordId(b"\x31" * 16)
OTHER_RECORD = RecordId(b"\x32" * 16)
DIABETES = "http://snomed.info/sct|44054006"
HIV_TEST = "http://loinc.org|75622-1"
STUDY = StudyId(b"\x5d" * 32)
OTHER_STUDY = StudyId(b"\x5e" * 32)
SPONSOR = ActorId(b"\x22" * 32)
INFORMED, FORMER, UNKEPT = b"\xa1" * 32, b"\xa2" * 32, b"\xa3" * 32
"""Versions of a study's informed consent: the one that data are collected under now, one of before, and one of before
that lets nothing stay after a withdrawal."""
SPRING = (1_773_500_000.0, 1_773_586_400.0)


def scope(**changes: Any) -> Scope:
    """The doctor, to read, for treatment, everything without a label."""
    plain: dict[str, Any] = {
        "grantee": DOCTOR,
        "actions": ("READ",),
        "purposes": ("TREAT",),
        "resource_types": (),
        "codes": (),
        "labels": (),
        "authors": (),
        "records": (),
        "data_from": "",
        "data_to": "",
        "data_use": (),
        "context": "",
        "terms_hash": bytes(32),
        "salt": b"\x77" * 32,
        "statement": "",
    }
    return Scope(**{**plain, **changes})


_TERMS = ("subject", "not_before", "not_after", "epoch")
_GRANT = ("consent", "confirmed", "revoked")


def consent(effect: Effect, **changes: Any) -> Grant:
    """A consent in force; `changes` may name fields of the grant, of its terms, or of its scope."""
    terms = {name: changes.pop(name) for name in _TERMS if name in changes}
    outer = {name: changes.pop(name) for name in _GRANT if name in changes}
    ends = NOW + DAY if effect is Effect.PERMIT else NO_END
    signed = Terms(
        subject=terms.get("subject", PATIENT),
        effect=effect,
        scope=scope(**changes),
        not_before=terms.get("not_before", NOW - DAY),
        not_after=terms.get("not_after", ends),
        epoch=terms.get("epoch", 3),
    )
    return Grant(
        consent=ConsentId(outer.get("consent", bytes([0xC0 + effect]) * 32)),
        terms=signed,
        confirmed=outer.get("confirmed", True),
        revoked=outer.get("revoked", False),
    )


def permit(**changes: Any) -> Grant:
    return consent(Effect.PERMIT, **changes)


def deny(**changes: Any) -> Grant:
    return consent(Effect.DENY, **changes)


def by_delegate(grant: Grant, **changes: Any) -> Grant:
    """The same consent, signed by a delegate; `changes` of the mandate or of its limits."""
    said: dict[str, Any] = {
        "subject": PATIENT,
        "actor": DELEGATE,
        "actions": tuple(Action),
        "purposes": tuple(Purpose),
        "resource_types": (),
        "labels": (),
        "denies": True,
        "permits_until": NOW + DAY,
        "lists": False,
        "salt": b"\x66" * 32,
    }
    plain: dict[str, Any] = {"number": 1, "signer": DELEGATE_KEY, "not_after": NOW + DAY}
    limits = Limits(**{**said, **{name: changes.pop(name) for name in said if name in changes}})
    return replace(grant, mandate=Mandate(**{**plain, **changes}, limits=limits))


def sealed_deny(**changes: Any) -> SealedDeny:
    plain: dict[str, Any] = {"consent": ConsentId(b"\xdd" * 32), "not_before": NOW - DAY, "not_after": NO_END}
    return SealedDeny(**{**plain, **changes})


def facts(**changes: Any) -> DecisionFacts:
    """A diabetes observation of this spring, written by another doctor, with no label."""
    plain: dict[str, Any] = {
        "subject": PATIENT,
        "record": RECORD,
        "resource_type": "Observation",
        "contained_types": frozenset(),
        "codes": frozenset({DIABETES}),
        "mentioned": frozenset({DIABETES}),
        "labels": frozenset(),
        "author": OTHER_DOCTOR,
        "period": SPRING,
        "inline": {},
    }
    return DecisionFacts(**{**plain, **changes})


def doctor(**changes: Any) -> Requester:
    """A clinician of the hospital."""
    plain: dict[str, Any] = {
        "actor": DOCTOR,
        "key": b"\x0b" * 20,
        "roles": frozenset({Role.CLINICIAN}),
        "organizations": frozenset({HOSPITAL}),
    }
    return Requester(**{**plain, **changes})


def owner(**changes: Any) -> Requester:
    """The patient, by the wallet that controls the subject."""
    plain: dict[str, Any] = {"actor": ActorId(b"\x77" * 32), "key": PATIENT_KEY, "roles": frozenset({Role.PATIENT})}
    return Requester(**{**plain, "organizations": frozenset(), **changes})


def request(requester: Requester | None = None, **changes: Any) -> AccessRequest:
    """The doctor reads the record for treatment."""
    plain: dict[str, Any] = {"subject": PATIENT, "record": RECORD, "action": Action.READ, "purpose": Purpose.TREAT}
    return AccessRequest(requester=requester or doctor(), **{**plain, **changes})


def epochs(**changes: Any) -> Epochs:
    """The patient controls the subject, in epoch 3."""
    plain: dict[str, Any] = {
        "subject": PATIENT,
        "epoch": 3,
        "seq": 9,
        "version": 5,
        "stale": False,
        "controller": PATIENT_KEY,
        "custodian": None,
    }
    return Epochs(**{**plain, **changes})


def as_of(**changes: Any) -> AsOf:
    plain: dict[str, Any] = {"block_number": 40, "block_hash": b"\x44" * 32, "block_time": NOW, "fresh": True}
    return AsOf(**{**plain, **changes})


def emergency(**changes: Any) -> OpenEmergency:
    """The doctor broke the glass a minute ago, for an hour."""
    plain: dict[str, Any] = {
        "emergency": EmergencyId(b"\xe0" * 32),
        "subject": PATIENT,
        "clinician": DOCTOR,
        "opened_at": NOW - 60,
        "expires_at": NOW + 3540,
        "version": 1,
    }
    return OpenEmergency(**{**plain, **changes})


def in_study(**changes: Any) -> StudyStanding:
    """The doctor is an investigator of the patient's site, in a study that is open."""
    plain: dict[str, Any] = {
        "study": STUDY,
        "sponsor": SPONSOR,
        "roles": frozenset({StudyRole.INVESTIGATOR}),
        "state": StudyState.OPEN,
        "collects": True,
        "terms": INFORMED,
        "all_terms": frozenset({INFORMED, FORMER, UNKEPT}),
        "kept": frozenset({INFORMED, FORMER}),
        "version": 1,
    }
    return StudyStanding(**{**plain, **changes})


def informed(**changes: Any) -> Grant:
    """The patient lets the sponsor read and write in the study, under the version that stands."""
    plain: dict[str, Any] = {
        "grantee": SPONSOR,
        "actions": ("READ", "WRITE"),
        "purposes": ("CLINTRCH",),
        "context": context_of(STUDY),
        "terms_hash": INFORMED,
    }
    return permit(**{**plain, **changes})


def study_request(requester: Requester | None = None, **changes: Any) -> AccessRequest:
    """The doctor reads the record in the study."""
    return request(requester, **{"purpose": Purpose.CLINTRCH, "study": in_study(), **changes})


def outcome(
    grants: Iterable[Grant | SealedDeny] = (),
    *,
    asked: AccessRequest | None = None,
    about: DecisionFacts | None = None,
    standing: Epochs | None = None,
    block: AsOf | None = None,
    now: float = NOW,
    broken: OpenEmergency | None = None,
) -> Any:
    """The decision on the plain case with these changes."""
    held = tuple(grants)
    return decide(asked or request(), about or facts(), held, standing or epochs(), block or as_of(), now, broken)


def told(decision: Any) -> str:
    """`yes`, `yes without /a, /b`, or `no: reason`."""
    reason = getattr(decision, "reason", None)
    if reason is not None:
        return f"no: {reason}"
    return "yes" if not decision.obligations else "yes without " + ", ".join(decision.obligations)


def with_scope(grant: Grant, **changes: Any) -> Grant:
    """The same consent with another scope."""
    return replace(grant, terms=replace(grant.terms, scope=replace(grant.terms.scope, **changes)))
