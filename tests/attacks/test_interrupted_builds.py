"""A build of a data set that is cut short, taken over, or loses its workers: it costs time, and nothing else."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.model import AccessFilter
from gateway.errors import ConflictError, UpstreamError
from gateway.ids import RecordId
from gateway.ports.releases import ReleaseStage
from gateway.releases import course, working
from gateway.slices import Slice
from tests.attacks.datasets import Laboratory, Participant, laboratory
from tests.attacks.inside import inside, sign_in

PEOPLE, EACH = 24, 4


class Failing:
    """Workers of which all are gone after so many tasks."""

    def __init__(self, workers: Any, after: int) -> None:
        self._workers, self.left, self.size = workers, after, 1

    async def run(self, task: bytes) -> bytes:
        if not working._task(task).people:
            return b""  # it only starts a worker
        if self.left == 0:
            raise UpstreamError("no worker is left")
        self.left -= 1
        found: bytes = await self._workers.run(task)
        return found


async def entries(lab: Laboratory, one: Participant, release: bytes) -> int:
    """Of a patient's log, those of this release."""
    wanted = AccessFilter(actions=frozenset({"RELEASE"}), record=RecordId(release))
    page = await lab.inside.gateway.releases._audit.search(one.subject, wanted, part=Slice(size=50))
    return len(page.events)


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.02)


async def cancelled_in_the_middle_it_is_never_committed(lab: Laboratory) -> None:
    building = lab.inside.gateway.releases._course
    gathering = building._gathering
    gathering._workers = Failing(gathering._workers, 2)
    release = (await lab.request()).release
    await lab.decide(release)

    async def begun() -> bool:
        row = await building._index.release(release)
        return row is not None and row.kept > 0

    await until(begun)
    await lab.inside.gateway.releases.cancel(await lab.caller(lab.researcher), release)
    gathering._workers = gathering._workers._workers
    await building.advance()
    view = await lab.inside.gateway.releases.get(await lab.caller(lab.steward), release)
    assert view is not None
    assert view.stage is ReleaseStage.CANCELLED
    assert view.files == ()
    assert await building._index.release_segments(release) == ()


async def what_another_holds_is_left_to_it_until_it_is_silent(lab: Laboratory) -> None:
    building = lab.inside.gateway.releases._course
    building._builder = b"\1" * 32
    release = (await lab.request()).release
    index, now = building._index, int(building._clock.now())

    async def taken(*, until: int) -> None:
        while True:  # this replica may have it in hand just now
            row = await index.release(release)
            assert row is not None
            held = replace(row, builder=b"\2" * 32, held_until=until)
            with suppress(ConflictError):
                return await index.apply((course.ReleaseMoved(before=row, row=held),))

    building._gathering._workers = Failing(building._gathering._workers, 0)
    await lab.decide(release)
    await taken(until=now + 3_600)
    building._gathering._workers = building._gathering._workers._workers
    for _ in range(3):
        await building.advance()
    row = await index.release(release)
    assert row is not None
    assert (row.builder, row.kept) == (b"\2" * 32, 0)
    await taken(until=now - 1)
    await building.advance()
    assert (await lab.settled(release)).stage is ReleaseStage.RELEASED


async def test_what_is_cut_short_goes_on_and_what_is_over_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "FIRST", EACH)
    monkeypatch.setattr(course, "AT_ONCE", EACH)
    async with inside(tmp_path) as running:
        lab = await laboratory(running)
        people = await lab.patients(PEOPLE)
        await cancelled_in_the_middle_it_is_never_committed(lab)
        building = running.gateway.releases._course
        gathering = building._gathering
        gathering._workers = Failing(gathering._workers, 3)
        release = (await lab.request()).release
        await lab.decide(release)

        async def stopped() -> bool:
            row = await building._index.release(release)
            return row is not None and row.kept == 3 * EACH

        await until(stopped)
    # The gateway is gone in the middle; another starts on what it left.
    async with inside(tmp_path) as running:
        lab = Laboratory(
            inside=running,
            researcher=await sign_in(running.gateway, lab.researcher.wallet),
            steward=await sign_in(running.gateway, lab.steward.wallet),
            secret=lab.secret,
        )
        view = await lab.settled(release)
        assert view.stage is ReleaseStage.RELEASED
        files = await lab.content(await lab.open(release))
        assert len(files["people/part-00000.ndjson"].splitlines()) == PEOPLE
        counts = [await entries(lab, one, release) for one in people]
        assert counts.count(1) >= 3 * EACH, "who was gathered before is not gathered again"
        assert max(counts) <= 2
        await what_another_holds_is_left_to_it_until_it_is_silent(lab)
