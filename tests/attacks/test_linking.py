"""Re-identification tried: who has the whole source tries to say which of the released people is whom.

The attacker knows everybody's quasi-identifiers exactly (day of birth, ZIP code, …), who is in the release, the rules,
the profile and all that left; not the release's keys. Their best chance of being right is one of those who are alike.

Not promised, and told as figures: who knows when somebody had each of their diagnoses as well finds the row that has
them, and again in a second release; two releases of which one lacks a single person tell, subtracted, what that person
has. No assembly knows of another: who gives releases out must not give out two that differ by fewer than k people.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.deid.assembly import PersonRows, Verdict
from gateway.deid.catalogue import catalogue
from gateway.deid.cells import ColumnKind
from gateway.deid.dates import DateRule, pooled_year_of
from gateway.deid.places import FEW, populations
from gateway.deid.profile import SHIPPED, Profile, shipped
from gateway.deid.pseudonyms import pseudonym
from gateway.deid.resources import Deidentifier
from gateway.deid.tables import Table, make_table
from gateway.deid.views import parse_view
from gateway.deid.views.selects import Row
from tests.unit.gateway.deid import releases
from tests.unit.gateway.deid.people import TODAY, bundles
from tests.unit.gateway.deid.releases import TYPES, US_CORE, VIEWS, assemble, rows_of

Tree = dict[str, Any]
Told = tuple[Any, ...]
PATHS = {
    "Patient": VIEWS["people"][1],
    "Condition": {**VIEWS["conditions"][1], "record": "getResourceKey()", "visit": "encounter.getReferenceKey()"},
}
PATIENTS = 160
ALONE = 4
"""People of whom each is left out once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`left`: subject's number -> what left of them, of those of whom anything did."""

    tables: Sequence[Table]
    left: Mapping[int, Sequence[Sequence[Row]]]
    verdict: Verdict

    @property
    def classes(self) -> Counter[Told]:
        return Counter(map(described, self.left.values()))


@cache
def source(shared_data: Path) -> list[list[Tree]]:
    return [[one for one in some if one["resourceType"] in PATHS] for some in bundles(shared_data, most=PATIENTS)]


@cache
def tables(profile_name: str) -> list[Table]:
    made = []
    for kind, paths in PATHS.items():
        columns = [{"name": name, "path": path, "type": TYPES.get(name, "string")} for name, path in paths.items()]
        view = {"resource": kind, "select": [{"column": columns}]}
        parsed = parse_view(view, field=(), types=set(catalogue().resources))
        made.append(make_table(kind.lower(), parsed, shipped(profile_name), field=()))
    return made


@cache
def spooled(shared_data: Path, name: str, key: bytes) -> list[PersonRows]:
    profile = shipped(name)
    wanted, deidentifier = tables(name), Deidentifier(profile)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(releases, "KEY", key)
        patch.setattr(releases, "SHIFT_KEY", key)
        return [
            rows_of(resources, profile, wanted, deidentifier, number.to_bytes(32, "big"))
            for number, resources in enumerate(source(shared_data))
        ]


@cache
def release(shared_data: Path, name: str, key: bytes = b"1" * 32, without: int | None = None) -> Release:
    spool = [rows for number, rows in enumerate(spooled(shared_data, name, key)) if number != without]
    left, verdict = assemble(spool, shipped(name), tables(name))
    owners = {pseudonym(key, "Patient", number.to_bytes(32, "big")): number for number in range(len(spool) + 1)}
    return Release(tables=tables(name), left={owners[str(one[0][0][0])]: one for one in left}, verdict=verdict)


def described(person: Sequence[Sequence[Row]]) -> Told:
    """As the table of people has them, but their name."""
    return person[0][0][1:]


def diagnoses(person: Sequence[Sequence[Row]]) -> set[Any]:
    return {row[1] for row in person[1]} - {None}


def history(person: Sequence[Sequence[Row]]) -> Told:
    """Their description and dated diagnoses, in a form that no shift changes: days from the first, or years as they
    are."""
    dated = [(row[1], str(row[2])) for row in person[1] if row[1] is not None and row[2] is not None]
    if all(len(day) == 10 for _, day in dated):
        days = [(code, date.fromisoformat(day).toordinal()) for code, day in dated]
        first = min((day for _, day in days), default=0)
        return described(person), *sorted((code, day - first) for code, day in days)
    return described(person), *sorted(dated)


# What is known of somebody, and whether it can be what is told


def known_of(patient: Tree, profile: Profile) -> list[set[str]]:
    """What each column of the people may hold of them, before it is generalized."""
    address = patient["address"][0]
    digits = address.get("postalCode", "")[:3]
    zipped = digits if populations().get(digits, 0) > FEW else "000"
    died, spread = patient.get("deceasedDateTime"), int(profile.dates is DateRule.SHIFT)
    pooled = pooled_year_of(patient["birthDate"], died, today=TODAY)
    year = int(patient["birthDate"][:4]) if pooled is None else pooled
    # What stands for the birth of one over 89 is only of the day of a death moved with that.
    spread = 0 if pooled is not None and died is None else spread
    years = set(range(year - spread, year + spread + 1))
    return [
        {patient["gender"]},
        set(map(str, years)),
        {"MA"},
        {zipped} if address.get("postalCode") else {""},
        {patient.get("maritalStatus", {}).get("coding", [{}])[0].get("code", "")},
        {_group(patient, "race")},
        {_group(patient, "ethnicity")},
    ]


def _group(patient: Tree, name: str) -> str:
    found = (one for one in patient.get("extension", ()) if one["url"] == f"{US_CORE}{name}")
    inner = (one for whole in found for one in whole["extension"] if one["url"] == "ombCategory")
    return next((str(one["valueCoding"]["code"]) for one in inner), "")


def can_be(told: Told, known: Sequence[set[str]]) -> bool:
    return all(any(_covers(str(cell), one) for one in may) for cell, may in zip(told, known, strict=True))


def _covers(told: str, value: str) -> bool:
    if (band := re.fullmatch("([0-9]{4})-([0-9]{4})", told)) is not None:
        return value.isdigit() and int(band[1]) <= int(value) <= int(band[2])
    return told in (value, "*") or (told.endswith("*") and value.startswith(told.rstrip("*")))


# Attempts


@pytest.mark.parametrize("name", SHIPPED)
def test_nobody_is_found_more_often_than_one_time_in_k(shared_data: Path, name: str) -> None:
    profile, told = shipped(name), release(shared_data, name)
    classes, chances = told.classes, []
    for number, person in told.left.items():
        patient = next(one for one in source(shared_data)[number] if one["resourceType"] == "Patient")
        may = known_of(patient, profile)
        candidates = sum(people for row, people in classes.items() if can_be(row, may))
        # Somebody whose own row is none of the candidates would be found by nobody for a wrong reason.
        assert can_be(described(person), may), number
        chances.append(1 / candidates)
    print(f"{name}: of {len(chances)} people the best chance is {max(chances):.4f}, the mean {_mean(chances):.4f}")
    assert told.verdict.measures.k >= 11
    assert max(chances) <= 1 / told.verdict.measures.k
    found = sum(count == 1 for count in Counter(map(history, told.left.values())).values())
    print(f"{name}: who knows when they had each diagnosis finds {found} of {len(told.left)}; that is not promised")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize("name", SHIPPED)
def test_two_releases_of_the_same_people_share_no_name(shared_data: Path, name: str) -> None:
    one, other = (release(shared_data, name, key) for key in (b"1" * 32, b"2" * 32))
    keys = [_keys(each) for each in (one, other)]
    assert min(map(len, keys)) > 1000
    shared = keys[0] & keys[1]
    linked = sum(bool(_keys_of(one, number) & _keys_of(other, number)) for number in one.left)
    print(f"{name}: {len(shared)} names in common, {linked} of {len(one.left)} people linked by them")
    assert (shared, linked) == (set(), 0)
    again = [{history(person): number for number, person in each.left.items()} for each in (one, other)]
    same = sum(again[1].get(row) == number for row, number in again[0].items())
    print(f"{name}: {same} of {len(one.left)} known again by when they had each diagnosis; that is not promised")


def _keys(told: Release) -> set[str]:
    return set().union(*(_keys_of(told, number) for number in told.left))


def _keys_of(told: Release, number: int) -> set[str]:
    return {
        str(cell)
        for table, rows in zip(told.tables, told.left[number], strict=True)
        for row in rows
        for cell, kind in zip(row, table.kinds, strict=True)
        if kind is ColumnKind.KEY
    }


def test_a_release_without_somebody_holds_no_smaller_class(shared_data: Path) -> None:
    """Both are as good as the profile asks; what their difference tells is counted, and is much."""
    name = "safe-harbor"
    whole = release(shared_data, name)
    told: Counter[str] = Counter()
    for number in sorted(whole.left)[:: len(whole.left) // ALONE][:ALONE]:
        less = release(shared_data, name, b"2" * 32, number)
        assert less.verdict.failed == ()
        assert min(less.classes.values()) >= 11
        assert min(whole.classes.values()) >= 11
        person = whole.left[number]
        told["asked about"] += 1
        told["whose class is one less"] += whole.classes - less.classes == Counter({described(person): 1})
        told["diagnoses"] += len(diagnoses(person))
        told["diagnoses told"] += len(_subtracted(whole, less) & diagnoses(person))
        told["diagnoses told wrongly"] += len(_subtracted(whole, less) - diagnoses(person))
    print(f"{name}: what two releases tell of whom one lacks: {dict(told)}")


def _subtracted(whole: Release, less: Release) -> set[Any]:
    """Diagnoses that more people have in the one than in the other, among those who are alike."""
    counts = [
        Counter((described(person), code) for person in told.left.values() for code in diagnoses(person))
        for told in (whole, less)
    ]
    return {code for _, code in counts[0] - counts[1]}
