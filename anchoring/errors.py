"""What can go wrong between us and a chain. Messages name addresses, chain ids and methods; never calldata.

`gateway.wiring` maps these onto the gateway's own tree: unavailable and refused are upstream's fault, a mismatch stops
the start, a halt stops every read until an operator has looked.
"""


class AnchoringError(Exception):
    """Root of every expected failure here."""


class ChainUnavailable(AnchoringError):
    """No answer in time, or none that can be read. What was asked for may or may not have happened: ask again."""


class ChainRefused(AnchoringError):
    """The node answered and said no (JSON-RPC error). `data`: what a contract reverted with, empty when none did."""

    def __init__(self, message: str, *, code: int = 0, data: bytes = b"") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.data = data

    @property
    def reverted(self) -> bool:
        """A contract refused, not the node (EIP-1474 code 3, or revert data, or the words that all nodes use)."""
        return self.code == 3 or bool(self.data) or "revert" in self.message.lower()


class ChainMismatch(AnchoringError):
    """This is not the chain, or not the contracts, that this data belongs to. The message says what to do."""


class ChainHalted(AnchoringError):
    """A reorganization past finality, or another chain at the same URL: nothing is indexed until an operator acts."""


class StoreUnavailable(AnchoringError):
    """The database does not answer, or refuses: nothing is known to be written. Do it again."""


class LeaseLost(AnchoringError):
    """Another process writes for this account now: whatever was planned must not be written."""


class CursorMoved(AnchoringError):
    """Another follower advanced the index first; nothing was written."""


class ProofInvalid(AnchoringError):
    """Values, encoding or path do not fit together."""
