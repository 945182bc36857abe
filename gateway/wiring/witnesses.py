"""`gateway.ports.chain.Chain` over several nodes: an answer is one only if all of them give it.

The blocks' hashes and the registries' logs are compared by each witness at its own pace; here, every answer that a
decision stands on. What differs is asked once more, because between two questions a block may have come. Which way a
difference points is not judged: nothing is permitted on it. Narrowing does not wait for any of this.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from anchoring.chain.client import ChainClient
from anchoring.chain.registries import Registries
from anchoring.chain.witness import Bounds, Origin, Witness
from anchoring.errors import ChainRefused, ChainUnavailable
from anchoring.model import Event
from gateway.errors import SettingsError, StaleError, UpstreamError
from gateway.ports import chain as port
from gateway.ports.clock import Clock
from gateway.ports.rows import EventRow
from gateway.settings import Settings
from gateway.wiring.chain import QUESTION_SECONDS, ChainParts, ChainPort, actor_on_chain, event_of, translated

T = TypeVar("T")
SECOND_TIME_SECONDS = 0.25
"""Until a question that was answered in two ways is asked again."""


class WitnessedChainPort(ChainPort):
    """`gateway.ports.chain.Chain` over the parts and their witnesses."""

    def __init__(self, parts: ChainParts, witnesses: Sequence[Witness]) -> None:
        super().__init__(parts)
        self._witnesses = tuple(witnesses)

    def head(self) -> port.Head:
        doubts = (witness.doubt() for witness in self._witnesses)
        return replace(super().head(), doubt=next((doubt for doubt in doubts if doubt is not None), None))

    async def subject_states(self, subjects: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
        node = super().subject_states
        return await self._alike(
            lambda: node(subjects), lambda witness, at: witness.subject_states(subjects, block=at), certain=True
        )

    async def emitted(self, events: Sequence[EventRow]) -> bool:
        node, named = super().emitted, [event_of(row) for row in events]
        return await self._alike(
            lambda: node(events), lambda witness, at: witness.emitted(named, block=at), certain=True
        )

    async def actor(self, actor: bytes, organizations: Sequence[bytes]) -> port.ActorOnChain:
        node = super().actor

        async def ask(witness: Witness, at: int) -> port.ActorOnChain:
            return actor_on_chain(await witness.actor(actor, organizations, block=at))

        return await self._alike(lambda: node(actor, organizations), ask, certain=True)

    async def valid_signature(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        node = super().valid_signature
        return await self._alike(
            lambda: node(signer, digest, signature),
            lambda witness, _: witness.valid_signature(signer, digest, signature),
        )

    async def actor_of_key(self, key: bytes) -> bytes | None:
        node = super().actor_of_key
        return await self._alike(lambda: node(key), lambda witness, _: witness.actor_of_key(key))

    async def _alike(
        self,
        node: Callable[[], Awaitable[T]],
        ask: Callable[[Witness, int], Awaitable[T]],
        *,
        certain: bool = False,
    ) -> T:
        """`certain`: the answer is our own contracts' at one block, so a difference is a lie and all reads wait. What a
        stranger's contract says of a signature may differ by that stranger's will: then this one answer is none."""
        for again in (False, True):
            if again:
                await asyncio.sleep(SECOND_TIME_SECONDS)
            at = super().head().number
            mine, *theirs = await asyncio.gather(node(), *(_heard(one, ask, at) for one in self._witnesses))
            if all(one == mine for one in theirs):
                return mine
        for witness, one in zip(self._witnesses, theirs, strict=True):
            if certain and one != mine:
                witness.contradicts()
        raise UpstreamError("the chain's nodes do not agree")


async def _heard(witness: Witness, ask: Callable[[Witness, int], Awaitable[T]], at: int) -> T:
    async with _patiently(witness):
        return await ask(witness, at)


@asynccontextmanager
async def _patiently(witness: Witness) -> AsyncIterator[None]:
    if not witness.prompt:
        raise UpstreamError(f"{witness.name} does not answer in time")
    try:
        with translated():
            async with asyncio.timeout(QUESTION_SECONDS):
                yield
    except TimeoutError as error:
        raise UpstreamError(f"{witness.name} does not answer in time") from error


class Agreed:
    """The witnesses are well when none is in doubt."""

    def __init__(self, chain: ChainPort) -> None:
        self._chain = chain

    async def __call__(self) -> None:
        if (doubt := self._chain.head().doubt) is not None:
            raise StaleError(doubt)


async def witnessed(
    settings: Settings,
    parts: ChainParts,
    clock: Clock,
    on_events: Callable[[Sequence[Event]], None],
    closing: AsyncExitStack,
) -> ChainPort:
    """The port over as many nodes as the settings name; its witnesses look from now on. SettingsError for a node of
    another chain; one that does not answer yet is no hindrance, and reads wait for it."""
    urls = settings.witness_rpc_url
    if not urls:
        return ChainPort(parts)
    witnesses = [_witness(f"witness {at}", url, settings, parts, clock, on_events) for at, url in enumerate(urls, 1)]
    for witness in witnesses:
        closing.push_async_callback(witness.close)
        with contextlib.suppress(ChainUnavailable, ChainRefused):
            if (stranger := await witness.identify()) is not None:
                raise SettingsError(f"CONSENTRY_WITNESS_RPC_URL: {witness.name} {stranger}")
    closing.push_async_callback(_ended, [(one, asyncio.create_task(one.run(), name=one.name)) for one in witnesses])
    return WitnessedChainPort(parts, witnesses)


def _witness(
    name: str,
    url: str,
    settings: Settings,
    parts: ChainParts,
    clock: Clock,
    on_events: Callable[[Sequence[Event]], None],
) -> Witness:
    deployment, client = parts.deployment, ChainClient(url)
    return Witness(
        name,
        client=client,
        node=parts.client,
        follower=parts.follower,
        events=parts.events,
        registries=Registries(deployment.addresses, client),
        profile=parts.profile,
        origin=Origin(
            chain_id=deployment.chain_id,
            genesis=bytes.fromhex(deployment.genesis[2:]),
            first_block=deployment.block,
        ),
        bounds=Bounds(lag_blocks=settings.chain_lag_blocks, silence_seconds=settings.chain_silence_seconds),
        clock=clock,
        on_events=on_events,
    )


async def _ended(running: Sequence[tuple[Witness, "asyncio.Task[None]"]]) -> None:
    for witness, _ in running:
        witness.stop()
    await asyncio.wait([task for _, task in running], timeout=15)
