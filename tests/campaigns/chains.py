"""A stack of anchoring on an anvil of its own, for campaigns that fork it, starve it and fill its pool."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchoring.chain.abi import CONSENT, contract
from anchoring.chain.profile import ChainProfile
from anchoring.model import LeafStatus
from gateway.adapters.sql.migrations import migrate
from tests.ports.anchoring_stack import ETHER, Stack, address_of, new_key
from tests.ports.databases import query
from tests.ports.test_chain import deploy_to, set_up
from tests.servers.anvil import running_anvil
from tests.servers.chain import Chain

FORKING: Final = ChainProfile(name="own", block_period=0, confirmations=2, finality=64)
"""Final after 6 s of mining: longer than what a reorganization took away needs to land again."""
MINE_SECONDS: Final = 0.1


@dataclass(slots=True, kw_only=True)
class Forked:
    """`stack` runs; `chain` is its anvil, which mines a block each `MINE_SECONDS` while `mining`."""

    stack: Stack
    chain: Chain
    mining: bool = True

    async def rpc(self, method: str, *params: object) -> object:
        return await asyncio.to_thread(self.chain.rpc, method, *params)

    async def in_force(self, subject: bytes, consent: bytes) -> bool:
        """By the contract, at the chain's head."""
        method = contract(CONSENT).methods["inForce"]
        answer = await self.stack.client.eth_call(
            self.stack.deployment.consent_registry, method.encode(subject, consent)
        )
        return bool(method.decode(answer)[0])

    def events(self, name: str, *, orphaned_too: bool = True) -> set[bytes]:
        """Second keys (consents) of the indexed events of a name."""
        where = "" if orphaned_too else " and orphaned_at is null"
        rows = query(self.stack.setup.database_url, f"select key2 from chain_events where name = '{name}'{where}")
        return {bytes(row[0]) for row in rows}

    async def statuses(self, leaves: list[bytes]) -> list[LeafStatus]:
        return [state.status for state in await self.stack.log.anchor_states(leaves)]


@asynccontextmanager
async def forked(folder: Path) -> AsyncIterator[Forked]:
    """Deployed, and everything running."""
    with running_anvil() as chain:
        relay, anchor = new_key(), new_key()
        for key in (relay, anchor):
            chain.fund(address_of(key), 1_000 * ETHER)
        deployed = await deploy_to("anvil", url=chain.url, relay_key=relay, anchor_key=anchor)
        chain.rpc("anvil_mine", hex(FORKING.finality + 24))
        url = f"sqlite:///{folder}/index.db"
        migrate(url)
        stack = Stack(set_up(deployed, folder, database_url=url, profile=FORKING))
        made = Forked(stack=stack, chain=chain)
        mining = asyncio.create_task(_mine(made))
        try:
            async with stack.running():
                yield made
        finally:
            mining.cancel()
            await stack.close()


async def _mine(made: Forked) -> None:
    while True:
        if made.mining:
            await made.rpc("evm_mine")
        await asyncio.sleep(MINE_SECONDS)


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float) -> float:
    """Seconds that it took; infinity where it did not come so."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await holds():
        if loop.time() - began > seconds:
            return float("inf")
        await asyncio.sleep(0.05)
    return loop.time() - began
