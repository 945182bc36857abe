"""The index as a stream of rows, out of either database and into either; and a backup of keys that has its time."""

import io
import json
import os
import time
from pathlib import Path

import pytest

from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.sql.dump import dump, load
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.migrations import migrate
from gateway.errors import IntegrityError, SettingsError
from gateway.ports.clock import SystemClock
from gateway.ports.keys import Turn, WrappedKey
from gateway.ports.rows import Bump, CallRow, ErasureRow, NarrowingKind, NarrowingRow, RecordRow, TicketRow
from gateway.settings import Settings
from gateway.wiring.backups import back_up_keys, restore_keys
from tests.ports.databases import DATABASES, empty_url, query
from tests.ports.session_rows import session_row

SUBJECT = b"s" * 32
NARROWING = NarrowingRow(kind=NarrowingKind.REVOKE, subject=SUBJECT, target=b"t" * 32, digest=b"d" * 32, call=b"c" * 16)


@pytest.fixture(params=DATABASES)
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Two migrated, empty databases."""
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append(empty_url(request, tmp_path / name))
        migrate(made[-1])
    return made[0], made[1]


async def fill(url: str, count: int = 700) -> None:
    index = SqlIndex.open(url, clock=SystemClock())
    records = [
        RecordRow(record=at.to_bytes(16), version=1, subject=SUBJECT, digest=os.urandom(32), tokens=(b"t",))
        for at in range(count)
    ]
    ticket = TicketRow(log=b"l" * 32, leaf=b"f" * 32, values=(b"v",), cid_digest=b"", locator=b"")
    call = CallRow(call=b"c" * 16, lane="relay", priority=0, contract="0x", data=b"\x00\xff")
    session = session_row(expires_at=2**40)
    await index.apply((*records, ticket, call, session, Bump(name=SUBJECT), NARROWING))
    await index.apply((ErasureRow(subject=b"e" * 32, begun_at=7, request=b"{}", signature=b"\x01"),))
    await index.close()


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    tables = {"records": "seq", "versions": "record", "tokens": "record", "tickets": "seq", "calls": "seq"}
    tables |= {"epochs": "name", "narrowings": "seq", "erasures": "subject"}
    return {name: query(url, f"select * from {name} order by {column}") for name, column in tables.items()}


async def test_what_was_dumped_is_loaded_row_for_row(urls: tuple[str, str]) -> None:
    await fill(urls[0])
    stream = io.BytesIO()
    count = dump(urls[0], stream)
    stream.seek(0)
    assert load(urls[1], stream) == count > 1400
    assert rows(urls[1]) == rows(urls[0])


async def test_no_session_is_in_a_dump(urls: tuple[str, str]) -> None:
    await fill(urls[0], 1)
    stream = io.BytesIO()
    dump(urls[0], stream)
    assert b"x" * 32 not in stream.getvalue()


async def test_what_comes_after_a_restore_counts_on(urls: tuple[str, str]) -> None:
    await fill(urls[0], 5)
    stream = io.BytesIO()
    dump(urls[0], stream)
    stream.seek(0)
    load(urls[1], stream)
    index = SqlIndex.open(urls[1], clock=SystemClock())
    await index.apply((RecordRow(record=b"n" * 16, version=1, subject=SUBJECT, digest=bytes(32)),))
    page = await index.page(SUBJECT, after=0, limit=10)
    await index.close()
    assert [row.seq for row in page] == [1, 2, 3, 4, 5, 6]


async def test_an_index_with_rows_is_left_as_it_is(urls: tuple[str, str]) -> None:
    await fill(urls[0], 3)
    await fill(urls[1], 2)
    before = rows(urls[1])
    stream = io.BytesIO()
    dump(urls[0], stream)
    stream.seek(0)
    with pytest.raises(SettingsError, match="not empty"):
        load(urls[1], stream)
    assert rows(urls[1]) == before


async def test_a_stream_cut_anywhere_loads_nothing(urls: tuple[str, str]) -> None:
    await fill(urls[0], 3)
    stream = io.BytesIO()
    dump(urls[0], stream)
    whole = stream.getvalue()
    empty = rows(urls[1])
    for cut in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        with pytest.raises((IntegrityError, SettingsError)):
            load(urls[1], io.BytesIO(whole[:cut]))
    assert rows(urls[1]) == empty


# ---- keys


@pytest.fixture
async def keyed(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path / "data", key_backup_days=7)
    settings.data_dir.mkdir()
    store = await SqlKeyStore.open(settings.keys_url)
    await store.add_epoch(b"e" * 16, b"E" * 69)
    for at in range(3):
        key = WrappedKey(
            key_id=bytes([at]) * 16, kind=1, name=bytes([at]) * 32, version=1, epoch=b"e" * 16, wrapped=os.urandom(40)
        )
        await store.add(key)
    await store.close()
    return settings


async def everything(settings: Settings) -> tuple[object, ...]:
    store = await SqlKeyStore.open(settings.keys_url)
    found = (await store.epoch(), sorted(await store.all(), key=lambda key: key.key_id), await store.destroyed())
    await store.close()
    return found


async def test_keys_come_back_as_they_were(keyed: Settings, tmp_path: Path) -> None:
    count, until = await back_up_keys(keyed, tmp_path / "keys.json")
    assert (count, abs(until - time.time() - 7 * 86_400) < 60) == (3, True)
    other = Settings(data_dir=tmp_path / "other")
    assert await restore_keys(other, tmp_path / "keys.json") == 3
    assert await everything(other) == await everything(keyed)


async def test_a_backup_of_keys_is_the_owners_alone_and_says_its_time(keyed: Settings, tmp_path: Path) -> None:
    _, until = await back_up_keys(keyed, tmp_path / "keys.json")
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "keys.json").read_bytes())["good_until"] == until


async def test_without_the_setting_no_key_is_backed_up(keyed: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="KEY_BACKUP_DAYS"):
        await back_up_keys(keyed.model_copy(update={"key_backup_days": 0}), tmp_path / "keys.json")
    assert not (tmp_path / "keys.json").exists()


async def test_a_backup_of_keys_past_its_time_restores_nothing(keyed: Settings, tmp_path: Path) -> None:
    await back_up_keys(keyed, tmp_path / "keys.json")
    content = json.loads((tmp_path / "keys.json").read_bytes()) | {"good_until": int(time.time()) - 1}
    (tmp_path / "keys.json").write_text(json.dumps(content))
    other = Settings(data_dir=tmp_path / "other")
    with pytest.raises(SettingsError, match="past its time"):
        await restore_keys(other, tmp_path / "keys.json")
    assert not (tmp_path / "other").exists()


async def test_keys_are_never_restored_over_others(keyed: Settings, tmp_path: Path) -> None:
    await back_up_keys(keyed, tmp_path / "keys.json")
    store = await SqlKeyStore.open(keyed.keys_url)
    left = {key.key_id: b"W" * 40 for key in await store.all() if key.key_id != bytes(16)}
    gone = ((1, bytes(32)),)
    assert await store.turn(Turn(before=b"e" * 16, epoch=b"f" * 16, wrapped=b"F" * 69, rewrapped=left, dropped=gone))
    await store.close()
    before = await everything(keyed)
    with pytest.raises(SettingsError, match="has keys"):
        await restore_keys(keyed, tmp_path / "keys.json")
    assert await everything(keyed) == before


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"null", b'{"format":"consentry.keys/2"}'])
async def test_what_is_no_backup_of_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys.json").write_bytes(content)
    with pytest.raises(IntegrityError):
        await restore_keys(Settings(data_dir=tmp_path / "other"), tmp_path / "keys.json")
