"""Bar B11 in the decision itself: ten roles x twelve states of consent x eight purposes x two actions, each against a
table that knows nothing of the decision's code. What `reaches` and `may_concern` say beforehand never refuses whom the
decision would have let in."""

from itertools import product
from typing import Any, Final

import pytest

from gateway.consent.model import AccessRequest, Action, Permit, Purpose, Requester
from gateway.consent.policy import may_concern, reaches
from gateway.identity.model import Role
from gateway.ids import ActorId
from tests.unit.gateway.consent.cases import (
    DAY,
    DOCTOR,
    HOSPITAL,
    NOW,
    PATIENT_KEY,
    as_of,
    by_delegate,
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
)

EVERY: Final = {"grantee": HOSPITAL, "actions": tuple(Action), "purposes": tuple(Purpose)}
"""A consent for the whole hospital, all of whose people are asked for below."""
STATES: Final[dict[str, dict[str, Any]]] = {
    "none": {"grants": []},
    "permit": {"grants": [permit(**EVERY)]},
    "deny": {"grants": [deny(**EVERY)]},
    "both": {"grants": [permit(**EVERY), deny(**EVERY)]},
    "expired": {"grants": [permit(**EVERY, not_after=NOW)]},
    "not yet": {"grants": [permit(**EVERY, not_before=NOW + 1)]},
    "revoked": {"grants": [permit(**EVERY, revoked=True)]},
    "wrong purpose": {"grants": [permit(**{**EVERY, "purposes": ("HRESCH",)})]},
    "wrong label": {"grants": [permit(**EVERY, labels=("PSY",))], "about": {"labels": frozenset({"HIV"})}},
    "wrong type": {"grants": [permit(**EVERY, resource_types=("Condition",))]},
    "stale index": {"grants": [permit(**EVERY)], "block": as_of(fresh=False)},
    "broken glass": {"grants": [], "broken": emergency()},
}
ROLES: Final = ("patient", "other patient", *(role.name for role in Role if role is not Role.PATIENT))
MAY_CLAIM: Final = {
    "other patient": "PATRQT",
    "REGISTRAR": "HOPERAT",
    "CLINICIAN": "TREAT ETREAT HOPERAT PUBHLTH CLINTRCH",
    "ORGANIZATION": "TREAT ETREAT HPAYMT HOPERAT HRESCH CLINTRCH PUBHLTH",
    "RESEARCHER": "HRESCH CLINTRCH",
    "DATA_STEWARD": "HRESCH HOPERAT",
    "AUDITOR": "HOPERAT CLINTRCH",
    "DEVICE": "TREAT ETREAT",
    "PAYER": "HPAYMT",
}


def expected(role: str, state: str, purpose: str) -> bool:
    """The table, in words."""
    if state == "stale index":
        return False  # nobody, the patient too
    if role == "patient":
        return True  # all else never hinders the patient
    if state == "broken glass":
        return role == "CLINICIAN" and purpose == "ETREAT"  # whose glass it is
    if purpose not in MAY_CLAIM[role].split():
        return False
    if state == "wrong purpose":
        return purpose == "HRESCH"
    return state == "permit"


def asking(role: str) -> Requester:
    if role == "patient":
        return doctor(key=PATIENT_KEY, roles=frozenset({Role.PATIENT}), organizations=frozenset())
    if role == "other patient":
        return doctor(actor=ActorId(b"\x5a" * 32), key=b"\x5b" * 20, roles=frozenset({Role.PATIENT}))
    # All are called as the emergency's clinician is: a role decides, not a name.
    return doctor(roles=frozenset({Role[role]}))


def test_the_product_has_ten_roles_and_twelve_states() -> None:
    assert (len(ROLES), len(STATES)) == (10, 12)


@pytest.mark.parametrize("state", STATES)
def test_who_may_is_who_the_table_says(state: str) -> None:
    wrong = []
    for role, purpose, action in product(ROLES, Purpose, Action):
        case = dict(STATES[state])
        about = facts(**case.pop("about", {}))
        asked = request(asking(role), purpose=purpose, action=action)
        found = isinstance(outcome(case.pop("grants"), asked=asked, about=about, **case), Permit)
        if found is not expected(role, state, purpose.value):
            wrong.append((role, purpose.value, action.value, found))
    assert wrong == []


def _before(state: str, asked: AccessRequest) -> tuple[bool, bool]:
    case = STATES[state]
    block, broken = case.get("block", as_of()), case.get("broken")
    reached = reaches(asked, case["grants"], epochs(), block, NOW, broken)
    concerned = may_concern(asked.requester, case["grants"], epochs(), broken, block_time=block.block_time, now=NOW)
    return reached, concerned


@pytest.mark.parametrize("state", STATES)
def test_nobody_is_sent_away_whom_the_decision_lets_in(state: str) -> None:
    for role, purpose, action in product(ROLES, Purpose, Action):
        asked = request(asking(role), purpose=purpose, action=action)
        if expected(role, state, purpose.value):
            assert _before(state, asked) == (True, True)


UNREACHED = [
    ("a permit that was revoked", [permit(revoked=True)], {}),
    ("one that is not confirmed", [permit(confirmed=False)], {}),
    ("one of an epoch that ended", [permit(epoch=2)], {}),
    ("one that is over", [permit(not_after=NOW)], {}),
    ("one that is over by the chain's clock", [permit(not_after=NOW + 1)], {"block": as_of(block_time=NOW + 1)}),
    ("one that is over by ours", [permit(not_after=NOW + 1)], {"now": NOW + 1.0}),
    ("one that is to come", [permit(not_before=NOW + 1)], {}),
    ("one for another doctor", [permit(grantee=b"\x12" * 32)], {}),
    ("one for writing", [permit(actions=("WRITE",))], {}),
    ("one for another purpose", [permit(purposes=("HOPERAT",))], {}),
    ("one for another record", [permit(records=(b"\x32" * 16,))], {}),
    ("a deny", [deny()], {}),
    ("a deny that nobody can open", [sealed_deny()], {}),
    ("a role that may not claim it", [permit()], {"asked": request(doctor(roles=frozenset({Role.PAYER})))}),
    ("no role at all", [permit()], {"asked": request(doctor(roles=frozenset()))}),
    ("another's emergency", [], {"broken": emergency(clinician=b"\x12" * 32)}),
    ("an emergency of another patient", [], {"broken": emergency(subject=b"\x02" * 32)}),
    ("nothing", [], {}),
]
REACHED = [
    ("the plain permit", [permit()], {}),
    ("one for this record among others", [permit(records=(b"\x32" * 16, b"\x31" * 16))], {}),
    ("one beside a deny", [deny(), permit()], {}),
    ("one beside what nobody can open", [sealed_deny(), permit()], {}),
    ("one for the hospital", [permit(grantee=HOSPITAL)], {}),
    ("one second before its end", [permit(not_after=NOW + 1)], {}),
    ("the patient", [], {"asked": request(doctor(key=PATIENT_KEY))}),
    ("the custodian", [], {"standing": epochs(controller=b"", custodian=HOSPITAL)}),
    ("the emergency's clinician", [], {"broken": emergency()}),
    ("one of two roles may claim it", [permit()],
     {"asked": request(doctor(roles=frozenset({Role.PAYER, Role.CLINICIAN})))}),
]  # fmt: skip


def _reached(grants: Any, case: dict[str, Any]) -> bool:
    plain = {"asked": request(), "standing": epochs(), "block": as_of(), "now": NOW, "broken": None, **case}
    return reaches(plain["asked"], grants, plain["standing"], plain["block"], plain["now"], plain["broken"])


@pytest.mark.parametrize(("sentence", "grants", "case"), UNREACHED, ids=[row[0] for row in UNREACHED])
def test_no_fact_could_have_let_in(sentence: str, grants: Any, case: Any) -> None:
    assert _reached(grants, case) is False


@pytest.mark.parametrize(("sentence", "grants", "case"), REACHED, ids=[row[0] for row in REACHED])
def test_some_fact_could_have_let_in(sentence: str, grants: Any, case: Any) -> None:
    assert _reached(grants, case) is True


everybody = permit(grantee=HOSPITAL)
BY_DELEGATE = [
    ("lets in whom it names", by_delegate(permit()), {}, True),
    ("lets in whom it names by their house", by_delegate(everybody), {}, True),
    ("never the delegate by name", by_delegate(permit(), actor=DOCTOR), {}, False),
    ("nor by the delegate's key under another name", by_delegate(permit(), signer=doctor().key), {}, False),
    ("nor by the delegate's house", by_delegate(everybody, actor=DOCTOR), {}, False),
    ("ends with the delegation", by_delegate(permit(), not_after=NOW), {}, False),
    ("and not a second before", by_delegate(permit(), not_after=NOW + 1), {}, True),
    ("ends with it by the chain's clock", by_delegate(permit(), not_after=NOW + 1),
     {"block": as_of(block_time=NOW + 1)}, False),
    ("ends by its own time first", by_delegate(permit(not_after=NOW)), {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "grant", "case", "may"), BY_DELEGATE, ids=[row[0] for row in BY_DELEGATE])
def test_a_permit_that_a_delegate_signed(sentence: str, grant: Any, case: Any, may: bool) -> None:
    assert isinstance(outcome([grant], **case), Permit) is may
    assert _reached([grant], case) is may


def test_a_deny_that_a_delegate_signed_stands_past_the_delegation() -> None:
    assert not isinstance(outcome([permit(), by_delegate(deny(), not_after=NOW)]), Permit)


@pytest.mark.parametrize(
    ("block_time", "now", "may"),
    [
        (NOW, NOW, True),
        (NOW, NOW + 3539, True),
        (NOW, NOW + 3540, False),
        (NOW + 3540, NOW, False),
        (NOW, NOW + DAY, False),
    ],
)
def test_an_emergency_concerns_until_its_end_by_either_clock(block_time: int, now: int, may: bool) -> None:
    assert may_concern(doctor(), (), epochs(), emergency(), block_time=block_time, now=now) is may


def test_the_plain_names_are_those_of_the_cases() -> None:
    assert (scope().grantee, emergency().clinician, doctor().actor) == (DOCTOR,) * 3
