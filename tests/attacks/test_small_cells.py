"""Re-identification: what leaves is matched against the very people that it is of, by all that a neighbour may know.

The attacker has every source record, knows the rules and the profile, and looks for each released row among all people.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway import jsontext
from gateway.deid.cells import ColumnKind
from gateway.deid.profile import SHIPPED, Profile, parse_profile, shipped
from gateway.deid.resources import Deidentifier
from gateway.deid.tables import Table, make_table
from gateway.deid.views import parse_view
from tests.unit.gateway.deid.people import MOST, TODAY, bundles
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
    people = spool(shared_data, profile, most=MOST)
    return people, *assemble(people, profile)


def test_a_release_of_all_reaches_the_profiles_bar(release: Any, profile: Profile) -> None:
    people, left, verdict = release
    assert len(people) == MOST
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


def test_no_column_alone_fails_where_all_do_not(release: Any, profile: Profile) -> None:
    """As whoever gets the rows would measure each, by its own arithmetic."""
    _, left, verdict = release
    quasi = [person[0][0][1:] for person in left]
    measured = []
    for at, table in enumerate(tables(profile)):
        for column in table.sensitive:
            told = [{row[column] for row in person[at]} - {None} for person in left]
            whole = Counter(value for values in told for value in values)
            for one in set(quasi):
                mine = Counter(value for own, values in zip(quasi, told, strict=True) if own == one for value in values)
                if mine:
                    apart = sum(abs(mine[value] / mine.total() - whole[value] / whole.total()) for value in whole)
                    measured.append((len(mine), apart / 2))
    assert len(measured) > 20
    assert verdict.measures.diversity == min(kinds for kinds, _ in measured)
    assert verdict.measures.t == pytest.approx(max(t for _, t in measured), abs=1e-9)


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
    return [_description(resources, wanted, deidentifier) for resources in bundles(shared_data, most=MOST)]


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


# Views that ask for one rare thing in other ways

SNOMED = "http://snomed.info/sct"
DIABETES, ASTHMA, RARE = "44054006", "195967001", "86406008"
KEY = {"name": "person", "path": "subject.getReferenceKey()"}
CODE = {"name": "code", "path": "code.coding.code.first()"}
FEW = range(3)


def column(path: str, kind: str | None = None, name: str = "asked") -> dict[str, str]:
    return {"name": name, "path": path, **({"type": kind} if kind else {})}


def of(number: int) -> list[dict[str, Any]]:
    """Sixty who are alike; three of them have something rare, and are tall."""
    code = RARE if number in FEW else (DIABETES, ASTHMA)[number % 2]
    subject = {"reference": f"Patient/{number}"}
    return [
        {"resourceType": "Patient", "id": str(number), "gender": "female", "birthDate": "1980-01-01"},
        {"resourceType": "Condition", "subject": subject, "code": {"coding": [{"system": SNOMED, "code": code}]},
         "onsetDateTime": "2001-02-03"},
        {"resourceType": "Observation", "subject": subject,
         "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
         "valueQuantity": {"value": 250 + number if number in FEW else 130 + number % 40}},
    ]  # fmt: skip


def waived(name: str) -> Profile:
    """Without bars for l and t, by which most such releases were refused as a whole."""
    plain = jsontext.loads(shipped(name).text)
    assert isinstance(plain, dict)
    return parse_profile({**plain, "anonymity": {"k": 11, "l": 1, "t": 1, "suppressedMost": 0}})


def answered(profile: Profile, resource: str, *select: dict[str, Any]) -> dict[int, list[tuple[Any, ...]]]:
    """What each one's rows say, but their names."""
    view = parse_view({"resource": resource, "select": list(select)}, field=(), types={resource})
    wanted, deidentifier = [tables(profile)[0], make_table("asked", view, profile, field=())], Deidentifier(profile)
    people = [rows_of(of(number), profile, wanted, deidentifier, number.to_bytes(32, "big")) for number in range(60)]
    left, verdict = assemble(people, profile, wanted)
    assert verdict.failed == ()
    assert len(left) == 60
    return {number: [row[1:] for row in one[1]] for number, one in enumerate(left)}


def is_told(answers: dict[int, list[tuple[Any, ...]]]) -> bool:
    """Whether the few have something in common that nobody else has."""
    seen = [
        {repr(sorted(map(repr, rows))) for at, rows in answers.items() if (at in FEW) is few} for few in (True, False)
    ]
    return not seen[0] & seen[1] or any(RARE in one for one in seen[0])


MARKED = [
    {"forEach": f"code.coding.where(code = '{code}')", "column": [column(path, kind)]}
    for code, path, kind in ((DIABETES, "1", "integer"), (RARE, "2", "integer"), (ASTHMA, "3", "integer"))
]
DATED = [{**one, "column": [column(f"@200{at}-01-01", "date")]} for at, one in enumerate(MARKED)]
NAMED = [{**one, "column": [column(f"'{at}'", "string")]} for at, one in enumerate(MARKED)]
QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "whether it is the rare one": [{"column": [KEY, column(f"code.coding.code.first() = '{RARE}'")]}],
    "whether it is another": [{"column": [KEY, column(f"code.coding.where(code != '{RARE}').system.first()")]}],
    "the code, and whether it is one of two": [
        {"column": [KEY, CODE, column(f"code.coding.code.first() = '{RARE}' or code.coding.code.first() = '{ASTHMA}'")]}
    ],
    "when, unless it is the rare one": [
        {"column": [KEY, column(f"where(code.coding.code.first() != '{RARE}').onset.ofType(dateTime)", "dateTime")]}
    ],
    "whose, unless it is the rare one": [
        {"column": [KEY, column(f"where(code.coding.code.first() != '{RARE}').subject.getReferenceKey()")]}
    ],
    "a row of nothing for the rare one": [
        {"column": [KEY]},
        {"forEachOrNull": f"code.coding.where(code != '{RARE}')", "column": [column("system")]},
    ],
    "numbers of the view's own": [{"column": [KEY]}, {"unionAll": MARKED}],
    "dates of the view's own": [{"column": [KEY]}, {"unionAll": DATED}],
    "words of the view's own": [{"column": [KEY]}, {"unionAll": NAMED}],
}


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_view_tells_who_has_what_few_have(name: str, question: str) -> None:
    assert not is_told(answered(waived(name), "Condition", *QUESTIONS[question]))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_code_that_a_view_calls_a_date_is_a_code(name: str) -> None:
    answers = answered(waived(name), "Condition", {"column": [KEY, column("code.coding.code.first()", "date")]})
    assert {rows[0][0] for rows in answers.values()} == {DIABETES, ASTHMA, None}


@pytest.mark.parametrize("name", SHIPPED)
def test_no_number_that_a_view_reckons_tells_who_is_tall(name: str) -> None:
    """The greatest number is bounded; this of it were in the midst of all."""
    reckoned = column("1 / (value.ofType(Quantity).value - 200)", "decimal")
    answers = answered(waived(name), "Observation", {"column": [KEY, reckoned]})
    assert not {round(1 / (250 + number - 200), 9) for number in FEW} & {
        round(rows[0][0], 9) for rows in answers.values() if rows[0][0] is not None
    }
