"""From chain, IPFS and keys alone, an empty index becomes what it was. Nothing serves on it before it is whole.

1. The chain is indexed anew, and the calls that landed are read from its transactions.
2. Every pinned block is hashed, located and opened; what is not this gateway's changes nothing.
3. Each anchored batch's manifest says which of them were acknowledged, and in which order; each audit batch's segment
   brings its entries back. Batches that were cut and not anchored yet are taken as they were cut.
4. What no batch names is decided on (`doubts`), and records, consents, tokens and people's lists are written.
5. An audit entry declares the gap; then the mark goes.
Interrupted, it is begun again from the start: the mark says that all that is there is its own.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack

from anchoring.model import Event, LogKind
from anchoring.stores.columns import join_values
from gateway.audit.model import Outcome
from gateway.audit.service import Audit, read_moment
from gateway.audit.service import Event as AuditEvent
from gateway.crypto import envelope
from gateway.crypto.audit_keys import AuditKeys
from gateway.errors import ConsentryError, IntegrityError
from gateway.ids import ActorId
from gateway.ports.clock import SystemEntropy
from gateway.settings import Settings
from gateway.storage.model import Cid, Codec
from gateway.storage.segments import cid_of
from gateway.upkeep.batches import AnchoredBatch, OwnLog, anchored, own_logs
from gateway.upkeep.documents import Restoring, restore
from gateway.upkeep.doubts import settle_doubts
from gateway.upkeep.emergencies import restore_emergencies
from gateway.upkeep.entries import Entries
from gateway.upkeep.filling import Filling
from gateway.upkeep.forms import restore_forms
from gateway.upkeep.listings import restore_listings
from gateway.upkeep.papers import restore_papers
from gateway.upkeep.records import restore_records, values_of
from gateway.upkeep.releases import Releases
from gateway.upkeep.report import Progress, RebuildReport
from gateway.upkeep.scratch import FoundRecord, Scratch
from gateway.upkeep.studies import Studies
from gateway.upkeep.walk import is_whole, segment_of, walk, whole
from gateway.wiring.anchors import AnchorsPort
from gateway.wiring.upkeep import Manifest, Upkeep, open_upkeep, read


async def rebuild(settings: Settings, *, replace: bool, progress: Progress) -> RebuildReport:
    """Fills the index at the settings' URL. SettingsError where it is not empty, or a gateway runs on it."""
    async with AsyncExitStack() as closing:
        parts = await open_upkeep(settings, closing)
        with Scratch() as scratch:
            return await Rebuild(parts, scratch, progress).run(replace=replace)


class Rebuild:
    """One rebuild, from begin to end."""

    def __init__(self, parts: Upkeep, scratch: Scratch, progress: Progress) -> None:
        self._parts = parts
        self._scratch = scratch
        self._progress = progress
        self._report = RebuildReport()
        self._anchors = AnchorsPort(parts.chain.log, parts.clock)
        self._batch = 0
        self._filling = Filling(parts, self._report, progress)
        self._entries = Entries(parts, scratch, self._report, self._anchors)
        self._gone: list[tuple[bytes, bytes]] = []
        self._releases = Releases(scratch, self._report, self._anchors)
        self._studies = Studies(scratch, self._report, self._anchors, keys=parts.keys, entropy=SystemEntropy())

    async def run(self, *, replace: bool) -> RebuildReport:
        # Nobody else writes: a notary that lives refuses a second one of its instance.
        if replace:
            await (await self._parts.ledger()).close()
        if await asyncio.to_thread(self._parts.loader.begin, replace=replace):
            self._report.notes.append("An unfinished rebuild was begun again.")
        await self._parts.follow(progress=lambda count: self._progress("following the chain", count))
        events = [event for event in await self._parts.events() if event.orphaned_at is None]
        logs = own_logs(events, self._parts.port.facts.gateway)
        await self._filling.restore_calls(events)
        walked = await walk(
            self._parts.blocks, self._parts.keys, self._scratch, progress=lambda n: self._progress("walking blocks", n)
        )
        self._report.blocks = walked.counts
        # Whoever can pin can pin forgeries: only what the chain names is a loss when it is not there.
        self._report.damaged = walked.damaged
        used: set[bytes] = set()
        async for batch in anchored(events, logs, self._parts, self._scratch):
            used |= {bytes(batch.cid)} if batch.cid else set()
            await self._restore_batch(batch)
        await self._restore_pending(logs, used)
        await self._decide(logs)
        await restore_records(self._scratch, self._filling, self._report, self._anchors, self._progress)
        await self._restore_documents(events)
        await asyncio.to_thread(self._parts.loader.renumber)
        await restore_listings(self._parts)
        await self._declare()
        await asyncio.to_thread(self._parts.loader.finish)
        return self._report

    # 3. Batches

    async def _restore_batch(self, batch: AnchoredBatch) -> None:
        self._progress("restoring batches", 1)
        if batch.fault:
            self._report.lost.append(f"batch {batch.index} of log 0x{batch.log.log.hex()} {batch.fault}")
        final = (
            self._parts.chain.follower.head().number - batch.event.block_number >= self._parts.chain.profile.finality
        )
        number = await self._write_batch(
            batch.log, batch.root, batch.manifest_digest, batch.count, batch.cid, event=batch.event, final=final
        )
        if batch.manifest is not None:
            await self._restore_tickets(batch.log, batch.manifest, number=number, index=batch.index, state="ANCHORED")

    async def _write_batch(
        self,
        log: OwnLog,
        root: bytes,
        digest: bytes,
        count: int,
        cid: Cid | None,
        *,
        event: Event | None,
        final: bool = False,
    ) -> int:
        call = self._parts.anchor_call(log=log.log, root=root, manifest_digest=digest, count=count)
        await self._filling.intend(call, event=event)
        self._batch += 1
        row: dict[str, object] = {
            "id": self._batch,
            "log": log.log,
            "root": root,
            "manifest_digest": digest,
            "manifest_cid": "" if cid is None else str(cid),
            "count": count,
            "state": "BATCHED" if event is None else "FINAL" if final else "ANCHORED",
            "call": call.call,
            "created_at": int(self._parts.clock.now()),
        }
        if event is not None:
            row |= {
                "block_number": event.block_number,
                "block_hash": event.block_hash,
                "transaction": event.transaction,
            }
        await self._filling.insert("batches", [row])
        self._report.restored["batches"] += 1
        return self._batch

    async def _restore_tickets(self, log: OwnLog, manifest: Manifest, *, number: int, index: int, state: str) -> None:
        values = (
            self._record_values(log, manifest, index=index, state=state)
            if log.kind is LogKind.RECORDS
            else self._releases.values_of(manifest)
            if log.kind is LogKind.RELEASES
            else await self._studies.values_of(manifest)
            if log.kind is LogKind.STUDIES
            else await self._entries.restore(log, manifest)
        )
        rows = [
            {
                "log": log.log,
                "leaf": leaf,
                "values_": join_values(values.get(leaf, ())),
                "cid_digest": digest,
                "locator": locator,
                "batch": number,
            }
            for leaf, digest, locator in manifest.entries
        ]
        await self._filling.insert("tickets", rows)
        self._report.restored["tickets"] += len(rows)

    def _record_values(
        self, log: OwnLog, manifest: Manifest, *, index: int, state: str
    ) -> dict[bytes, tuple[bytes, ...]]:
        """The leaves' values from their blocks; and each block's place in the order of arrival."""
        values: dict[bytes, tuple[bytes, ...]] = {}
        moment = self._scratch.latest().get(log.log, 0)
        for at, (leaf, digest, locator) in enumerate(manifest.entries):
            found = self._scratch.record(cid_of(digest).digest)
            if found is None:
                self._missing(digest, locator)
                continue
            own = values_of(found)
            if self._anchors.leaf(own, kind="records") != leaf:
                self._report.lost.append(f"block {cid_of(digest)} is not what its leaf says")
                continue
            values[leaf] = own
            moment = max(moment, found.recorded_at)
            self._scratch.place(found.digest, state=state, moment=moment, log=log.log, batch=index, at=at)
        return values

    def _missing(self, digest: bytes, locator: bytes) -> None:
        """A block that a manifest names and nobody holds: erased with its key, or lost."""
        try:
            envelope.key_named_by(locator, self._parts.keys.log)
        except IntegrityError:
            self._report.lost.append(f"block {cid_of(digest)} is not there, and its locator does not open")
            return
        self._gone.append((digest, locator))

    async def _judge_missing(self) -> None:
        for digest, locator in self._gone:
            try:
                await self._parts.keys.by_id(envelope.key_named_by(locator, self._parts.keys.log))
            except IntegrityError:
                self._report.erased += 1
            else:
                self._report.lost.append(f"block {cid_of(digest)} is not there, and its key is")

    async def _restore_pending(self, logs: dict[bytes, OwnLog], used: set[bytes]) -> None:
        """Batches that were cut and not anchored yet: they go out as they were cut, byte for byte."""
        found: list[tuple[Manifest, bytes, Cid]] = []
        for binary in self._scratch.others():
            cid = Cid.from_bytes(binary)
            try:
                content = await whole(cid, self._parts.blocks)
                manifest = read(content)
            except ConsentryError:
                continue
            if binary not in used and manifest.log in logs:
                found.append((manifest, hashlib.sha256(content).digest(), cid))
        for manifest, digest, cid in sorted(found, key=lambda one: (-len(one[0].entries), one[1])):
            if await self._is_ours(logs[manifest.log], manifest):
                log = logs[manifest.log]
                number = await self._write_batch(log, manifest.root, digest, len(manifest.entries), cid, event=None)
                await self._restore_tickets(log, manifest, number=number, index=2**40 + number, state="BATCHED")

    async def _is_ours(self, log: OwnLog, manifest: Manifest) -> bool:
        """Every leaf is of a block or entry of ours that no batch has yet: nobody else can make such a manifest."""
        if log.kind is LogKind.RECORDS:
            for leaf, digest, _ in manifest.entries:
                found = self._scratch.record(cid_of(digest).digest) if len(digest) in (32, 36) else None
                if found is None or found.state != "FOUND":
                    return False
                if self._anchors.leaf(values_of(found), kind="records") != leaf:
                    return False
            return True
        if log.kind is LogKind.RELEASES:
            return len(self._releases.values_of(manifest)) == len(manifest.entries)
        if log.kind is LogKind.STUDIES:
            return self._studies.is_ours(manifest)
        try:
            segment = await segment_of(cid_of(manifest.entries[0][1]), blocks=self._parts.blocks, keys=self._parts.keys)
        except ConsentryError:
            return False
        owned = {
            self._anchors.leaf((one.writer, one.seq.to_bytes(8, "big"), one.hash), kind="audit")
            for one in segment.entries
            if not self._scratch.has_entry(one.hash)
        }
        return owned == {leaf for leaf, _, _ in manifest.entries}

    # 4. Records and documents

    async def _decide(self, logs: dict[bytes, OwnLog]) -> None:
        await self._judge_missing()
        for record, version in self._scratch.twice():
            self._report.lost.append(f"record {record.hex()} version {version} stands twice on chain")
        records = sum(log.kind is LogKind.RECORDS for log in logs.values())
        for one in self._scratch.unplaced():
            if not await self._is_whole(one):
                self._scratch.mark(one.digest, "DROPPED")
                self._report.dropped["forged"] += 1
        settle_doubts(self._scratch, self._report, logs=records)
        for writer, seq in self._scratch.breaks():
            self._report.lost.append(f"audit entries before {seq} of writer {writer.hex()}")

    async def _is_whole(self, one: FoundRecord) -> bool:
        cid = Cid.from_digest(one.digest, codec=Codec.DAG_PB if one.tree else Codec.RAW)
        return await is_whole(cid, blocks=self._parts.blocks, keys=self._parts.keys)

    async def _restore_documents(self, events: Sequence[Event]) -> None:
        restoring = Restoring(self._parts.port, events, calls=self._filling.calls)
        for one in restore(self._scratch, restoring, self._report):
            await self._filling.intend(one.call, event=one.event)
            await self._filling.insert(one.table, [dict(one.values)])
            self._report.restored[one.table] += 1
        await self._filling.insert("forms", restore_forms(self._scratch, self._report))
        for table, rows in self._releases.rows(self._parts.keys.log.token):
            await self._filling.insert(table, rows)
        await self._filling.insert("release_people", await self._releases.people(self._parts.blocks))
        await self._studies.drop_forged(self._parts.blocks)
        for table, rows in self._studies.rows(self._parts.keys.log.token):
            await self._filling.insert(table, rows)
        await self._filling.insert("papers", restore_papers(self._scratch, self._report, events))
        await restore_emergencies(self._parts, self._scratch, self._filling, self._report, events)

    # 5. The gap

    async def _declare(self) -> None:
        """The audit goes on after the last entry that is back, and says that it was rebuilt."""
        parts = self._parts
        entropy = SystemEntropy()
        sealing = AuditKeys(parts.keys, entropy)
        for instance, public in self._entries.newest.items():
            self._report.audit_until[instance.hex()] = read_moment(sealing.open_public(public)).isoformat()
        ledger = await parts.ledger()
        try:
            audit = Audit(
                ledger=ledger,
                index=parts.index,
                keys=sealing,
                anchors=self._anchors,
                entropy=entropy,
            )
            event = AuditEvent(
                decision=audit.new_decision(),
                at=parts.clock.now(),
                actor=ActorId(bytes(32)),
                outcome=Outcome.PERMITTED,
                action="REBUILD",
                reason=f"rebuilt; {len(self._report.in_doubt)} versions in doubt, {len(self._report.lost)} losses",
            )
            await audit.append(event)
        finally:
            await ledger.close()
