"""Opened files lie where their table is and nowhere else; who withdrew is taken out of them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.demo.datasets.answers import File
from gateway.demo.datasets.receiving import place_of
from gateway.demo.datasets.tables import remove_people, row_count, texts_in
from gateway.demo.model import StepFailedError


def file(name: str, table: str = "people") -> File:
    return File(name=name, table=table, rows=1, size=1, sha256="0x", path="/datasets/d/x")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.parquet"
    pq.write_table(pa.table({"person": ["a", "b", "c"], "born": [1, 2, 3], "by": ["x", "a", None]}), path)
    return path


def test_a_file_lies_with_its_table(tmp_path: Path) -> None:
    assert place_of(tmp_path, file("people/part-00012.parquet"), tables={"people": {}}) == (
        tmp_path / "people" / "part-00012.parquet"
    )


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("../people/part-00000.parquet", "people"),
        ("people/../../part-00000.parquet", "people"),
        ("people/part-0000/.parquet", "people"),
        ("people/part-00000.parquet/x", "people"),
        ("/etc/part-00000.parquet", "/etc"),
        ("people/part-00000.ndjson", "people"),
        ("people/report.html", "people"),
        ("other/part-00000.parquet", "other"),
        ("people/part-00000.parquet", "conditions"),
        ("people/part-٠٠٠٠٠.parquet", "people"),
        ("part-00000.parquet", ""),
    ],
)
def test_a_name_that_leads_elsewhere_is_not_written_to(tmp_path: Path, name: str, table: str) -> None:
    with pytest.raises(StepFailedError, match="none of a table's parts"):
        place_of(tmp_path, file(name, table), tables={"people": {}, "conditions": {}})


def test_rows_and_people_are_read(people: Path) -> None:
    assert (row_count(people), texts_in(people, "person")) == (3, ["a", "b", "c"])


def test_what_is_no_parquet_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"not a table")
    with pytest.raises(StepFailedError, match="no Parquet file"):
        row_count(tmp_path / "x.parquet")


@pytest.mark.parametrize("column", ["none", "born", "by"])
def test_a_column_that_names_nobody_is_said(people: Path, column: str) -> None:
    with pytest.raises(StepFailedError, match=f"column {column}"):
        texts_in(people, column)


def test_who_withdrew_is_in_no_row_and_the_others_are(people: Path) -> None:
    remove_people([people], ["a"])
    assert pq.read_table(people).to_pylist() == [{"person": "c", "born": 3, "by": None}]
    assert list(people.parent.iterdir()) == [people]


def test_a_table_of_nobody_keeps_its_columns(people: Path) -> None:
    remove_people([people], ["a", "b", "c"])
    assert (row_count(people), pq.read_schema(people).names) == (0, ["person", "born", "by"])
