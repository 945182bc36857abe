"""The embedded chain answers as geth does, so that one client reads both: same fields, same refusals, same reverts.

Gas is compared with anvil: geth's development chain runs later rules, where new storage costs almost three times
as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.servers.chain import Chain
from tests.unit.anchoring.chain.embedded.client import RICH, ChainClient
from tests.unit.anchoring.chain.embedded.probe_contract import creation_code

pytestmark = pytest.mark.services

GWEI = 10**9


class Pair:
    """Another chain and the embedded one, each with the same contract made by the same account."""

    def __init__(self, other: Chain, embedded: ChainClient) -> None:
        other.fund(RICH.address, 10**20)
        self.other, self.embedded = ChainClient(other.url), embedded
        self.probes = {client.url: self._deploy(client) for client in self.both}

    @property
    def both(self) -> tuple[ChainClient, ChainClient]:
        return self.other, self.embedded

    def _signed(self, client: ChainClient, **fields: Any) -> bytes:
        fees = {"maxFeePerGas": 50 * GWEI, "maxPriorityFeePerGas": GWEI} if "gasPrice" not in fields else {}
        return client.sign(**{"chainId": client.web3.eth.chain_id, **fees, **fields})

    def _deploy(self, client: ChainClient) -> str:
        return self.send(client, to=None, data=creation_code(), gas=1_000_000)["contractAddress"]

    def send(self, client: ChainClient, **fields: Any) -> Any:
        sent = client.web3.eth.send_raw_transaction(self._signed(client, **fields))
        return client.web3.eth.wait_for_transaction_receipt(sent, timeout=30)

    def note(self, client: ChainClient) -> Any:
        probe = self.probes[client.url]
        return self.send(client, to=probe, data=client.contract(probe).encode_abi("note", [b"\7" * 32]), gas=300_000)

    def refusals(self, **fields: Any) -> list[str]:
        return [client.refusal(self._signed(client, **fields)) for client in self.both]


@pytest.fixture(scope="module")
def pair(geth: Chain, client: ChainClient) -> Pair:
    return Pair(geth, client)


@pytest.mark.parametrize(
    ("method", "of_receipt"),
    [
        ("eth_getTransactionReceipt", lambda receipt: [receipt["transactionHash"].to_0x_hex()]),
        ("eth_getTransactionByHash", lambda receipt: [receipt["transactionHash"].to_0x_hex()]),
        ("eth_getBlockByHash", lambda receipt: [receipt["blockHash"].to_0x_hex(), True]),
        ("eth_getLogs", lambda receipt: [{"blockHash": receipt["blockHash"].to_0x_hex()}]),
    ],
)
def test_answers_have_geths_fields(pair: Pair, method: str, of_receipt: Callable[[Any], list[Any]]) -> None:
    def fields(client: ChainClient) -> set[str]:
        result = client.raw(method, *of_receipt(pair.note(client)))["result"]
        return set(result[0] if isinstance(result, list) else result) - {"blockTimestamp"}

    assert fields(pair.embedded) == fields(pair.other)


@pytest.mark.parametrize("function", ["withReason", "withCustom", "withNothing"])
def test_reverts_are_geths(pair: Pair, function: str) -> None:
    theirs, ours = (
        [
            client.error(
                method, {"to": pair.probes[client.url], "data": client.contract(RICH.address).encode_abi(function)}
            )
            for method in ("eth_call", "eth_estimateGas")
        ]
        for client in pair.both
    )
    assert ours == theirs


@pytest.mark.parametrize(
    "fields",
    [
        {"gas": 20_999},
        {"data": b"\1" * 100, "gas": 24_000},
        {"maxPriorityFeePerGas": 60 * GWEI},
        {"to": None, "data": b"\0" * 49_153, "gas": 10**7},
        {"gasPrice": 50 * GWEI, "type": 0, "chainId": None},
        {"nonce": 2**64 - 1},
    ],
)
def test_refusals_are_geths(pair: Pair, fields: dict[str, Any]) -> None:
    theirs, ours = pair.refusals(**fields)
    assert ours == theirs


def test_refusals_with_own_figures_begin_as_geths(pair: Pair) -> None:
    theirs, ours = pair.refusals(chainId=99)
    assert ours.split(" want ")[0] == theirs.split(" want ")[0]
    theirs, ours = pair.refusals(nonce=0)
    assert ours.split(":")[0] == theirs.split(":")[0] == "nonce too low"
    theirs, ours = pair.refusals(value=10**30)
    assert ours.split(":")[0] == theirs.split(":")[0] == "insufficient funds for gas * price + value"


@pytest.mark.parametrize(
    ("method", "params"), [("eth_nothing", []), ("eth_getBalance", []), ("eth_getBalance", ["0x12"])]
)
def test_error_codes_are_geths(pair: Pair, method: str, params: list[Any]) -> None:
    theirs, ours = (client.error(method, *params) for client in pair.both)
    assert ours["code"] == theirs["code"]


def test_gas_is_anvils(anvil: Chain, client: ChainClient) -> None:
    pair = Pair(anvil, client)
    for _ in range(2):
        theirs, ours = (pair.note(each)["gasUsed"] for each in pair.both)
        assert ours == theirs
