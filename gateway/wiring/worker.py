"""The anchoring worker in a process of its own: what is in its way is logged, and a part that ended ends it all."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final, Protocol

from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.migrations import migrate
from gateway.errors import UpstreamError
from gateway.ports.clock import SystemClock, SystemEntropy
from gateway.settings import Settings
from gateway.storage.segments import Segments
from gateway.storage.service import Blocks
from gateway.wiring import chain as chain_wiring
from gateway.wiring.duties import Troubles
from gateway.wiring.keyring import open_keys
from gateway.wiring.parts import block_store, chain_client
from gateway.wiring.secrets import passphrase_file, secrets_of
from gateway.wiring.upkeep import refuse_unfinished

WATCH_SECONDS: Final = 1.0


class Parts(Protocol):
    """What of `ChainParts` is watched."""

    def troubles(self) -> dict[str, str]: ...
    def ended(self) -> dict[str, str]: ...


class Worker:
    """What sends and anchors, without a server: shares data folder, database, chain and IPFS with one."""

    def __init__(self, parts: Parts, closing: AsyncExitStack) -> None:
        self._parts = parts
        self._closing = closing

    async def watch(self) -> None:
        """Looks once a second; raises UpstreamError where a part has ended, so that a supervisor starts it anew."""
        said = Troubles()
        while True:
            said.tell(self._parts.troubles())
            if ended := self._parts.ended():
                raise UpstreamError("; ".join(f"{name} {text}" for name, text in ended.items()))
            await asyncio.sleep(WATCH_SECONDS)

    async def close(self) -> None:
        await self._closing.aclose()


async def open_worker(settings: Settings) -> Worker:
    """Everything runs on return. Errors as for a gateway."""
    closing = AsyncExitStack()
    try:
        clock, entropy = SystemClock(), SystemEntropy()
        passphrase = Passphrase(passphrase_file(settings.data_dir))
        secrets = await asyncio.to_thread(secrets_of, settings, passphrase)
        await asyncio.to_thread(migrate, settings.index_url)
        # The log key seals audit segments: a root in shares is waited for here, too.
        _, keys = await open_keys(settings, closing, passphrase=passphrase)
        index = SqlIndex.open(settings.index_url, clock=clock)
        closing.push_async_callback(index.close)
        await refuse_unfinished(index)
        store = await block_store(settings)
        closing.push_async_callback(store.close)
        client, _ = await chain_client(settings, secrets, closing)
        parts = chain_wiring.ChainParts(
            settings=settings,
            secrets=secrets,
            client=client,
            profile=await chain_wiring.profile_of(settings, client),
            deployment=await chain_wiring.standing_deployment(settings, client),
            blocks=Blocks(store),
            clock=clock,
            on_events=lambda events: None,
            segments=Segments(blocks=Blocks(store), keys=keys, index=index, entropy=entropy),
        )
        closing.push_async_callback(parts.stop)
        parts.start_following()
        parts.start_sending()
    except BaseException:
        await closing.aclose()
        raise
    return Worker(parts, closing)
