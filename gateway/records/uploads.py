"""Large content on its way in: decided as a WRITE when it begins, while it comes and when it becomes a record.

1. `begin` decides before anything is taken, so nobody fills a disk without a consent; an actor has so many slots, and
   all that is under way has a ceiling.
2. `append` opens the data key by a Permit, renewed every second, and seals what comes; what was acknowledged is durable
   and sealed. The last octets are acknowledged with the record, in one transaction: a whole upload is a record.
3. Nobody but the actor who began it is told of an upload; for all others it is not there.
What is not finished in time is removed (`gateway.records.sweeping`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace

import msgspec

from gateway.audit.service import Audit
from gateway.consent.model import Action, Purpose
from gateway.consent.standing import Standings
from gateway.crypto.chunks import ChunkSealer, new_data_key
from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import LargeFacts, actor_domain, subject_domain
from gateway.errors import (
    CallerError,
    ConflictError,
    ConsentryError,
    DeniedError,
    IntegrityError,
    LimitError,
    StaleError,
    UnauthenticatedError,
)
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import RecordId, SubjectId
from gateway.ports.clock import Clock, Entropy
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale
from gateway.ports.rows import ContentRow, UploadFinished, UploadPart, UploadRow
from gateway.records.admission import Admission
from gateway.records.incoming import given_labels
from gateway.records.large import checked_type
from gateway.records.model import NewLarge, StoredRecord
from gateway.records.receiving import Progress, Receiving, progress_of
from gateway.records.sweeping import end_upload
from gateway.records.writing import TRIES, Considered, Writing
from gateway.storage.service import Blocks

RENEW_SECONDS = 1.0
Again = Callable[[], Awaitable[Caller | None]]
"""Who asks, asked once more; None where the session is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTerms:
    """What the operator allows. Octets, unfinished uploads of one actor, octets of all that are under way, seconds that
    one may rest."""

    largest: int
    each: int
    together: int
    keep_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """`labels`: None, or codes of HL7 sensitivity labels."""

    subject: SubjectId
    content_type: str
    size: int
    labels: tuple[str, ...] | None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadView:
    """`offset`: octets that are durable. `record` and `version` once it is one."""

    upload: bytes
    size: int
    offset: int
    expires_at: int
    record: RecordId | None = None
    version: int = 0


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What the row holds under the patient's key."""

    actor: bytes
    record: bytes
    content_type: str
    labels: tuple[str, ...] | None
    purpose: str
    wrapped: bytes
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upload:
    """An upload that is the caller's own."""

    row: UploadRow
    key: DomainKey = field(repr=False)
    told: _Sealed = field(repr=False)

    @property
    def new(self) -> NewLarge:
        return NewLarge(
            subject=SubjectId(self.row.subject),
            record=RecordId(self.told.record),
            content_type=self.told.content_type,
            size=self.row.size,
            labels=self.told.labels,
            purpose=Purpose(self.told.purpose) if self.told.purpose else None,
        )

    def large(self, *, root: bytes = b"", commitment: bytes = bytes(32)) -> LargeFacts:
        return LargeFacts(
            root=root,
            size=self.row.size,
            key_id=self.key.id,
            wrapped=self.told.wrapped,
            salt=self.told.salt,
            commitment=commitment,
        )

    def view(self, offset: int) -> UploadView:
        row = self.row
        done = row.slot is None
        return UploadView(
            upload=row.upload,
            size=row.size,
            offset=row.size if done else offset,
            expires_at=row.expires_at,
            record=RecordId(row.record[:16]) if done else None,
            version=int.from_bytes(row.record[16:], "big") if done else 0,
        )


def _may_write(caller: Caller) -> bool:
    """Whether a bearer token's scopes leave any writing of large content; each part of it is decided besides."""
    return caller.bearer is None or any(caller.bearer.reach.covers(Action.WRITE, why, "Binary") for why in Purpose)


class Uploads:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        admission: Admission,
        writing: Writing,
        audit: Audit,
        index: Index,
        blocks: Blocks,
        keys: KeyRing,
        clock: Clock,
        entropy: Entropy,
        terms: UploadTerms,
        threads: Executor,
    ) -> None:
        """`threads`: where chunks are hashed and sealed, so that nobody else's work waits behind them."""
        self._threads = threads
        self._identity = identity
        self._standings = standings
        self._admission = admission
        self._writing = writing
        self._audit = audit
        self._index = index
        self._blocks = blocks
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._terms = terms
        self._busy: set[bytes] = set()

    @property
    def terms(self) -> UploadTerms:
        return self._terms

    async def begin(self, caller: Caller, new: NewUpload) -> UploadView:
        """DeniedError, audited; LimitError naming `size` or `uploads`; CallerError naming the field."""
        if not 1 <= new.size <= self._terms.largest:
            raise LimitError(f"1 to {self._terms.largest} octets", field=("size",))
        large = LargeFacts(root=b"", size=new.size, key_id=b"", wrapped=b"", salt=bytes(32), commitment=bytes(32))
        named = NewLarge(
            subject=new.subject,
            record=RecordId(self._entropy.bytes(16)),
            content_type=checked_type(new.content_type),
            size=new.size,
            labels=given_labels(new.labels),
            purpose=new.purpose,
        )
        for _ in range(TRIES):
            considered = await self._writing.consider(caller, named, large)
            upload = await self._prepared(caller, named, considered)
            event = replace(considered.event, reason="upload begun")
            # Commit point: before it nothing is taken; after it the upload waits, and the entry says so.
            entry = await self._audit.append(event, guards=considered.guards, rows=(upload.row,))
            if isinstance(entry, Appended):
                return upload.view(0)
            if isinstance(entry, Stale):
                self._standings.forget(entry.name)
                caller = await self._identity.current(caller)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def look(self, caller: Caller, upload: bytes) -> UploadView:
        """How far the caller's own upload has come. DeniedError for any other, and for none."""
        found = await self._own(caller, upload)
        return found.view((await self._progress(found)).offset)

    async def append(
        self, caller: Caller, upload: bytes, *, offset: int, octets: AsyncIterator[bytes], again: Again
    ) -> UploadView:
        """Takes octets until there are no more: what came is durable then. ConflictError where the upload stands
        elsewhere, or another connection is at it."""
        found = await self._own(caller, upload)
        if found.row.slot is None:
            if offset != found.row.size:
                raise ConflictError("the upload is finished", field=("offset",))
            return found.view(offset)
        if upload in self._busy:
            raise ConflictError("another connection is at this upload", field=("upload",))
        self._busy.add(upload)
        try:
            progress = await self._progress(found)
            if progress.offset != offset:
                raise ConflictError(f"the upload is at {progress.offset}", field=("offset",))
            return await self._receive(caller, found, progress, octets, again)
        finally:
            self._busy.discard(upload)

    async def abandon(self, caller: Caller, upload: bytes) -> None:
        """Gives an upload up: what came of it is removed. A finished one is a record, and stays."""
        found = await self._own(caller, upload)
        if upload in self._busy:
            raise ConflictError("another connection is at this upload", field=("upload",))
        if found.row.slot is None:
            raise ConflictError("the upload is finished", field=("upload",))
        await end_upload(found.row, index=self._index, blocks=self._blocks, now=int(self._clock.now()))

    # ---- the steps

    async def _prepared(self, caller: Caller, new: NewLarge, considered: Considered) -> _Upload:
        """The row of a new upload, in one of the actor's free slots."""
        owner = (await self._keys.of(actor_domain(caller.actor.id))).token(b"uploads", caller.actor.id)
        held = await self._index.upload_slots(owner)
        slot = next((one for one in range(self._terms.each) if one not in held), None)
        if slot is None:
            raise LimitError(f"at most {self._terms.each} unfinished uploads; finish or delete one", field=("uploads",))
        if await self._index.octets_under_way() + new.size > self._terms.together:
            raise LimitError("too much is being uploaded; try again later", field=("uploads",))
        key = await self._keys.of(subject_domain(new.subject))
        told = _Sealed(
            actor=caller.actor.id,
            record=new.record,
            content_type=new.content_type,
            labels=new.labels,
            purpose="" if new.purpose is None else new.purpose.value,
            wrapped=new_data_key(considered.permit, new.record, key, self._entropy),
            salt=self._entropy.bytes(32),
        )
        upload = self._entropy.bytes(16)
        row = UploadRow(
            upload=upload,
            subject=new.subject,
            owner=owner,
            slot=slot,
            size=new.size,
            sealed=key.id + key.seal(_encode(told), context=_context(upload), entropy=self._entropy),
            expires_at=int(self._clock.now()) + self._terms.keep_seconds,
        )
        return _Upload(row=row, key=key, told=told)

    async def _own(self, caller: Caller, upload: bytes) -> _Upload:
        """DeniedError, audited, where there is no such upload of the caller's."""
        row = await self._index.upload(upload)
        found = None
        if row is not None and row.expires_at > self._clock.now():
            with suppress(IntegrityError):
                found = await self._opened(row)
        if found is None or found.told.actor != caller.actor.id or not _may_write(caller):
            raise await self._admission.refused(caller, None, b"", Purpose.TREAT, "no such upload of the caller's")
        return found

    async def _opened(self, row: UploadRow) -> _Upload:
        key = await self._keys.by_id(row.sealed[:16])
        if key.domain != subject_domain(row.subject):
            raise IntegrityError("an upload is sealed under another subject's key")
        told = _decode(key.open(row.sealed[16:], context=_context(row.upload)))
        return _Upload(row=row, key=key, told=told)

    async def _progress(self, upload: _Upload) -> Progress:
        row = upload.row
        parts = () if row.slot is None else await self._index.upload_parts(row.upload)
        return progress_of(row.upload, row.size, parts, upload.key)

    async def _receive(
        self, caller: Caller, upload: _Upload, progress: Progress, octets: AsyncIterator[bytes], again: Again
    ) -> UploadView:
        considered = await self._consider(caller, upload)
        looked_at = self._clock.monotonic()
        sealer = ChunkSealer(
            considered.permit,
            record=upload.new.record,
            key=upload.key,
            wrapped=upload.told.wrapped,
            size=upload.row.size,
            salt=upload.told.salt,
            first=len(progress.digests),
            entropy=self._entropy,
        )
        receiving = Receiving(
            progress,
            sealer,
            blocks=self._blocks,
            index=self._index,
            key=upload.key,
            clock=self._clock,
            entropy=self._entropy,
            keep_seconds=self._terms.keep_seconds,
            threads=self._threads,
        )

        async def renew() -> None:
            nonlocal caller, looked_at
            if self._clock.monotonic() - looked_at < RENEW_SECONDS:
                return
            found = await again()
            if found is None:
                raise UnauthenticatedError("the session is over")
            caller = await self._identity.current(found)
            sealer.renew((await self._consider(caller, upload)).permit)
            looked_at = self._clock.monotonic()

        try:
            async for data in octets:
                await renew()
                if receiving.offset + len(data) > upload.row.size:
                    raise CallerError("more octets than were declared", field=("size",))
                await receiving.take(data)
            await renew()
            if receiving.offset < upload.row.size:
                return upload.view(await receiving.settle())
            return await self._finish(caller, upload, receiving)
        except (CallerError, DeniedError, StaleError):
            with suppress(ConsentryError):
                await receiving.discard()
            raise
        finally:
            await receiving.stop()

    async def _consider(self, caller: Caller, upload: _Upload) -> Considered:
        """Of this very moment: no entry of the ledger compares what this stands on."""
        await self._standings.current(upload.new.subject)
        return await self._writing.consider(caller, upload.new, upload.large())

    async def _finish(self, caller: Caller, upload: _Upload, receiving: Receiving) -> UploadView:
        row, new = upload.row, upload.new
        received = await receiving.finish()
        now = int(self._clock.now())
        stored = await self._writing.create_large(
            caller,
            new,
            upload.large(root=bytes(received.root), commitment=received.commitment),
            (
                ContentRow(digest=received.root.digest, record=new.record, subject=row.subject),
                UploadPart(upload=row.upload, number=received.part, digests=b"", sealed=b""),
                UploadFinished(
                    upload=row.upload,
                    now=now,
                    expires_at=now + self._terms.keep_seconds,
                    record=new.record + (1).to_bytes(4, "big"),
                ),
            ),
        )
        return _finished(upload, stored)


def _finished(upload: _Upload, stored: StoredRecord) -> UploadView:
    return UploadView(
        upload=upload.row.upload,
        size=upload.row.size,
        offset=upload.row.size,
        expires_at=upload.row.expires_at,
        record=stored.record,
        version=stored.version,
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Sealed).decode


def _context(upload: bytes) -> bytes:
    return b"upload" + upload
