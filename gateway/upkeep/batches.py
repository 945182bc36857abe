"""Anchored batches as the chain tells them, each with its manifest: root, count and rolling head must fit.

A batch whose manifest is missing or another is lost as a batch; its blocks are found by walking pins all the same.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from anchoring.model import Event, LogKind
from gateway.errors import IntegrityError, UpstreamError
from gateway.storage.model import Cid
from gateway.upkeep.scratch import Scratch
from gateway.upkeep.walk import whole
from gateway.wiring.upkeep import Manifest, Upkeep, folded, read


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLog:
    """A log that this gateway opened."""

    log: bytes
    instance: bytes
    kind: LogKind


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoredBatch:
    """`manifest` None: not there, or not what was anchored (`fault` says which). `cid`: the manifest's."""

    log: OwnLog
    event: Event
    index: int
    root: bytes
    manifest_digest: bytes
    count: int
    manifest: Manifest | None
    cid: Cid | None
    fault: str


def own_logs(events: Sequence[Event], gateway: bytes) -> dict[bytes, OwnLog]:
    """By their ids."""
    found: dict[bytes, OwnLog] = {}
    for event in events:
        if event.name == "LogOpened" and event.orphaned_at is None and event.keys[1] == gateway:
            kind = event.args["kind"]
            assert isinstance(kind, bytes)
            named = LogKind(kind.rstrip(b"\0").decode())
            found[event.keys[0]] = OwnLog(log=event.keys[0], instance=event.keys[2], kind=named)
    return found


async def anchored(
    events: Sequence[Event], logs: Mapping[bytes, OwnLog], parts: Upkeep, scratch: Scratch
) -> AsyncIterator[AnchoredBatch]:
    """In chain order."""
    heads: dict[bytes, bytes] = {}
    for event in events:
        if event.name != "Anchored" or event.orphaned_at is not None or event.keys[0] not in logs:
            continue
        root, digest, count = _octets(event, "root"), _octets(event, "manifestDigest"), _number(event, "count")
        before = heads.get(event.keys[0], bytes(32))
        heads[event.keys[0]] = folded(before, root=root, manifest_digest=digest, count=count)
        fault = "" if heads[event.keys[0]] == _octets(event, "head") else "does not follow the head before it"
        content, cid = await fetch(digest, parts, scratch)
        manifest: Manifest | None = None
        if content is None:
            fault = fault or "has no manifest"
        else:
            try:
                manifest = read(content)
            except IntegrityError:
                fault = fault or "has a manifest that is none"
            if manifest is not None and (manifest.log, manifest.root, len(manifest.entries)) != (
                event.keys[0],
                root,
                count,
            ):
                manifest, fault = None, fault or "has a manifest of other leaves"
        yield AnchoredBatch(
            log=logs[event.keys[0]],
            event=event,
            index=_number(event, "index"),
            root=root,
            manifest_digest=digest,
            count=count,
            manifest=manifest,
            cid=cid,
            fault=fault,
        )


async def fetch(digest: bytes, parts: Upkeep, scratch: Scratch) -> tuple[bytes | None, Cid | None]:
    """A manifest by the SHA-256 that is on chain: a raw block of that name, or a tree that a walk found to hold it."""
    binary = scratch.other(digest)
    cid = Cid.from_digest(digest) if binary is None else Cid.from_bytes(binary)
    try:
        content = await whole(cid, parts.blocks)
    except (IntegrityError, UpstreamError):
        return None, None
    return (content, cid) if hashlib.sha256(content).digest() == digest else (None, None)


def _octets(event: Event, name: str) -> bytes:
    value = event.args[name]
    if not isinstance(value, bytes):
        raise IntegrityError(f"an indexed {event.name} has no {name}")
    return value


def _number(event: Event, name: str) -> int:
    value = event.args[name]
    if not isinstance(value, int):
        raise IntegrityError(f"an indexed {event.name} has no {name}")
    return value
