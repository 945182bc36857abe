"""SAS transport files come out as they went in, octet for octet; what they cannot say is refused by name."""

import math
import tracemalloc
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError
from gateway.trials.tabulation.fitting import fitted
from gateway.trials.tabulation.model import DataType, Missing, Row, Source, StoredFormat
from gateway.trials.tabulation.xpt import Encoding, encoding_of, read_xpt, write_xpt
from tests.unit.gateway.trials.tabulation.studies import (
    TRANSPORT,
    again,
    number,
    pieces,
    refusal,
    table,
    text,
    transport,
    transport_file,
    written,
)

COUNTED = {
    "ae": (961, 37, 3348, 147681.0, 230152), "cm": (7510, 23, 39972, 1943078.969, 864769),
    "dm": (306, 25, 560, 20183.0, 51131), "ds": (596, 15, 2280, 148642.0, 65313),
    "ex": (591, 18, 3540, 122344.0, 53071), "lbur": (4913, 24, 28010, 1294366.2394, 473210),
    "mh": (1817, 19, 7268, -19626.0, 288499), "qsgi": (562, 23, 2810, 3501834.0, 66974),
    "qsmm": (1524, 23, 7620, 3032034.0, 178054), "relrec": (211, 7, 0, 0.0, 9711), "sc": (254, 14, 762, 699.0, 23546),
    "se": (752, 12, 2144, 60640.0, 48611), "suppae": (961, 10, 0, 0.0, 87543), "suppdm": (1197, 10, 0, 0.0, 109166),
    "suppds": (3, 10, 0, 0.0, 222), "sv": (3559, 12, 13936, 638855.9, 232917), "ta": (11, 10, 11, 27.0, 676),
    "te": (7, 7, 0, 0.0, 660), "ti": (31, 5, 0, 0.0, 3638), "ts": (48, 10, 48, 61.0, 3631),
    "tv": (21, 8, 40, 2413.9, 1323),
}  # fmt: skip
"""As ReadStat (pyreadstat 1.3.7) reads them: rows, variables, numbers that are there, their sum, characters of text."""


@pytest.mark.parametrize("name", TRANSPORT)
def test_a_real_file_comes_out_octet_for_octet(shared_data: Path, name: str) -> None:
    one, rows = transport(shared_data, name)
    assert written(one, rows, Encoding.WINDOWS_1252) == transport_file(shared_data, name)


@pytest.mark.parametrize("name", TRANSPORT)
def test_readstat_reads_the_same(shared_data: Path, name: str) -> None:
    one, rows = transport(shared_data, name)
    cells = [cell for row in rows for cell in row]
    numbers = [cell for cell in cells if isinstance(cell, float)]
    texts = sum(len(cell) for cell in cells if isinstance(cell, str))
    assert (len(rows), len(one.variables), len(numbers), math.fsum(numbers), texts) == COUNTED[name]


def test_a_file_is_read_the_same_in_pieces_of_any_size(shared_data: Path) -> None:
    octets = transport_file(shared_data, "sv")
    whole = list(read_xpt([octets], file="sv.xpt")[1])
    assert all(list(read_xpt(pieces(octets, size), file="sv.xpt")[1]) == whole for size in (7, 80, 4_096, 200_000))


def test_the_head_tells_who_made_the_file_and_when(shared_data: Path) -> None:
    one, _ = transport(shared_data, "lbur")
    assert (one.name, one.created, one.source) == (
        "LBUR",
        "2017-09-29T09:33:55",
        Source(name="X64_ES08", version="9.4"),
    )


def test_a_variable_has_its_label_length_and_format(shared_data: Path) -> None:
    one, _ = transport(shared_data, "lbur")
    told = next((v.label, v.type, v.length, v.display_format) for v in one.variables if v.name == "LBTESTCD")
    assert told == ("Lab Test or Examination Short Name", DataType.STRING, 7, "$7.")


def test_windows_1252_is_refused_as_utf_8_with_row_and_variable(shared_data: Path) -> None:
    refused = refusal(transport_file(shared_data, "ts"))
    assert refused.message == "ae.xpt, row 8, TSVAL: is not utf-8; say which encoding it is in"


@pytest.mark.parametrize("name", ["ts", "ae"])
def test_an_encoding_is_told_from_the_texts(shared_data: Path, name: str) -> None:
    found = encoding_of([transport_file(shared_data, name)], file=f"{name}.xpt")
    assert found is (Encoding.WINDOWS_1252 if name == "ts" else Encoding.UTF_8)


def test_windows_1252_text_is_read(shared_data: Path) -> None:
    _, rows = transport(shared_data, "ts")
    assert any("Alzheimer’s" in cell for row in rows for cell in row if isinstance(cell, str))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_text_of_each_encoding_comes_back(encoding: Encoding) -> None:
    said = {
        Encoding.SHIFT_JIS: "頭痛", Encoding.EUC_JP: "頭痛", Encoding.EUC_KR: "두통", Encoding.GB18030: "头痛",
        Encoding.WINDOWS_1252: "Kopf‘weh’", Encoding.LATIN_1: "mÿalgie", Encoding.LATIN_9: "5 €", Encoding.UTF_8: "頭é",
    }[encoding]  # fmt: skip
    rows: list[Row] = [(said,)]
    assert again(table(text(length=20)), rows, encoding) == rows


def test_every_kind_of_missing_comes_back() -> None:
    rows: list[Row] = [(None,), *((one,) for one in Missing), (0.0,)]
    assert again(table(number()), rows) == rows


def test_negative_zero_comes_back() -> None:
    ((cell,),) = again(table(number()), [(-0.0,)])
    assert str(cell) == "-0.0"


def test_a_number_of_three_octets_comes_back() -> None:
    octets = written(table(number(width=3)), [(1.0,), (-118.625,)])
    one, rows = read_xpt([octets], file="ae.xpt")
    assert written(one, list(rows)) == octets


def test_a_number_that_its_octets_do_not_hold_is_refused() -> None:
    with pytest.raises(CallerError, match="row 2, AESEQ: has more digits than the 3 octets"):
        written(table(number(width=3)), [(1.0,), (0.1,)])


CELLS = st.tuples(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8).map(lambda one: one.rstrip(" ")),
    st.none() | st.sampled_from(Missing) | st.floats(-(2.0**200), 2.0**200).filter(lambda x: not 0 < abs(x) < 1e-70),
)


@given(st.lists(CELLS, max_size=40))
def test_any_rows_come_back(rows: list[Row]) -> None:
    assert again(table(text(length=32), number()), [("begin", 1.0), *rows, ("end", 1.0)])[1:-1] == rows


@given(st.lists(st.sampled_from(["", "a"]), max_size=60), st.integers(1, 120))
def test_blank_rows_come_back_or_are_refused(texts: list[str], width: int) -> None:
    one = table(text(length=width))
    rows: list[Row] = [(each,) for each in texts]
    lost = False
    try:
        octets = written(one, rows)
    except CallerError as refused:
        lost = refused.message.endswith("would be lost in the padding of a transport file")
    assert (lost and texts[-1] == "") or list(read_xpt([octets], file="ae.xpt")[1]) == rows


def test_a_table_without_rows_comes_back() -> None:
    assert again(table(text()), []) == []


def test_formats_and_informats_come_back() -> None:
    octets = bytearray(written(table(number()), [(1.0,)]))
    at = octets.index(b"AESEQ   ") + 48
    octets[at : at + 8], octets[at + 16 : at + 24] = b"BEST    ", b"COMMA   "
    octets[at + 8 : at + 12], octets[at + 24 : at + 28] = b"\0\x0c\0\0", b"\0\x0a\0\x02"
    one, rows = read_xpt([bytes(octets)], file="ae.xpt")
    stored = one.variables[0].stored
    assert stored is not None
    assert (one.variables[0].display_format, stored.informat) == (
        "BEST12.",
        StoredFormat(name="COMMA", width=10, decimals=2),
    )
    assert written(one, list(rows)) == bytes(octets)


def test_octets_that_no_encoding_explains_are_latin_1() -> None:
    assert encoding_of([written(table(text()), [("\x81é",)], Encoding.LATIN_1)], file="x") is Encoding.LATIN_1


def test_a_fitted_table_holds_its_rows() -> None:
    rows: list[Row] = [("頭痛",), ("ok",)]
    one = fitted(table(text(length=None)), rows, encoding="utf-8")
    assert (one.records, one.variables[0].length, again(one, rows)) == (2, 6, rows)


def test_memory_does_not_grow_with_the_rows() -> None:
    def many(count: int) -> Iterator[Row]:
        return repeat(("CDISCPILOT01", 1.5), count)

    def peak(count: int) -> int:
        tracemalloc.start()
        octets = write_xpt(table(text(length=12), number()), many(count), file="ae.xpt")
        assert sum(1 for _ in read_xpt(octets, file="ae.xpt")[1]) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1_000)
    assert peak(24_000) < 1.5 * peak(12_000)
