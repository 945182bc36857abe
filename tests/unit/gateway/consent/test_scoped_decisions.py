"""A bearer token's scopes only take away: with any of them nothing is permitted that is not permitted without."""

import pytest

from gateway.consent.model import Action, Purpose
from gateway.consent.policy import may_concern, reaches
from gateway.identity.model import Reach
from tests.unit.gateway.consent.cases import (
    DOCTOR,
    NOW,
    as_of,
    doctor,
    emergency,
    epochs,
    facts,
    outcome,
    owner,
    permit,
    request,
    told,
)

ALL = Reach(parts=frozenset((action.value, purpose.value, "*") for action in Action for purpose in Purpose))
NONE = Reach(parts=frozenset())
REFUSED = "no: the token's scopes do not reach this"


def only(*parts: tuple[str, str, str]) -> Reach:
    return Reach(parts=frozenset(parts))


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


@pytest.mark.parametrize("purpose", [Purpose.TREAT, Purpose.PATRQT, Purpose.ETREAT])
def test_what_patients_do_with_their_own_is_their_own_request(purpose: Purpose) -> None:
    """However they call it: a permit to the owner is one for PATRQT."""
    own = owner(reach=only(("READ", "PATRQT", "*")))
    assert told(outcome([], asked=request(own, purpose=purpose))) == "yes"
    others = owner(reach=only(("READ", "TREAT", "*"), ("READ", "ETREAT", "*")))
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


@pytest.mark.parametrize(
    ("reach", "concerned"),
    [
        (None, True),
        (ALL, True),
        (NONE, False),
        (only(("READ", "TREAT", "Condition")), True),
        (only(("WRITE", "TREAT", "*")), False),
        (only(("READ", "HOPERAT", "*")), False),
    ],
)
def test_whom_no_scope_lets_in_is_not_told_that_there_is_a_patient(reach: Reach | None, concerned: bool) -> None:
    asking = doctor(reach=reach)
    assert may_concern(asking, [permit()], epochs(), block_time=NOW, now=NOW) is concerned
    assert may_concern(owner(reach=reach), [], epochs(), block_time=NOW, now=NOW) is (reach in (None, ALL))


def test_custody_and_emergencies_concern_by_their_own_scopes() -> None:
    def kept(reach: Reach | None) -> bool:
        in_custody = epochs(controller=b"", custodian=DOCTOR)
        return may_concern(doctor(reach=reach), [], in_custody, block_time=NOW, now=NOW)

    def broken(reach: Reach | None) -> bool:
        return may_concern(doctor(reach=reach), [], epochs(), emergency(), block_time=NOW, now=NOW)

    assert [kept(one) for one in (None, ALL, NONE, only(("WRITE", "TREAT", "*")), only(("READ", "TREAT", "*")))] == [
        True, True, False, True, False,
    ]  # fmt: skip
    assert [broken(one) for one in (None, ALL, NONE, only(("READ", "ETREAT", "*")), only(("READ", "TREAT", "*")))] == [
        True, True, False, True, False,
    ]  # fmt: skip
