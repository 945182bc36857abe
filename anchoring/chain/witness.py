"""A further node of the same chain, asked what the index stands on: what only one of two says is not believed.

A look finds the same chain id and genesis, the same hash at the newest height that both have, neither of them further
than the lag bound from the other, and the same logs of the registries for every block since the look before. What
differs is looked at once more before it counts, because two nodes do not hear of a block at one moment; then `doubt`
says so until a look finds them alike. A witness that says nothing is in doubt once its last good look is too old.

A block's hash covers its logs, but no node proves that an answer holds all of them: that is why they are compared.
Blocks from before the first look are not: of those, each answer that a decision stands on is (`subject_states`,
`emitted`, `actor`, asked here as of the node).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchoring.chain.client import ChainClient, answered, block_ref, quantity
from anchoring.chain.follower import CHUNK, IDENTITY_SECONDS, PATIENCE_SECONDS, Follower
from anchoring.chain.profile import ChainProfile
from anchoring.chain.provenance import Provenance
from anchoring.chain.registries import Registries
from anchoring.errors import AnchoringError, ChainUnavailable, CursorMoved
from anchoring.indexer import undo
from anchoring.model import ActorState, BlockRef, Event
from anchoring.ports import Clock, EventStore, OnEvents

PACE_SECONDS: Final = 0.5
"""Between two looks, at least: an idle one is one request."""
LOOK_BACK: Final = CHUNK
"""Blocks below the head whose logs the first look compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`lag_blocks`: how far apart two heads may be. `silence_seconds`: how old the last good look may be."""

    lag_blocks: int
    silence_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The chain that the data belongs to, and the first block that holds anything of ours."""

    chain_id: int
    genesis: bytes
    first_block: int


class Witness:
    """One node beside the one that is followed. `name`: for the operator; it tells nothing of the URL. Run it with
    `run`, end it with `stop` and `close`."""

    def __init__(
        self,
        name: str,
        *,
        client: ChainClient,
        node: ChainClient,
        follower: Follower,
        events: EventStore,
        registries: Registries,
        profile: ChainProfile,
        origin: Origin,
        bounds: Bounds,
        clock: Clock,
        on_events: OnEvents,
    ) -> None:
        self.name: Final = name
        self._client = client
        self._node = node
        self._follower = follower
        self._events = events
        self._registries = registries
        self._provenance = Provenance(registries, client, finality=profile.finality)
        self._profile = profile
        self._origin = origin
        self._bounds = bounds
        self._clock = clock
        self._on_events = on_events
        self._pace = min(max(PACE_SECONDS, profile.idle_poll), bounds.silence_seconds / 4)
        self._height = -1
        self._compared: BlockRef | None = None
        self._agreed_at = float("-inf")
        self._heard_at = clock.monotonic()  # one that was not asked yet is given its moment
        self._identified_at = float("-inf")
        self._contradicted_at = float("-inf")
        self._difference: str | None = None
        self._silence: str | None = None
        self._ending = asyncio.Event()

    # What is known without asking

    def doubt(self) -> str | None:
        """Why the index is not believed now, in words for an operator; None while the witness stands behind it. No
        I/O."""
        now = self._clock.monotonic()
        if self._difference is not None:
            return f"{self.name} {self._difference}"
        if now - self._contradicted_at <= self._bounds.silence_seconds:
            return f"{self.name} answers otherwise than the chain's node"
        if now - self._agreed_at > self._bounds.silence_seconds:
            return f"{self.name} has not been heard of for too long: {self._silence or 'it was not asked yet'}"
        return None

    @property
    def prompt(self) -> bool:
        """Whether it answers, so that asking it is worth a caller's time. No I/O."""
        return self._clock.monotonic() - self._heard_at <= self._pace + PATIENCE_SECONDS

    def contradicts(self) -> None:
        """Notes that it gave another answer than the node to one question, twice. In doubt for as long as silence may
        last, because looks alone may not meet what such an answer met."""
        self._contradicted_at = self._clock.monotonic()

    # Looks

    async def run(self) -> None:
        """Looks until `stop`."""
        while not self._ending.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._pace)

    def stop(self) -> None:
        """Ends `run` after the look that is under way."""
        self._ending.set()

    async def close(self) -> None:
        await self._client.close()

    async def look(self) -> None:
        """One comparison. Raises nothing of the chain's or the database's: a look without an answer changes nothing,
        and what was agreed grows old."""
        asked_at = self._clock.monotonic()
        try:
            difference = await self._differs(mending=False)
            if difference is not None:
                self._follower.wake()
                await asyncio.sleep(max(PACE_SECONDS, self._profile.idle_poll))
                difference = await self._differs(mending=True)
        except AnchoringError as error:
            self._silence = str(error)
            return
        self._difference = difference
        if difference is None:
            self._agreed_at, self._silence = asked_at, None

    async def _differs(self, *, mending: bool) -> str | None:
        """What is not alike, in words that follow the name."""
        if (stranger := await self.identify()) is not None:
            return stranger
        before = await self._cursor()
        newest, there = answered(
            await self._client.batch(
                [
                    ("eth_getBlockByNumber", ("latest", False)),
                    ("eth_getBlockByNumber", (hex(before.number), False)),
                ]
            )
        )
        latest, same_height = block_ref(newest), block_ref(there)
        if latest is None:
            raise ChainUnavailable("it has no newest block")
        self._height, self._heard_at = latest.number, self._clock.monotonic()
        if before.number - latest.number > self._bounds.lag_blocks:
            return f"is {before.number - latest.number} blocks behind the index"
        if (ahead := latest.number - (await self._cursor()).number) > self._bounds.lag_blocks:
            return f"is {ahead} blocks ahead of the index"
        place, found = (before, same_height) if same_height is not None else await self._below(latest)
        if found is None or found.hash != place.hash:
            return f"has another block {place.number} than the chain's node"
        return await self._compare_logs(place, mending=mending)

    async def identify(self) -> str | None:
        """Whether it serves another chain; asked each half minute. Raises ChainUnavailable, ChainRefused."""
        if self._clock.monotonic() - self._identified_at < IDENTITY_SECONDS:
            return None
        chain_id, genesis = await self._client.chain_id(), await self._client.block(0)
        if chain_id != self._origin.chain_id:
            return f"serves chain {chain_id}; this data belongs to chain {self._origin.chain_id}"
        if genesis is None or genesis.hash != self._origin.genesis:
            return "serves a chain with another genesis block than this data belongs to"
        self._identified_at = self._clock.monotonic()
        return None

    async def _cursor(self) -> BlockRef:
        stored = await self._events.cursor()
        if stored is None:
            raise ChainUnavailable("nothing is indexed yet")
        return stored

    async def _below(self, latest: BlockRef) -> tuple[BlockRef, BlockRef | None]:
        """The newest kept header that a witness which is a little behind could have, and what it has there."""
        known = await self._events.known(limit=self._profile.window + 1)
        place = next((block for block in known if block.number <= latest.number), None)
        if place is None:
            raise ChainUnavailable("it has no block that is known here")
        return place, await self._client.block(place.number)

    async def _compare_logs(self, place: BlockRef, *, mending: bool) -> str | None:
        """The registries' logs since the last place, and those above it that might have been on a lost fork."""
        if self._compared is not None and self._compared.hash == place.hash:
            return None
        since = place.number - LOOK_BACK if self._compared is None else min(self._compared.number, place.number)
        first = max(self._origin.first_block, since + 1 - self._profile.finality)
        while first <= place.number:
            last = min(place.number, first + CHUNK - 1)
            if not await self._same_logs(first, last, place, mending=mending):
                return f"has other logs of the registries in blocks {first} to {last}"
            first = last + 1
        self._compared = place
        return None

    async def _same_logs(self, first: int, last: int, place: BlockRef, *, mending: bool) -> bool:
        mine = await self._events.above(first - 1, upto=last)
        theirs = await self._logs(self._client, first, last)
        if mine == theirs:
            return True
        if not mending or await self._logs(self._node, first, last) != theirs:
            return False
        # Both nodes are of one mind, and the index is not: a log was left out, or invented, when it was read.
        missing = tuple(event for event in theirs if event not in mine)
        extra = tuple(event for event in mine if event not in theirs)
        with contextlib.suppress(CursorMoved):
            await self._events.mend(at=place, missing=missing, undo=undo(extra))
            self._on_events((*missing, *extra))
        return False  # the next look says whether it is whole now

    async def _logs(self, client: ChainClient, first: int, last: int) -> tuple[Event, ...]:
        return self._registries.events(
            await client.call("eth_getLogs", self._registries.log_filter(first=first, last=last))
        )

    # Answers, as the follower gives them; each raises ChainUnavailable, ChainRefused

    async def subject_states(self, subjects: Sequence[bytes], *, block: int) -> tuple[tuple[int, int], ...]:
        await self._reach(block)
        return await self._registries.subject_states(subjects, block=block)

    async def emitted(self, events: Sequence[Event], *, block: int) -> bool:
        await self._reach(block)
        return await self._provenance.holds(events, head=block)

    async def actor(self, actor: bytes, organizations: Sequence[bytes], *, block: int) -> ActorState:
        await self._reach(block)
        return await self._provenance.actor(actor, organizations, head=block)

    async def valid_signature(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        return await self._registries.valid_signature(signer, digest, signature, block="latest")

    async def actor_of_key(self, key: bytes) -> bytes | None:
        return await self._registries.actor_of_key(key)

    async def _reach(self, number: int) -> None:
        """Waits until it has the block: the caller says for how long."""
        while self._height < number:
            self._height = quantity(await self._client.call("eth_blockNumber"))
            if self._height < number:
                await asyncio.sleep(self._profile.busy_poll)
