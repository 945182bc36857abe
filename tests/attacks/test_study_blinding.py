"""Whoever would know an arm, choose one, or change the list."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.model import StudyState
from gateway.errors import CallerError, ConflictError, DeniedError
from gateway.identity.model import Role
from gateway.slices import Slice
from gateway.trials import acts
from tests.attacks.inside import inside
from tests.attacks.study import SCHEME, Site, Subject, sign, site, tomorrow

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inside(Path(tmp_path_factory.mktemp("blinding"))) as running:
        yield await site(running)


@pytest_asyncio.fixture(loop_scope="module")
async def world(people: Site) -> Site:
    made = people.another()
    await made.prepare(allocate=True)
    return made


async def position_of(world: Site, subject: Subject) -> int:
    return (await world.standing()).assigned[subject.subject].position


async def arm_of(world: Site, who: Any, subject: Subject) -> str:
    told = await world.inside.gateway.allocations.arm(await world.caller(who), world.study, subject.subject)
    return told.place.arm


# ---- peeking


async def test_nobody_who_treats_monitors_or_sponsors_is_told_an_arm(world: Site) -> None:
    subject = await world.enrol("701-1001")
    await world.assign(subject)
    stranger = await world.inside.person(Role.CLINICIAN)
    for who in (world.sponsor, world.investigator, world.coordinator, world.monitor, subject.who, stranger):
        with pytest.raises(DeniedError):
            await arm_of(world, who, subject)


async def test_a_broken_blind_is_broken_for_one_subject_and_one_person(world: Site) -> None:
    first, second = await world.enrol("701-1001"), await world.enrol("701-1002")
    await world.assign(first)
    await world.assign(second)
    await world.act(world.investigator, "unblind", subject=first.subject.hex(), reason="Anaphylaxis.")
    assert await arm_of(world, world.investigator, first) in {"Active", "Placebo"}
    for who, subject in ((world.investigator, second), (world.coordinator, first), (world.sponsor, first)):
        with pytest.raises(DeniedError):
            await arm_of(world, who, subject)
    (log,) = [
        one
        for one in (await _log(world, first)).events
        if one.action == "STUDY_UNBLIND" and one.actor == world.investigator.actor
    ]
    assert log.outcome.value == "PERMITTED"


async def _log(world: Site, subject: Subject) -> Any:
    return await world.inside.gateway.audit._audit.log(subject.subject, part=Slice(size=50))


async def test_only_who_may_breaks_the_blind(world: Site) -> None:
    subject = await world.enrol("701-1001")
    await world.assign(subject)
    for who in (world.coordinator, world.monitor):
        with pytest.raises(CallerError):
            await world.act(who, "unblind", subject=subject.subject.hex(), reason="Curious.")
    assert (await world.standing()).unblinded == {}


async def test_the_sponsor_gives_nobody_of_its_own_the_eyes_of_the_board(world: Site) -> None:
    for who in (world.sponsor, world.investigator, world.coordinator, world.monitor):
        with pytest.raises(CallerError) as refused:
            await world.delegate(who, "SAFETY_BOARD", [])
        assert refused.value.field == ("act", "role")
    board = await world.inside.person(Role.CLINICIAN)
    await world.delegate(board, "SAFETY_BOARD", [])
    for role in ("INVESTIGATOR", "COORDINATOR", "MONITOR", "SPONSOR"):
        with pytest.raises(CallerError) as refused:
            await world.delegate(board, role, ["701"])
        assert refused.value.field == ("act", "role")
    subject = await world.enrol("701-1001")
    await world.assign(subject)
    assert await arm_of(world, board, subject) in {"Active", "Placebo"}


async def test_a_member_of_the_sponsors_organization_on_the_board_is_told_nothing(world: Site) -> None:
    member = await world.inside.person(Role.CLINICIAN)
    identity = world.inside.gateway.identity
    draft = await identity.draft_membership(
        await world.caller(world.sponsor),
        organization=world.sponsor.actor,
        member=member.actor,
        not_after=tomorrow(),
    )
    await identity.add_member(
        await world.caller(world.sponsor),
        typed_data=draft.typed_data,
        signature=sign(world.sponsor, draft.typed_data),
    )
    await world.delegate(member, "SAFETY_BOARD", [])
    subject = await world.enrol("701-1001")
    await world.assign(subject)
    with pytest.raises(DeniedError):
        await arm_of(world, member, subject)


async def test_what_anybody_is_given_before_the_lock_opens_no_place(world: Site) -> None:
    """The trail, the standing and the draft of the list: none holds the seed or an arm's name."""
    subject = await world.enrol("701-1001")
    await world.assign(subject)
    caller = await world.caller(world.sponsor)
    trail = await world.inside.gateway.study_showing.trail(caller, world.study, after=-1, limit=100)
    told = b"".join(one.octets or b"" for one in trail)
    made = await world.inside.gateway.allocations.list_of(await world.standing())
    for place in (place for stratum in made.allocation.strata for place in stratum):
        assert place.salt.hex().encode() not in told
    for name in ("Active", "Placebo"):  # in the scheme, once, and nowhere else
        assert told.count(name.encode()) == 1


async def test_after_the_lock_every_arm_opens_and_verifies(world: Site) -> None:
    subject = await world.enrol("701-1001")
    await world.assign(subject)
    assert (await world.lock()).state is StudyState.LOCKED
    told = await world.inside.gateway.allocations.arm(
        await world.caller(world.coordinator), world.study, subject.subject
    )
    assert told.root == (await world.on_chain()).allocation
    stranger = await world.inside.person(Role.CLINICIAN)
    with pytest.raises(DeniedError):
        await arm_of(world, stranger, subject)


# ---- choosing


async def test_a_list_is_committed_to_once_and_before_enrolment_opens(world: Site, people: Site) -> None:
    with pytest.raises(ConflictError):
        await world.act(world.sponsor, "allocate", scheme=SCHEME)
    late = people.another()
    await late.prepare()
    with pytest.raises(ConflictError):
        await late.act(late.sponsor, "allocate", scheme=SCHEME)


async def test_a_list_that_was_changed_after_its_draft_is_none(people: Site) -> None:
    made = people.another()
    await made.register()
    draft = await made.draft(made.sponsor, "allocate", scheme=SCHEME)
    other = await made.draft(made.sponsor, "allocate", scheme=SCHEME)
    for changed in (
        {"root": other.act["root"]},
        {"seed": other.act["seed"]},
        {"size": 40},
        {"scheme": {**SCHEME, "arms": [{"arm": "Active", "share": 3}, {"arm": "Placebo", "share": 1}]}},
        {"seed": "zz"},
        {"seed": "00" * 64},
    ):
        tree = {**draft.act, **changed}
        signature = sign(made.sponsor, made.inside.gateway.trials._typed(acts.read_act(tree)))
        with pytest.raises(CallerError):
            await made.inside.gateway.trials.submit(await made.caller(made.sponsor), tree, signature)
    assert (await made.standing()).allocation is None


async def test_a_subject_gets_one_place_whoever_asks_and_how_often(world: Site) -> None:
    subject = await world.enrol("701-1001")
    await world.assign(subject)
    await world.assign(subject, who=world.investigator)
    assert (await world.on_chain()).assigned == 1


async def test_two_at_once_get_two_places(world: Site) -> None:
    subjects = [await world.enrol(f"701-100{at}") for at in range(4)]
    await asyncio.gather(*(world.assign(one) for one in subjects))
    study = await world.standing()
    assert sorted(one.position for one in study.assigned.values()) == [0, 1, 2, 3]
    assert (await world.on_chain()).assigned == 4


async def test_who_was_erased_keeps_their_place(world: Site) -> None:
    """Their entry says nothing any more: the next place is not theirs once more."""
    first, second = await world.enrol("701-1001"), await world.enrol("701-1002")
    await world.assign(first)
    await world.erase(first)
    await world.assign(second)
    study = await world.standing()
    assert first.subject not in study.assigned
    assert await position_of(world, second) == 1
    assert (await world.on_chain()).assigned == 2


async def test_an_assignment_that_the_registry_refused_is_made_good(world: Site) -> None:
    """The sponsor freezes straight on the chain between entry and call: the call reverts, and the place stands in the
    journal alone. Once it is thawed, whoever comes next finds a list that goes on."""
    first, second = await world.enrol("701-1001"), await world.enrol("701-1002")
    study = await world.standing()
    trials: Any = world.inside.gateway.trials
    for frozen in (True, False):
        act = acts.Freeze(
            study=world.study.hex(),
            by=world.sponsor.actor.hex(),
            at=int(time.time()),
            salt="11" * 32,
            frozen=frozen,
            seq=(await world.on_chain()).seq + 1,
            reason="Past the gateway.",
        )
        call = trials._call(act, sign(world.sponsor, trials._typed(act)))
        if frozen:
            await _while_frozen(world, first, call)
        else:
            assert world.to_chain(call)
    await _until(world, StudyState.OPEN)
    await world.assign(second)
    await world.assign(first)
    study = await world.standing()
    assert {study.assigned[one.subject].position for one in (first, second)} == {0, 1}
    assert (await world.on_chain()).assigned == 2


async def _while_frozen(world: Site, subject: Subject, call: Any) -> None:
    """The chain is frozen after the assignment was decided on, and before its entry."""
    studies: Any = world.inside.gateway.trials._studies
    append = studies.append

    async def frozen_first(*given: Any, **more: Any) -> bool:
        assert world.to_chain(call)
        studies.append = append
        return bool(await append(*given, **more))

    studies.append = frozen_first
    with pytest.raises(ConflictError):
        await world.assign(subject)


async def _until(world: Site, state: StudyState) -> None:
    for _ in range(200):
        if (await world.standing()).state is state:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the study is not {state}")


async def test_who_revoked_their_consent_is_assigned_to_nothing(world: Site) -> None:
    subject = await world.enrol("701-1001")
    await world.inside.revoke(subject.who, subject.subject, subject.consent)
    with pytest.raises(ConflictError):
        await world.assign(subject)
    assert (await world.on_chain()).assigned == 0


async def test_only_who_captures_at_the_subjects_site_assigns(world: Site) -> None:
    subject = await world.enrol("701-1001")
    elsewhere = await world.inside.person(Role.CLINICIAN)
    await world.delegate(elsewhere, "INVESTIGATOR", ["702"])
    for who in (world.sponsor, world.monitor, elsewhere, subject.who):
        with pytest.raises(DeniedError):
            await world.assign(subject, who=who)


async def test_an_unblinding_of_another_name_or_subject_is_refused(world: Site) -> None:
    first, second = await world.enrol("701-1001"), await world.enrol("701-1002")
    await world.assign(first)
    await world.assign(second)
    draft = await world.draft(world.investigator, "unblind", subject=first.subject.hex(), reason="Fever.")
    for changed in ({"subject": second.subject.hex()}, {"reason": "Curious."}, {"name": "11" * 32}):
        with pytest.raises(CallerError):
            await world.submit(world.investigator, replace(draft), changed=changed)
    assert (await world.standing()).unblinded == {}
