"""Backups: the index, the settings and every block while the gateway runs, and never a key; keys apart, for a time.

A backup is a folder: `index.rows`, `blocks.car`, `settings.json` (no password), `deployment.json`, `gateway.salt`, what
is known of the root's shares, the embedded chain where it is the gateway's own, and `manifest.json` with the size and
SHA-256 of each. It is made under another name and renamed, so a folder of that name is whole. A restored gateway reads
the chain from where the backup stood before it answers: what was revoked or erased since is revoked and erased.
"""

import asyncio
import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from gateway.adapters import sealed_file
from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.sql.dump import dump, load
from gateway.adapters.sql.migrations import migrate
from gateway.errors import CallerError, IntegrityError, SettingsError
from gateway.ports.keys import EpochKey, WrappedKey
from gateway.settings import Settings
from gateway.storage.service import Blocks
from gateway.wiring.parts import block_store

FORMAT = "consentry.backup/1"
KEYS = "consentry.keys/1"
_COPIED = ("deployment.json", "gateway.salt", "root.split")
"""Files of the data folder that are no secret and that a restored gateway needs to be the same one."""
_CHAIN = "chain.db"
_MANIFEST = "manifest.json"
_FILES = frozenset({"index.rows", "blocks.car", "settings.json", _CHAIN, *_COPIED})
"""All that a backup has besides its manifest, which may name nothing else: a name from outside is never a path."""


class _Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    made_at: int
    files: dict[str, tuple[int, str]]


class _Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key_id: str
    kind: int
    name: str
    version: int
    wrapped: str


class _Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    made_at: int
    good_until: int
    epoch: str
    wrapped: str
    keys: list[_Key]
    destroyed: list[tuple[int, str]]


async def back_up(settings: Settings, folder: Path) -> tuple[int, int]:
    """(rows, blocks). SettingsError where the folder exists or cannot be made."""
    part = await asyncio.to_thread(_begun, folder)
    # The index before the blocks: what it names is there, but for what is erased meanwhile.
    with (part / "index.rows").open("wb") as stream:
        rows = await asyncio.to_thread(dump, settings.index_url, stream)
    store = await block_store(settings)
    try:
        with (part / "blocks.car").open("wb") as stream:
            blocks = await Blocks(store).export_car(stream)
    finally:
        await store.close()
    await asyncio.to_thread(_rest, settings, part)
    # Commit point: the rename. Before it there is no backup of this name, after it a whole one.
    part.rename(folder)
    sealed_file.sync_folder(folder.parent)
    return rows, blocks


async def restore(settings: Settings, folder: Path) -> tuple[int, int]:
    """(rows, blocks) into an empty index and any block store. IntegrityError for a damaged backup, SettingsError where
    something is in the way: then nothing was changed but blocks that name themselves."""
    manifest = await asyncio.to_thread(_checked, folder)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    await asyncio.to_thread(migrate, settings.index_url)
    for name in (*_COPIED, _CHAIN):
        if name in manifest.files:
            await asyncio.to_thread(_put_back, folder / name, settings.data_dir / name)
    store = await block_store(settings)
    try:
        with (folder / "blocks.car").open("rb") as stream:
            blocks = await Blocks(store).import_car(stream)
    finally:
        await store.close()
    with (folder / "index.rows").open("rb") as stream:
        return await asyncio.to_thread(load, settings.index_url, stream), blocks


async def back_up_keys(settings: Settings, file: Path) -> tuple[int, int]:
    """(keys, seconds since 1970 until which it is good). SettingsError where the settings allow no backup of keys."""
    if not settings.key_backup_days:
        raise SettingsError("CONSENTRY_KEY_BACKUP_DAYS: 0 allows no backup of keys, for erasures are final at once")
    store = await SqlKeyStore.open(settings.keys_url)
    try:
        standing = await store.epoch()
        keys, destroyed = await store.all(), await store.destroyed()
    finally:
        await store.close()
    if standing is None or any(key.epoch != standing.epoch for key in keys):
        raise IntegrityError("the keys are just being changed: try again")
    now = int(time.time())
    good_until = now + settings.key_backup_days * 86_400
    content = _Keys(
        format=KEYS,
        made_at=now,
        good_until=good_until,
        epoch=standing.epoch.hex(),
        wrapped=standing.wrapped.hex(),
        keys=[
            _Key(
                key_id=key.key_id.hex(),
                kind=key.kind,
                name=key.name.hex(),
                version=key.version,
                wrapped=key.wrapped.hex(),
            )
            for key in keys
        ],
        destroyed=[(kind, name.hex()) for kind, name in destroyed],
    )
    sealed_file.write_new(file, msgspec.json.encode(content))
    return len(keys), good_until


async def restore_keys(settings: Settings, file: Path) -> int:
    """How many keys. SettingsError for a file that is past its time, and for a key store that has keys; a start then
    destroys what was erased on chain since."""
    try:
        read = await asyncio.to_thread(_read_keys, file)
        epoch = EpochKey(epoch=bytes.fromhex(read.epoch), wrapped=bytes.fromhex(read.wrapped), revision=0)
        keys = [_key(one, epoch.epoch) for one in read.keys]
        destroyed = [(kind, bytes.fromhex(name)) for kind, name in read.destroyed]
    except OSError as error:
        raise SettingsError(f"{file} cannot be read") from error
    except ValueError as error:
        raise IntegrityError(f"{file.name} is no backup of keys, or damaged") from error
    if read.format != KEYS:
        raise IntegrityError(f"{file.name} is no backup of keys of this form")
    if time.time() >= read.good_until:
        raise SettingsError(f"{file.name} is past its time: erasures since are final, destroy it")
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = await SqlKeyStore.open(settings.keys_url)
    try:
        if not await store.fill(epoch, keys, destroyed):
            raise SettingsError("the key store has keys already: restore into a new one")
    finally:
        await store.close()
    return len(keys)


def _key(one: _Key, epoch: bytes) -> WrappedKey:
    return WrappedKey(
        key_id=bytes.fromhex(one.key_id),
        kind=one.kind,
        name=bytes.fromhex(one.name),
        version=one.version,
        epoch=epoch,
        wrapped=bytes.fromhex(one.wrapped),
    )


def _begun(folder: Path) -> Path:
    """The folder that is written into."""
    part = folder.with_name(f".{folder.name}.part")
    try:
        if folder.exists():
            raise SettingsError(f"{folder} exists already: name a new folder")
        part.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise SettingsError(f"{part} cannot be made ({error.strerror}); remove what a backup before left") from error
    return part


def _read_keys(file: Path) -> _Keys:
    return msgspec.json.decode(file.read_bytes(), type=_Keys)


def _rest(settings: Settings, part: Path) -> None:
    """What is small, then the manifest; every file durable."""
    (part / "settings.json").write_bytes(msgspec.json.format(msgspec.json.encode(_shown(settings)), indent=2))
    for name in _COPIED:
        if (settings.data_dir / name).exists():
            (part / name).write_bytes((settings.data_dir / name).read_bytes())
    if not settings.chain_url and (settings.data_dir / _CHAIN).exists():
        with (
            closing(sqlite3.connect(settings.data_dir / _CHAIN)) as source,
            closing(sqlite3.connect(part / _CHAIN)) as copy,
        ):
            source.backup(copy)
    files = {path.name: (path.stat().st_size, _digest(path)) for path in sorted(part.iterdir())}
    manifest = _Manifest(format=FORMAT, made_at=int(time.time()), files=files)
    (part / _MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    for path in part.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sealed_file.sync_folder(part)


def _shown(settings: Settings) -> dict[str, Any]:
    """Every setting; of a URL with a password, what is no password."""
    return {name: _without_password(str(value)) for name, value in settings.model_dump().items()}


def _without_password(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{credentials.partition(':')[0]}{at}{host}" if separator and at else text


def _checked(folder: Path) -> _Manifest:
    """The manifest, once every file is as it says. SettingsError, IntegrityError naming the file."""
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=_Manifest)
    except OSError as error:
        raise SettingsError(f"{folder} is no whole backup: it has no {_MANIFEST}") from error
    except msgspec.DecodeError as error:
        raise IntegrityError(f"{_MANIFEST} is damaged") from error
    if manifest.format != FORMAT:
        raise SettingsError(f"{folder} is a backup of another form")
    if not manifest.files.keys() <= _FILES:
        raise IntegrityError(f"{_MANIFEST} names a file that no backup has")
    for name, (size, digest) in manifest.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size != size or _digest(path) != digest:
            raise IntegrityError(f"{name} is not as it was backed up")
    if not {"index.rows", "blocks.car"} <= manifest.files.keys():
        raise IntegrityError(f"{_MANIFEST} names no index or no blocks")
    return manifest


def _put_back(source: Path, target: Path) -> None:
    """A chain or name that is there stays: an old chain must never take the place of a newer one."""
    if target.exists():
        if target.name != _CHAIN and target.read_bytes() != source.read_bytes():
            raise CallerError(f"{target.name} in the data folder is another gateway's: restore into its own folder")
        return
    sealed_file.write_new(target, source.read_bytes())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
