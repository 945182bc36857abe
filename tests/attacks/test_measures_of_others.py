"""k, l and t of what we release are what two foreign tools find in the very same rows, and reach the profile's bars.

Tools: pyCANON (Sáinz-Pardo Díaz and López García 2022) and STRM Privacy Diagnostics, of another maker and another code,
in an environment of their own (`.ci/measures`), without which what needs them is skipped. ARX, whose ladders Adult
climbs here, is not in Maven Central and not run. Tables: UCI Adult, which holds no identifiers; Synthea's patients with
their conditions; a trial, CDISC's pilot study, its subjects with their adverse events. The views ask for names, numbers
and words, too.

Of several sensitive columns the tools have the least l and the largest t, as we do.
"""

import csv
import gzip
import json
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from gateway.deid.catalogue import catalogue
from gateway.deid.cells import ColumnKind
from gateway.deid.classes import Classes, Measures
from gateway.deid.generalizing import generalize
from gateway.deid.profile import SHIPPED, Profile, shipped
from gateway.deid.resources import Deidentifier
from gateway.deid.tables import Table, make_table
from gateway.deid.views import parse_view
from gateway.deid.views.selects import Row
from tests.servers.programs import services_dir
from tests.unit.gateway.deid.people import MOST, bundles
from tests.unit.gateway.deid.releases import TYPES, VIEWS, assemble, rows_of
from tests.unit.gateway.deid.test_anonymity import adult

Tree = dict[str, Any]
PATHS = {
    "Patient": {
        **{name: path for name, path in VIEWS["people"][1].items() if name not in ("state", "marital")},
        "name": "name.family.first()", "number": "identifier.value.first()",
    },
    "Condition": {
        "person": "subject.getReferenceKey()", "code": "code.coding.code.first()", "onset": "onset.ofType(dateTime)",
        "severity": "severity.coding.code.first()", "about": "subject.display", "words": "code.text",
        "number": "identifier.value.first()",
    },
    "Observation": VIEWS["observations"][1],
    "MedicationRequest": VIEWS["medications"][1],
}  # fmt: skip
MEDDRA = "https://www.meddra.org"
"""The study has its terms, but leaves its codes out: such as these are stand for them."""
OMB = "urn:oid:2.16.840.1.113883.6.238"
GROUPS = {
    "WHITE": "2106-3", "BLACK OR AFRICAN AMERICAN": "2054-5", "ASIAN": "2028-9",
    "AMERICAN INDIAN OR ALASKA NATIVE": "1002-5", "HISPANIC OR LATINO": "2135-2", "NOT HISPANIC OR LATINO": "2186-5",
}  # fmt: skip
SEVERITIES = {"MILD": "255604002", "MODERATE": "6736007", "SEVERE": "24484000"}
NAMING = frozenset({"family", "given", "line", "city", "postalCode"})
NUMBERING = frozenset({("identifier", "value"), ("telecom", "value"), ("extension", "valueString")})
MANY = 500
"""Texts of one length, from which on it is quicker to cut all texts of that length out of what was told."""
DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """`people`: quasi-identifiers of each; `sensitive`: for each sensitive column the same and a value, a line for each
    value that a person has. `looked_for`: identifiers, of which the release holds those in `found`."""

    people: list[tuple[str, ...]]
    sensitive: list[list[tuple[str, ...]]]
    measures: Measures
    suppressed: float
    looked_for: int = 0
    found: tuple[str, ...] = ()


def adult_table(shared_data: Path) -> Left:
    people, ladders = adult(shared_data)
    plan = generalize(Classes.of(people), ladders, shipped("safe-harbor").anonymity)
    placed = [(place, *values["salary-class"]) for quasi, values in people if (place := plan.place(quasi)) is not None]
    return Left(
        people=[place for place, _ in placed],
        sensitive=[[(*place, value) for place, value in placed]],
        measures=plan.measures,
        suppressed=plan.suppressed_share,
    )


@cache
def patients(shared_data: Path) -> list[list[Tree]]:
    return [[one for one in some if one["resourceType"] in PATHS] for some in bundles(shared_data, most=MOST)]


@cache
def subjects(shared_data: Path) -> list[list[Tree]]:
    rows: list[list[dict[str, str]]] = []
    for name in ("dm", "ae"):
        path = shared_data / "trials" / "sdtm-cdiscpilot01-csv" / f"{name}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            rows.append(list(csv.DictReader(stream)))
    terms = {term: f"10{at:06}" for at, term in enumerate(sorted({row["AEDECOD"] for row in rows[1]}))}
    events: dict[str, list[Tree]] = {}
    for row in rows[1]:
        events.setdefault(row["USUBJID"], []).append(condition_of(row, terms[row["AEDECOD"]]))
    return [[patient_of(row), *events.get(row["USUBJID"], ())] for row in rows[0]]


def patient_of(row: dict[str, str]) -> Tree:
    """SDTM's DM -> a Patient of US Core."""
    return {
        "resourceType": "Patient", "id": row["USUBJID"],
        "extension": [
            {
                "url": f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}",
                "extension": [{"url": "ombCategory", "valueCoding": {"system": OMB, "code": GROUPS[group]}}],
            }
            for name, group in (("race", row["RACE"]), ("ethnicity", row["ETHNIC"]))
        ],
        "identifier": [{"value": row[name]} for name in ("USUBJID", "SUBJID", "SITEID")],
        "name": [{"family": row["SUBJID"], "given": [row["USUBJID"]]}],
        "gender": {"F": "female", "M": "male"}[row["SEX"]], "birthDate": row["BRTHDTC"],
        "address": [{"country": row["COUNTRY"]}],
        **({"deceasedDateTime": row["DTHDTC"]} if row["DTHDTC"] != "NA" else {}),
    }  # fmt: skip


def condition_of(row: dict[str, str], code: str) -> Tree:
    """SDTM's AE -> a Condition, whose code is the preferred term's."""
    return {
        "resourceType": "Condition", "id": f"{row['USUBJID']}-{row['AESEQ']}", "identifier": [{"value": row["AESPID"]}],
        "subject": {"reference": f"Patient/{row['USUBJID']}", "display": row["USUBJID"]},
        "code": {"coding": [{"system": MEDDRA, "code": code}], "text": row["AETERM"]},
        "severity": {"coding": [{"system": "http://snomed.info/sct", "code": SEVERITIES[row["AESEV"]]}]},
        "onsetDateTime": row["AESTDTC"],
    }  # fmt: skip


def released(shared_data: Path, *, of: Callable[[Path], list[list[Tree]]], name: str, kinds: Sequence[str]) -> Left:
    """Read off the rows that left, as whoever gets them would."""
    profile, people = shipped(name), of(shared_data)
    tables, deidentifier, spool = tables_of(profile, kinds), Deidentifier(profile), []
    for number, some in enumerate(people):
        wanted = [one for one in some if one["resourceType"] in kinds]
        spool.append(rows_of(wanted, profile, tables, deidentifier, number.to_bytes(32, "big")))
    left, verdict = assemble(spool, profile, tables)
    assert verdict.failed == ()
    quasi = [tuple(str(cell) for cell, kind in cells_of(tables[0], one[0]) if kind is ColumnKind.QUASI) for one in left]
    sensitive = [
        [(*own, value) for own, one in zip(quasi, left, strict=True) for value in sorted(values_of(one[at], column))]
        for at, table in enumerate(tables)
        for column in table.sensitive
    ]
    # A date that was shifted may well be a day of somebody else.
    told = {str(cell) for one in left for table, rows in zip(tables, one, strict=True)
            for cell, kind in cells_of(table, rows) if kind is not ColumnKind.MOVED}  # fmt: skip
    sought = frozenset[str]().union(*(identifiers_of(shared_data, of, kind) for kind in kinds))
    return Left(
        people=quasi,
        sensitive=sensitive,
        measures=verdict.measures,
        suppressed=verdict.suppressed / verdict.people,
        looked_for=len(sought),
        found=tuple(sorted(found_in(told, sought))),
    )


@cache
def identifiers_of(shared_data: Path, of: Callable[[Path], list[list[Tree]]], kind: str) -> frozenset[str]:
    people = of(shared_data)
    return frozenset(
        text for some in people for one in some if one["resourceType"] == kind for text in identifiers(one)
    )


def tables_of(profile: Profile, kinds: Sequence[str]) -> list[Table]:
    made = []
    for kind in kinds:
        columns = [{"name": one, "path": path, "type": TYPES.get(one, "string")} for one, path in PATHS[kind].items()]
        view = {"resource": kind, "select": [{"column": columns}]}
        parsed = parse_view(view, field=(), types=set(catalogue().resources))
        made.append(make_table(kind.lower(), parsed, profile, field=()))
    return made


def cells_of(table: Table, rows: Sequence[Row]) -> Iterator[tuple[Any, ColumnKind]]:
    for row in rows:
        yield from zip(row, table.kinds, strict=True)


def values_of(rows: Sequence[Row], column: int) -> set[str]:
    return {str(row[column]) for row in rows if row[column] is not None}


def identifiers(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Names, numbers, places and days."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from identifiers(item, (*path, name))
    elif isinstance(value, list):
        for item in value:
            yield from identifiers(item, path)
    elif not isinstance(value, str):
        return
    elif (day := DAY.match(value)) is not None:
        yield day[0]
    elif path == ("id",) or path[-1] in NAMING or (path[0], path[-1]) in NUMBERING:
        yield value


def found_in(told: set[str], sought: Iterable[str]) -> set[str]:
    """Anywhere in a cell; digits alone only as the whole of it, for codes and pseudonyms have digits of their own."""
    text = "\n".join(told)
    found, by_length = told.intersection(sought), defaultdict(set)
    for one in sought:
        if not one.isdigit():
            by_length[len(one)].add(one)
    for length, some in by_length.items():
        if len(some) < MANY:
            found |= {one for one in some if one in text}
        else:
            found |= some & {text[at : at + length] for at in range(len(text))}
    return found


TWO = ("Patient", "Condition")
THREE = (*TWO, "MedicationRequest")
RELEASES: dict[str, Callable[[Path], Left]] = {
    "UCI Adult": adult_table,
    **{f"Synthea, {one}": partial(released, of=patients, name=one, kinds=TWO) for one in SHIPPED},
    "Synthea, two sensitive columns": partial(released, of=patients, name="safe-harbor", kinds=THREE),
    "Synthea, all tables": partial(released, of=patients, name="expert-determination", kinds=tuple(PATHS)),
    **{f"CDISCPILOT01, {one}": partial(released, of=subjects, name=one, kinds=TWO) for one in SHIPPED},
}


@pytest.fixture(scope="module")
def releases(shared_data: Path) -> dict[str, Left]:
    return {name: make(shared_data) for name, make in RELEASES.items()}


@pytest.fixture(scope="module")
def others(releases: dict[str, Left]) -> dict[str, dict[str, dict[str, float]]]:
    """Release -> tool -> its k, l and t."""
    tools = services_dir() / "measures"
    if not (tools / "installed").is_file():
        missing = pytest.fail if os.environ.get("CONSENTRY_REQUIRE_SERVICES") == "1" else pytest.skip
        missing(f"no tools in {tools}; run .ci/measures")
    done = subprocess.run(
        [tools / "venv" / "bin" / "python", "-I", Path(__file__).with_name("measuring.py")],
        input=json.dumps([{"people": one.people, "sensitive": one.sensitive} for one in releases.values()]),
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    return {name: {tool: told[tool][at] for tool in told} for at, name in enumerate(releases)}


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_reaches_the_bars_and_holds_no_identifier(name: str, releases: dict[str, Left]) -> None:
    left, measures = releases[name], releases[name].measures
    print(f"{name}: {measures}, suppressed {left.suppressed:.3f}, {len(left.found)} of {left.looked_for} identifiers")
    assert measures.k >= 11
    assert measures.diversity >= 2
    assert measures.t <= 0.5
    assert left.suppressed <= shipped("safe-harbor").anonymity.suppressed_most
    assert left.found == ()
    assert left.looked_for > 1000 or name == "UCI Adult"


@pytest.mark.parametrize("name", RELEASES)
def test_others_find_the_same_in_it(name: str, releases: dict[str, Left], others: dict[str, Any]) -> None:
    left, measures = releases[name], releases[name].measures
    print(f"{name}: {others[name]}")
    assert len(others[name]) == 2
    for found in others[name].values():
        assert (found["k"], len(left.people)) == (measures.k, measures.people)
        assert (found["l"], found["t"]) == (measures.diversity, pytest.approx(measures.t, abs=1e-9))


def test_adult_has_the_figures_that_it_had(releases: dict[str, Left]) -> None:
    measures = releases["UCI Adult"].measures
    assert (measures.k, measures.diversity, round(measures.t, 3)) == (11, 2, 0.489)


def test_the_search_for_identifiers_finds_them_in_the_source(shared_data: Path) -> None:
    people, tables = subjects(shared_data), tables_of(shipped("safe-harbor"), TWO)
    told = {
        str(cell)
        for one in (each for some in people for each in some)
        for table in tables
        if isinstance(rows := table.view.rows(one), list)
        for row in rows
        for cell in row
    }
    sought = {text for some in people for one in some for text in identifiers(one)}
    assert {"01-701-1015", "1015", "1950-12-26", "E07"} <= found_in(told, sought)
