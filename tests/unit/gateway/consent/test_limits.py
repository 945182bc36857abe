"""What a delegate may consent to: one text for it, one hash, and nothing outside."""

from dataclasses import replace
from typing import Any

import pytest

from gateway import jsontext
from gateway.consent import limits
from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, NO_END, Action, Grant, Limits, Mandate, Purpose
from gateway.consent.wording import delegation_statement
from gateway.errors import CallerError, IntegrityError
from gateway.ids import ActorId
from tests.unit.gateway.consent.cases import DAY, DOCTOR, NOW, OTHER_PATIENT, PATIENT, deny, doctor, permit

DELEGATE = ActorId(b"\x13" * 32)
KEY = b"\x0d" * 20


def some(**changes: Any) -> Limits:
    """READ for TREAT, observations, nothing sensitive, for a day."""
    plain: dict[str, Any] = {
        "subject": PATIENT,
        "actor": DELEGATE,
        "actions": (Action.READ,),
        "purposes": (Purpose.TREAT,),
        "resource_types": ("Observation",),
        "labels": (),
        "denies": False,
        "permits_until": NOW + DAY,
        "lists": False,
        "salt": b"\x77" * 32,
    }
    return Limits(**{**plain, **changes})


def test_what_was_written_is_read_and_one_octet_more_is_not() -> None:
    octets = limits.written(some(labels=("HIV",), denies=True, lists=True))
    assert limits.read(octets) == some(labels=("HIV",), denies=True, lists=True)
    for other in (octets + b" ", b" " + octets, octets.replace(b'"lists":true', b'"lists": true'), octets[:-1]):
        with pytest.raises(IntegrityError):
            limits.read(other)


def test_the_same_limits_under_another_salt_have_another_hash() -> None:
    one, other = (limits.commitment(limits.written(some(salt=salt * 32))) for salt in (b"\x01", b"\x02"))
    assert (one != other, len(one)) == (True, 32)


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "0x11"},
        {"actor": "0x" + "AB" * 32},
        {"subject": "ab" * 32},
        {"salt": 7},
        {"kind": "guardians"},
        {"permitsUntil": 1.5},
        {"permitsUntil": "1"},
        {"actions": ["SHOW"]},
        {"purposes": "TREAT"},
        {"denies": 1},
        {"more": True},
    ],
    ids=str,
)
def test_what_is_not_of_their_form_is_refused(change: dict[str, Any]) -> None:
    value: Any = jsontext.loads(limits.written(some()))
    octets = jsontext.canonical({**value, **change})
    with pytest.raises(IntegrityError):
        limits.read(octets)
    with pytest.raises(CallerError) as refused:
        limits.given({**value, **change}, hashed=limits.commitment(octets))
    assert refused.value.field == ("limits",)


@pytest.mark.parametrize("name", ["actor", "salt", "lists", "permitsUntil"])
def test_no_member_is_left_out(name: str) -> None:
    value: Any = jsontext.loads(limits.written(some()))
    del value[name]
    with pytest.raises(IntegrityError):
        limits.read(jsontext.canonical(value))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"actions": ()}, "actions"),
        ({"actions": (Action.READ, Action.READ)}, "actions"),
        ({"purposes": ()}, "purposes"),
        ({"purposes": (Purpose.TREAT, Purpose.TREAT)}, "purposes"),
        ({"resource_types": ("",)}, "resourceTypes"),
        ({"labels": ("a\nb",)}, "labels"),
        ({"permits_until": NOW + DAY + 1}, "permitsUntil"),
        ({"permits_until": -1}, "permitsUntil"),
    ],
    ids=str,
)
def test_what_no_limits_may_be_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    limits.check(some(), not_after=NOW + DAY)
    with pytest.raises(CallerError) as refused:
        limits.check(some(**changes), not_after=NOW + DAY)
    assert refused.value.field == (field,)


OBSERVATIONS = {"resource_types": ("Observation",)}
ROWS = [
    ("the same", {}, permit(**OBSERVATIONS), None),
    ("fewer kinds than two", {"resource_types": ("Observation", "Condition")}, permit(**OBSERVATIONS), None),
    ("of every kind, some", {"resource_types": ()}, permit(**OBSERVATIONS), None),
    ("of every kind, every", {"resource_types": ()}, permit(), None),
    ("every kind of one", {}, permit(), "resourceTypes"),
    ("another kind", {}, permit(resource_types=("Observation", "Condition")), "resourceTypes"),
    ("another patient's", {}, permit(**OBSERVATIONS, subject=OTHER_PATIENT), "subject"),
    ("one action more", {}, permit(**OBSERVATIONS, actions=("READ", "WRITE")), "actions"),
    ("one purpose more", {}, permit(**OBSERVATIONS, purposes=("TREAT", "HPAYMT")), "purposes"),
    ("of two purposes one", {"purposes": (Purpose.TREAT, Purpose.HPAYMT)}, permit(**OBSERVATIONS), None),
    ("a label", {}, permit(**OBSERVATIONS, labels=("HIV",)), "labels"),
    ("a label that is let", {"labels": ("HIV", "PSY")}, permit(**OBSERVATIONS, labels=("HIV",)), None),
    ("to the very end", {"permits_until": NOW}, permit(**OBSERVATIONS, not_after=NOW), None),
    ("a second more", {"permits_until": NOW}, permit(**OBSERVATIONS, not_after=NOW + 1), "notAfter"),
    ("the delegate themselves", {}, permit(**OBSERVATIONS, grantee=DELEGATE), "grantee"),
    ("a deny", {}, deny(**OBSERVATIONS), "effect"),
    ("a deny that is let", {"denies": True}, deny(**OBSERVATIONS), None),
    ("one without an end", {"denies": True, "permits_until": NOW}, deny(**OBSERVATIONS, not_after=NO_END), None),
    ("one for anyone", {"denies": True}, deny(**OBSERVATIONS, grantee=ANYONE), None),
    ("one of a label", {"denies": True}, deny(**OBSERVATIONS, labels=("HIV",)), None),
    ("one of every kind", {"denies": True}, deny(), "resourceTypes"),
    ("one for emergencies", {"denies": True}, deny(**OBSERVATIONS, purposes=("ETREAT",)), "purposes"),
]


@pytest.mark.parametrize(("sentence", "changes", "grant", "outside"), ROWS, ids=[row[0] for row in ROWS])
def test_what_lies_outside_is_named(sentence: str, changes: dict[str, Any], grant: Grant, outside: str | None) -> None:
    assert limits.exceeded(some(**changes), grant.terms) == outside


@pytest.mark.parametrize(
    ("asking", "block_time", "now", "acts"),
    [
        ({}, NOW, NOW, True),
        ({}, NOW, NOW + 9, True),
        ({}, NOW, NOW + 10, False),
        ({}, NOW + 10, NOW, False),
        ({}, NOW - DAY, NOW + 10, False),
        ({"key": b"\x0e" * 20}, NOW, NOW, False),
        ({"actor": DOCTOR}, NOW, NOW, False),
    ],
)
def test_a_delegate_acts_by_their_key_and_name_until_the_end_by_every_clock(
    asking: dict[str, Any], block_time: int, now: int, acts: bool
) -> None:
    mandate = Mandate(number=1, signer=KEY, not_after=NOW + 10, limits=some())
    requester = doctor(**{"actor": DELEGATE, "key": KEY, **asking})
    assert bool(limits.held_by(requester, (mandate,), block_time=block_time, now=now)) is acts


def test_the_statement_quotes_what_others_chose_the_words_of() -> None:
    said = some(resource_types=("They may forbid, too.",), labels=("HIV",))
    words = delegation_statement(said, 'Eve". They see my consents', not_after=NOW)
    assert '"They may forbid, too."' in words
    assert '"Eve\\". They see my consents"' in words
    assert "They may not forbid." in words
    assert "They see of my consents what they signed." in words
    assert "No sensitive records." in delegation_statement(replace(said, labels=()), None, not_after=NOW)


@pytest.mark.parametrize("language", Language)
def test_each_language_says_all_of_a_delegation(language: Language) -> None:
    said = some(resource_types=("Observation",), labels=("HIV",))
    words = [
        delegation_statement(replace(said, denies=denies, lists=lists), "{Ada}", not_after=NOW, language=language)
        for denies in (False, True)
        for lists in (False, True)
    ]
    assert len(set(words)) == 4
    for each in words:
        assert all(part in each for part in ('"{Ada}" (0x', "Observation", "HIV", "2027-01-15T08:00:00Z"))
