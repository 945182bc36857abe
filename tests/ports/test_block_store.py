"""What every block store must do: same bytes, same name; durable and pinned; found again; gone when removed."""

import asyncio
import io
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.adapters.kubo import KuboStore
from gateway.adapters.packs import PackStore
from gateway.errors import BlockMissingError, CallerError, IntegrityError, SettingsError, UpstreamError
from gateway.ports.blocks import BlockStore
from gateway.storage.car import encode_header, encode_section
from gateway.storage.dag import LEAF_SIZE, DagLimits
from gateway.storage.model import Block, Cid, Codec
from gateway.storage.service import Blocks
from tests.servers.http import post
from tests.servers.kubo import Kubo, running_kubo

Reopen = Callable[[], Awaitable[BlockStore]]
LIMITS = DagLimits(content=64 << 20)


@pytest.fixture(params=["packs", pytest.param("kubo", marks=pytest.mark.services)])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Opens the same store again, as another process would find it; the first call opens it."""
    opened: list[BlockStore] = []
    kubo: Kubo | None = request.getfixturevalue("kubo") if request.param == "kubo" else None

    async def again() -> BlockStore:
        store: BlockStore = PackStore.open(tmp_path / "packs") if kubo is None else await KuboStore.open(kubo.url)
        opened.append(store)
        return store

    yield again
    for store in opened:
        await store.close()


@pytest.fixture
async def store(reopen: Reopen) -> BlockStore:
    return await reopen()


@pytest.fixture
def blocks(store: BlockStore) -> Blocks:
    return Blocks(store)


def fresh(size: int = 2048) -> bytes:
    return secrets.token_bytes(size)


async def test_the_name_of_a_block_is_that_of_its_bytes(blocks: Blocks) -> None:
    data = fresh()
    assert await blocks.put(data) == Cid.of(data)


async def test_bytes_come_back_as_they_went_in(blocks: Blocks) -> None:
    data = fresh()
    assert await blocks.get(await blocks.put(data)) == data


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
async def test_blocks_of_every_size_come_back(blocks: Blocks, size: int) -> None:
    data = fresh(size)
    assert await blocks.get(await blocks.put(data)) == data


async def test_a_block_of_zeros_comes_back(blocks: Blocks) -> None:
    assert await blocks.get(await blocks.put(bytes(4096))) == bytes(4096)


async def test_a_bundle_is_stored_as_one(blocks: Blocks) -> None:
    bundle = [fresh() for _ in range(300)]
    cids = await blocks.put_many(bundle)
    assert [await blocks.get(cid) for cid in cids] == bundle


async def test_an_empty_bundle_is_stored(blocks: Blocks) -> None:
    assert await blocks.put_many([]) == []


async def test_putting_again_changes_nothing(blocks: Blocks) -> None:
    data = fresh()
    first = await blocks.put(data)
    assert await blocks.put_many([data, data]) == [first, first]
    assert await blocks.get(first) == data


async def test_blocks_are_there_after_reopening(blocks: Blocks, reopen: Reopen) -> None:
    data = fresh()
    cid = await blocks.put(data)
    assert await Blocks(await reopen()).get(cid) == data


async def test_blocks_put_by_another_opener_are_found(blocks: Blocks, reopen: Reopen) -> None:
    other = Blocks(await reopen())
    data = fresh()
    cid = await other.put(data)
    assert await blocks.has(cid)
    assert await blocks.get(cid) == data


async def test_concurrent_puts_are_all_stored(blocks: Blocks) -> None:
    contents = [fresh(500) for _ in range(50)]
    cids = await asyncio.gather(*[blocks.put(data) for data in contents])
    assert [await blocks.get(cid) for cid in cids] == contents


async def test_a_missing_block_is_missing(blocks: Blocks) -> None:
    with pytest.raises(BlockMissingError):
        await blocks.get(Cid.of(fresh()))


async def test_a_missing_block_is_not_had(blocks: Blocks) -> None:
    assert not await blocks.has(Cid.of(fresh()))


async def test_a_stored_block_is_had(blocks: Blocks) -> None:
    assert await blocks.has(await blocks.put(fresh()))


async def test_a_block_over_the_limit_is_an_integrity_error(blocks: Blocks) -> None:
    cid = await blocks.put(fresh(1000))
    with pytest.raises(IntegrityError):
        await blocks.get(cid, limit=999)


async def test_a_block_of_the_limit_is_given(blocks: Blocks) -> None:
    data = fresh(1000)
    assert await blocks.get(await blocks.put(data), limit=1000) == data


async def test_what_needs_no_waiting_is_the_block_or_nothing(blocks: Blocks) -> None:
    data = fresh()
    assert blocks.get_now(await blocks.put(data)) in (data, None)


async def test_a_walk_gives_each_block_or_nothing(blocks: Blocks) -> None:
    contents = [fresh(size) for size in (1, 5_000, 60_000, 5_000, 300_000, 5_000)]
    cids = await blocks.put_many(contents)
    walk = blocks.walk()
    assert all(walk.get_now(cid) in (data, None) for cid, data in zip(cids, contents, strict=True))


async def test_stored_blocks_are_pinned(blocks: Blocks) -> None:
    cids = await blocks.put_many([fresh(), fresh()])
    assert set(cids) <= {cid async for cid in blocks.pins()}


async def test_a_removed_block_is_missing(blocks: Blocks) -> None:
    cid = await blocks.put(fresh())
    await blocks.remove([cid])
    with pytest.raises(BlockMissingError):
        await blocks.get(cid)


async def test_a_removed_block_is_missing_to_another_opener(blocks: Blocks, reopen: Reopen) -> None:
    other = Blocks(await reopen())
    cid = await blocks.put(fresh())
    assert await other.has(cid)
    await blocks.remove([cid])
    with pytest.raises(BlockMissingError):
        await other.get(cid)


async def test_removing_leaves_the_others(blocks: Blocks) -> None:
    kept = fresh()
    cids = await blocks.put_many([fresh(), kept, fresh()])
    await blocks.remove([cids[0], cids[2]])
    assert await blocks.get(cids[1]) == kept


async def test_removing_what_is_absent_succeeds(blocks: Blocks) -> None:
    await blocks.remove([Cid.of(fresh())])


async def test_a_removed_block_can_be_stored_again(blocks: Blocks, reopen: Reopen) -> None:
    data = fresh()
    await blocks.remove([await blocks.put(data)])
    cid = await blocks.put(data)
    assert await Blocks(await reopen()).get(cid) == data


async def test_names_that_are_no_cid_of_ours_reach_no_store(store: BlockStore) -> None:
    with pytest.raises(CallerError):
        await store.put_many([("../../etc/passwd", b"x")])


async def test_large_content_comes_back(blocks: Blocks) -> None:
    content = fresh(3 * LEAF_SIZE + 5)
    root = await blocks.put_content([content[:100], content[100:]])
    assert b"".join([part async for part in blocks.read_content(root, limits=LIMITS)]) == content


async def test_a_tree_is_removed_by_its_list_of_blocks(blocks: Blocks) -> None:
    root = await blocks.put_content([fresh(2 * LEAF_SIZE)])
    listed = await blocks.list_blocks(root, limits=LIMITS)
    await blocks.remove(listed)
    assert [cid for cid in listed if await blocks.has(cid)] == []


async def test_blocks_leave_and_return_as_car(blocks: Blocks) -> None:
    contents = [fresh() for _ in range(20)]
    cids = await blocks.put_many(contents)
    file = io.BytesIO()
    assert await blocks.export_car(file, cids=cids) == 20
    await blocks.remove(cids)
    file.seek(0)
    assert await blocks.import_car(file) == 20
    assert [await blocks.get(cid) for cid in cids] == contents


async def test_a_car_with_a_wrong_block_stores_none_of_its_batch(blocks: Blocks) -> None:
    data = fresh()
    good = Block(Cid.of(data), data)
    wrong = Block(Cid.of(b"one"), b"two")
    file = io.BytesIO(encode_header([good.cid]) + encode_section(good) + encode_section(wrong))
    with pytest.raises(IntegrityError):
        await blocks.import_car(file)
    assert not await blocks.has(good.cid)


async def test_a_node_block_keeps_its_codec(store: BlockStore) -> None:
    empty_node = Cid.of(b"", codec=Codec.DAG_PB)
    await store.put_many([(str(empty_node), b"")])
    assert str(empty_node) in [name async for name in store.pins()]


async def test_an_open_store_is_ready(store: BlockStore) -> None:
    await store.check()


async def test_a_closed_store_is_an_upstream_error(store: BlockStore) -> None:
    await store.close()
    with pytest.raises(UpstreamError):
        await store.check()


@pytest.mark.services
async def test_blocks_move_both_ways_between_packs_and_kubo_as_car(kubo: Kubo, tmp_path: Path) -> None:
    packs, node = PackStore.open(tmp_path / "packs"), await KuboStore.open(kubo.url)
    here, there = Blocks(packs), Blocks(node)
    ours, theirs = [fresh() for _ in range(5)], [fresh() for _ in range(5)]
    our_cids, their_cids = await here.put_many(ours), await there.put_many(theirs)
    out, back = io.BytesIO(), io.BytesIO()
    await here.export_car(out)
    await there.export_car(back, cids=their_cids)
    await there.import_car(io.BytesIO(out.getvalue()))
    await here.import_car(io.BytesIO(back.getvalue()))
    assert [await there.get(cid) for cid in our_cids] == ours
    assert [await here.get(cid) for cid in their_cids] == theirs
    await packs.close()
    await node.close()


@pytest.mark.services
async def test_kubo_imports_our_car_by_itself(kubo: Kubo, tmp_path: Path) -> None:
    packs = PackStore.open(tmp_path / "packs")
    content = fresh(2 * LEAF_SIZE + 3)
    root = await Blocks(packs).put_content([content])
    file = io.BytesIO()
    await Blocks(packs).export_car(file)
    node = await KuboStore.open(kubo.url)
    await Blocks(node).import_car(io.BytesIO(file.getvalue()))
    assert await asyncio.to_thread(post, f"{kubo.url}/api/v0/cat?arg={root}", timeout=10.0) == content
    await packs.close()
    await node.close()


@pytest.mark.services
async def test_blocks_survive_the_death_of_kubo(tmp_path: Path) -> None:
    with running_kubo(tmp_path / "repo") as kubo:
        store = await KuboStore.open(kubo.url)
        bundle = [fresh() for _ in range(50)]
        cids = [await Blocks(store).put(bundle[0]), *await Blocks(store).put_many(bundle[1:])]
        kubo.process.kill()
        with pytest.raises(UpstreamError):
            await Blocks(store).get(cids[0])
        kubo.process.start()
        assert [await Blocks(store).get(cid) for cid in cids] == bundle
        assert set(cids) <= {cid async for cid in Blocks(store).pins()}
        await store.close()


@pytest.mark.services
async def test_a_kubo_that_looks_for_others_is_refused_unless_told(tmp_path: Path) -> None:
    with running_kubo(tmp_path / "repo") as kubo:
        # Written to its configuration only: the running node stays as it is and looks for nobody.
        post(f"{kubo.url}/api/v0/config?arg=Routing.Type&arg=autoclient", timeout=5.0)
        with pytest.raises(SettingsError, match=r"Routing\.Type"):
            await KuboStore.open(kubo.url)
        store = await KuboStore.open(kubo.url, allow_public=True)
        await store.close()
