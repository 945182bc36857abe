"""Dataset-JSON comes out as it went in, and through a transport file nothing is lost that both can say."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError
from gateway.jsontext import Num, dumps, loads
from gateway.trials.tabulation.dataset_json import (
    read_dsjc,
    read_json,
    read_ndjson,
    write_dsjc,
    write_json,
    write_ndjson,
)
from gateway.trials.tabulation.dates import dated
from gateway.trials.tabulation.fitting import fitted
from gateway.trials.tabulation.model import Cell, DataType, Exact, Missing, Row, Table
from gateway.trials.tabulation.xpt import Encoding, read_xpt, write_xpt
from gateway.trials.tabulation.xpt.header import without_stored
from tests.unit.gateway.trials.tabulation.studies import (
    ADAM,
    TRANSPORT,
    dataset_json_file,
    number,
    pieces,
    table,
    text,
    transport,
    transport_file,
)


def folder(shared_data: Path) -> Path:
    return shared_data / "trials" / "dataset-json-adam"


def to_json(one: Table, rows: Iterable[Row]) -> bytes:
    return b"".join(write_json(one, rows, file="ae.json"))


def from_json(octets: bytes) -> tuple[Table, list[Row]]:
    one, rows = read_json([octets], file="ae.json")
    return one, list(rows)


def whole(value: object) -> Any:
    return value


@pytest.mark.parametrize("name", [*ADAM, "ae"])
def test_a_real_file_comes_out_octet_for_octet(shared_data: Path, name: str) -> None:
    octets = dataset_json_file(shared_data, name)
    assert to_json(*from_json(octets)) == octets


def test_a_real_ndjson_file_comes_out_equal_line_by_line(shared_data: Path) -> None:
    octets = gzip.decompress((folder(shared_data) / "adsl.ndjson.gz").read_bytes())
    one, rows = read_ndjson([octets], file="adsl.ndjson")
    out = b"".join(write_ndjson(one, rows, file="adsl.ndjson"))
    assert [dumps(loads(line)) for line in out.splitlines()] == [dumps(loads(line)) for line in octets.splitlines()]


def test_a_real_packed_file_comes_out_equal_line_by_line(shared_data: Path) -> None:
    octets = (folder(shared_data) / "adsl.dsjc").read_bytes()
    one, rows = read_dsjc([octets], file="adsl.dsjc")
    out = zlib.decompress(b"".join(write_dsjc(one, rows, file="adsl.dsjc")))
    lines, before = out.splitlines(), gzip.decompress(octets).splitlines()
    assert lines[1:] == before[1:]
    assert sorted(whole(loads(lines[0])).items(), key=str) == sorted(whole(loads(before[0])).items(), key=str)


def test_the_three_forms_hold_the_same_rows(shared_data: Path) -> None:
    _, rows = from_json(dataset_json_file(shared_data, "adsl"))
    _, lines = read_ndjson([gzip.decompress((folder(shared_data) / "adsl.ndjson.gz").read_bytes())], file="x")
    _, packed = read_dsjc([(folder(shared_data) / "adsl.dsjc").read_bytes()], file="x")
    assert rows == list(lines) == list(packed)


def test_japanese_text_is_read(shared_data: Path) -> None:
    _, rows = from_json(dataset_json_file(shared_data, "ae"))
    assert any(cell == "アプリケーションサイトの紅斑" for row in rows for cell in row if isinstance(cell, str))


def test_a_file_is_read_the_same_in_pieces_of_any_size(shared_data: Path) -> None:
    octets = dataset_json_file(shared_data, "adtte")
    expected = from_json(octets)[1]
    assert all(list(read_json(pieces(octets, size), file="x")[1]) == expected for size in (1, 1_000, 70_000))


@pytest.mark.parametrize("name", TRANSPORT)
def test_a_transport_file_comes_back_through_json_octet_for_octet(shared_data: Path, name: str) -> None:
    one, rows = transport(shared_data, name)
    told, back = from_json(to_json(fitted(one, rows, encoding="windows-1252"), rows))
    assert all(variable.stored is None for variable in told.variables)
    out = b"".join(write_xpt(told, back, file=f"{name}.xpt", encoding=Encoding.WINDOWS_1252))
    assert out == transport_file(shared_data, name)


@pytest.mark.parametrize("name", ADAM)
def test_a_dataset_comes_back_through_a_transport_file(shared_data: Path, name: str) -> None:
    one, rows = from_json(dataset_json_file(shared_data, name))
    told, back = read_xpt(write_xpt(fitted(one, rows), rows, file="x"), file="x")
    _, texts = dated(without_stored(told), back, file="x")
    assert [tuple(cell or None for cell in row) for row in texts] == [
        tuple(cell or None for cell in row) for row in rows
    ]


def test_members_that_the_model_does_not_know_come_back() -> None:
    one, rows = from_json(SMALL)
    value = whole(loads(to_json(replace(one, more=(("x:mine", '{"a":[1.10,null]}'),)), rows)))
    assert dumps(value["x:mine"]) == b'{"a":[1.10,null]}'
    assert from_json(dumps(value))[0].more == (("x:mine", '{"a":[1.10,null]}'),)


SMALL = (
    b'{"datasetJSONCreationDateTime":"2024-11-11T15:09:10","datasetJSONVersion":"1.1.0","itemGroupOID":"IG.AE",'
    b'"records":2,"name":"AE","label":"Adverse Events","columns":['
    b'{"itemOID":"IT.AE.AETERM","name":"AETERM","label":"Term","dataType":"string","length":8},'
    b'{"itemOID":"IT.AE.DOSE","name":"DOSE","label":"Dose","dataType":"float"},'
    b'{"itemOID":"IT.AE.EXACT","name":"EXACT","label":"Exact","dataType":"decimal","targetDataType":"decimal"}],'
    b'"rows":[["a",1.10,"1,000.50"],["",null,null]]}'
)


def test_numbers_keep_their_text() -> None:
    assert to_json(*from_json(SMALL)) == SMALL


def test_cells_have_the_types_of_their_columns() -> None:
    assert [list(map(type, row)) for row in from_json(SMALL)[1]] == [
        [str, Num, Exact],
        [str, type(None), type(None)],
    ]


def test_a_decimal_with_separators_is_its_value() -> None:
    assert from_json(SMALL)[1][0][2] == Decimal("1000.5")


CELLS = st.tuples(
    st.none() | st.text(st.characters(exclude_categories=("Cs",))),
    st.none() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
)


@given(st.lists(CELLS, max_size=600))
def test_any_rows_come_back(rows: list[Row]) -> None:
    columns = (text(), number(), text("EXACT", type_=DataType.DECIMAL))
    one = table(*columns, records=len(rows))
    assert from_json(to_json(one, rows))[1] == rows


@given(st.lists(st.integers(1, 40), max_size=5), st.text('[]{}",\\:rows \n', max_size=30))
def test_rows_are_cut_where_json_cuts_them(sizes: list[int], said: str) -> None:
    rows: list[Row] = [(said * size,) for size in sizes]
    one = replace(table(text(), records=len(rows)), label=said, originator=f'"rows":[{said}')
    assert from_json(to_json(one, rows))[1] == rows


def test_indented_json_is_read_the_same(shared_data: Path) -> None:
    octets = dataset_json_file(shared_data, "adtte")
    assert from_json(json.dumps(json.loads(octets), indent=3).encode()) == from_json(octets)


def test_a_name_written_with_escapes_is_the_same_name() -> None:
    assert from_json(SMALL.replace(b'"rows"', rb'"\u0072ow\u0073"'))[1] == from_json(SMALL)[1]


def test_a_special_missing_number_is_refused_unless_it_may_be_null() -> None:
    one = table(number(), records=1)
    with pytest.raises(CallerError, match="row 1, AESEQ: is a special missing number"):
        to_json(one, [(Missing.A,)])
    blanked = b"".join(write_json(one, [(Missing.A,)], file="x", blank_special=True))
    assert from_json(blanked)[1] == [(None,)]


@pytest.mark.parametrize(
    ("cell", "type_", "told"),
    [
        (1, DataType.STRING, "is not of its type, string"),
        ("1", DataType.INTEGER, "is no number"),
        (1.5, DataType.INTEGER, "is not of its type, integer"),
        (True, DataType.INTEGER, "is no number"),
        (1, DataType.BOOLEAN, "is not of its type, boolean"),
        (float("inf"), DataType.DOUBLE, "is no finite number"),
        (Decimal("1e9999999"), DataType.DECIMAL, None),
        (Decimal("0." + "1" * 70), DataType.DOUBLE, "is a number of more than 64 characters"),
    ],
)
def test_a_cell_of_another_type_is_refused_on_writing(cell: Cell, type_: DataType, told: str | None) -> None:
    one = table(text(type_=type_), records=1)
    if told is None:
        assert to_json(one, [(cell,)]).endswith(b'[["1E+9999999"]]}')
        return
    with pytest.raises(CallerError, match=f"row 1, AETERM: {told}"):
        to_json(one, [(cell,)])


def test_a_table_that_does_not_know_its_count_is_refused() -> None:
    with pytest.raises(CallerError, match="how many records it has; fit the table first"):
        to_json(table(text()), [])


@pytest.mark.parametrize("count", [0, 3])
def test_a_count_that_is_not_so_is_refused_on_writing(count: int) -> None:
    with pytest.raises(CallerError, match=f"has 2 rows, and tells of {count} records"):
        to_json(table(text(), records=count), [("a",), ("b",)])


def test_rows_are_written_as_they_come() -> None:
    drawn: list[int] = []

    def rows() -> Iterator[Row]:
        for at in range(5_000):
            drawn.append(at)
            yield ("a",)

    octets = write_json(table(text(), records=5_000), rows(), file="x")
    assert (next(octets)[:1], next(octets), len(drawn)) == (b"{", b'["a"]', 256)
