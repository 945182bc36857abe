"""What may go wrong with the embedded chain as a whole. Refusals of single requests are `rpc_errors.RpcRefused`."""

from __future__ import annotations


class EmbeddedChainError(Exception):
    """The chain cannot be used; the message says why, for the operator, and holds no request content."""


class ChainRefused(EmbeddedChainError):
    """The chain was not opened, and the file was left as it was: in use, another id, not a chain, port taken."""


class CommitUncertain(EmbeddedChainError):
    """SQLite could not say whether a block was committed. Only reopening the file tells; the process must end."""


class ChainDidNotStart(EmbeddedChainError):
    """The chain's process ended, or said nothing, before it was ready."""
