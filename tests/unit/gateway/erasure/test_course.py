"""Each step of an erasure is durable before the next: wherever a process dies, the next ends at the same place."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.adapters.keystore import SqlKeyStore
from gateway.crypto.model import audit_domain, subject_domain
from gateway.errors import BlockMissingError, IntegrityError, UpstreamError
from gateway.ports.rows import ConsentRow, ErasureRow, ErasureState, NarrowingKind
from gateway.storage.model import Cid
from tests.ports.databases import query
from tests.unit.gateway.erasure.world import OTHER, SUBJECT, Died, Site, begun, site, told


async def row_of(one: Site) -> ErasureRow:
    found = await one.index.erasure(SUBJECT)
    assert found is not None
    return found


async def ready(folder: Path, **options: object) -> tuple[Site, tuple[str, ...], tuple[str, ...]]:
    """An erasure that the registry has taken, and another patient."""
    one = await site(folder, **options)
    mine, others = await told(one, SUBJECT), await told(one, OTHER)
    await begun(one)
    one.registry.erased(SUBJECT)
    one.acts.clear()
    return one, mine, others


async def holds(one: Site, cid: str) -> bool:
    try:
        return bool(await one.packs.get(cid, limit=1 << 20))
    except BlockMissingError:
        return False


def left(folder: Path, table: str) -> int:
    return int(query(f"sqlite:///{folder / 'index.db'}", f"select count(*) from {table}")[0][0])


async def is_done(one: Site, mine: tuple[str, ...], others: tuple[str, ...]) -> None:
    """Everything that an erasure promises, and nothing of anybody else."""
    row = await row_of(one)
    assert (row.state, row.blocks) == (ErasureState.FINAL, 3)
    assert await one.keys.existing(subject_domain(SUBJECT)) is None
    assert await one.keys.existing(audit_domain(SUBJECT)) is not None
    assert await one.keys.existing(subject_domain(OTHER)) is not None
    assert [await holds(one, cid) for cid in mine] == [False] * 3
    assert [await holds(one, cid) for cid in others] == [True] * 3
    assert (await one.index.blocks_of(SUBJECT), len(await one.index.blocks_of(OTHER))) == ((), 3)
    assert (left(one.folder, "records"), left(one.folder, "versions"), left(one.folder, "tokens")) == (3, 3, 3)
    text = one.packs.get_now(str(Cid.from_digest(row.certificate)))
    assert text is not None
    assert json.loads(text)["final"] is True
    assert [narrowing.kind for narrowing in await one.index.narrowings(SUBJECT)] == [NarrowingKind.ERASE]


async def test_an_erasure_runs_to_its_end(tmp_path: Path) -> None:
    one, mine, others = await ready(tmp_path)
    await one.course.advance(SUBJECT)
    await is_done(one, mine, others)
    assert left(tmp_path, "calls") == 1
    await one.close()


async def count(folder: Path) -> int:
    one, _, _ = await ready(folder)
    await one.course.advance(SUBJECT)
    await one.close()
    return len(one.acts)


@pytest.mark.parametrize("after", [False, True])
async def test_wherever_it_dies_the_next_process_ends_at_the_same_place(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    acts = await count(tmp_path / "count")
    assert acts >= 6
    for at in range(acts):
        folder = tmp_path / str(at)
        folder.mkdir()
        one, mine, others = await ready(folder)
        one.die_at, one.die_after = at, after
        with pytest.raises(Died):
            await one.course.advance(SUBJECT)
        await one.close()
        again = await site(folder)
        await again.course.catch_up()
        await is_done(again, mine, others)
        assert left(folder, "calls") == 1
        await again.close()


async def test_two_replicas_at_once_end_at_the_same_place(tmp_path: Path) -> None:
    one, mine, others = await ready(tmp_path)
    two = await site(tmp_path, registry=one.registry)
    await asyncio.gather(one.course.advance(SUBJECT), two.course.advance(SUBJECT))
    for each in (one, two):
        await each.keys.refresh()
        await is_done(each, mine, others)
    assert left(tmp_path, "calls") == 1
    await one.close()
    await two.close()


async def test_nothing_is_destroyed_before_the_registry_has_taken_it(tmp_path: Path) -> None:
    one = await site(tmp_path)
    mine = await told(one, SUBJECT)
    await begun(one)
    one.registry.silent = True
    await one.course.catch_up()
    assert (await row_of(one)).state is ErasureState.BEGUN
    assert await one.keys.existing(subject_domain(SUBJECT)) is not None
    assert all([await holds(one, cid) for cid in mine])
    one.registry.silent = False
    one.registry.erased(SUBJECT)
    await one.course.catch_up()
    assert (await row_of(one)).state is ErasureState.FINAL
    await one.close()


async def test_what_the_registry_refuses_is_in_force_no_longer_and_destroyed_nothing(tmp_path: Path) -> None:
    one = await site(tmp_path)
    mine = await told(one, SUBJECT)
    await begun(one)
    one.registry.refuses = "RecoveryPending"
    await one.course.catch_up()
    assert (await row_of(one)).state is ErasureState.REFUSED
    assert await one.index.narrowings(SUBJECT) == ()
    assert await one.keys.existing(subject_domain(SUBJECT)) is not None
    assert all([await holds(one, cid) for cid in mine])
    await one.close()


async def test_an_erasure_that_only_the_chain_knows_is_carried_out(tmp_path: Path) -> None:
    one = await site(tmp_path)
    mine, others = await told(one, SUBJECT), await told(one, OTHER)
    one.registry.erased(SUBJECT)
    await one.course.catch_up()
    await is_done(one, mine, others)
    row = await row_of(one)
    text = one.packs.get_now(str(Cid.from_digest(row.certificate)))
    assert text is not None
    assert json.loads(text)["request"] is None
    await one.close()


async def test_with_backups_of_keys_it_is_final_once_the_last_is_past(tmp_path: Path) -> None:
    one, _, _ = await ready(tmp_path, backup_seconds=86_400)
    await one.course.advance(SUBJECT)
    row = await row_of(one)
    assert (row.state, row.final_at - row.shredded_at) == (ErasureState.CERTIFIED, 86_400)
    text = one.packs.get_now(str(Cid.from_digest(row.certificate)))
    assert text is not None
    assert (json.loads(text)["final"], json.loads(text)["backupsUntil"]) == (False, row.final_at)
    await one.course.catch_up()
    assert (await row_of(one)).state is ErasureState.CERTIFIED
    query(f"sqlite:///{tmp_path / 'index.db'}", "update erasures set shredded_at = 1, final_at = 2")
    await one.course.catch_up()
    assert (await row_of(one)).state is ErasureState.FINAL
    assert left(tmp_path, "calls") == 2
    await one.close()


async def test_a_key_store_that_was_restored_is_shredded_again(tmp_path: Path) -> None:
    one, mine, others = await ready(tmp_path)
    saved = [await one.store.epoch(), list(await one.store.all())]
    await one.course.advance(SUBJECT)
    await one.close()
    for path in tmp_path.glob("keys.db*"):
        path.unlink()
    store = await SqlKeyStore.open(f"sqlite:///{tmp_path / 'keys.db'}")
    assert await store.fill(saved[0], saved[1], ())
    await store.close()
    again = await site(tmp_path)
    assert await again.keys.existing(subject_domain(SUBJECT)) is not None
    await again.course.catch_up()
    await is_done(again, mine, others)
    await again.close()


async def test_the_first_final_certificate_stands_where_an_index_was_restored(tmp_path: Path) -> None:
    one, mine, others = await ready(tmp_path)
    one.registry.refuses = "CertificateFinal"
    await one.course.advance(SUBJECT)
    await is_done(one, mine, others)
    await one.close()


async def test_a_certificate_that_the_registry_refuses_is_trouble_and_tried_again(tmp_path: Path) -> None:
    one, _, _ = await ready(tmp_path)
    one.registry.refuses = "NotGatewayOwner"
    with pytest.raises(UpstreamError):
        await one.course.advance(SUBJECT)
    one.registry.refuses = ""
    await one.course.catch_up()
    assert (await row_of(one)).state is ErasureState.FINAL
    await one.close()


async def test_rows_of_a_write_under_way_go_too(tmp_path: Path) -> None:
    one, _, _ = await ready(tmp_path)
    late = await one.keys.of(subject_domain(SUBJECT))
    await one.course.advance(SUBJECT)
    (cid,) = await one.course._blocks.put_many((b"late" + late.id,))
    await one.index.apply((ConsentRow(consent=b"c" * 32, subject=SUBJECT, digest=cid.digest, call=bytes(16)),))
    await one.course.catch_up()
    assert (await one.index.blocks_of(SUBJECT), await holds(one, str(cid))) == ((), False)
    with pytest.raises(IntegrityError):
        await one.keys.of(subject_domain(SUBJECT))
    await one.close()
