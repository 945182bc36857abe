"""A study that is defined by its tables, inside a gateway: CDISC's pilot, with what names its subjects planted in their
rows; and the second consent that lets somebody be in a dataset of it."""

import csv
import gzip
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.consent.model import Action, Purpose
from gateway.ids import ConsentId
from gateway.trials.datasets import captured, group_of
from gateway.trials.definition.references import Directory, directory
from gateway.trials.definition.responses import response
from gateway.trials.documents import definition_of, forms_of
from gateway.trials.tabulation.model import DataType, Row, Table, Variable
from tests.attacks.study import LABELS, Site, Subject

SUBJECTS: Final = 28
EACH: Final = 3
"""Readings of a kind."""
HEALTH: Final = ("DUO:0000006",)
"""Health or medical or biomedical research."""
TESTS: Final = ("SYSBP", "DIABP", "PULSE")
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "DM": ("STUDYID", "DOMAIN", "USUBJID", "SUBJID", "RFSTDTC", "SITEID", "AGE", "AGEU", "SEX", "RACE", "ETHNIC",
           "ARM", "COUNTRY", "DMDTC"),
    "VS": ("STUDYID", "DOMAIN", "USUBJID", "VSTESTCD", "VSTEST", "VSORRES", "VSSTRESC", "VSSTRESN", "VSSTRESU", "VSLOC",
           "VISIT", "VSDTC"),
}  # fmt: skip
"""Variables of the study's datasets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A subject, the rows that were captured of them, and their consent to datasets, if any."""

    subject: Subject
    name: str
    planted: tuple[str, ...]
    research: ConsentId | None


def define() -> bytes:
    """The study's definition by its datasets, whose variables are named as the pilot's Define-XML names them."""
    groups = "".join(
        f'<ItemGroupDef OID="IG.{domain}" Name="{domain}" Repeating="No">'
        + "".join(f'<ItemRef ItemOID="IT.{domain}.{name}" Mandatory="No"/>' for name in names)
        + "</ItemGroupDef>"
        for domain, names in COLUMNS.items()
    )
    items = "".join(
        f'<ItemDef OID="IT.{domain}.{name}" Name="{name}" DataType="text" Length="200"/>'
        for domain, names in COLUMNS.items()
        for name in names
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileType="Snapshot" FileOID="F.1"
  CreationDateTime="2026-01-01T00:00:00"><Study OID="S.1">
 <GlobalVariables><StudyName>S</StudyName><StudyDescription>d</StudyDescription><ProtocolName>P</ProtocolName>
 </GlobalVariables>
 <MetaDataVersion OID="MDV.1" Name="v1">{groups}{items}</MetaDataVersion></Study></ODM>
""".encode()


def rows(shared_data: Path, name: str) -> list[dict[str, str]]:
    path = shared_data / "trials" / "sdtm-cdiscpilot01-csv" / f"{name.lower()}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [{key: "" if value == "NA" else value for key, value in row.items()} for row in csv.DictReader(stream)]


def people(shared_data: Path) -> list[tuple[dict[str, str], list[dict[str, str]]]]:
    """Women and men in turn, who are white and under 89: their row of DM, and their first readings."""
    readings: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(shared_data, "VS"):
        if row["VSTESTCD"] in TESTS and row["VSSTRESN"]:
            theirs = readings[row["USUBJID"]]
            if sum(one["VSTESTCD"] == row["VSTESTCD"] for one in theirs) < EACH:
                theirs.append(row)
    measured = [row for row in rows(shared_data, "DM") if len(readings[row["USUBJID"]]) == EACH * len(TESTS)]
    by_sex = ([row for row in measured if row["SEX"] == sex and row["RACE"] == "WHITE"] for sex in "FM")
    taken = [row for pair in zip(*by_sex, strict=False) for row in pair][:SUBJECTS]
    return [(row, readings[row["USUBJID"]]) for row in taken]


def form(domain: str, given: Iterable[Mapping[str, str]], found: Directory) -> Any:
    names = COLUMNS[domain]
    table = Table(
        name=domain,
        label=domain,
        variables=tuple(Variable(name=name, label=name, type=DataType.STRING) for name in names),
    )
    group = group_of(domain, found)
    assert group is not None
    cells: list[tuple[int, Row]] = [(at, tuple(row[name] or None for name in names)) for at, row in enumerate(given)]
    (made,) = captured(table, cells, group, found)
    return response(made, found, status="completed")


async def prepared(site: Site, **more: Any) -> Directory:
    await site.prepare(definition=define(), **more)
    return directory(forms_of(definition_of(define())))


async def enrolled(
    site: Site, found: Directory, told: tuple[dict[str, str], list[dict[str, str]]], *, consents: bool
) -> Captured:
    """With their rows captured, and what names them in their rows besides: in free text, and where a code belongs."""
    row, readings = told
    subject = await site.enrol(row["USUBJID"])
    word = f"PLANTED{secrets.token_hex(4).upper()}"
    row = {**row, "ARM": f"{word} arm", "SITEID": word, "COUNTRY": word}
    readings = [{**one, "VSTEST": f"told by {word}", "VSLOC": word, "VISIT": word} for one in readings]
    readings.append({**readings[0], "VSSTRESC": f"seen by {word}", "VSSTRESN": "", "VSTESTCD": "HEIGHT"})
    readings.append({**readings[0], "VSTESTCD": word[:8], "VSSTRESN": "1"})
    readings.append({**readings[0], "VSTESTCD": f"Ms {word}"})
    forms = (form("DM", [row], found), form("VS", readings, found))
    caller = await site.caller(site.coordinator)
    await site.inside.gateway.capturing.capture(caller, site.study, subject.subject, forms, as_found=True)
    return Captured(
        subject=subject,
        name=row["USUBJID"],
        planted=(word, row["USUBJID"], f'"{row["SUBJID"]}"', "CDISCPILOT01"),
        research=await research(site, subject) if consents else None,
    )


async def research(site: Site, subject: Subject, **terms: Any) -> ConsentId:
    """To datasets of the study's records: beside the consent under which they are collected."""
    asked: dict[str, Any] = {
        "actions": (Action.READ,),
        "purposes": (Purpose.CLINTRCH,),
        "labels": LABELS,
        "data_use": HEALTH,
        "terms_hash": site.terms,
        "study": site.study,
        **terms,
    }
    return await site.inside.consent(subject.who, subject.subject, site.sponsor.actor, **asked)
