"""A study's records: decided by requests that name the study, on consents for it, and within what it lets its people
do; shown to nobody else but the patient."""

from typing import Any

import pytest

from gateway.consent.model import ANYONE, Action, Basis, Grant, Permit, Purpose, StudyRole, StudyState
from gateway.consent.policy import concerned_until, lets_in, may_concern, names_in_time, reaches
from gateway.consent.studies import CAPTURES, READS, context_of, study_in
from gateway.identity.model import Reach, Role
from tests.unit.gateway.consent.cases import (
    DAY,
    DOCTOR,
    FORMER,
    HOSPITAL,
    NOW,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    OTHER_RECORD,
    OTHER_STUDY,
    PATIENT_KEY,
    RECORD,
    SPONSOR,
    STUDY,
    UNKEPT,
    as_of,
    by_delegate,
    deny,
    doctor,
    emergency,
    epochs,
    facts,
    in_study,
    informed,
    outcome,
    owner,
    permit,
    request,
    sealed_deny,
    study_request,
    told,
)

ELSEWHERE = "no: the record is not of the study that was asked in"
NONE = "no: no consent covers this"
CLAIM = "no: the role may not claim this purpose"
FORBIDDEN = "no: a deny covers this"
NO_ROLE = "no: no role in the study reaches this subject"
NO_CAPTURE = "no: no role in the study that captures data reaches this subject"
CLOSED = "no: the study takes no data in this state"
GONE = "no: the study collects nothing of this subject"
LEFT = "no: who left the study is in no release of its data"
USE = ("DUO:0000042",)
OTHER_PURPOSE = "no: in a study there is one purpose"
KEPT_OUT = "no: the token's scopes do not reach this"

theirs = facts(study=STUDY)
write: dict[str, Any] = {"action": Action.WRITE}
new: dict[str, Any] = {"record": None}
writing = study_request(**write)
everything = permit(purposes=tuple(Purpose), actions=tuple(Action), labels=("HIV", "PSY"))
newborn = epochs(controller=b"", custodian=HOSPITAL)
hidden = facts(study=STUDY, inline={"/note/0": frozenset({"PSY"})})


def within(**changes: Any) -> Any:
    return study_request(study=in_study(**changes))


def capturing(**changes: Any) -> Any:
    return study_request(study=in_study(**changes), **write)


def releasing(**changes: Any) -> Any:
    return study_request(study=in_study(**changes), data_use=frozenset(USE))


told_use = informed(data_use=USE)

EQUALITY = [
    ("a study's record in its study", [informed()], {}, "yes"),
    ("in another study", [informed()], {"about": facts(study=OTHER_STUDY)}, ELSEWHERE),
    ("in no study, with every ordinary consent", [everything, informed()], {"asked": request()}, ELSEWHERE),
    ("in no study, for trials", [everything, informed()], {"asked": request(purpose=Purpose.CLINTRCH)}, ELSEWHERE),
    ("an ordinary record in a study", [everything, informed()], {"about": facts()}, ELSEWHERE),
    ("another study's consent", [informed(context=context_of(OTHER_STUDY))], {}, NONE),
    ("a consent for no study, to the sponsor", [informed(context="")], {}, NONE),
    ("a consent for no study, to the doctor", [informed(context="", grantee=DOCTOR)], {}, NONE),
    ("a context in other letters", [informed(context=context_of(STUDY).upper())], {}, NONE),
    ("the study's consent to the doctor alone", [informed(grantee=DOCTOR)], {}, NONE),
    ("the study's consent to the doctor's hospital", [informed(grantee=HOSPITAL)], {}, NONE),
    ("the study's consent to anyone", [informed(grantee=ANYONE)], {}, NONE),
    ("another sponsor's study of this name", [informed()], {"asked": within(sponsor=HOSPITAL)}, NONE),
    ("another subject's record", [informed()], {"about": facts(study=STUDY, subject=OTHER_PATIENT)},
     "no: the facts are of another record"),
    ("another subject's consent", [informed(subject=OTHER_PATIENT)], {}, NONE),
    ("no consent", [], {}, NONE),
    ("a release of data from the study, undeclared", [informed()],
     {"asked": study_request(data_use=frozenset({"DUO:0000042"}))}, NONE),
    ("a release of data from outside it", [informed(), permit(purposes=("CLINTRCH",), data_use=("DUO:0000042",))],
     {"asked": request(purpose=Purpose.CLINTRCH, data_use=frozenset({"DUO:0000042"}))}, ELSEWHERE),
    ("the index lags", [informed()], {"block": as_of(fresh=False)}, "no: the index lags behind the chain"),
    ("events are missing", [informed()], {"standing": epochs(stale=True)}, "no: the subject's events do not add up"),
]  # fmt: skip

OWN = [
    ("the patient reads it", [], {"asked": request(owner())}, "yes"),
    ("whatever is forbidden", [deny(grantee=ANYONE, purposes=())], {"asked": request(owner())}, "yes"),
    ("and does not write over it", [], {"asked": request(owner(), **write)}, ELSEWHERE),
    ("nor add to it", [], {"asked": request(owner(), **write, **new), "about": facts(study=STUDY, **new)}, ELSEWHERE),
    ("nor in the study's name, without a role", [informed()],
     {"asked": study_request(owner(roles=frozenset({Role.PATIENT})), study=in_study(roles=frozenset()))}, NO_ROLE),
    ("in the study a patient is one of its people or nobody", [],
     {"asked": study_request(owner(roles=frozenset({Role.CLINICIAN})))}, NONE),
    ("who is an investigator writes by the consent, as all do", [informed()],
     {"asked": study_request(owner(roles=frozenset({Role.CLINICIAN})), **write)}, "yes"),
    ("and a patient's role claims no research", [informed()], {"asked": study_request(owner())}, CLAIM),
    ("nor is a release the patient's own", [],
     {"asked": request(owner(), purpose=Purpose.CLINTRCH, data_use=frozenset({"DUO:0000042"}))}, ELSEWHERE),
    ("a stranger's is not the patient's", [], {"asked": request(owner(key=b"\x0c" * 20))}, ELSEWHERE),
]  # fmt: skip

GLASS = [
    ("an emergency does not reach it", [], {"asked": request(purpose=Purpose.ETREAT), "broken": emergency()},
     ELSEWHERE),
    ("nor to write", [], {"asked": request(purpose=Purpose.ETREAT, **write), "broken": emergency()}, ELSEWHERE),
    ("nor in the study", [informed()], {"asked": study_request(purpose=Purpose.ETREAT), "broken": emergency()},
     OTHER_PURPOSE),
    ("a clinician who is the patient reads as the patient", [],
     {"asked": request(doctor(key=PATIENT_KEY), purpose=Purpose.ETREAT), "broken": emergency()}, "yes"),
    ("and not past a chain that lags", [],
     {"asked": request(doctor(key=PATIENT_KEY), purpose=Purpose.ETREAT), "broken": emergency(),
      "block": as_of(fresh=False)}, "no: the index lags behind the chain"),
    ("the custodian does not append to a study", [],
     {"asked": request(**write, **new), "about": facts(study=STUDY, **new), "standing": newborn}, ELSEWHERE),
    ("nor in it", [informed()],
     {"asked": study_request(**write, **new), "about": facts(study=STUDY, **new), "standing": newborn},
     "no: the subject is in custody"),
    ("nobody reads in custody", [informed()], {"standing": newborn}, "no: the subject is in custody"),
]  # fmt: skip

WITHIN = [
    ("another purpose", [informed(purposes=tuple(Purpose))], {"asked": study_request(purpose=Purpose.TREAT)},
     OTHER_PURPOSE),
    ("no role that reaches the site", [informed()], {"asked": within(roles=frozenset())}, NO_ROLE),
    ("nor to write", [informed()], {"asked": capturing(roles=frozenset())}, NO_CAPTURE),
    ("a monitor reads", [informed()], {"asked": within(roles=frozenset({StudyRole.MONITOR}))}, "yes"),
    ("and captures nothing", [informed()], {"asked": capturing(roles=frozenset({StudyRole.MONITOR}))}, NO_CAPTURE),
    ("a coordinator captures", [informed()], {"asked": capturing(roles=frozenset({StudyRole.COORDINATOR}))}, "yes"),
    ("and an investigator who monitors", [informed()],
     {"asked": capturing(roles=frozenset({StudyRole.MONITOR, StudyRole.INVESTIGATOR}))}, "yes"),
    ("a planned study takes no data", [informed()], {"asked": capturing(state=StudyState.PLANNED)}, CLOSED),
    ("nor does a frozen one", [informed()], {"asked": capturing(state=StudyState.FROZEN)}, CLOSED),
    ("nor one that is locked", [informed()], {"asked": capturing(state=StudyState.LOCKED)}, CLOSED),
    ("which is read", [informed()], {"asked": within(state=StudyState.LOCKED)}, "yes"),
    ("who is withdrawn from collection is collected from no more", [informed()], {"asked": capturing(collects=False)},
     GONE),
    ("and read", [informed()], {"asked": within(collects=False)}, "yes"),
    ("a role that claims no research", [informed()],
     {"asked": study_request(doctor(roles=frozenset({Role.DATA_STEWARD})))}, CLAIM),
    ("an inspector does", [informed()],
     {"asked": study_request(doctor(roles=frozenset({Role.AUDITOR})),
                             study=in_study(roles=frozenset({StudyRole.INSPECTOR})))}, "yes"),
    ("a token for something else", [informed()],
     {"asked": study_request(doctor(reach=Reach(parts=frozenset({("READ", "TREAT", "*")}))))}, KEPT_OUT),
    ("a token for research", [informed()],
     {"asked": study_request(doctor(reach=Reach(parts=frozenset({("READ", "CLINTRCH", "*")}))))}, "yes"),
    ("a patient's own token is not one for the study", [informed()],
     {"asked": study_request(owner(roles=frozenset({Role.CLINICIAN}),
                                   reach=Reach(parts=frozenset({("READ", "PATRQT", "*")}))))}, KEPT_OUT),
]  # fmt: skip

RELEASES = [
    ("a release by a consent that declares its use", [told_use], {"asked": releasing()}, "yes"),
    ("by whoever has a role that reaches the subject", [told_use],
     {"asked": releasing(roles=frozenset({StudyRole.STATISTICIAN}))}, "yes"),
    ("by nobody else", [told_use], {"asked": releasing(roles=frozenset())}, NO_ROLE),
    ("whatever the study's state is", [told_use], {"asked": releasing(state=StudyState.LOCKED)}, "yes"),
    ("under a version of before", [informed(data_use=USE, terms_hash=FORMER)], {"asked": releasing()}, "yes"),
    ("under what is no version", [informed(data_use=USE, terms_hash=b"\xaf" * 32)], {"asked": releasing()}, NONE),
    ("by the consent to what is collected alone", [informed()], {"asked": releasing()}, NONE),
    ("for another use", [informed(data_use=("DUO:0000011",))], {"asked": releasing()}, NONE),
    ("by another study's consent", [informed(data_use=USE, context=context_of(OTHER_STUDY))], {"asked": releasing()},
     NONE),
    ("by a consent to research for no study", [informed(data_use=USE, context="")], {"asked": releasing()}, NONE),
    ("such a consent lets read nothing", [told_use], {}, NONE),
    # a withdrawal: what stays with the study is in no release
    ("not after a revocation", [informed(data_use=USE, revoked=True)], {"asked": releasing()}, NONE),
    ("nor after its end", [informed(data_use=USE, not_after=NOW)], {"asked": releasing()}, NONE),
    ("nor after its end by the chain's clock", [informed(data_use=USE, not_after=NOW + 1)],
     {"asked": releasing(), "block": as_of(block_time=NOW + 1)}, NONE),
    ("nor after a revocation of all", [informed(data_use=USE, epoch=2)], {"asked": releasing()}, NONE),
    ("nor of who left the study", [told_use], {"asked": releasing(collects=False)}, LEFT),
    ("a deny for the study", [told_use, deny(grantee=ANYONE, purposes=(), context=context_of(STUDY))],
     {"asked": releasing()}, FORBIDDEN),
]  # fmt: skip

TERMS = [
    ("written under the version that stands", [informed()], {"asked": writing}, "yes"),
    ("under one of before", [informed(terms_hash=FORMER)], {"asked": writing}, NONE),
    ("under none", [informed(terms_hash=bytes(32))], {"asked": writing}, NONE),
    ("where the study collects under none", [informed(terms_hash=b"")], {"asked": capturing(terms=b"")}, NONE),
    ("read under one of before", [informed(terms_hash=FORMER)], {}, "yes"),
    ("read under what is no version", [informed(terms_hash=b"\xaf" * 32)], {}, NONE),
    ("read under none", [informed(terms_hash=bytes(32))], {}, NONE),
    ("no version that is kept is one that never was", [informed(terms_hash=b"\xaf" * 32, revoked=True)],
     {"asked": within(kept=frozenset({b"\xaf" * 32}))}, NONE),
    # a withdrawal
    ("what was collected stays after a revocation", [informed(revoked=True)], {}, "yes"),
    ("and after its end", [informed(not_after=NOW)], {}, "yes"),
    ("and after a revocation of all", [informed(epoch=2)], {}, "yes"),
    ("under a version of before too", [informed(terms_hash=FORMER, revoked=True, epoch=1)], {}, "yes"),
    ("not where the version lets nothing stay", [informed(terms_hash=UNKEPT, revoked=True)], {}, NONE),
    ("nor after its end", [informed(terms_hash=UNKEPT, not_after=NOW)], {}, NONE),
    ("nor after a revocation of all", [informed(terms_hash=UNKEPT, epoch=2)], {}, NONE),
    ("which is read while it stands", [informed(terms_hash=UNKEPT)], {}, "yes"),
    ("nothing is collected after a revocation", [informed(revoked=True)], {"asked": writing}, NONE),
    ("nor after its end", [informed(not_after=NOW)], {"asked": writing}, NONE),
    ("nor after its end by the chain's clock", [informed(not_after=NOW + 1)],
     {"asked": writing, "block": as_of(block_time=NOW + 1)}, NONE),
    ("nor after a revocation of all", [informed(epoch=2)], {"asked": writing}, NONE),
    ("what never was confirmed is not kept", [informed(confirmed=False, revoked=True)], {}, NONE),
    ("nor read", [informed(confirmed=False)], {}, NONE),
    ("what is to come is not kept", [informed(not_before=NOW + 1, revoked=True)], {}, NONE),
    ("nor what is to come by the chain's clock", [informed()], {"block": as_of(block_time=NOW - 2 * DAY)}, NONE),
    ("what was for other types is not kept", [informed(revoked=True, resource_types=("Condition",))], {}, NONE),
    ("nor what was for other labels", [informed(revoked=True)],
     {"about": facts(study=STUDY, labels=frozenset({"HIV"}))}, NONE),
    ("nor what was to write", [informed(revoked=True, actions=("WRITE",))], {}, NONE),
    ("nor what was for another purpose", [informed(revoked=True, purposes=("HRESCH",))], {}, NONE),
    ("nor what was for another study", [informed(revoked=True, context=context_of(OTHER_STUDY))], {}, NONE),
    ("nor what was to somebody else", [informed(revoked=True, grantee=DOCTOR)], {}, NONE),
    ("nor what was of no study", [everything, informed(revoked=True, context="")], {}, NONE),
    ("who signed as a delegate is not let in by it", [by_delegate(informed(), actor=DOCTOR)], {}, NONE),
    ("nor by what is kept of it", [by_delegate(informed(revoked=True), actor=DOCTOR)], {}, NONE),
    ("others are, by a delegate's", [by_delegate(informed())], {}, "yes"),
    ("but not to write, once the delegation is over", [by_delegate(informed(), not_after=NOW)], {"asked": writing},
     NONE),
]  # fmt: skip

DENIES = [
    ("of the sponsor", [informed(), deny(grantee=SPONSOR, purposes=("CLINTRCH",))], {}, FORBIDDEN),
    ("of the person", [informed(), deny(grantee=DOCTOR, purposes=())], {}, FORBIDDEN),
    ("of the person's hospital", [informed(), deny(grantee=HOSPITAL, purposes=())], {}, FORBIDDEN),
    ("of everyone", [informed(), deny(grantee=ANYONE, purposes=())], {}, FORBIDDEN),
    ("of somebody else", [informed(), deny(grantee=OTHER_DOCTOR, purposes=())], {}, "yes"),
    ("for the study", [informed(), deny(grantee=SPONSOR, purposes=("CLINTRCH",), context=context_of(STUDY))], {},
     FORBIDDEN),
    ("for another study", [informed(), deny(grantee=SPONSOR, purposes=("CLINTRCH",), context=context_of(OTHER_STUDY))],
     {}, "yes"),
    ("for what nobody knows", [informed(), deny(grantee=SPONSOR, purposes=("CLINTRCH",), context="visit 7")], {},
     FORBIDDEN),
    ("of what was to stay", [informed(revoked=True), deny(grantee=SPONSOR, purposes=("CLINTRCH",))], {}, FORBIDDEN),
    ("that nobody can open", [informed(), sealed_deny()], {}, "no: a deny stands whose scope cannot be opened"),
    ("of treatment", [informed(), deny(grantee=SPONSOR)], {}, "yes"),
    ("of a part", [informed(labels=("PSY",)), deny(grantee=SPONSOR, purposes=(), labels=("PSY",))], {"about": hidden},
     "yes without /note/0"),
    ("of a part, to write",
     [informed(labels=("PSY",)), deny(grantee=SPONSOR, purposes=(), actions=(), labels=("PSY",))],
     {"about": hidden, "asked": writing}, "no: parts are labelled beyond the consent"),
    ("a part that is not named", [informed()], {"about": hidden}, "yes without /note/0"),
]  # fmt: skip
OUTSIDE = [
    ("a deny for a study leaves ordinary records alone",
     [everything, deny(grantee=DOCTOR, purposes=(), context=context_of(STUDY))], "yes"),
    ("one for what nobody knows does not", [everything, deny(grantee=DOCTOR, purposes=(), context="visit 7")],
     FORBIDDEN),
    ("one of the sponsor is not one of the doctor", [everything, deny(grantee=SPONSOR, purposes=())], "yes"),
    ("a consent for a study opens no ordinary record", [informed(grantee=DOCTOR, purposes=tuple(Purpose))], NONE),
    ("nor does one for what nobody knows", [permit(context="visit 7")], NONE),
]  # fmt: skip


def asked_here(grants: Any, case: dict[str, Any]) -> Any:
    return outcome(grants, **{"asked": study_request(), "about": theirs, **case})


ALL = [*EQUALITY, *OWN, *GLASS, *WITHIN, *RELEASES, *TERMS, *DENIES]


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), EQUALITY, ids=[row[0] for row in EQUALITY])
def test_a_study_s_records_are_decided_in_it(sentence: str, grants: Any, case: Any, answer: str) -> None:
    assert told(asked_here(grants, case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), OWN, ids=[row[0] for row in OWN])
def test_patients_read_and_never_write(sentence: str, grants: Any, case: Any, answer: str) -> None:
    assert told(asked_here(grants, case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), GLASS, ids=[row[0] for row in GLASS])
def test_custody_and_emergencies_end_at_its_door(sentence: str, grants: Any, case: Any, answer: str) -> None:
    assert told(asked_here(grants, case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), WITHIN, ids=[row[0] for row in WITHIN])
def test_the_study_says_who_may_do_what(sentence: str, grants: Any, case: Any, answer: str) -> None:
    assert told(asked_here(grants, case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), RELEASES, ids=[row[0] for row in RELEASES])
def test_a_release_of_a_studys_records_stands_on_a_consent_to_it(
    sentence: str, grants: list[Grant], case: dict[str, Any], answer: str
) -> None:
    assert told(outcome(grants, **{"about": theirs, "asked": study_request(), **case})) == answer, sentence


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), TERMS, ids=[row[0] for row in TERMS])
def test_what_was_agreed_to_counts(sentence: str, grants: Any, case: Any, answer: str) -> None:
    assert told(asked_here(grants, case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), DENIES, ids=[row[0] for row in DENIES])
def test_a_deny_goes_before_all_of_it(sentence: str, grants: Any, case: Any, answer: str) -> None:
    assert told(asked_here(grants, case)) == answer


@pytest.mark.parametrize(("sentence", "grants", "answer"), OUTSIDE, ids=[row[0] for row in OUTSIDE])
def test_a_study_s_consents_end_at_its_door(sentence: str, grants: Any, answer: str) -> None:
    assert told(outcome(grants)) == answer


@pytest.mark.parametrize(("sentence", "grants", "case", "answer"), ALL, ids=[row[0] for row in ALL])
def test_nobody_is_sent_away_whom_the_decision_lets_in(sentence: str, grants: Any, case: Any, answer: str) -> None:
    plain: dict[str, Any] = {"asked": study_request(), "standing": epochs(), "block": as_of(), "broken": None, **case}
    asked, standing, block, broken = (plain[name] for name in ("asked", "standing", "block", "broken"))
    reached = reaches(asked, grants, standing, block, NOW, broken)
    times = {"block_time": block.block_time, "now": NOW}
    concerned = may_concern(asked.requester, grants, standing, broken, study=asked.study, **times)
    assert (reached and concerned) or not answer.startswith("yes")


UNREACHED = [
    ("no consent", [], {}),
    ("one for no study", [informed(context="")], {}),
    ("one for another study", [informed(context=context_of(OTHER_STUDY))], {}),
    ("one to the doctor alone", [informed(grantee=DOCTOR)], {}),
    ("one under no version", [informed(terms_hash=bytes(32))], {}),
    ("one that let nothing stay", [informed(terms_hash=UNKEPT, revoked=True)], {}),
    ("one that is to come", [informed(not_before=NOW + 1)], {}),
    ("one for another purpose", [informed(purposes=("HRESCH",))], {}),
    ("a deny", [deny(grantee=SPONSOR, context=context_of(STUDY))], {}),
    ("a deny that nobody can open", [sealed_deny()], {}),
    ("no role", [informed()], {"asked": within(roles=frozenset())}),
    ("a role that claims no research", [informed()],
     {"asked": study_request(doctor(roles=frozenset({Role.DATA_STEWARD})))}),
    ("the patient, as such", [], {"asked": study_request(owner(roles=frozenset({Role.CLINICIAN})))}),
    ("the custodian, as such", [], {"standing": newborn}),
    ("the clinician of an emergency, as such", [], {"broken": emergency()}),
    ("a token for nothing", [informed()], {"asked": study_request(doctor(reach=Reach(parts=frozenset())))}),
    ("a token for treatment", [informed()],
     {"asked": study_request(doctor(reach=Reach(parts=frozenset({("READ", "TREAT", "*")}))))}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "grants", "case"), UNREACHED, ids=[row[0] for row in UNREACHED])
def test_nothing_is_fetched_for_whom_no_decision_in_the_study_could_permit(
    sentence: str, grants: Any, case: Any
) -> None:
    asked, standing = case.get("asked", study_request()), case.get("standing", epochs())
    broken = case.get("broken")
    assert not reaches(asked, grants, standing, as_of(), NOW, broken)
    assert not may_concern(asked.requester, grants, standing, broken, study=asked.study, block_time=NOW, now=NOW)


def test_another_purpose_reaches_nothing_in_a_study() -> None:
    assert not reaches(study_request(purpose=Purpose.TREAT), [informed()], epochs(), as_of(), NOW)
    assert reaches(study_request(), [informed()], epochs(), as_of(), NOW)


def test_another_record_than_the_consent_names_is_not_reached() -> None:
    assert not reaches(study_request(), [informed(records=(OTHER_RECORD,))], epochs(), as_of(), NOW)
    assert reaches(study_request(), [informed(records=(RECORD,))], epochs(), as_of(), NOW)


def _until(grants: list[Grant], **changes: Any) -> float:
    return concerned_until(doctor(), grants, epochs(), study=in_study(**changes), block_time=NOW, now=NOW)


def test_a_study_concerns_until_its_consent_ends_and_for_ever_where_it_is_kept() -> None:
    assert _until([informed(terms_hash=UNKEPT, not_after=NOW + 60)]) == NOW + 60
    assert _until([informed(not_after=NOW + 60)]) == float("inf")
    assert _until([informed(not_after=NOW + 60, actions=("WRITE",))]) == NOW + 60
    assert _until([informed(actions=("WRITE",))], state=StudyState.LOCKED) == 0


def test_who_only_captures_is_concerned_by_the_version_that_stands_alone() -> None:
    assert _until([informed(actions=("WRITE",), terms_hash=FORMER)]) == 0


def test_what_is_consented_to_for_a_study_concerns_nobody_outside_it() -> None:
    grant = informed(grantee=DOCTOR)
    assert not may_concern(doctor(), [grant], epochs(), block_time=NOW, now=NOW)
    assert not lets_in(grant, doctor(), epochs(), block_time=NOW, now=NOW)
    assert names_in_time(grant, doctor(), epochs(), block_time=NOW, now=NOW)


def test_a_permit_says_in_which_study_and_on_what() -> None:
    decided = asked_here([informed(consent=b"\xab" * 32)], {})
    assert isinstance(decided, Permit)
    assert (decided.study, decided.basis, decided.consents) == (in_study(), Basis.CONSENT, (b"\xab" * 32,))
    assert (decided.purpose, decided.requester, decided.version) == (Purpose.CLINTRCH, DOCTOR, 5)


def test_what_patients_read_of_a_study_is_their_own() -> None:
    decided = asked_here([informed()], {"asked": request(owner(), purpose=Purpose.CLINTRCH)})
    assert (decided.study, decided.basis, decided.consents, decided.purpose) == (None, Basis.OWN, (), Purpose.PATRQT)


@pytest.mark.parametrize("role", StudyRole, ids=lambda role: role.name)
@pytest.mark.parametrize("state", StudyState, ids=lambda state: state.name)
def test_everybody_in_a_study_reads_and_two_roles_write_while_it_is_open(role: StudyRole, state: StudyState) -> None:
    changes = {"roles": frozenset({role}), "state": state}
    assert isinstance(asked_here([informed()], {"asked": within(**changes)}), Permit)
    writes = role in (StudyRole.INVESTIGATOR, StudyRole.COORDINATOR) and state is StudyState.OPEN
    assert isinstance(asked_here([informed()], {"asked": capturing(**changes)}), Permit) is writes


def test_all_read_and_two_capture() -> None:
    assert set(StudyRole) == READS
    assert {StudyRole.INVESTIGATOR, StudyRole.COORDINATOR} == CAPTURES


def test_a_context_names_its_study_and_nothing_else_does() -> None:
    assert study_in(context_of(STUDY)) == STUDY
    assert context_of(STUDY) == "study:" + "5d" * 32
    for other in (
        "",
        "study:",
        "study:1",
        "5d" * 32,
        context_of(STUDY) + "\n",
        context_of(STUDY).upper(),
        " study:" + "5d" * 32,
    ):
        assert study_in(other) is None
