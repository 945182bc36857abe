"""Dataset-JSON that is broken, or was made to break the reader: each is refused with the place."""

import gzip
import time
import zlib
from collections.abc import Iterator

import pytest

from gateway.errors import CallerError, LimitError
from gateway.trials.tabulation.dataset_json import read_dsjc, read_json, read_ndjson
from gateway.trials.tabulation.dataset_json.splitting import MOST_HEAD, MOST_ROW
from gateway.trials.tabulation.model import DataType
from tests.unit.gateway.trials.tabulation.test_dataset_json import SMALL

HEAD, _, ROWS = SMALL.partition(b',"rows":')
LINES = HEAD + b"}\n" + b'["a",1.10,"1"]\n["",null,null]\n'
SECONDS = 5.0


def refusal(octets: bytes) -> CallerError:
    started = time.monotonic()
    with pytest.raises(CallerError) as caught:
        list(read_json([octets], file="ae.json")[1])
    assert time.monotonic() - started < SECONDS
    return caught.value


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b'"1.1.0"', b'"1.0.0"', "is no Dataset-JSON of version 1.1"),
        (b'"2024-11-11T15:09:10"', b'"yesterday"', "datasetJSONCreationDateTime is no date and time"),
        (b'"records":2,', b"", "has no datasetJSONCreationDateTime or no records"),
        (b'"records":2,', b'"records":-2,', "records is no whole number of at least 0"),
        (b'"records":2,', b'"records":true,', "records is no whole number"),
        (b'"records":2,', b'"records":3,', "has 2 rows, and tells of 3 records"),
        (b'"records":2,', b'"records":1,', "has more rows than the 1 records"),
        (b'"name":"AE",', b"", "has no name"),
        (b'"name":"AE",', b'"name":"AE","name":"AE",', "repeated key at /name"),
        (b'"name":"DOSE"', b'"name":"AETERM"', "AETERM: is there twice"),
        (b'"dataType":"float"', b'"dataType":"number"', "column 2: dataType is none of string, integer"),
        (b'"targetDataType":"decimal"', b'"targetDataType":"float"', "column 3: has a targetDataType"),
        (b'"length":8', b'"length":0', "column 1: length is no whole number of at least 1"),
        (b'"length":8', b'"length":null', "column 1: length is no whole number"),
        (b'"itemOID":"IT.AE.DOSE",', b"", "column 2: has no itemOID"),
        (b'["a",1.10,"1,000.50"]', b'["a",1.10]', "row 1: has 2 values for 3 variables"),
        (b'["",null,null]', b'["",null,null,1]', "row 2: has 4 values for 3 variables"),
        (b'["a",1.10,', b"[1,1.10,", "row 1, AETERM: is not of its type, string"),
        (b'["",null,', b'["","secret",', "row 2, DOSE: is not of its type, float"),
        (b'"1,000.50"', b'"secret"', "row 1, EXACT: not a decimal number"),
        (b'"1,000.50"', b'"NaN"', "row 1, EXACT: not a decimal number"),
        (b'"1,000.50"', b"1000.50", "row 1, EXACT: is not of its type, decimal"),
        (b'"1,000.50"', b'"' + b"1" * 129 + b'"', "row 1, EXACT: a decimal number is longer"),
        (b"1.10", b"1." + b"1" * 70, "row 1: a number is longer"),
        (b"1.10", b"01.10", "row 1: not JSON"),
        (b"1.10", b"NaN", "row 1: not JSON"),
        (b'["",null,null]', b'["",[],null]', "its row 2 is no JSON as Dataset-JSON has it"),
        (b'["",null,null]', b'["",{"a":1},null]', "its row 2 is no JSON as Dataset-JSON has it"),
        (b'["",null,null]', b'{"AETERM":""}', "its row 2 is no JSON as Dataset-JSON has it"),
        (b'["",null,null]', b"", "its row 2 is no JSON"),
        (b"]]}", b"],]}", "its row 3 is no JSON"),
        (b"]]}", b"]]", "its end is no JSON"),
        (b"]]}", b"]", "its row 2 is no JSON"),
        (b"]]}", b"]]}}", "goes on after its JSON object"),
        (b"]]}", b"]]} {}", "goes on after its JSON object"),
        (b"]]}", b']],"label":"late"}', "has members after its rows; put the rows last"),
        (b'"rows":[', b'"rows":', "its row 1 is no JSON"),
        (b'"rows":[', b'"rows":{', "its rows is no JSON"),
        (b'"columns":[', b'"columns":{}, "x":[', "has no columns"),
        (b'"columns":[', b'"columns":["AESEQ",', "column 1: is no JSON object"),
        (b'"label":"Adverse Events"', b'"label":1', "label is no text"),
        (b'"records":2,', b'"records":2,"sourceSystem":{"name":"SAS"},', "sourceSystem: has no version"),
        (b'"name":"AE",', b'"name":"' + b"A" * 129 + b'",', "has a name of more than 128 characters"),
        (b'"dataType":"float"', b'"dataType":"boolean"', "row 1, DOSE: is not of its type, boolean"),
        (b'"dataType":"float"', b'"dataType":"integer"', "row 1, DOSE: is not of its type, integer"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(before: bytes, after: bytes, told: str) -> None:
    assert before in SMALL
    assert told in refusal(SMALL.replace(before, after, 1)).message


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "its metadata is no JSON"),
        (b"[]", "is no JSON object"),
        (b'"rows"', "is no JSON object"),
        (b"{}", "has no datasetJSONVersion"),
        (b"\xef\xbb\xbf" + SMALL, "is no JSON object"),
        (b'{"rows":[[1]],"name":"AE"}', "has its rows before its metadata; put the rows last"),
        (b'{"clinicalData":{}}', "is Dataset-JSON 1.0; write it as version 1.1"),
        (HEAD, "its metadata is no JSON"),
        (SMALL.replace(b"Adverse", b"Adv\xff"), "not JSON"),
    ],
)
def test_what_is_no_dataset_is_refused(octets: bytes, told: str) -> None:
    assert told in refusal(octets).message


def test_a_refusal_never_holds_a_value() -> None:
    assert "secret" not in refusal(SMALL.replace(b'["",null,null]', b'["","secret",null]')).message


def test_a_file_without_rows_tells_of_none() -> None:
    octets = SMALL.replace(b'"records":2', b'"records":0')[: SMALL.index(b',"rows"')] + b"}"
    assert list(read_json([octets], file="x")[1]) == []


@pytest.mark.parametrize(
    "octets",
    [
        b"[" * 5_000_000,
        b'{"a":' * 1_000_000,
        b'{"' + b"a" * (2 * MOST_HEAD),
        b'{"a":"' + b'\\"' * MOST_HEAD,
        b'{"a":1' + b" " * (3 * MOST_HEAD) + b"}",
        HEAD + b',"rows":[["' + b"a" * (2 * MOST_ROW),
        HEAD + b',"rows":[' + b" " * (2 * MOST_ROW),
        HEAD + b',"rows":[[' + b"[" * (2 * MOST_ROW),
        HEAD + b',"rows":[["' + b"\\\\" * MOST_ROW,
    ],
    ids=lambda octets: f"{octets[-4:]!r}…{len(octets)}",
)
def test_what_never_ends_is_refused_soon(octets: bytes) -> None:
    refusal(octets)


def test_too_many_columns_are_refused() -> None:
    column = b'{"itemOID":"a","name":"a","label":"","dataType":"string"}'
    octets = SMALL[: SMALL.index(b'"columns"')] + b'"columns":[' + b",".join([column] * 10_000) + b"]}"
    assert "more than 9999 columns" in refusal(octets).message


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (LINES.replace(b'["a"', b'["a'), "row 1: not JSON"),
        (LINES.replace(b'["",null,null]', b'{"AETERM":""}'), "row 2: is no JSON array"),
        (LINES.replace(b'["",null,null]', b'["",null,null]]'), "row 2: not JSON"),
        (LINES.replace(b'["",null,null]', b'1],["",null,null'), "row 2: not JSON"),
        (LINES.replace(b"\n[", b"\n\n[", 1), "row 1: not JSON"),
        (LINES + b'["",null,null]', "has more rows than the 2 records"),
        (LINES[: LINES.index(b"\n[")], "has 0 rows, and tells of 2 records"),
        (b"\n" + LINES, "not JSON"),
    ],
)
def test_broken_lines_are_refused_with_the_place(octets: bytes, told: str) -> None:
    with pytest.raises(CallerError) as caught:
        list(read_ndjson([octets], file="ae.ndjson")[1])
    assert told in caught.value.message


def test_lines_may_end_in_carriage_returns_too() -> None:
    assert len(list(read_ndjson([LINES.replace(b"\n", b"\r\n")], file="x")[1])) == 2


def test_a_line_that_never_ends_is_refused() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"a" * 65_536

    with pytest.raises(LimitError, match="a line is longer than"):
        read_ndjson(endless(), file="x")


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_both_ways_of_packing_are_read(pack: object) -> None:
    assert callable(pack)
    assert len(list(read_dsjc([pack(LINES)], file="x")[1])) == 2


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
@pytest.mark.parametrize("count", [1, 10_000, 100_000])
def test_what_packs_well_is_read_to_its_end(pack: object, count: int) -> None:
    assert callable(pack)
    many = LINES.replace(b'"records":2', b'"records":%d' % (count + 2)) + b'["",null,null]\n' * count
    assert sum(1 for _ in read_dsjc([pack(many)], file="x")[1]) == count + 2


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_a_bomb_is_given_up_at_the_bound(pack: object) -> None:
    assert callable(pack)
    packed = pack(LINES + b" " * 50_000_000)
    started = time.monotonic()
    with pytest.raises(LimitError, match=r"longer than|unpacks to more than 1000000 octets"):
        list(read_dsjc([packed], file="x", most=1_000_000)[1])
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "ends within its packed stream"),
        (b"x", "ends within its packed stream"),
        (LINES, "is no sound zlib or gzip stream"),
        (zlib.compress(LINES)[:-1], "ends within its packed stream"),
        (zlib.compress(LINES)[:-4] + b"\0\0\0\0", "is no sound zlib or gzip stream"),
        (zlib.compress(LINES) + b"x", "goes on after its packed stream has ended"),
        (gzip.compress(LINES) + b"x", "goes on after its packed stream has ended"),
        (gzip.compress(LINES)[:-5], "ends within its packed stream"),
    ],
)
def test_a_broken_packed_file_is_refused(octets: bytes, told: str) -> None:
    with pytest.raises(CallerError) as caught:
        list(read_dsjc([octets], file="x")[1])
    assert told in caught.value.message


def test_a_gzip_file_of_several_members_is_read() -> None:
    packed = gzip.compress(LINES[:100]) + gzip.compress(LINES[100:])
    assert all(len(list(read_dsjc([packed[:at], packed[at:]], file="x")[1])) == 2 for at in range(60, 200, 7))


def test_every_logical_type_is_known() -> None:
    assert {one.value for one in DataType} == {
        "string", "integer", "decimal", "float", "double", "boolean", "datetime", "date", "time", "URI",
    }  # fmt: skip
