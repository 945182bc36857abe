"""Re-identification: what leaves is matched against the very people that it is of, by all that a neighbour may know.

The attacker has every source record, knows the rules and the profile, and looks for each released row among all people.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.deid.cells import ColumnKind
from gateway.deid.profile import SHIPPED, Profile, shipped
from gateway.deid.resources import Deidentifier
from gateway.deid.tables import Table, make_table
from gateway.deid.views import parse_view
from tests.unit.gateway.deid.people import TODAY, bundles
from tests.unit.gateway.deid.releases import VIEWS, assemble, rows_of, spool, tables

NAME = "Schwarzenegger"
WORDS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def matches(told: Any, known: Any) -> bool:
    """Whether a generalized value can be that of somebody of whom the attacker knows this."""
    if told == "*":
        return True
    if (band := re.fullmatch(r"([0-9]{4})-([0-9]{4})", str(told))) is not None:
        # Of a shifted birth date the attacker knows that it was moved by a year at most.
        return int(band[1]) - 1 <= int(known) <= int(band[2]) + 1
    if isinstance(told, str) and told.endswith("*"):
        return isinstance(known, str) and known.startswith(told.rstrip("*"))
    return told == ("" if known is None else known)


@pytest.fixture(scope="module", params=SHIPPED)
def profile(request: pytest.FixtureRequest) -> Profile:
    return shipped(request.param)


@pytest.fixture(scope="module")
def release(shared_data: Path, profile: Profile) -> Any:
    people = spool(shared_data, profile, most=439)
    return people, *assemble(people, profile)


def test_a_release_of_all_reaches_the_profiles_bar(release: Any, profile: Profile) -> None:
    people, left, verdict = release
    assert len(people) == 439
    assert verdict.failed == ()
    assert verdict.measures.k >= 11
    assert verdict.measures.diversity >= 2
    assert verdict.measures.t <= 0.5
    assert verdict.people - verdict.suppressed == verdict.measures.people == len(left)
    assert verdict.rows == tuple(sum(len(person[at]) for person in left) for at in range(len(VIEWS)))


def test_nothing_that_left_is_of_fewer_than_k(release: Any, profile: Profile) -> None:
    _, left, _ = release
    for at, table in enumerate(tables(profile)):
        for column, kind in enumerate(table.kinds):
            if kind in (ColumnKind.VALUE, ColumnKind.QUASI):
                counts: Counter[Any] = Counter()
                for person in left:
                    counts.update({row[column] for row in person[at]} - {None})
                assert min(counts.values()) >= 11, (table.name, table.view.columns[column].name)


def test_rows_of_one_person_share_their_name_and_no_two_people_do(release: Any) -> None:
    _, left, _ = release
    names = [{row[0] for table in person for row in table} for person in left]
    assert {len(one) for one in names} == {1}
    assert len(set().union(*names)) == len(left)


def test_everybody_who_left_has_eleven_to_hide_among(shared_data: Path, release: Any) -> None:
    _, left, _ = release
    # As a neighbour knows them, but that nobody is told to be over 89: that rule is public, and applied to them, too.
    known = _neighbours(shared_data)
    told = Counter(row[1:] for person in left for row in person[0])
    candidates = {row: sum(all(map(matches, row, one)) for one in known) for row in told}
    assert sum(told.values()) == len(left)
    assert all(candidates[row] >= max(11, count) for row, count in told.items())


@cache
def _neighbours(shared_data: Path) -> list[list[Any]]:
    profile = shipped("safe-harbor")
    wanted, deidentifier = tables(profile), Deidentifier(profile)
    return [_description(resources, wanted, deidentifier) for resources in bundles(shared_data, most=439)]


def _description(resources: list[dict[str, Any]], wanted: list[Table], deidentifier: Deidentifier) -> list[Any]:
    """What a neighbour knows, in the order of the table of people."""
    patient = next(one for one in resources if one["resourceType"] == "Patient")
    rows = rows_of([patient], shipped("safe-harbor"), wanted, deidentifier, b"")
    told = list(rows[0][0][1:])
    born, died = patient["birthDate"], patient.get("deceasedDateTime")
    oldest = min(TODAY.year, int(died[:4]) if died else TODAY.year) - 90
    told[1] = str(max(int(born[:4]), oldest) if told[1] == str(oldest) else int(born[:4]))
    return told


@pytest.mark.parametrize("name", SHIPPED)
def test_a_name_in_the_place_of_a_code_does_not_leave(shared_data: Path, name: str) -> None:
    """It passes for a code of a known system, and is of one patient alone."""
    profile = shipped(name)
    wanted, deidentifier = tables(profile), Deidentifier(profile)
    people = spool(shared_data, profile, most=100)
    (resources,) = bundles(shared_data, most=1)
    for resource in resources:
        if resource["resourceType"] in {kind for kind, _ in VIEWS.values()} - {"Patient"}:
            coding = {"system": WORDS, "code": NAME}
            resource["code"] = resource["medicationCodeableConcept"] = {"coding": [coding]}
            resource["valueQuantity"] = {"value": 1, "code": NAME, "system": "http://unitsofmeasure.org"}
            resource["clinicalStatus"] = {"coding": [coding]}
    people[0] = rows_of(resources, profile, wanted, deidentifier, b"\0" * 32)
    assert NAME in str(people[0])
    left, _ = assemble(people, profile)
    assert NAME not in str(left)


def test_no_two_releases_share_a_name_or_a_shift(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = shipped("expert-determination")
    releases = []
    for key in (b"1" * 32, b"2" * 32):
        monkeypatch.setattr("tests.unit.gateway.deid.releases.KEY", key)
        monkeypatch.setattr("tests.unit.gateway.deid.releases.SHIFT_KEY", key)
        releases.append(assemble(spool(shared_data, profile, most=60), profile)[0])
    one, other = ({row[0] for person in left for table in person for row in table} for left in releases)
    assert one
    assert not one & other
    moved = [Counter(row[1] for person in left for row in person[2]) for left in releases]
    assert moved[0] != moved[1]


def test_a_table_that_few_are_in_has_no_rows(shared_data: Path) -> None:
    """A view that asks for one rare thing, and shows nothing but who has it."""
    profile = shipped("safe-harbor")
    wanted = tables(profile)
    people = spool(shared_data, profile, most=60)
    code = next(row[1] for person in people for row in person[1])
    asked = {
        "resource": "Condition",
        "where": [{"path": f"code.coding.code.first() = '{code}'"}],
        "select": [{"column": [{"name": "person", "path": "subject.getReferenceKey()"}]}],
    }
    one = make_table("one", parse_view(asked, field=(), types={"Condition"}), profile, field=())
    who = [number for number, person in enumerate(people) if any(row[1] == code for row in person[1])]
    for few, rows in ((who[:10], 0), (range(11), 11)):
        told = [(*person[:1], [(person[0][0][0],)] if number in few else []) for number, person in enumerate(people)]
        left, _ = assemble(told, profile, [wanted[0], one])
        assert len(left) > 11
        assert sum(len(person[1]) for person in left) <= rows
