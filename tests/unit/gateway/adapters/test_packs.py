"""The pack files' promises to the disk: synced before told, undone when it fails, erased in place, locked in turn."""

import asyncio
import errno
import fcntl
import os
import random
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters import pack_disk
from gateway.adapters.pack_format import HEAD_SIZE, Kind, decode_head, decode_pack_head, encode_head, encode_pack_head
from gateway.adapters.pack_places import Places
from gateway.adapters.packs import PackStore
from gateway.errors import BlockMissingError, UpstreamError
from gateway.storage.model import Cid
from gateway.storage.service import Blocks

MARK = b"\x01marking"


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The order of writes and syncs that the operating system was asked for."""
    done: list[str] = []

    def noting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def noted(fd: int, *rest: object) -> object:
            file = Path(os.readlink(f"/proc/self/fd/{fd}")).name
            if "(deleted)" not in file:  # the table of places has no name
                done.append(f"{name} {file}")
            return call(fd, *rest)

        return noted

    for name in ("pwritev", "fdatasync", "fsync"):
        monkeypatch.setattr(os, name, noting(name, getattr(os, name)))
    return done


@given(st.sampled_from(Kind), st.binary(min_size=32, max_size=32), st.binary(max_size=50))
def test_a_record_reads_as_it_was_written(kind: Kind, digest: bytes, data: bytes) -> None:
    cid = str(Cid.from_digest(digest))
    octets = encode_head(MARK, kind, cid, len(data)) + data
    assert decode_head(octets[:HEAD_SIZE], MARK, 7) == (kind, cid, 7 + HEAD_SIZE, len(data))


@given(st.integers(0, HEAD_SIZE - 1), st.integers(1, 255))
def test_a_header_with_a_changed_octet_is_no_header(at: int, flip: int) -> None:
    head = bytearray(encode_head(MARK, Kind.BLOCK, str(Cid.of(b"")), 0))
    head[at] ^= flip
    assert decode_head(bytes(head), MARK, 0) is None


@given(st.integers(0, 47), st.integers(1, 255))
def test_a_pack_head_with_a_changed_octet_still_gives_its_mark(at: int, flip: int) -> None:
    head = bytearray(encode_pack_head(MARK))
    head[at] ^= flip
    assert decode_pack_head(bytes(head)) == MARK


async def test_a_put_returns_after_the_record_and_the_new_files_name_are_synced(
    tmp_path: Path, syncs: list[str]
) -> None:
    store = PackStore.open(tmp_path / "blocks")
    syncs.clear()
    await Blocks(store).put(b"first")
    pack = "00000000.pack"
    assert syncs == [f"pwritev {pack}", f"fdatasync {pack}", f"pwritev {pack}", "fsync blocks", f"fdatasync {pack}"]
    await store.close()


async def test_a_bundle_costs_one_sync(tmp_path: Path, syncs: list[str]) -> None:
    store = PackStore.open(tmp_path)
    await Blocks(store).put(b"first")
    syncs.clear()
    await Blocks(store).put_many([secrets.token_bytes(2048) for _ in range(300)])
    assert [call.split()[0] for call in syncs] == ["pwritev", "fdatasync"]
    await store.close()


async def test_puts_that_come_together_share_syncs(tmp_path: Path, syncs: list[str]) -> None:
    store = PackStore.open(tmp_path)
    await Blocks(store).put(b"first")
    syncs.clear()
    await asyncio.gather(*[Blocks(store).put(secrets.token_bytes(100)) for _ in range(100)])
    assert sum(call.startswith("fdatasync") for call in syncs) < 10
    await store.close()


async def test_a_block_that_is_found_after_opening_is_synced_before_it_counts_as_stored(
    tmp_path: Path, syncs: list[str]
) -> None:
    store = PackStore.open(tmp_path)
    await Blocks(store).put(b"found")
    await store.close()
    store = PackStore.open(tmp_path)
    syncs.clear()
    await Blocks(store).put(b"found")
    assert [call.split()[0] for call in syncs] == ["fsync", "fdatasync"]
    await store.close()


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
async def test_a_failed_write_is_told_and_leaves_the_pack_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    store = PackStore.open(tmp_path)
    await Blocks(store).put(b"before")
    pack = tmp_path / "00000000.pack"
    size = pack.stat().st_size

    def failing(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, failing)
        with pytest.raises(UpstreamError):
            await Blocks(store).put(b"refused")
    assert pack.stat().st_size == size
    assert await Blocks(store).get(await Blocks(store).put(b"refused")) == b"refused"
    await store.close()


async def test_a_failed_write_that_could_not_be_undone_is_made_sure_of_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncs: list[str]
) -> None:
    store = PackStore.open(tmp_path)
    before = await Blocks(store).put(b"before")

    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing)
        with monkeypatch.context() as uncut:
            uncut.setattr(os, "ftruncate", failing)
            with pytest.raises(UpstreamError):
                await Blocks(store).put(b"refused")
        with pytest.raises(UpstreamError):
            await Blocks(store).put(b"later")
        with pytest.raises(UpstreamError):
            await store.check()
        assert await Blocks(store).get(before) == b"before"
    syncs.clear()
    written: list[bytes] = []
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, pieces, at: written.append(b"".join(pieces)) or whole(fd, pieces, at))
    found = await Blocks(store).put(b"refused")
    assert b"refused" in written[0]
    assert [call.split()[0] for call in syncs[:2]] == ["pwritev", "fdatasync"]
    await store.check()
    assert await Blocks(store).get(found) == b"refused"
    await store.close()


async def test_what_another_wrote_behind_a_failed_write_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = PackStore.open(tmp_path), PackStore.open(tmp_path)
    await Blocks(store).put(b"before")

    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing)
        broken.setattr(os, "ftruncate", failing)
        with pytest.raises(UpstreamError):
            await Blocks(store).put(b"refused")
    behind = await Blocks(other).put(b"behind")
    await Blocks(store).put(b"later")
    assert await Blocks(store).get(behind) == b"behind"
    for one in (store, other):
        await one.close()
    again = PackStore.open(tmp_path)
    await again.check()
    assert await Blocks(again).get(behind) == b"behind"
    await again.close()


async def test_a_disk_that_stays_bad_uses_up_no_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PackStore.open(tmp_path)

    def failing(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwritev", failing)
        for _ in range(2):
            with pytest.raises(UpstreamError):
                await Blocks(store).put(b"x")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with pytest.raises(UpstreamError):
                await Blocks(store).put(b"x")
    assert len(os.listdir("/proc/self/fd")) == before
    assert await Blocks(store).get(await Blocks(store).put(b"x")) == b"x"
    await store.close()


@pytest.mark.parametrize("deed", ["put", "drop"])
async def test_a_table_of_places_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    store = PackStore.open(tmp_path)
    before = await Blocks(store).put(b"before")

    def failing(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as broken:
        broken.setattr(Places, deed, failing)
        with pytest.raises(UpstreamError):
            await (Blocks(store).put(b"in doubt") if deed == "put" else store.remove([str(before)]))
    await Blocks(store).put(b"later")  # what is in the pack is read on first
    assert await store.has(str(Cid.of(b"in doubt"))) == (deed == "put")
    assert await store.has(str(before)) == (deed == "put")
    await store.check()
    await store.remove([str(before), str(Cid.of(b"in doubt"))])
    pack = (tmp_path / "00000000.pack").read_bytes()
    assert (b"before" in pack, b"in doubt" in pack, b"later" in pack) == (False, False, True)
    await store.close()


async def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PackStore.open(tmp_path)
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, pieces, at: whole(fd, [pieces[0][:7]], at))
    data = secrets.token_bytes(1000)
    assert await Blocks(store).get(await Blocks(store).put(data)) == data
    await store.close()


async def test_packs_roll_at_their_size_and_all_are_read_again(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path, pack_size_max=5000)
    contents = [secrets.token_bytes(1000) for _ in range(20)]
    for data in contents:
        await Blocks(store).put(data)
    await store.close()
    assert len(list(tmp_path.glob("*.pack"))) > 3
    store = PackStore.open(tmp_path, pack_size_max=5000)
    assert [await Blocks(store).get(Cid.of(data)) for data in contents] == contents
    await store.close()


async def test_two_openers_write_in_turn_across_rolling_packs(tmp_path: Path) -> None:
    one, two = PackStore.open(tmp_path, pack_size_max=3000), PackStore.open(tmp_path, pack_size_max=3000)
    contents = [secrets.token_bytes(400) for _ in range(60)]
    await asyncio.gather(*[Blocks((one, two)[n % 2]).put(data) for n, data in enumerate(contents)])
    for store in (one, two):
        assert [await Blocks(store).get(Cid.of(data)) for data in contents] == contents
        await store.close()


async def test_a_pack_whose_head_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "00000000.pack").write_bytes(b"CNSTPK")
    store = PackStore.open(tmp_path)
    assert await Blocks(store).get(await Blocks(store).put(b"x")) == b"x"
    await store.close()


async def test_a_lock_that_another_holds_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PackStore.open(tmp_path)
    monkeypatch.setattr(pack_disk, "LOCK_WAIT_SECONDS", 0.05)
    with (tmp_path / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UpstreamError, match="lock"):
            await Blocks(store).put(b"x")
    assert await Blocks(store).put(b"x") == Cid.of(b"x")
    await store.close()


async def test_a_pack_that_cannot_be_read_is_an_upstream_error(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    cid = await Blocks(store).put(b"x")
    pack = next(name for name in os.listdir("/proc/self/fd") if _target(name) == str(tmp_path / "00000000.pack"))
    with (tmp_path / "lock").open("ab") as unreadable:  # a descriptor that is open for writing alone
        os.dup2(unreadable.fileno(), int(pack))
    with pytest.raises(UpstreamError):
        Blocks(store).get_now(cid)
    await store.close()


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


async def test_erasure_writes_zeros_where_the_file_system_makes_no_holes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PackStore.open(tmp_path)
    monkeypatch.setattr(pack_disk.ctypes, "CDLL", lambda *_, **__: object())
    secret = secrets.token_bytes(9000)
    cid = await Blocks(store).put(secret)
    await Blocks(store).remove([cid])
    with pytest.raises(BlockMissingError):
        await Blocks(store).get(cid)
    assert secret[4000:4100] not in (tmp_path / "00000000.pack").read_bytes()
    await store.close()


async def test_every_copy_of_a_block_is_erased(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    secret = secrets.token_bytes(500)
    cid = await Blocks(store).put(secret)
    pack = tmp_path / "00000000.pack"
    octets = bytearray(pack.read_bytes())
    octets[-1] ^= 1
    pack.write_bytes(octets)
    await Blocks(store).put(secret)  # the damaged copy stays, a whole one follows
    await Blocks(store).remove([cid])
    assert secret[:100] not in pack.read_bytes()
    await store.close()


async def test_the_folder_and_its_files_are_the_owners_alone(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path / "blocks")
    await Blocks(store).put(b"x")
    assert (tmp_path / "blocks").stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "blocks").iterdir())
    await store.close()


async def test_a_put_whose_caller_gave_up_is_still_stored(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    put = asyncio.create_task(Blocks(store).put(b"x"))
    await asyncio.sleep(0)
    put.cancel()
    assert await Blocks(store).put(b"y") == Cid.of(b"y")
    assert await Blocks(store).get(Cid.of(b"x")) == b"x"
    await store.close()


async def _walked(store: PackStore, cids: list[Cid]) -> tuple[list[bytes | None], int]:
    """What a walk gives, and how many reads it took."""
    reads = 0
    read_at = store._folder.read_at

    def counted(pack: int, offset: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        return read_at(pack, offset, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._folder, "read_at", counted)
        walk = Blocks(store).walk()
        return [walk.get_now(cid) for cid in cids], reads


async def test_blocks_that_lie_behind_each_other_are_read_many_at_a_time(tmp_path: Path) -> None:
    store = PackStore.open(tmp_path)
    contents = [secrets.token_bytes(4096) for _ in range(400)]
    found, reads = await _walked(store, await Blocks(store).put_many(contents))
    assert found == contents
    assert reads < 20
    await store.close()


@given(st.lists(st.sampled_from((0, 1, 700, 4096, 16_000, 70_000, 300_000)), min_size=1, max_size=30), st.randoms())
def test_a_walk_in_any_order_over_any_packs_gives_what_is_there(sizes: list[int], chance: random.Random) -> None:
    async def walk_there(folder: Path) -> None:
        store = PackStore.open(folder, pack_size_max=100_000)
        contents = [secrets.token_bytes(size) for size in sizes]
        stored = [(await Blocks(store).put(data), data) for data in contents]
        chance.shuffle(stored)
        found, _ = await _walked(store, [cid for cid, _ in stored] + [Cid.of(b"never stored")])
        assert found == [data if len(data) <= pack_disk.QUICK_SIZE_MAX else None for _, data in stored] + [None]
        await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(walk_there(Path(folder)))


@pytest.mark.parametrize("by_another", [False, True])
async def test_what_was_removed_is_on_no_walk_that_begins_then(tmp_path: Path, by_another: bool) -> None:
    store = PackStore.open(tmp_path)
    cids = await Blocks(store).put_many([secrets.token_bytes(4096) for _ in range(20)])
    other = PackStore.open(tmp_path) if by_another else store
    await Blocks(other).remove(cids[3:17])
    found, _ = await _walked(store, cids)
    assert [data is None for data in found] == [False] * 3 + [True] * 14 + [False] * 3
    await other.close()
    await store.close()
