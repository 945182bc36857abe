"""What a thief does with everything of a gateway: every file, the root and the passphrase, a backup of yesterday.

Nothing of the gateway's own reading is used but its formats: each block in each file is tried with each key that is
left.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.keyfile import open_key
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.root import Root
from gateway.crypto import envelope, hazmat
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import DomainKind, RecordFacts
from gateway.errors import IntegrityError
from gateway.ports.keys import WrappedKey

_SIZES = tuple(1 << bits for bits in range(12, 18))
"""Of the blocks that the tests make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loot:
    """The keys of a folder, unwrapped with its root, and each as it lay wrapped."""

    epoch: bytes
    wrapped_epoch: bytes
    keys: dict[bytes, DomainKey]
    wrapped: dict[bytes, bytes]
    logs: tuple[DomainKey, ...]

    def names(self, kind: DomainKind) -> set[bytes]:
        return {key.domain.name for key in self.keys.values() if key.domain.kind == kind.value}


def snapshot(data: Path, target: Path) -> Path:
    """Every file of a data folder, the databases whole, beside whoever writes."""
    target.mkdir(mode=0o700)
    for path in data.rglob("*"):
        copy = target / path.relative_to(data)
        if path.is_dir():
            copy.mkdir(exist_ok=True)
        elif path.suffix == ".db":
            with closing(sqlite3.connect(path)) as now, closing(sqlite3.connect(copy)) as then:
                now.backup(then)
            copy.chmod(0o600)
        elif path.is_file() and not path.name.endswith(("-wal", "-shm")):
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o600)
    return target


def loot(data: Path) -> Loot:
    """With passphrase and root."""
    return asyncio.run(_loot(data))


async def _loot(data: Path) -> Loot:
    store = await SqlKeyStore.open(f"sqlite:///{data / 'keys.db'}")
    standing, stored = await store.epoch(), await store.all()
    await store.close()
    assert standing is not None
    root = Root(open_key(data / "root.key", data / "passphrase"))
    epoch = root.unwrap(standing.wrapped, context=standing.epoch)
    keys = {key.key_id: DomainKey.of(key, hazmat.unwrap(epoch, key.wrapped)) for key in stored}
    return Loot(
        epoch=epoch,
        wrapped_epoch=standing.wrapped,
        keys=keys,
        wrapped={key.key_id: key.wrapped for key in stored},
        logs=tuple(key for key in keys.values() if key.domain.kind == DomainKind.LOG.value),
    )


def keys_of(data: Path) -> list[WrappedKey]:
    async def read() -> list[WrappedKey]:
        store = await SqlKeyStore.open(f"sqlite:///{data / 'keys.db'}")
        found = list(await store.all())
        await store.close()
        return found

    return asyncio.run(read())


def blocks_in(folder: Path) -> Iterator[bytes]:
    """Whatever looks like a block, in any file at any place."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        octets = path.read_bytes()
        at = octets.find(envelope.MAGIC)
        while at >= 0:
            yield octets[at : at + _SIZES[-1]]
            at = octets.find(envelope.MAGIC, at + 1)


def opened(folder: Path, found: Loot) -> dict[bytes, int]:
    """How many records open in the files of `folder`, by subject, with the keys of `found`."""
    counts: dict[bytes, int] = {}
    for octets in blocks_in(folder):
        facts = _open(octets, found)
        if facts is not None:
            counts[facts.subject] = counts.get(facts.subject, 0) + 1
    return counts


def _open(octets: bytes, found: Loot) -> RecordFacts | None:
    """The facts of a block that starts here, if a key that is left opens them and its content."""
    for log, size in itertools.product(found.logs, _SIZES):
        if size > len(octets):
            continue
        try:
            located = envelope.locate(octets[:size], log)
        except IntegrityError:
            continue
        key = found.keys.get(located.key_id)
        if key is None:
            return None
        try:
            facts = envelope.open_facts(located, key).facts
        except IntegrityError:
            return None
        return facts if isinstance(facts, RecordFacts) else None
    return None
