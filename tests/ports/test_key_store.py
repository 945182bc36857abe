"""One suite for every key store: keys are durable, one of each version, one epoch key for all who start at once."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.keystore import SqlKeyStore
from gateway.errors import UpstreamError
from gateway.ports.keys import WrappedKey
from tests.ports.databases import DATABASES, empty_url

SUBJECT = b"s" * 32


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_url(request, tmp_path)


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlKeyStore]:
    opened = await SqlKeyStore.open(url)
    yield opened
    await opened.close()


def key(
    *, name: bytes = SUBJECT, version: int = 1, key_id: bytes = b"k" * 16, wrapped: bytes = b"w" * 40
) -> WrappedKey:
    return WrappedKey(key_id=key_id, kind=1, name=name, version=version, epoch=b"e" * 16, wrapped=wrapped)


async def test_an_empty_store_has_no_epoch_key_and_no_keys(store: SqlKeyStore) -> None:
    assert (await store.epoch(), await store.newest(1, SUBJECT), await store.by_id(b"k" * 16)) == (None, None, None)


async def test_the_first_epoch_key_stays(store: SqlKeyStore) -> None:
    first = await store.add_epoch(b"a" * 16, b"1" * 40)
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
    assert len({one.key_id for one in made}) == 1


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


async def test_keys_are_there_after_reopening(url: str) -> None:
    first = await SqlKeyStore.open(url)
    added = await first.add(key())
    await first.close()
    second = await SqlKeyStore.open(url)
    found = await second.by_id(added.key_id)
    await second.close()
    assert found == added


async def test_a_store_that_is_away_is_an_upstream_error(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError):
        await SqlKeyStore.open(f"sqlite:///{tmp_path}/no/such/folder/keys.db")


async def test_the_file_and_its_journals_are_the_owners_alone(tmp_path: Path) -> None:
    store = await SqlKeyStore.open(f"sqlite:///{tmp_path}/keys.db")
    await store.add(key())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}
    assert "keys.db" in modes
