"""All of anchoring wired as `gateway.wiring` does it, over any chain and any migrated database. Real parts throughout.

Also runs as a program (`python -m tests.ports.anchoring_stack FILE`), so that tests can end it with SIGKILL.
"""

import asyncio
import contextlib
import hashlib
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dag_cbor
from eth_account import Account
from eth_utils.address import to_checksum_address
from sqlalchemy import Connection, insert, text

from anchoring.batcher import BatchPolicy
from anchoring.chain.abi import ANCHOR, CONSENT, contract
from anchoring.chain.client import ChainClient
from anchoring.chain.deploy import Deployment
from anchoring.chain.follower import Follower
from anchoring.chain.lane import Lane
from anchoring.chain.profile import ChainProfile
from anchoring.chain.registries import ANCHORS, RELAY, Registries
from anchoring.chain.signer import Signer
from anchoring.log import AnchorLog
from anchoring.merkle import keccak256
from anchoring.model import LEAF_ENCODING, Event, LogKind, Proof
from anchoring.stores.calls import SqlCalls
from anchoring.stores.columns import join_values
from anchoring.stores.database import Database
from anchoring.stores.events import SqlEvents
from anchoring.stores.tables import tickets
from anchoring.stores.tickets import SqlTickets
from anchoring.worker import AnchorWorker

CURSOR = "registries"
CONSENT_TYPE = keccak256(b"Consent of the tests")
ETHER = 10**18


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class FolderManifests:
    """Manifests as files named by their CID's digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def put(self, manifest: bytes) -> str:
        digest = hashlib.sha256(manifest).digest()
        (self.folder / digest.hex()).write_bytes(manifest)
        return "b" + dag_cbor.encode(digest).hex()


def bump(connection: Connection, names: Sequence[bytes]) -> None:
    """As the gateway's ledger bumps."""
    statement = text(
        "insert into epochs (name, version) values (:name, 1)"
        " on conflict (name) do update set version = epochs.version + 1"
    )
    connection.execute(statement, [{"name": name} for name in names])


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a stack is made from; goes to a child process as JSON."""

    chain_url: str
    database_url: str
    folder: str
    relay_key: str
    anchor_key: str
    deployment: Deployment
    profile: ChainProfile
    batch: BatchPolicy
    writer: str

    def to_json(self) -> str:
        plain = {name: getattr(self, name) for name in ("chain_url", "database_url", "folder", "relay_key")}
        profile = {name: getattr(self.profile, name) for name in ChainProfile.__slots__}
        return json.dumps(
            {
                **plain,
                "anchor_key": self.anchor_key,
                "writer": self.writer,
                "deployment": self.deployment.to_json(),
                "profile": profile,
                "batch": {"size": self.batch.size, "age": self.batch.age},
            }
        )

    @classmethod
    def from_json(cls, document: str) -> "Setup":
        fields = json.loads(document)
        fields["deployment"] = Deployment.from_json(fields["deployment"])
        fields["profile"] = ChainProfile(**fields["profile"])
        fields["batch"] = BatchPolicy(**fields["batch"])
        return cls(**fields)


class Stack:
    """Every part of anchoring for one `Setup`. `seen`: events as the hook got them."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.deployment = setup.deployment
        chain_id = self.deployment.chain_id
        self.gateway = bytes.fromhex(self.deployment.gateway[2:])
        self.writer = bytes.fromhex(setup.writer)
        self.relay_signer = Signer(bytes.fromhex(setup.relay_key), chain_id=chain_id)
        self.anchor_signer = Signer(bytes.fromhex(setup.anchor_key), chain_id=chain_id)
        self.client = ChainClient(setup.chain_url)
        self.registries = Registries(self.deployment.addresses, self.client)
        self.database = Database(setup.database_url)
        self.calls = SqlCalls(self.database, cursor=CURSOR)
        self.events = SqlEvents(self.database, cursor=CURSOR, bump=bump)
        self.tickets = SqlTickets(self.database)
        self.manifests = FolderManifests(Path(setup.folder) / "manifests")
        self.seen: list[Event] = []
        self.follower = Follower(
            client=self.client,
            registries=self.registries,
            events=self.events,
            calls=self.calls,
            profile=setup.profile,
            clock=SystemClock(),
            chain_id=chain_id,
            genesis=bytes.fromhex(self.deployment.genesis[2:]),
            first_block=self.deployment.block,
            on_events=self._heard,
        )
        self.relay = self._lane(RELAY, self.relay_signer)
        self.anchors = self._lane(ANCHORS, self.anchor_signer)
        self.worker = AnchorWorker(
            store=self.tickets,
            calls=self.registries,
            manifests=self.manifests,
            head=self.follower,
            clock=SystemClock(),
            gateway=self.gateway,
            writer=self.writer,
            anchorer=self.anchor_signer.address,
            finality=setup.profile.finality,
            policy=setup.batch,
            on_calls=self.wake,
        )
        self.log = AnchorLog(
            self.tickets,
            gateway=self.gateway,
            writer=self.writer,
            chain_id=chain_id,
            contract=self.deployment.anchor_registry,
        )

    def _lane(self, name: str, signer: Signer) -> Lane:
        return Lane(
            name,
            client=self.client,
            registries=self.registries,
            signer=signer,
            store=self.calls,
            profile=self.setup.profile,
            clock=SystemClock(),
            on_landed=self.follower.notice,
        )

    def _heard(self, events: Sequence[Event]) -> None:
        self.seen.extend(events)
        self.worker.wake()

    def wake(self) -> None:
        self.relay.wake()
        self.anchors.wake()

    @property
    def parts(self) -> tuple[Follower | Lane | AnchorWorker, ...]:
        return self.follower, self.relay, self.anchors, self.worker

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Stack"]:
        tasks = [asyncio.create_task(part.run()) for part in self.parts]
        try:
            yield self
        finally:
            for part in self.parts:
                part.stop()
            await asyncio.gather(*tasks)

    async def close(self) -> None:
        await self.client.close()
        self.database.close()

    # What the gateway would write

    async def queue_tickets(self, count: int, *, log: bytes | None = None) -> list[bytes]:
        """Tickets of random records; their leaves."""
        rows = []
        for _ in range(count):
            values = (secrets.token_bytes(16), b"\0\0\0\1", *(secrets.token_bytes(32) for _ in range(3)))
            rows.append(self._row(log or self.log.records_log, LogKind.RECORDS, values))
        return await self._insert(rows)

    async def queue_audit(self, count: int, *, writer: bytes) -> list[bytes]:
        """Tickets of audit entries of a writer."""
        values = [(writer, seq.to_bytes(8, "big"), secrets.token_bytes(32)) for seq in range(count)]
        return await self._insert([self._row(self.log.audit_log(writer), LogKind.AUDIT, one) for one in values])

    def _row(self, log: bytes, kind: LogKind, values: Sequence[bytes]) -> dict[str, object]:
        assert len(values) == len(LEAF_ENCODING[kind])
        return {
            "log": log,
            "leaf": self.log.leaf(values, kind=kind),
            "values_": join_values(values),
            "cid_digest": secrets.token_bytes(32),
            "locator": secrets.token_bytes(60),
        }

    async def _insert(self, rows: list[dict[str, object]]) -> list[bytes]:
        await self.database.write(lambda connection: connection.execute(insert(tickets), rows))
        self.worker.wake()
        return [bytes(row["leaf"]) for row in rows]  # type: ignore[call-overload]

    # What anybody may ask the chain

    async def verified_on_chain(self, leaf: bytes, proof: Proof) -> bool:
        method = contract(ANCHOR).methods["verify"]
        data = method.encode(proof.log, proof.root, leaf, list(proof.path))
        (answer,) = method.decode(await self.client.eth_call(proof.contract, data))
        return bool(answer)

    async def log_state(self, log: bytes) -> tuple[int, int]:
        """(batches, leaves) of a log on chain."""
        method = contract(ANCHOR).methods["logState"]
        data = method.encode(log)
        _, batches, leaves, _ = method.decode(await self.client.eth_call(self.deployment.anchor_registry, data))
        return batches, leaves


class Patient:
    """A subject with a wallet, who signs what the consent registry takes."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._account = Account.create()
        self.subject = secrets.token_bytes(32)
        self.controller = bytes.fromhex(self._account.address[2:])

    def terms(self, *, effect: int = 0, epoch: int = 0) -> tuple[object, ...]:
        not_after = 2**64 - 1 if effect else int(time.time()) + 86_400
        return (CONSENT_TYPE, self.subject, effect, secrets.token_bytes(32), 0, not_after, epoch)

    async def consent_id(self, terms: tuple[object, ...]) -> bytes:
        method = contract(CONSENT).methods["consentIdOf"]
        answer = await self._stack.client.eth_call(self._stack.deployment.consent_registry, method.encode(terms))
        return bytes(method.decode(answer)[0])

    def sign(self, digest: bytes) -> bytes:
        return bytes(self._account.unsafe_sign_hash(digest).signature)

    def sign_struct(self, struct: str, *words: bytes) -> bytes:
        """EIP-712 over static members, in the consent registry's domain."""
        deployment = self._stack.deployment
        domain_type = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        domain = keccak256(
            keccak256(domain_type.encode())
            + keccak256(b"Consentry")
            + keccak256(b"1")
            + deployment.chain_id.to_bytes(32, "big")
            + bytes.fromhex(deployment.consent_registry[2:]).rjust(32, b"\0")
        )
        return self.sign(keccak256(b"\x19\x01" + domain + keccak256(keccak256(struct.encode()) + b"".join(words))))


async def run_until_killed(path: Path) -> None:
    stack = Stack(Setup.from_json(path.read_text()))
    async with stack.running():
        await asyncio.Event().wait()


def new_key() -> str:
    return secrets.token_bytes(32).hex()


def address_of(key: str) -> str:
    return str(to_checksum_address(Account.from_key(bytes.fromhex(key)).address))


if __name__ == "__main__":
    asyncio.run(run_until_killed(Path(sys.argv[1])))
