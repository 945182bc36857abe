"""What a researcher can ask for, and what is refused by its member."""

import json
from typing import Any

import pytest

from gateway import jsontext
from gateway.deid.profile import shipped
from gateway.errors import CallerError
from gateway.releases.request import parse_request

PEOPLE = {
    "resource": "Patient",
    "select": [{"column": [{"name": "person", "path": "getResourceKey()"}, {"name": "sex", "path": "gender"}]}],
}
PLAIN: dict[str, Any] = {
    "title": "Diabetes in New England",
    "purpose": "HRESCH",
    "dataUse": ["DUO:0000007=MONDO:0005148", "DUO:0000021"],
    "cohort": {"conditions": ["http://snomed.info/sct|44054006"]},
    "tables": {"people": PEOPLE},
    "profile": "safe-harbor",
    "format": "parquet",
    "days": 30,
}


def ask(**changes: Any) -> Any:
    return jsontext.loads(json.dumps({**PLAIN, **changes}).encode())


def test_a_request_is_named_by_what_it_says() -> None:
    made = parse_request(ask())
    assert (made.title, made.days, [table.name for table in made.tables]) == (PLAIN["title"], 30, ["people"])
    assert made.profile is shipped("safe-harbor")
    assert parse_request(jsontext.loads(made.text)).digest == made.digest
    assert parse_request(ask(days=31)).digest != made.digest


def test_a_profile_may_stand_in_the_request() -> None:
    whole = json.loads(shipped("expert-determination").text)
    assert parse_request(ask(profile=whole)).profile.digest == shipped("expert-determination").digest


def test_a_study_may_be_asked_in_for_its_purpose_alone() -> None:
    made = parse_request(ask(purpose="CLINTRCH", study="5d" * 32))
    assert made.study == bytes.fromhex("5d" * 32)
    assert parse_request(jsontext.loads(made.text)).digest == made.digest
    assert parse_request(ask()).study is None
    assert b"study" not in parse_request(ask()).text


VIEW = {"resource": "Observation", "select": [{"column": [{"name": "person", "path": "subject.getReferenceKey()"}]}]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, ("dataset", "title")),
        ({"title": "a\nb"}, ("dataset", "title")),
        ({"purpose": "TREAT"}, ("dataset", "purpose")),
        ({"dataUse": []}, ("dataset", "dataUse")),
        ({"dataUse": [1]}, ("dataset", "dataUse")),
        ({"dataUse": ["DUO:0000021"]}, ("dataset", "dataUse")),
        ({"cohort": {"zip": "x"}}, ("dataset", "cohort", "zip")),
        ({"tables": {}}, ("dataset", "tables")),
        ({"tables": {"values": VIEW}}, ("dataset", "tables")),
        ({"tables": {"People": PEOPLE}}, ("dataset", "tables", "People")),
        ({"tables": {"people": PEOPLE, "doctors": {**VIEW, "resource": "Practitioner"}}},
         ("dataset", "tables", "doctors", "resource")),
        ({"profile": "none"}, ("dataset", "profile")),
        ({"profile": {}}, ("profile", "profile")),
        ({"format": "csv"}, ("dataset", "format")),
        ({"days": 0}, ("dataset", "days")),
        ({"days": True}, ("dataset", "days")),
        ({"more": 1}, ("dataset", "more")),
        ({"study": "5d" * 32}, ("dataset", "purpose")),
        ({"purpose": "CLINTRCH", "study": None}, ("dataset", "study")),
        ({"purpose": "CLINTRCH", "study": "5D" * 32}, ("dataset", "study")),
        ({"purpose": "CLINTRCH", "study": "5d" * 31}, ("dataset", "study")),
        ({"purpose": "CLINTRCH", "study": 5}, ("dataset", "study")),
    ],
)  # fmt: skip
def test_a_bad_request_is_refused_by_its_member(changes: dict[str, Any], field: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refused:
        parse_request(ask(**changes))
    assert refused.value.field == field


def test_an_unknown_path_of_a_view_is_named() -> None:
    view = {**VIEW, "select": [{"column": [{"name": "x", "path": "subject.madeUp()"}]}]}
    with pytest.raises(CallerError) as refused:
        parse_request(ask(tables={"people": PEOPLE, "values": view}))
    assert refused.value.field is not None
    assert refused.value.field[:3] == ("dataset", "tables", "values")
    assert refused.value.field[-1] == "path"


@pytest.mark.parametrize("member", sorted(PLAIN))
def test_a_missing_member_of_a_request_is_named(member: str) -> None:
    value = ask()
    del value[member]
    with pytest.raises(CallerError) as refused:
        parse_request(value)
    assert refused.value.field == ("dataset", member)
