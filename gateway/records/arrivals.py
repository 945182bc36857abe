"""A subscription: records as they arrive, each read anew, until nothing could be permitted any more."""

import asyncio
from collections.abc import AsyncIterator

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
from gateway.records.reading import Reading

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

    async def added(self, caller: Caller, subject: SubjectId, *, purpose: Purpose) -> AsyncIterator[Released]:
        """Records as they arrive, each decided afresh. Ends when no decision could permit any more: at an event that
        says so, or at the moment when the last permit ends."""
        arrivals = self._watching.listen(subject, [name for name, _ in caller.guards])
        try:
            near = await self._standings.nearest(subject)
            if near is None or near.subject.id != subject:
                # Costs what is there costs, and is told to nobody.
                await self._concerned_for(caller, subject if near is None else near.subject.id, purpose)
                return
            while (left := await self._concerned_for(caller, subject, purpose)) > 0.0:
                try:
                    # Not wait_for: on Python 3.11 it forgets that it was cancelled where an arrival comes with it.
                    async with asyncio.timeout(min(left, LOOK_SECONDS)):
                        payload = await anext(arrivals)
                except TimeoutError:
                    caller = await self._identity.current(caller)
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

    async def _concerned_for(self, caller: Caller, subject: SubjectId, purpose: Purpose) -> float:
        """Seconds for which some decision on this subject could permit the caller something; 0 or less: none now.
        Without a word to the chain: each item is decided by itself."""
        emergency = await self._grounds.emergency(caller, subject, purpose)
        standing = await self._standings.known(subject)
        if standing is None:
            return 0.0
        return self._standings.concerned_until(requester(caller), standing, emergency) - self._clock.now()
