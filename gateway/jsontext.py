"""JSON that keeps what was written: numbers as text, and nothing dropped in silence.

True here: what `loads` accepts is RFC 8259 JSON in which every key of an object is unique, every string is Unicode
text, and every number goes out of `dumps` as the characters that came in (`1.10`, `1E2`, `-0`). `canonical` is
RFC 8785, for commitments and receipts; it fixes numbers as doubles and refuses what a double cannot hold.
Not done here: reading GraphQL literals (schema), and meaning of any kind.
"""

import json
import re
from itertools import accumulate
from typing import Any, NoReturn, TypeAlias

import msgspec
import orjson

from gateway.errors import CallerError

MAX_DEPTH = 64
"""Arrays and objects inside each other, the outermost counted."""
_SHALLOW = 512
"""Brackets that any parser may nest."""
MAX_NUMBER_LENGTH = 64
"""Characters of one number."""
MAX_SAFE_INTEGER = 2**53 - 1
"""The largest magnitude that every JSON reader keeps exactly (RFC 8259 section 6; RFC 7493 section 2.2)."""


class Num(float):
    """A JSON number that keeps its text: compares and computes as its double, is written as `text`.

    `loads` makes one of each number with a fraction or exponent, of each integer beyond 64 bits, and of `-0`.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Num":
        if len(text) > MAX_NUMBER_LENGTH:
            raise CallerError(f"a number is longer than {MAX_NUMBER_LENGTH} characters")
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __repr__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type["Num"], tuple[str]]:
        return Num, (self.text,)


JsonValue: TypeAlias = "bool | int | Num | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What `loads` returns. A plain `float` is none: it has lost its text."""

_PRETTY = orjson.OPT_INDENT_2
_CLOSED = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_CANONICAL = _CLOSED | orjson.OPT_STRICT_INTEGER
_TOO_DEEP = b"\n" + b"  " * MAX_DEPTH
_TOO_DEEP_MESSAGE = f"nested deeper than {MAX_DEPTH}"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {bracket: 1 if bracket in b"[{" else -1 for bracket in b"[]{}"}
_ASTRAL = re.compile(rb"[\xf0-\xf4]")
_fast_loads = msgspec.json.Decoder(float_hook=Num).decode


def loads(data: bytes | bytearray | str) -> JsonValue:
    """Parses JSON text (UTF-8 when octets). Raises CallerError, with the keys down to the place in `field` for a
    repeated key, for anything that is not strict JSON or passes a ceiling. Messages never carry a value.

    The fast parser keeps the last of two equal keys and forgets the sign of `-0`. So what it read is written again
    and compared: each key has one colon of its own and each string keeps its colons and minus signs, so counts that
    agree prove that nothing was lost. Escapes (`\\u003a`) would spoil the count; such text takes the strict road.
    """
    raw = _as_utf8(data)
    _check_brackets(raw)
    try:
        value: JsonValue = _fast_loads(raw)
        written = orjson.dumps(value, _write_number, _PRETTY)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
        return _strict_loads(raw)
    same = raw.count(b":") == written.count(b":") and raw.count(b"-") == written.count(b"-")
    escaped = b"\\" in raw and b"\\u" in raw
    # A child of a container at depth n is written on a line of its own, indented by n steps.
    if same and not escaped and _TOO_DEEP not in written:
        return value
    return _strict_loads(raw)


def dumps(value: JsonValue) -> bytes:
    """Compact UTF-8 JSON, members in the order given, numbers as they were written."""
    try:
        return orjson.dumps(value, _write_number, _CLOSED)
    except TypeError as error:
        raise CallerError("not a JSON value") from error


def canonical(value: JsonValue) -> bytes:
    """The RFC 8785 form. Every number is the double that it reads as (section 3.2.2.3), integers beyond 2^53 - 1 too,
    as any JSON client that has doubles would write it. Raises CallerError for a number beyond the doubles, and for
    what is not JSON. Takes no plain `float` (the type says so, and the type checker holds it)."""
    try:
        return _canonical(value)
    except TypeError:
        pass  # an integer that orjson does not take for a double, or no JSON at all
    try:
        return _canonical(_doubled(value))
    except TypeError as error:
        raise CallerError("has no RFC 8785 form: a number too large for exchange, or not a JSON value") from error


def _canonical(value: JsonValue) -> bytes:
    form = orjson.dumps(value, _write_double, _CANONICAL | orjson.OPT_SORT_KEYS)
    # Sorting by UTF-8 bytes is sorting by UTF-16 units except where a character beyond U+FFFF takes part.
    if form.isascii() or _ASTRAL.search(form) is None:
        return form
    return orjson.dumps(_sorted_by_utf16(value), _write_double, _CANONICAL)


def _doubled(value: JsonValue) -> JsonValue:
    """The same value with each integer beyond 2^53 - 1 as a number of its text."""
    if isinstance(value, dict):
        return {key: _doubled(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_doubled(item) for item in value]
    if type(value) is int and abs(value) > MAX_SAFE_INTEGER:
        return Num(str(value))
    return value


def _check_brackets(raw: bytes | bytearray) -> None:
    """Before any parser recurses: a library that we import lifts the interpreter's own bound (py_ecc: to 100 000 calls)
    beyond what the C stack holds, and then enough brackets end the process. Exactness is the parsers' work."""
    if raw.count(b"[") + raw.count(b"{") <= _SHALLOW or not _nests(raw):
        return
    try:  # brackets inside strings were counted too; orjson has a bound of its own (1,024), and stops there
        orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # Whatever it does not read stops here: what another parser makes of it, it would make without a bound.
        raise CallerError(_TOO_DEEP_MESSAGE if "depth limit" in str(error) else "not JSON") from error


def _nests(raw: bytes | bytearray) -> bool:
    """Whether brackets nest past the bound, those inside strings counted too; no further than there."""
    depth = accumulate(map(_STEPS.__getitem__, raw.translate(None, _NOT_BRACKETS)))
    return any(map(_SHALLOW.__lt__, depth))


def _as_utf8(data: bytes | bytearray | str) -> bytes | bytearray:
    if not isinstance(data, str):
        return data
    try:
        return data.encode()
    except UnicodeEncodeError as error:
        raise CallerError("not JSON: half of a surrogate pair") from error


def _write_number(value: object) -> orjson.Fragment:
    if type(value) is Num:
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)


def _write_double(value: object) -> orjson.Fragment:
    if type(value) is not Num:
        raise TypeError(type(value).__name__)
    return orjson.Fragment(_ecmascript(value))


def _ecmascript(value: float) -> str:
    """ECMAScript's Number::toString (RFC 8785 section 3.2.2.3; ECMA-262 section 6.1.6.1.20)."""
    if value - value != 0.0:
        raise TypeError("infinite")
    if value == 0.0:
        return "0"
    # repr gives the shortest digits that read back as the same double, as ECMAScript asks; only the layout differs.
    mantissa, _, exponent = repr(float(value)).partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    written = whole + ("" if fraction == "0" else fraction)
    significant = written.lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(written) - len(significant))
    digits = significant.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def _sorted_by_utf16(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return {key: _sorted_by_utf16(member) for key, member in ordered}
    if isinstance(value, list):
        return [_sorted_by_utf16(item) for item in value]
    return value


class _RepeatedKeyError(Exception):
    """Met while parsing; the place is found afterwards, because the parser does not tell it."""


class _Twins(dict[str, JsonValue]):
    """An object with a repeated key, kept until its place is known."""

    twin: str = ""


def _strict_loads(raw: bytes | bytearray) -> JsonValue:
    """The standard library's parser, three times slower, with every rule checked for itself."""
    try:
        text = raw.decode()
        value: JsonValue = json.JSONDecoder(object_pairs_hook=_unique, **_HOOKS).decode(text)
    except UnicodeDecodeError as error:
        raise CallerError("not JSON: not UTF-8") from error
    except json.JSONDecodeError as error:
        raise CallerError(f"not JSON: unexpected text at character {error.pos}") from error
    except _RepeatedKeyError as error:
        raise _repeated(text) from error
    except RecursionError as error:
        raise CallerError(_TOO_DEEP_MESSAGE) from error
    try:
        written = orjson.dumps(value, _write_number, _PRETTY)
    except TypeError as error:
        _check_depth(value)
        raise CallerError("not JSON: half of a surrogate pair") from error
    if _TOO_DEEP in written:
        _check_depth(value)
    return value


def _repeated(text: str) -> CallerError:
    """Where the repeated key is; what follows it was not read yet, and may be no JSON."""
    try:
        place = _find_twin(json.JSONDecoder(object_pairs_hook=_with_twins, **_HOOKS).decode(text))
    except json.JSONDecodeError as error:
        return CallerError(f"not JSON: unexpected text at character {error.pos}")
    except RecursionError:
        return CallerError(_TOO_DEEP_MESSAGE)
    return CallerError(f"repeated key at {json_pointer(place)}", field=place)


def _check_depth(root: JsonValue) -> None:
    level: list[JsonValue] = [root]
    for _ in range(MAX_DEPTH + 1):
        containers = [value for value in level if isinstance(value, dict | list)]
        if not containers:
            return
        level = []
        for container in containers:
            level.extend(container.values() if isinstance(container, dict) else container)
    raise CallerError(_TOO_DEEP_MESSAGE)


def _find_twin(root: JsonValue) -> tuple[str, ...]:
    """The keys down to the first repeated key, outermost object first."""
    pending: list[tuple[JsonValue, tuple[str, ...]]] = [(root, ())]
    while pending:
        value, path = pending.pop(0)
        if isinstance(value, _Twins):
            return (*path, value.twin)
        if isinstance(value, dict | list):
            members = value.items() if isinstance(value, dict) else enumerate(value)
            pending.extend((member, (*path, str(key))) for key, member in members)
    return ()


def json_pointer(path: tuple[str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedKeyError
    return members


def _with_twins(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = _Twins()
    for key, value in pairs:
        members.twin = members.twin or (key if key in members else "")
        members[key] = value
    return members if len(members) != len(pairs) else dict(members)


def _integer(text: str) -> int | Num:
    if text == "-0" or len(text) > 20:
        return Num(text)
    number = int(text)
    return number if -(2**63) <= number < 2**64 else Num(text)


def _constant(_: str) -> NoReturn:
    raise CallerError("not JSON: NaN and Infinity are no JSON numbers")


_HOOKS: dict[str, Any] = {"parse_float": Num, "parse_int": _integer, "parse_constant": _constant}
