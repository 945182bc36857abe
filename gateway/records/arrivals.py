"""A subscription: records as they arrive, each read anew, until nothing could be permitted any more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

from gateway.consent.model import Purpose
from gateway.consent.names import requester
from gateway.consent.standing import Standings
from gateway.consent.watching import Watching
from gateway.emergency.grounds import Grounds
from gateway.errors import DeniedError
from gateway.identity.model import Caller
from gateway.identity.service import Identity
from gateway.ids import RecordId, SubjectId
from gateway.ports.clock import Clock
from gateway.ports.index import Index
from gateway.records.model import Released
from gateway.records.reading import Reading, Sighted

OVERLAP_SECONDS = 60.0
_SCAN = 128
LOOK_SECONDS = 5.0
"""How often a subscription without arrivals asks whether its caller still is who it was."""


class Arrivals:
    """See the module."""

    def __init__(
        self,
        *,
        reading: Reading,
        identity: Identity,
        standings: Standings,
        grounds: Grounds,
        index: Index,
        watching: Watching,
        clock: Clock,
    ) -> None:
        self._reading = reading
        self._identity = identity
        self._standings = standings
        self._grounds = grounds
        self._index = index
        self._watching = watching
        self._clock = clock

    async def added(
        self, caller: Caller, subject: SubjectId, *, purpose: Purpose, since: datetime | None = None
    ) -> AsyncIterator[Released]:
        """Records as they arrive, each decided afresh; first those recorded at `since` or later. Ends when no decision
        could permit any more: at an event that says so, or at the moment when the last permit ends."""
        arrivals = self._watching.listen(subject, [name for name, _ in caller.guards])
        try:
            near = await self._standings.nearest(subject)
            if near is None or near.subject.id != subject:
                # Costs what is there costs, and is told to nobody.
                await self._concerned_for(caller, subject if near is None else near.subject.id, purpose)
                return
            if since is not None and await self._concerned_for(caller, subject, purpose) > 0.0:
                # Listening already, so what arrives meanwhile comes twice rather than not at all.
                async for released in self._missed(caller, subject, purpose, since):
                    yield released
            while (left := await self._concerned_for(caller, subject, purpose)) > 0.0:
                try:
                    # Not wait_for: on Python 3.11 it forgets that it was cancelled where an arrival comes with it.
                    async with asyncio.timeout(min(left, LOOK_SECONDS)):
                        payload = await anext(arrivals)
                except TimeoutError:
                    caller = await self._identity.refreshed(caller)
                    continue
                except StopAsyncIteration:
                    return
                # Before the caller is looked at again, which may take the chain's word: an end waits for nobody.
                if await self._concerned_for(caller, subject, purpose) <= 0.0:
                    return
                caller = await self._identity.refreshed(caller)
                kind, _, raw = payload.partition(b":")
                if kind != b"record" or len(raw) != 16:
                    continue
                row = await self._index.head(RecordId(raw))
                if row is None or row.subject != subject:
                    continue  # whoever can write into redis names another patient's
                try:
                    released = await self._reading.read(caller, RecordId(raw), purpose=purpose)
                except DeniedError:
                    continue
                yield released
        finally:
            await arrivals.aclose()

    async def _missed(
        self, caller: Caller, subject: SubjectId, purpose: Purpose, since: datetime
    ) -> AsyncIterator[Released]:
        """Present versions by the time of their recording, from OVERLAP_SECONDS before `since`: writes that run side
        by side become visible in another order, and the clocks of two replicas differ."""
        first = (since.timestamp() - OVERLAP_SECONDS) * 1000
        found: list[tuple[int, RecordId]] = []
        after, more = 0, True
        while more:
            rows = await self._index.page(subject, after=after, limit=_SCAN)
            more = len(rows) == _SCAN
            for row in rows:
                after = row.seq
                seen = await self._reading.sight(caller, row, RecordId(row.record), purpose)
                if isinstance(seen, Sighted) and seen.found.known.facts.recorded_at >= first:
                    found.append((seen.found.known.facts.recorded_at, RecordId(row.record)))
            await asyncio.sleep(0)
        looked = self._clock.monotonic()
        for _, record in sorted(found):
            if self._clock.monotonic() - looked > LOOK_SECONDS:  # whoever reads slowly may be somebody else by now
                caller, looked = await self._identity.refreshed(caller), self._clock.monotonic()
            if await self._concerned_for(caller, subject, purpose) <= 0.0:
                return
            with contextlib.suppress(DeniedError):
                yield await self._reading.read(caller, record, purpose=purpose)

    async def _concerned_for(self, caller: Caller, subject: SubjectId, purpose: Purpose) -> float:
        """Seconds for which some decision on this subject could permit the caller something; 0 or less: none now.
        Without a word to the chain: each item is decided by itself."""
        emergency = await self._grounds.emergency(caller, subject, purpose)
        standing = await self._standings.known(subject)
        if standing is None:
            return 0.0
        return self._standings.concerned_until(requester(caller), standing, emergency) - self._clock.now()
