"""Key store, vault and key ring, opened in that order; waits for shares where the root is in shares."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.shares import SharesVault
from gateway.adapters.unsealing import taking_shares
from gateway.crypto.keys import KeyRing
from gateway.ports.clock import SystemEntropy
from gateway.ports.keys import KeyStore
from gateway.settings import Settings
from gateway.wiring.vaults import open_vault

Waiting = Callable[[int], AbstractAsyncContextManager[None]]
"""What goes on while that many shares are missing."""


@asynccontextmanager
async def nobody_asks(missing: int) -> AsyncIterator[None]:
    """Nothing goes on."""
    yield


async def open_keys(
    settings: Settings,
    closing: AsyncExitStack,
    *,
    waiting: Waiting = nobody_asks,
    waits: bool = True,
    passphrase: Passphrase | None = None,
) -> tuple[SqlKeyStore, KeyRing]:
    """The store and its unlocked ring. SettingsError, UpstreamError, IntegrityError say what to do; without `waits` a
    root that is still in shares is one of them. `passphrase` as in `open_vault`."""
    store = await SqlKeyStore.open(settings.keys_url)
    closing.push_async_callback(store.close)
    vault = await open_vault(settings, await store.epoch(), passphrase)
    closing.push_async_callback(vault.close)
    if waits and isinstance(vault, SharesVault) and vault.missing:
        async with taking_shares(vault, settings.data_dir) as unsealed, waiting(vault.missing):
            await unsealed.wait()
    ring = KeyRing(store=store, vault=vault, entropy=SystemEntropy())
    await ring.unlock()
    return store, ring


def unlocked(store: KeyStore, ring: KeyRing) -> Callable[[], Awaitable[None]]:
    """Readiness: the store answers and the ring can open what it holds."""

    async def check() -> None:
        await store.check()
        _ = ring.log

    return check
