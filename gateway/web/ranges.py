"""The Range of a request (RFC 9110, section 14): one range of octets, or the whole. Pure."""

import re

_ONE = re.compile(rb"\s*(\d{0,19})\s*-\s*(\d{0,19})\s*")


class UnsatisfiableError(Exception):
    """No octet of the content is in the range, or more than one range was asked for: 416."""


def parse_range(value: bytes | None, size: int) -> tuple[int, int] | None:
    """(start, stop) within `size` octets; None where the whole is meant: no Range, another unit, or no range at all."""
    if value is None:
        return None
    unit, separator, ranges = value.partition(b"=")
    if unit.strip().lower() != b"bytes" or not separator:
        return None
    if b"," in ranges:
        raise UnsatisfiableError
    found = _ONE.fullmatch(ranges)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = size - min(size, int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= stop:
        raise UnsatisfiableError
    return start, stop
