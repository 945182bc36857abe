"""No answer without a durable audit entry: this room writes entries and reads a patient's own back.

An entry has two sealed parts: (time, outcome, actor) under the log key; (subject, record, action, purpose, consents,
CID, reason, basis, emergency) under the subject's audit key, which outlives the records and dies with retention. A
refusal of what does not exist does the same work as one of what is forbidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from gateway import jsontext
from gateway.audit.model import AccessEvent, AccessFilter, AccessLogPage, Outcome, Receipt, SealedEntry
from gateway.errors import IntegrityError
from gateway.ids import ActorId, DecisionId, RecordId
from gateway.ports.anchors import Anchors, AnchorState
from gateway.ports.clock import Entropy, RandomNames
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Ledger, Stale, Taken
from gateway.ports.rows import EntryRow, Guard, Row, StoredEntry
from gateway.ports.sealing import SealingKeys
from gateway.slices import Slice, between, page_of

_PENDING = AnchorState(status="PENDING", proof=None)
_pack = msgspec.msgpack.Encoder().encode
_NEWEST = 2**62
_CURSOR = b"access-log"
MOST_UNDER = 500
"""Entries that are shown of one emergency."""
_SCAN = 200
MOST_LOOKED_AT = 1_000
"""Entries that are opened for one page of a search."""
CLOCKS_APART = timedelta(days=1)


class _Public(msgspec.Struct, frozen=True, array_like=True):
    at: int
    outcome: str
    actor: bytes


class _Private(msgspec.Struct, frozen=True, array_like=True):
    subject: bytes
    record: bytes
    action: str
    purpose: str
    consents: tuple[bytes, ...]
    digest: bytes
    reason: str
    basis: str = ""
    emergency: bytes = b""


_unpack_public = msgspec.msgpack.Decoder(_Public).decode
_unpack_private = msgspec.msgpack.Decoder(_Private).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing to be audited. `subject` None: no patient is concerned, or none exists; `like`: one whose refusal would
    have cost the same. `at` seconds since 1970."""

    decision: DecisionId
    at: float
    actor: ActorId
    outcome: Outcome
    action: str
    purpose: str = ""
    subject: bytes | None = None
    record: bytes = b""
    consents: tuple[bytes, ...] = ()
    digest: bytes = b""
    reason: str = ""
    like: bytes | None = None
    basis: str = ""
    emergency: bytes = b""


class Audit:
    """Writes through the ledger, reads through the index."""

    def __init__(self, *, ledger: Ledger, index: Index, keys: SealingKeys, anchors: Anchors, entropy: Entropy) -> None:
        self._ledger = ledger
        self._index = index
        self._keys = keys
        self._anchors = anchors
        self._decisions = RandomNames(entropy, size=16)

    def new_decision(self) -> DecisionId:
        return DecisionId(self._decisions.next())

    async def append(
        self,
        event: Event,
        *,
        guards: Sequence[Guard] = (),
        rows: Sequence[Row] = (),
        receipt: Mapping[str, jsontext.JsonValue] | None = None,
    ) -> Appended | Stale | Taken:
        """Durable on return, or nothing was written (Stale, Taken). UpstreamError: in doubt; release nothing."""
        return await self._ledger.append(await self._sealed(event, receipt), guards=guards, rows=rows)

    async def append_each(
        self, told: Sequence[tuple[Event, Sequence[Guard], Mapping[str, jsontext.JsonValue] | None]]
    ) -> list[Appended | Stale | Taken]:
        """`append` of each event with its guards and its receipt."""
        return await self._ledger.append_each(
            [(await self._sealed(event, receipt), guards) for event, guards, receipt in told]
        )

    async def _sealed(self, event: Event, receipt: Mapping[str, jsontext.JsonValue] | None) -> EntryRow:
        public = self._keys.seal_public(_pack(_Public(int(event.at * 1000), event.outcome.value, event.actor)))
        private = _pack(
            _Private(
                event.subject or bytes(32),
                event.record or bytes(16),
                event.action,
                event.purpose,
                event.consents,
                event.digest,
                event.reason,
                event.basis,
                event.emergency,
            )
        )
        sealed, token = await self._keys.seal_private(event.subject, private, context=event.decision, like=event.like)
        return EntryRow(
            decision=event.decision,
            public=public,
            private=sealed,
            subject_token=token,
            receipt=b"" if receipt is None else jsontext.canonical(dict(receipt)),
        )

    def receipt(
        self, event: Event, appended: Appended, *, as_of_block: int, obligations: tuple[str, ...], stale: bool = False
    ) -> Receipt:
        """What the client gets of a signed receipt."""
        return Receipt(
            decision=event.decision,
            consent=event.consents[0] if event.consents else None,
            purpose=event.purpose,
            as_of_block=as_of_block,
            decided_at=moment(int(event.at * 1000)),
            obligations=obligations,
            payload=appended.receipt.decode(),
            signer=self._ledger.receipt_key,
            signature=appended.signature,
            anchor=_PENDING,
            basis=event.basis,
            emergency=event.emergency or None,
            stale=stale,
        )

    async def log(self, subject: bytes, *, part: Slice) -> AccessLogPage:
        """A patient's entries, newest first. Who may ask is decided by the caller of this."""
        token = await self._keys.subject_token(subject)
        after, before = self._between(subject, part)
        if token is None:
            return AccessLogPage()
        rows = await self._index.entries(
            token, after=after, before=before, limit=part.size + 1, backwards=part.backwards
        )
        found = rows[: part.size]
        reached = found[-1][0] if found else None
        return await self._page(subject, found, part, reached=reached, more=len(rows) > part.size)

    async def search(self, subject: bytes, wanted: AccessFilter, *, part: Slice) -> AccessLogPage:
        """As `log`, of the entries that are wanted. They are sealed, so they are opened one by one: after
        `MOST_LOOKED_AT` of them the page ends, whatever it holds."""
        token = await self._keys.subject_token(subject)
        after, before = self._between(subject, part)
        if token is None:
            return AccessLogPage()
        found: list[tuple[int, StoredEntry]] = []
        reached, more, looked_at = None, True, 0
        while more and looked_at < MOST_LOOKED_AT:
            rows = await self._index.entries(token, after=after, before=before, limit=_SCAN, backwards=part.backwards)
            looked_at += len(rows)
            more = len(rows) == _SCAN
            for row, stored in rows:
                public, private = await self._opened(subject, stored)
                if _is_past(wanted, public, backwards=part.backwards):
                    more = False
                    break
                if _is_wanted(wanted, public, private):
                    if len(found) == part.size:
                        return await self._page(subject, found, part, reached=reached, more=True)
                    found.append((row, stored))
                reached = row
                after, before = (row, before) if part.backwards else (after, row)
        return await self._page(subject, found, part, reached=reached, more=more)

    def _between(self, subject: bytes, part: Slice) -> tuple[int, int]:
        return between(part, lambda cursor: self._keys.reveal(cursor, context=_CURSOR + subject))

    async def _page(
        self,
        subject: bytes,
        walked: Sequence[tuple[int, StoredEntry]],
        part: Slice,
        *,
        reached: int | None,
        more: bool,
    ) -> AccessLogPage:
        """`reached`: the last entry that was looked at, from where one goes on."""
        page = page_of(walked, part, more=more)
        states = await self._anchors.states([self._leaf(stored) for _, stored in page.items])
        events = [
            await self._event(subject, row, stored, state)
            for (row, stored), state in zip(page.items, states, strict=True)
        ]
        start, end = (event.cursor for event in (events[0], events[-1])) if events else (None, None)
        far = None if reached is None else self._keys.hide(reached, context=_CURSOR + subject)
        return AccessLogPage(
            events=tuple(events),
            has_next=page.has_next,
            has_previous=page.has_previous,
            start=far if part.backwards else start,
            end=end if part.backwards else far,
        )

    async def subject_of(self, decision: DecisionId) -> bytes | None:
        """The patient that a decision was about."""
        found = await self._index.entry(decision)
        return None if found is None else await self._keys.subject_of(found[1].private)

    async def sealed(self, decision: DecisionId) -> SealedEntry | None:
        """The entry of a decision with its parts sealed. Who may ask is decided by the caller of this."""
        found = await self._index.entry(decision)
        if found is None:
            return None
        (state,) = await self._anchors.states([self._leaf(found[1])])
        public = _unpack_public(self._keys.open_public(found[1].public))
        return SealedEntry(entry=found[1], actor=ActorId(public.actor), anchor=state)

    async def event(self, subject: bytes, decision: DecisionId) -> AccessEvent | None:
        """One entry of a patient's log by its decision; None when it is not in that log."""
        found = await self._index.entry(decision)
        token = await self._keys.subject_token(subject)
        if found is None or token is None or found[1].subject_token != token:
            return None
        states = await self._anchors.states([self._leaf(found[1])])
        return await self._event(subject, found[0], found[1], states[0])

    async def told(self, subject: bytes, decision: bytes, *, emergency: bytes) -> bool:
        """Whether the patient's own log has the entry of that decision, about that emergency. IntegrityError for an
        entry that lies in another patient's."""
        found = await self._index.entry(decision)
        token = await self._keys.subject_token(subject)
        if found is None or token is None or found[1].subject_token != token:
            return False
        private = _unpack_private(await self._keys.open_private(subject, found[1].private, context=decision))
        return (private.subject, private.emergency) == (subject, emergency)

    async def under(self, subject: bytes, emergency: bytes, *, decision: bytes) -> tuple[AccessEvent, ...]:
        """What was asked under an emergency, newest first, back to the entry of `decision`, which opened it; the newest
        `MOST_UNDER` of them. Who may ask is decided by the caller of this."""
        opened = await self._index.entry(decision)
        token = await self._keys.subject_token(subject)
        if opened is None or token is None:
            return ()
        found: list[tuple[int, StoredEntry]] = []
        before = _NEWEST
        while len(found) < MOST_UNDER:
            rows = await self._index.entries(token, before=before, limit=_SCAN)
            for row, stored in rows:
                private = _unpack_private(
                    await self._keys.open_private(subject, stored.private, context=stored.decision)
                )
                if private.emergency == emergency:
                    found.append((row, stored))
            if len(rows) < _SCAN or rows[-1][0] <= opened[0]:
                break
            before = rows[-1][0]
        shown = found[:MOST_UNDER]
        states = await self._anchors.states([self._leaf(stored) for _, stored in shown])
        return tuple(
            [await self._event(subject, row, stored, state) for (row, stored), state in zip(shown, states, strict=True)]
        )

    async def _event(self, subject: bytes, row: int, stored: StoredEntry, state: AnchorState) -> AccessEvent:
        public, private = await self._opened(subject, stored)
        return AccessEvent(
            decision=DecisionId(stored.decision),
            at=moment(public.at),
            actor=ActorId(public.actor) if any(public.actor) else None,
            action=private.action,
            purpose=private.purpose or None,
            outcome=Outcome(public.outcome),
            record=RecordId(private.record) if any(private.record) else None,
            anchor=state,
            cursor=self._keys.hide(row, context=_CURSOR + subject),
            basis=private.basis or None,
            emergency=private.emergency or None,
            subject=private.subject if any(private.subject) else None,
        )

    async def _opened(self, subject: bytes, stored: StoredEntry) -> tuple[_Public, _Private]:
        public = _unpack_public(self._keys.open_public(stored.public))
        private = _unpack_private(await self._keys.open_private(subject, stored.private, context=stored.decision))
        if private.subject != subject:
            raise IntegrityError("an audit entry lies in another patient's log")
        return public, private

    def _leaf(self, stored: StoredEntry) -> bytes:
        return self._anchors.leaf((stored.writer, stored.seq.to_bytes(8, "big"), stored.hash), kind="audit")


def _is_wanted(wanted: AccessFilter, public: _Public, private: _Private) -> bool:
    at = moment(public.at)
    return (
        wanted.outcome in (None, public.outcome)
        and wanted.actor in (None, public.actor)
        and wanted.record in (None, private.record)
        and wanted.purpose in (None, private.purpose)
        and (not wanted.actions or private.action in wanted.actions)
        and (wanted.start is None or at >= wanted.start)
        and (wanted.end is None or at <= wanted.end)
    )


def _is_past(wanted: AccessFilter, public: _Public, *, backwards: bool) -> bool:
    """Whether nothing older can be wanted, or nothing younger where `backwards`. Entries lie in the order of writing,
    by the clocks of several writers."""
    if backwards:
        return wanted.end is not None and moment(public.at) > wanted.end + CLOCKS_APART
    return wanted.start is not None and moment(public.at) < wanted.start - CLOCKS_APART


def read_note(public: bytes, private: bytes) -> tuple[str, bool, bytes]:
    """(action, whether it was permitted, emergency or nothing) of an entry whose two parts were opened."""
    said = _unpack_private(private)
    return said.action, _unpack_public(public).outcome == Outcome.PERMITTED.value, said.emergency


def moment(milliseconds: int) -> datetime:
    """UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def read_moment(public: bytes) -> datetime:
    """When the entry was written whose opened public part this is."""
    return moment(_unpack_public(public).at)
