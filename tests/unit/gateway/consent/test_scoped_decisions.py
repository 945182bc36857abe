"""A bearer token's scopes only take away: with any of them nothing is permitted that is not permitted without."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.model import Action, Permit, Purpose, Requester
from gateway.consent.policy import reaches
from gateway.identity.model import Reach, Role
from gateway.ids import ActorId
from tests.unit.gateway.consent.cases import (
    NOW,
    PATIENT_KEY,
    as_of,
    doctor,
    emergency,
    epochs,
    facts,
    outcome,
    permit,
    request,
    told,
)

ALL = Reach(parts=frozenset((action.value, purpose.value, "*") for action in Action for purpose in Purpose))
NONE = Reach(parts=frozenset())
REFUSED = "no: the token's scopes do not reach this"


def only(*parts: tuple[str, str, str]) -> Reach:
    return Reach(parts=frozenset(parts))


def owner(**changes: Any) -> Requester:
    plain = {"actor": ActorId(b"\x77" * 32), "key": PATIENT_KEY, "roles": frozenset({Role.PATIENT})}
    return Requester(**{**plain, "organizations": frozenset(), **changes})


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (None, "yes"),
        (ALL, "yes"),
        (NONE, REFUSED),
        (only(("READ", "TREAT", "*")), "yes"),
        (only(("READ", "TREAT", "Observation")), "yes"),
        (only(("READ", "TREAT", "Condition")), REFUSED),
        (only(("READ", "HOPERAT", "*")), REFUSED),
        (only(("WRITE", "TREAT", "*")), REFUSED),
    ],
)
def test_a_reader_is_held_to_action_purpose_and_type(reach: Reach | None, said: str) -> None:
    assert told(outcome([permit()], asked=request(doctor(reach=reach)))) == said


def test_a_resource_inside_the_record_wants_a_scope_too() -> None:
    about = facts(contained_types=frozenset({"Medication"}))
    narrow = only(("READ", "TREAT", "Observation"))
    both = only(("READ", "TREAT", "Observation"), ("READ", "TREAT", "Medication"))
    assert told(outcome([permit()], asked=request(doctor(reach=narrow)), about=about)) == REFUSED
    assert told(outcome([permit()], asked=request(doctor(reach=both)), about=about)) == "yes"


@pytest.mark.parametrize("purpose", [Purpose.TREAT, Purpose.PATRQT])
def test_what_patients_do_with_their_own_is_their_own_request(purpose: Purpose) -> None:
    """However they call it: a permit to the owner is one for PATRQT."""
    own = owner(reach=only(("READ", "PATRQT", "*")))
    assert told(outcome([], asked=request(own, purpose=purpose))) == "yes"
    others = owner(reach=only(("READ", "TREAT", "*")))
    assert told(outcome([], asked=request(others, purpose=purpose))) == REFUSED


def test_an_emergency_wants_a_scope_that_names_it() -> None:
    def urgent(reach: Reach) -> str:
        asked = request(doctor(reach=reach), purpose=Purpose.ETREAT)
        return told(outcome([], asked=asked, broken=emergency()))

    assert urgent(only(("READ", "ETREAT", "*"))) == "yes"
    assert urgent(only(("READ", "TREAT", "*"))) == REFUSED


def test_whom_no_scope_lets_in_is_not_told_that_a_record_cannot_be_opened() -> None:
    for reach, may in ((ALL, True), (only(("READ", "TREAT", "Condition")), True), (NONE, False)):
        asked = request(doctor(reach=reach))
        assert reaches(asked, [permit()], epochs(), as_of(), NOW) is may


PARTS = st.tuples(
    st.sampled_from([action.value for action in Action]),
    st.sampled_from([purpose.value for purpose in Purpose]),
    st.sampled_from(["*", "Observation", "Condition"]),
)


@given(
    st.frozensets(PARTS, max_size=6),
    st.sampled_from(list(Action)),
    st.sampled_from(list(Purpose)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_scopes_permit_nothing_that_is_not_permitted_without(
    parts: frozenset[tuple[str, str, str]], action: Action, purpose: Purpose, own: bool, granted: bool, broken: bool
) -> None:
    def decided(reach: Reach | None) -> Any:
        who = owner(reach=reach) if own else doctor(reach=reach)
        asked = request(who, action=action, purpose=purpose)
        return outcome([permit()] if granted else [], asked=asked, broken=emergency() if broken else None)

    with_scopes, without = decided(Reach(parts=parts)), decided(None)
    if isinstance(with_scopes, Permit):
        assert with_scopes == without
