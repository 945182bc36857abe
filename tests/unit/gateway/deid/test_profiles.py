"""Profiles: what ships, what is refused, and that each departure must be named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.deid.profile import SHIPPED, check_departures, parse_profile, shipped
from gateway.errors import CallerError

ROOT = Path(__file__).resolve().parents[4]


def changed(**members: Any) -> Any:
    return jsontext.loads(json.dumps({**json.loads(shipped("safe-harbor").text), **members}).encode())


def test_the_catalogue_is_made_from_the_definitions() -> None:
    command = [sys.executable, "-m", "gateway.adapters.fhir_schema.catalogue"]
    made = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    assert made.stdout == (ROOT / "gateway" / "deid" / "catalogue.json").read_bytes()


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_departs_in_nothing_and_is_named_by_its_content(name: str) -> None:
    profile = shipped(name)
    assert (profile.departures, profile.anonymity.k, profile.name) == ((), 11, name)
    check_departures(profile, ())
    assert parse_profile(jsontext.loads(profile.text)).digest == profile.digest


def test_what_ships_stays_what_stewards_approved() -> None:
    """A request names a shipped profile by its name, and a release is built on it for as long as it lasts: what is to
    be otherwise ships under another name."""
    assert {name: shipped(name).digest.hex() for name in SHIPPED} == {
        "safe-harbor": "f1f3ca3bcb1cca01e74c4653bc10dd2278f35b8d70ca760a8fae64d17ae7a95d",
        "expert-determination": "530679b92a501016cdbbf00132c4a576be8dacb18d0c420d55b5423301c2e9b5",
    }


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"keep": ["Patient.identifier"]}, ("keep.Patient.identifier",)),
        ({"keep": ["Patient.name", "Observation.note"]}, ("keep.Observation.note", "keep.Patient.name")),
        ({"zip": {"peopleOver": 100}}, ("zip.peopleOver",)),
        ({"anonymity": {"k": 5, "l": 1, "t": 1, "suppressedMost": 0.2}}, ("anonymity.k", "anonymity.l", "anonymity.t")),
    ],
)
def test_a_departure_must_be_named_by_the_steward(members: dict[str, Any], named: tuple[str, ...]) -> None:
    profile = parse_profile(changed(**members))
    assert set(profile.departures) == set(named)
    with pytest.raises(CallerError) as refused:
        check_departures(profile, named[1:])
    assert refused.value.field == ("profile", min(named[:1]))
    check_departures(profile, named)


def test_what_is_no_departure_cannot_be_named() -> None:
    with pytest.raises(CallerError) as refused:
        check_departures(shipped("safe-harbor"), ["keep.Patient.name"])
    assert refused.value.field == ("overrides", "keep.Patient.name")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"dates": "day"}, ("profile", "dates")),
        ({"profile": "Safe Harbor"}, ("profile", "profile")),
        ({"basis": ""}, ("profile", "basis")),
        ({"catalogue": "00"}, ("profile", "catalogue")),
        ({"zip": {"peopleOver": -1}}, ("profile", "zip", "peopleOver")),
        ({"zip": {}}, ("profile", "zip")),
        ({"zip": 5}, ("profile", "zip")),
        ({"anonymity": {"k": 0, "l": 2, "t": 0.5, "suppressedMost": 0.2}}, ("profile", "anonymity", "k")),
        ({"anonymity": {"k": True, "l": 2, "t": 0.5, "suppressedMost": 0.2}}, ("profile", "anonymity", "k")),
        ({"anonymity": {"k": 11, "l": 2, "t": 2, "suppressedMost": 0.2}}, ("profile", "anonymity", "t")),
        ({"resources": {"Practitioner": "all"}}, ("profile", "resources", "Practitioner")),
        ({"resources": {"Patient": ["name"]}}, ("profile", "resources", "Patient", "name")),
        ({"resources": {"Patient": []}}, ("profile", "resources", "Patient")),
        ({"keep": "Patient.name"}, ("profile", "keep")),
        ({"keep": ["Practitioner.name"]}, ("profile", "keep", "Practitioner.name")),
        ({"keep": ["name"]}, ("profile", "keep", "name")),
        ({"more": 1}, ("profile", "more")),
    ],
)
def test_a_bad_profile_is_refused_by_member(members: dict[str, Any], field: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as refused:
        parse_profile(changed(**members))
    assert refused.value.field == field


@pytest.mark.parametrize("member", ["profile", "dates", "zip", "anonymity", "resources", "keep"])
def test_a_missing_member_is_named(member: str) -> None:
    value = changed()
    del value[member]
    with pytest.raises(CallerError) as refused:
        parse_profile(value)
    assert refused.value.field == ("profile", member)


def test_resources_and_elements_that_are_not_listed_stay() -> None:
    from gateway.deid.resources import Deidentifier
    from tests.unit.gateway.deid.people import person

    profile = parse_profile(changed(resources={"Patient": ["gender"]}, keep=["Patient.identifier"]))
    told: Any = {"resourceType": "Patient", "gender": "male", "birthDate": "1980-01-01", "identifier": [{"value": "7"}]}
    left = Deidentifier(profile).apply(told, person(profile, told), id="x")
    assert left == {"resourceType": "Patient", "id": "x", "gender": "male", "identifier": [{"value": "7"}]}
    assert Deidentifier(profile).apply({"resourceType": "Observation"}, person(profile), id="x") is None
