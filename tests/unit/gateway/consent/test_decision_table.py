"""Who may see what: a table that a clinician can read. Each row is a sentence, what differs from the plain case, and
the answer.

The plain case: a doctor of the hospital asks to read a diabetes observation of this spring, for treatment; another
doctor wrote it; it carries no sensitive label. The plain permit allows that doctor to read for treatment; the plain
deny forbids just that.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.consent.model import ANYONE, Action, Basis, Deny, Permit, Purpose
from gateway.consent.policy import CLAIMS, PERMIT_SECONDS, SKEW_SECONDS, concerned_until, may_concern
from gateway.identity.model import Role
from gateway.identity.state import NOBODY
from tests.unit.gateway.consent.cases import (
    DAY,
    DIABETES,
    DOCTOR,
    HIV_TEST,
    HOSPITAL,
    NOW,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    OTHER_RECORD,
    PATIENT,
    PATIENT_KEY,
    RECORD,
    as_of,
    deny,
    doctor,
    emergency,
    epochs,
    facts,
    outcome,
    permit,
    request,
    scope,
    sealed_deny,
    told,
)

NONE = "no: no consent covers this"
FORBIDDEN = "no: a deny covers this"
SEALED = "no: a deny stands whose scope cannot be opened"
CUSTODY = "no: the subject is in custody"
CLAIM = "no: the role may not claim this purpose"
PARTS = "no: parts are labelled beyond the consent"

patient = doctor(actor=b"\x19" * 32, key=PATIENT_KEY, roles=frozenset({Role.PATIENT}), organizations=frozenset())
stranger = doctor(actor=OTHER_DOCTOR, organizations=frozenset())
PASSKEY = b"\x02" * 20 + b"\x55" * 64
LINKED = frozenset({OTHER_DOCTOR})
newborn = epochs(controller=b"", custodian=HOSPITAL)
new = {"record": None}
write = {"action": Action.WRITE}
hiv = facts(labels=frozenset({"HIV"}))
hidden = facts(inline={"/contained/0": frozenset({"HIV"}), "/note/0": frozenset({"PSY"})})
undated = facts(period=None)
APRIL = {"data_from": "2026-03-01T00:00:00Z", "data_to": "2026-04-30T00:00:00Z"}
LATER = {"data_from": "2026-06-01T00:00:00Z"}

OWN = [
    ("patients read their own", {"asked": request(patient)}, "yes"),
    ("patients write into their own", {"asked": request(patient, **write)}, "yes"),
    ("patients read what they forbade to all", {"grants": [deny(grantee=ANYONE)], "asked": request(patient)}, "yes"),
    ("patients read their own beside a sealed deny", {"grants": [sealed_deny()], "asked": request(patient)}, "yes"),
    ("patients read their own with every label", {"about": hiv, "asked": request(patient)}, "yes"),
    ("nothing inside is hidden from patients", {"about": hidden, "asked": request(patient)}, "yes"),
    (
        "a patient does not read another's",
        {"asked": request(doctor(key=b"\x0c" * 20, roles=frozenset({Role.PATIENT})), purpose=Purpose.PATRQT)},
        NONE,
    ),
    (
        "while the patient's key changes, neither key owns",
        {"standing": epochs(controller=NOBODY), "asked": request(patient, purpose=Purpose.PATRQT)},
        NONE,
    ),
    (
        "a key in change is not the controller in change",
        {"standing": epochs(controller=NOBODY), "asked": request(doctor(key=NOBODY))},
        NONE,
    ),
    ("an empty key owns nothing", {"standing": newborn, "asked": request(doctor(key=b"", organizations=()))}, CUSTODY),
    (
        "an actor that the controller linked is the patient",
        {"standing": epochs(controller=PASSKEY, credentials=LINKED), "asked": request(stranger)},
        "yes",
    ),
    (
        "a linked actor is the patient beside a wallet too",
        {"standing": epochs(credentials=LINKED), "asked": request(stranger)},
        "yes",
    ),
    (
        "a controller that is no wallet owns nothing by itself",
        {"standing": epochs(controller=PASSKEY), "asked": request(doctor(key=PASSKEY, organizations=frozenset()))},
        NONE,
    ),
    (
        "a linked actor waits while the controller changes",
        {"standing": epochs(controller=NOBODY, credentials=LINKED), "asked": request(stranger)},
        NONE,
    ),
    ("patients wait too while the index is stale", {"block": as_of(fresh=False), "asked": request(patient)},
     "no: the index lags behind the chain"),
]  # fmt: skip

IN_CUSTODY = [
    ("the hospital's doctor adds to a newborn's record", request(**write, **new), facts(**new), "yes"),
    ("the hospital itself does", request(doctor(actor=HOSPITAL), **write, **new), facts(**new), "yes"),
    ("the hospital's doctor does not read it", request(), facts(), CUSTODY),
    ("nor amends it", request(**write), facts(), CUSTODY),
    ("a stranger adds nothing", request(stranger, **write, **new), facts(**new), CUSTODY),
]

PERMITS = [
    ("without a consent", {"grants": []}, NONE),
    ("with the patient's permit", {}, "yes"),
    # who
    ("the permit names another doctor", {"grantee": OTHER_DOCTOR}, NONE),
    ("the permit names the doctor's hospital", {"grantee": HOSPITAL}, "yes"),
    ("the permit names a hospital that the doctor left",
     {"grantee": HOSPITAL, "asked": request(doctor(organizations=frozenset()))}, NONE),
    ("the permit names anyone", {"grantee": ANYONE}, "yes"),
    # what for
    ("reading is permitted, writing asked", {"asked": request(**write)}, NONE),
    ("writing is permitted, reading asked", {"actions": ("WRITE",)}, NONE),
    ("both are permitted, writing asked", {"actions": ("READ", "WRITE"), "asked": request(**write)}, "yes"),
    ("no action is named", {"actions": ()}, NONE),
    ("treatment is permitted, an emergency claimed", {"asked": request(purpose=Purpose.ETREAT)}, NONE),
    ("no purpose is named", {"purposes": ()}, NONE),
    ("purposes are compared letter by letter", {"purposes": ("treat",)}, NONE),
    ("a clinician claims payment", {"purposes": ("HPAYMT",), "asked": request(purpose=Purpose.HPAYMT)}, CLAIM),
    ("a person without a role claims treatment", {"asked": request(doctor(roles=frozenset()))}, CLAIM),
    # which kind
    ("observations are permitted", {"resource_types": ("Observation",)}, "yes"),
    ("conditions alone are permitted", {"resource_types": ("Condition",)}, NONE),
    ("a permitted observation contains a medication that is not",
     {"resource_types": ("Observation",), "about": facts(contained_types=frozenset({"Medication"}))}, NONE),
    ("a permitted observation contains a permitted medication",
     {"resource_types": ("Observation", "Medication"), "about": facts(contained_types=frozenset({"Medication"}))},
     "yes"),
    ("what is contained is permitted, the record is not",
     {"resource_types": ("Medication",), "about": facts(contained_types=frozenset({"Medication"}))}, NONE),
    # labels
    ("the record is marked HIV, the permit names no label", {"about": hiv}, NONE),
    ("the record is marked HIV, the permit names HIV", {"about": hiv, "labels": ("HIV",)}, "yes"),
    ("the record is marked HIV and PSY, the permit names HIV",
     {"about": facts(labels=frozenset({"HIV", "PSY"})), "labels": ("HIV",)}, NONE),
    ("nobody could classify the record", {"about": facts(labels=frozenset({"unclassified"})), "labels": ("HIV",)},
     NONE),
    # codes, authors, records
    ("diabetes is permitted", {"codes": (DIABETES,)}, "yes"),
    ("HIV tests alone are permitted", {"codes": (HIV_TEST,)}, NONE),
    ("a record that only mentions HIV is not about it",
     {"codes": (HIV_TEST,), "about": facts(mentioned=frozenset({HIV_TEST, DIABETES}))}, NONE),
    ("records by its author are permitted", {"authors": (OTHER_DOCTOR,)}, "yes"),
    ("records by others are permitted", {"authors": (DOCTOR,)}, NONE),
    ("an author is asked for and unknown", {"authors": (DOCTOR,), "about": facts(author=None)}, NONE),
    ("this record is permitted", {"records": (OTHER_RECORD, RECORD)}, "yes"),
    ("another record is permitted", {"records": (OTHER_RECORD,)}, NONE),
    ("this record is permitted, a new one is written",
     {"records": (RECORD,), "actions": ("WRITE",), "asked": request(**write, **new), "about": facts(**new)}, NONE),
    # time of care
    ("care of this spring is permitted", APRIL, "yes"),
    ("care after this spring is permitted", LATER, NONE),
    ("care until long ago is permitted", {"data_to": "2020-01-01T00:00:00Z"}, NONE),
    ("a period is permitted, the record has no date", {**APRIL, "about": undated}, NONE),
    ("the record began before the permitted period", {**APRIL, "about": facts(period=(0.0, 1_773_500_000.0))}, NONE),
    ("the record goes on after it", {**APRIL, "about": facts(period=(1_773_500_000.0, 9e9))}, NONE),
    ("the record's period is written the wrong way round, its ends outside",
     {**APRIL, "about": facts(period=(9e9, 0.0))}, NONE),
    ("the record lies on the edges of the permitted period",
     {"data_from": "2027-01-15T08:00:00Z", "data_to": "2027-01-15T09:00:00Z",
      "about": facts(period=(1_800_000_000.0, 1_800_003_600.0))}, "yes"),
    # uses and contexts, which no request names yet
    ("a permit for uses of data serves treatment", {"data_use": ("DUO:0000042",)}, "yes"),
    ("and no public health",
     {"data_use": ("DUO:0000042",), "purposes": ("PUBHLTH",), "asked": request(purpose=Purpose.PUBHLTH)}, NONE),
    ("nor research", {"data_use": ("DUO:0000042",), "purposes": ("CLINTRCH",),
                      "asked": request(purpose=Purpose.CLINTRCH)}, NONE),
    ("a permit for a study's context is for that study", {"context": "study:1"}, NONE),
    # standing
    ("the permit is of an epoch that ended", {"epoch": 2}, NONE),
    ("the permit is of an epoch to come", {"epoch": 4}, NONE),
    ("the permit is not confirmed yet", {"confirmed": False}, NONE),
    ("the permit is revoked", {"revoked": True}, NONE),
    ("the permit is another patient's", {"subject": OTHER_PATIENT}, NONE),
    # time of asking
    ("the permit begins now", {"not_before": NOW}, "yes"),
    ("the permit begins in a second", {"not_before": NOW + 1}, NONE),
    ("it begins in a second, our clock is a day fast", {"not_before": NOW + 1, "now": NOW + DAY // 2}, NONE),
    ("it begins in a second, the chain's clock is fast",
     {"not_before": NOW + 1, "block": as_of(block_time=NOW + 2)}, NONE),
    ("the permit ends now", {"not_after": NOW}, NONE),
    ("the permit ends in a second", {"not_after": NOW + 1}, "yes"),
    ("the permit ended by the chain's clock", {"not_after": NOW + 1, "block": as_of(block_time=NOW + 1)}, NONE),
    ("the permit ended by our clock", {"not_after": NOW + 1, "now": NOW + 1.0}, NONE),
]  # fmt: skip

DENIES = [
    ("the plain deny", {}, FORBIDDEN),
    ("denies another doctor", {"grantee": OTHER_DOCTOR}, "yes"),
    ("denies the doctor's hospital", {"grantee": HOSPITAL}, FORBIDDEN),
    ("denies a hospital that the doctor left",
     {"grantee": HOSPITAL, "asked": request(doctor(organizations=frozenset()))}, "yes"),
    ("denies everyone", {"grantee": ANYONE}, FORBIDDEN),
    ("denies writing", {"actions": ("WRITE",)}, "yes"),
    ("denies every action", {"actions": ()}, FORBIDDEN),
    ("denies emergencies", {"purposes": ("ETREAT",)}, "yes"),
    ("denies every purpose", {"purposes": ()}, FORBIDDEN),
    ("denies conditions", {"resource_types": ("Condition",)}, "yes"),
    ("denies conditions and observations", {"resource_types": ("Condition", "Observation")}, FORBIDDEN),
    ("denies medications, one is contained",
     {"resource_types": ("Medication",), "about": facts(contained_types=frozenset({"Medication"}))}, FORBIDDEN),
    ("denies HIV tests", {"codes": (HIV_TEST,)}, "yes"),
    ("denies HIV tests, one is mentioned",
     {"codes": (HIV_TEST,), "about": facts(mentioned=frozenset({HIV_TEST}))}, FORBIDDEN),
    ("denies diabetes, of which the record is", {"codes": (DIABETES,), "about": facts(mentioned=frozenset())},
     FORBIDDEN),
    ("denies its author's records", {"authors": (OTHER_DOCTOR,)}, FORBIDDEN),
    ("denies another author's", {"authors": (DOCTOR,)}, "yes"),
    ("denies an author's, this one's is unknown", {"authors": (DOCTOR,), "about": facts(author=None)}, FORBIDDEN),
    ("denies this record", {"records": (RECORD,)}, FORBIDDEN),
    ("denies another record", {"records": (OTHER_RECORD,)}, "yes"),
    ("denies care of this spring", APRIL, FORBIDDEN),
    ("denies care after this spring", LATER, "yes"),
    ("denies care until long ago", {"data_to": "2020-01-01T00:00:00Z"}, "yes"),
    ("denies care until the moment at which the record begins",
     {"data_to": "2027-01-15T08:00:00Z", "about": facts(period=(1_800_000_000.0, 9e9))}, FORBIDDEN),
    ("denies care of some time, the record has no date", {**LATER, "about": undated}, FORBIDDEN),
    ("denies care that the record only touches", {**LATER, "about": facts(period=(0.0, 9e9))}, FORBIDDEN),
    ("denies it, the record's period is written the wrong way round",
     {**APRIL, "about": facts(period=(9e9, 0.0))}, FORBIDDEN),
    ("denies uses of data, not treatment", {"data_use": ("DUO:0000042",)}, "yes"),
    ("denies a use of data, public health is claimed",
     {"data_use": ("DUO:0000042",), "purposes": ("PUBHLTH",), "asked": request(purpose=Purpose.PUBHLTH)}, FORBIDDEN),
    ("denies within some context", {"context": "study:1"}, FORBIDDEN),
    ("denies what is marked HIV, this is not", {"labels": ("HIV",)}, "yes"),
    ("denies what is marked HIV, as this is", {"labels": ("HIV",), "about": hiv}, FORBIDDEN),
    ("denies what is marked HIV, as two parts inside are one",
     {"labels": ("HIV",), "about": hidden}, "yes without /contained/0"),
    ("denies all marks inside", {"labels": ("HIV", "PSY"), "about": hidden}, "yes without /contained/0, /note/0"),
    ("denies every mark, so everything", {"labels": (), "about": hidden}, FORBIDDEN),
    ("is not confirmed yet", {"confirmed": False}, FORBIDDEN),
    ("is of an epoch that ended", {"epoch": 1}, FORBIDDEN),
    ("was ended", {"revoked": True}, "yes"),
    ("is another patient's", {"subject": OTHER_PATIENT}, "yes"),
    ("begins now", {"not_before": NOW}, FORBIDDEN),
    ("begins in a second", {"not_before": NOW + 1}, "yes"),
    ("begins in a second, by the chain's clock now",
     {"not_before": NOW + 1, "block": as_of(block_time=NOW + 1)}, FORBIDDEN),
    ("ends now", {"not_after": NOW}, "yes"),
    ("ended by our clock, not by the chain's", {"not_after": NOW, "block": as_of(block_time=NOW - 1)}, FORBIDDEN),
    ("ended by the chain's clock, not by ours", {"not_after": NOW, "now": NOW - 0.5}, FORBIDDEN),
]  # fmt: skip

ALL = ("HIV", "PSY")
TWO_SIDES = [
    ("a permit and a deny that does not touch it", [permit(), deny(grantee=OTHER_DOCTOR)], {}, "yes"),
    ("the deny stands first", [deny(), permit()], {}, FORBIDDEN),
    ("ten permits and one deny", [permit() for _ in range(10)] + [deny()], {}, FORBIDDEN),
    ("a deny without any permit", [deny()], {}, FORBIDDEN),
    ("a sealed deny", [permit(), sealed_deny()], {}, SEALED),
    ("a sealed deny that is over", [permit(), sealed_deny(not_after=NOW)], {}, "yes"),
    ("a sealed deny to come", [permit(), sealed_deny(not_before=NOW + 1)], {}, "yes"),
    ("a sealed deny over by one clock alone",
     [permit(), sealed_deny(not_after=NOW)], {"block": as_of(block_time=NOW - 1)}, SEALED),
    ("parts inside that the permit does not name", [permit()], {"about": hidden},
     "yes without /contained/0, /note/0"),
    ("parts inside, one of them named", [permit(labels=("HIV",))], {"about": hidden}, "yes without /note/0"),
    ("the consent that hides least is taken",
     [permit(), permit(labels=ALL), permit(labels=("HIV",))], {"about": hidden}, "yes"),
    ("of two that hide something the lesser is taken, whichever comes first",
     [permit(labels=("HIV",)), permit()], {"about": hidden}, "yes without /note/0"),
    ("a sealed deny that begins now", [permit(), sealed_deny(not_before=NOW)], {}, SEALED),
    ("a sealed deny that begins now by the chain's clock",
     [permit(), sealed_deny(not_before=NOW + 1)], {"block": as_of(block_time=NOW + 1)}, SEALED),
    ("a deny hides a part that a permit names",
     [permit(labels=ALL), deny(labels=("HIV",))], {"about": hidden}, "yes without /contained/0"),
    ("two denies hide two parts",
     [permit(labels=ALL), deny(labels=("HIV",)), deny(labels=("PSY",))], {"about": hidden},
     "yes without /contained/0, /note/0"),
    ("what cannot be seen cannot be overwritten", [permit(actions=("WRITE",))],
     {"about": hidden, "asked": request(**write)}, PARTS),
    ("nor what a deny hides", [permit(actions=("WRITE",), labels=ALL), deny(actions=("WRITE",), labels=("HIV",))],
     {"about": hidden, "asked": request(**write)}, PARTS),
    ("with every part named it can", [permit(actions=("WRITE",), labels=ALL)],
     {"about": hidden, "asked": request(**write)}, "yes"),
    ("a new record is none of those that a deny names",
     [permit(actions=("WRITE",)), deny(actions=("WRITE",), records=(OTHER_RECORD,))],
     {"asked": request(**write, **new), "about": facts(**new)}, "yes"),
    ("the index lags", [permit()], {"block": as_of(fresh=False)}, "no: the index lags behind the chain"),
    ("events are missing", [permit()], {"standing": epochs(stale=True)}, "no: the subject's events do not add up"),
    ("the facts are another patient's", [permit()], {"about": facts(subject=OTHER_PATIENT)},
     "no: the facts are of another record"),
    ("the standing is another patient's", [permit()], {"standing": epochs(subject=OTHER_PATIENT)},
     "no: the facts are of another record"),
    ("the request is another patient's", [permit()], {"asked": request(subject=OTHER_PATIENT)},
     "no: the facts are of another record"),
    ("the facts are another record's", [permit()], {"about": facts(record=OTHER_RECORD)},
     "no: the facts are of another record"),
    ("the facts are a new record's", [permit()], {"about": facts(**new)}, "no: the facts are of another record"),
]  # fmt: skip

urgent = request(purpose=Purpose.ETREAT)
saved = request(purpose=Purpose.ETREAT, **write)
LAGS = "no: the index lags behind the chain"
BROKEN_GLASS = [
    ("an emergency needs no consent", [], {}, "yes"),
    ("nor to write", [], {"asked": saved}, "yes"),
    ("nor to write what is new", [], {"asked": request(purpose=Purpose.ETREAT, **write, **new), "about": facts(**new)},
     "yes"),
    ("it reaches every label", [], {"about": hiv}, "yes"),
    ("and every part inside", [], {"about": hidden}, "yes"),
    ("it goes past a deny for treatment", [deny()], {"about": hidden}, "yes"),
    ("past a deny for every purpose, which names none", [deny(purposes=())], {}, "yes"),
    ("past a deny for everyone", [deny(grantee=ANYONE)], {}, "yes"),
    ("not past one that names emergencies", [deny(purposes=("TREAT", "ETREAT"))], {}, FORBIDDEN),
    ("not past one that names them for everyone", [deny(grantee=ANYONE, purposes=("ETREAT",))], {}, FORBIDDEN),
    ("nor past one that is not confirmed yet", [deny(purposes=("ETREAT",), confirmed=False)], {}, FORBIDDEN),
    ("nor for writing", [deny(purposes=("ETREAT",), actions=("WRITE",))], {"asked": saved}, FORBIDDEN),
    ("past one that names them and was ended", [deny(purposes=("ETREAT",), revoked=True)], {}, "yes"),
    ("past one that names them for another doctor", [deny(purposes=("ETREAT",), grantee=OTHER_DOCTOR)], {}, "yes"),
    ("what names them and a mark hides that", [deny(purposes=("ETREAT",), labels=("HIV",))], {"about": hidden},
     "yes without /contained/0"),
    ("and keeps it from being overwritten", [deny(purposes=("ETREAT",), actions=("WRITE",), labels=("HIV",))],
     {"about": hidden, "asked": saved}, PARTS),
    ("a sealed deny might name them", [sealed_deny()], {}, SEALED),
    ("one that is over does not", [sealed_deny(not_after=NOW)], {}, "yes"),
    ("a deny beside another that names them", [deny(), deny(purposes=("ETREAT",))], {}, FORBIDDEN),
    ("a dead chain hinders nothing", [], {"block": as_of(fresh=False)}, "yes"),
    ("nor do missing events", [], {"standing": epochs(stale=True)}, "yes"),
    ("a patient in custody is read", [], {"standing": newborn}, "yes"),
    # what it is not
    ("without one, an emergency is a claim", [], {"broken": None}, NONE),
    ("and the index must not lag", [], {"broken": None, "block": as_of(fresh=False)}, LAGS),
    ("with one, treatment is still treatment", [], {"asked": request()}, NONE),
    ("and stale is stale", [permit()], {"asked": request(), "block": as_of(fresh=False)}, LAGS),
    ("public health is none", [], {"asked": request(purpose=Purpose.PUBHLTH)}, NONE),
    ("research is none", [], {"asked": request(doctor(roles=frozenset({Role.CLINICIAN, Role.RESEARCHER})),
                                               purpose=Purpose.HRESCH)}, NONE),
    ("a trial is none", [], {"asked": request(purpose=Purpose.CLINTRCH)}, NONE),
    ("another doctor's is none", [], {"asked": request(stranger, purpose=Purpose.ETREAT)}, NONE),
    ("a hospital's doctor's is not the hospital's", [],
     {"asked": request(doctor(actor=HOSPITAL, roles=frozenset({Role.ORGANIZATION})), purpose=Purpose.ETREAT)}, NONE),
    ("one for another patient is none", [], {"broken": emergency(subject=OTHER_PATIENT)}, NONE),
    ("who is a clinician no longer has none", [],
     {"asked": request(doctor(roles=frozenset({Role.DEVICE})), purpose=Purpose.ETREAT)}, NONE),
    ("who never was one neither", [],
     {"asked": request(doctor(roles=frozenset({Role.RESEARCHER})), purpose=Purpose.ETREAT)}, CLAIM),
    ("it ends at its second", [], {"broken": emergency(expires_at=NOW)}, NONE),
    ("and not a second before", [], {"broken": emergency(expires_at=NOW + 1)}, "yes"),
    ("it ended by the chain's clock", [], {"block": as_of(block_time=NOW + 3540)}, NONE),
    ("our clock was set back before it began", [], {"now": NOW - 60 - SKEW_SECONDS - 1}, NONE),
    ("another replica's clock is a little behind", [], {"now": NOW - 60 - SKEW_SECONDS}, "yes"),
    ("the facts are another record's", [], {"about": facts(record=OTHER_RECORD)},
     "no: the facts are of another record"),
    ("the facts are another patient's", [], {"about": facts(subject=OTHER_PATIENT)},
     "no: the facts are of another record"),
]  # fmt: skip

_ASKED = ("asked", "about", "standing", "block", "now")


def _split(changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    case = {name: value for name, value in changes.items() if name in _ASKED}
    return case, {name: value for name, value in changes.items() if name not in _ASKED}


@pytest.mark.parametrize(("sentence", "case", "answer"), OWN, ids=[row[0] for row in OWN])
def test_patients_have_their_own(sentence: str, case: dict[str, Any], answer: str) -> None:
    assert told(outcome(**case)) == answer


@pytest.mark.parametrize(("sentence", "asked", "about", "answer"), IN_CUSTODY, ids=[row[0] for row in IN_CUSTODY])
def test_in_custody_the_hospital_appends_and_nobody_reads(sentence: str, asked: Any, about: Any, answer: str) -> None:
    assert told(outcome([permit()], asked=asked, about=about, standing=newborn)) == answer


@pytest.mark.parametrize(("sentence", "changes", "answer"), PERMITS, ids=[row[0] for row in PERMITS])
def test_a_permit_is_read_narrowly(sentence: str, changes: dict[str, Any], answer: str) -> None:
    case, scoped = _split(changes)
    grants = scoped.pop("grants", None)
    assert told(outcome([permit(**scoped)] if grants is None else grants, **case)) == answer


@pytest.mark.parametrize(("sentence", "changes", "answer"), DENIES, ids=[row[0] for row in DENIES])
def test_a_deny_is_read_widely_and_overrides(sentence: str, changes: dict[str, Any], answer: str) -> None:
    case, scoped = _split(changes)
    everything = permit(labels=("HIV", "PSY"), purposes=tuple(Purpose), consent=b"\xee" * 32)
    assert told(outcome([everything, deny(**scoped)], **case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), TWO_SIDES, ids=[row[0] for row in TWO_SIDES])
def test_consents_together(sentence: str, grants: Any, case: dict[str, Any], answer: str) -> None:
    assert told(outcome(grants, **case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), BROKEN_GLASS, ids=[row[0] for row in BROKEN_GLASS])
def test_broken_glass(sentence: str, grants: Any, case: dict[str, Any], answer: str) -> None:
    assert told(outcome(grants, **{"asked": urgent, "broken": emergency(), **case})) == answer


def test_a_permit_in_an_emergency_says_so_and_names_no_consent() -> None:
    decided = outcome([permit(purposes=("ETREAT",))], asked=urgent, broken=emergency(), block=as_of(fresh=False))
    assert (decided.basis, decided.consents, decided.emergency) == (Basis.EMERGENCY, (), emergency())
    assert (decided.purpose, decided.as_of.fresh) == (Purpose.ETREAT, False)


def test_no_permit_outlasts_its_emergency() -> None:
    assert outcome(asked=urgent, broken=emergency(expires_at=NOW + 2)).expires == NOW + 2
    assert outcome(asked=urgent, broken=emergency()).expires == NOW + PERMIT_SECONDS


@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
@pytest.mark.parametrize("purpose", Purpose, ids=lambda purpose: purpose.name)
def test_a_role_bounds_what_may_be_claimed(role: Role, purpose: Purpose) -> None:
    asked = request(doctor(roles=frozenset({role})), purpose=purpose)
    answer = told(outcome([permit(purposes=tuple(Purpose))], asked=asked))
    assert answer == ("yes" if purpose in CLAIMS[role] else CLAIM)


def test_only_patients_claim_their_own_request() -> None:
    assert [role for role in Role if Purpose.PATRQT in CLAIMS[role]] == [Role.PATIENT]


def test_a_permit_says_what_it_stands_on() -> None:
    decided = outcome([permit(consent=b"\xaa" * 32)])
    assert isinstance(decided, Permit)
    assert (decided.basis, decided.consents, decided.subject, decided.record, decided.requester) == (
        Basis.CONSENT, (b"\xaa" * 32,), PATIENT, RECORD, DOCTOR,
    )  # fmt: skip
    assert (decided.epoch, decided.seq, decided.version, decided.as_of) == (3, 9, 5, as_of())
    assert (decided.decided_at, decided.expires) == (NOW, NOW + PERMIT_SECONDS)


def test_own_access_is_noted_as_the_patients_request_whatever_was_claimed() -> None:
    decided = outcome(asked=request(patient, purpose=Purpose.HPAYMT))
    assert (decided.basis, decided.purpose, decided.consents) == (Basis.OWN, Purpose.PATRQT, ())


def test_own_access_says_which_block_it_stands_on() -> None:
    assert outcome(asked=request(patient)).as_of == as_of()


def test_a_custodians_permit_says_what_it_stands_on() -> None:
    decided = outcome(asked=request(action=Action.WRITE, record=None), about=facts(record=None), standing=newborn)
    assert (decided.basis, decided.consents, decided.as_of) == (Basis.CUSTODY, (), as_of())


@pytest.mark.parametrize("purpose", [Purpose.TREAT, Purpose.HOPERAT])
def test_a_consented_access_is_for_the_purpose_that_was_claimed(purpose: Purpose) -> None:
    assert outcome([permit(purposes=("TREAT", "HOPERAT"))], asked=request(purpose=purpose)).purpose is purpose


def test_a_permit_covers_a_record_that_holds_every_type_it_lists() -> None:
    grant = permit(resource_types=("Observation", "Patient"))
    assert isinstance(outcome([grant], about=facts(contained_types=frozenset({"Observation", "Patient"}))), Permit)


@pytest.mark.parametrize("part", ["data_from", "data_to"])
def test_a_deny_touches_a_record_of_its_very_first_or_last_second(part: str) -> None:
    edge = datetime(2026, 3, 14, tzinfo=UTC)
    grants = [permit(), deny(**{part: "2026-03-14T00:00:00Z"})]
    assert isinstance(outcome(grants, about=facts(period=(edge.timestamp(), edge.timestamp()))), Deny)


def test_of_equal_consents_the_first_is_named() -> None:
    grants = [permit(consent=b"\x01" * 32), permit(consent=b"\x02" * 32)]
    assert outcome(grants).consents == (b"\x01" * 32,)
    assert outcome(grants, about=hidden).consents == (b"\x01" * 32,)


@pytest.mark.parametrize(
    ("grants", "standing", "may"),
    [
        ([], epochs(), False),
        ([permit()], epochs(), True),
        ([permit(revoked=True)], epochs(), False),
        ([permit(confirmed=False)], epochs(), False),
        ([permit(epoch=2)], epochs(), False),
        ([permit(grantee=HOSPITAL)], epochs(), True),
        ([permit(grantee=OTHER_DOCTOR)], epochs(), False),
        ([deny()], epochs(), False),
        ([sealed_deny()], epochs(), False),
        ([], newborn, True),
    ],
)
def test_nothing_is_fetched_for_whom_no_decision_could_permit(grants: Any, standing: Any, may: bool) -> None:
    assert may_concern(doctor(), grants, standing, block_time=NOW, now=NOW) is may
    assert (concerned_until(doctor(), grants, standing, block_time=NOW, now=NOW) > NOW) is may


@pytest.mark.parametrize(
    ("block_time", "now", "may"),
    [(NOW, NOW, True), (NOW + DAY, NOW, False), (NOW, NOW + DAY, False), (NOW - 2 * DAY, NOW, False)],
)
def test_a_permit_concerns_nobody_out_of_its_time_by_either_clock(block_time: int, now: int, may: bool) -> None:
    assert may_concern(doctor(), [permit()], epochs(), block_time=block_time, now=now) is may


def test_a_permit_concerns_until_it_ends_and_own_records_for_ever() -> None:
    grants = [permit(not_after=NOW + 60), permit(not_after=NOW + 90)]
    assert concerned_until(doctor(), grants, epochs(), block_time=NOW, now=NOW) == NOW + 90
    assert concerned_until(patient, [], epochs(), block_time=NOW, now=NOW) == float("inf")


@pytest.mark.parametrize(
    ("changes", "asking", "may"),
    [
        ({}, doctor(), True),
        ({}, stranger, False),
        ({}, doctor(roles=frozenset({Role.DATA_STEWARD})), False),
        ({"subject": OTHER_PATIENT}, doctor(), False),
    ],
)
def test_an_emergency_concerns_its_clinician_and_patient_alone(changes: Any, asking: Any, may: bool) -> None:
    assert may_concern(asking, (), epochs(), emergency(**changes), block_time=NOW, now=NOW) is may


def test_the_plain_scope_is_what_the_table_says() -> None:
    assert (scope().grantee, scope().actions, scope().purposes) == (DOCTOR, ("READ",), ("TREAT",))
