"""The chain's parts, put together: node, client, follower, lanes, anchoring worker; and what the domains see of them.

anchoring knows neither patients nor this gateway's ports: here its shapes and errors become ours.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from anchoring.batcher import BatchPolicy
from anchoring.chain import deploy as deploying
from anchoring.chain.client import ChainClient
from anchoring.chain.deploy import Deployment
from anchoring.chain.follower import QUIET_SECONDS, Follower
from anchoring.chain.lane import Lane
from anchoring.chain.profile import ANVIL, EMBEDDED, GETH_DEV, PROFILES, ChainProfile, profile_named
from anchoring.chain.registries import ANCHORS, RELAY, Registries, name_of
from anchoring.chain.signer import Signer
from anchoring.errors import AnchoringError, ChainMismatch, StoreUnavailable
from anchoring.log import AnchorLog
from anchoring.model import ActorState, Event, Landed, Reverted, Ticket
from anchoring.stores.calls import SqlCalls
from anchoring.stores.commits import Commits
from anchoring.stores.database import Database
from anchoring.stores.events import SqlEvents
from anchoring.stores.tickets import SqlTickets
from anchoring.worker import AnchorWorker
from gateway.adapters.sealed_file import sync_folder, write_new
from gateway.consent.messages import CONSENT_TYPE_HASH
from gateway.errors import ConsentryError, SettingsError, UpstreamError
from gateway.ports import chain as port
from gateway.ports.clock import Clock
from gateway.ports.rows import EventRow
from gateway.settings import Settings
from gateway.storage.segments import Segments
from gateway.storage.service import Blocks
from gateway.underway import aside
from gateway.wiring.calls import CallPort
from gateway.wiring.duties import ended, kept_going
from gateway.wiring.kept_chain import KeptChain
from gateway.wiring.secrets import Secrets, address_of

CURSOR = "gateway"
QUESTION_SECONDS = 2.5
"""What a caller waits for one answer of the chain."""


@asynccontextmanager
async def asked(follower: Follower) -> AsyncIterator[None]:
    """A question for which a caller waits: none is asked of a node that is known to be mute."""
    if not follower.prompt:
        raise UpstreamError("the chain does not answer in time")
    try:
        with translated():
            async with asyncio.timeout(QUESTION_SECONDS):
                yield
    except TimeoutError as error:
        raise UpstreamError("the chain does not answer in time") from error


@contextmanager
def translated() -> Iterator[None]:
    """anchoring's errors as ours."""
    try:
        yield
    except ChainMismatch as error:
        raise SettingsError(str(error)) from error
    except AnchoringError as error:
        raise UpstreamError(f"the chain's side does not answer ({type(error).__name__})") from error


def chain_file(settings: Settings) -> Path:
    """The embedded chain's."""
    return settings.data_dir / "chain.db"


def start_embedded(settings: Settings, secrets: Secrets) -> KeptChain:
    """Blocks until the child answers. SettingsError for a file that is in use or of another chain."""
    return KeptChain.start(
        data=chain_file(settings),
        chain_id=settings.chain_id,
        funded=[address_of(secrets.relay_key), address_of(secrets.anchor_key)],
        port=settings.chain_port,
    )


async def profile_of(settings: Settings, client: ChainClient) -> ChainProfile:
    """What may be expected of the chain. SettingsError when neither the settings nor the node say."""
    if settings.chain_profile:
        try:
            return profile_named(settings.chain_profile)
        except ValueError as error:
            raise SettingsError(f"CONSENTRY_CHAIN_PROFILE: {error}") from error
    if not settings.chain_url:
        return EMBEDDED
    with translated():
        version = str(await client.call("web3_clientVersion")).lower()
        chain_id = await client.chain_id()
    if version.startswith("anvil"):
        return ANVIL
    if version.startswith("geth") and chain_id == 1337:
        return GETH_DEV
    raise SettingsError(f"CONSENTRY_CHAIN_PROFILE: say what chain this is, one of {', '.join(PROFILES)}")


def deployment_path(settings: Settings) -> Path:
    return settings.data_dir / "deployment.json"


async def deploy(settings: Settings, secrets: Secrets, client: ChainClient, receipt_key: bytes) -> Deployment:
    """Deploys and writes the addresses down. What stands is kept: a second call checks it, and adds what it was made
    without. Of replicas with folders of their own one does so, and the others are given its file."""
    path = deployment_path(settings)
    if path.exists():
        return await _extended(path, await standing_deployment(settings, client), secrets, client)
    with translated():
        signer = Signer(secrets.relay_key, chain_id=await client.chain_id())
        deployment = await deploying.deploy(
            client,
            signer,
            enrollers=[signer.address],
            consent_types=[CONSENT_TYPE_HASH],
            salt=secrets.salt,
            receipt_key=receipt_key,
            recovery_seconds=max(1, round(settings.recovery_days * 86_400)),
        )
    write_new(path, deployment.to_json().encode())
    return deployment


async def standing_deployment(settings: Settings, client: ChainClient) -> Deployment:
    """The deployment that this data belongs to, compared with the chain. SettingsError says what to do."""
    path = deployment_path(settings)
    if not path.exists():
        raise SettingsError(
            "this data folder knows no contracts on the chain at CONSENTRY_CHAIN_URL: run `consentry deploy` first"
        )
    with translated():
        deployment = Deployment.from_json(path.read_text())
        await deploying.check(client, deployment)
    return deployment


async def _extended(path: Path, standing: Deployment, secrets: Secrets, client: ChainClient) -> Deployment:
    with translated():
        signer = Signer(secrets.relay_key, chain_id=standing.chain_id)
        extended = await deploying.extend(client, signer, standing)
    if extended != standing:
        young = path.with_name(f"{path.name}.next")
        young.unlink(missing_ok=True)  # of an extension that was cut short
        write_new(young, extended.to_json().encode())
        # Commit point: the rename. Before it the former file stands, and the next call extends again; after it the new.
        young.replace(path)
        sync_folder(path.parent)
    return extended


class ChainParts:
    """Everything that talks to the chain, for one gateway. `start` and `stop` its tasks."""

    def __init__(
        self,
        *,
        settings: Settings,
        secrets: Secrets,
        client: ChainClient,
        profile: ChainProfile,
        deployment: Deployment,
        blocks: Blocks,
        clock: Clock,
        on_events: Callable[[Sequence[Event]], None],
        segments: Segments | None = None,
    ) -> None:
        self.client = client
        self._database = Database(settings.index_url)
        self._own_chain = None if settings.chain_url else Commits(str(chain_file(settings)))
        self.registries = Registries(deployment.addresses, client)
        self.events = SqlEvents(self._database, cursor=CURSOR, bump=bump)
        calls = SqlCalls(self._database, cursor=CURSOR)
        tickets = SqlTickets(self._database)
        self.deployment = deployment
        self.profile = profile
        self.follower = Follower(
            client=client,
            registries=self.registries,
            events=self.events,
            calls=calls,
            profile=profile,
            clock=clock,
            chain_id=deployment.chain_id,
            genesis=bytes.fromhex(deployment.genesis[2:]),
            first_block=deployment.block,
            on_events=on_events,
            # When to ask, and nothing more: what its chain holds, the node says.
            news=(lambda: None) if self._own_chain is None else self._own_chain.count,
            quiet=min(QUIET_SECONDS, settings.chain_silence_seconds / 4),
        )
        self.log = AnchorLog(
            tickets,
            gateway=bytes.fromhex(deployment.gateway[2:]),
            writer=secrets.instance,
            chain_id=deployment.chain_id,
            contract=deployment.anchor_registry,
        )
        self.lanes = [
            Lane(
                name,
                client=client,
                registries=self.registries,
                signer=Signer(key, chain_id=deployment.chain_id),
                store=calls,
                profile=profile,
                clock=clock,
                on_landed=self.follower.notice,
            )
            for name, key in ((RELAY, secrets.relay_key), (ANCHORS, secrets.anchor_key))
        ]
        self.worker = AnchorWorker(
            store=tickets,
            calls=self.registries,
            manifests=Manifests(blocks),
            head=self.follower,
            clock=clock,
            gateway=bytes.fromhex(deployment.gateway[2:]),
            writer=secrets.instance,
            anchorer=address_of(secrets.anchor_key),
            finality=profile.finality,
            policy=BatchPolicy(size=settings.batch_size, age=settings.batch_seconds),
            on_calls=self.wake,
            instances=self._instances,
            segments=None if segments is None else SegmentsPort(segments),
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def _instances(self) -> Sequence[bytes]:
        """Every replica that ever wrote: its logs may still have leaves that wait."""

        def read(connection: Connection) -> list[bytes]:
            return [bytes(row[0]) for row in connection.execute(text("select distinct instance from writers"))]

        return await self._database.read(read)

    def start_following(self) -> None:
        self._tasks.append(asyncio.create_task(kept_going("follower", self.follower.run), name="follower"))

    def start_sending(self) -> None:
        for lane in self.lanes:
            name = f"lane {lane.name}"
            self._tasks.append(asyncio.create_task(kept_going(name, lane.run), name=name))
        name = "anchoring worker"
        self._tasks.append(asyncio.create_task(kept_going(name, self.worker.run), name=name))

    async def stop(self) -> None:
        """Ends each task after its present step; what is not done is durable and goes on at the next start."""
        self.worker.stop()
        for lane in self.lanes:
            lane.stop()
        self.follower.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=15)
        self._database.close()
        if self._own_chain is not None:
            self._own_chain.close()
        await self.client.close()

    def wake(self) -> None:
        for lane in self.lanes:
            lane.wake()

    def ended(self) -> dict[str, str]:
        """Parts that should go on and do not; a follower that halted is none of these."""
        return ended([task for task in self._tasks if self.follower.halted is None or task.get_name() != "follower"])

    def troubles(self) -> dict[str, str]:
        """What keeps a part from its work, for the operator's log."""
        named = {"follower": self.follower.trouble, "worker": self.worker.trouble}
        named |= {f"lane {lane.name}": lane.trouble for lane in self.lanes}
        named |= self.ended()
        if self.follower.halted is not None:  # it ended on purpose, and says why
            named["follower"] = f"halted: {self.follower.halted}"
        return {name: trouble for name, trouble in named.items() if trouble}


class ChainPort(CallPort):
    """`gateway.ports.chain.Chain` and its calls, over the parts."""

    def __init__(self, parts: ChainParts) -> None:
        deployment = parts.deployment
        super().__init__(parts.registries)
        self._parts = parts
        self.facts = port.ChainFacts(
            chain_id=deployment.chain_id,
            genesis=bytes.fromhex(deployment.genesis[2:]),
            identity_registry=deployment.identity_registry,
            consent_registry=deployment.consent_registry,
            anchor_registry=deployment.anchor_registry,
            emergency_registry=deployment.emergency_registry,
            budget_ledger=deployment.budget_ledger,
            trial_registry=deployment.trial_registry,
            p256_verifier=bytes.fromhex(deployment.p256_verifier[2:]),
            webauthn_verifier=bytes.fromhex(deployment.webauthn_verifier[2:]),
            gateway=bytes.fromhex(deployment.gateway[2:]),
            confirmations=parts.profile.confirmations,
            recovery_seconds=deployment.recovery_seconds,
        )

    def head(self) -> port.Head:
        found = self._parts.follower.head()
        return port.Head(
            number=found.number,
            hash=found.hash,
            timestamp=found.timestamp,
            lag=found.lag,
            heard_at=found.heard_at,
        )

    def wake(self) -> None:
        self._parts.wake()

    async def outcome(
        self, call: bytes, *, timeout: float, confirmed: bool
    ) -> port.Landed | port.Reverted | port.Underway:
        with translated():
            async with aside():
                found = await self._parts.follower.outcome(call, timeout=timeout, confirmed=confirmed)
        if isinstance(found, Landed):
            return port.Landed(transaction=found.transaction, block_number=found.block_number)
        if isinstance(found, Reverted):
            return port.Reverted(error=found.error)
        return port.Underway()

    async def subject_states(self, subjects: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
        async with asked(self._parts.follower):
            return await self._parts.follower.subject_states(subjects)

    async def emitted(self, events: Sequence[EventRow]) -> bool:
        with translated():
            return await self._parts.follower.emitted([event_of(row) for row in events])

    async def actor(self, actor: bytes, organizations: Sequence[bytes]) -> port.ActorOnChain:
        with translated():
            return actor_on_chain(await self._parts.follower.actor(actor, organizations))

    async def valid_signature(self, signer: bytes, digest: bytes, signature: bytes) -> bool:
        async with asked(self._parts.follower):
            return await self._parts.follower.valid_signature(signer, digest, signature)

    async def actor_of_key(self, key: bytes) -> bytes | None:
        async with asked(self._parts.follower):
            return await self._parts.registries.actor_of_key(key)


class Manifests:
    """`anchoring.ports.ManifestSink` over the block service."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    async def put(self, manifest: bytes) -> str:
        try:
            return str(await self._blocks.put_content((manifest,)))
        except ConsentryError as error:
            raise StoreUnavailable("the block store does not answer") from error


class SegmentsPort:
    """`anchoring.ports.SegmentSink` over the sealed segments."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments

    async def put(self, tickets: Sequence[Ticket]) -> tuple[bytes, bytes]:
        try:
            found = await self._segments.put(tickets)
        except ConsentryError as error:
            raise StoreUnavailable(f"an audit segment cannot be written: {error.message}") from error
        return found.cid_digest, found.locator


def call_of(contract: str, data: bytes) -> bytes:
    """The name of a call, by contract and data."""
    return name_of(contract, data)


def bump(connection: Connection, names: Sequence[bytes]) -> None:
    """Moves the guard versions of names on, inside the follower's own transaction."""
    statement = text(
        "insert into epochs (name, version) values (:name, 1)"
        " on conflict (name) do update set version = epochs.version + 1"
    )
    for name in sorted(set(names)):
        connection.execute(statement, {"name": name})


def actor_on_chain(found: ActorState) -> port.ActorOnChain:
    key = b"" if found.removed else found.key
    return port.ActorOnChain(key=key, roles=found.roles, memberships=found.memberships)


def event_of(row: EventRow) -> Event:
    return Event(
        contract=row.contract,
        name=row.name,
        keys=row.keys,
        args=row.args,
        block_number=row.block_number,
        block_hash=row.block_hash,
        log_index=row.log_index,
        transaction=row.transaction,
    )
