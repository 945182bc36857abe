"""The parts that rebuild and verify need, without a server: keys, blocks, chain, and the index by another door.

The embedded chain is started where no gateway runs it, and asked at the port of the one that runs where one does.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from anchoring.batcher import read_manifest
from anchoring.chain.client import ChainClient, Json, octets, quantity
from anchoring.chain.registries import ANCHORS, RELAY
from anchoring.errors import ProofInvalid
from anchoring.merkle import MerkleTree, keccak256
from anchoring.model import Event
from gateway.adapters.notary.client import NotaryLedger, NotarySettings
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.loading import MARK, Loader
from gateway.adapters.sql.migrations import migrate
from gateway.crypto.keys import KeyRing
from gateway.errors import IntegrityError, SettingsError
from gateway.ports.clock import SystemClock, SystemEntropy
from gateway.ports.rows import CallRow
from gateway.settings import Settings
from gateway.storage.segments import Segments
from gateway.storage.service import Blocks
from gateway.wiring import chain as chain_wiring
from gateway.wiring.chain import ChainParts, ChainPort, translated
from gateway.wiring.keyring import open_keys
from gateway.wiring.parts import block_store, chain_client
from gateway.wiring.secrets import Secrets, address_of, passphrase_file, secrets_of

__all__ = ["ChainPort", "Loader", "Manifest", "Upkeep", "open_upkeep", "read", "refuse_unfinished"]
NEEDED = ("receipt.key", "relay.key", "anchor.key", "gateway.salt", "deployment.json")
"""Without these the index would be rebuilt for another gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """All parts, open. `owned`: log id -> (instance, kind) of every log that this gateway opened."""

    settings: Settings
    secrets: Secrets
    keys: KeyRing
    blocks: Blocks
    client: ChainClient
    chain: ChainParts
    port: ChainPort
    index: SqlIndex
    loader: Loader
    clock: SystemClock

    async def ledger(self) -> NotaryLedger:
        """A notary of this instance; UpstreamError while another one lives."""
        return await NotaryLedger.start(
            NotarySettings(
                url=self.settings.index_url,
                key_path=self.secrets.receipt_path,
                passphrase_path=self.secrets.passphrase_path,
                instance=self.secrets.instance,
                audit_log=self.chain.log.audit_log(self.secrets.instance),
                patience=2.0,
            ),
            clock=self.clock,
        )

    async def follow(self, *, progress: Callable[[int], None]) -> None:
        """Indexes the chain from the deployment's block to its head."""
        at = self.chain.follower.head().number
        with translated():
            while await self.chain.follower.step() or self.chain.follower.head().lag:
                progress(self.chain.follower.head().number - at)
                at = self.chain.follower.head().number

    async def events(self) -> tuple[Event, ...]:
        """Every indexed event, in chain order."""
        with translated():
            return await self.chain.events.above(-1)

    async def calls(self, transactions: Sequence[bytes]) -> list[dict[str, object]]:
        """Rows of the calls that these transactions of our own accounts made, as they landed."""
        lanes = {
            address_of(self.secrets.relay_key).lower(): RELAY,
            address_of(self.secrets.anchor_key).lower(): ANCHORS,
        }
        contracts = {address.lower(): address for address in self.chain.deployment.by_name().values()}
        rows: list[dict[str, object]] = []
        with translated():
            asked = [("eth_getTransactionByHash", ("0x" + one.hex(),)) for one in transactions]
            for found in await self.client.batch(asked):
                if not isinstance(found, Mapping):
                    continue
                to, lane = contracts.get(str(found.get("to")).lower()), lanes.get(str(found.get("from")).lower())
                if to is not None and lane is not None:
                    rows.append(self._landed(found, contract=to, lane=lane))
        return rows

    def _landed(self, found: Mapping[str, Json], *, contract: str, lane: str) -> dict[str, object]:
        data = octets(found.get("input"))
        return {
            "call": chain_wiring.call_of(contract, data),
            "lane": lane,
            "priority": 5,
            "contract": contract,
            "data": data,
            "state": "LANDED",
            "nonce": quantity(found.get("nonce")),
            "transaction": octets(found.get("hash")),
            "block_number": quantity(found.get("blockNumber")),
            "block_hash": octets(found.get("blockHash")),
            "created_at": int(self.clock.now()),
        }

    def anchor_call(self, *, log: bytes, root: bytes, manifest_digest: bytes, count: int) -> CallRow:
        call = self.chain.registries.anchor(log=log, root=root, manifest_digest=manifest_digest, count=count)
        return CallRow(call=call.call, lane=call.lane, priority=call.priority, contract=call.contract, data=call.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest that was read: whose log, its entries (leaf, digest or CID, locator), their root."""

    log: bytes
    entries: tuple[tuple[bytes, bytes, bytes], ...]
    root: bytes


def read(content: bytes) -> Manifest:
    """Raises IntegrityError for what no worker of ours wrote."""
    try:
        log, entries = read_manifest(content)
        return Manifest(log=log, entries=entries, root=MerkleTree([leaf for leaf, _, _ in entries]).root)
    except ProofInvalid as error:
        raise IntegrityError("not a manifest") from error


def folded(head: bytes, *, root: bytes, manifest_digest: bytes, count: int) -> bytes:
    """A log's head after a batch, as AnchorRegistry folds it."""
    return keccak256(head + root + manifest_digest + count.to_bytes(32, "big"))


async def refuse_unfinished(index: SqlIndex) -> None:
    """No gateway starts on an index that is not whole."""
    if await index.meta(MARK) is not None:
        raise SettingsError("a rebuild of this index was begun and not finished: run `consentry rebuild` again")


def require_secrets(settings: Settings) -> None:
    """SettingsError where keys would be made anew: with new keys nothing that was sealed opens."""
    missing = [name for name in NEEDED if not (settings.data_dir / name).is_file()]
    if missing:
        raise SettingsError(f"CONSENTRY_DATA_DIR: {settings.data_dir} has no {', '.join(missing)}: restore the keys")


async def open_upkeep(settings: Settings, closing: AsyncExitStack) -> Upkeep:
    """Opens all of it, the index migrated. Nobody else may run on the embedded chain."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    require_secrets(settings)
    clock, entropy = SystemClock(), SystemEntropy()
    passphrase = Passphrase(passphrase_file(settings.data_dir))
    secrets = await asyncio.to_thread(secrets_of, settings, passphrase)
    await asyncio.to_thread(migrate, settings.index_url)
    _, keys = await open_keys(settings, closing, waits=False, passphrase=passphrase)
    store = await block_store(settings)
    closing.push_async_callback(store.close)
    blocks = Blocks(store)
    index = SqlIndex.open(settings.index_url, clock=clock)
    closing.push_async_callback(index.close)
    client, _ = await chain_client(settings, secrets, closing)
    chain = ChainParts(
        settings=settings,
        secrets=secrets,
        client=client,
        profile=await chain_wiring.profile_of(settings, client),
        deployment=await chain_wiring.standing_deployment(settings, client),
        blocks=blocks,
        clock=clock,
        on_events=lambda events: None,
        segments=Segments(blocks=blocks, keys=keys, index=index, entropy=entropy),
    )
    closing.push_async_callback(chain.stop)
    loader = Loader(settings.index_url)
    closing.callback(loader.close)
    return Upkeep(
        settings=settings,
        secrets=secrets,
        keys=keys,
        blocks=blocks,
        client=client,
        chain=chain,
        port=ChainPort(chain),
        index=index,
        loader=loader,
        clock=clock,
    )
