"""JSON-RPC parameters, read once at the edge: after this there are integers, bytes and block choices, no JSON.

Every function raises `RpcRefused` with -32602 for what it cannot read. Shapes: ethereum/execution-apis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from anchoring.chain.embedded.rpc_errors import RpcRefused, invalid_params
from anchoring.chain.embedded.wire import Json

UINT256: Final = 2**256 - 1
UINT64: Final = 2**64 - 1
MAX_TOPIC_CHOICES: Final = 1_000
MAX_ADDRESSES: Final = 1_000
MAX_TOPICS: Final = 4
TAGS: Final = frozenset({"latest", "pending", "safe", "finalized", "earliest"})
_QUANTITY: Final = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]*)\Z")
_LOOSE_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")
_OCTETS: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")

BlockChoice: TypeAlias = "str | int | bytes"
"""A tag, a block number or a 32-byte block hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """`eth_call`'s and `eth_estimateGas`'s object. `to` None creates a contract; `gas` None takes the most allowed."""

    sender: bytes
    to: bytes | None
    gas: int | None
    value: int
    data: bytes
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """`eth_getLogs`'s object: a block hash or a range, addresses (empty: any), topics (None at a place: any)."""

    block_hash: bytes | None
    first: BlockChoice
    last: BlockChoice
    addresses: tuple[bytes, ...]
    topics: tuple[tuple[bytes, ...] | None, ...]


class Parameters:
    """A request's positional parameters; each `take_` method reads one by its place."""

    def __init__(self, values: Sequence[Json]) -> None:
        self._values = values

    def expect(self, *, least: int, most: int) -> None:
        """Refuse too few and too many, in geth's words."""
        if len(self._values) < least:
            raise invalid_params(f"missing value for required argument {len(self._values)}")
        if len(self._values) > most:
            raise invalid_params(f"too many arguments, want at most {most}")

    def at(self, place: int) -> Json:
        """The value there, or None when it was left out."""
        return self._values[place] if place < len(self._values) else None

    def block(self, place: int) -> BlockChoice:
        """A block tag, number or EIP-1898 object; `latest` when left out."""
        value = self.at(place)
        return "latest" if value is None else read_block(value)


def read_quantity(value: Json, *, most: int = UINT256, name: str = "quantity") -> int:
    """A QUANTITY of at most `most`."""
    if not isinstance(value, str) or not _QUANTITY.match(value) or len(value) > 66:
        raise invalid_params(f"invalid argument: {name} is not a hex quantity")
    number = int(value, 16)
    if number > most:
        raise invalid_params(f"invalid argument: {name} is too large")
    return number


def read_octets(value: Json, *, length: int | None = None, name: str = "data") -> bytes:
    """DATA, of exactly `length` bytes if given."""
    if not isinstance(value, str) or not _OCTETS.match(value):
        raise invalid_params(f"invalid argument: {name} is not 0x hex of even length")
    octets = bytes.fromhex(value[2:])
    if length is not None and len(octets) != length:
        raise invalid_params(f"invalid argument: {name} has {len(octets)} bytes, want {length}")
    return octets


def read_address(value: Json) -> bytes:
    """A 20-byte address; its checksum case is not looked at, as in geth."""
    return read_octets(value, length=20, name="address")


def read_hash(value: Json) -> bytes:
    """A 32-byte hash."""
    return read_octets(value, length=32, name="hash")


def read_slot(value: Json) -> int:
    """A storage slot: up to 32 bytes of hex, leading zeros allowed."""
    if not isinstance(value, str) or not _LOOSE_QUANTITY.match(value):
        raise invalid_params("invalid argument: storage key is not 0x hex of up to 32 bytes")
    return int(value, 16)


def read_flag(value: Json) -> bool:
    """A boolean; false when left out."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid_params("invalid argument: not a boolean")
    return value


def read_block(value: Json) -> BlockChoice:
    """A tag, a number, or EIP-1898's `{"blockNumber"}` or `{"blockHash"}`."""
    if isinstance(value, str):
        return value if value in TAGS else read_quantity(value, most=UINT64, name="block number")
    if isinstance(value, dict):
        if "blockHash" in value:
            return read_hash(value["blockHash"])
        if "blockNumber" in value:
            return read_block(_text(value["blockNumber"]))
    raise invalid_params("invalid argument: not a block tag, number or hash")


def read_call(value: Json) -> CallRequest:
    """A transaction object to be executed without a signature. Fees and nonce are ignored: gas is free here."""
    if not isinstance(value, dict):
        raise invalid_params("invalid argument: not a transaction object")
    data = value.get("input")
    if data is None:
        data = value.get("data")
    elif value.get("data") not in (None, data):
        raise invalid_params('both "data" and "input" are set and not equal')
    sender, to, gas, amount = (value.get(name) for name in ("from", "to", "gas", "value"))
    return CallRequest(
        sender=bytes(20) if sender is None else read_address(sender),
        to=None if to is None else read_address(to),
        gas=None if gas is None else read_quantity(gas, most=UINT64, name="gas"),
        value=0 if amount is None else read_quantity(amount, name="value"),
        data=b"" if data is None else read_octets(data),
        access_list=_access_list(value.get("accessList")),
    )


def read_filter(value: Json) -> LogFilter:
    """An `eth_getLogs` filter."""
    if not isinstance(value, dict):
        raise invalid_params("invalid argument: not a filter object")
    first, last, block_hash = (value.get(name) for name in ("fromBlock", "toBlock", "blockHash"))
    if block_hash is not None and (first is not None or last is not None):
        raise invalid_params("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
    topics = _sequence(value.get("topics"), most=MAX_TOPICS, refusal="exceed max topics")
    address = value.get("address")
    addresses = [address] if isinstance(address, str) else address
    return LogFilter(
        block_hash=None if block_hash is None else read_hash(block_hash),
        first="latest" if first is None else read_block(_text(first)),
        last="latest" if last is None else read_block(_text(last)),
        addresses=tuple(
            read_address(each) for each in _sequence(addresses, most=MAX_ADDRESSES, refusal="exceed max addresses")
        ),
        topics=tuple(_topic_choices(topic) for topic in topics),
    )


def _topic_choices(value: Json) -> tuple[bytes, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return (read_hash(value),)
    choices = _sequence(value, most=MAX_TOPIC_CHOICES, refusal="exceed max topics")
    # As in geth: an empty list, or a null in the list, matches any topic at this place.
    return None if not choices or None in choices else tuple(read_hash(choice) for choice in choices)


def _access_list(value: Json) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    entries = []
    for entry in _sequence(value, most=MAX_ADDRESSES, refusal="access list too long"):
        if not isinstance(entry, Mapping):
            raise invalid_params("invalid argument: not an access list entry")
        keys = _sequence(entry.get("storageKeys"), most=MAX_ADDRESSES, refusal="access list too long")
        entries.append((read_address(entry.get("address")), tuple(read_slot(key) for key in keys)))
    return tuple(entries)


def _sequence(value: Json, *, most: int, refusal: str) -> Sequence[Json]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid_params("invalid argument: not a list")
    if len(value) > most:
        raise RpcRefused(refusal)
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise invalid_params("invalid argument: not a block tag or number")
    return value
