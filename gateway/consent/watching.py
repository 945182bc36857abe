"""Whoever listens for a subject hears of a change within a moment, though every hint of it was lost.

Hints come from the bus and may not come at all: redis is away, the chain is dead, or another replica made the change.
So while anybody listens here, the versions that the ledger compares are looked at, all in one question, and a name that
moved is told to the listeners of this process. Not done here: deciding whether somebody may go on listening.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from gateway.consent.names import topic
from gateway.errors import ConsentryError
from gateway.ids import SubjectId
from gateway.ports.bus import Bus, Subscription
from gateway.ports.index import Index

LOOK_SECONDS = 0.25
MOVED = b"consent:"
"""What is told: no consent is named, and what is kept of the subject is dropped."""


class Watching:
    """See the module."""

    def __init__(self, *, bus: Bus, index: Index) -> None:
        self._bus = bus
        self._index = index
        self._listening: dict[object, tuple[SubjectId, frozenset[bytes]]] = {}
        self._known: dict[bytes, int] = {}
        self._looking: asyncio.Task[None] | None = None

    def listen(self, subject: SubjectId, others: Sequence[bytes] = ()) -> "Watched":
        """Messages about the subject, and one whenever it, or one of the `others` (names that the ledger guards),
        moved. The first look tells once in any case."""
        key = object()
        self._listening[key] = (subject, frozenset((subject, *others)))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="watching")
        return Watched(self._bus.subscribe(topic(subject)), lambda: self._listening.pop(key, None))

    async def _look(self) -> None:
        """Ends when nobody listens any more. A database that does not answer is asked again."""
        while self._listening:
            with contextlib.suppress(ConsentryError):
                await self._compare()
            await asyncio.sleep(LOOK_SECONDS)

    async def _compare(self) -> None:
        wanted = frozenset[bytes]().union(*(names for _, names in self._listening.values()))
        found = await self._index.versions_of(sorted(wanted))
        moved = {name for name, version in found.items() if self._known.get(name) != version}
        self._known = dict(found)
        for subject in {subject for subject, names in self._listening.values() if names & moved}:
            self._bus.tell(topic(subject), MOVED)


class Watched:
    """A bus's subscription, which is no longer looked after once it is closed."""

    def __init__(self, subscription: Subscription, forget: Callable[[], object]) -> None:
        self._subscription = subscription
        self._forget = forget

    def __aiter__(self) -> "Watched":
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._subscription)

    async def aclose(self) -> None:
        self._forget()
        await self._subscription.aclose()
