"""Who writes into the database gets nobody back into a study, and no study another history."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.errors import ConsentryError, DeniedError, IntegrityError
from gateway.ids import RecordId
from gateway.ports.trials import StudyEntryKind
from tests.attacks.inside import inside
from tests.attacks.study import Site, site

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELEGATION, CAPTURE, STATE = StudyEntryKind.DELEGATION, StudyEntryKind.CAPTURE, StudyEntryKind.STATE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inside(Path(tmp_path_factory.mktemp("writer")), batch_seconds=3600.0, batch_size=16_384) as running:
        yield await site(running)


@pytest_asyncio.fixture(loop_scope="module")
async def world(people: Site) -> Site:
    """A study in which the coordinator's part has ended, and more was captured since."""
    made = people.another()
    await made.prepare()
    subject = await made.enrol("701-1001")
    await made.capture(subject)
    await made.act(
        made.sponsor, "delegate", actor=made.coordinator.actor.hex(), role="COORDINATOR", sites=["701"], until=0
    )
    await made.capture(subject, repeat="2", who=made.investigator)
    return made


async def ended(world: Site) -> int:
    """The entry that ended the coordinator's part."""
    return int(world.rows("select max(number) from study_entries where study = ? and kind = 1", world.study)[0][0])


async def reads(world: Site) -> bool:
    """Whether the coordinator is shown a form, or captures one."""
    world.forget()
    subject = world.subjects[0]
    row = world.rows("select record from records where subject = ? limit 1", subject.subject)[0][0]
    try:
        caller = await world.caller(world.coordinator)
        await world.inside.gateway.capturing.read(caller, world.study, subject.subject, RecordId(row))
    except ConsentryError:
        pass
    else:
        return True
    try:
        await world.capture(subject, repeat="3")
    except ConsentryError:
        return False
    return True


async def test_as_it_was_made_the_coordinator_has_no_part(world: Site) -> None:
    assert not await reads(world)
    with pytest.raises(DeniedError):
        await world.capture(world.subjects[0], repeat="3")


async def test_an_end_that_is_deleted_brings_nobody_back(world: Site) -> None:
    number = await ended(world)
    assert world.edit("delete from study_entries where study = ? and number = ?", world.study, number) == 1
    assert not await reads(world)


async def test_an_end_that_is_said_to_be_of_another_kind_brings_nobody_back(world: Site) -> None:
    number = await ended(world)
    for kind in (CAPTURE, StudyEntryKind.QUERY, StudyEntryKind.SIGNATURE, StudyEntryKind.RECRUITMENT):
        edit = "update study_entries set kind = ? where study = ? and number = ?"
        assert world.edit(edit, int(kind), world.study, number) == 1
        assert not await reads(world)


async def test_an_end_that_is_deleted_where_all_that_follows_is_renumbered_brings_nobody_back(world: Site) -> None:
    number = await ended(world)
    world.edit("delete from study_entries where study = ? and number = ?", world.study, number)
    edit = "update study_entries set number = number - 1 where study = ? and number > ?"
    assert world.edit(edit, world.study, number) >= 1
    assert not await reads(world)


async def test_a_delegation_of_before_that_is_copied_behind_brings_nobody_back(world: Site) -> None:
    number = await ended(world)
    last = world.rows("select max(number) from study_entries where study = ?", world.study)[0][0]
    copied = world.edit(
        "insert into study_entries (study, number, kind, about, entry, digest)"
        " select study, ?, kind, about, entry, digest from study_entries where study = ? and number = ?",
        last + 1,
        world.study,
        number - 4,
    )
    assert copied == 1
    assert not await reads(world)


async def test_what_the_chain_has_a_root_of_is_not_cut_off(world: Site) -> None:
    """The freeze and all that follows: as if it had never been frozen, thawed, and gone on."""
    number = await ended(world)
    await world.inside.gateway.trials.record_data(await world.caller(world.sponsor), world.study)
    assert world.edit("delete from study_entries where study = ? and number >= ?", world.study, number) > 1
    assert not await reads(world)
    with pytest.raises(IntegrityError):
        await world.standing()


async def test_the_journal_of_another_study_is_none(world: Site, people: Site) -> None:
    other = people.another()
    await other.prepare()
    world.edit("delete from study_entries where study = ?", world.study)
    world.edit("update study_entries set study = ? where study = ?", world.study, other.study)
    assert not await reads(world)


@pytest.mark.parametrize("forgotten", [False, True], ids=["held", "after a start"])
async def test_a_lock_is_undone_by_no_row(people: Site, forgotten: bool) -> None:
    made = people.another()
    await made.prepare()
    subject = await made.enrol("701-1001")
    await made.capture(subject)
    await made.lock()
    locked = made.rows("select max(number) from study_entries where study = ? and kind = 7", made.study)[0][0]
    made.edit("delete from study_entries where study = ? and number >= ?", made.study, locked - 1)
    made.edit("update epochs set version = version + 1 where name = ?", made.study)
    if forgotten:
        made.forget()
        with pytest.raises(IntegrityError):
            await made.standing()
    with pytest.raises(ConsentryError):
        await made.capture(subject, repeat="2")


async def test_a_version_that_is_set_back_lets_no_old_decision_stand(world: Site) -> None:
    world.edit("update epochs set version = 0 where name = ?", world.study)
    assert not await reads(world)
