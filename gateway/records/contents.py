"""Large content on its way out: decided and audited as any read, then opened chunk by chunk for as long as that holds.

1. The decision on the record, audited and signed, before the first octet (`open`).
2. Each chunk is fetched, hashed against its CID and opened under a Permit; a few are ahead of what is sent, no more.
3. Every second the caller, the guards and the decision are looked at anew, against the database and not only against
   what is kept: what was revoked, erased or signed out ends a download that is under way, and the end is audited. A
   decision that still holds adds no entry: the first says that the record was shown.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from gateway import jsontext
from gateway.audit.model import Outcome
from gateway.audit.service import Audit
from gateway.consent.model import Purpose
from gateway.consent.standing import Standings
from gateway.crypto.chunks import CHUNK_SIZE, ChunkOpener, count_of, leaf_size, sealed_size
from gateway.crypto.chunktree import chunk_salt, path_of
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import LargeFacts
from gateway.errors import ConsentryError, DeniedError, IntegrityError, StaleError, UnauthenticatedError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import RecordId
from gateway.ports.clock import Clock
from gateway.ports.ledger import Appended
from gateway.records.large import checked_type
from gateway.records.model import Released
from gateway.records.reading import TRIES, Answer, Reading
from gateway.storage.dag import DagLimits
from gateway.storage.model import Cid, split_digests
from gateway.storage.service import Blocks

AHEAD = 3
"""Chunks that are fetched and opened before they are asked for."""
LOOK_SECONDS = 1.0
MOST_PROVEN = 256
"""Chunks in one proof."""
Again = Callable[[], Awaitable[Caller | None]]
"""Who asks, asked once more; None where the session is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenChunk:
    """What joins one chunk to the commitment: its number, its salt, the path from its leaf up."""

    number: int
    salt: bytes
    path: tuple[bytes, ...]


@dataclass(slots=True, kw_only=True)
class OpenContent:
    """Large content that was released; good for one answer. `released`: the record, with the receipt."""

    released: Released
    purpose: Purpose
    content_type: str
    large: LargeFacts = field(repr=False)
    answer: Answer = field(repr=False)
    opener: ChunkOpener = field(repr=False)
    looked_at: float

    @property
    def size(self) -> int:
        return self.large.size

    @property
    def root(self) -> str:
        return str(Cid.from_bytes(self.large.root))


class Contents:
    """See the module."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        reading: Reading,
        audit: Audit,
        blocks: Blocks,
        keys: KeyRing,
        clock: Clock,
        threads: Executor,
    ) -> None:
        """`threads`: where chunks are hashed and opened, so that nobody else's work waits behind them."""
        self._threads = threads
        self._identity = identity
        self._standings = standings
        self._reading = reading
        self._audit = audit
        self._blocks = blocks
        self._keys = keys
        self._clock = clock

    async def open(self, caller: Caller, record: RecordId, *, purpose: Purpose) -> OpenContent:
        """DeniedError for all that is refused, for what does not exist, and for records without large content."""
        for _ in range(TRIES):
            answer = self._of_content(await self._reading.consider(caller, record, purpose=purpose))
            # Commit point: before it nothing was released; after it the entry says that the record was shown.
            appended = await self._audit.append(answer.event, guards=answer.guards, receipt=answer.receipt)
            if isinstance(appended, Appended):
                if answer.release is None:
                    raise DeniedError(answer.event.reason, decision_id=answer.event.decision)
                released = await self._reading.released(answer, appended)
                return await self._opened(answer, released, purpose)
            caller = await self._reading.gather_again(caller, appended)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def octets(self, content: OpenContent, *, start: int, stop: int, again: Again) -> AsyncGenerator[bytes, None]:
        """The plaintext from `start` to before `stop`, about a chunk at a time. Raises DeniedError or
        UnauthenticatedError where it may not go on, IntegrityError for what is not what was stored."""
        first, last = start // CHUNK_SIZE, -(-stop // CHUNK_SIZE)
        ahead: deque[asyncio.Task[bytes]] = deque()
        number = first
        async with aclosing(self._leaves(content.large, first, last)) as leaves:
            try:
                while number < last or ahead:
                    if self._clock.monotonic() - content.looked_at >= LOOK_SECONDS:
                        await self._look_again(content, again)
                    while number < last and len(ahead) < AHEAD:
                        ahead.append(asyncio.create_task(self._chunk(content, number, await anext(leaves))))
                        number += 1
                    at = (number - len(ahead)) * CHUNK_SIZE
                    plain = await ahead.popleft()
                    yield plain[max(0, start - at) : stop - at]
            except IntegrityError:
                # What was tampered with is in the patient's log, too.
                await self._audit.append(self._refused(content.answer, "verification failed").event)
                raise
            finally:
                for task in ahead:
                    task.cancel()
                await asyncio.gather(*ahead, return_exceptions=True)

    async def prove(self, content: OpenContent, *, first: int, last: int) -> list[ProvenChunk]:
        """For chunks `first` to `last`; both must be there (IntegrityError)."""
        large = content.large
        count = count_of(large.size)
        if not 0 <= first <= last < count or last - first >= MOST_PROVEN:
            raise IntegrityError("no such chunks")
        (cid,) = [cid async for cid in self._leaves(large, count, count + 1)]
        joined = await self._chunk(content, count, cid)
        commitments = split_digests(joined)
        return await asyncio.to_thread(
            lambda: [
                ProvenChunk(number=one, salt=chunk_salt(large.salt, one), path=tuple(path_of(commitments, one)))
                for one in range(first, last + 1)
            ]
        )

    # ---- the steps

    async def _opened(self, answer: Answer, released: Released, purpose: Purpose) -> OpenContent:
        found, permit = answer.found, answer.permit
        if found is None or permit is None or found.known.facts.large is None:
            raise AssertionError("what is released has a permit, and this has large content")
        large = found.known.facts.large
        return OpenContent(
            released=released,
            purpose=purpose,
            content_type=_type_of(released.content),
            large=large,
            answer=answer,
            opener=await self._opener(answer, large),
            looked_at=self._clock.monotonic(),
        )

    async def _opener(self, answer: Answer, large: LargeFacts) -> ChunkOpener:
        if answer.permit is None or answer.permit.record is None:
            raise AssertionError("a read's permit names its record")
        key = self._keys.held(large.key_id) or await self._keys.by_id(large.key_id)
        return ChunkOpener(answer.permit, record=answer.permit.record, large=large, key=key)

    async def _leaves(self, large: LargeFacts, first: int, last: int) -> AsyncGenerator[Cid, None]:
        """The names of sealed chunks `first` to before `last`. The tree must be of the shape that the size says."""
        # Every chunk but the last is of one size, so their places are known.
        start, each = first * leaf_size(large.size, 0), leaf_size(large.size, 0)
        stop = (last - 1) * each + 1
        limits = DagLimits(content=sealed_size(large.size))
        number = first
        async for cid, size in self._blocks.leaves(Cid.from_bytes(large.root), limits=limits, start=start, stop=stop):
            if size != leaf_size(large.size, number):
                raise IntegrityError("a tree is not of the shape that its record says")
            yield cid
            number += 1
        if number != last:
            raise IntegrityError("a tree has fewer leaves than its record says")

    async def _chunk(self, content: OpenContent, number: int, cid: Cid) -> bytes:
        def opened(octets: bytes) -> bytes:
            content.opener.check(self._clock.now())
            return content.opener.open(number, octets)

        return await self._blocks.get_through(
            cid, limit=leaf_size(content.size, number), threads=self._threads, then=opened
        )

    def _of_content(self, answer: Answer) -> Answer:
        """A refusal where the record has no large content, or not all of it may be shown."""
        if answer.release is None or answer.found is None or answer.permit is None:
            return answer
        if answer.found.known.facts.large is None:
            return self._refused(answer, "no large content")
        if answer.permit.obligations:
            return self._refused(answer, "large content is not redacted")
        return answer

    def _refused(self, answer: Answer, reason: str) -> Answer:
        """In place of an answer that would release: the same decision is not enough for what was asked."""
        event = replace(
            answer.event,
            decision=self._audit.new_decision(),
            at=self._clock.now(),
            outcome=Outcome.DENIED,
            reason=reason,
            consents=(),
            digest=b"",
            basis="",
        )
        return Answer(event=event, guards=(), receipt=None, release=None, leaf=b"")

    async def _look_again(self, content: OpenContent, again: Again) -> None:
        record, purpose = content.released.record, content.purpose
        caller = await again()
        if caller is None:
            raise UnauthenticatedError("the session is over")
        # Of this very moment: no entry of the ledger compares what goes on.
        caller = await self._identity.current(caller)
        await self._standings.current(content.released.subject)
        answer = self._of_content(await self._reading.consider(caller, record, purpose=purpose))
        if answer.found is not None and answer.found.known.facts.large != content.large:
            answer = self._refused(answer, "other content stands there now")
        if answer.release is None:
            await self._audit.append(answer.event)
            raise DeniedError(answer.event.reason, decision_id=answer.event.decision)
        content.opener = await self._opener(answer, content.large)
        content.looked_at = self._clock.monotonic()


def _type_of(content: bytes) -> str:
    value = jsontext.loads(content)
    named = value.get("contentType") if isinstance(value, dict) else None
    try:
        return checked_type(str(named))
    except ConsentryError:
        return "application/octet-stream"
