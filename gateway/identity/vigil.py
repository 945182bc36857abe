"""Whoever's session ended is out within a moment on every replica, though every hint of it was lost.

What the ledger guards is refused at once in any case: ending a session moves its actor's version. This room is for the
rest: answers that no guard stands behind, and sockets that wait. One name's version moves whenever a session ends
(`ENDINGS`); it is looked at while anybody is kept here or waits. Not done here: ending sessions.
"""

import asyncio
import contextlib

from gateway.errors import ConsentryError
from gateway.identity.callers import Callers, digest_of
from gateway.identity.model import ENDINGS
from gateway.ports.index import Index

LOOK_SECONDS = 0.25
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
        self._seen = -1
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
        self._seen = -1
        try:
            await over.wait()
        finally:
            waiting = self._waiting[digest]
            waiting.discard(over)
            if not waiting:
                del self._waiting[digest]

    def moving(self) -> asyncio.Event:
        """Is set when some session, or something that stands for one, has ended: for whoever asks more than whether a
        token is a session's. One use; what is dropped is forgotten with the next."""
        self._asked += 1
        self._seen = -1
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
        """Asks whether any session ended since the last look, and if so, which of those that are kept or waited for."""
        if not self._waiting and not self._moving and not self._callers.kept_tokens():
            self._seen = -1
            return
        asked = self._asked
        version = (await self._index.versions_of((ENDINGS,)))[ENDINGS]
        if version == self._seen:
            return
        self._callers.forget_tokens(())  # what is being loaded just now is not kept
        held = {*self._callers.kept_tokens(), *self._waiting}
        gone = held - await self._index.standing_tokens(sorted(held))
        self._callers.forget_tokens(gone)
        for event in self._moving:
            event.set()
        self._moving.clear()
        for digest in gone:
            for over in self._waiting.get(digest, ()):
                over.set()
        # Last: where the question failed, or somebody waits who was not asked about, it is asked again.
        self._seen = version if asked == self._asked else -1
