"""A journal comes back from blocks and manifests alone: what an erasure shredded keeps its place, and what is lost is
told by its number."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from anchoring.batcher import cut
from anchoring.model import Ticket
from anchoring.stores.columns import split_values
from gateway.crypto.model import DomainKind
from gateway.ports.clock import SystemEntropy
from gateway.storage.lines import line_behind, plain
from gateway.storage.model import Cid
from gateway.upkeep.report import RebuildReport
from gateway.upkeep.scratch import Scratch
from gateway.upkeep.studies import Studies
from gateway.upkeep.walk import walk
from gateway.wiring.upkeep import Manifest, read
from tests.unit.gateway.trials.study_world import ANN, BEN, OTHER_STUDY, STUDY, StudyWorld, about, study_world

ROWS = "select study, number, kind, about, entry, digest from study_entries order by study, number"
TICKETS = "select seq, log, leaf, values_, cid_digest, locator from tickets order by seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a walk and these manifests gave: leaf -> values, rows of each table, and what is said of it."""

    values: dict[bytes, tuple[bytes, ...]]
    entries: list[tuple[object, ...]]
    tickets: list[dict[str, object]]
    report: RebuildReport


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[StudyWorld]:
    async with study_world(tmp_path) as made:
        yield made


def tickets(world: StudyWorld) -> list[Ticket]:
    found = []
    for seq, log, leaf, values, digest, locator in world.sql(TICKETS):
        assert isinstance(seq, int)
        assert isinstance(log, bytes)
        assert isinstance(leaf, bytes)
        assert isinstance(values, bytes)
        assert isinstance(digest, bytes)
        assert isinstance(locator, bytes)
        found.append(
            Ticket(seq=seq, log=log, leaf=leaf, values=split_values(values), cid_digest=digest, locator=locator)
        )
    return found


def manifest(some: Sequence[Ticket]) -> Manifest:
    """As a worker would cut and IPFS would give it."""
    return read(cut(some).manifest)


async def rebuilt(world: StudyWorld, *manifests: Manifest) -> Rebuilt:
    report = RebuildReport()
    with Scratch() as scratch:
        await walk(world.blocks, world.keys, scratch, progress=lambda count: None)
        studies = Studies(scratch, report, world.anchors, keys=world.keys, entropy=SystemEntropy())
        values: dict[bytes, tuple[bytes, ...]] = {}
        for one in manifests:
            assert studies.is_ours(one)
            values |= await studies.values_of(one)
            assert not studies.is_ours(one)
        await studies.drop_forged(world.blocks)
        tables = list(studies.rows(world.keys.log.token))
    return Rebuilt(
        values=values,
        entries=[tuple(row.values()) for table, rows in tables if table == "study_entries" for row in rows],
        tickets=[row for table, rows in tables if table == "tickets" for row in rows],
        report=report,
    )


async def test_entries_that_are_anchored_come_back_with_their_leaves(world: StudyWorld) -> None:
    await world.append(about(None, ANN, BEN))
    await world.append(about(ANN), study=OTHER_STUDY)
    found = await rebuilt(world, manifest(tickets(world)))
    assert found.entries == world.sql(ROWS)
    assert found.values == {one.leaf: one.values for one in tickets(world)}
    assert (found.tickets, found.report.lost, found.report.notes) == ([], [], [])
    assert found.report.restored == {"studies": 2, "entries of studies": 4}


async def test_entries_that_no_batch_has_wait_for_one_again(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    found = await rebuilt(world)
    assert found.entries == world.sql(ROWS)
    log = world.keys.log
    for was, row in zip(tickets(world), found.tickets, strict=True):
        values, locator = row["values_"], row["locator"]
        assert isinstance(values, bytes)
        assert isinstance(locator, bytes)
        assert (row["log"], row["leaf"], row["cid_digest"]) == (was.log, was.leaf, was.cid_digest)
        assert (split_values(values), plain(locator)) == (was.values, plain(was.locator))
        line = line_behind(was.locator, digest=was.cid_digest, log=log)
        assert line_behind(locator, digest=was.cid_digest, log=log) == line


@pytest.mark.parametrize("removed", [False, True])
async def test_erased_entries_come_back_with_all_but_their_texts(world: StudyWorld, removed: bool) -> None:
    sealed, _ = await world.append(about(None, ANN, ANN, BEN, ANN))
    await world.erase(ANN)
    if removed:
        await world.blocks.remove([Cid.from_digest(sealed[at].unpinned.digest) for at in (1, 2, 4)])
    found = await rebuilt(world, manifest(tickets(world)))
    assert found.entries == world.sql(ROWS)
    assert found.values == {one.leaf: one.values for one in tickets(world)}
    assert found.report.lost == []
    assert found.report.erased == 3
    assert ["3 entries of studies are of a key that is gone" in note for note in found.report.notes] == [True]


async def test_an_entry_whose_block_is_lost_keeps_its_place_and_is_told(world: StudyWorld) -> None:
    sealed, _ = await world.append(about(None, ANN, BEN))
    await world.blocks.remove([Cid.from_digest(sealed[1].unpinned.digest)])
    found = await rebuilt(world, manifest(tickets(world)))
    assert found.entries == world.sql(ROWS)
    (lost,) = found.report.lost
    assert f"entry 1 of study {STUDY.hex()}" in lost
    assert found.report.erased == 0


async def test_an_erased_entry_that_no_batch_named_is_a_gap_that_is_told(world: StudyWorld) -> None:
    await world.append(about(None, ANN, ANN, BEN))
    await world.erase(ANN)
    first, *_ = tickets(world)
    found = await rebuilt(world, manifest([first]))
    assert [row[1] for row in found.entries] == [0, 3]
    assert found.report.lost == [f"entries 1 to 2 of study {STUDY.hex()}"]


async def test_a_copy_with_other_content_takes_no_place(world: StudyWorld) -> None:
    sealed, _ = await world.append(about(None, ANN))
    block = bytearray(sealed[1].unpinned.block)
    block[-1] ^= 1
    await world.blocks.put(bytes(block))
    found = await rebuilt(world)
    assert found.entries == world.sql(ROWS)
    assert found.report.dropped == {"forged": 1}


async def test_a_leaf_that_no_entry_of_ours_makes_is_lost_and_no_batch_of_ours(world: StudyWorld) -> None:
    await world.append(about(None, ANN))
    one, other = tickets(world)
    mixed = manifest(
        [
            Ticket(
                seq=1,
                log=one.log,
                leaf=one.leaf,
                values=one.values,
                cid_digest=other.cid_digest,
                locator=other.locator,
            )
        ]
    )
    report = RebuildReport()
    with Scratch() as scratch:
        await walk(world.blocks, world.keys, scratch, progress=lambda count: None)
        studies = Studies(scratch, report, world.anchors, keys=world.keys, entropy=SystemEntropy())
        assert not studies.is_ours(mixed)
        assert await studies.values_of(mixed) == {}
    assert len(report.lost) == 1


async def test_a_batch_of_erased_entries_is_ours_by_its_lines_alone(world: StudyWorld) -> None:
    await world.append(about(ANN, ANN))
    await world.erase(ANN)
    assert DomainKind.STUDY.value not in {one.kind for one in await world.keys.domains()}
    whole = manifest(tickets(world))
    bare = Manifest(
        log=whole.log,
        root=whole.root,
        entries=tuple((leaf, digest, plain(locator)) for leaf, digest, locator in whole.entries),
    )
    with Scratch() as scratch:
        studies = Studies(scratch, RebuildReport(), world.anchors, keys=world.keys, entropy=SystemEntropy())
        assert studies.is_ours(whole)
        assert not studies.is_ours(bare)
