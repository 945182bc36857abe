"""Files of a release: what is read back is what was released, as Parquet and as NDJSON."""

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest

from gateway.adapters.tabular import GROUP, Files
from gateway.deid.profile import shipped
from gateway.deid.tables import Table, make_table
from gateway.deid.views import parse_view
from gateway.deid.views.selects import Row

VIEW = {
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "person", "path": "subject.getReferenceKey()"},
                {"name": "code", "path": "code.coding.code.first()"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "flag", "path": "value.ofType(boolean)", "type": "boolean"},
                {"name": "codes", "path": "category.coding.code", "collection": True},
            ]
        }
    ],
}
ROWS: list[Row] = [
    ("a", "8302-2", 176.5, None, ["x", "y"]),
    ("b", None, None, True, None),
    ("c", "é\n", -0.5, False, []),
]


@pytest.fixture
def table() -> Table:
    view = parse_view(VIEW, field=(), types={"Observation"})
    return make_table("values", view, shipped("safe-harbor"), field=())


def written(format: str, table: Table, rows: Sequence[Row], facts: dict[str, str] | None = None) -> bytes:
    file = Files().open(format, table, facts=facts or {})
    return b"".join([file.add(rows), file.end()])


def read(table: Table, rows: Sequence[Row], facts: dict[str, str] | None = None) -> Any:
    return pq.read_table(io.BytesIO(written("parquet", table, rows, facts)))


def test_parquet_reads_back_with_types_and_facts(table: Table) -> None:
    found = read(table, ROWS, {"release": "r"})
    assert [tuple(row.values()) for row in found.to_pylist()] == ROWS
    assert [str(one.type) for one in found.schema] == ["string", "string", "double", "bool", "list<element: string>"]
    assert found.schema.metadata[b"release"] == b"r"


def test_ndjson_reads_back(table: Table) -> None:
    lines = written("ndjson", table, ROWS).splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == ROWS
    assert list(json.loads(lines[0])) == ["person", "code", "value", "flag", "codes"]


@pytest.mark.parametrize("count", [0, 1, GROUP, GROUP + 1])
def test_any_number_of_rows(table: Table, count: int) -> None:
    rows: list[Row] = [("a", str(at % 7), at / 2, None, None) for at in range(count)]
    assert read(table, rows).num_rows == count
    assert len(written("ndjson", table, rows).splitlines()) == count


def test_octets_leave_while_rows_still_come(table: Table) -> None:
    file = Files().open("parquet", table, facts={})
    sizes = []
    for start in range(0, 4 * GROUP, GROUP // 4):
        rows: list[Row] = [("a", str(at), at / 3, None, None) for at in range(start, start + GROUP // 4)]
        sizes.append(len(file.add(rows)))
    assert sum(size > 1000 for size in sizes) == 4
    assert len(file.end()) > 0


def test_what_a_text_column_holds_is_text(table: Table) -> None:
    odd: list[Row] = [("a", 5, 1, None, [True, 2.5])]
    assert read(table, odd).to_pylist()[0] == {
        "person": "a", "code": "5", "value": 1.0, "flag": None, "codes": ["true", "2.5"],
    }  # fmt: skip
