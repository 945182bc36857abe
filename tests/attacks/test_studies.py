"""A study, from its registration to its lock, against whoever should not change it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.consent.model import StudyState
from tests.attacks.inside import inside
from tests.attacks.study import Site, site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inside(Path(tmp_path_factory.mktemp("study"))) as running:
        yield await site(running)


async def test_the_whole_road(world: Site) -> None:
    await world.prepare(allocate=True)
    subject = await world.enrol("701-1001")
    made = await world.capture(subject, "190")
    assert len(made.queries) == 1
    gateway = world.inside.gateway
    queries = await gateway.capturing.queries(await world.caller(world.monitor), world.study, subject.subject)
    assert [one.rule for one in queries] == ["RANGE"]
    study = await gateway.allocations.assign(await world.caller(world.coordinator), world.study, subject.subject, {})
    assert subject.subject in study.assigned
    study = await world.act(world.sponsor, "freeze", frozen=True, reason="Cleaning.")
    assert study.state is StudyState.FROZEN
    study = await world.act(world.sponsor, "lock")
    assert study.state is StudyState.LOCKED
