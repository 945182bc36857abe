"""A search of the access log gives what the whole log has and no more, page by page, to whom the log is shown alone."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from gateway.audit import service
from gateway.audit.model import EVERYTHING, AccessEvent, AccessFilter, Outcome
from gateway.errors import ConsentryError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, RecordId, SubjectId
from gateway.slices import Slice
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import observation

pytestmark = pytest.mark.asyncio(loop_scope="module")
RECORDS = 4


class Told:
    """A patient with a log, who is in it, and the whole of it."""

    def __init__(self, world: Inside, owner: Somebody, clinician: Somebody, stranger: Somebody) -> None:
        self.world, self.owner, self.clinician, self.stranger = world, owner, clinician, stranger
        self.subject = SubjectId(bytes(32))
        self.records: list[RecordId] = []
        self.whole: list[AccessEvent] = []

    async def caller(self, who: Somebody) -> Caller:
        found = await self.world.caller(who)
        assert found is not None
        return found

    async def pages(self, wanted: AccessFilter, *, first: int, who: Somebody | None = None) -> list[list[AccessEvent]]:
        found: list[list[AccessEvent]] = []
        after, caller = None, await self.caller(who or self.owner)
        while True:
            page = await self.world.gateway.audit.access_log(
                caller, self.subject, part=Slice(size=first, after=after), wanted=wanted
            )
            found.append(list(page.events))
            if not page.has_next:
                return found
            assert page.end is not None
            after = page.end


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    async with inside(tmp_path_factory.mktemp("log") / "data") as world:
        people = [await world.person(role) for role in (Role.PATIENT, Role.CLINICIAN, Role.CLINICIAN)]
        made = Told(world, *people)
        made.subject = await world.patient(made.owner)
        await world.consent(made.owner, made.subject, made.clinician.actor)
        for number in range(RECORDS):
            stored = await world.store(made.owner, made.subject, observation(value=str(number)))
            made.records.append(stored)
            for reader in (made.clinician, made.stranger, made.owner):
                try:
                    await world.read(reader, stored)
                except ConsentryError:
                    assert reader is made.stranger
        ((*whole,),) = await made.pages(EVERYTHING, first=100)
        made.whole = whole
        assert len(whole) >= 4 * RECORDS
        yield made


def filters(told: Told) -> list[tuple[AccessFilter, Callable[[AccessEvent], bool]]]:
    middle = told.whole[len(told.whole) // 2].at
    return [
        (AccessFilter(outcome=Outcome.DENIED), lambda event: event.outcome is Outcome.DENIED),
        (AccessFilter(outcome=Outcome.PERMITTED), lambda event: event.outcome is Outcome.PERMITTED),
        (AccessFilter(actor=told.stranger.actor), lambda event: event.actor == told.stranger.actor),
        (AccessFilter(record=told.records[1]), lambda event: event.record == told.records[1]),
        (AccessFilter(actions=frozenset({"READ"})), lambda event: event.action == "READ"),
        (AccessFilter(actions=frozenset({"READ", "WRITE"})), lambda event: event.action in ("READ", "WRITE")),
        (AccessFilter(purpose="PATRQT"), lambda event: event.purpose == "PATRQT"),
        (AccessFilter(start=middle), lambda event: event.at >= middle),
        (AccessFilter(end=middle), lambda event: event.at <= middle),
        (AccessFilter(start=middle, end=middle), lambda event: event.at == middle),
        (
            AccessFilter(actor=told.clinician.actor, record=told.records[2], outcome=Outcome.PERMITTED),
            lambda event: event.actor == told.clinician.actor and event.record == told.records[2],
        ),
        (AccessFilter(actor=ActorId(b"\7" * 32)), lambda event: False),
        (AccessFilter(start=datetime(2090, 1, 1, tzinfo=UTC)), lambda event: False),
    ]


@pytest.mark.parametrize("number", range(13))
@pytest.mark.parametrize("first", [1, 3, 100])
async def test_a_search_gives_of_the_whole_log_what_is_wanted_in_its_order(
    told: Told, number: int, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_SCAN", 3)
    monkeypatch.setattr(service, "MOST_LOOKED_AT", 6)
    wanted, meets = filters(told)[number]
    pages = await told.pages(wanted, first=first)
    assert [replace(event, anchor=None) for page in pages for event in page] == [
        replace(event, anchor=None) for event in told.whole if meets(event)
    ]
    assert all(len(page) <= first for page in pages)


async def test_a_page_ends_after_so_many_entries_whatever_it_holds(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_SCAN", 2)
    monkeypatch.setattr(service, "MOST_LOOKED_AT", 4)
    pages = await told.pages(AccessFilter(actor=ActorId(b"\7" * 32)), first=10)
    assert len(pages) >= len(told.whole) // 4
    assert not any(pages)


async def test_what_lies_long_before_the_period_is_not_looked_at(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_SCAN", 2)
    monkeypatch.setattr(service, "CLOCKS_APART", timedelta(0))
    monkeypatch.setattr(service, "MOST_LOOKED_AT", 2)
    assert len(await told.pages(AccessFilter(start=told.whole[0].at + timedelta(seconds=1)), first=10)) == 1


@pytest.mark.parametrize("first", [1, 7, 100])
@pytest.mark.parametrize("outcome", [None, Outcome.DENIED])
async def test_backwards_the_log_is_the_same(told: Told, first: int, outcome: Outcome | None) -> None:
    wanted = AccessFilter(outcome=outcome)
    forth = [event.decision for page in await told.pages(wanted, first=first) for event in page]
    back: list[bytes] = []
    before, caller = None, await told.caller(told.owner)
    while True:
        part = Slice(size=first, before=before, backwards=True)
        page = await told.world.gateway.audit.access_log(caller, told.subject, part=part, wanted=wanted)
        back = [*(event.decision for event in page.events), *back]
        assert page.has_next is (before is not None)
        if not page.has_previous:
            break
        before = page.start
    assert back == forth
    assert len(back) > 1


async def test_nobody_else_searches(told: Told) -> None:
    for wanted, _ in filters(told):
        for who in (told.clinician, told.stranger):
            assert await told.pages(wanted, first=100, who=who) == [[]]
