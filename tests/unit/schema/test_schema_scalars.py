"""Scalars carry exactly what they are given, or refuse."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphql import GraphQLError, parse_value

from gateway import jsontext
from schema.scalars import (
    json_from_literal,
    parse_address,
    parse_cid,
    parse_hex,
    parse_instant,
    write_address,
    write_hex,
    write_instant,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000Z"),
        ("2026-01-31T08:00:00.1239Z", "2026-01-31T08:00:00.123Z"),
        ("2026-01-31T08:00:00.123456789+02:00", "2026-01-31T06:00:00.123Z"),
    ],
)
def test_datetime_is_printed_in_utc_with_milliseconds(text: str, expected: str) -> None:
    assert write_instant(parse_instant(text)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31",
        "2026-01-31T08:00:00",
        "2026-01-31 08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-01-31T08:00:60Z",
        "0001-01-01T00:00:00+10:00",
        "٢٠٢٦-01-31T08:00:00Z",
        1769846400,
        None,
    ],
)
def test_datetime_refuses_what_names_no_moment(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_instant(value)


def test_datetime_refuses_to_print_a_naive_time() -> None:
    with pytest.raises(TypeError):
        write_instant(datetime(2026, 1, 31))


def test_datetime_prints_another_zone_in_utc() -> None:
    zone = timezone(timedelta(hours=2))
    assert write_instant(datetime(2026, 1, 31, 10, tzinfo=zone)) == "2026-01-31T08:00:00.000Z"
    assert write_instant(datetime(2026, 1, 31, 10, tzinfo=UTC)) == "2026-01-31T10:00:00.000Z"


def test_hex_round_trips() -> None:
    assert write_hex(parse_hex("0x00ff")) == "0x00ff"


@pytest.mark.parametrize("value", ["0xF0", "0x0", "00", "0x0g", "0x" + "00" * 9000, b"00", 7])
def test_hex_refuses_other_spellings(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_hex(value)


CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize("value", [CHECKSUMMED, CHECKSUMMED.lower(), "0x" + CHECKSUMMED[2:].upper()])
def test_address_comes_in_any_case_and_leaves_with_its_checksum(value: str) -> None:
    assert parse_address(value) == CHECKSUMMED
    assert write_address(value.lower()) == CHECKSUMMED


@pytest.mark.parametrize("value", [CHECKSUMMED.replace("aA", "Aa"), CHECKSUMMED[:-1], CHECKSUMMED[2:], 5])
def test_address_refuses_a_wrong_checksum_and_other_lengths(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_address(value)


@pytest.mark.parametrize("value", ["QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", "ipfs://bafk", "../x", 1])
def test_cid_refuses_urls_paths_and_old_versions(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_cid(value)


def test_numbers_of_a_json_literal_keep_their_text() -> None:
    literal = parse_value("{a: 1.10, b: [1E2, -0, 12345678901234567890, 7], c: {d: null, e: true}}")
    expected = b'{"a":1.10,"b":[1E2,-0,12345678901234567890,7],"c":{"d":null,"e":true}}'
    assert jsontext.dumps(json_from_literal(literal)) == expected  # type: ignore[arg-type]


def test_json_literal_refuses_enum_values() -> None:
    with pytest.raises(GraphQLError):
        json_from_literal(parse_value("{a: TREAT}"))


def test_json_literal_refuses_a_variable_that_lost_its_text() -> None:
    with pytest.raises(GraphQLError):
        json_from_literal(parse_value("[$a]"), {"a": 1.1})
