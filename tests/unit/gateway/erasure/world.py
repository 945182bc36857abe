"""An erasure's surroundings: a real index, key store, block store and bus; the registry is a table that takes calls."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anchoring.stores.columns import encode_args
from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.local_bus import LocalBus
from gateway.adapters.packs import PackStore
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.migrations import migrate
from gateway.consent.standing import Freshness, Standings
from gateway.crypto import envelope
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import ProfileFacts, audit_domain, subject_domain
from gateway.erasure.course import Course
from gateway.erasure.model import Places
from gateway.identity.service import Identity
from gateway.identity.sessions import SessionTerms, SignInTerms
from gateway.identity.verdicts import RelyingParties
from gateway.ids import RecordId
from gateway.ports.chain import ChainFacts, Head, Landed, Reverted, Underway
from gateway.ports.clock import SystemClock, SystemEntropy
from gateway.ports.rows import CallRow, ErasureRow, NarrowingKind, NarrowingRow, RecordRow
from gateway.storage.documents import SealedDocuments
from gateway.storage.service import Blocks

SUBJECT, OTHER = b"p" * 32, b"q" * 32
CALL = b"e" * 16


class Died(BaseException):
    """The process is no more."""


class Registry:
    """Chain and calls: what is intended lands at once, unless `refuses` or `silent`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.refuses = ""
        self.silent = False
        self.facts = ChainFacts(
            chain_id=31337,
            genesis=b"g" * 32,
            identity_registry="0x" + "11" * 20,
            consent_registry="0x" + "22" * 20,
            anchor_registry="0x" + "33" * 20,
            emergency_registry="0x" + "66" * 20,
            gateway=b"w" * 32,
            confirmations=0,
            recovery_seconds=60,
            p256_verifier="0x" + "44" * 20,
            webauthn_verifier="0x" + "55" * 20,
        )

    def head(self) -> Head:
        return Head(number=9, hash=b"h" * 32, timestamp=0, lag=0, heard_at=0.0)

    def wake(self) -> None:
        """Nobody waits here."""

    async def outcome(self, call: bytes, *, timeout: float, confirmed: bool) -> Landed | Reverted | Underway:
        if self.silent:
            return Underway()
        if self.refuses:
            return Reverted(error=self.refuses)
        return Landed(transaction=b"t" * 32, block_number=9)

    async def actor_of_key(self, key: bytes) -> bytes | None:
        return None

    async def subject_states(self, subjects: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
        return tuple((0, 0) for _ in subjects)

    def certify_erasure(self, *, subject: bytes, gateway: bytes, certificate: bytes, is_final: bool) -> CallRow:
        name = certificate[:15] + bytes([is_final])
        data = subject + gateway + certificate + bytes([is_final])
        return CallRow(call=name, lane="relay", priority=0, contract="0x22", data=data)

    def erased(self, subject: bytes) -> None:
        """The event, as the follower would have indexed it."""
        row = (os.urandom(32), 0, 5, "ConsentRegistry", "SubjectErased", subject, encode_args({"epoch": 1, "seq": 1}))
        with sqlite3.connect(self._path) as index:
            index.execute(
                "insert into chain_events (block_hash, log_index, block_number, contract, name, key1, args,"
                ' "transaction") values (?, ?, ?, ?, ?, ?, ?, zeroblob(32))',
                row,
            )

    def enrolled(self, subject: bytes, contract: str) -> None:
        args = encode_args({"controller": b"c" * 20, "enroller": b"r" * 20})
        row = (os.urandom(32), 0, 1, contract, "SubjectEnrolled", subject, bytes(32), args)
        with sqlite3.connect(self._path) as index:
            index.execute(
                "insert into chain_events (block_hash, log_index, block_number, contract, name, key1, key2, args,"
                ' "transaction") values (?, ?, ?, ?, ?, ?, ?, ?, zeroblob(32))',
                row,
            )


class Packs(PackStore):
    """With room for what watches it."""


@dataclass(slots=True, kw_only=True)
class Site:
    """One process's parts over the folder; `die_at` ends it at the n-th durable act, before or after it."""

    folder: Path
    index: SqlIndex
    keys: KeyRing
    store: SqlKeyStore
    packs: PackStore
    registry: Registry
    course: Course
    acts: list[str] = field(default_factory=list)
    die_at: int = -1
    die_after: bool = False

    async def close(self) -> None:
        await self.index.close()
        await self.store.close()
        await self.packs.close()

    def watch(self, part: Any, name: str) -> None:
        """Counts the acts of a part, and dies at the one that was named."""
        act = getattr(part, name)

        async def watched(*given: Any, **named: Any) -> Any:
            at = len(self.acts)
            self.acts.append(name)
            if at == self.die_at and not self.die_after:
                raise Died
            answer = await act(*given, **named)
            if at == self.die_at:
                raise Died
            return answer

        setattr(part, name, watched)


_passphrases: dict[Path, Passphrase] = {}
"""Of the folders that were opened: a folder is opened again and again, and deriving a key takes its time."""


async def site(folder: Path, *, backup_seconds: int = 0, registry: Registry | None = None) -> Site:
    """Opens (and on the first time makes) everything in the folder."""
    url = f"sqlite:///{folder / 'index.db'}"
    if not (folder / "root.key").exists():
        (folder / "passphrase").write_bytes(b"correct horse\n")
        KeyFileVault.create(folder / "root.key", folder / "passphrase")
        migrate(url)
    clock, entropy = SystemClock(), SystemEntropy()
    index = SqlIndex.open(url, clock=clock)
    store = await SqlKeyStore.open(f"sqlite:///{folder / 'keys.db'}")
    passphrase = _passphrases.setdefault(folder, Passphrase(folder / "passphrase"))
    vault = KeyFileVault.open(folder / "root.key", folder / "passphrase", passphrase)
    keys = KeyRing(store=store, vault=vault, entropy=entropy)
    await keys.unlock()
    packs = Packs.open(folder / "blocks")
    blocks, chain = Blocks(packs), registry or Registry(folder / "index.db")
    documents = SealedDocuments(blocks=blocks, keys=keys, entropy=entropy)
    freshness = Freshness(lag_blocks=3, silence_seconds=1e9, period_seconds=0, skew_seconds=1e9)
    nobody = RelyingParties(gateway="", signing="")
    standings = Standings(
        index=index, chain=chain, documents=documents, clock=clock, freshness=freshness, parties=nobody
    )
    identity = Identity(
        index=index,
        audit=None,
        chain=chain,
        calls=chain,
        documents=documents,
        clock=clock,
        entropy=entropy,
        bus=LocalBus(clock),
        keys=None,
        sealing=None,
        terms=SignInTerms(
            domain="d",
            uri="u",
            sessions=SessionTerms(session_seconds=1, token_seconds=0, mark=bytes),
            registrars=frozenset(),
            parties=nobody,
        ),
    )
    places = Places(
        key_store="sqlite", vault="key file", blocks="packs", index="sqlite", cache="x", backup_seconds=backup_seconds
    )
    course = Course(
        identity=identity,
        standings=standings,
        index=index,
        chain=chain,
        calls=chain,
        keys=keys,
        blocks=blocks,
        bus=LocalBus(clock),
        clock=clock,
        places=places,
    )
    made = Site(folder=folder, index=index, keys=keys, store=store, packs=packs, registry=chain, course=course)
    for part, name in ((index, "apply"), (packs, "remove"), (packs, "put_many"), (store, "turn")):
        made.watch(part, name)
    return made


async def told(one: Site, subject: bytes, *, records: int = 3) -> tuple[str, ...]:
    """Records of a subject, stored and indexed; their CIDs."""
    key = await one.keys.of(subject_domain(subject))
    await one.keys.of(audit_domain(subject))
    facts = ProfileFacts(salt=bytes(32), actor=subject, name="x", encryption_key=b"", encryption_key_signature=b"")
    made = [
        envelope.seal_document(
            facts, name=RecordId(os.urandom(16)), key=key, log=one.keys.log, entropy=SystemEntropy()
        ).block
        for _ in range(records)
    ]
    cids = await Blocks(one.packs).put_many(made)
    rows = [
        RecordRow(record=os.urandom(16), version=1, subject=subject, digest=cid.digest, tokens=(b"t" + cid.digest,))
        for cid in cids
    ]
    await one.index.apply(rows)
    return tuple(map(str, cids))


async def begun(one: Site, subject: bytes = SUBJECT) -> None:
    """As the service leaves it."""
    row = ErasureRow(subject=subject, begun_at=1_800_000_000, request=b'{"a":1}', signature=b"s" * 65, call=CALL)
    narrowing = NarrowingRow(kind=NarrowingKind.ERASE, subject=subject, target=bytes(32), digest=bytes(32), call=CALL)
    await one.index.apply((row, narrowing))
