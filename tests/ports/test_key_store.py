"""One suite for every key store: keys are durable, one of each version, one epoch key for all who start at once."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.keystore import SqlKeyStore
from gateway.errors import UpstreamError
from gateway.ports.keys import Destroyed, EpochKey, Moved, Turn, WrappedKey
from tests.ports.databases import DATABASES, empty_url, query
from tests.ports.key_store_forms import of_the_first_form

SUBJECT = b"s" * 32
EPOCH = b"e" * 16


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_url(request, tmp_path)


@pytest.fixture
async def empty(url: str) -> AsyncIterator[SqlKeyStore]:
    opened = await SqlKeyStore.open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def store(empty: SqlKeyStore) -> SqlKeyStore:
    await empty.add_epoch(EPOCH, b"E" * 69)
    return empty


def key(
    *,
    name: bytes = SUBJECT,
    version: int = 1,
    key_id: bytes = b"k" * 16,
    wrapped: bytes = b"w" * 40,
    epoch: bytes = EPOCH,
    kind: int = 1,
) -> WrappedKey:
    return WrappedKey(key_id=key_id, kind=kind, name=name, version=version, epoch=epoch, wrapped=wrapped)


def turn(*keys: WrappedKey, before: bytes = EPOCH, dropped: tuple[tuple[int, bytes], ...] = ()) -> Turn:
    rewrapped = {one.key_id: b"W" * 39 + one.key_id[:1] for one in keys}
    return Turn(before=before, epoch=b"f" * 16, wrapped=b"F" * 69, rewrapped=rewrapped, dropped=dropped)


async def test_an_empty_store_has_no_epoch_key_and_no_keys(empty: SqlKeyStore) -> None:
    assert (await empty.epoch(), await empty.newest(1, SUBJECT), await empty.by_id(b"k" * 16)) == (None, None, None)


async def test_the_first_epoch_key_stays(store: SqlKeyStore) -> None:
    first = EpochKey(epoch=EPOCH, wrapped=b"E" * 69, revision=0)
    assert await store.add_epoch(b"b" * 16, b"2" * 40) == first == await store.epoch()


async def test_processes_that_start_at_once_agree_on_one_epoch_key(url: str) -> None:
    stores = await asyncio.gather(*(SqlKeyStore.open(url) for _ in range(6)))
    answers = await asyncio.gather(
        *(store.add_epoch(bytes([at]) * 16, bytes([at]) * 40) for at, store in enumerate(stores))
    )
    standing = [await store.epoch() for store in stores]
    await asyncio.gather(*(store.close() for store in stores))
    assert {*answers, *standing} == {answers[0]}


async def test_a_key_is_found_by_its_id_and_by_its_domain(store: SqlKeyStore) -> None:
    added = await store.add(key())
    assert added == await store.by_id(b"k" * 16) == await store.newest(1, SUBJECT)


async def test_the_newest_of_many_domains_are_found_at_once(store: SqlKeyStore) -> None:
    other = b"o" * 32
    await store.add(key())
    newest = await store.add(key(version=2, key_id=b"2" * 16))
    its_log = await store.add(key(key_id=b"3" * 16, kind=2))
    await store.add(key(key_id=b"4" * 16, name=other, kind=2))
    found = await store.newest_of([(1, SUBJECT), (2, SUBJECT), (1, other)])
    assert sorted(found, key=lambda one: one.kind) == [newest, its_log]
    assert await store.newest_of([]) == ()


async def test_the_newest_version_is_the_one_for_new_seals(store: SqlKeyStore) -> None:
    await store.add(key(version=2, key_id=b"2" * 16))
    await store.add(key(version=1, key_id=b"1" * 16))
    newest = await store.newest(1, SUBJECT)
    assert newest is not None
    assert newest.version == 2


async def test_a_version_that_stands_is_returned_instead_of_a_second_one(store: SqlKeyStore) -> None:
    first = await store.add(key())
    assert await store.add(key(key_id=b"x" * 16, wrapped=b"y" * 40)) == first


async def test_a_domain_made_by_many_at_once_has_one_key(store: SqlKeyStore) -> None:
    made = await asyncio.gather(*(store.add(key(key_id=bytes([at]) * 16)) for at in range(8)))
    assert len({one.key_id for one in made if isinstance(one, WrappedKey)}) == 1
    assert all(isinstance(one, WrappedKey) for one in made)


async def test_a_key_id_that_is_taken_by_another_domain_is_refused(store: SqlKeyStore) -> None:
    await store.add(key())
    with pytest.raises(UpstreamError):
        await store.add(key(name=b"t" * 32))


async def test_kinds_do_not_share_keys(store: SqlKeyStore) -> None:
    await store.add(key())
    assert await store.newest(2, SUBJECT) is None


async def test_the_domains_of_a_kind_are_told_once_each(store: SqlKeyStore) -> None:
    await store.add(key())
    await store.add(key(version=2, key_id=b"2" * 16))
    await store.add(key(name=b"t" * 32, key_id=b"3" * 16))
    assert sorted(await store.domains(1)) == [SUBJECT, b"t" * 32]


async def test_domains_are_found_by_how_their_names_begin(store: SqlKeyStore) -> None:
    before, after = SUBJECT[:-1] + bytes([SUBJECT[-1] - 1]), SUBJECT[:-1] + bytes([SUBJECT[-1] + 1])
    mine = [SUBJECT + bytes(32), SUBJECT + b"\x5d" * 32, SUBJECT + b"\xff" * 32]
    for at, name in enumerate((*reversed(mine), before + b"\xff" * 32, after + bytes(32))):
        await store.add(key(kind=5, name=name, key_id=bytes([at]) * 16))
    await store.add(key(kind=5, name=mine[0], version=2, key_id=b"v" * 16))
    await store.add(key(kind=1, name=SUBJECT, key_id=b"w" * 16))
    assert await store.within(5, SUBJECT) == mine
    assert await store.within(5, b"\x00" * 32) == []
    assert await store.within(1, SUBJECT) == [SUBJECT]


async def test_keys_are_there_after_reopening(url: str) -> None:
    first = await SqlKeyStore.open(url)
    await first.add_epoch(EPOCH, b"E" * 69)
    added = await first.add(key())
    await first.close()
    second = await SqlKeyStore.open(url)
    found = await second.by_id(b"k" * 16)
    await second.close()
    assert found == added


async def test_a_store_that_is_away_is_an_upstream_error(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError):
        await SqlKeyStore.open(f"sqlite:///{tmp_path}/no/such/folder/keys.db")


async def test_the_file_and_its_journals_are_the_owners_alone(tmp_path: Path) -> None:
    store = await SqlKeyStore.open(f"sqlite:///{tmp_path}/keys.db")
    await store.add_epoch(EPOCH, b"E" * 69)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}
    assert "keys.db" in modes


# ---- rotation


async def test_a_key_under_a_former_epoch_key_is_never_written(store: SqlKeyStore) -> None:
    await store.turn(turn())
    assert isinstance(await store.add(key()), Moved)
    assert await store.newest(1, SUBJECT) is None


async def test_a_key_is_never_written_without_an_epoch_key(empty: SqlKeyStore) -> None:
    assert isinstance(await empty.add(key()), Moved)


async def test_a_turn_gives_every_key_the_new_epoch(store: SqlKeyStore) -> None:
    keys = [key(), key(name=b"t" * 32, key_id=b"t" * 16)]
    for one in keys:
        await store.add(one)
    assert await store.turn(turn(*keys))
    assert await store.epoch() == EpochKey(epoch=b"f" * 16, wrapped=b"F" * 69, revision=1)
    assert {(one.key_id, one.epoch, one.wrapped) for one in await store.all()} == {
        (b"k" * 16, b"f" * 16, b"W" * 39 + b"k"),
        (b"t" * 16, b"f" * 16, b"W" * 39 + b"t"),
    }


async def test_a_turn_that_does_not_know_every_key_changes_nothing(store: SqlKeyStore) -> None:
    await store.add(key())
    await store.add(key(name=b"t" * 32, key_id=b"t" * 16))
    assert not await store.turn(turn(key()))
    assert {one.epoch for one in await store.all()} == {EPOCH}
    assert (await store.epoch()) == EpochKey(epoch=EPOCH, wrapped=b"E" * 69, revision=0)


async def test_a_turn_from_an_epoch_that_has_ended_changes_nothing(store: SqlKeyStore) -> None:
    await store.add(key())
    assert not await store.turn(turn(key(), before=b"x" * 16))
    assert {one.epoch for one in await store.all()} == {EPOCH}


async def test_of_turns_at_once_one_is_carried_out(url: str, store: SqlKeyStore) -> None:
    others = [await SqlKeyStore.open(url) for _ in range(4)]
    done = await asyncio.gather(*(one.turn(turn()) for one in others))
    for one in others:
        await one.close()
    assert sorted(done) == [False, False, False, True]


async def test_a_turn_and_keys_that_are_added_meanwhile_leave_no_key_behind(url: str, store: SqlKeyStore) -> None:
    other = await SqlKeyStore.open(url)
    adding = (store.add(key(name=bytes([at]) * 32, key_id=bytes([at]) * 16)) for at in range(6))
    *added, turned = await asyncio.gather(*adding, other.turn(turn()))
    await other.close()
    standing = await store.epoch()
    assert standing is not None
    assert {one.epoch for one in await store.all()} <= {standing.epoch}
    assert turned is (sum(isinstance(one, Moved) for one in added) == len(added))


async def test_a_domain_that_is_dropped_is_gone_and_never_comes_back(store: SqlKeyStore) -> None:
    await store.add(key())
    other = key(name=b"t" * 32, key_id=b"t" * 16)
    await store.add(other)
    assert await store.turn(turn(other, dropped=((1, SUBJECT),)))
    assert (await store.newest(1, SUBJECT), await store.by_id(b"k" * 16)) == (None, None)
    assert isinstance(await store.add(key(epoch=b"f" * 16)), Destroyed)
    assert await store.destroyed() == [(1, SUBJECT)]


async def test_a_domain_that_is_dropped_leaves_others_of_its_name(store: SqlKeyStore) -> None:
    audit = key(kind=2, key_id=b"a" * 16)
    for one in (key(), audit):
        await store.add(one)
    await store.turn(turn(audit, dropped=((1, SUBJECT),)))
    assert await store.newest(2, SUBJECT) is not None


async def test_a_domain_without_keys_can_be_dropped_too(store: SqlKeyStore) -> None:
    assert await store.turn(turn(dropped=((1, SUBJECT),)))
    assert isinstance(await store.add(key(epoch=b"f" * 16)), Destroyed)


async def test_another_root_wraps_the_same_epoch(store: SqlKeyStore) -> None:
    standing = await store.epoch()
    assert standing is not None
    assert await store.rewrap_epoch(standing, b"R" * 69)
    assert await store.epoch() == EpochKey(epoch=EPOCH, wrapped=b"R" * 69, revision=1)
    assert not await store.rewrap_epoch(standing, b"S" * 69)


async def test_a_later_version_moves_the_revision(store: SqlKeyStore) -> None:
    await store.add(key())
    await store.add(key(version=2, key_id=b"2" * 16))
    standing = await store.epoch()
    assert standing is not None
    assert standing.revision == 1
    assert await store.version(1, SUBJECT, 1) == key()


async def test_no_file_holds_what_was_dropped_or_wrapped_before(tmp_path: Path) -> None:
    """SQLite's file and journal, while the store is open; another connection was reading before."""
    url = f"sqlite:///{tmp_path}/keys.db"
    store, other = await SqlKeyStore.open(url), await SqlKeyStore.open(url)
    await store.add_epoch(EPOCH, b"old-epoch" * 7)
    kept = [key(name=bytes([at]) * 32, key_id=bytes([at]) * 16, wrapped=b"old-wrap" * 5) for at in range(100)]
    for one in kept:
        await store.add(one)
    await store.add(key(wrapped=b"dropped!" * 5))
    assert len(await other.all()) == 101
    assert await store.turn(turn(*kept, dropped=((1, SUBJECT),)))
    disk = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    await store.close()
    await other.close()
    assert {name for name, octets in disk.items() for old in _OLD if old in octets} == set()
    assert b"W" * 39 in disk["keys.db"]


_OLD = (b"old-epoch", b"old-wrap", b"dropped!")


@pytest.mark.services
async def test_no_table_of_postgresql_holds_what_was_dropped(request: pytest.FixtureRequest) -> None:
    """The files of the tables, not the write-ahead log, which keeps former pages until it is recycled."""
    postgres = request.getfixturevalue("postgres")
    store = await SqlKeyStore.open(url := postgres.fresh_database())
    await store.add_epoch(EPOCH, b"old-epoch" * 7)
    kept = [key(name=bytes([at]) * 32, key_id=bytes([at]) * 16, wrapped=b"old-wrap" * 5) for at in range(100)]
    for one in kept:
        await store.add(one)
    await store.add(key(wrapped=b"dropped!" * 5))
    query(url, "checkpoint")
    assert await store.turn(turn(*kept, dropped=((1, SUBJECT),)))
    await store.close()
    query(url, "checkpoint")
    held = [(path, _octets(path)) for path in (postgres.data_dir / "base").rglob("*")]
    assert [path for path, octets in held for old in _OLD if old in octets] == []


def _octets(path: Path) -> bytes:
    """Nothing of what is no file any more: a running server makes some anew under another name."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return b""


# ---- forms


async def test_a_store_of_the_first_form_is_migrated_with_all_its_keys(url: str) -> None:
    of_the_first_form(url)
    store = await SqlKeyStore.open(url)
    assert await store.epoch() == EpochKey(epoch=EPOCH, wrapped=b"E" * 40, revision=0)
    assert list(await store.all()) == [key()]
    assert await store.turn(turn(key()))
    await store.close()


async def test_a_migrated_store_is_like_a_new_one(url: str, tmp_path: Path) -> None:
    of_the_first_form(url)
    await (await SqlKeyStore.open(url)).close()
    again = await SqlKeyStore.open(url)
    assert isinstance(await again.add(key(name=b"t" * 32, key_id=b"t" * 16)), WrappedKey)
    await again.close()


async def test_stores_that_are_opened_at_once_migrate_once(url: str) -> None:
    of_the_first_form(url)
    stores = await asyncio.gather(*(SqlKeyStore.open(url) for _ in range(5)))
    assert [len(await store.all()) for store in stores] == [1] * 5
    for store in stores:
        await store.close()


async def test_a_store_of_a_newer_program_is_refused(url: str) -> None:
    await (await SqlKeyStore.open(url)).close()
    at = "consentry_keys." if url.startswith("postgresql") else ""
    query(url, f"update {at}key_store_form set number = 99")
    with pytest.raises(UpstreamError, match="newer program"):
        await SqlKeyStore.open(url)
