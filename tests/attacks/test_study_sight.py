"""A consent that ends takes with it what was said of the subject, not their values alone: which forms there are, why
one was changed, and the words of queries, by whichever way they are asked for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.consent.model import Action, Effect, Purpose
from gateway.errors import ConsentryError, DeniedError
from gateway.ids import RecordId, StudyId, SubjectId
from gateway.ports.trials import StudyEntryKind
from gateway.trials.capturing import Query
from tests.attacks.inside import Inside, Somebody, inside
from tests.attacks.study import Site, Subject, site
from tests.attacks.trail_files import check, inspector, tell

WORDS = "Is 120 mmHg right for this patient?"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path, request_rate=0.0) as opened:
        yield opened


async def asked_about(running: Inside, *, keeps: bool) -> tuple[Site, Subject, RecordId, Query]:
    """A study with one form of one subject, about which the monitor asked."""
    study = await site(running)
    await study.prepare(keeps=keeps)
    one = await study.enrol("701-1001")
    record = (await study.capture(one, "120")).records[0].record
    monitor = await study.caller(study.monitor)
    query = await running.gateway.capturing.raise_query(monitor, study.study, one.subject, record, item="", text=WORDS)
    return study, one, record, query


async def words(study: Site, who: Somebody, one: Subject) -> list[str]:
    """Of queries, as capturing tells them."""
    found = await study.inside.gateway.capturing.queries(await study.caller(who), study.study, one.subject)
    return [word.text for query in found for word in query.words]


async def refused(asked: Awaitable[object]) -> ConsentryError | None:
    try:
        await asked
    except ConsentryError as error:
        return error
    return None


async def in_the_trail(study: Site, who: Somebody) -> tuple[list[bytes | None], list[bytes | None]]:
    """Texts of queries, and of all else."""
    caller = await study.caller(who)
    found = await study.inside.gateway.study_showing.trail(caller, study.study, after=-1, limit=100)
    queries = [one.octets for one in found if one.entry.kind is StudyEntryKind.QUERY]
    return queries, [one.octets for one in found if one.entry.kind is not StudyEntryKind.QUERY]


async def test_whoever_revokes_is_seen_by_no_role_at_once(running: Inside) -> None:
    study, one, record, query = await asked_about(running, keeps=False)
    seen, capturing = await inspector(study), running.gateway.capturing
    assert await words(study, study.monitor, one) == [WORDS]
    told, _ = await in_the_trail(study, seen)
    assert WORDS.encode() in b"".join(text or b"" for text in told)
    await running.revoke(one.who, one.subject, one.consent)
    named: tuple[StudyId, SubjectId] = (study.study, one.subject)
    ways: dict[str, Callable[[Any], Awaitable[object]]] = {
        "queries": lambda who: capturing.queries(who, *named),
        "forms": lambda who: capturing.forms(who, *named),
        "kept": lambda who: capturing.kept(who, *named),
        "versions": lambda who: capturing.versions(who, *named, record),
        "read": lambda who: capturing.read(who, *named, record),
        "raise": lambda who: capturing.raise_query(who, *named, record, item="", text="And now?"),
        "answer": lambda who: capturing.answer_query(who, *named, query.query, text="Yes."),
        "close": lambda who: capturing.close_query(who, *named, query.query),
    }
    for who in (study.sponsor, study.monitor, study.investigator, study.coordinator, seen):
        caller = await study.caller(who)
        for name, way in ways.items():
            assert isinstance(await refused(way(caller)), DeniedError), name
    for who in (study.sponsor, study.monitor, seen):
        told, others = await in_the_trail(study, who)
        assert told == [None]
        assert None not in others
        assert WORDS.encode() not in b"".join(text for text in others if text is not None)
    # Who is in the study is still known to its people, who have to write down that they left.
    there = await running.gateway.study_showing.subject(await study.caller(study.investigator), *named)
    assert there.enrolled.key == "701-1001"


async def test_a_file_without_the_words_that_are_withheld_still_holds(running: Inside) -> None:
    study, one, _, _ = await asked_about(running, keeps=False)
    seen = await inspector(study)
    assert WORDS.encode() in (await tell(study, seen)).octets
    await running.revoke(one.who, one.subject, one.consent)
    told = await tell(study, seen)
    assert WORDS.encode() not in told.octets
    report = check(told, told.octets)
    assert report.faults == []
    assert any("1 entries are said to be erased or withheld" in unknown for unknown in report.unknown)


async def test_what_stays_by_the_terms_stays_to_be_seen(running: Inside) -> None:
    study, one, _, _ = await asked_about(running, keeps=True)
    await running.revoke(one.who, one.subject, one.consent)
    assert await words(study, study.monitor, one) == [WORDS]
    told, _ = await in_the_trail(study, study.sponsor)
    assert [text is None for text in told] == [False]


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_deny_ends_it_whatever_the_terms_let_stay(running: Inside, keeps: bool) -> None:
    study, one, record, query = await asked_about(running, keeps=keeps)
    deny: dict[str, Any] = {"effect": Effect.DENY, "purposes": (Purpose.CLINTRCH,), "actions": tuple(Action)}
    await running.consent(one.who, one.subject, study.sponsor.actor, study=study.study, **deny)
    capturing, monitor = running.gateway.capturing, await study.caller(study.monitor)
    named = (monitor, study.study, one.subject)
    for asked in (
        capturing.queries(*named),
        capturing.forms(*named),
        capturing.read(*named, record),
        capturing.raise_query(*named, record, item="", text="And now?"),
        capturing.close_query(*named, query.query),
    ):
        assert isinstance(await refused(asked), DeniedError)
    assert (await in_the_trail(study, study.sponsor))[0] == [None]


async def test_a_deny_of_one_form_hides_what_was_asked_about_it_alone(running: Inside) -> None:
    study, one, record, query = await asked_about(running, keeps=True)
    other = (await study.capture(one, "120", repeat="2")).records[0].record
    monitor = await study.caller(study.monitor)
    named = (monitor, study.study, one.subject)
    await running.gateway.capturing.raise_query(*named, other, item="", text="And this one?")
    deny: dict[str, Any] = {"effect": Effect.DENY, "purposes": (Purpose.CLINTRCH,), "actions": tuple(Action)}
    await running.consent(one.who, one.subject, study.sponsor.actor, study=study.study, records=(record,), **deny)
    assert await words(study, study.monitor, one) == ["And this one?"]
    assert isinstance(await refused(running.gateway.capturing.close_query(*named, query.query)), DeniedError)


async def test_a_revocation_in_the_midst_of_a_look_is_seen(running: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    study, one, _, _ = await asked_about(running, keeps=False)
    studies = running.gateway.capturing._studies
    noted = studies.noted

    async def late(*given: Any, **named: Any) -> bool:
        """The consent ends after it was looked at, before the log has the entry."""
        monkeypatch.setattr(studies, "noted", noted)
        await running.revoke(one.who, one.subject, one.consent)
        return await noted(*given, **named)

    monkeypatch.setattr(studies, "noted", late)
    with pytest.raises(DeniedError):
        await words(study, study.monitor, one)


async def test_a_listener_hears_of_nobody_who_lets_nothing_be_read(running: Inside) -> None:
    study, one, _, query = await asked_about(running, keeps=False)
    other = await study.enrol("701-1002")
    made = (await study.capture(other, "120")).records[0].record
    monitor, heard = await study.caller(study.monitor), []
    changes = running.gateway.study_showing.query_changes(monitor, study.study)

    async def listen() -> None:
        async for subject, _ in changes:
            heard.append(subject)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.2)
    capturing = running.gateway.capturing
    coordinator = await study.caller(study.coordinator)
    answered = asyncio.create_task(
        capturing.answer_query(coordinator, study.study, one.subject, query.query, text="Yes.")
    )
    await answered
    async with asyncio.timeout(20):
        while not heard:
            await asyncio.sleep(0.05)
    await running.revoke(one.who, one.subject, one.consent)
    with pytest.raises(DeniedError):
        await capturing.close_query(monitor, study.study, one.subject, query.query)
    await capturing.raise_query(monitor, study.study, other.subject, made, item="", text="And here?")
    async with asyncio.timeout(20):
        while len(heard) < 2:
            await asyncio.sleep(0.05)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert heard == [one.subject, other.subject]
