"""The leaves of the schema: scalars that refuse what they cannot carry exactly, and the enums of the domain.

True here: a value that passes a scalar is a Python value with its final type (octets, UTC time, JSON that keeps the
text of its numbers). Not done here: any decision, any lookup; an id is opaque until `gateway.ids` has parsed it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NewType

import orjson
import strawberry
from eth_utils.address import is_checksum_address, to_checksum_address
from graphql import (
    BooleanValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)
from strawberry.types.scalar import ScalarDefinition

from gateway.audit.model import Outcome
from gateway.consent.languages import Language
from gateway.consent.model import Action, Basis, ConsentStatus, Effect, Purpose
from gateway.identity.model import Role
from gateway.jsontext import Num

Hex = NewType("Hex", bytes)
"""Octets; outside 0x-prefixed lower case."""
Address = NewType("Address", str)
"""20 octets as EIP-55 text."""
Cid = NewType("Cid", str)
"""CIDv1 in base32."""
Json = NewType("Json", object)
"""In: what `gateway.jsontext.loads` gives. Out: such a value, or octets already written (`orjson.Fragment`)."""

LAST_MOMENT = 253_402_300_799
"""Seconds of the last moment that RFC 3339 can write."""
HEX_OCTETS = 8_192
"""The most octets of one Hex: the longest WebAuthn signature is a fraction of it."""
INTEGER_DIGITS = 19
"""Digits up to which an integer literal fits 64 bits for certain; longer ones keep their text."""

_HEX = re.compile(r"0x((?:[0-9a-f]{2})*)", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_CID = re.compile(r"b[a-z2-7]{20,120}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)",
    re.ASCII,
)


def parse_instant(value: object) -> datetime:
    """RFC 3339 date-time -> aware UTC time. A bare date, a time without an offset and a leap second are refused."""
    matched = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise GraphQLError("DateTime is an RFC 3339 date-time with an offset, such as 2026-01-31T08:00:00Z")
    whole, fraction, offset = matched.groups()
    try:
        moment = datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6]:0<6}{'+00:00' if offset == 'Z' else offset}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise GraphQLError("DateTime names no moment of the calendar") from error


def write_instant(value: object) -> str:
    """Aware time -> RFC 3339 in UTC with milliseconds and `Z`. A naive time is a bug of ours: TypeError."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("DateTime takes aware times only")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def moment_of(seconds: int) -> datetime:
    """Of seconds since 1970, as far as RFC 3339 goes."""
    return datetime.fromtimestamp(min(seconds, LAST_MOMENT), UTC)


def parse_hex(value: object) -> bytes:
    """0x-prefixed lower-case hex of whole octets, at most HEX_OCTETS."""
    if not isinstance(value, str) or len(value) > 2 + 2 * HEX_OCTETS:
        raise GraphQLError(f"Hex is text of at most {HEX_OCTETS} octets")
    matched = _HEX.fullmatch(value)
    if matched is None:
        raise GraphQLError("Hex is 0x and an even number of lower-case hex digits")
    return bytes.fromhex(matched[1])


def write_hex(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError("Hex takes octets only")
    return "0x" + value.hex()


def parse_address(value: object) -> str:
    """20 octets of hex -> EIP-55 text. One case alone carries no checksum; mixed case must carry a right one."""
    if not isinstance(value, str) or _ADDRESS.fullmatch(value) is None:
        raise GraphQLError("Address is 0x and 40 hex digits")
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value):
        raise GraphQLError("Address has a wrong EIP-55 checksum")
    return checksummed(value.lower())


@lru_cache(maxsize=4096)
def checksummed(address: str) -> str:
    """EIP-55 form of 20 octets in hex. Kept, because it costs a keccak-256."""
    return str(to_checksum_address(address))


def write_address(value: object) -> str:
    if not isinstance(value, str) or _ADDRESS.fullmatch(value) is None:
        raise TypeError("Address takes 20 octets of hex only")
    return checksummed(value.lower())


def parse_cid(value: object) -> str:
    if not isinstance(value, str) or _CID.fullmatch(value) is None:
        raise GraphQLError("CID is CIDv1 in lower-case base32")
    return value


def write_cid(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("CID takes text only")
    return value


def json_from_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> object:
    """A literal inside a document -> the value that `jsontext.loads` gives of the same JSON; `1.10` stays `1.10`.

    The document's size, depth and tokens were bounded before (schema.limits), so recursion is too. Source: GraphQL
    spec 2.9, Input Values.
    """
    match node:
        case ObjectValueNode():
            return {member.name.value: json_from_literal(member.value, variables) for member in node.fields}
        case ListValueNode():
            return [json_from_literal(item, variables) for item in node.values]
        case FloatValueNode():
            return Num(node.value)
        case IntValueNode():
            return int(node.value) if node.value != "-0" and len(node.value) <= INTEGER_DIGITS - 1 else Num(node.value)
        case StringValueNode() | BooleanValueNode():
            return node.value
        case NullValueNode():
            return None
        case VariableNode():
            return _json_variable((variables or {}).get(node.name.value))
    raise GraphQLError("JSON has no enum values")


def _json_variable(value: object) -> object:
    """A variable inside a literal must be JSON already: a Float has lost its text, a DateTime is no JSON."""
    if value is None or isinstance(value, str | bool | int | Num | list | dict):
        return value
    raise GraphQLError("inside a JSON literal only variables of type JSON, String, Int and Boolean keep their value")


def _json_value(value: object) -> object:
    return value


def to_fragment(text: bytes) -> Json:
    """JSON text that leaves as it is: never parsed, so nothing of it can change."""
    return Json(orjson.Fragment(text))


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339, UTC",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=write_instant,
        parse_value=parse_instant,
    ),
    Json: strawberry.scalar(
        name="JSON",
        description="Any JSON value; numbers keep the text that they were written with",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_json_value,
        parse_value=_json_value,
        parse_literal=json_from_literal,
    ),
    Cid: strawberry.scalar(
        name="CID",
        description="CIDv1, base32",
        specified_by_url="https://github.com/multiformats/cid",
        serialize=write_cid,
        parse_value=parse_cid,
    ),
    Hex: strawberry.scalar(
        name="Hex", description="0x-prefixed, lower case", serialize=write_hex, parse_value=parse_hex
    ),
    Address: strawberry.scalar(
        name="Address",
        description="EIP-55",
        specified_by_url="https://eips.ethereum.org/EIPS/eip-55",
        serialize=write_address,
        parse_value=parse_address,
    ),
}

strawberry.enum(Purpose, name="PurposeOfUse", description="HL7 v3 PurposeOfUse")
strawberry.enum(Role, name="ActorRole")
strawberry.enum(Effect, name="ConsentEffect")
strawberry.enum(Action, name="ConsentAction")
strawberry.enum(ConsentStatus, name="ConsentStatus")
strawberry.enum(Language, description="BCP 47: English, German, Spanish, French")
strawberry.enum(Outcome, name="DecisionOutcome")
strawberry.enum(Basis, name="DecisionBasis", description="What an answer was permitted on.")
