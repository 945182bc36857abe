"""The parts that a gateway is put together from: which implementation a setting picks, and what ties them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from importlib import resources

from anchoring.chain.client import ChainClient
from anchoring.model import Event
from gateway.adapters.kubo import KuboStore
from gateway.adapters.local_bus import LocalBus
from gateway.adapters.packs import PackStore
from gateway.adapters.redis_bus import RedisBus
from gateway.consent.names import subject_of_topic, topic
from gateway.consent.standing import Standings
from gateway.crypto.keys import KeyRing
from gateway.erasure.course import ERASED, Course
from gateway.errors import UpstreamError
from gateway.identity.model import Role
from gateway.identity.service import Identity
from gateway.identity.vigil import TOPIC as SESSIONS
from gateway.ports.blocks import BlockStore
from gateway.ports.bus import Bus
from gateway.ports.clock import SystemClock
from gateway.records.facts import ResourceFacts
from gateway.records.opening import Opening
from gateway.records.rules import label, parse_rules
from gateway.settings import Settings
from gateway.trials.keeping import Studies
from gateway.wiring import chain as chain_wiring
from gateway.wiring.secrets import Secrets

FIRST_WORD_SECONDS = 30.0
"""How long a start waits for the index to stand where the chain does."""
WITNESSES_SECONDS = 3.0
"""How much longer it waits for the chain's witnesses."""


class Hints:
    """What another replica says of a subject: its consents changed, and the next decision here gathers anew at once; or
    it was erased, and nothing of it is kept, its keys least of all. A lost hint costs a retry or a second, never a
    release: the ledger's guards and the key store's revision say the same."""

    def __init__(
        self,
        *,
        standings: Standings,
        opening: Opening,
        identity: Identity,
        keys: KeyRing,
        course: Course,
        studies: Studies,
    ) -> None:
        self._standings = standings
        self._opening = opening
        self._identity = identity
        self._keys = keys
        self._course = course
        self._studies = studies

    def __call__(self, topic: str, message: bytes) -> None:
        if topic == SESSIONS:
            self._identity.vigil.wake()
        name = subject_of_topic(topic)
        if name is not None and message.startswith(b"consent:"):
            self._standings.forget(name)
        elif name is not None and message.startswith(ERASED):
            self.erased(name)
            self._identity.forget(message.removeprefix(ERASED))

    def erased(self, subject: bytes) -> None:
        self._standings.forget_terms(subject)
        self._opening.forget(subject)
        self._studies.forget_subject(subject)
        self._keys.forget(subject)
        self._course.wake()


class Fresh:
    """The chain is well when decisions may stand on it."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    async def __call__(self) -> None:
        self._standings.as_of()


class Listener:
    """Drops what was kept of every name that an event touches, and tells whoever listens."""

    def __init__(
        self,
        *,
        identity: Identity,
        standings: Standings,
        bus: Bus,
        hints: Hints,
        notice: Callable[[str, bytes], None],
    ) -> None:
        self._notice = notice
        self._hints = hints
        self._identity = identity
        self._standings = standings
        self._bus = bus
        self._telling: set[asyncio.Task[None]] = set()

    def __call__(self, events: Sequence[Event]) -> None:
        for event in events:
            for key in event.keys:
                self._standings.forget(key)
                self._identity.forget(key)
            if event.name == "SubjectErased":
                self._hints.erased(event.keys[0])
            if event.contract == "ConsentRegistry" and event.keys:
                self._notice(event.name, event.keys[0])
                consent = event.keys[1] if len(event.keys) > 1 else b""
                task = asyncio.create_task(self._bus.publish(topic(event.keys[0]), b"consent:" + consent))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)


async def block_store(settings: Settings) -> BlockStore:
    if settings.ipfs_url:
        return await KuboStore.open(settings.ipfs_url, allow_public=settings.ipfs_allow_public)
    return await asyncio.to_thread(PackStore.open, settings.data_dir / "blocks")


async def chain_client(settings: Settings, secrets: Secrets, closing: AsyncExitStack) -> tuple[ChainClient, str]:
    if settings.chain_url:
        return ChainClient(settings.chain_url), settings.chain_url
    starting = asyncio.create_task(asyncio.to_thread(chain_wiring.start_embedded, settings, secrets))
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:  # told to stop meanwhile: a child that is not known yet is nobody's to end
        await asyncio.to_thread((await starting).stop)
        raise

    async def stop() -> None:
        await asyncio.to_thread(process.stop)

    closing.push_async_callback(stop)
    return ChainClient(process.url), process.url


def open_bus(settings: Settings, clock: SystemClock) -> LocalBus | RedisBus:
    if not settings.redis_url:
        return LocalBus(clock)
    bus = RedisBus(settings.redis_url, clock)
    bus.start()
    return bus


def labelling() -> Callable[[ResourceFacts], frozenset[str]]:
    text = resources.files("gateway.records").joinpath("labelling.toml").read_text()
    rules = parse_rules(text)
    return lambda facts: label(facts, rules)


async def first_word(standings: Standings) -> None:
    """Waits until the index stands where the chain does, and a moment for its witnesses: without their word reads are
    denied, and revocations must be heard. StaleError when it does not in time."""
    waited = 0.0
    async with asyncio.timeout(FIRST_WORD_SECONDS):
        while standings.trouble() is not None and not (standings.indexed() and waited > WITNESSES_SECONDS):
            waited += 0.05 if standings.indexed() else 0.0
            await asyncio.sleep(0.05)


async def found_registrars(chain: chain_wiring.ChainPort, identity: Identity, secrets: Secrets) -> None:
    """Registrars are named by the settings; the first start puts them on chain as actors."""
    for address in secrets.registrars:
        key = bytes.fromhex(address[2:])
        if await chain.actor_of_key(key) is not None:
            continue
        try:
            await identity.found_actor(None, key=key, roles=frozenset({Role.REGISTRAR}), name="Registrar")
        except UpstreamError as error:
            raise UpstreamError(
                "the registrar is not on chain in time: with CONSENTRY_WORKER=outside, start `consentry worker` too"
            ) from error
