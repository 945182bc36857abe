"""Captures: what is captured twice, at once, under another definition, too much of, as it was found, and by whom."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.model import Purpose
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError, LimitError, StaleError
from gateway.identity.model import Role
from gateway.ids import RecordId, SubjectId
from gateway.ports.trials import StudyEntryKind
from gateway.slices import Slice
from gateway.trials.documents import packed
from schema.root import build_schema
from tests.attacks.inside import inside
from tests.attacks.study import DEFINITION, Site, Subject, site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    # No batch closes meanwhile: what is in the block store is of captures alone.
    async with inside(Path(tmp_path_factory.mktemp("captures")), batch_seconds=3600.0, batch_size=16_384) as running:
        yield await site(running)


@pytest_asyncio.fixture(loop_scope="module")
async def world(people: Site) -> Site:
    """An open study of its own with one subject."""
    made = people.another()
    await made.prepare()
    await made.enrol("701-1001")
    return made


async def forms(world: Site, subject: Subject | None = None) -> list[tuple[str | None, int]]:
    caller = await world.caller(world.coordinator)
    whose = (subject or world.subjects[0]).subject
    found = await world.inside.gateway.capturing.forms(caller, world.study, whose)
    return [(one.form_repeat_key, one.version) for one in found]


async def define(world: Site, document: bytes) -> None:
    sha256 = hashlib.sha256(document).hexdigest()
    await world.act(world.sponsor, "define", name="v2.xml", sha256=sha256, document=packed(document))


async def change(world: Site, record: RecordId, pressure: str, *, who: Any = None, **more: Any) -> Any:
    caller = await world.caller(who or world.coordinator)
    given: dict[str, Any] = {"expected_version": 1, "reason": "Typing error.", **more}
    response = await world.response(pressure)
    whose = world.subjects[0].subject
    return await world.inside.gateway.capturing.change(caller, world.study, whose, record, response, **given)


# ---- again, and at once


async def test_a_capture_that_comes_again_under_its_key_is_answered_alike(world: Site) -> None:
    first = await world.capture(world.subjects[0], "120", idempotency_key="a")
    again = await world.capture(world.subjects[0], "120", idempotency_key="a")
    assert [one.record for one in again.records] == [one.record for one in first.records]
    assert await forms(world) == [("1", 1)]


async def test_the_key_of_another_capture_is_refused(world: Site) -> None:
    await world.capture(world.subjects[0], "120", idempotency_key="b")
    with pytest.raises(ConflictError):
        await world.capture(world.subjects[0], "121", repeat="2", idempotency_key="b")
    assert await forms(world) == [("1", 1)]


async def test_a_form_is_captured_in_its_place_once(world: Site) -> None:
    await world.capture(world.subjects[0], "120")
    with pytest.raises(ConflictError) as refused:
        await world.capture(world.subjects[0], "121")
    assert refused.value.field == ("forms", "0")
    before = {one async for one in world.inside.gateway.blocks.pins()}
    with pytest.raises(ConflictError):
        await world.capture(world.subjects[0], "120", idempotency_key="never used")
    assert {one async for one in world.inside.gateway.blocks.pins()} == before  # a rebuild would find it


async def test_of_two_captures_of_one_place_at_once_one_is_kept(world: Site) -> None:
    answers = await asyncio.gather(
        *(world.capture(world.subjects[0], str(100 + at)) for at in range(4)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in answers) == 1
    assert all(isinstance(one, ConflictError) for one in answers if isinstance(one, BaseException))
    assert await forms(world) == [("1", 1)]


async def test_captures_of_many_places_at_once_are_all_kept_in_one_journal(world: Site) -> None:
    await asyncio.gather(*(world.capture(world.subjects[0], "120", repeat=str(at)) for at in range(6)))
    assert sorted(await forms(world)) == [(str(at), 1) for at in range(6)]
    world.forget()
    numbers = [row[0] for row in world.rows("select number from study_entries where study = ?", world.study)]
    assert sorted(numbers) == list(range(len(numbers)))


async def test_of_two_changes_at_once_one_is_kept(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    record = made.records[0].record
    answers = await asyncio.gather(change(world, record, "130"), change(world, record, "140"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Captured", "ConflictError"]
    assert await forms(world) == [("1", 2)]


# ---- another definition, study, place


async def test_a_form_of_the_definition_of_before_is_refused(world: Site) -> None:
    response = await world.response("120")
    await define(world, DEFINITION.replace(b"MDV.1", b"MDV.2"))
    caller = await world.caller(world.coordinator)
    with pytest.raises(CallerError):
        await world.inside.gateway.capturing.capture(caller, world.study, world.subjects[0].subject, (response,))
    assert await forms(world) == []


async def test_a_definition_that_comes_between_check_and_entry_lets_nothing_in(world: Site) -> None:
    capturing: Any = world.inside.gateway.capturing
    checked = capturing._checked

    def defined_meanwhile(*given: Any) -> Any:
        found = checked(*given)
        capturing._checked = checked
        asyncio.run_coroutine_threadsafe(define(world, DEFINITION.replace(b"MDV.1", b"MDV.2")), loop).result(60)
        return found

    loop = asyncio.get_running_loop()
    capturing._checked = defined_meanwhile
    with pytest.raises(ConflictError):
        await world.capture(world.subjects[0], "120")
    assert await forms(world) == []


async def test_a_form_of_another_study_is_refused(world: Site, people: Site) -> None:
    other = people.another()
    await other.prepare(definition=DEFINITION.replace(b'"S.1"', b'"S.2"'))
    subject = await other.enrol("701-1001")
    caller = await world.caller(world.coordinator)
    with pytest.raises(CallerError):
        await world.inside.gateway.capturing.capture(caller, other.study, subject.subject, (await world.response("1"),))


async def test_a_subject_of_another_study_is_nobody_here(world: Site, people: Site) -> None:
    other = people.another()
    await other.prepare()
    subject = await other.enrol("701-1001")
    with pytest.raises(DeniedError):
        await world.capture(subject)


async def test_a_change_keeps_subject_place_and_reason(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    record, second = made.records[0].record, await world.enrol("701-1002")
    caller = await world.caller(world.coordinator)
    for whose, response, reason, field in (
        (world.subjects[0], await world.response("130", repeat="9"), "x", ("form", "extension")),
        (world.subjects[0], await world.response("130"), "", ("reason",)),
        (world.subjects[0], await world.response("130"), " ", ("reason",)),
        (world.subjects[0], await world.response("130"), "x" * 1_001, ("reason",)),
    ):
        with pytest.raises(CallerError) as refused:
            await world.inside.gateway.capturing.change(
                caller, world.study, whose.subject, record, response, expected_version=1, reason=reason
            )
        assert refused.value.field == field
    with pytest.raises(DeniedError):
        await world.inside.gateway.capturing.change(
            caller, world.study, second.subject, record, await world.response("130"), expected_version=1, reason="x"
        )
    assert await forms(world) == [("1", 1)]


# ---- too much, as found


async def test_five_thousand_forms_are_too_many(world: Site) -> None:
    caller, response = await world.caller(world.coordinator), await world.response("120")
    with pytest.raises(LimitError):
        await world.inside.gateway.capturing.capture(caller, world.study, world.subjects[0].subject, [response] * 5_000)
    with pytest.raises(LimitError):
        await world.inside.gateway.capturing.capture(caller, world.study, world.subjects[0].subject, [])


async def test_all_forms_of_a_capture_are_kept_or_none(world: Site) -> None:
    caller = await world.caller(world.coordinator)
    given = [await world.response("120", repeat=str(at)) for at in range(20)]
    with pytest.raises(ConflictError):
        await world.inside.gateway.capturing.capture(caller, world.study, world.subjects[0].subject, [*given, given[0]])
    assert await forms(world) == []
    await world.inside.gateway.capturing.capture(caller, world.study, world.subjects[0].subject, given)
    assert len(await forms(world)) == 20


async def test_what_the_definition_does_not_allow_is_refused_or_asked_about(world: Site) -> None:
    with pytest.raises(CallerError) as refused:
        await world.capture(world.subjects[0], "301")
    assert refused.value.field == ("forms", "0", "IG.VS", "I.SYSBP")
    made = await world.capture(world.subjects[0], "301", as_found=True)
    queries = await world.inside.gateway.capturing.queries(
        await world.caller(world.monitor), world.study, world.subjects[0].subject
    )
    assert len(made.queries) == len(queries) > 0
    assert all(one.is_open and one.record == made.records[0].record for one in queries)


async def test_a_query_of_a_megabyte_is_refused(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    capturing, caller = world.inside.gateway.capturing, await world.caller(world.monitor)
    record, whose = made.records[0].record, world.subjects[0].subject
    for text in ("?" * 1_000_000, "", " \n", "\x00", "a\u202eb"):
        with pytest.raises(CallerError) as refused:
            await capturing.raise_query(caller, world.study, whose, record, item="", text=text)
        assert refused.value.field == ("text",)
    with pytest.raises(CallerError) as refused:
        await capturing.raise_query(caller, world.study, whose, record, item="\x00" * 1_000, text="?")
    assert refused.value.field == ("item",)
    assert await capturing.queries(caller, world.study, whose) == ()


async def test_a_query_is_answered_by_who_captures_and_closed_by_who_reviews_once(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    capturing, whose = world.inside.gateway.capturing, world.subjects[0].subject
    monitor, coordinator = await world.caller(world.monitor), await world.caller(world.coordinator)
    query = await capturing.raise_query(
        monitor, world.study, whose, made.records[0].record, item="", text="Which arm was it taken on?"
    )
    with pytest.raises(DeniedError):
        await capturing.raise_query(coordinator, world.study, whose, made.records[0].record, item="", text="Mine?")
    with pytest.raises(DeniedError):
        await capturing.answer_query(monitor, world.study, whose, query.query, text="Left.")
    await capturing.answer_query(coordinator, world.study, whose, query.query, text="Left.")
    with pytest.raises(DeniedError):
        await capturing.close_query(coordinator, world.study, whose, query.query)
    closed = await asyncio.gather(
        *(capturing.close_query(monitor, world.study, whose, query.query) for _ in range(3)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in closed) == 1
    (found,) = await capturing.queries(monitor, world.study, whose)
    assert [one.act for one in found.words] == ["raise-query", "answer-query", "close-query"]
    with pytest.raises(ConflictError):
        await capturing.answer_query(coordinator, world.study, whose, query.query, text="Right.")


# ---- by whom


async def test_a_role_at_another_site_reaches_nothing_of_a_subject(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    record, whose, capturing = made.records[0].record, world.subjects[0].subject, world.inside.gateway.capturing
    monitor, stranger = await world.inside.person(Role.RESEARCHER), await world.inside.person(Role.CLINICIAN)
    await world.delegate(monitor, "MONITOR", ["702"])
    for who in (monitor, stranger):
        caller = await world.caller(who)
        for asked in (
            capturing.forms(caller, world.study, whose),
            capturing.versions(caller, world.study, whose, record),
            capturing.queries(caller, world.study, whose),
            capturing.read(caller, world.study, whose, record),
            capturing.raise_query(caller, world.study, whose, record, item="", text="?"),
            world.inside.gateway.records.read(caller, record, purpose=Purpose.CLINTRCH, study=world.study),
            world.inside.gateway.records.read(caller, record, purpose=Purpose.CLINTRCH),
        ):
            with pytest.raises(DeniedError):
                await asked
    trail = await world.inside.gateway.study_showing.trail(await world.caller(monitor), world.study, after=-1, limit=99)
    assert all(one.octets is None for one in trail if one.entry.subject is not None)


async def test_an_ended_delegation_reads_and_captures_nothing(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    await world.act(
        world.sponsor, "delegate", actor=world.coordinator.actor.hex(), role="COORDINATOR", sites=["701"], until=0
    )
    with pytest.raises(DeniedError):
        await world.capture(world.subjects[0], "120", repeat="2")
    with pytest.raises(DeniedError):
        await world.inside.gateway.capturing.read(
            await world.caller(world.coordinator), world.study, world.subjects[0].subject, made.records[0].record
        )


async def test_nobody_captures_who_only_reads(world: Site) -> None:
    inspector = await world.inside.person(Role.AUDITOR)
    await world.delegate(inspector, "INSPECTOR", [])
    for who in (world.monitor, world.sponsor, inspector, world.subjects[0].who):
        with pytest.raises(DeniedError):
            await world.capture(world.subjects[0], "120", who=who)


async def test_an_inspector_sees_the_whole_trail_and_every_form_until_their_time_is_over(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    await change(world, made.records[0].record, "130")
    inspector = await world.inside.person(Role.AUDITOR)
    await world.delegate(inspector, "INSPECTOR", [])
    caller, capturing = await world.caller(inspector), world.inside.gateway.capturing
    trail = await world.inside.gateway.study_showing.trail(caller, world.study, after=-1, limit=99)
    assert [one.entry.number for one in trail] == list(range(len(trail)))
    assert all(one.octets is not None for one in trail)
    whose, record = world.subjects[0].subject, made.records[0].record
    versions = await capturing.versions(caller, world.study, whose, record)
    assert [(one.version, one.reason) for one in versions] == [(1, ""), (2, "Typing error.")]
    assert (await capturing.read(caller, world.study, whose, record)).version == 2
    await world.act(world.sponsor, "delegate", actor=inspector.actor.hex(), role="INSPECTOR", sites=[], until=0)
    with pytest.raises(DeniedError):
        await world.inside.gateway.study_showing.trail(caller, world.study, after=-1, limit=99)
    with pytest.raises((DeniedError, StaleError)):
        await capturing.read(caller, world.study, whose, record)


async def test_who_listens_hears_of_their_sites_with_an_entry_in_the_log_and_until_they_have_no_part(
    world: Site,
) -> None:
    elsewhere = await world.inside.person(Role.RESEARCHER)
    await world.delegate(elsewhere, "MONITOR", ["702"])
    showing = world.inside.gateway.study_showing
    heard: dict[str, list[Any]] = {"here": [], "elsewhere": []}

    async def listen(name: str, who: Any) -> None:
        async for subject, act in showing.changes(await world.caller(who), world.study, (StudyEntryKind.CAPTURE,)):
            heard[name].append((subject, act))

    tasks = [asyncio.create_task(listen("here", world.monitor)), asyncio.create_task(listen("elsewhere", elsewhere))]
    await asyncio.sleep(1.5)  # longer than a look
    await world.capture(world.subjects[0], "120")
    for _ in range(100):
        if heard["here"]:
            break
        await asyncio.sleep(0.05)
    assert len(heard["here"]) == 1
    assert heard["elsewhere"] == []
    assert await told(world, world.subjects[0].subject, world.monitor.actor, "STUDY_CHANGES") == 1
    assert await told(world, world.subjects[0].subject, elsewhere.actor, "STUDY_CHANGES") == 0
    for who in (world.monitor, elsewhere):
        for site_of in ("701", "702"):
            await world.act(world.sponsor, "delegate", actor=who.actor.hex(), role="MONITOR", sites=[site_of], until=0)
    await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def told(world: Site, subject: SubjectId, actor: bytes, action: str) -> int:
    page = await world.inside.gateway.audit._audit.log(subject, part=Slice(size=100))
    return sum(one.actor == actor and one.action == action for one in page.events)


async def test_a_record_of_a_study_is_written_through_no_other_door(world: Site) -> None:
    """The record services take a study's name from their callers here in the process: no client gives one."""
    printed = str(build_schema())
    for name in ("CreateRecordInput", "AmendRecordInput", "ImportBundleInput"):
        start = printed.find(f"input {name} ")
        assert start < 0 or "study" not in printed[start : printed.index("}", start)].lower()


async def test_refusals_name_no_value(world: Site) -> None:
    with pytest.raises(ConsentryError) as refused:
        await world.capture(world.subjects[0], "4711")
    assert "4711" not in str(refused.value)


# ---- signatures


async def test_a_signature_is_under_just_the_versions_that_it_names(world: Site) -> None:
    made = await world.capture(world.subjects[0], "120")
    record = made.records[0].record
    asked = [{"record": record.hex(), "version": 1}]
    members = {"subject": world.subjects[0].subject.hex(), "meaning": 2, "forms": asked}
    draft = await world.draft(world.investigator, "sign", **members)
    with pytest.raises(CallerError):
        await world.draft(world.investigator, "sign", **{**members, "forms": [{**asked[0], "version": 2}]})
    await change(world, record, "130")
    other = await world.draft(world.investigator, "sign", **{**members, "forms": [{**asked[0], "version": 2}]})
    for changed in ({"forms": other.act["forms"]}, {"meaning": 0}, {"at": draft.act["at"] - 60}):
        with pytest.raises(CallerError) as refused:
            await world.submit(world.investigator, draft, changed=changed)
        assert refused.value.field == ("signature",)
    forged = [{**draft.act["forms"][0], "content": "00" * 32}]
    with pytest.raises(CallerError):
        await world.submit(world.investigator, draft, changed={"forms": forged})
    with pytest.raises(CallerError) as refused:
        await world.submit(world.investigator, draft, signer=world.monitor)
    assert refused.value.field == ("signature",)
    await world.submit(world.investigator, draft)  # of version 1, which still stands beside 2
    await world.submit(world.investigator, draft)
    count = world.rows("select count(*) from study_entries where study = ? and kind = 6", world.study)
    assert count == [(1,)]
