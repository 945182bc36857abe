"""Files of a release: what is read back is what was released, as Parquet and as NDJSON."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from gateway.adapters.tabular import GROUP, to_ndjson, to_parquet
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


def read(parts: Iterator[bytes]) -> Any:
    return pq.read_table(io.BytesIO(b"".join(parts)))


def test_parquet_reads_back_with_types_and_facts(table: Table) -> None:
    found = read(to_parquet(table, iter(ROWS), facts={"release": "r"}))
    assert [tuple(row.values()) for row in found.to_pylist()] == ROWS
    assert [str(one.type) for one in found.schema] == ["string", "string", "double", "bool", "list<element: string>"]
    assert found.schema.metadata[b"release"] == b"r"


def test_ndjson_reads_back(table: Table) -> None:
    lines = b"".join(to_ndjson(table, iter(ROWS))).splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == ROWS
    assert list(json.loads(lines[0])) == ["person", "code", "value", "flag", "codes"]


@pytest.mark.parametrize("count", [0, 1, GROUP, GROUP + 1])
def test_any_number_of_rows(table: Table, count: int) -> None:
    rows: list[Row] = [("a", str(at % 7), at / 2, None, None) for at in range(count)]
    assert read(to_parquet(table, iter(rows), facts={})).num_rows == count
    assert len(b"".join(to_ndjson(table, iter(rows))).splitlines()) == count


def test_octets_leave_while_rows_still_come(table: Table) -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for taken in range(1, 20 * GROUP + 1):
            yield ("a", str(taken), taken / 3, None, None)

    parts = to_parquet(table, rows(), facts={})
    next(part for part in parts if len(part) > 1000)
    assert taken <= 2 * GROUP
    assert sum(map(len, parts)) > 0


def test_what_a_text_column_holds_is_text(table: Table) -> None:
    odd: list[Row] = [("a", 5, 1, None, [True, 2.5])]
    assert read(to_parquet(table, iter(odd), facts={})).to_pylist()[0] == {
        "person": "a", "code": "5", "value": 1.0, "flag": None, "codes": ["true", "2.5"],
    }  # fmt: skip
