"""A contract for the embedded chain's tests, assembled here so that the tests need no Solidity compiler.

`PROBE` counts and logs (`note`), shows the block's context (`time`, `height`), and misbehaves on demand: reverts with a
reason, with a custom error, with nothing; loops for ever; calls itself for ever; leaves too little gas below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_utils.crypto import keccak

OPCODES: Final = {
    "STOP": 0x00, "ADD": 0x01, "LT": 0x10, "EQ": 0x14, "SHL": 0x1B, "SHR": 0x1C, "CALLER": 0x33, "ADDRESS": 0x30,
    "CALLDATALOAD": 0x35, "CODECOPY": 0x39, "TIMESTAMP": 0x42, "NUMBER": 0x43, "MLOAD": 0x51, "MSTORE": 0x52,
    "SLOAD": 0x54, "SSTORE": 0x55, "JUMP": 0x56, "JUMPI": 0x57, "GAS": 0x5A, "JUMPDEST": 0x5B, "DUP1": 0x80,
    "DUP2": 0x81, "SWAP1": 0x90, "LOG0": 0xA0, "LOG1": 0xA1, "LOG3": 0xA3, "CALL": 0xF1, "RETURN": 0xF3,
    "REVERT": 0xFD, "POP": 0x50, "ISZERO": 0x15, "PUSH0": 0x5F,
}  # fmt: skip


def selector(signature: str) -> bytes:
    """The first four bytes of a function's or error's hash."""
    return keccak(text=signature)[:4]


def assemble(parts: Sequence[str | int | bytes]) -> bytes:
    """Bytecode of opcodes, pushes (ints, bytes), labels (`name:`) and jumps' targets (`@name`, two bytes)."""
    code = bytearray()
    labels: dict[str, int] = {}
    targets: list[tuple[int, str]] = []
    for part in parts:
        if isinstance(part, str) and part.endswith(":"):
            labels[part[:-1]] = len(code)
            code.append(OPCODES["JUMPDEST"])
        elif isinstance(part, str) and part.startswith("@"):
            targets.append((len(code) + 1, part[1:]))
            code += b"\x61\x00\x00"
        elif isinstance(part, str):
            code.append(OPCODES[part])
        else:
            octets = part if isinstance(part, bytes) else part.to_bytes(max(1, (part.bit_length() + 7) // 8), "big")
            code += bytes([0x5F + len(octets)]) + octets
    for place, label in targets:
        code[place : place + 2] = labels[label].to_bytes(2, "big")
    return bytes(code)


def _word(body: Sequence[str | int | bytes]) -> list[str | int | bytes]:
    return [*body, 0, "MSTORE", 32, 0, "RETURN"]


def _revert_with(octets: bytes) -> list[str | int | bytes]:
    words: list[str | int | bytes] = []
    for start in range(0, len(octets), 32):
        words += [octets[start : start + 32].ljust(32, b"\0"), start, "MSTORE"]
    return [*words, len(octets), 0, "REVERT"]


REASON: Final = (
    selector("Error(string)") + (32).to_bytes(32, "big") + (7).to_bytes(32, "big") + b"not now".ljust(32, b"\0")
)
CUSTOM: Final = selector("TooEarly(uint256)") + (7).to_bytes(32, "big")
NOTED: Final = keccak(text="Noted(bytes32,address,uint256)")

_FUNCTIONS: Final[dict[str, list[str | int | bytes]]] = {
    # slot 0 counts; Noted(indexed value, indexed sender, count)
    "note(bytes32)": [
        0, "SLOAD", 1, "ADD", "DUP1", 0, "SSTORE", 0, "MSTORE",
        "CALLER", 4, "CALLDATALOAD", NOTED, 32, 0, "LOG3", "STOP",
    ],
    "count()": _word([0, "SLOAD"]),
    "time()": _word(["TIMESTAMP"]),
    "height()": _word(["NUMBER"]),
    "withReason()": _revert_with(REASON),
    "withCustom()": _revert_with(CUSTOM),
    "withNothing()": [0, 0, "REVERT"],
    "forever()": ["again:", "@again", "JUMP"],
    "downward()": [
        selector("downward()"), 224, "SHL", 0, "MSTORE",
        0, 0, 4, 0, 0, "ADDRESS", "GAS", "CALL", 0, "MSTORE", 32, 0, "RETURN",
    ],
    # Fails with less than 200,000 gas left, so a limit of what it used is not enough.
    "greedy()": [200_000, "GAS", "LT", "@poor", "JUMPI", "STOP", "poor:", 0, 0, "REVERT"],
}  # fmt: skip


def _runtime() -> bytes:
    parts: list[str | int | bytes] = [0, "CALLDATALOAD", 224, "SHR"]
    for place, signature in enumerate(_FUNCTIONS):
        parts += ["DUP1", selector(signature), "EQ", f"@function{place}", "JUMPI"]
    parts += [0, 0, "REVERT"]
    for place, body in enumerate(_FUNCTIONS.values()):
        parts += [f"function{place}:", *body]
    return assemble(parts)


def creation_code() -> bytes:
    """What a creating transaction carries: copies the contract's code and returns it."""
    runtime = _runtime()
    size = len(runtime).to_bytes(2, "big")
    head = assemble([size, b"\0\0", 0, "CODECOPY", size, 0, "RETURN"])
    return assemble([size, len(head).to_bytes(2, "big"), 0, "CODECOPY", size, 0, "RETURN"]) + runtime


def _function(signature: str) -> dict[str, Any]:
    name, _, arguments = signature.rstrip(")").partition("(")
    shown = {"count": ["uint256"], "time": ["uint256"], "height": ["uint256"], "downward": ["uint256"]}.get(name, [])
    return {
        "type": "function",
        "name": name,
        "inputs": [{"name": "value", "type": each} for each in arguments.split(",") if each],
        "outputs": [{"name": "", "type": each} for each in shown],
        "stateMutability": "nonpayable",
    }


ABI: Final[list[dict[str, Any]]] = [
    *(_function(signature) for signature in _FUNCTIONS),
    {"type": "error", "name": "TooEarly", "inputs": [{"name": "seconds", "type": "uint256"}]},
    {
        "type": "event",
        "name": "Noted",
        "anonymous": False,
        "inputs": [
            {"name": "value", "type": "bytes32", "indexed": True},
            {"name": "sender", "type": "address", "indexed": True},
            {"name": "count", "type": "uint256", "indexed": False},
        ],
    },
]
