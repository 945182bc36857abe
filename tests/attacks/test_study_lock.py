"""Edits after the lock, and beside it, through every path there is."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.model import StudyState
from gateway.errors import ConflictError, ConsentryError, DeniedError
from gateway.ports.rows import CallRow
from gateway.records.model import Amendment, NewBundle, NewRecord
from gateway.trials import acts
from gateway.trials.capturing import Capturing
from gateway.wiring.studying import StudyRooms, make_studies, make_study_rooms
from tests.attacks.inside import inside
from tests.attacks.study import REGISTRATION, Site, sign, site

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESULTS = [
    {"kind": "PRIMARY", "measure": "Systolic blood pressure", "timeFrame": "week 24"},
    {"kind": "SECONDARY", "measure": "Weight", "timeFrame": "week 24"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inside(Path(tmp_path_factory.mktemp("lock"))) as running:
        yield await site(running)


@pytest_asyncio.fixture(loop_scope="module")
async def world(people: Site) -> Site:
    """An open study of its own with one subject and one form."""
    made = people.another()
    await made.prepare(allocate=True)
    await made.capture(await made.enrol("701-1001"))
    return made


async def form_of(world: Site) -> Any:
    caller = await world.caller(world.coordinator)
    (found,) = await world.inside.gateway.capturing.forms(caller, world.study, world.subjects[0].subject)
    return found


def freezing(world: Site, seq: int, *, frozen: bool = True) -> CallRow:
    """The registry's call, as the sponsor signs it beside the gateway."""
    trials: Any = world.inside.gateway.trials
    act = acts.Freeze(
        study=world.study.hex(),
        by=world.sponsor.actor.hex(),
        at=int(time.time()),
        salt="11" * 32,
        frozen=frozen,
        seq=seq,
        reason="Past the gateway.",
    )
    made: CallRow = trials._call(act, sign(world.sponsor, trials._typed(act)))
    return made


async def locking(world: Site, *, signer: Any = None) -> CallRow:
    """As `freezing`, of a lock of what the chain has."""
    trials: Any = world.inside.gateway.trials
    found = await world.on_chain()
    act = acts.Lock(
        study=world.study.hex(),
        by=world.sponsor.actor.hex(),
        at=int(time.time()),
        salt="11" * 32,
        head=found.head.hex(),
        records=found.records,
        assigned=found.assigned,
        seq=found.seq + 1,
    )
    made: CallRow = trials._call(act, sign(signer or world.sponsor, trials._typed(act)))
    return made


async def captured_within(world: Site, seconds: float) -> list[float]:
    """When captures were still taken, counted from now, until the first refusal."""
    begun, taken = time.monotonic(), []
    for at in range(1_000):
        try:
            await world.capture(world.subjects[0], "120", repeat=f"late-{at}")
        except ConsentryError:
            return taken
        taken.append(time.monotonic() - begun)
        assert taken[-1] < seconds, taken
    raise AssertionError("captures go on")


# ---- through the services


async def test_a_locked_study_takes_nothing_through_any_service(world: Site) -> None:
    form, subject = await form_of(world), world.subjects[0]
    response, capturing = await world.response("130"), world.inside.gateway.capturing
    second = await world.response("130", repeat="2")
    records = world.inside.gateway.records
    await world.lock()
    caller = await world.caller(world.coordinator)
    bundle: Any = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": second}]}
    whose, study = subject.subject, world.study
    for attempt in (
        capturing.capture(caller, study, whose, (second,)),
        capturing.capture(caller, study, whose, (second,), as_found=True, idempotency_key="late"),
        capturing.change(caller, study, whose, form.record, response, expected_version=1, reason="Late."),
        capturing.raise_query(await world.caller(world.monitor), study, whose, form.record, item="", text="Late?"),
        records.create(
            caller, NewRecord(subject=whose, resource=second, labels=None, idempotency_key=None, study=study)
        ),
        records.import_bundle(caller, NewBundle(subject=whose, bundle=bundle, idempotency_key=None, study=study)),
        records.amend(
            caller,
            Amendment(
                record=form.record,
                expected_version=1,
                resource=response,
                labels=None,
                idempotency_key=None,
                study=study,
                reason="Late.",
            ),
        ),
        records.amend(
            caller,
            Amendment(record=form.record, expected_version=1, resource=response, labels=None, idempotency_key=None),
        ),
        records.amend(
            await world.caller(subject.who),
            Amendment(record=form.record, expected_version=1, resource=response, labels=None, idempotency_key=None),
        ),
        world.inside.gateway.allocations.assign(caller, study, whose, {}),
    ):
        with pytest.raises((DeniedError, ConflictError)):
            await attempt
    assert (await form_of(world)).version == 1


async def test_a_locked_study_takes_no_act_but_results_and_signatures(world: Site) -> None:
    form = await form_of(world)
    await world.lock()
    late: tuple[tuple[str, dict[str, Any]], ...] = (
        ("protocol", {"registration": REGISTRATION, "reason": "Switched."}),
        ("site", {"site": "703", "name": "Third"}),
        ("delegate", {"actor": world.monitor.actor.hex(), "role": "MONITOR", "sites": [], "until": 2**32}),
        ("withdraw", {"subject": world.subjects[0].subject.hex(), "reason": "Late."}),
        ("freeze", {"frozen": False, "reason": "Thaw."}),
        ("lock", {}),
        ("terms", {"terms": world.terms.hex(), "keeps": True}),
    )
    for act, members in late:
        with pytest.raises(ConflictError):
            await world.act(world.sponsor, act, **members)
    signed = [{"record": form.record.hex(), "version": form.version}]
    await world.act(world.investigator, "sign", subject=world.subjects[0].subject.hex(), meaning=2, forms=signed)
    study = await world.act(world.sponsor, "publish", outcomes=RESULTS, summary="As promised.")
    assert len(study.results) == 1


async def test_results_come_after_the_lock_and_every_version_stays(world: Site) -> None:
    with pytest.raises(ConflictError):
        await world.act(world.sponsor, "publish", outcomes=RESULTS, summary="Early.")
    await world.lock()
    await world.act(world.sponsor, "publish", outcomes=RESULTS, summary="As promised.")
    await world.act(world.sponsor, "publish", outcomes=RESULTS[1:], summary="Better looking.")
    study = await world.standing()
    assert [one.number for one in study.results] == [1, 2]
    compared = await world.inside.gateway.study_showing.comparison(study)
    assert compared is not None
    assert "Systolic blood pressure" in str(asdict(compared))  # what was promised and is told no more


# ---- straight to the chain


async def test_a_freeze_sent_straight_to_the_chain_stops_captures(world: Site) -> None:
    assert world.to_chain(freezing(world, 1))
    assert await captured_within(world, 2.0) == []
    assert (await world.standing()).state is StudyState.FROZEN


async def test_a_lock_sent_straight_to_the_chain_stops_captures(world: Site) -> None:
    assert world.to_chain(await locking(world))
    assert await captured_within(world, 2.0) == []
    assert (await world.standing()).state is StudyState.LOCKED


async def test_nobody_but_the_sponsor_freezes_or_locks_on_the_chain(world: Site) -> None:
    assert not world.to_chain(await locking(world, signer=world.investigator))
    assert (await world.standing()).state is StudyState.OPEN


async def test_after_the_lock_the_chain_takes_neither_data_nor_places_nor_versions(world: Site) -> None:
    registries: Any = world.inside.gateway.trials._registries
    await world.lock()
    for call in (
        registries.record_data(study=world.study, root=b"\x11" * 32, count=1),
        registries.assign(study=world.study, subject=b"\x11" * 32, stratum=0, position=0, arm=b"\x22" * 32, path=[]),
        freezing(world, 2, frozen=False),
    ):
        assert not world.to_chain(call)
    outcome = await relayed(world, registries.record_data(study=world.study, root=b"\x33" * 32, count=1))
    assert type(outcome).__name__ == "Reverted"


async def relayed(world: Site, call: CallRow) -> Any:
    """By the gateway's own accounts, as a worker that was taken over would."""
    trials: Any = world.inside.gateway.trials
    await trials._index.apply((call,))
    trials._chain.wake()
    return await trials._chain.outcome(call.call, timeout=20.0, confirmed=True)


async def test_what_was_captured_beside_the_roots_is_not_locked_away(world: Site) -> None:
    """Frozen straight on the chain, so no root was taken: the gateway locks nothing that is under none."""
    assert world.to_chain(freezing(world, 1))
    await captured_within(world, 2.0)
    with pytest.raises(ConflictError):
        await world.act(world.sponsor, "lock")
    await world.act(world.sponsor, "freeze", frozen=False, reason="Not all is under a root.")
    assert (await world.lock()).state is StudyState.LOCKED
    assert (await world.on_chain()).records == (await world.standing()).recorded


async def test_a_root_that_the_chain_refused_is_taken_once_more(world: Site) -> None:
    """The chain is frozen by the sponsor's own hand between entry and call of a root of data."""
    studies: Any = world.inside.gateway.trials._studies
    append = studies.append

    async def frozen_first(*given: Any, **more: Any) -> bool:
        if isinstance(given[2][0].act, acts.RecordData):
            studies.append = append
            assert world.to_chain(freezing(world, 1))
        return bool(await append(*given, **more))

    studies.append = frozen_first
    with pytest.raises(ConsentryError):
        await world.inside.gateway.trials.record_data(await world.caller(world.sponsor), world.study)
    assert (await world.on_chain()).records == 0
    await until(world, StudyState.FROZEN)
    await world.act(world.sponsor, "freeze", frozen=False, reason="On.")
    assert (await world.lock()).state is StudyState.LOCKED
    found = await world.on_chain()
    assert found.records == (await world.standing()).recorded > 0


async def until(world: Site, state: StudyState) -> None:
    for _ in range(200):
        if (await world.standing()).state is state:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the study is not {state}")


async def test_a_lock_is_of_the_assignments_that_the_chain_has(world: Site) -> None:
    """Somebody looks while an assignment is on its way: what is kept of the chain then is not what is locked."""
    studies: Any = world.inside.gateway.trials._studies
    await world.act(world.sponsor, "freeze", frozen=True, reason="Cleaning.")
    await world.act(world.sponsor, "freeze", frozen=False, reason="One more.")
    await world.assign(world.subjects[0])
    held = await studies.held(world.study)
    await world.act(world.sponsor, "freeze", frozen=True, reason="Cleaning.")
    held = await studies.held(world.study)
    object.__setattr__(held.study, "chain", None)  # as stale as can be
    assert (await world.act(world.sponsor, "lock")).state is StudyState.LOCKED


# ---- at once


async def test_of_captures_and_a_freeze_at_once_all_that_were_taken_are_under_the_lock(world: Site) -> None:
    async def capturing(at: int) -> bool:
        try:
            await world.capture(world.subjects[0], "120", repeat=f"race-{at}")
        except ConsentryError:
            return False
        return True

    tasks = [asyncio.create_task(capturing(at)) for at in range(12)]
    await asyncio.sleep(0.05)
    await world.act(world.sponsor, "freeze", frozen=True, reason="Now.")
    taken = sum(await asyncio.gather(*tasks))
    await world.act(world.sponsor, "lock")
    study, chain = await world.standing(), await world.on_chain()
    numbers = world.rows("select number from study_entries where study = ? and kind = 4", world.study)
    assert len(numbers) == taken + 1
    assert all(number < study.recorded for (number,) in numbers)
    assert chain.records == study.recorded


async def test_of_two_replicas_at_once_all_that_was_taken_is_under_the_lock(world: Site) -> None:
    """Two gateways' rooms on one database, with nothing of each other's memory: both capture, one freezes."""
    other = replica(world)

    async def capturing(room: Capturing, at: int) -> bool:
        response = await world.response("120", repeat=f"race-{at}")
        try:
            caller = await world.caller(world.coordinator)
            await room.capture(caller, world.study, world.subjects[0].subject, (response,))
        except ConsentryError:
            return False
        return True

    rooms = (world.inside.gateway.capturing, other.capturing)
    tasks = [asyncio.create_task(capturing(rooms[at % 2], at)) for at in range(12)]
    await asyncio.sleep(0.2)
    draft = await other.trials.draft(
        await world.caller(world.sponsor),
        {"act": "freeze", "study": world.study.hex(), "frozen": True, "reason": "Now."},
    )
    signature = sign(world.sponsor, draft.typed_data)
    await other.trials.submit(await world.caller(world.sponsor), dict(draft.act), signature)
    taken = sum(await asyncio.gather(*tasks))
    await world.act(world.sponsor, "lock")
    study = await world.standing()
    numbers = world.rows("select number from study_entries where study = ? and kind = 4", world.study)
    assert len(numbers) == taken + 1
    assert all(number < study.recorded for (number,) in numbers)
    world.forget()
    journal: Any = world.inside.gateway.trials._journal
    entries = await journal.read(world.study, limit=1_000)  # no gap, and each behind the one before
    assert len(entries) == study.number + 1


async def test_of_two_replicas_two_places_are_given_and_one_form_is_kept(world: Site) -> None:
    other, second = replica(world), await world.enrol("701-1002")
    caller, form = await world.caller(world.coordinator), await world.response("130", repeat="2")
    first = world.subjects[0].subject
    await asyncio.gather(
        world.inside.gateway.allocations.assign(caller, world.study, first, {}),
        other.allocations.assign(caller, world.study, second.subject, {}),
    )
    study = await world.standing()
    assert sorted(one.position for one in study.assigned.values()) == [0, 1]
    rooms = (world.inside.gateway.capturing, other.capturing)
    answers = await asyncio.gather(
        *(room.capture(caller, world.study, first, (form,)) for room in (*rooms, *rooms)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in answers) == 1


def replica(world: Site) -> StudyRooms:
    """Rooms of another gateway: what they keep in memory is their own."""
    gateway: Any = world.inside.gateway
    trials = gateway.trials
    shared: dict[str, Any] = {
        "index": trials._index,
        "anchors": trials._anchors,
        "registries": trials._registries,
        "audit": trials._studies._audit,
        "bus": gateway.bus,
        "clock": trials._clock,
    }
    journal, studies = make_studies(documents=trials._journal._documents, keys=trials._journal._keys, **shared)
    return make_study_rooms(
        studies,
        journal,
        identity=gateway.identity,
        standings=gateway._standings,
        grounds=gateway.capturing._sight._grounds,
        records=gateway.records,
        numbers=gateway.aggregates,
        own=gateway.allocations._sealing,
        ring=trials._leaving._keys,
        chain=trials._chain,
        entropy=trials._entropy,
        origin=gateway.trail_files._origin,
        **shared,
    )
