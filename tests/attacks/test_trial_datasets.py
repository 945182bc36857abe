"""A clinical trial's tables on the same road: CDISC's pilot study, whose subjects consent to its purpose, CLINTRCH.

A subject's rows of SDTM come as FHIR resources (DM a Patient, VS Observations under LOINC), and leave as tables that
are named and shaped as SDTM has them.
"""

import asyncio
import csv
import gzip
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson

from gateway.consent.model import Purpose
from gateway.identity.model import Role
from gateway.ports.releases import ReleaseStage
from tests.attacks.datasets import USE, Laboratory, asked, laboratory
from tests.attacks.inside import inside

SUBJECTS = 26
EACH = 4
"""Readings of a kind."""
LOINC = {"SYSBP": "8480-6", "DIABP": "8462-4", "PULSE": "8867-4"}
UNITS = {"SYSBP": "mm[Hg]", "DIABP": "mm[Hg]", "PULSE": "/min"}
VIEWS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "dm": ("Patient", {"USUBJID": ("getResourceKey()", "id"), "SEX": ("gender", "code")}),
    "vs": (
        "Observation",
        {
            "USUBJID": ("subject.getReferenceKey()", "id"),
            "VSTESTCD": ("code.coding.code.first()", "code"),
            "VSSTRESN": ("value.ofType(Quantity).value", "decimal"),
            "VSSTRESU": ("value.ofType(Quantity).code", "code"),
            "VSDTC": ("effective.ofType(dateTime)", "dateTime"),
        },
    ),
}


def views() -> dict[str, Any]:
    return {
        name: {
            "resource": resource,
            "select": [
                {"column": [{"name": each, "path": path, "type": kind} for each, (path, kind) in columns.items()]}
            ],
        }
        for name, (resource, columns) in VIEWS.items()
    }


def subjects(shared_data: Path) -> list[list[dict[str, Any]]]:
    """The first women and men among them, each with their first readings."""
    folder = shared_data / "trials" / "sdtm-cdiscpilot01-csv"
    with gzip.open(folder / "dm.csv.gz", "rt", encoding="utf-8") as stream:
        everybody = list(csv.DictReader(stream))
    people = [row for sex in "FM" for row in [one for one in everybody if one["SEX"] == sex][: SUBJECTS // 2]]
    readings: dict[str, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(folder / "vs.csv.gz", "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["VSTESTCD"] in LOINC and row["VSSTRESN"] not in ("", "NA"):
                kept = readings[row["USUBJID"]]
                if sum(one["VSTESTCD"] == row["VSTESTCD"] for one in kept) < EACH:
                    kept.append(row)
    return [[patient(row), *map(observation, readings[row["USUBJID"]])] for row in people]


def patient(row: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": row["USUBJID"],
        "identifier": [{"value": row["USUBJID"]}, {"value": row["SUBJID"]}],
        "gender": {"F": "female", "M": "male"}[row["SEX"]],
        "birthDate": row["BRTHDTC"],
    }


def observation(row: dict[str, str]) -> dict[str, Any]:
    test = row["VSTESTCD"]
    return {
        "resourceType": "Observation",
        "id": f"{row['USUBJID']}-{row['VSSEQ'].partition('.')[0]}",
        "status": "final",
        "subject": {"reference": f"Patient/{row['USUBJID']}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": LOINC[test]}]},
        "effectiveDateTime": row["VSDTC"],
        "valueQuantity": {
            "value": float(row["VSSTRESN"]),
            "system": "http://unitsofmeasure.org",
            "code": UNITS[test],
        },
    }


async def enrolled(lab: Laboratory, resources: list[dict[str, Any]]) -> None:
    who = await lab.inside.person(Role.PATIENT)
    subject = await lab.inside.patient(who)
    await lab.imported(who, subject, resources)
    await lab.consent(who, subject, purposes=(Purpose.CLINTRCH,), data_use=USE)


async def test_a_trials_tables_leave_by_the_same_road(shared_data: Path, tmp_path: Path) -> None:
    people = subjects(shared_data)
    async with inside(tmp_path) as running:
        lab = await laboratory(running)
        await asyncio.gather(*(enrolled(lab, one) for one in people))
        # A consent to this trial's purpose is none to research at large.
        other = await lab.released(tables=views())
        assert other.stage is ReleaseStage.FAILED
        view = await lab.released(**asked(purpose="CLINTRCH", tables=views(), profile="expert-determination"))
        assert view.stage is ReleaseStage.RELEASED
        opened = await lab.open(view.release)
        files = await lab.content(opened)
    demographics, vitals = (
        [orjson.loads(line) for line in files[f"{name}/part-00000.ndjson"].splitlines()] for name in ("dm", "vs")
    )
    assert len(demographics) == len({row["USUBJID"] for row in demographics}) == SUBJECTS
    # A few of them were never measured.
    assert {row["USUBJID"] for row in vitals} <= {row["USUBJID"] for row in demographics}
    assert len(vitals) == sum(len(one) - 1 for one in people)
    assert {row["VSTESTCD"] for row in vitals} == set(LOINC.values())
    assert orjson.loads(opened.manifest)["anonymity"]["k"] >= 11
    told = b"".join(files.values())
    for one in people:
        assert one[0]["id"].encode() not in told
