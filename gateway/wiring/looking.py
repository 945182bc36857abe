"""The parts that only look: keys, blocks, chain and index, none of them made, migrated, repaired or written."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anchoring.chain.client import ChainClient
from anchoring.chain.deploy import Deployment
from anchoring.chain.registries import Registries
from anchoring.errors import AnchoringError
from anchoring.merkle import MerkleTree, hash_leaf
from anchoring.model import LEAF_ENCODING, Event, LogKind, LogName, kind_of
from anchoring.proof import log_id
from anchoring.stores.columns import decode_args, encode_args, join_values, split_values
from gateway import eip712
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.kubo import KuboStore
from gateway.adapters.packs import PackStore
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.sql.survey import Survey
from gateway.adapters.sql.urls import sqlite_path
from gateway.crypto.keys import KeyRing
from gateway.errors import SettingsError
from gateway.ports.blocks import BlockStore
from gateway.settings import Settings
from gateway.storage.service import Blocks
from gateway.wiring import chain as chain_wiring
from gateway.wiring.chain import translated
from gateway.wiring.keyring import open_keys
from gateway.wiring.parts import chain_client
from gateway.wiring.secrets import passphrase_file, secrets_of
from gateway.wiring.upkeep import require_secrets

__all__ = [
    "Looking",
    "decode_args",
    "encode_args",
    "join_values",
    "leaf_of",
    "open_looking",
    "root_of",
    "split_values",
]
_STEP = 500
"""Blocks in one question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """All open, to read from."""

    settings: Settings
    survey: Survey
    keys: KeyRing
    store: SqlKeyStore
    blocks: Blocks
    client: ChainClient
    registries: Registries
    deployment: Deployment

    @property
    def gateway(self) -> bytes:
        return bytes.fromhex(self.deployment.gateway[2:])

    @property
    def domain(self) -> dict[str, Any]:
        """EIP-712's, of the consent registry."""
        return eip712.domain(chain_id=self.deployment.chain_id, contract=self.deployment.consent_registry)

    def audit_log(self, instance: bytes) -> bytes:
        return log_id(LogName(gateway=self.gateway, writer=instance, kind=LogKind.AUDIT))

    async def chain_events(self, *, upto: int) -> AsyncIterator[tuple[int, int, tuple[Event, ...]]]:
        """(first block, last block, their events), from the deployment to block `upto`."""
        first = self.deployment.block
        while first <= upto:
            last = min(first + _STEP - 1, upto)
            with translated():
                logs = await self.client.call("eth_getLogs", self.registries.log_filter(first=first, last=last))
                events = self.registries.events(logs)
            yield first, last, events
            first = last + 1

    async def valid_signature(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        with translated():
            return await self.registries.valid_signature(signer, digest, signature, block="latest")


def leaf_of(values: Sequence[bytes]) -> bytes | None:
    """The leaf of these values; None for values of no log."""
    kind = kind_of(values)
    if kind is None:
        return None
    with suppress(AnchoringError):
        return hash_leaf(LEAF_ENCODING[kind], values)
    return None


def root_of(leaves: Sequence[bytes]) -> bytes:
    return MerkleTree(leaves).root if leaves else b""


async def open_looking(settings: Settings, closing: AsyncExitStack, *, rpc: str | None) -> Looking:
    """`rpc`: the chain's endpoint if it is neither in the settings nor the embedded chain's own."""
    require_secrets(settings)
    _require_index(settings)
    survey = Survey(settings.index_url)
    closing.callback(survey.close)
    passphrase = Passphrase(passphrase_file(settings.data_dir))
    store, keys = await open_keys(settings, closing, waits=False, passphrase=passphrase)
    blocks: BlockStore
    if settings.ipfs_url:
        blocks = await KuboStore.open(settings.ipfs_url, allow_public=settings.ipfs_allow_public)
    else:
        blocks = PackStore.look(settings.data_dir / "blocks")
    closing.push_async_callback(blocks.close)
    client = await _chain(settings, rpc)
    if client is None:
        client, _ = await chain_client(settings, secrets_of(settings, passphrase), closing)
    closing.push_async_callback(client.close)
    deployment = await chain_wiring.standing_deployment(settings, client)
    return Looking(
        settings=settings,
        survey=survey,
        keys=keys,
        store=store,
        blocks=Blocks(blocks),
        client=client,
        registries=Registries(deployment.addresses, client),
        deployment=deployment,
    )


def _require_index(settings: Settings) -> None:
    path = sqlite_path(settings.index_url)
    if path is not None and not Path(path).is_file():
        raise SettingsError("there is no index to verify: run `consentry rebuild` first")


async def _chain(settings: Settings, rpc: str | None) -> ChainClient | None:
    """The endpoint that answers already; None where the embedded chain has to be started."""
    if rpc or settings.chain_url:
        return ChainClient(rpc or settings.chain_url)
    remembered = settings.data_dir / "chain.db.port"
    if not remembered.is_file():
        return None
    client = ChainClient(f"http://127.0.0.1:{remembered.read_text().strip()}")
    try:
        if await client.chain_id() == settings.chain_id:
            return client
    except AnchoringError:
        pass
    await client.close()
    return None
