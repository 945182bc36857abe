"""A whole gateway from its settings: opened in order, each part on the one before; closed in the reverse order.

Whatever is missing is made on the first start. What does not fit (another chain, a wrong passphrase, a public IPFS
node) stops the start with a SettingsError that says what to do.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack

import structlog

from anchoring.chain.abi import ANCHOR, CONSENT, EMERGENCY, IDENTITY
from anchoring.model import Event
from gateway.adapters.fhir_validator import FhirValidator
from gateway.adapters.notary import keyfile as receipt_keyfile
from gateway.adapters.notary.client import NotaryLedger, NotarySettings
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.migrations import migrate
from gateway.audit.service import Audit
from gateway.consent.freshness import Freshness
from gateway.consent.standing import Standings
from gateway.crypto.audit_keys import AuditKeys
from gateway.crypto.keys import KeyRing
from gateway.emergency.service import Emergencies
from gateway.erasure.service import Erasures
from gateway.errors import ConsentryError
from gateway.identity.service import Identity, SignInTerms
from gateway.identity.verdicts import RelyingParties
from gateway.ports.bus import Bus
from gateway.ports.clock import SystemClock, SystemEntropy
from gateway.records.opening import Opening
from gateway.records.service import Records
from gateway.settings import Settings, host_of
from gateway.storage.documents import SealedDocuments
from gateway.storage.pinning import Pinning
from gateway.storage.segments import Segments
from gateway.storage.service import Blocks
from gateway.web.options import WebOptions
from gateway.wiring import chain as chain_wiring
from gateway.wiring.anchors import AnchorsPort
from gateway.wiring.consents import ConsentRooms, make_consents
from gateway.wiring.control import Control, make_control
from gateway.wiring.corridors import make_corridors
from gateway.wiring.duties import Duties
from gateway.wiring.erasing import make_erasures
from gateway.wiring.keyring import Waiting, nobody_asks, open_keys, unlocked
from gateway.wiring.parts import (
    Fresh,
    Hints,
    Listener,
    block_store,
    chain_client,
    first_word,
    found_registrars,
    open_bus,
)
from gateway.wiring.secrets import Secrets, secrets_of
from gateway.wiring.upkeep import refuse_unfinished
from gateway.wiring.witnesses import Agreed, witnessed


class Gateway:
    """`gateway.asgi.Wired`. Made by `open_gateway`, ended by `close`."""

    def __init__(
        self,
        *,
        settings: Settings,
        secrets: Secrets,
        identity: Identity,
        rooms: ConsentRooms,
        control: Control,
        records: Records,
        erasures: Erasures,
        emergencies: Emergencies,
        standings: Standings,
        keys: KeyRing,
        blocks: Blocks,
        bus: Bus,
        chain: chain_wiring.ChainParts,
        chain_url: str,
        checks: Mapping[str, Callable[[], Awaitable[None]]],
        closing: AsyncExitStack,
    ) -> None:
        self.settings = settings
        self.secrets = secrets
        self.identity = identity
        self.consents = rooms.consents
        self.shown_consents = rooms.shown
        self.credentials = rooms.credentials
        self.delegates = rooms.delegates
        self.audit = rooms.access_log
        self.guardianships = control.guardianships
        self.recoveries = control.recoveries
        self.handover = control.handover
        self.records = records
        self.erasures = erasures
        self.emergencies = emergencies
        self.blocks = blocks
        self.bus: Bus | None = bus
        self.chain = chain
        self.chain_url = chain_url
        self.duties = Duties()
        self._standings = standings
        self._keys = keys
        self._checks = checks
        self._closing = closing
        self._log = structlog.get_logger("gateway")

    @property
    def options(self) -> WebOptions:
        settings = self.settings
        return WebOptions(
            max_body_bytes=settings.max_body_mib * 1024 * 1024,
            console=settings.console,
            introspection=settings.introspection,
            cors_origins=settings.cors_origins,
            socket_origins=settings.cors_origins,
            rate=settings.request_rate or None,
            burst=settings.request_burst,
            answer_seconds=settings.answer_seconds,
            most_underway=settings.most_underway,
        )

    @property
    def deployment_facts(self) -> dict[str, object]:
        """What a client needs to check the gateway without it."""
        found = self.chain.deployment
        return {
            "chainId": found.chain_id,
            "genesis": found.genesis,
            "rpc": None if self.settings.chain_url else self.chain_url,
            "gateway": found.gateway,
            "contracts": {
                "identity": found.identity_registry,
                "consent": found.consent_registry,
                "anchor": found.anchor_registry,
                "emergency": found.emergency_registry,
            },
            "codes": {
                "identity": found.codes[IDENTITY],
                "consent": found.codes[CONSENT],
                "anchor": found.codes[ANCHOR],
                "emergency": found.codes[EMERGENCY],
            },
        }

    async def counts(self) -> Mapping[str, int]:
        """Bare numbers for operators; none where they cannot be told now."""
        with contextlib.suppress(ConsentryError):
            return {"emergenciesOverdue": await self.emergencies.overdue()}
        return {}

    async def readiness(self) -> Mapping[str, str]:
        """Each part that answers need: "ok", or a kind of error."""
        names = list(self._checks)
        answers = await asyncio.gather(*(self._state(self._checks[name]) for name in names))
        return dict(zip(names, answers, strict=True))

    async def _state(self, check: Callable[[], Awaitable[None]]) -> str:
        try:
            async with asyncio.timeout(3):
                await check()
        except ConsentryError as error:
            return error.code
        except TimeoutError:
            return "UNAVAILABLE"
        return "ok"

    async def start(self) -> None:
        """The parts run already; a server's lifespan has nothing to add."""

    async def stop(self) -> None:
        """Closing is the opener's: answers under way still need the parts."""

    async def close(self) -> None:
        """Ends every part, the newest first. What was acknowledged is durable already."""
        await self._closing.aclose()

    async def watch(self) -> None:
        """Once a second: drops keys that were changed or destroyed elsewhere; where there are new blocks, compares what
        is kept with the chain; logs what is in the way."""
        seen = -1
        said: dict[str, str] = {}
        while True:
            await asyncio.sleep(1.0)
            with contextlib.suppress(ConsentryError):
                await self._keys.refresh()
            troubles = self.chain.troubles() | self.duties.troubles()
            if (stale := self._standings.trouble()) is not None:
                troubles["decisions"] = stale
            if troubles != said:
                said = troubles
                self._log.warning("chain", **{name.replace(" ", "_"): text for name, text in troubles.items()})
            number = self.chain.follower.head().number
            if number != seen:
                with contextlib.suppress(ConsentryError):
                    await self._standings.compare()
                    seen = number


async def open_gateway(settings: Settings, *, waiting: Waiting = nobody_asks) -> Gateway:
    """Opens everything; sends and anchors too where the settings put the worker inside. Where the root is in shares it
    waits for them, inside `waiting`: until then nothing here can open a record."""
    closing = AsyncExitStack()
    try:
        return await _open(settings, closing, waiting)
    except BaseException:
        await closing.aclose()
        raise


async def open_worker(settings: Settings) -> AsyncExitStack:
    """What sends and anchors, without a server: shares data folder, database, chain and IPFS with one."""
    closing = AsyncExitStack()
    try:
        clock, entropy = SystemClock(), SystemEntropy()
        secrets = await asyncio.to_thread(secrets_of, settings)
        await asyncio.to_thread(migrate, settings.index_url)
        # The log key seals audit segments: a root in shares is waited for here, too.
        _, keys = await open_keys(settings, closing)
        index = SqlIndex.open(settings.index_url, clock=clock)
        closing.push_async_callback(index.close)
        await refuse_unfinished(index)
        store = await block_store(settings)
        closing.push_async_callback(store.close)
        client, _ = await chain_client(settings, secrets, closing)
        parts = chain_wiring.ChainParts(
            settings=settings,
            secrets=secrets,
            client=client,
            profile=await chain_wiring.profile_of(settings, client),
            deployment=await chain_wiring.standing_deployment(settings, client),
            blocks=Blocks(store),
            clock=clock,
            on_events=lambda events: None,
            segments=Segments(blocks=Blocks(store), keys=keys, index=index, entropy=entropy),
        )
        closing.push_async_callback(parts.stop)
        parts.start_following()
        parts.start_sending()
    except BaseException:
        await closing.aclose()
        raise
    return closing


async def _open(settings: Settings, closing: AsyncExitStack, waiting: Waiting) -> Gateway:
    clock, entropy = SystemClock(), SystemEntropy()
    # 1. Secrets, schema, keys.
    secrets = await asyncio.to_thread(secrets_of, settings)
    await asyncio.to_thread(migrate, settings.index_url)
    keystore, keys = await open_keys(settings, closing, waiting=waiting)
    # 2. Blocks.
    store = await block_store(settings)
    closing.push_async_callback(store.close)
    blocks = Blocks(store)
    # 3. The index; the chain, its contracts, and what follows it.
    client, chain_url = await chain_client(settings, secrets, closing)
    receipt_key = receipt_keyfile.read_public(secrets.receipt_path)
    profile = await chain_wiring.profile_of(settings, client)
    if settings.chain_url:
        deployment = await chain_wiring.standing_deployment(settings, client)
    else:
        deployment = await chain_wiring.deploy(settings, secrets, client, receipt_key)
    listeners: list[Callable[[Sequence[Event]], None]] = []

    def told(events: Sequence[Event]) -> None:
        for listener in listeners:
            listener(events)

    index = SqlIndex.open(settings.index_url, clock=clock)
    closing.push_async_callback(index.close)
    await refuse_unfinished(index)
    parts = chain_wiring.ChainParts(
        settings=settings,
        secrets=secrets,
        client=client,
        profile=profile,
        deployment=deployment,
        blocks=blocks,
        clock=clock,
        on_events=told,
        segments=Segments(blocks=blocks, keys=keys, index=index, entropy=entropy),
    )
    closing.push_async_callback(parts.stop)
    chain = await witnessed(settings, parts, clock, told, closing)
    anchors = AnchorsPort(parts.log, clock)
    # 4. Ledger, bus, validator.
    ledger = await NotaryLedger.start(
        NotarySettings(
            url=settings.index_url,
            key_path=secrets.receipt_path,
            passphrase_path=secrets.passphrase_path,
            instance=secrets.instance,
            audit_log=parts.log.audit_log(secrets.instance),
        ),
        clock=clock,
    )
    closing.push_async_callback(ledger.close)
    bus = open_bus(settings, clock)
    closing.push_async_callback(bus.close)
    validator = FhirValidator(workers=settings.validators)
    closing.push_async_callback(validator.close)
    await validator.start()
    # 5. The domains.
    sealing = AuditKeys(keys, entropy)
    audit = Audit(ledger=ledger, index=index, keys=sealing, anchors=anchors, entropy=entropy)
    documents = SealedDocuments(blocks=blocks, keys=keys, entropy=entropy)
    parties = RelyingParties(gateway=host_of(settings.base_url), signing=host_of(settings.signing_url))
    identity = Identity(
        index=index,
        audit=audit,
        chain=chain,
        calls=chain,
        documents=documents,
        clock=clock,
        entropy=entropy,
        terms=SignInTerms(
            domain=settings.base_url.partition("://")[2].partition("/")[0],
            uri=settings.base_url,
            session_seconds=settings.session_minutes * 60,
            registrars=frozenset(bytes.fromhex(address[2:]) for address in secrets.registrars),
            parties=parties,
            mark=lambda text: keys.log.token(b"session", text),
        ),
    )
    standings = Standings(
        parties=parties,
        index=index,
        chain=chain,
        documents=documents,
        clock=clock,
        freshness=Freshness(
            lag_blocks=settings.chain_lag_blocks,
            silence_seconds=settings.chain_silence_seconds,
            skew_seconds=settings.chain_skew_seconds,
            period_seconds=profile.block_period,
        ),
    )
    rooms = make_consents(
        identity=identity,
        standings=standings,
        audit=audit,
        index=index,
        documents=documents,
        bus=bus,
        clock=clock,
        entropy=entropy,
        chain=chain,
    )
    opening = Opening(blocks=blocks, keys=keys, anchors=anchors)
    records, emergencies = make_corridors(
        settings,
        opening=opening,
        identity=identity,
        standings=standings,
        audit=audit,
        index=index,
        blocks=blocks,
        documents=documents,
        keys=keys,
        sealing=sealing,
        anchors=anchors,
        validation=validator,
        bus=bus,
        clock=clock,
        entropy=entropy,
        chain=chain,
    )
    course, erasures = make_erasures(
        settings,
        identity=identity,
        standings=standings,
        audit=audit,
        index=index,
        chain=chain,
        keys=keys,
        blocks=blocks,
        bus=bus,
        clock=clock,
    )
    hints = Hints(standings=standings, opening=opening, identity=identity, keys=keys, course=course)
    bus.watch(hints)
    control = make_control(
        identity=identity,
        standings=standings,
        audit=audit,
        index=index,
        documents=documents,
        chain=chain,
        bus=bus,
        clock=clock,
        entropy=entropy,
        period_seconds=profile.block_period,
    )
    listeners.append(
        Listener(identity=identity, standings=standings, bus=bus, hints=hints, notice=control.succession.notice)
    )
    gateway = Gateway(
        settings=settings,
        secrets=secrets,
        identity=identity,
        rooms=rooms,
        control=control,
        records=records,
        erasures=erasures,
        emergencies=emergencies,
        standings=standings,
        keys=keys,
        blocks=blocks,
        bus=bus,
        chain=parts,
        chain_url=chain_url,
        checks={
            "database": index.check,
            "ledger": ledger.check,
            "keys": unlocked(keystore, keys),
            "ipfs": store.check,
            "bus": bus.check,
            "chain": Fresh(standings),
            **({"witnesses": Agreed(chain)} if settings.witness_rpc_url else {}),
        },
        closing=closing,
    )
    # 6. Running: follow first, then send, then the registrars.
    parts.start_following()
    if settings.worker == "inside":
        parts.start_sending()
    await first_word(standings)
    # What was erased is destroyed again before the first answer, should a store or an index have been restored.
    await course.catch_up()
    await found_registrars(chain_wiring.ChainPort(parts), identity, secrets)
    watching = asyncio.create_task(gateway.watch(), name="watch")
    closing.callback(watching.cancel)
    gateway.duties.begin("pinning", Pinning(index=index, blocks=blocks), closing)
    gateway.duties.begin("erasures", course, closing)
    gateway.duties.begin("recoveries", control.succession, closing)
    return gateway
