"""How values that SQL has no type for lie in one column. Pure, and fixed: what was written once must stay readable."""

import json
from collections.abc import Mapping, Sequence


def join_values(values: Sequence[bytes]) -> bytes:
    """The ABI values of a leaf as one column: each value after one byte of its length (at most 255)."""
    return b"".join(len(value).to_bytes(1, "big") + value for value in values)


def split_values(joined: bytes) -> tuple[bytes, ...]:
    """The inverse of `join_values`. Raises ValueError where a length points past the end."""
    values: list[bytes] = []
    at = 0
    while at < len(joined):
        end = at + 1 + joined[at]
        if end > len(joined):
            raise ValueError("a joined value is cut short")
        values.append(joined[at + 1 : end])
        at = end
    return tuple(values)


def encode_args(args: Mapping[str, bytes | int]) -> str:
    """An event's decoded arguments as JSON text: bytes as `0x…`, integers of any width as decimal digits."""
    return json.dumps(
        {name: "0x" + value.hex() if isinstance(value, bytes) else str(int(value)) for name, value in args.items()},
        separators=(",", ":"),
        sort_keys=True,
    )


SIGNERS = {
    "SubjectEnrolled": "controller",
    "CustodyEnded": "controller",
    "ControllerChanged": "controller",
    "DelegateAdded": "delegate",
}
"""Event -> the argument that is the key which it gives a say."""


def signer_of(name: str, args: Mapping[str, bytes | int]) -> bytes | None:
    """The key that an event gives a say, where it does; None where that is no key."""
    found = args.get(SIGNERS.get(name, ""))
    return found if isinstance(found, bytes) and found else None


def decode_args(text: str) -> dict[str, bytes | int]:
    """The inverse of `encode_args`."""
    fields: dict[str, str] = json.loads(text)
    return {name: bytes.fromhex(value[2:]) if value.startswith("0x") else int(value) for name, value in fields.items()}
