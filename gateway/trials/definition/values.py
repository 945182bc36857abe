"""The text of a value as what its item's data type says it is; the text itself is kept.

True here: a refusal names the item's OID and what was expected, never the value. Numbers are exact: integers, or
decimals of what was written.
Not done here: length, code lists and ranges (`checks`), which are questions to a value, and not its form.
Source: the data types of ODM's XML schemas (1.3.2 and 2.0), https://www.w3.org/TR/xmlschema-2/.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gateway.errors import CallerError, LimitError
from gateway.trials.definition import moments
from gateway.trials.definition.items import DataType, ItemDef
from gateway.trials.definition.moments import Moment

MOST_CHARACTERS: Final = 1_000_000
"""Of a text."""
MOST_DIGITS: Final = 64
"""Characters of a number."""
_LAYOUT: Final = " \t\r\n"
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DOUBLE: Final = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[DdEe][-+]?[0-9]{1,4})?")
_SPECIAL: Final = {"INF": Decimal("Infinity"), "-INF": Decimal("-Infinity"), "NaN": Decimal("NaN")}
_URI: Final = re.compile(r"[^\x00-\x20\x7f<>\"{}|\\^`]*")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_LARGEST_FLOAT: Final = {DataType.HEX_FLOAT: 16, DataType.BASE64_FLOAT: 12}
NUMBERS: Final = frozenset({DataType.INTEGER, DataType.DECIMAL, DataType.FLOAT, DataType.DOUBLE})
TEXTS: Final = frozenset({DataType.TEXT, DataType.STRING})
MAY_BE_EMPTY: Final = TEXTS | {
    DataType.PARTIAL_DATE, DataType.PARTIAL_TIME, DataType.PARTIAL_DATETIME, DataType.INCOMPLETE_DATE,
    DataType.INCOMPLETE_TIME, DataType.INCOMPLETE_DATETIME, DataType.DURATION, DataType.INTERVAL, DataType.URI,
}  # fmt: skip

Value = int | Decimal | bool | str | bytes | Moment | None
"""None: nothing is known of the moment (an empty partial date)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedValue:
    """`text`: as captured. `value`: durations and intervals stay texts."""

    data_type: DataType
    text: str = field(repr=False)
    value: Value = field(repr=False)


def typed(text: str, item: ItemDef) -> TypedValue:
    """Raises CallerError with `field` ("item", OID), LimitError for a text that is too long."""
    return typed_as(text, item.data_type, field=("item", item.oid[:64]))


def typed_as(text: str, kind: DataType, *, field: tuple[str, ...]) -> TypedValue:
    """The same for a value that is no item's: a CheckValue, a CodedValue."""
    if len(text) > MOST_CHARACTERS:
        raise LimitError(f"is longer than {MOST_CHARACTERS} characters", field=field)
    stripped = text.strip(_LAYOUT)
    if kind in TEXTS:
        return TypedValue(data_type=kind, text=text, value=text)
    if not stripped and kind in MAY_BE_EMPTY:
        return TypedValue(data_type=kind, text=text, value="" if kind is DataType.URI else None)
    value = _value(stripped, kind)
    if value is None:
        raise CallerError(f"is no {kind.value}", field=field)
    return TypedValue(data_type=kind, text=text, value=value)


def _value(text: str, kind: DataType) -> Value:
    """None for a text that is none of its kind."""
    if kind in NUMBERS:
        return _number(text, kind)
    if kind in moments.KINDS:
        return moments.parse(text, kind)
    match kind:
        case DataType.BOOLEAN:
            return _BOOLEANS.get(text)
        case DataType.URI:
            return text if _URI.fullmatch(text) else None
        case DataType.DURATION:
            return text if moments.is_duration(text) else None
        case DataType.INTERVAL:
            return text if moments.is_interval(text) else None
        case _:
            octets = _octets(text, kind)
            return octets if octets is None or len(octets) <= _LARGEST_FLOAT.get(kind, len(octets)) else None


def _number(text: str, kind: DataType) -> int | Decimal | None:
    if len(text) > MOST_DIGITS:
        return None
    if kind is DataType.INTEGER:
        return int(text) if _INTEGER.fullmatch(text) else None
    if kind is DataType.DOUBLE:
        if text in _SPECIAL:
            return _SPECIAL[text]
        return Decimal(text.replace("D", "E").replace("d", "E")) if _DOUBLE.fullmatch(text) else None
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def _octets(text: str, kind: DataType) -> bytes | None:
    try:
        if kind in (DataType.HEX_BINARY, DataType.HEX_FLOAT):
            return binascii.unhexlify(text)
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def compare(one: Value, other: Value) -> int | None:
    """-1, 0 or 1; None when the order is not known, or there is none (a Boolean and a text, two unlike octets)."""
    if isinstance(one, Moment) and isinstance(other, Moment):
        return moments.compare(one, other)
    if isinstance(one, bool) or isinstance(other, bool):
        return (0 if one == other else None) if isinstance(one, bool) and isinstance(other, bool) else None
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        left, right = Decimal(one), Decimal(other)
        return None if left.is_nan() or right.is_nan() else (left > right) - (left < right)
    if isinstance(one, str) and isinstance(other, str):
        return (one > other) - (one < other)
    if isinstance(one, bytes) and isinstance(other, bytes):
        return 0 if one == other else None
    return None
