"""Scalars on their way to the gateway. What comes back pydantic parses."""

from datetime import UTC, datetime
from typing import TypeVar

_Absent = TypeVar("_Absent")


def write_instant(moment: datetime | _Absent) -> str | _Absent:
    """RFC 3339 in UTC; what is no time stays as it is. Raises ValueError for a time without a zone, which names no
    moment."""
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        raise ValueError("a time without a zone: datetime(..., tzinfo=UTC)")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
