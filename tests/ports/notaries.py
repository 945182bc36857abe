"""A ledger on a database, and what lies in the database afterwards."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gateway.adapters.notary import keyfile
from gateway.adapters.notary.client import NotaryLedger, NotarySettings
from gateway.adapters.sealed_file import Passphrase, write_new
from gateway.adapters.sql.urls import sqlite_path
from gateway.ports.clock import SystemClock
from gateway.ports.ledger import Appended
from gateway.ports.rows import EntryRow, Guard, RecordRow, Row, StoredEntry
from tests.ports.databases import query

PASSPHRASE = b"correct horse"
INSTANCE = bytes([7]) * 32
LOG = bytes([9]) * 32
_key_files: list[bytes] = []
"""The receipt key of this process's tests, which is made once: a key file takes its time."""
Open = Callable[..., Awaitable[NotaryLedger]]


def settings(url: str, folder: Path, *, instance: bytes = INSTANCE, patience: float = 5.0) -> NotarySettings:
    """Those of a ledger whose key lies in `folder`; it is put there when it is not."""
    key_path, passphrase_path = folder / "receipt.key", folder / "receipt.pass"
    if not key_path.exists():
        passphrase_path.write_bytes(PASSPHRASE + b"\n")
        if _key_files:
            write_new(key_path, _key_files[0])
        else:
            keyfile.create(key_path, Passphrase(passphrase_path))
            _key_files.append(key_path.read_bytes())
    return NotarySettings(
        url=url,
        key_path=key_path,
        passphrase_path=passphrase_path,
        instance=instance,
        audit_log=LOG,
        patience=patience,
    )


async def opened(url: str, folder: Path, *, instance: bytes = INSTANCE, patience: float = 5.0) -> NotaryLedger:
    """A ledger that is ready."""
    return await NotaryLedger.start(settings(url, folder, instance=instance, patience=patience), clock=SystemClock())


def entry(*, subject_token: bytes = b"", receipt: bytes = b'{"cid":"b","time":1}') -> EntryRow:
    """A new decision."""
    return EntryRow(
        decision=secrets.token_bytes(16),
        public=secrets.token_bytes(90),
        private=secrets.token_bytes(150),
        subject_token=subject_token,
        receipt=receipt,
    )


def lineage(url: str, instance: bytes = INSTANCE) -> list[StoredEntry]:
    """All entries of an instance, life by life, number by number."""
    literal = f"x'{instance.hex()}'" if sqlite_path(url) is not None else f"'\\x{instance.hex()}'"
    rows = query(
        url,
        "select e.writer, e.seq, e.decision, e.previous, e.hash, e.public, e.private, e.subject_token, e.receipt_digest"
        " from entries e join writers w on w.writer = e.writer"
        f" where w.instance = {literal} order by w.id, e.seq",
    )
    names = ["writer", "seq", "decision", "previous", "hash", "public", "private", "subject_token", "receipt_digest"]
    return [StoredEntry(**dict(zip(names, row, strict=True))) for row in rows]


def some(size: int = 32) -> bytes:
    """Random octets."""
    return secrets.token_bytes(size)


def record(subject: bytes | None = None) -> RecordRow:
    """The first version of a new record."""
    return RecordRow(record=some(16), version=1, subject=subject or some(), digest=some(), tokens=(some(), some()))


def counts(url: str) -> list[int]:
    """Rows of every table that an append may write."""
    tables = "entries tickets records versions tokens idempotency consents narrowings calls challenges sessions"
    return [query(url, f"select count(*) from {table}")[0][0] for table in tables.split()]


async def appended(ledger: NotaryLedger, *guards: Guard, rows: Sequence[Row] = ()) -> Appended:
    """The answer to an append that must succeed."""
    answer = await ledger.append(entry(), guards=guards, rows=rows)
    assert isinstance(answer, Appended)
    return answer
