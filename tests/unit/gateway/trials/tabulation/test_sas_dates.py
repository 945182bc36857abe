"""SAS's dates and ISO 8601's are each other's inverse, or refused."""

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError
from gateway.trials.tabulation.dates import dated, moment_type, number_of, text_of
from gateway.trials.tabulation.model import Cell, DataType, Missing, Row, StoredFormat
from gateway.trials.tabulation.xpt.stamps import format_of, format_text, moment_of, stamp_of
from tests.unit.gateway.trials.tabulation.studies import again, number, table, written

DATE, MOMENT, TIME = DataType.DATE, DataType.DATETIME, DataType.TIME


@pytest.mark.parametrize(
    ("text", "type_", "count"),
    [
        ("1960-01-01", DATE, 0),
        ("1959-12-31", DATE, -1),
        ("2008-09-15", DATE, 17_790),
        ("1960-01-01T00:00:00", MOMENT, 0),
        ("2008-09-15T15:53:00", MOMENT, 1_537_113_180),
        ("00:00:00", TIME, 0),
        ("23:59:59.5", TIME, Decimal("86399.5")),
    ],
)
def test_a_known_moment_is_counted_as_sas_counts_it(text: str, type_: DataType, count: Cell) -> None:
    assert (number_of(text, type_), text_of(count, type_)) == (count, text)


@given(st.dates())
def test_any_date_comes_back(day: date) -> None:
    assert text_of(number_of(day.isoformat(), DATE), DATE) == day.isoformat()


@given(st.datetimes(), st.times())
def test_any_moment_comes_back(moment: datetime, clock: time) -> None:
    for text, type_ in ((moment.isoformat(), MOMENT), (clock.isoformat(), TIME)):
        told = text.rstrip("0") if "." in text else text
        assert text_of(number_of(told, type_), type_) == told


@pytest.mark.parametrize(
    ("text", "type_"),
    [("2014", DATE), ("2014-01", DATE), ("20140102", DATE), ("2014-02-30", DATE), ("2014-01-02T00:00:00", DATE),
     ("2014-01-02T11:45", MOMENT), ("2014-01-02T11:45:00Z", MOMENT), ("2014-01-02T11:45:00.50", MOMENT),
     ("24:00:00", TIME), ("", DATE), ("２０１４-01-02", DATE)],
)  # fmt: skip
def test_a_text_that_its_number_would_not_give_back_is_refused(text: str, type_: DataType) -> None:
    with pytest.raises(CallerError) as caught:
        number_of(text, type_)
    assert not text or text not in caught.value.message


@pytest.mark.parametrize(
    ("cell", "type_"),
    [(Missing.A, DATE), (0.5, DATE), (10**9, DATE), (float("inf"), DATE), (float("nan"), DATE), (86_400, TIME),
     (-1, TIME), (Decimal("1e999999"), MOMENT), (Decimal("0.0000001"), MOMENT), (True, DATE), ("1", DATE)],
)  # fmt: skip
def test_a_number_that_is_no_whole_moment_is_refused(cell: Cell, type_: DataType) -> None:
    with pytest.raises(CallerError):
        text_of(cell, type_)


@pytest.mark.parametrize(
    ("text", "type_"),
    [("DATE9.", DATE), ("E8601DA.", DATE), ("e8601da10.", DATE), ("YYMMDD10", DATE), ("DATETIME20.", MOMENT),
     ("TIME8.", TIME), ("BEST12.", None), ("8.2", None), ("$10.", None), ("", None), (None, None)],
)  # fmt: skip
def test_a_format_tells_what_it_shows(text: str | None, type_: DataType | None) -> None:
    assert moment_type(text) is type_


def test_a_number_that_is_no_date_is_refused_with_row_and_variable() -> None:
    one = table(replace(number("ASTDT"), display_format="DATE9."))
    rows: list[Row] = [(1.0,), (1.5,)]
    with pytest.raises(CallerError, match=r"ae\.xpt, row 2, ASTDT: is no whole date"):
        list(dated(one, rows, file="ae.xpt")[1])


def test_what_a_format_shows_as_a_date_is_one() -> None:
    one, rows = dated(table(number(), replace(number("ASTDT"), display_format="DATE9.")), [(1.0, 0.0)], file="x")
    assert ([variable.type for variable in one.variables], list(rows)) == (
        [DataType.DOUBLE, DataType.DATE],
        [(1.0, "1960-01-01")],
    )


@pytest.mark.parametrize("text", ["DATE9.", "$.", "$7.", "8.2", "BEST12.", "E8601DA10.", "$CHAR200.", "F12.3"])
def test_a_format_comes_back(text: str) -> None:
    assert format_text(format_of(text)) == text


@given(st.datetimes(datetime(1960, 1, 1), datetime(2059, 12, 31, 23, 59, 59)))
def test_any_stamp_comes_back(moment: datetime) -> None:
    told = moment.replace(microsecond=0).isoformat()
    assert moment_of(stamp_of(told)) == told


@pytest.mark.parametrize("stamp", ["", "16JUN17", "32JUN17:00:00:00", "30FEB17:00:00:00", "16JUX17:00:00:00"])
def test_a_stamp_that_is_no_time_tells_none(stamp: str) -> None:
    assert moment_of(stamp) is None


@pytest.mark.parametrize("moment", ["", "yesterday", "1959-12-31T00:00:00", "2060-01-01T00:00:00"])
def test_a_time_that_a_stamp_cannot_tell_is_refused(moment: str) -> None:
    with pytest.raises(CallerError):
        stamp_of(moment)


def test_no_format_is_none() -> None:
    assert (format_of(None), format_text(StoredFormat())) == (StoredFormat(), None)


def test_a_date_that_has_no_number_is_refused_on_the_way_into_a_transport_file() -> None:
    one = table(replace(number("ASTDT"), type=DATE, target_type=DataType.INTEGER))
    assert again(one, [("1960-01-02",), (None,)]) == [(1.0,), (None,)]
    with pytest.raises(CallerError, match="row 1, ASTDT: is no whole date of ISO 8601"):
        written(one, [("1960-01",)])
