"""A study, from its registration to its lock, against whoever should not change it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.consent.model import StudyState
from gateway.errors import ConsentryError, DeniedError
from gateway.identity.model import Role
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


@pytest.mark.parametrize("keeps", [True, False])
async def test_who_leaves_is_collected_no_more_and_their_data_stay_or_go_as_they_signed(
    world: Site, *, keeps: bool
) -> None:
    own = world.another()
    await own.prepare(keeps=keeps)
    leaving, staying = await own.enrol("701-1"), await own.enrol("701-2")
    for one in (leaving, staying):
        await own.capture(one)
    capturing = own.inside.gateway.capturing
    monitor = await own.caller(own.monitor)
    (form,) = await capturing.forms(monitor, own.study, leaving.subject)
    await own.withdraw(leaving)
    with pytest.raises(ConsentryError):
        await own.capture(leaving, repeat="2")
    await own.inside.revoke(leaving.who, leaving.subject, leaving.consent)
    if keeps:
        assert (await capturing.read(monitor, own.study, leaving.subject, form.record)).content
    else:
        with pytest.raises(ConsentryError):
            await capturing.read(monitor, own.study, leaving.subject, form.record)
        assert await own.inside.gateway.trials._studies.of(monitor, own.study, leaving.subject) is None
    assert (await capturing.forms(monitor, own.study, staying.subject))[0].version == 1
    await own.capture(staying, repeat="2")


async def test_an_older_version_is_read_by_whom_the_present_one_is_shown_to(world: Site) -> None:
    own = world.another()
    await own.prepare()
    subject = await own.enrol("701-3")
    (stored,) = (await own.capture(subject, "120")).records
    capturing = world.inside.gateway.capturing
    await capturing.change(
        await world.caller(world.coordinator),
        own.study,
        subject.subject,
        stored.record,
        await own.response("121"),
        expected_version=1,
        reason="Typing error.",
    )
    monitor = await world.caller(world.monitor)
    texts = [
        (await capturing.read(monitor, own.study, subject.subject, stored.record, version=one)).content
        for one in (1, 2, None)
    ]
    assert [b'"valueInteger":120' in one for one in texts] == [True, False, False]
    assert texts[1] == texts[2]
    versions = await capturing.versions(monitor, own.study, subject.subject, stored.record)
    assert [(one.version, one.reason, one.by) for one in versions] == [
        (1, "", world.coordinator.actor),
        (2, "Typing error.", world.coordinator.actor),
    ]
    stranger = await world.caller(await world.inside.person(Role.RESEARCHER))
    for version in (1, 2, 3):
        with pytest.raises(DeniedError):
            await capturing.read(stranger, own.study, subject.subject, stored.record, version=version)
    with pytest.raises(DeniedError):
        await capturing.read(monitor, own.study, subject.subject, stored.record, version=3)
