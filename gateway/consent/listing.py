"""Who is named by which consents, and whose guardian one is, found without an id: each actor's list, place by place.

A place is a token under the actor's own key, numbered from 0, so a thief of the index sees neither whose list a row is
in nor that two rows are of one; the last place is found by looking, not kept, because a count that moves would tell.
A list is a hint: it is made of what was signed, by whoever of all replicas is first, and decides nothing. Places are
never given up: an erasure empties them.

Not listed: denies, which are told by refusals alone. A permit names somebody; what does not is in no list.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway import eip712, jsontext
from gateway.consent import guardianship, messages
from gateway.consent.model import ANYONE, Effect, Terms
from gateway.errors import CallerError, ConflictError, ConsentryError, IntegrityError, UpstreamError
from gateway.ids import ActorId
from gateway.ports.documents import Documents, PaperKind
from gateway.ports.index import Index
from gateway.ports.listings import ConsentListed, ListingRow, PaperListed
from gateway.ports.rows import ConsentRow, PaperRow
from gateway.ports.sealing import ActorSealing, SealingKeys

CONSENTS: Final = b"list/consents"
GUARDED: Final = b"list/guarded"
TRIES: Final = 8
LOOK_SECONDS: Final = 1.0
_FILLING: Final = b"list/filling"
_DOUBLINGS: Final = 32
_PROBES: Final = 64
_MOST: Final = 64


class Listings:
    """See the module. `run` lists what nobody listed yet: what was there before there were lists, after a fire, and
    what a gateway that died had left."""

    def __init__(
        self,
        *,
        index: Index,
        documents: Documents,
        sealing: ActorSealing,
        keys: SealingKeys,
        domain: Mapping[str, Any],
    ) -> None:
        self._index = index
        self._documents = documents
        self._sealing = sealing
        self._keys = keys
        self._domain = domain
        self.trouble: str | None = None
        """Why something is in no list yet, in words for an operator; None where nothing is in the way."""

    # ---- looking

    async def count(self, actor: ActorId, use: bytes) -> int:
        """Places of an actor's list: the number of the first that is free."""
        low, high = -1, 1 << _DOUBLINGS
        probes: Sequence[int] = [(1 << power) - 1 for power in range(_DOUBLINGS)]
        while probes:
            taken = await self._at(actor, use, probes)
            low = max([low, *taken])
            high = min([high, *(number for number in probes if number > low)])
            step = max(1, (high - low) // _PROBES)
            probes = range(low + step, high, step)
        return low + 1

    async def places(self, actor: ActorId, use: bytes, numbers: Sequence[int]) -> Mapping[int, ListingRow]:
        """What stands at these places; not those that an erasure emptied."""
        return {number: row for number, row in (await self._at(actor, use, numbers)).items() if row.subject}

    async def _at(self, actor: ActorId, use: bytes, numbers: Sequence[int]) -> dict[int, ListingRow]:
        tokens = await self._sealing.places(actor, use, numbers)
        found = await self._index.listings(tokens)
        return {number: found[token] for number, token in zip(numbers, tokens, strict=False) if token in found}

    # ---- listing

    async def add_consent(self, row: ConsentRow, terms: Terms) -> None:
        """Puts a consent into the list of whom it names. What is listed already is success."""
        grantee = terms.scope.grantee
        named = terms.effect is Effect.PERMIT and grantee != ANYONE
        await self._add(row, (grantee,) if named else (), CONSENTS, name=row.consent)

    async def _add_paper(self, row: PaperRow) -> None:
        """Puts guardians' paper into the list of each; as many places for few of them as for many."""
        paper = await self._documents.paper(row.subject, row.digest)
        if paper.kind is not PaperKind.GUARDIANS:
            return await self._add(row, (), GUARDED, name=row.name)
        actors = [one.actor for one in guardianship.read_paper(paper, row.name).guardians]
        return await self._add(row, actors, GUARDED, name=row.name, filled=guardianship.MOST_GUARDIANS)

    async def _add(
        self, row: ConsentRow | PaperRow, actors: Sequence[ActorId], use: bytes, *, name: bytes, filled: int = 0
    ) -> None:
        for _ in range(TRIES):
            own = [token for actor in dict.fromkeys(actors) for token in await self._next(actor, use)]
            filling = [self._keys.mark(_FILLING, row.subject, name, bytes([at])) for at in range(len(own), filled)]
            made = [ListingRow(token=token, subject=row.subject, name=name) for token in sorted([*own, *filling])]
            with contextlib.suppress(ConflictError):
                # Commit point: before it nothing is listed and somebody comes again; after it all places are taken.
                return await self._index.apply((_listed(row), *made))
            if not await self._index.listings(own):
                return None  # listed by another replica meanwhile, or erased
        raise UpstreamError("the places of a list keep being taken")

    async def _next(self, actor: ActorId, use: bytes) -> tuple[bytes, ...]:
        """The token of the first free place; none for an actor whose key was destroyed."""
        try:
            await self._sealing.places(actor, use, (0,), make=True)
        except IntegrityError:
            return ()
        return await self._sealing.places(actor, use, (await self.count(actor, use),))

    # ---- what nobody listed yet

    async def run(self) -> None:
        """For ever."""
        while True:
            self.trouble = None
            try:
                await self.catch_up()
            except ConsentryError as error:
                self.trouble = f"consents wait to be listed ({error.code})"
            await asyncio.sleep(LOOK_SECONDS)

    async def catch_up(self) -> None:
        """All that waits, in the order of its arrival; what cannot be fetched now hinders nothing behind it. Raises
        the last that was in the way."""
        trouble: ConsentryError | None = None
        seq = -1
        while rows := await self._index.unlisted_consents(after=seq, limit=_MOST):
            for number, row in rows:
                trouble = await self._tried(row) or trouble
                seq = number
        after = (b"", b"")
        while papers := await self._index.unlisted_papers(after=after, limit=_MOST):
            for paper in papers:
                trouble = await self._tried(paper) or trouble
                after = (paper.subject, paper.name)
        if trouble is not None:
            raise trouble

    async def _tried(self, row: ConsentRow | PaperRow) -> ConsentryError | None:
        try:
            await (self._add_paper(row) if isinstance(row, PaperRow) else self._add_opened(row))
        except UpstreamError as error:
            return error
        except (IntegrityError, CallerError):
            # What is not what its row says is in nobody's list, and never will be.
            with contextlib.suppress(ConflictError):
                await self._index.apply((_listed(row),))
        return None

    async def _add_opened(self, row: ConsentRow) -> None:
        document = await self._documents.signed(row.subject, row.digest)
        full: Any = jsontext.loads(document.typed_data)
        terms = messages.read_consent(full, self._domain)
        if eip712.digest(messages.consent_typed_data(terms, self._domain)) != row.consent:
            raise IntegrityError("a sealed consent is not the one that its row names")
        await self.add_consent(row, terms)


def _listed(row: ConsentRow | PaperRow) -> ConsentListed | PaperListed:
    if isinstance(row, PaperRow):
        return PaperListed(subject=row.subject, name=row.name)
    return ConsentListed(consent=row.consent)
