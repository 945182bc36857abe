"""A refused JSON-RPC request: code, text and data as geth gives them, so that one client reads all chains.

Codes: JSON-RPC 2.0 section 5.1, EIP-1474, and geth's 3 for a revert that carries data.
"""

from __future__ import annotations

from typing import Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000
RESPONSE_TOO_LARGE: Final = -32003
LIMIT_EXCEEDED: Final = -32005
REVERTED: Final = 3


class RpcRefused(Exception):
    """One request was refused; nothing changed. `data` is the `0x` hex of a revert, or None."""

    def __init__(self, message: str, *, code: int = SERVER_ERROR, data: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.data = data


def invalid_params(message: str) -> RpcRefused:
    """A parameter that is missing, of the wrong shape or out of range."""
    return RpcRefused(message, code=INVALID_PARAMS)
