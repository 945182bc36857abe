"""Criteria as they are declared: what can be asked, and what is refused."""

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import rfc8785

from gateway import jsontext
from gateway.errors import CallerError
from gateway.trials.recruitment.criteria import read_criteria
from gateway.trials.recruitment.matching import screening
from gateway.trials.recruitment.model import About, Measured

HAS = {"in": "conditions", "codes": ["s|c"]}
LAB_FROM = b'{"inclusion": [{"text": "x", "lab": {"code": "s|c", "from": %s, "to": 1E2, "unit": "%%"}}]}'
LAB = {"code": "s|c", "from": 1, "unit": "%"}


def declared(**condition: Any) -> dict[str, Any]:
    return {"inclusion": [{"text": "x"} | condition]}


def test_criteria_are_named_by_their_canonical_form() -> None:
    told = declared(age={"to": 65, "from": 18})
    assert read_criteria(told).digest == hashlib.sha256(rfc8785.dumps(told)).digest()


def test_a_number_is_what_was_written() -> None:
    told = jsontext.loads(
        b'{"inclusion": [{"text": "x", "lab": {"code": "s|c", "from": 0.10, "to": 1E2, "unit": "%"}}]}'
    )
    (one,) = read_criteria(told).inclusion
    assert isinstance(one.condition, Measured)
    assert str(one.condition.least) == "0.10"
    assert one.condition.most == Decimal(100)


@pytest.mark.parametrize("about", About)
@pytest.mark.parametrize(
    "codes",
    [
        [f"s{number % 8}|{number}" for number in range(64)],
        [f"{'h' * 127}{number % 8}|{'c' * 126}{number:02}" for number in range(64)],
        ["!&()#$%*+,-./:;<=>?@[]^_`{}~|!&()#$%*+,-./:;<=>?@[]^_`{}~"],
    ],
    ids=["many", "long", "signs"],
)
def test_the_largest_criteria_have_an_expression(about: About, codes: list[str]) -> None:
    told = declared(has={"in": about.value, "codes": codes, "withinDays": 36_600})
    assert len(screening(read_criteria(told), today=date(2024, 2, 29)).asked) == 1


@pytest.mark.parametrize("today", [date.min, date.max, date(2024, 2, 29)])
def test_every_day_of_the_calendar_can_be_today(today: date) -> None:
    most = {"from": -99_999_999_999_999, "to": 99_999_999_999_999, "unit": "'" * 64, "withinDays": 36_600}
    asked = [declared(age={"from": 0, "to": 150}), declared(lab={"code": f"{'s' * 128}|{'c' * 128}"} | most)]
    for told in asked:
        assert len(screening(read_criteria(told), today=today).asked) == 1


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ([], ()),
        ({}, ()),
        ({"inclusion": [], "exclusion": []}, ()),
        ({"inclusions": []}, ("inclusions",)),
        ({"inclusion": [{"text": "x", "age": {"from": 1}}] * 61}, ("inclusion",)),
        ({"exclusion": [{"text": " ", "age": {"from": 1}}]}, ("exclusion", "0", "text")),
        (declared(), ("inclusion", "0")),
        (declared(age={"from": 1}, sex=["male"]), ("inclusion", "0")),
        (declared(blood="A"), ("inclusion", "0", "blood")),
        (declared(age={}), ("inclusion", "0", "age")),
        (declared(age={"from": 66, "to": 65}), ("inclusion", "0", "age")),
        (declared(age={"from": 151}), ("inclusion", "0", "age", "from")),
        (declared(age={"from": True}), ("inclusion", "0", "age", "from")),
        (declared(sex=[]), ("inclusion", "0", "sex")),
        (declared(sex=["unknown"]), ("inclusion", "0", "sex")),
        (declared(has=HAS | {"in": "claims"}), ("inclusion", "0", "has", "in")),
        (declared(has={"in": "conditions"}), ("inclusion", "0", "has", "codes")),
        (declared(has=HAS | {"codes": ["c"]}), ("inclusion", "0", "has", "codes", "0")),
        (declared(has=HAS | {"codes": ["s|c' or true or '"]}), ("inclusion", "0", "has", "codes", "0")),
        (declared(has=HAS | {"codes": ["s|c"] * 65}), ("inclusion", "0", "has", "codes")),
        (declared(has=HAS | {"codes": [f"{one}|c" for one in range(9)]}), ("inclusion", "0", "has", "codes")),
        (declared(has=HAS | {"withinDays": 0}), ("inclusion", "0", "has", "withinDays")),
        (declared(hasNot=HAS | {"silence": "yes"}), ("inclusion", "0", "hasNot", "silence")),
        (declared(lab={"code": "s|c", "unit": "%"}), ("inclusion", "0", "lab")),
        (declared(lab=LAB | {"unit": ""}), ("inclusion", "0", "lab", "unit")),
        (declared(lab=LAB | {"code": 7}), ("inclusion", "0", "lab", "code")),
        (declared(lab=LAB | {"to": "7"}), ("inclusion", "0", "lab", "to")),
        (declared(lab=LAB | {"to": 10**15}), ("inclusion", "0", "lab", "to")),
        (declared(lab=LAB | {"to": 0}), ("inclusion", "0", "lab")),
        (declared(fhirpath=""), ("inclusion", "0", "fhirpath")),
        (declared(fhirpath="x" * 2_001), ("inclusion", "0", "fhirpath")),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_what_cannot_be_asked_is_refused_by_name(told: Any, place: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refusal:
        read_criteria(told)
    assert refusal.value.field == ("criteria", *place)


@pytest.mark.parametrize("number", [b"1e999999", b"1e-999999", b"-1e999", b"NaN"])
def test_a_number_without_end_is_refused(number: bytes) -> None:
    with pytest.raises(CallerError):
        read_criteria(jsontext.loads(LAB_FROM % number))
