"""Follows the chain's head and indexes the registries' events, block by block, each block once.

True here: events, cursor and the versions of the names they touch move in one transaction; what is indexed joins, by
parent hashes, to what was indexed before; several replicas may follow with one cursor. On a reorganization widening
events go and narrowing ones stay, marked, until their absence is final. A reorganization past finality, another chain
id or another genesis block halts the follower for good (`halted`): its head then grows old, and readers deny.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from anchoring.chain.client import ChainClient, answered, block_ref
from anchoring.chain.profile import ChainProfile
from anchoring.chain.provenance import Provenance
from anchoring.chain.registries import Registries
from anchoring.errors import AnchoringError, ChainHalted, ChainUnavailable, CursorMoved
from anchoring.indexer import Forked, TooDeep, common_ancestor, link, undo
from anchoring.model import (
    ActorState,
    BlockRef,
    CallState,
    Event,
    Head,
    Landed,
    Outcome,
    Reverted,
    Underway,
)
from anchoring.ports import CallStore, Clock, EventStore, OnEvents

CHUNK: Final = 500
"""Blocks per step at most."""
PROMPT_SECONDS: Final = 1.5
"""A node that takes longer over its newest block is not waited for."""
PATIENCE_SECONDS: Final = 2.0
"""How long a node that was prompt may be mute before nobody waits for it any more."""
QUIET_SECONDS: Final = 0.5
"""How long a node of which something else tells that it has no newer block is not asked again."""
IDENTITY_SECONDS: Final = 30.0
"""How often chain id and genesis are compared, besides at start, after silence and at each fork."""


class Follower:
    """Run it with `run`, end it with `stop`. `first_block`: the deployment's; earlier blocks hold nothing of ours."""

    def __init__(
        self,
        *,
        client: ChainClient,
        registries: Registries,
        events: EventStore,
        calls: CallStore,
        profile: ChainProfile,
        clock: Clock,
        chain_id: int,
        genesis: bytes,
        first_block: int,
        on_events: OnEvents = lambda events: None,
        news: Callable[[], int | None] = lambda: None,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        """`news`: a number that moves when the node has a new block, and before anybody is told of that block; None
        where it is not known: then the node itself is asked at each look. `quiet`: seconds after which it is asked
        whatever `news` says."""
        self._client = client
        self._registries = registries
        self._provenance = Provenance(registries, client, finality=profile.finality)
        self._events = events
        self._calls = calls
        self._profile = profile
        self._clock = clock
        self._chain_id = chain_id
        self._genesis = genesis
        self._first_block = first_block
        self._on_events = on_events
        self._news = news
        self._quiet = quiet
        self._at: BlockRef | None = None
        self._latest = 0
        self._heard_at = float("-inf")
        self._prompt_at = clock.monotonic()  # a node that was not asked yet is given its moment
        self._identified_at = float("-inf")
        self._behind_since: float | None = None
        self._orphans_at = -1
        self._waiters = 0
        self._look = asyncio.Event()
        self._changed = asyncio.Event()
        self._stopping = False
        self.trouble: str | None = None
        """Why the index does not move, in words for an operator; None while all is well."""
        self.halted: ChainHalted | None = None
        """Set once, by what no program may undo."""

    def head(self) -> Head:
        """What the index stands on; no I/O. Before the first step: block 0, heard of never."""
        if self._at is None:
            return Head(number=0, hash=bytes(32), timestamp=0, lag=self._latest, heard_at=float("-inf"))
        lag = max(0, self._latest - self._at.number)
        heard_at = float("-inf") if self.halted else self._heard_at
        return Head(
            number=self._at.number, hash=self._at.hash, timestamp=self._at.timestamp, lag=lag, heard_at=heard_at
        )

    @property
    def prompt(self) -> bool:
        """Whether the node answers, and soon: asking it, or waiting for it, is worth a caller's time. No I/O."""
        quiet = self._clock.monotonic() - self._prompt_at
        return quiet <= self._profile.idle_poll + PATIENCE_SECONDS and self.halted is None

    def wake(self) -> None:
        """Looks at the chain now; no I/O here."""
        self._look.set()

    def notice(self) -> None:
        """Says that the fate of a call is known now, or its block is there; no I/O."""
        self._look.set()
        self._announce(())

    def stop(self) -> None:
        """Ends `run` after the step that is under way."""
        self._stopping = True
        self._look.set()

    async def run(self) -> None:
        """Steps until `stop` or a halt. An unreachable chain or database is tried again."""
        while not self._stopping and self.halted is None:
            self._look.clear()
            moved = False
            news = self._news()  # before the node is asked: what comes in between is news again
            try:
                moved = await self.step()
                self.trouble = None
            except AnchoringError as e:
                self.trouble, news = str(e), None
            if not moved:
                await self._rest(news)

    async def _rest(self, news: int | None) -> None:
        """Until the next look: when it is told to, or the node has other news than `news`, or enough time went by."""
        until = self._clock.monotonic() + self._quiet
        while not self._look.is_set():
            with contextlib.suppress(TimeoutError):
                pause = self._profile.busy_poll if self._waiters else self._profile.idle_poll
                await asyncio.wait_for(self._look.wait(), pause)
            if news is None or self._news() != news or self._clock.monotonic() >= until:
                return

    async def step(self) -> bool:
        """One look at the chain; True if the index moved. Raises AnchoringError; ChainHalted for good."""
        if self.halted is not None:
            raise self.halted
        try:
            return await self._step()
        except CursorMoved:
            return True  # another replica did this block: take what it wrote, next time
        except ChainHalted as e:
            self.halted = e
            self._announce(())
            raise

    async def _step(self) -> bool:
        stored = await self._catch_up()
        await self._identify(after_silence=self._clock.monotonic() - self._heard_at > IDENTITY_SECONDS)
        asked_at = self._clock.monotonic()
        latest = await self._client.block("latest")
        if latest is None:
            raise ChainUnavailable("the node has no newest block")
        self._heard_at, self._latest = self._clock.monotonic(), latest.number
        if self._heard_at - asked_at <= PROMPT_SECONDS:
            self._prompt_at = self._heard_at
        if stored is not None and latest.hash == stored.hash:
            return await self._drop_orphans(latest.number)
        if stored is not None and latest.parent != stored.hash and not await self._is_canonical(stored):
            await self._wait_if_behind(stored, latest)
            await self._rewind(stored, latest)
            return True
        self._behind_since = None
        first = self._first_block if stored is None else stored.number + 1
        if latest.number < first:
            return False
        await self._index(stored, first=first, last=min(latest.number, first + CHUNK - 1), latest=latest.number)
        return True

    async def _catch_up(self) -> BlockRef | None:
        """Where the shared cursor stands; what another replica indexed since is announced here too."""
        stored = await self._events.cursor()
        if stored is not None and (self._at is None or stored.hash != self._at.hash):
            since = self._at
            self._at = stored
            if since is not None:
                self._announce(await self._events.above(min(since.number, stored.number - 1), upto=stored.number))
        return stored

    async def _identify(self, *, after_silence: bool = True) -> None:
        """Raises ChainHalted if this is not the chain that this data belongs to."""
        if not after_silence and self._clock.monotonic() - self._identified_at < IDENTITY_SECONDS:
            return
        chain_id, genesis = await self._client.chain_id(), await self._client.block(0)
        if chain_id != self._chain_id:
            raise ChainHalted(f"the node serves chain {chain_id}; this data belongs to chain {self._chain_id}")
        if genesis is None or genesis.hash != self._genesis:
            raise ChainHalted("the node serves a chain with another genesis block than this data belongs to")
        self._identified_at = self._clock.monotonic()

    async def _is_canonical(self, block: BlockRef) -> bool:
        now = await self._client.block(block.number)
        return now is not None and now.hash == block.hash

    async def _wait_if_behind(self, stored: BlockRef, latest: BlockRef) -> None:
        """A node whose head is an ancestor of ours may only be late: it gets a moment before that counts as a fork."""
        if latest.hash not in {block.hash for block in await self._events.known(limit=self._profile.window + 1)}:
            return
        now = self._clock.monotonic()
        self._behind_since = now if self._behind_since is None else self._behind_since
        if now - self._behind_since < max(1.0, 2 * self._profile.block_period):
            raise ChainUnavailable(f"the node is at block {latest.number}; block {stored.number} was seen before")

    # Forwards

    async def _index(self, stored: BlockRef | None, *, first: int, last: int, latest: int) -> None:
        """Headers that can still leave the chain are fetched one by one and must join; of older blocks the last."""
        keep_from = latest - self._profile.window
        numbers = [number for number in range(first, last + 1) if number >= keep_from or number == last]
        answers = await self._client.batch(
            [
                ("eth_getLogs", (self._registries.log_filter(first=first, last=last),)),
                *(("eth_getBlockByNumber", (hex(number), False)) for number in numbers),
            ]
        )
        logs, *headers = answered(answers)
        blocks = [block for one in headers if (block := block_ref(one)) is not None]
        joined = stored if stored is not None and numbers[0] == stored.number + 1 else None
        contiguous = [block for block in blocks if block.number >= keep_from or len(blocks) == 1]
        if len(blocks) != len(numbers) or isinstance(link(joined, contiguous), Forked):
            raise ChainUnavailable("the chain changed while it was read")
        events = self._registries.events(logs)
        hashes = {block.number: block.hash for block in blocks}
        if any(hashes.get(event.block_number, event.block_hash) != event.block_hash for event in events):
            raise ChainUnavailable("the chain changed while it was read")
        await self._events.advance(expected=stored, blocks=blocks, events=events, keep_from=min(keep_from, last))
        self._at = blocks[-1]
        self._announce(events)

    async def _drop_orphans(self, head: int) -> bool:
        if head == self._orphans_at:
            return False
        self._orphans_at = head
        gone = await self._events.forget_orphans(upto=head - self._profile.finality)
        if gone:
            self._announce(gone)
        return False

    # Backwards

    async def _rewind(self, stored: BlockRef, latest: BlockRef) -> None:
        await self._identify()
        known = await self._events.known(limit=self._profile.window + 1)
        canonical = {
            block.number: block.hash
            for block in await self._client.blocks([block.number for block in known])
            if block is not None
        }
        found = common_ancestor(known, canonical, finality=self._profile.finality)
        if isinstance(found, TooDeep):
            raise ChainHalted(
                f"block {stored.number} left the chain, past the {self._profile.finality} blocks that its profile"
                f" {self._profile.name!r} calls final; restore the chain's data, or rebuild the index on purpose"
            )
        lost = await self._events.above(found.ancestor.number)
        undone = undo(lost)
        await self._events.rewind(expected=stored, ancestor=found.ancestor, head=latest.number, undo=undone)
        self._at = found.ancestor
        self._announce(lost)

    def _announce(self, events: Sequence[Event]) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if events:
            self._on_events(events)

    # Waiting, and reads at the indexed block

    async def outcome(self, call: bytes, *, timeout: float, confirmed: bool = False) -> Outcome:
        """Waits up to `timeout` seconds until the call has landed and is indexed here, with `confirmed` also until the
        profile's confirmations are on top. Underway at once where the node is not prompt. Raises StoreUnavailable."""
        deadline = self._clock.monotonic() + timeout
        self._waiters += 1
        try:
            while True:
                changed = self._changed
                outcome = await self._fate(call, confirmed=confirmed)
                left = deadline - self._clock.monotonic()
                if not isinstance(outcome, Underway) or left <= 0 or not self.prompt:
                    return outcome
                self.wake()
                # Not wait_for: on Python 3.11 it forgets that it was cancelled where a change comes with it.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, self._profile.busy_poll)):
                        await changed.wait()
        finally:
            self._waiters -= 1

    async def _fate(self, call: bytes, *, confirmed: bool) -> Outcome:
        fate = await self._calls.fate(call)
        if fate is None:
            return Underway()
        if fate.state is CallState.REVERTED:
            return Reverted(error=fate.error or "")
        if fate.state is CallState.LANDED and fate.indexed and fate.transaction and fate.block_number is not None:
            # Never before this follower stands at its block: what is asked of the chain next is asked at that block.
            on_top = (self._at.number if self._at else 0) - fate.block_number
            if on_top >= (self._profile.confirmations if confirmed else 0):
                return Landed(transaction=fate.transaction, block_number=fate.block_number)
        return Underway()

    async def subject_states(self, subjects: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
        """(epoch, seq) of each subject at the newest indexed block. Raises ChainUnavailable, ChainRefused."""
        return await self._registries.subject_states(subjects, block=self._at.number if self._at else "latest")

    async def emitted(self, events: Sequence[Event]) -> bool:
        """Whether the chain up to the newest indexed block has each of these events, and no two are one. Raises
        ChainUnavailable, ChainRefused."""
        return await self._provenance.holds(events, head=self._at.number if self._at else 0)

    async def actor(self, actor: bytes, organizations: Sequence[bytes]) -> ActorState:
        """An actor at the newest indexed block. Raises ChainUnavailable, ChainRefused."""
        return await self._provenance.actor(actor, organizations, head=self._at.number if self._at else 0)

    async def valid_signature(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        """The identity contract's verdict at the newest block. Raises ChainUnavailable, ChainRefused."""
        return await self._registries.valid_signature(signer, digest, signature, block="latest")
