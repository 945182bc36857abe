"""CSV comes out as it went in; what RFC 4180 does not have is refused with the row."""

import csv
import io
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError, LimitError
from gateway.jsontext import Num
from gateway.trials.tabulation.csv import CsvForm, read_csv, surveyed, write_csv
from gateway.trials.tabulation.define import table_of
from gateway.trials.tabulation.model import Cell, DataType, Exact, Missing, Row, Table
from tests.unit.gateway.trials.tabulation.studies import csv_file, definition, number, pieces, table, text

MARKS = {"ae": "NA", "dm": "NA", "ex": "NA", "eg": "", "lb": "", "vs": ""}
"""What stands for a missing value: R wrote three of the files."""
COUNTS = {"ae": 1_191, "dm": 306, "ex": 591}


def from_csv(octets: bytes, one: Table, *, missing: str = "") -> list[Row]:
    return list(read_csv([octets], table=one, file="ae.csv", missing=missing)[1])


def to_csv(one: Table, rows: list[Row], form: CsvForm) -> bytes:
    return b"".join(write_csv(one, rows, file="ae.csv", form=form))


def refusal(octets: bytes, one: Table | None = None) -> CallerError:
    with pytest.raises(CallerError) as caught:
        from_csv(octets, one or table(text(), number()))
    return caught.value


@pytest.mark.parametrize("name", MARKS)
def test_a_real_file_comes_out_octet_for_octet(shared_data: Path, name: str) -> None:
    octets = csv_file(shared_data, name)
    one, _ = surveyed([octets], name=name.upper(), file=name, missing=MARKS[name])
    form, rows = read_csv([octets], table=one, file=name, missing=MARKS[name])
    assert b"".join(write_csv(one, rows, file=name, form=form)) == octets


@pytest.mark.parametrize("name", ["dm", "ex", "ae"])
def test_python_reads_the_same_texts(shared_data: Path, name: str) -> None:
    octets = csv_file(shared_data, name)
    one, _ = surveyed([octets], name=name.upper(), file=name, missing="NA")
    texts = [["NA" if cell is None else str(cell) for cell in row] for row in from_csv(octets, one, missing="NA")]
    assert texts == list(csv.reader(io.StringIO(octets.decode())))[1:]


@pytest.mark.parametrize("name", COUNTS)
def test_a_survey_counts_the_records(shared_data: Path, name: str) -> None:
    assert surveyed([csv_file(shared_data, name)], name="X", file=name)[0].records == COUNTS[name]


def test_a_survey_tells_numbers_from_texts_of_digits(shared_data: Path) -> None:
    one, _ = surveyed([csv_file(shared_data, "dm")], name="DM", file="dm.csv", missing="NA")
    types = {variable.name: variable.type for variable in one.variables}
    assert (types["AGE"], types["SUBJID"], types["ARMNRS"]) == (DataType.INTEGER, DataType.STRING, DataType.STRING)


def test_a_file_is_read_the_same_in_pieces_of_any_size(shared_data: Path) -> None:
    octets = csv_file(shared_data, "ex")
    one, _ = surveyed([octets], name="EX", file="ex.csv", missing="NA")
    whole = from_csv(octets, one, missing="NA")
    read = [list(read_csv(pieces(octets, size), table=one, file="x", missing="NA")[1]) for size in (1, 999, 70_000)]
    assert read == [whole] * 3


def test_a_definition_types_a_file(shared_data: Path) -> None:
    defined = definition(shared_data, "2.0")
    dataset = defined.dataset("EX")
    assert dataset is not None
    one = table_of(defined, dataset)
    octets = csv_file(shared_data, "ex")
    names = surveyed([octets], name="EX", file="ex.csv")[0].variables
    known = {variable.name: variable for variable in one.variables}
    one = replace(one, variables=tuple(known[variable.name] for variable in names if variable.name in known))
    assert {variable.name for variable in names} - set(known) == set()
    row = from_csv(octets, one, missing="NA")[0]
    assert row[3:6] == (1, "PLACEBO", 0)


FORMS = st.builds(
    CsvForm,
    missing=st.sampled_from(["", "NA", "."]),
    quotes_text=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
    marked=st.booleans(),
)
CELLS = st.tuples(
    st.none() | st.text('abNA.",\n\r é', max_size=6) | st.text(st.characters(exclude_categories=("Cs",))),
    st.none() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False).map(repr).map(Num),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["1.10", "1,000.50", "-0.0"]).map(Exact),
)


@given(st.lists(CELLS, max_size=20), FORMS)
def test_any_rows_come_back(rows: list[Row], form: CsvForm) -> None:
    columns = (text(), number(), text("FLAG", type_=DataType.BOOLEAN), text("EXACT", type_=DataType.DECIMAL))
    octets = to_csv(table(*columns), rows, form)
    told, read = read_csv([octets], table=table(*columns), file="x", missing=form.missing)
    assert (told, list(read)) == (form, rows)


def test_the_empty_text_and_a_missing_one_stay_apart() -> None:
    rows: list[Row] = [("",), (None,)]
    octets = to_csv(table(text()), rows, CsvForm())
    assert (octets, from_csv(octets, table(text()))) == (b'AETERM\n""\n\n', rows)


def test_numbers_keep_their_text() -> None:
    octets = b"AESEQ\n1.10\n1E2\n-0\n7\n"
    assert to_csv(table(number()), from_csv(octets, table(number())), CsvForm()) == octets


def test_a_last_line_needs_no_end() -> None:
    assert from_csv(b"AETERM,AESEQ\na,1", table(text(), number())) == [("a", 1)]


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "has no names of variables in its first record"),
        (b"AETERM,\n", "has no names of variables"),
        (b"AETERM,AETERM\n", "names a variable twice"),
        (b"AESEQ,AETERM\n", "names other variables than AE has, or in another order"),
        (b"AETERM,AESEQ\na\n", "row 1: has 1 values for 2 variables"),
        (b"AETERM,AESEQ\na,1\nb,2,3\n", "row 2: has 3 values for 2 variables"),
        (b"AETERM,AESEQ\n\n", "row 1: has 1 values for 2 variables"),
        (b'AETERM,AESEQ\na"b,1\n', "row 1: its field 1 has a quote or a line end where none may be"),
        (b'AETERM,AESEQ\n"a"b,1\n', "row 1: its field 1 has a quote"),
        (b'AETERM,AESEQ\n"a,1\n', "row 1: its field 1 has a quote"),
        (b'AETERM,AESEQ\na,"1\n', "row 1: its field 2 has a quote"),
        (b"AETERM,AESEQ\na\rb,1\n", "row 1: its field 1 has a quote or a line end"),
        (b"AETERM,AESEQ\na,1\n\xff,2\n", "is not UTF-8"),
        (b"AETERM,AESEQ\na,one\n", "row 1, AESEQ: is no number"),
        (b"AETERM,AESEQ\na,01\n", "row 1, AESEQ: is no number"),
        (b"AETERM,AESEQ\na,NaN\n", "row 1, AESEQ: is no number"),
        (b"AETERM,AESEQ\na,1\na," + b"1" * 65 + b"\n", "row 2, AESEQ: a number is longer"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(octets: bytes, told: str) -> None:
    assert told in refusal(octets).message


@pytest.mark.parametrize(
    ("cell", "type_", "told"),
    [
        (Missing.A, DataType.DOUBLE, "is a special missing number"),
        (1, DataType.STRING, "is not of its type, string"),
        ("1", DataType.INTEGER, "is not of its type, integer"),
        (1, DataType.BOOLEAN, "is not of its type, boolean"),
        (True, DataType.INTEGER, "is not of its type, integer"),
        (float("nan"), DataType.DOUBLE, "is no number"),
    ],
)
def test_a_cell_that_csv_cannot_say_is_refused(cell: Cell, type_: DataType, told: str) -> None:
    with pytest.raises(CallerError, match=f"row 1, AETERM: {told}"):
        to_csv(table(text(type_=type_)), [(cell,)], CsvForm())


def test_an_integer_with_a_fraction_is_refused() -> None:
    whole = replace(number(), type=DataType.INTEGER)
    assert from_csv(b"AESEQ\n1.0\n", table(whole)) == [(1.0,)]
    assert "is no whole number" in refusal(b"AESEQ\n1.5\n", table(whole)).message


@pytest.mark.parametrize("octets", [b'AETERM,AESEQ\n"' + b"a" * 5_000_000, b"AETERM,AESEQ\n" + b'""' * 3_000_000])
def test_a_record_that_never_ends_is_refused_soon(octets: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(LimitError, match="has a quote that does not end, or more than 1048576 characters"):
        from_csv(octets, table(text(), number()))
    assert time.monotonic() - started < 5.0


def test_too_many_variables_are_refused() -> None:
    names = ",".join(f"V{at}" for at in range(10_000))
    assert isinstance(refusal(f"{names}\n".encode()), LimitError)
