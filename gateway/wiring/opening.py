"""A whole gateway from its settings: opened in order, each part on the one before; closed in the reverse order.

Whatever is missing is made on the first start. What does not fit (another chain, a wrong passphrase, a public IPFS
node) stops the start with a SettingsError that says what to do.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from anchoring.model import Event
from gateway.adapters.fhir_validator import FhirValidator
from gateway.adapters.notary import keyfile as receipt_keyfile
from gateway.adapters.notary.client import NotaryLedger, NotarySettings
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.migrations import migrate
from gateway.audit.service import Audit
from gateway.consent.freshness import Freshness
from gateway.consent.standing import Standings
from gateway.consent.studies import Studies
from gateway.crypto.actor_keys import ActorKeys
from gateway.crypto.audit_keys import AuditKeys
from gateway.crypto.request_keys import RequestKeys
from gateway.identity.service import Identity
from gateway.identity.sessions import SessionTerms, SignInTerms
from gateway.identity.verdicts import RelyingParties
from gateway.ports.clock import SystemClock, SystemEntropy
from gateway.records.opening import Opening
from gateway.records.sweeping import Sweeping
from gateway.settings import Settings, host_of
from gateway.storage.documents import SealedDocuments
from gateway.storage.pinning import Pinning
from gateway.storage.segments import Segments
from gateway.storage.service import Blocks
from gateway.wiring import chain as chain_wiring
from gateway.wiring.anchors import AnchorsPort
from gateway.wiring.budgets import BudgetPort
from gateway.wiring.consents import make_consents
from gateway.wiring.control import make_control
from gateway.wiring.corridors import make_corridors
from gateway.wiring.erasing import make_erasures
from gateway.wiring.gateway import Gateway
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
from gateway.wiring.processes import give_way
from gateway.wiring.providers import open_providers
from gateway.wiring.releasing import make_releases, make_workers
from gateway.wiring.secrets import passphrase_file, secrets_of
from gateway.wiring.studying import make_studies, make_study_rooms
from gateway.wiring.trials import TrialPort, origin_of
from gateway.wiring.upkeep import refuse_unfinished
from gateway.wiring.witnesses import Agreed, witnessed


async def open_gateway(
    settings: Settings, *, waiting: Waiting = nobody_asks, studies: Studies | None = None
) -> Gateway:
    """Opens everything; sends and anchors too where the settings put the worker inside. Where the root is in shares it
    waits for them, inside `waiting`: until then nothing here can open a record. `studies`: where standings in studies
    come from, where it is not their journals."""
    closing = AsyncExitStack()
    try:
        return await _open(settings, closing, waiting, studies)
    except BaseException:
        await closing.aclose()
        raise


async def _open(settings: Settings, closing: AsyncExitStack, waiting: Waiting, studies: Studies | None) -> Gateway:
    clock, entropy = SystemClock(), SystemEntropy()
    # 1. Secrets, schema, keys.
    passphrase = Passphrase(passphrase_file(settings.data_dir))
    secrets = await asyncio.to_thread(secrets_of, settings, passphrase)
    await asyncio.to_thread(migrate, settings.index_url)
    keystore, keys = await open_keys(settings, closing, waiting=waiting, passphrase=passphrase)
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
    sealing, own = AuditKeys(keys, entropy), ActorKeys(keys, entropy)
    audit = Audit(ledger=ledger, index=index, keys=sealing, anchors=anchors, entropy=entropy)
    documents = SealedDocuments(blocks=blocks, keys=keys, entropy=entropy)
    parties = RelyingParties(gateway=host_of(settings.base_url), signing=host_of(settings.signing_url))
    identity = Identity(
        index=index,
        audit=audit,
        chain=chain,
        calls=chain,
        documents=documents,
        bus=bus,
        keys=sealing,
        sealing=own,
        tokens=open_providers(settings, closing, clock=clock),
        clock=clock,
        entropy=entropy,
        terms=SignInTerms(
            domain=settings.base_url.partition("://")[2].partition("/")[0],
            uri=settings.base_url,
            sessions=SessionTerms(
                session_seconds=settings.session_minutes * 60,
                token_seconds=settings.token_minutes * 60,
                mark=lambda text: keys.log.token(b"session", text),
            ),
            registrars=frozenset(bytes.fromhex(address[2:]) for address in secrets.registrars),
            parties=parties,
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
        settings,
        identity=identity,
        standings=standings,
        audit=audit,
        index=index,
        documents=documents,
        keys=sealing,
        sealing=RequestKeys(keys, entropy),
        own=own,
        bus=bus,
        clock=clock,
        entropy=entropy,
        chain=chain,
    )
    registries = TrialPort(parts, secrets)
    journal, kept = make_studies(
        index=index,
        documents=documents,
        anchors=anchors,
        keys=sealing,
        registries=registries,
        audit=audit,
        bus=bus,
        clock=clock,
    )
    chunk_threads = ThreadPoolExecutor(2, thread_name_prefix="chunks", initializer=give_way)
    closing.callback(chunk_threads.shutdown, wait=False, cancel_futures=True)
    opening = Opening(blocks=blocks, keys=keys, anchors=anchors)
    corridors = make_corridors(
        settings,
        opening=opening,
        identity=identity,
        consents=rooms.consents,
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
        threads=chunk_threads,
        studies=kept if studies is None else studies,
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
    workers = make_workers(settings)
    closing.push_async_callback(workers.close)
    releasing, releases, aggregates = make_releases(
        settings,
        identity=identity,
        standings=standings,
        grounds=corridors.grounds,
        audit=audit,
        index=index,
        documents=documents,
        opening=opening,
        blocks=blocks,
        ring=keys,
        keys=sealing,
        anchors=anchors,
        clock=clock,
        entropy=entropy,
        workers=workers,
        builder=secrets.instance,
        chain=chain,
        ledgers=BudgetPort(parts, secrets),
    )
    studying = make_study_rooms(
        kept,
        journal,
        registries=registries,
        identity=identity,
        standings=standings,
        grounds=corridors.grounds,
        records=corridors.records,
        numbers=aggregates,
        audit=audit,
        index=index,
        anchors=anchors,
        own=own,
        ring=keys,
        bus=bus,
        chain=chain,
        clock=clock,
        entropy=entropy,
        origin=origin_of(parts.deployment),
    )
    hints = Hints(standings=standings, opening=opening, identity=identity, keys=keys, course=course, studies=kept)
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
        records=corridors.records,
        explaining=corridors.explaining,
        contents=corridors.contents,
        uploads=corridors.uploads,
        erasures=erasures,
        emergencies=corridors.emergencies,
        releases=releases,
        aggregates=aggregates,
        studying=studying,
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
    gateway.duties.begin("sessions", identity.vigil, closing)
    gateway.duties.begin("pinning", Pinning(index=index, blocks=blocks), closing)
    gateway.duties.begin("listings", rooms.listings, closing)
    gateway.duties.begin("uploads", Sweeping(index=index, blocks=blocks, clock=clock), closing)
    gateway.duties.begin("erasures", course, closing)
    gateway.duties.begin("releases", releasing.building, closing)
    gateway.duties.begin("withdrawals", releasing.looking, closing)
    gateway.duties.begin("studies", studying.leaving, closing)
    gateway.duties.begin("recoveries", control.succession, closing)
    return gateway
