"""Studies in files, in and out: `consentry study import` and `export`, as their operator runs them.

STUDY_SUBJECTS says of how many of the pilot's subjects; 306 are all.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo.client import Gateway
from gateway.demo.reaching import deployment_of
from gateway.demo.roles import Person, sign_in
from gateway.exchange import documents
from gateway.exchange.keys import load_keys
from gateway.trials import datasets
from gateway.trials.definition.bounds import OWN
from gateway.trials.definition.references import directory
from gateway.trials.odm.forms import captured_forms
from gateway.trials.odm.marks import Transaction
from gateway.trials.odm.model import Document, FormData
from gateway.trials.odm.reading import read_document
from gateway.trials.tabulation.dataset_json import read_json, read_ndjson
from gateway.trials.tabulation.dates import dated
from gateway.trials.tabulation.model import Row
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.unit.gateway.exchange import folders

SUBJECTS = int(os.environ.get("STUDY_SUBJECTS") or 12)
SECONDS = 170.0 if SUBJECTS <= 12 else 3_600.0
CHANGE = """mutation Change($input: ChangeFormInput!) {
  changeForm(input: $input) { __typename ... on CapturedForms { records { id } } ... on Refusal { code message } } }"""
DRAFT, SUBMIT = documents.DRAFT_ACT, documents.SUBMIT_ACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """A study that was imported: its files, and the report."""

    gateway: GatewayProcess
    key: Path
    folder: Path
    report: dict[str, Any] = field(repr=False)

    @property
    def study(self) -> str:
        return str(self.report["study"])

    def run(self, *words: str | Path, code: int = 0) -> str:
        ended, said = run_command("study", *words, settings={}, seconds=SECONDS)
        assert ended == code, said
        return said

    def export(self, format: str, out: Path) -> dict[str, Any]:
        report = out.with_suffix(".report")
        where = ("--url", self.gateway.base, "--rpc", self.gateway.rpc, "--key", self.key)
        self.run("export", self.study, out, "--format", format, "--json", report, *where)
        found: dict[str, Any] = json.loads(report.read_bytes())
        assert found["ok"]
        return found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    running = GatewayProcess(tmp_path_factory.mktemp("gateway"), {})
    try:
        yield running.start()
    finally:
        running.stop()


def imported(gateway: GatewayProcess, folder: Path, key: Path, *words: str) -> Exchanged:
    report = key.with_suffix(f".{folder.name}.report")
    where = ("--url", gateway.base, "--rpc", gateway.rpc, "--registrar-key", gateway.data / "registrar.key")
    code, said = run_command(
        "study", "import", folder, *words, "--key", key, "--json", report, *where, settings={}, seconds=SECONDS
    )
    assert code == 0, said
    return Exchanged(gateway=gateway, key=key, folder=folder, report=json.loads(report.read_bytes()))


@pytest.fixture(scope="module")
def pilot(gateway: GatewayProcess, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Exchanged:
    place = tmp_path_factory.mktemp("pilot")
    return imported(gateway, folders.pilot(shared_data, place / "pilot", SUBJECTS), place / "key")


@pytest.fixture(scope="module")
def adam(gateway: GatewayProcess, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Exchanged:
    place = tmp_path_factory.mktemp("adam")
    folder = folders.datasets(shared_data, "dataset-json-adam", place / "adam", 3)
    return imported(gateway, folder, place / "key", "--title", "Analysis")


# ---- tables


def test_every_value_of_the_pilot_was_captured(pilot: Exchanged) -> None:
    source = folders.tables_of(pilot.folder)
    report = pilot.report
    assert (report["ok"], report["problems"], report["subjects"]) == (True, [], SUBJECTS)
    assert report["enrolled"] == SUBJECTS
    assert {one["name"]: one["rows"] for one in report["tables"]} == {
        table.name: len(rows) for table, rows in source.values()
    }
    assert report["items"] == sum(
        len(rows) * len(table.variables) for table, rows in source.values() if datasets.names_subjects(table)
    )
    assert report["queries"] > 0


def test_transport_files_come_out_as_they_went_in(pilot: Exchanged, tmp_path: Path) -> None:
    pilot.export("xpt", tmp_path / "out")
    names = sorted(path.name for path in pilot.folder.glob("*.xpt"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert [
        name for name in names if (tmp_path / "out" / name).read_bytes() != (pilot.folder / name).read_bytes()
    ] == []


@pytest.mark.parametrize("format", ["dataset-json", "ndjson"])
def test_the_pilot_as_dataset_json_says_the_same(pilot: Exchanged, tmp_path: Path, format: str) -> None:
    pilot.export(format, tmp_path / "out")
    read, ending = (read_json, ".json") if format == "dataset-json" else (read_ndjson, ".ndjson")
    for name, (table, rows) in folders.tables_of(pilot.folder).items():
        path = tmp_path / "out" / f"{name}{ending}"
        found, walked = read([path.read_bytes()], file=path.name)
        assert [one.name for one in found.variables] == [one.name for one in table.variables]
        assert [one.label for one in found.variables] == [one.label for one in table.variables]
        assert list(walked) == rows
    assert len(list((tmp_path / "out").iterdir())) == len(folders.tables_of(pilot.folder))


def test_dataset_json_comes_out_as_it_went_in(adam: Exchanged, tmp_path: Path) -> None:
    adam.export("dataset-json", tmp_path / "out")
    for path in adam.folder.glob("*.json"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_dataset_json_becomes_transport_files_of_the_same_values(adam: Exchanged, tmp_path: Path) -> None:
    adam.export("xpt", tmp_path / "out")
    made = folders.tables_of(tmp_path / "out")
    for name, (_, rows) in folders.tables_of(adam.folder).items():
        _, read = dated(*made[name], file=name)
        assert blanked(list(read)) == blanked(rows)


def blanked(rows: Sequence[Row]) -> list[Row]:
    """A transport file knows no missing text, and dates as SAS counts them: by their formats they are dates again."""
    return [tuple("" if cell is None else cell for cell in row) for row in rows]


def test_texts_of_many_languages_come_out_as_they_went_in(
    gateway: GatewayProcess, shared_data: Path, tmp_path: Path
) -> None:
    folder = folders.datasets(shared_data, "dataset-json-i18n", tmp_path / "i18n", 3)
    assert not (folder / "ae.json").read_bytes().isascii()
    study = imported(gateway, folder, tmp_path / "key")
    study.export("dataset-json", tmp_path / "out")
    assert (tmp_path / "out" / "ae.json").read_bytes() == (folder / "ae.json").read_bytes()


def test_comma_separated_text_comes_out_with_the_same_values(gateway: GatewayProcess, tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "dm.csv").write_text('"USUBJID","SITEID","AGE"\n"S-1","01",63\n"S-2","02",NA\n')
    (folder / "vs.csv").write_text('"USUBJID","VSSEQ","VSSTRESN"\n"S-2",1,36.60\n"S-1",1,120\n"S-2",2,NA\n')
    (folder / "ta.csv").write_text('"ARMCD","ARM"\n"P","Placebo, with a comma"\n')
    study = imported(gateway, folder, tmp_path / "key")
    study.export("dataset-json", tmp_path / "out")
    made = {name: rows for name, (_, rows) in folders.tables_of(tmp_path / "out").items()}
    assert made == {
        "dm": [("S-1", "01", 63), ("S-2", "02", None)],
        "vs": [("S-2", 1, 36.6), ("S-1", 1, 120), ("S-2", 2, None)],
        "ta": [("P", "Placebo, with a comma")],
    }
    assert b",36.60]" in (tmp_path / "out" / "vs.json").read_bytes()


# ---- ODM


@pytest.fixture(scope="module")
def document(pilot: Exchanged, tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The pilot's, after a coordinator changed a form of the first subject and an investigator signed it."""
    _change_and_sign(pilot)
    out = tmp_path_factory.mktemp("odm") / "out"
    assert pilot.export("odm", out)["files"] == ["odm.xml"]
    return read_document((out / "odm.xml").read_bytes(), bounds=OWN)


def test_odm_says_every_value_of_the_pilot(pilot: Exchanged, document: Document) -> None:
    (definition,) = document.definitions
    found = directory(datasets.forms_of(definition))
    by_group: dict[str, dict[int, Row]] = {}
    tables = {table.name: table for table, _ in folders.tables_of(pilot.folder).values()}
    for _, form in captured_forms(document.clinical[0]):
        for group in form.groups:
            name = found.groups[group.oid].name
            by_group.setdefault(name, {}).update(datasets.rows_of(form, tables[name], found))
    for table, rows in folders.tables_of(pilot.folder).values():
        if datasets.names_subjects(table) and rows:
            mine = by_group[table.name]
            assert [mine[number] for number in sorted(mine)] == rows
    (reference,) = document.others
    about_nobody = [
        rows for table, rows in folders.tables_of(pilot.folder).values() if not datasets.names_subjects(table)
    ]
    assert len(reference.children) == sum(map(len, about_nobody))


def _forms(document: Document) -> list[FormData]:
    return [form for subject in document.clinical[0].subjects for event in subject.events for form in event.forms]


def test_odm_says_of_each_version_who_when_and_why(document: Document) -> None:
    users = {one.oid: one.full_name for one in document.admin[0].users}
    captured = [one for one in _forms(document) if one.transaction is not Transaction.CONTEXT]
    assert all(one.marks.audit is not None for one in captured)
    changed = [one.marks.audit for one in captured if one.transaction is Transaction.UPDATE]
    assert [(one.reason, users[one.user]) for one in changed if one is not None] == [
        ("Read again at the source.", "Study import: coordinator")
    ]
    assert {users[one.marks.audit.user] for one in captured if one.marks.audit} == {"Study import: coordinator"}


def test_odm_says_who_signed_what(document: Document) -> None:
    users = {one.oid: one.full_name for one in document.admin[0].users}
    signed = [one for one in _forms(document) if one.marks.signature is not None]
    assert [
        (one.oid, users[one.marks.signature.user], one.marks.signature.definition)
        for one in signed
        if one.marks.signature
    ] == [("form/IG.DM", "Study import: investigator", "SIG.REVIEWED")]
    assert {one.meaning for one in document.admin[0].signature_definitions} >= {"REVIEWED"}


def test_odm_says_what_was_asked(pilot: Exchanged, document: Document) -> None:
    queries = [query for form in _forms(document) for query in form.marks.queries]
    assert len(queries) >= pilot.report["queries"]
    assert {one.source for one in queries} == {"System"}
    assert all(one.history and one.text for one in queries)


# Of the whole pilot where that was asked for: it takes as long as the import of it.
@pytest.mark.parametrize("which", ["adam", *(["pilot"] if SUBJECTS > 12 else [])])
def test_an_exported_document_is_a_study_again(
    gateway: GatewayProcess, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    study: Exchanged = request.getfixturevalue(which)
    study.export("odm", tmp_path / "out")
    again = imported(gateway, tmp_path / "out" / "odm.xml", tmp_path / "key", "--title", "Analysis, again")
    assert again.report["items"] == study.report["items"]
    assert again.report["subjects"] == study.report["subjects"]
    again.export("odm", tmp_path / "twice")
    one, other = (read_document((tmp_path / name / "odm.xml").read_bytes(), bounds=OWN) for name in ("out", "twice"))
    assert list(captured_forms(one.clinical[0])) == list(captured_forms(other.clinical[0]))


def _change_and_sign(pilot: Exchanged) -> None:
    """Over the public API, with the keys of the import."""
    with httpx.Client(trust_env=False, timeout=60.0) as http:
        door = Gateway(pilot.gateway.base, http)
        deployment = deployment_of(door)
        keys = load_keys(pilot.key)
        sponsor, investigator, coordinator = (
            sign_in(door, deployment, wallet=keys.role(name)) for name in ("sponsor", "investigator", "coordinator")
        )
        listed = door.data(documents.SUBJECTS, {"study": pilot.study, "after": None}, token=sponsor.token)
        patient = listed["study"]["subjects"]["edges"][0]["node"]["patientId"]
        asked = {"study": pilot.study, "patient": patient}
        forms = door.data(documents.SUBJECT, asked, token=sponsor.token)["study"]["subject"]["forms"]
        (form,) = (one for one in forms if one["form"] == "form/IG.DM")
        record = form["recordId"]
        told = door.data(documents.contents(1), {**asked, "i0": record}, token=sponsor.token)
        given = {
            "studyId": pilot.study,
            "patientId": patient,
            "recordId": record,
            "form": told["study"]["subject"]["f0"]["record"]["content"],
            "expectedVersion": 1,
            "reason": "Read again at the source.",
            "asFound": True,
        }
        changed = door.data(CHANGE, {"input": given}, token=coordinator.token)["changeForm"]
        assert changed["__typename"] == "CapturedForms", changed
        _sign(door, investigator, pilot.study, patient, record)


def _sign(door: Gateway, who: Person, study: str, patient: str, record: str) -> None:
    forms: Any = [{"recordId": record, "version": 2}]
    wanted: Any = {"signature": {"studyId": study, "patientId": patient, "meaning": "REVIEWED", "forms": forms}}
    draft = door.data(DRAFT, {"input": wanted}, token=who.token)["draftStudyAct"]
    assert draft["__typename"] == "StudyActDraft", draft
    signed = {"act": draft["act"], "signature": who.wallet.sign_typed_data(draft["typedData"])}
    done = door.data(SUBMIT, signed, token=who.token)["submitStudyAct"]
    assert done["__typename"] == "Study", done


# ---- going on, and alone


def test_an_import_that_is_run_again_does_nothing_twice(pilot: Exchanged) -> None:
    again = imported(pilot.gateway, pilot.folder, pilot.key)
    assert again.study == pilot.study
    assert (again.report["enrolled"], again.report["forms"]) == (0, 0)
    assert again.report["kept"] == pilot.report["forms"]


def test_an_import_that_was_broken_off_goes_on(gateway: GatewayProcess, shared_data: Path, tmp_path: Path) -> None:
    """The first run saw fewer tables and subjects of the same study."""
    whole = folders.pilot(shared_data, tmp_path / "whole", 3)
    part = folders.pilot(shared_data, tmp_path / "part", 2)
    for path in part.glob("*.xpt"):
        if path.stem not in ("dm", "ae"):
            path.unlink()
    begun = imported(gateway, part, tmp_path / "key", "--title", "Broken off")
    study = imported(gateway, whole, tmp_path / "key", "--title", "Broken off")
    assert (study.study, study.report["enrolled"]) == (begun.study, 1)
    assert study.report["kept"] == begun.report["forms"]
    assert study.report["forms"] + study.report["kept"] == 43


def test_a_study_is_imported_and_exported_with_nothing_but_a_data_folder(shared_data: Path, tmp_path: Path) -> None:
    """A gateway is started on it for each run, and what one run stored the next one finds."""
    folder = folders.pilot(shared_data, tmp_path / "pilot", 1)
    settings = {"DATA_DIR": str(tmp_path / "data")}
    report = tmp_path / "report.json"
    code, said = run_command("study", "import", folder, "--json", report, settings=settings, seconds=SECONDS)
    assert code == 0, said
    study = json.loads(report.read_bytes())["study"]
    assert (tmp_path / "data" / "study-import.key").stat().st_mode & 0o777 == 0o600
    words = ("study", "export", study, tmp_path / "out", "--format", "xpt")
    code, said = run_command(*words, settings=settings, seconds=SECONDS)
    assert code == 0, said
    assert (tmp_path / "out" / "dm.xpt").read_bytes() == (folder / "dm.xpt").read_bytes()


@pytest.mark.parametrize("name", ["NCT00763412.json", "NCT01065844.xml"])
def test_a_record_of_a_registry_alone_is_a_planned_study_with_its_protocol(
    gateway: GatewayProcess, shared_data: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "record"
    folder.mkdir()
    shutil.copy(shared_data / "trials" / "clinicaltrials-gov" / name, folder)
    made = imported(gateway, folder, tmp_path / "key")
    assert (made.report["ok"], made.report["state"], made.report["subjects"]) == (True, "PLANNED", 0)
    with httpx.Client(trust_env=False, timeout=60.0) as http:
        door = Gateway(gateway.base, http)
        sponsor = sign_in(door, deployment_of(door), wallet=load_keys(made.key).role("sponsor"))
        standing = door.data(documents.STANDING, {"study": made.study}, token=sponsor.token)["study"]
    assert (standing["state"], len(standing["protocols"]), standing["definitions"]) == ("PLANNED", 1, [])
    again = imported(gateway, folder, tmp_path / "key")
    assert again.study == made.study


def test_another_key_exports_nothing(pilot: Exchanged, tmp_path: Path) -> None:
    """Of a sponsor of another study: the answer is that of a study which does not exist."""
    other = tmp_path / "key"
    other.write_text("11" * 32 + "\n")
    where = ("--url", pilot.gateway.base, "--rpc", pilot.gateway.rpc, "--key", other)
    said = pilot.run("export", pilot.study, tmp_path / "out", *where, code=1)
    assert "Done." not in said
    assert not list((tmp_path / "out").iterdir())
