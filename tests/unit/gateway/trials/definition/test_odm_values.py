"""The text of a value is what its data type says, or is refused by its item's OID."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError, LimitError
from gateway.trials.definition.items import DataType, ItemDef
from gateway.trials.definition.moments import Moment
from gateway.trials.definition.values import MOST_CHARACTERS, Value, compare, typed

T = DataType
GOOD: list[tuple[DataType, str, Value]] = [
    (T.INTEGER, "-0042", -42), (T.INTEGER, "+7", 7), (T.INTEGER, " 7\n", 7), (T.INTEGER, "9" * 64, int("9" * 64)),
    (T.FLOAT, "1.10", Decimal("1.10")), (T.FLOAT, ".5", Decimal("0.5")), (T.DECIMAL, "5.", Decimal(5)),
    (T.DOUBLE, "1.5D3", Decimal(1500)), (T.DOUBLE, "-2e-1", Decimal("-0.2")), (T.DOUBLE, "-INF", Decimal("-Infinity")),
    (T.TEXT, "", ""), (T.TEXT, " x ", " x "), (T.STRING, "é", "é"),
    (T.BOOLEAN, "true", True), (T.BOOLEAN, "0", False),
    (T.URI, "https://example.org/a?b#c", "https://example.org/a?b#c"), (T.URI, "", ""),
    (T.HEX_BINARY, "0aFF", b"\x0a\xff"), (T.BASE64_BINARY, "AP8=", b"\x00\xff"),
    (T.BASE64_BINARY, "AP\n8=", b"\x00\xff"),
    (T.HEX_FLOAT, "41" * 8, b"A" * 8), (T.BASE64_FLOAT, "QUFBQUFBQUE=", b"A" * 8),
    (T.PARTIAL_DATE, "", None), (T.INCOMPLETE_DATETIME, " ", None), (T.DURATION, "", None),
    (T.DURATION, "-P1Y2M3DT4H5M6.7S", "-P1Y2M3DT4H5M6.7S"), (T.DURATION, "P2W", "P2W"), (T.DURATION, "PT0S", "PT0S"),
    (T.INTERVAL, "2003-01/2004", "2003-01/2004"), (T.INTERVAL, "P1Y/2003-01-01", "P1Y/2003-01-01"),
    (T.INTERVAL, "2003/P1M", "2003/P1M"),
]  # fmt: skip
MOMENTS: list[tuple[DataType, str, tuple[int | None, ...]]] = [
    (T.DATE, "2020-02-29", (2020, 2, 29)), (T.DATE, "2020-02-29-05:00", (2020, 2, 29)),
    (T.TIME, "23:59:59", (23, 59, 59)), (T.DATETIME, "2020-02-29T00:00:00Z", (2020, 2, 29, 0, 0, 0)),
    (T.PARTIAL_DATE, "1957-03", (1957, 3, None)), (T.PARTIAL_DATE, "1957", (1957, None, None)),
    (T.PARTIAL_TIME, "14", (14, None, None)), (T.PARTIAL_TIME, "14:48Z", (14, 48, None)),
    (T.PARTIAL_DATETIME, "2006-07-14T14:48", (2006, 7, 14, 14, 48, None)),
    (T.PARTIAL_DATETIME, "2006", (2006, None, None, None, None, None)),
    (T.INCOMPLETE_DATE, "2003---15", (2003, None, 15)), (T.INCOMPLETE_DATE, "--02-29", (None, 2, 29)),
    (T.INCOMPLETE_TIME, "-:15:-", (None, 15, None)),
    (T.INCOMPLETE_DATETIME, "2003-12-15T-:15:-", (2003, 12, 15, None, 15, None)),
]  # fmt: skip
BAD: list[tuple[DataType, str]] = [
    (T.INTEGER, "1.0"), (T.INTEGER, ""), (T.INTEGER, "1e3"), (T.INTEGER, "٣"), (T.INTEGER, "9" * 65),
    (T.FLOAT, "1e3"), (T.FLOAT, "INF"), (T.FLOAT, "1,5"), (T.FLOAT, "."), (T.DECIMAL, "1e3"),
    (T.DOUBLE, ".5"), (T.DOUBLE, "1E99999"),
    (T.DOUBLE, "inf"), (T.BOOLEAN, "yes"), (T.BOOLEAN, "True"), (T.URI, "a b"), (T.URI, "<x>"),
    (T.HEX_BINARY, "0"), (T.HEX_BINARY, "0g"), (T.BASE64_BINARY, "A"), (T.BASE64_BINARY, "é"),
    (T.HEX_FLOAT, "00" * 17), (T.BASE64_FLOAT, "QUFB" * 5),
    (T.DATE, "2021-02-29"), (T.DATE, "2020-13-01"), (T.DATE, "2020-2-1"), (T.DATE, "0000-01-01"), (T.DATE, ""),
    (T.DATE, "2020-01"), (T.DATE, "-2020-01-01"), (T.TIME, "24:00:00"), (T.TIME, "10:60:00"), (T.TIME, "10:00"),
    (T.DATETIME, "2020-01-01 10:00:00"), (T.DATETIME, "2020-01-01T10:00:00+24:00"), (T.DATETIME, "2020-01-01T10:00"),
    (T.PARTIAL_DATE, "1957-00"), (T.PARTIAL_DATE, "57"), (T.PARTIAL_DATETIME, "2006-07T14"),
    (T.INCOMPLETE_DATE, "2003-02-30"), (T.INCOMPLETE_DATE, "2003--15"), (T.INCOMPLETE_TIME, "--15"),
    (T.DURATION, "P"), (T.DURATION, "P1YT"), (T.DURATION, "1Y"), (T.DURATION, "P1S"),
    (T.INTERVAL, "2003"), (T.INTERVAL, "P1Y/P1M"), (T.INTERVAL, "2003/2004/2005"),
    (T.PARTIAL_TIME, "1:00"), (T.INCOMPLETE_DATETIME, "2003-12-15T-:15"),
]  # fmt: skip


def item(kind: DataType) -> ItemDef:
    return ItemDef(oid="IT.X", name="X", data_type=kind)


def moment(kind: DataType, text: str) -> Moment:
    value = typed(text, item(kind)).value
    assert isinstance(value, Moment)
    return value


@pytest.mark.parametrize(("kind", "text", "value"), GOOD)
def test_a_value_is_what_its_type_says(kind: DataType, text: str, value: Value) -> None:
    found = typed(text, item(kind)).value
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("kind", "text", "parts"), MOMENTS)
def test_a_moment_is_known_as_far_as_it_is_written(kind: DataType, text: str, parts: tuple[int | None, ...]) -> None:
    assert moment(kind, text).parts == parts


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_what_is_not_of_its_type_is_refused_by_the_items_oid(kind: DataType, text: str) -> None:
    with pytest.raises(CallerError, match=f"is no {kind.value}") as caught:
        typed(text, item(kind))
    assert caught.value.field == ("item", "IT.X")


def test_every_type_has_a_value_and_a_refusal() -> None:
    good = {kind for kind, *_ in GOOD} | {kind for kind, *_ in MOMENTS}
    assert good == set(DataType)
    assert {kind for kind, _ in BAD} == set(DataType) - {T.TEXT, T.STRING}


@pytest.mark.parametrize("kind", DataType)
def test_the_text_is_kept(kind: DataType) -> None:
    text = next(text for found, text, *_ in (*GOOD, *MOMENTS) if found is kind)
    assert typed(text, item(kind)).text == text


def test_a_refusal_does_not_quote_the_value() -> None:
    with pytest.raises(CallerError) as caught:
        typed("HIV", item(T.INTEGER))
    assert "HIV" not in f"{caught.value} {caught.value.field}"


def test_a_value_is_not_shown_where_it_is_printed() -> None:
    assert "HIV" not in repr(typed("HIV", item(T.TEXT)))


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(LimitError):
        typed("x" * (MOST_CHARACTERS + 1), item(T.TEXT))


@given(st.sampled_from(DataType), st.text(max_size=30) | st.from_regex(r"[-+0-9TZ:.PYMDW/ ]{0,24}", fullmatch=True))
def test_whatever_the_text_it_is_typed_or_refused(kind: DataType, text: str) -> None:
    try:
        found = typed(text, item(kind))
    except CallerError:
        return
    assert found.text == text


ORDER: list[tuple[DataType, str, str, int | None]] = [
    (T.PARTIAL_DATE, "1957-03", "1957-04-01", -1), (T.PARTIAL_DATE, "1957-03", "1957-03-15", None),
    (T.PARTIAL_DATE, "1957", "1957", 0), (T.PARTIAL_DATE, "1958", "1957-12-31", 1),
    (T.INCOMPLETE_DATE, "2003---15", "2003---16", None), (T.INCOMPLETE_DATE, "2003---15", "2004---01", -1),
    (T.INCOMPLETE_DATE, "--02-01", "2003-02-01", None),
    (T.DATETIME, "2020-01-01T10:00:00Z", "2020-01-01T11:00:00+01:00", 0),
    (T.DATETIME, "2020-01-01T23:30:00-01:00", "2020-01-02T00:29:59Z", 1),
    (T.DATETIME, "2020-01-01T10:00:00Z", "2020-01-01T10:00:00", None),
    (T.DATETIME, "2020-01-01T10:00:00.5", "2020-01-01T10:00:00.50", 0),
    (T.TIME, "10:00:00", "09:59:59.9", 1), (T.TIME, "10:00:00Z", "10:30:00+01:00", 1),
    (T.PARTIAL_TIME, "10", "10:30", None), (T.DATE, "2020-01-01Z", "2020-01-01", None),
    (T.DATE, "2020-01-01Z", "2020-01-01+01:00", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "one", "other", "sign"), ORDER)
def test_moments_are_ordered_as_far_as_they_are_known(kind: DataType, one: str, other: str, sign: int | None) -> None:
    assert compare(moment(kind, one), moment(kind, other)) == sign
    assert compare(moment(kind, other), moment(kind, one)) == (None if sign is None else -sign)


@given(st.datetimes(), st.datetimes())
def test_whole_datetimes_are_ordered_as_python_orders_them(one: datetime, other: datetime) -> None:
    left, right = (moment(T.DATETIME, each.isoformat(timespec="microseconds")) for each in (one, other))
    assert compare(left, right) == (one > other) - (one < other)


def test_unlike_values_have_no_order() -> None:
    assert compare(1, "1") is None
    assert compare(True, 1) is None
    assert compare(b"a", b"b") is None
    assert compare(Decimal("NaN"), Decimal("NaN")) is None
