"""A journal's surroundings: a real index, key store, block store and anchor log, in a folder."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anchoring.log import AnchorLog
from anchoring.stores.database import Database
from anchoring.stores.tickets import SqlTickets
from gateway import jsontext
from gateway.adapters.keyfile import KeyFileVault
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.packs import PackStore
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.migrations import migrate
from gateway.crypto.audit_keys import AuditKeys
from gateway.crypto.keys import KeyRing
from gateway.crypto.model import Domain, domains_of
from gateway.ids import ActorId, SubjectId
from gateway.ports.clock import SystemClock, SystemEntropy
from gateway.ports.documents import SealedPaper
from gateway.ports.trials import StudyEntryKind
from gateway.storage.documents import SealedDocuments
from gateway.storage.service import Blocks
from gateway.trials.journal import Head, Journal, NewEntry
from gateway.wiring.anchors import AnchorsPort

STUDY, OTHER_STUDY = b"\x01" * 32, b"\x02" * 32
SPONSOR = ActorId(b"s" * 32)
ANN, BEN = SubjectId(b"a" * 32), SubjectId(b"b" * 32)
CAPTURE, STATE, ENROLMENT = StudyEntryKind.CAPTURE, StudyEntryKind.STATE, StudyEntryKind.ENROLMENT


def text(number: int) -> bytes:
    """An entry, as RFC 8785 text."""
    return jsontext.canonical({"said": f"entry {number}", "salt": "00" * 16})


def about(*subjects: SubjectId | None, kind: StudyEntryKind = CAPTURE) -> list[NewEntry]:
    """An entry about each."""
    return [NewEntry(kind=kind, octets=text(at), subject=subject) for at, subject in enumerate(subjects)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyWorld:
    """One gateway's parts, open."""

    folder: Path
    index: SqlIndex
    keys: KeyRing
    store: SqlKeyStore
    blocks: Blocks
    anchors: AnchorsPort
    journal: Journal

    async def append(
        self, added: Sequence[NewEntry], *, study: bytes = STUDY, after: Head | None = None, pins: bool = True
    ) -> tuple[tuple[SealedPaper, ...], Head]:
        """Behind the head (or `after`), durable, and pinned where `pins`."""
        behind = after or await self.journal.head(study)
        rows, sealed, head = await self.journal.rows(study, SPONSOR, behind, added)
        await self.index.apply(rows)
        if pins:
            await self.journal.pin(sealed)
        return sealed, head

    async def erase(self, subject: SubjectId) -> tuple[Domain, ...]:
        """What an erasure does to keys; the domains that are no more."""
        doomed = domains_of(subject, await self.keys.domains())
        await self.keys.turn(destroying=doomed)
        return doomed

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """As somebody who can write to the database."""
        connection = sqlite3.connect(self.folder / "index.db")
        try:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows


@asynccontextmanager
async def study_world(folder: Path) -> AsyncIterator[StudyWorld]:
    """A first start in `folder`."""
    url = f"sqlite:///{folder / 'index.db'}"
    (folder / "passphrase").write_bytes(b"correct horse\n")
    vault = KeyFileVault.create(folder / "root.key", folder / "passphrase")
    migrate(url)
    clock, entropy = SystemClock(), SystemEntropy()
    index, database = SqlIndex.open(url, clock=clock), Database(url)
    store = await SqlKeyStore.open(f"sqlite:///{folder / 'keys.db'}")
    keys = KeyRing(store=store, vault=vault, entropy=entropy)
    await keys.unlock()
    packs = PackStore.open(folder / "blocks")
    log = AnchorLog(SqlTickets(database), gateway=b"g" * 32, writer=b"w" * 32, chain_id=1, contract="0x" + "33" * 20)
    blocks, anchors = Blocks(packs), AnchorsPort(log, clock)
    documents = SealedDocuments(blocks=blocks, keys=keys, entropy=entropy)
    try:
        yield StudyWorld(
            folder=folder,
            index=index,
            keys=keys,
            store=store,
            blocks=blocks,
            anchors=anchors,
            journal=Journal(documents=documents, index=index, anchors=anchors, keys=AuditKeys(keys, entropy)),
        )
    finally:
        await packs.close()
        await index.close()
        await store.close()
        database.close()
