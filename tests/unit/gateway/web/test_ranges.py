"""A Range header: one range of octets, the whole, or none that can be satisfied."""

import pytest

from gateway.web.ranges import UnsatisfiableError, parse_range


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=5-", (5, 100)),
        (b"bytes=5-1000", (5, 100)),
        (b"bytes=-7", (93, 100)),
        (b"bytes=-1000", (0, 100)),
        (b"Bytes = 1-2 ", (1, 3)),
    ],
)
def test_one_range_is_taken(value: bytes, found: tuple[int, int]) -> None:
    assert parse_range(value, 100) == found


@pytest.mark.parametrize(
    "value", [None, b"", b"items=0-1", b"bytes", b"bytes=", b"bytes=-", b"bytes=5-1", b"bytes=a-b", b"bytes=0x1-2"]
)
def test_what_is_no_range_means_the_whole(value: bytes | None) -> None:
    assert parse_range(value, 100) is None


@pytest.mark.parametrize(
    "value", [b"bytes=100-", b"bytes=100-200", b"bytes=-0", b"bytes=0-1,2-3", b"bytes=" + b"0-," * 10_000]
)
def test_nothing_and_many_ranges_are_not_satisfied(value: bytes) -> None:
    with pytest.raises(UnsatisfiableError):
        parse_range(value, 100)
