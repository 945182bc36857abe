"""Whoever's session ended is out within a moment on every replica, though every hint of it was lost.

What the ledger guards is refused at once in any case: ending a session moves its actor's version. This room is for the
rest: answers that no guard stands behind, and sockets that wait. One name's version moves whenever a session ends
(`ENDINGS`), another's whenever a linked identity does; both are looked at while anybody is kept here or waits. Not done
here: ending them.
"""

import asyncio
import contextlib

from gateway.errors import ConsentryError
from gateway.identity.callers import Callers, digest_of
from gateway.identity.versions import ENDINGS, LINK_ENDINGS
from gateway.ports.index import Index

LOOK_SECONDS = 0.25
_NOTHING = -1
TOPIC = "sessions"
"""Of the bus: some session ended. Nothing is said of whose."""


class Vigil:
    """A duty of the gateway. `wake` looks at once."""

    def __init__(self, *, index: Index, callers: Callers) -> None:
        self._index = index
        self._callers = callers
        self._waiting: dict[bytes, set[asyncio.Event]] = {}
        self._moving: set[asyncio.Event] = set()
        self._woken = asyncio.Event()
        self._seen = _NOTHING
        self._seen_links = _NOTHING
        self._asked = 0

    @property
    def trouble(self) -> str | None:
        """A database that does not answer is asked again; others tell of it."""
        return None

    def wake(self) -> None:
        self._woken.set()

    async def ended(self, token: str) -> None:
        """Returns once the token is no session's any more, because it was ended or gave way to another."""
        digest, over = digest_of(token), asyncio.Event()
        self._waiting.setdefault(digest, set()).add(over)
        self._asked += 1  # what ended before this began is found by the next look
        self._seen = _NOTHING
        try:
            await over.wait()
        finally:
            waiting = self._waiting[digest]
            waiting.discard(over)
            if not waiting:
                del self._waiting[digest]

    def moving(self) -> asyncio.Event:
        """Is set once, when some linked identity has ended: whose, is for the waiting to find out."""
        event = asyncio.Event()
        self._moving.add(event)
        return event

    def forget(self, event: asyncio.Event) -> None:
        self._moving.discard(event)

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            with contextlib.suppress(ConsentryError):
                await self.look()

    async def look(self) -> None:
        """Asks whether any session ended since the last look, and if so, which of those that are kept or waited for;
        and the same of linked identities, whose tokens are all looked at anew."""
        if not self._waiting and not self._moving and self._callers.empty:
            self._seen = self._seen_links = _NOTHING
            return
        asked = self._asked
        versions = await self._index.versions_of((ENDINGS, LINK_ENDINGS))
        if versions[LINK_ENDINGS] != self._seen_links:
            self._callers.forget_bearers()
            for event in self._moving:
                event.set()
            self._moving.clear()
            self._seen_links = versions[LINK_ENDINGS]
        if versions[ENDINGS] != self._seen:
            await self._compare()
            # Last: where the question failed, or somebody waits who was not asked about, it is asked again.
            self._seen = versions[ENDINGS] if asked == self._asked else _NOTHING

    async def _compare(self) -> None:
        self._callers.forget_tokens(())  # what is being loaded just now is not kept
        held = {*self._callers.kept_tokens(), *self._waiting}
        gone = held - await self._index.standing_tokens(sorted(held))
        self._callers.forget_tokens(gone)
        for digest in gone:
            for over in self._waiting.get(digest, ()):
                over.set()
