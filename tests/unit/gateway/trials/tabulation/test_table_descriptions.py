"""Descriptions of tables: JSON, out of which a table is written again as it was."""

import gzip
from pathlib import Path

import pytest

from gateway import jsontext
from gateway.errors import CallerError
from gateway.trials.tabulation.csv import read_csv, surveyed, write_csv
from gateway.trials.tabulation.dataset_json import read_json, write_json
from gateway.trials.tabulation.described import Described, FileKind, SourceFile, described_of, tree_of
from gateway.trials.tabulation.model import StoredVariable, Table
from gateway.trials.tabulation.xpt import Encoding, encoding_of, write_xpt
from tests.unit.gateway.trials.tabulation.studies import (
    ADAM,
    TRANSPORT,
    dataset_json_file,
    number,
    table,
    transport,
    transport_file,
)


def again(table: Table, file: SourceFile) -> Described:
    """Through the JSON that a journal's entry would hold."""
    text = jsontext.canonical(tree_of(Described(table=table, file=file)))
    return described_of(jsontext.loads(text))


@pytest.mark.parametrize("name", TRANSPORT)
def test_a_transport_file_is_written_from_its_description(shared_data: Path, name: str) -> None:
    octets = transport_file(shared_data, name)
    encoding = encoding_of([octets], file=name)
    read, rows = transport(shared_data, name)
    found = again(read, SourceFile(name=f"{name}.xpt", kind=FileKind.XPT, encoding=encoding))
    assert found.table == read
    assert b"".join(write_xpt(found.table, rows, file=name, encoding=found.file.encoding)) == octets


@pytest.mark.parametrize("name", [*ADAM, "ae"])
def test_a_dataset_of_json_is_written_from_its_description(shared_data: Path, name: str) -> None:
    read, rows = read_json([dataset_json_file(shared_data, name)], file=name)
    kept = list(rows)
    found = again(read, SourceFile(name=f"{name}.json", kind=FileKind.JSON))
    assert found.table == read
    written = b"".join(write_json(found.table, kept, file=name))
    assert written == b"".join(write_json(read, kept, file=name))


def test_a_file_of_text_keeps_its_form(shared_data: Path) -> None:
    octets = gzip.decompress((shared_data / "trials" / "sdtm-cdiscpilot01-csv" / "dm.csv.gz").read_bytes())
    read, _ = surveyed([octets], name="DM", file="dm.csv", missing="NA")
    form, rows = read_csv([octets], table=read, file="dm.csv", missing="NA")
    found = again(read, SourceFile(name="dm.csv", kind=FileKind.CSV, form=form))
    assert found.table == read
    assert b"".join(write_csv(found.table, rows, file="dm.csv", form=found.file.form)) == octets


def test_octets_of_a_head_are_kept() -> None:
    stored = StoredVariable(width=8, number=3, hash=-1, fill=b"\xff\0", rest=b"\x01" * 52)
    one = table(number()).variables[0]
    made = table(type(one)(name=one.name, label=one.label, type=one.type, stored=stored))
    assert again(made, SourceFile(name="a.xpt", kind=FileKind.XPT)).table == made


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("version", 2),
        ("more", 1),
        ("table", {"name": "A", "label": "", "variables": [], "colour": "red"}),
        ("table", {"name": "A", "label": ""}),
        ("file", {"name": "a", "kind": "sas7bdat"}),
        ("file", {"name": "a", "kind": "xpt", "encoding": "utf-7"}),
    ],
)
def test_what_is_no_description_is_refused(member: str, value: jsontext.JsonValue) -> None:
    good = tree_of(Described(table=table(number()), file=SourceFile(name="a.xpt", kind=FileKind.XPT)))
    assert described_of(good).file.encoding is Encoding.UTF_8
    with pytest.raises(CallerError) as refused:
        described_of({**good, member: value})
    assert refused.value.field[0] == "description"
