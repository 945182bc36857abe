"""What anvil and geth have in common as a chain to test against: a URL, and money for any address."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.servers.http import rpc
from tests.servers.process import ServerProcess


class _Funding(Protocol):
    def __call__(self, url: str, address: str, wei: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A running development chain: `url` is its JSON-RPC over HTTP, `chain_id` what EIP-155 and EIP-712 name."""

    url: str
    chain_id: int
    data_dir: Path
    process: ServerProcess
    _funding: _Funding

    def fund(self, address: str, wei: int) -> None:
        """Give `address` (0x, 20 bytes) `wei` more than it has; in a block when this returns."""
        self._funding(self.url, address, wei)

    def rpc(self, method: str, *params: object) -> object:
        """Call a JSON-RPC method. Raises `RpcRefused` or OSError."""
        result: object = rpc(self.url, method, *params)
        return result


def chain_answers(url: str) -> bool:
    """Whether a JSON-RPC server at `url` tells its chain id."""
    return str(rpc(url, "eth_chainId", timeout=2.0)).startswith("0x")
