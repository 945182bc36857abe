"""Files of studies that are broken, lie, or hide something: refused before anything is sent, and no value is told.

What passes the client is refused by the gateway itself: its definition of a study holds for every client.
"""

import gzip
import re
import shutil
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.demo.model import StepFailedError, WrongCallError
from gateway.errors import CallerError, ConflictError
from gateway.exchange import files
from gateway.exchange.folder import read_folder
from gateway.trials import datasets
from gateway.trials.tabulation.dataset_json import write_json
from gateway.trials.tabulation.model import DataType, Row, Table, Variable
from gateway.trials.tabulation.xpt import write_xpt
from tests.attacks.inside import Inside, inside
from tests.attacks.study import Site, site
from tests.journeys.gateway_process import run_command
from tests.unit.gateway.exchange.folders import pilot, tables_of

CANARY = "Xq7CANARYq7X"
"""A value that no output may hold."""


@pytest.fixture
def study(shared_data: Path, tmp_path: Path) -> Path:
    return pilot(shared_data, tmp_path / "pilot", 2)


def rewritten(study: Path, name: str, change: Callable[[Table, list[Row]], tuple[Table, list[Row]]]) -> None:
    table, rows = tables_of(study)[name]
    made, kept = change(table, rows)
    (study / f"{name}.xpt").write_bytes(b"".join(write_xpt(made, kept, file=f"{name}.xpt")))


def refused(study: Path, *, strict: bool = False) -> str:
    with pytest.raises(WrongCallError) as error:
        read_folder(study, strict=strict)
    assert CANARY not in str(error.value)
    return str(error.value)


# ---- what the client refuses


def test_a_variable_that_is_not_defined_is_refused_by_file_and_name(study: Path) -> None:
    def change(table: Table, rows: list[Row]) -> tuple[Table, list[Row]]:
        more = Variable(name="AEEXTRA", label="", type=DataType.STRING, length=20)
        return replace(table, variables=(*table.variables, more)), [(*row, CANARY) for row in rows]

    rewritten(study, "ae", change)
    assert "AEEXTRA: is no variable that the study defines" in refused(study)


def test_a_table_that_is_not_defined_is_refused(study: Path) -> None:
    rewritten(study, "ae", lambda table, rows: (replace(table, name="ZZ"), rows))
    assert "ae.xpt: is of no table that define.xml defines" in refused(study)


def test_a_variable_of_another_type_is_refused(study: Path) -> None:
    def change(table: Table, rows: list[Row]) -> tuple[Table, list[Row]]:
        at = [one.name for one in table.variables].index("AESEQ")
        text = Variable(name="AESEQ", label="", type=DataType.STRING, length=20)
        variables = tuple(text if number == at else one for number, one in enumerate(table.variables))
        return replace(table, variables=variables), [(*row[:at], CANARY, *row[at + 1 :]) for row in rows]

    rewritten(study, "ae", change)
    assert "ae.xpt, AESEQ: is string, and defined as integer" in refused(study)


def _twice(table: Table, rows: list[Row]) -> tuple[Table, list[Row]]:
    at = [one.name for one in table.variables].index("AETERM")
    marked = [(*row[:at], CANARY, *row[at + 1 :]) for row in rows]
    return table, [*marked, marked[0]]


def test_a_key_that_is_there_twice_is_told_and_with_strict_refused(study: Path) -> None:
    rewritten(study, "ae", _twice)
    told = [one.text for one in read_folder(study).findings if one.text.startswith("ae.xpt")]
    assert "ae.xpt: has the keys of an earlier row" in told
    assert CANARY not in " ".join(told)
    for path in study.glob("*.xpt"):
        if path.stem not in ("ae", "dm"):
            path.unlink()
    assert re.search(r"ae\.xpt, row \d+: has the keys of an earlier row", refused(study, strict=True))


def test_a_row_that_names_nobody_is_refused_by_its_number(study: Path) -> None:
    def change(table: Table, rows: list[Row]) -> tuple[Table, list[Row]]:
        at = [one.name for one in table.variables].index("USUBJID")
        return table, [(*rows[0][:at], "", *rows[0][at + 1 :]), *rows[1:]]

    rewritten(study, "ae", change)
    assert "ae.xpt, row 1, USUBJID: names no subject" in refused(study)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda octets: octets[:-7], "ends within"),
        (lambda octets: octets[:500], "dm.xpt"),
        (lambda octets: b"", "dm.xpt"),
        (lambda octets: b"\0" * len(octets), "dm.xpt"),
        (lambda octets: octets.replace(b"NAMESTR", b"NAMESTX"), "dm.xpt"),
        (lambda octets: octets.replace(b"140  HEADER", b"136  HEADER"), "dm.xpt"),
        (lambda octets: octets + octets, "dm.xpt"),
    ],
)
def test_a_broken_transport_file_is_refused(study: Path, broken: Callable[[bytes], bytes], says: str) -> None:
    path = study / "dm.xpt"
    was = path.read_bytes()
    path.write_bytes(broken(was))
    if path.read_bytes() == was:
        pytest.fail("nothing was broken")
    assert says in refused(study)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (gzip.compress(b"x" * 5_000, mtime=0)[:-9], "packed stream"),
        (b"\x1f\x8b" + b"\0" * 40, "gzip"),
        (gzip.compress(b"x" * 5_000, mtime=0) + b"more", "goes on"),
    ],
)
def test_a_broken_packed_file_is_refused(study: Path, octets: bytes, says: str) -> None:
    (study / "dm.xpt").unlink()
    (study / "dm.xpt.gz").write_bytes(octets)
    assert says in refused(study)


def test_a_packed_file_that_unpacks_to_too_much_is_given_up(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_OCTETS", 1 << 20)
    (study / "dm.xpt").unlink()
    (study / "dm.xpt.gz").write_bytes(gzip.compress(b" " * (64 << 20)))
    assert "unpacks to more than 1048576 octets" in refused(study)


def test_a_definition_with_a_document_type_is_refused(study: Path) -> None:
    text = (study / "define.xml").read_text()
    bomb = '<!DOCTYPE ODM [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    (study / "define.xml").write_text(text.replace("<ODM", bomb + "<ODM", 1))
    assert "document type" in refused(study)


def test_two_definitions_are_refused(study: Path) -> None:
    shutil.copy(study / "define.xml", study / "other.xml")
    assert "more than one definition" in refused(study)


def test_a_refused_folder_ends_the_command_before_a_gateway_is_started(study: Path, tmp_path: Path) -> None:
    rewritten(study, "ae", _twice)
    data = tmp_path / "data"
    code, said = run_command("study", "import", study, "--strict", settings={"DATA_DIR": str(data)})
    assert code == 2
    assert CANARY not in said
    assert "Traceback" not in said
    assert not list(data.glob("*"))


# ---- what the gateway refuses, whoever the client is


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[Site]:
    async with inside(tmp_path / "gateway") as made:
        yield await _prepared(made)


async def _prepared(made: Inside) -> Site:
    found = await site(made)
    await found.prepare()
    return found


def _item(form: Any) -> Any:
    return form["item"][0]["item"][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda form: _item(form).update(linkId="IG.VS/I.NONE"), "linkId"),
        (lambda form: _item(form).update(answer=[{"valueString": CANARY}]), "TYPE"),
        (lambda form: _item(form).update(answer=[{"valueInteger": 999}]), "RANGE"),
        (lambda form: form.update(questionnaire="urn:other"), "another form"),
        (lambda form: form["extension"][0]["extension"].pop(0), "extension"),
    ],
)
async def test_a_form_that_is_not_of_the_definition_is_refused(
    running: Site, change: Callable[[Any], None], says: str
) -> None:
    subject = await running.enrol("1001")
    form = await running.response("120")
    change(form)
    with pytest.raises(CallerError) as error:
        await running.inside.gateway.capturing.capture(
            await running.caller(running.coordinator), running.study, subject.subject, (form,)
        )
    assert says.lower() in f"{' '.join(error.value.field)} {error.value.message}".lower()
    assert CANARY not in error.value.message
    assert await _captured(running, subject) == 0


async def test_a_value_that_is_not_allowed_is_taken_as_found_and_asked_about(running: Site) -> None:
    subject = await running.enrol("1001")
    made = await running.capture(subject, "999", as_found=True)
    assert len(made.queries) == 2
    assert await _captured(running, subject) == 1


async def test_a_form_that_is_there_is_not_captured_again(running: Site) -> None:
    subject = await running.enrol("1001")
    await running.capture(subject, "120")
    with pytest.raises(ConflictError, match="is there already"):
        await running.capture(subject, "121")
    assert await _captured(running, subject) == 1


async def _captured(running: Site, subject: Any) -> int:
    caller = await running.caller(running.coordinator)
    return len(await running.inside.gateway.capturing.forms(caller, running.study, subject.subject))


# ---- what an export refuses to write


def test_a_value_that_the_form_cannot_say_leaves_no_file(tmp_path: Path) -> None:
    from gateway.exchange.formats import Format
    from gateway.exchange.writing import write_table
    from gateway.trials.tabulation.described import Described, FileKind, SourceFile

    variables = (Variable(name="A_NAME_OF_MORE", label="", type=DataType.STRING, length=8),)
    made = Described(
        table=Table(name="T", label="", variables=variables), file=SourceFile(name="t.json", kind=FileKind.JSON)
    )
    with pytest.raises(StepFailedError, match="is no SAS name") as error:
        write_table(made, [(CANARY,)], tmp_path, format=Format.XPT, created="2026-01-01T00:00:00")
    assert CANARY not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_a_file_leads_nowhere_else(tmp_path: Path) -> None:
    """The name stands in the study's journal: whoever describes a table chooses it."""
    from gateway.exchange.formats import Format
    from gateway.exchange.writing import write_table
    from gateway.trials.tabulation.described import Described, FileKind, SourceFile

    out = tmp_path / "out"
    out.mkdir()
    variables = (Variable(name="A", label="", type=DataType.STRING, length=8),)
    for name in ("../escaped.json", "/tmp/escaped.json", "..", "a/../../escaped.json", ".", ""):
        made = Described(
            table=Table(name="T", label="", variables=variables), file=SourceFile(name=name, kind=FileKind.JSON)
        )
        try:
            written = write_table(made, [("x",)], out, format=Format.DATASET_JSON, created="2026-01-01T00:00:00")
        except StepFailedError:
            continue
        assert (out / written).resolve().parent == out.resolve()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_dataset_json_of_an_unknown_edition_is_refused(study: Path) -> None:
    table, rows = tables_of(study)["ae"]
    text = b"".join(write_json(replace(table, records=len(rows)), rows, file="ae.json"))
    (study / "ae.xpt").unlink()
    (study / "ae.json").write_bytes(text.replace(b'"datasetJSONVersion":"1.1.0"', b'"datasetJSONVersion":"9.0.0"'))
    assert "is no Dataset-JSON of version 1.1" in refused(study)


def test_a_compressed_table_that_is_none_is_refused(study: Path) -> None:
    (study / "ae.xpt").unlink()
    (study / "ae.dsjc").write_bytes(zlib.compress(b'{"name": "AE"}\n') + b"tail")
    assert "ae.dsjc" in refused(study)


def test_a_table_knows_its_subjects_by_one_name_alone(study: Path) -> None:
    assert datasets.SUBJECT == "USUBJID"
    assert all(one.subjects for one in read_folder(study).tables if one.names_subjects and one.rows)
