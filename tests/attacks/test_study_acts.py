"""Acts of a study that were changed, replayed, backdated, written by others, or cut short between chain and journal."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.model import StudyRole, StudyState
from gateway.errors import CallerError, ConflictError, DeniedError, UpstreamError
from gateway.identity.model import Role
from gateway.ids import StudyId
from gateway.trials import acts
from tests.attacks.inside import Somebody, inside
from tests.attacks.study import REGISTRATION, SCHEME, Site, sign, site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inside(Path(tmp_path_factory.mktemp("acts"))) as running:
        yield await site(running)


@pytest_asyncio.fixture(loop_scope="module")
async def world(people: Site) -> Site:
    """An open study of its own."""
    made = people.another()
    await made.prepare(allocate=True)
    return made


class Cut:
    """Stands before the audit, and fails once where an entry of a study would become durable."""

    def __init__(self, audit: Any) -> None:
        self._audit = audit
        self.cuts = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._audit, name)

    async def append(self, event: Any, **more: Any) -> Any:
        if event.action.startswith("STUDY_") and more.get("rows") and self.cuts:
            self.cuts -= 1
            raise UpstreamError("the disk is full")
        return await self._audit.append(event, **more)


async def cut_short(world: Site, who: Somebody, act: str, **members: Any) -> tuple[Any, bytes]:
    """Drafted, signed and relayed; the entry is not written. The act and its signature."""
    studies: Any = world.inside.gateway.trials._studies
    draft = await world.draft(who, act, **members)
    signature = sign(who, draft.typed_data)
    audit = studies._audit
    studies._audit = Cut(audit)
    try:
        with pytest.raises(UpstreamError):
            await world.inside.gateway.trials.submit(await world.caller(who), dict(draft.act), signature)
    finally:
        studies._audit = audit
    return dict(draft.act), signature


async def entries(world: Site) -> int:
    return (await world.standing()).number + 1


# ---- another's, another text, another time


async def test_an_act_of_another_is_refused_whoever_signs_it(world: Site) -> None:
    draft = await world.draft(world.sponsor, "site", site="703", name="Third hospital")
    with pytest.raises(CallerError) as refused:
        await world.submit(world.investigator, draft, signer=world.sponsor)
    assert refused.value.field == ("act", "by")
    with pytest.raises(CallerError) as refused:
        await world.submit(world.investigator, draft, changed={"by": world.investigator.actor.hex()})
    assert refused.value.field == ("act", "by")
    assert "703" not in (await world.standing()).sites


async def test_a_session_without_its_key_does_nothing(world: Site) -> None:
    """What a thief of the sponsor's session can do: draft."""
    for act, members in (
        ("site", {"site": "703", "name": "Third hospital"}),
        ("freeze", {"frozen": True, "reason": "Stolen."}),
        (
            "delegate",
            {"actor": world.inside.registrar.actor.hex(), "role": "SAFETY_BOARD", "sites": [], "until": 2**33},
        ),
        ("protocol", {"registration": REGISTRATION, "reason": "Stolen."}),
    ):
        draft = await world.draft(world.sponsor, act, **members)
        with pytest.raises(CallerError) as refused:
            await world.submit(world.sponsor, draft, signer=world.monitor)
        assert refused.value.field == ("signature",)
    assert (await world.standing()).state is StudyState.OPEN


@pytest.mark.parametrize(
    "changed",
    [{"name": "Another hospital"}, {"site": "799"}, {"salt": "00" * 32}, {"at": int(time.time()) - 60}],
    ids=["name", "site", "salt", "at"],
)
async def test_an_act_that_was_changed_after_its_draft_is_not_signed(world: Site, changed: dict[str, Any]) -> None:
    draft = await world.draft(world.sponsor, "site", site="703", name="Third hospital")
    with pytest.raises(CallerError) as refused:
        await world.submit(world.sponsor, draft, changed=changed)
    assert refused.value.field == ("signature",)


@pytest.mark.parametrize(
    "seconds", [-2 * 86_400, -86_400, 3_600], ids=["the day before yesterday", "yesterday", "later"]
)
async def test_backdating_is_refused_though_it_is_signed(world: Site, seconds: int) -> None:
    trials = world.inside.gateway.trials
    draft = await world.draft(world.sponsor, "site", site="703", name="Third hospital")
    tree = {**draft.act, "at": int(time.time()) + seconds}
    signature = sign(world.sponsor, trials._typed(acts.read_act(tree)))
    with pytest.raises(CallerError) as refused:
        await trials.submit(await world.caller(world.sponsor), tree, signature)
    assert refused.value.field == ("act", "at")


async def test_an_act_of_another_study_is_no_act_of_this_one(people: Site, world: Site) -> None:
    other = people.another()
    await other.prepare()
    draft = await world.draft(world.sponsor, "site", site="703", name="Third hospital")
    with pytest.raises(CallerError) as refused:
        await world.submit(world.sponsor, draft, changed={"study": other.study.hex()})
    assert refused.value.field == ("signature",)


async def test_nobody_takes_the_name_of_a_study(world: Site) -> None:
    draft = await world.draft(world.sponsor, "register", title="Again")
    salt = (await world.standing()).salt.hex()
    with pytest.raises(ConflictError):
        await world.submit(world.sponsor, draft, changed={"study": world.study.hex(), "salt": salt})
    with pytest.raises(CallerError) as refused:
        await world.submit(world.sponsor, draft, changed={"study": "11" * 32})
    assert refused.value.field == ("act", "study")


async def test_only_an_organization_registers(world: Site) -> None:
    with pytest.raises(DeniedError):
        await world.draft(world.investigator, "register", title="Mine")


async def test_who_has_no_part_is_refused_as_if_there_were_no_study(world: Site) -> None:
    stranger = await world.inside.person(Role.CLINICIAN)
    told = set()
    for study in (world.study.hex(), "77" * 32):
        with pytest.raises(DeniedError) as refused:
            await world.inside.gateway.trials.draft(
                await world.caller(stranger), {"act": "site", "study": study, "site": "703", "name": "x"}
            )
        told.add((str(refused.value), refused.value.field))
    assert len(told) == 1
    assert await world.inside.gateway.trials.get(await world.caller(stranger), world.study) is None


@pytest.mark.parametrize("subject", ["zz", "", "0x" + "11" * 31, "AB" * 32, "11" * 31])
@pytest.mark.parametrize("act", ["enrol", "withdraw", "sign", "unblind"])
async def test_a_subject_that_is_no_name_is_refused_by_its_field(world: Site, act: str, subject: str) -> None:
    trials = world.inside.gateway.trials
    members: dict[str, Any] = {
        "enrol": {"key": "1", "site": "701", "consent": "00" * 32},
        "withdraw": {"reason": "x", "goes": False},
        "sign": {"meaning": 0, "forms": []},
        "unblind": {"reason": "x", "name": "00" * 32},
    }[act]
    tree = {
        "act": act,
        "study": world.study.hex(),
        "by": "",
        "at": int(time.time()),
        "salt": "22" * 32,
        "subject": subject,
        **members,
    }
    stranger = await world.inside.person(Role.CLINICIAN)
    for who in (world.investigator, stranger):
        with pytest.raises(CallerError) as refused:
            await trials.submit(await world.caller(who), {**tree, "by": who.actor.hex()}, b"")
        assert refused.value.field == ("act", "subject")


# ---- again


async def test_what_is_submitted_twice_is_done_once(world: Site) -> None:
    draft = await world.draft(world.sponsor, "site", site="703", name="Third hospital")
    await world.submit(world.sponsor, draft)
    before = await entries(world)
    await world.submit(world.sponsor, draft)
    assert await entries(world) == before


async def test_a_replayed_delegation_brings_nobody_back(world: Site) -> None:
    draft = await world.draft(
        world.sponsor, "delegate", actor=world.monitor.actor.hex(), role="MONITOR", sites=["701"], until=2**33
    )
    await world.submit(world.sponsor, draft)
    await world.act(world.sponsor, "delegate", actor=world.monitor.actor.hex(), role="MONITOR", sites=["701"], until=0)
    study = await world.submit(world.sponsor, draft)
    assert study.roles_of((world.monitor.actor,), site=None, now=time.time()) == frozenset()


async def test_who_has_no_part_any_more_is_told_nothing_for_an_act_of_before(world: Site) -> None:
    draft = await world.draft(
        world.investigator,
        "delegate",
        actor=world.coordinator.actor.hex(),
        role="COORDINATOR",
        sites=["701"],
        until=int(time.time()) + 60,
    )
    await world.submit(world.investigator, draft)
    await world.act(
        world.sponsor, "delegate", actor=world.investigator.actor.hex(), role="INVESTIGATOR", sites=["701"], until=0
    )
    with pytest.raises(DeniedError):
        await world.submit(world.investigator, draft)


async def test_an_investigator_takes_no_coordinator_from_another_site(world: Site) -> None:
    """The newest delegation of an actor and role counts: one for 701 would end the sponsor's for 702."""
    until = int(time.time()) + 3_600
    await world.act(
        world.sponsor, "delegate", actor=world.coordinator.actor.hex(), role="COORDINATOR", sites=["702"], until=until
    )
    with pytest.raises(CallerError) as refused:
        await world.delegate(world.coordinator, "COORDINATOR", ["701"], by=world.investigator)
    assert refused.value.field == ("act", "actor")
    roles = (await world.standing()).roles_of((world.coordinator.actor,), site="702", now=time.time())
    assert roles == {StudyRole.COORDINATOR}


async def test_an_investigator_hands_on_nothing_but_coordination_of_their_sites(world: Site) -> None:
    somebody = await world.inside.person(Role.CLINICIAN)
    for role, sites in (("COORDINATOR", ["702"]), ("COORDINATOR", []), ("MONITOR", ["701"]), ("SPONSOR", ["701"])):
        with pytest.raises(CallerError) as refused:
            await world.delegate(somebody, role, sites, by=world.investigator)
        assert refused.value.field == ("act", "by")


# ---- cut short


@pytest.mark.parametrize(
    ("act", "members"),
    [
        ("protocol", {"registration": REGISTRATION, "reason": "A second dose."}),
        ("site", {"site": "703", "name": "Third hospital"}),
    ],
    ids=["on chain first", "in the journal alone"],
)
async def test_an_act_that_was_cut_short_is_completed_when_it_comes_again(
    world: Site, act: str, members: dict[str, Any]
) -> None:
    before = await entries(world)
    tree, signature = await cut_short(world, world.sponsor, act, **members)
    assert await entries(world) == before
    await world.inside.gateway.trials.submit(await world.caller(world.sponsor), tree, signature)
    assert await entries(world) == before + 1


async def test_a_registration_an_allocation_and_an_opening_that_were_cut_short_are_completed(people: Site) -> None:
    made = people.another()
    trials = made.inside.gateway.trials
    tree, signature = await cut_short(made, made.sponsor, "register", title="Pilot")
    study = await trials.submit(await made.caller(made.sponsor), tree, signature)
    made.study = StudyId(study.study)
    await made.act(made.sponsor, "protocol", registration=REGISTRATION)
    tree, signature = await cut_short(made, made.sponsor, "allocate", scheme=SCHEME)
    study = await trials.submit(await made.caller(made.sponsor), tree, signature)
    assert study.allocation is not None
    tree, signature = await cut_short(made, made.sponsor, "open")
    assert (await made.on_chain()).is_open
    assert (await made.standing()).state is StudyState.PLANNED
    study = await trials.submit(await made.caller(made.sponsor), tree, signature)
    assert study.state is StudyState.OPEN


async def test_a_lock_that_was_cut_short_locks_at_once_and_is_entered_when_it_comes_again(world: Site) -> None:
    await world.act(world.sponsor, "freeze", frozen=True, reason="Cleaning.")
    tree, signature = await cut_short(world, world.sponsor, "lock")
    study = await world.standing()
    assert (study.state, study.noted) == (StudyState.LOCKED, StudyState.FROZEN)
    before = await entries(world)
    study = await world.inside.gateway.trials.submit(await world.caller(world.sponsor), tree, signature)
    assert (study.state, study.noted) == (StudyState.LOCKED, StudyState.LOCKED)
    assert await entries(world) == before + 1


async def test_a_freeze_that_was_cut_short_before_the_chain_holds_and_goes_on(world: Site) -> None:
    trials: Any = world.inside.gateway.trials
    draft = await world.draft(world.sponsor, "freeze", frozen=True, reason="Cleaning.")
    follow = trials._follow

    async def cut(*_: object) -> None:
        raise UpstreamError("the chain is away")

    trials._follow = cut
    try:
        with pytest.raises(UpstreamError):
            await world.submit(world.sponsor, draft)
    finally:
        trials._follow = follow
    assert not (await world.on_chain()).is_frozen
    assert (await world.standing()).state is StudyState.FROZEN
    await world.submit(world.sponsor, draft)
    assert (await world.on_chain()).is_frozen


async def test_a_freeze_that_the_chain_lacks_is_not_undone_by_an_opening(people: Site) -> None:
    made = people.another()
    await made.register()
    await made.act(made.sponsor, "protocol", registration=REGISTRATION)
    trials: Any = made.inside.gateway.trials
    follow = trials._follow

    async def cut(*_: object) -> None:
        raise UpstreamError("the chain is away")

    trials._follow = cut
    try:
        with pytest.raises(UpstreamError):
            await made.act(made.sponsor, "freeze", frozen=True, reason="Not yet.")
    finally:
        trials._follow = follow
    study = await made.act(made.sponsor, "open")
    assert study.state is StudyState.FROZEN
