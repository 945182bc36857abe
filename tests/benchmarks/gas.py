"""Gas on the embedded chain, from receipts: a grant, and anchor batches of one record and of 1,024.

An anchoring writes the same slots whatever its count, so that is what the figures should show; each log's first is
left out, because it writes slots that were zero.
"""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from anchoring.chain.abi import ANCHOR, CONSENT, contract
from tests.benchmarks.world import World

FULL = 1024
GRANTED = "ConsentGranted"
_SETTLE_SECONDS = 60.0
_QUIET_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """One `Anchored` event with what its transaction cost."""

    index: int
    count: int
    gas: int


def anchorings(world: World) -> list[Anchoring]:
    """All of this deployment, oldest first."""
    found = _logs(world, world.deployment.anchor, ANCHOR, "Anchored")
    return [
        Anchoring(
            index=int(log["topics"][2], 16),
            count=int(log["data"][2 + 128 : 2 + 192], 16),
            gas=gas_of(world, log["transactionHash"]),
        )
        for log in found
    ]


def gas_of(world: World, transaction: str) -> int:
    """`gasUsed` of a transaction's receipt."""
    return int(_ask(world, "eth_getTransactionReceipt", transaction)["gasUsed"], 16)


def await_anchoring(world: World, *, count: int) -> None:
    """Until a batch of this many leaves is on chain. RuntimeError when there is none in time."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        if gas_by_count(anchorings(world), count=count):
            return
        time.sleep(0.5)
    raise RuntimeError(f"no batch of {count} was anchored in {_SETTLE_SECONDS:.0f} s")


def await_quiet(world: World) -> None:
    """Until nothing was anchored for longer than a batch stays open."""
    known, since = -1, time.monotonic()
    deadline = since + _SETTLE_SECONDS
    while time.monotonic() < deadline and time.monotonic() < since + _QUIET_SECONDS:
        count = int(_ask(world, "eth_blockNumber"), 16)
        if count != known:
            known, since = count, time.monotonic()
        time.sleep(0.25)


def gas_by_count(found: list[Anchoring], *, count: int) -> list[int]:
    """Of batches of this many leaves that are not the first of their log."""
    return [one.gas for one in found if one.count == count and one.index > 0]


def grants(world: World) -> list[int]:
    """Gas of every grant of this deployment."""
    return [gas_of(world, log["transactionHash"]) for log in _logs(world, world.deployment.consent, CONSENT, GRANTED)]


def _logs(world: World, address: str, name: str, event: str) -> list[dict[str, Any]]:
    topic = "0x" + contract(name).topic(event).hex()
    return list(_ask(world, "eth_getLogs", {"address": address, "fromBlock": "0x0", "topics": [topic]}))


def _ask(world: World, method: str, *parameters: object) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
    answer = httpx.post(world.chain.url, json=body, trust_env=False, timeout=30.0).json()
    if "result" not in answer:
        raise RuntimeError(f"the chain refuses {method}")
    return answer["result"]
