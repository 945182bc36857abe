"""The checked-in ABIs: selectors, topics and error names are computed from them, never typed by hand.

Coding is eth-abi's. Not done here: any call.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from anchoring.errors import ChainUnavailable
from anchoring.merkle import keccak256

IDENTITY: Final = "IdentityRegistry"
CONSENT: Final = "ConsentRegistry"
ANCHOR: Final = "AnchorRegistry"
EMERGENCY: Final = "EmergencyRegistry"
BUDGET: Final = "BudgetLedger"
SCOPE_READER: Final = "ScopeReader"
TRIAL: Final = "TrialRegistry"
P256_VERIFIER: Final = "ERC7913P256Verifier"
WEBAUTHN_VERIFIER: Final = "ERC7913WebAuthnVerifier"

_STANDARD_ERRORS: Final = {bytes.fromhex("08c379a0"): "Error", bytes.fromhex("4e487b71"): "Panic"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A function: its 4-byte selector, and the ABI types that go in and come out."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *values: object) -> bytes:
        return self.selector + encode(self.inputs, values)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Raises ChainUnavailable when the node returned something else."""
        try:
            return tuple(decode(self.outputs, data))
        except DecodingError as e:
            raise ChainUnavailable("the node's answer does not fit the contract") from e


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShape:
    """An event: its name, and (name, ABI type) of its indexed and of its other arguments."""

    name: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractAbi:
    """One contract's checked-in artifact. `immutables`: (start, length) in deployed code that a deployment fills."""

    name: str
    bytecode: bytes
    deployed: bytes
    immutables: tuple[tuple[int, int], ...]
    constructor: tuple[str, ...]
    methods: Mapping[str, Method]
    events: Mapping[bytes, EventShape]
    errors: Mapping[bytes, str]

    def topic(self, event: str) -> bytes:
        """The first topic of an event, by its name."""
        return next(topic for topic, shape in self.events.items() if shape.name == event)

    def creation(self, *values: object) -> bytes:
        """Data of the transaction that deploys it."""
        return self.bytecode + encode(self.constructor, values)

    def blank_immutables(self, code: bytes) -> bytes:
        """Deployed code with what a deployment fills in set to zero, for comparison."""
        blank = bytearray(code)
        for start, length in self.immutables:
            blank[start : start + length] = bytes(length)
        return bytes(blank)


@cache
def contract(name: str) -> ContractAbi:
    """The artifact of a contract, read once."""
    document = json.loads((files("anchoring") / "contracts" / "abi" / f"{name}.json").read_text())
    return read_artifact(name, document)


def read_artifact(name: str, document: Mapping[str, Any]) -> ContractAbi:
    """An artifact from its JSON: `abi`, `bytecode`, `deployedBytecode`, `immutables` ([start, length], …)."""
    entries = document["abi"]
    functions = [one for one in entries if one["type"] == "function"]
    constructors = [one for one in entries if one["type"] == "constructor"]
    return ContractAbi(
        name=name,
        bytecode=bytes.fromhex(document["bytecode"].removeprefix("0x")),
        deployed=bytes.fromhex(document["deployedBytecode"].removeprefix("0x")),
        immutables=tuple((int(start), int(length)) for start, length in document["immutables"]),
        constructor=_types(constructors[0]["inputs"]) if constructors else (),
        methods={one["name"]: _method(one) for one in functions},
        events={keccak256(_signature(one)): _event(one) for one in entries if one["type"] == "event"},
        errors={keccak256(_signature(one))[:4]: one["name"] for one in entries if one["type"] == "error"},
    )


def error_name(data: bytes) -> str:
    """The name of a custom error of our contracts, `Error` or `Panic`, else the selector in hex; empty for none."""
    selector = data[:4]
    if len(selector) < 4:
        return ""
    for name in (CONSENT, IDENTITY, ANCHOR, EMERGENCY, BUDGET, TRIAL):
        if selector in contract(name).errors:
            return contract(name).errors[selector]
    return _STANDARD_ERRORS.get(selector, "0x" + selector.hex())


def _type(parameter: Mapping[str, Any]) -> str:
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(_types(parameter["components"])) + ")" + kind.removeprefix("tuple")


def _types(parameters: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(one) for one in parameters)


def _signature(entry: Mapping[str, Any]) -> bytes:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})".encode()


def _method(entry: Mapping[str, Any]) -> Method:
    return Method(
        selector=keccak256(_signature(entry))[:4], inputs=_types(entry["inputs"]), outputs=_types(entry["outputs"])
    )


def _event(entry: Mapping[str, Any]) -> EventShape:
    return EventShape(
        name=entry["name"],
        indexed=tuple((one["name"], _type(one)) for one in entry["inputs"] if one["indexed"]),
        plain=tuple((one["name"], _type(one)) for one in entry["inputs"] if not one["indexed"]),
    )
