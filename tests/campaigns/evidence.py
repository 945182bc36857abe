"""What lies on the chain, on IPFS and in the database after a campaign, gathered without asking the gateway.

Anchored roots come from the chain's logs, their leaves from the manifests on IPFS. Manifests are read by the function
that every verifier of this repository shares; roots and heads are computed anew.
"""

import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from eth_abi.abi import decode, encode

from anchoring.batcher import read_manifest
from anchoring.merkle import MerkleTree, keccak256
from anchoring.model import LEAF_ENCODING, LogKind
from anchoring.stores.columns import split_values
from gateway.adapters.pack_folder import PackFolder
from gateway.adapters.packs import BLOCK_SIZE_MAX, PACK_SIZE_MAX
from gateway.demo.rpc import ANCHORED
from gateway.storage.model import Cid, Codec
from tests.journeys.gateway_process import GatewayProcess
from tests.ports.databases import query
from tests.servers.http import post, rpc

Fetch = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoredBatch:
    """An `Anchored` event of the canonical chain."""

    log: bytes
    index: int
    root: bytes
    manifest_digest: bytes
    count: int
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTicket:
    """A leaf as the database has it. `batch`: None while it waits."""

    leaf: bytes
    record: bytes
    version: int
    digest: bytes
    batch: int | None


def anchored_batches(rpc_url: str, registry: str) -> list[AnchoredBatch]:
    """All batches on the canonical chain, in their order."""
    wanted = {"address": registry, "fromBlock": "0x0", "toBlock": "latest", "topics": ["0x" + ANCHORED.hex()]}
    return [_batch(log) for log in rpc(rpc_url, "eth_getLogs", wanted, timeout=60.0)]


def _batch(log: Any) -> AnchoredBatch:
    root, manifest, count, head = decode(
        ["bytes32", "bytes32", "uint64", "bytes32"], bytes.fromhex(log["data"].removeprefix("0x"))
    )
    name, index = (bytes.fromhex(topic.removeprefix("0x")) for topic in log["topics"][1:3])
    return AnchoredBatch(
        log=name, index=int.from_bytes(index, "big"), root=root, manifest_digest=manifest, count=count, head=head
    )


def fold_faults(batches: list[AnchoredBatch]) -> list[str]:
    """Where a log's head is not the fold of its batches in order, or a number is missing."""
    faults, heads, following = [], dict[bytes, bytes](), dict[bytes, int]()
    for one in sorted(batches, key=lambda batch: (batch.log, batch.index)):
        before = heads.get(one.log, bytes(32))
        folded = keccak256(
            encode(["bytes32", "bytes32", "bytes32", "uint64"], [before, one.root, one.manifest_digest, one.count])
        )
        if one.index != following.get(one.log, 0) or folded != one.head:
            faults.append(f"batch {one.index} of log {one.log.hex()[:8]} does not follow")
        heads[one.log], following[one.log] = one.head, one.index + 1
    return faults


def leaves_of(batch: AnchoredBatch, fetch: Fetch) -> list[bytes] | str:
    """The leaves that a batch's manifest lists, or what is wrong with it."""
    block = fetch(str(Cid.from_digest(batch.manifest_digest)))
    if block is None:
        return f"the manifest of batch {batch.index} is not on IPFS"
    log, entries = read_manifest(block)
    leaves = [leaf for leaf, _, _ in entries]
    if log != batch.log or len(leaves) != batch.count or MerkleTree(leaves).root != batch.root:
        return f"the manifest of batch {batch.index} is not that of its root"
    return leaves


def record_tickets(url: str) -> list[RecordTicket]:
    """Every record's leaf in the database."""
    found = []
    for leaf, values, batch in query(url, "select leaf, values_, batch from tickets order by seq"):
        parts = split_values(bytes(values))
        if len(parts) == len(LEAF_ENCODING[LogKind.RECORDS]):
            record, version, digest = parts[:3]
            found.append(
                RecordTicket(
                    leaf=bytes(leaf),
                    record=record,
                    version=int.from_bytes(version, "big"),
                    digest=digest,
                    batch=batch,
                )
            )
    return found


@contextmanager
def fetching(gateway: GatewayProcess) -> Iterator[Fetch]:
    """Reads blocks where this gateway keeps them: its pack files, or its Kubo node. None: there is none."""
    kubo = gateway.settings.get("IPFS_URL")
    if kubo:
        yield partial(_from_kubo, kubo)
        return
    packs = PackFolder.open(gateway.data / "blocks", pack_size_max=PACK_SIZE_MAX)

    def fetch(cid: str) -> bytes | None:
        if packs.size_of(cid) is None:
            packs.refresh()
        return packs.read(cid, most=BLOCK_SIZE_MAX)

    try:
        yield fetch
    finally:
        packs.close()


def _from_kubo(url: str, cid: str) -> bytes | None:
    try:
        return post(f"{url}/api/v0/block/get?arg={cid}&offline=true", timeout=10.0)
    except urllib.error.HTTPError:
        return None


def stands(fetch: Fetch, digest: bytes, *, tree: bool = False) -> bool:
    """Whether the block of this digest is there and its bytes hash to it."""
    cid = Cid.from_digest(digest, codec=Codec.DAG_PB if tree else Codec.RAW)
    block = fetch(str(cid))
    return block is not None and cid.names(block)
