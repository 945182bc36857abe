"""A timeline, and the latest of each kind, tell no more than what the asker may read; in both directions."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from gateway.audit.model import EVERYTHING
from gateway.consent.model import Purpose
from gateway.errors import CallerError, ConsentryError, LimitError
from gateway.identity.model import Role
from gateway.ids import RecordId, SubjectId
from gateway.records import pages
from gateway.records.fhir import INLINE_LABEL
from gateway.records.model import RecordFilter, RecordOrder, RecordPage
from gateway.slices import Slice
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import LOINC, SYSTOLIC, WEIGHT, condition, observation

pytestmark = pytest.mark.asyncio(loop_scope="module")
LATEST, CLINICAL, ARRIVAL = RecordOrder.LATEST, RecordOrder.CLINICAL, RecordOrder.ARRIVAL
HIV = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}


class Chart:
    """One patient's records by name, and who asks for them: all but sensitive ones, weights alone, nobody at all."""

    def __init__(self, world: Inside, people: list[Somebody], subject: SubjectId) -> None:
        self.world, self.subject = world, subject
        self.owner, self.clinician, self.narrow, self.stranger = people
        self.names: dict[RecordId, str] = {}

    async def page(
        self, who: Somebody, order: RecordOrder, *, filter: RecordFilter | None = None, **part: Any
    ) -> RecordPage:
        caller = await self.world.caller(who)
        assert caller is not None
        purpose = Purpose.PATRQT if who is self.owner else Purpose.TREAT
        asked = Slice(**{"size": 50, **part})
        return await self.world.gateway.records.page(
            caller, self.subject, purpose=purpose, filter=filter or RecordFilter(), order=order, part=asked
        )

    async def shown(self, who: Somebody, order: RecordOrder, **asked: Any) -> list[str]:
        return self.told(await self.page(who, order, **asked))

    def told(self, page: RecordPage) -> list[str]:
        return [self.names[item.record] for item in page.items]


def with_hidden_part(*, date: str, hidden_date: str, hidden_code: str) -> dict[str, Any]:
    """A note whose contained, labelled observation is of another day and about something else."""
    inner = {**observation(code=hidden_code, date=hidden_date), "id": "i", "meta": {"security": [HIV]}}
    extension = {"url": INLINE_LABEL, "valueCoding": HIV}
    return observation(
        code="55284-4", date=date, contained=[inner], hasMember=[{"reference": "#i", "extension": [extension]}]
    )


RECORDS: list[tuple[str, dict[str, Any], tuple[str, ...] | None]] = [
    ("weight 2019", observation(code=WEIGHT, date="2019-02-01"), None),
    ("pressure 2021", observation(date="2021-01-01"), None),
    ("hidden hiv 2022", observation(date="2022-01-01"), ("HIV",)),
    ("pressure 2018", observation(date="2018-01-01"), None),
    ("undated", observation(code="8302-2", date=None), None),
    ("weight 2020", observation(code=WEIGHT, date="2020-02-01"), None),
    ("diagnosis 2017", condition(date="2017-05-05"), None),
    ("panel 2016", with_hidden_part(date="2016-01-01", hidden_date="2015-01-01", hidden_code="1-1"), None),
    ("panel 2014", with_hidden_part(date="2014-01-01", hidden_date="2023-01-01", hidden_code="2-2"), None),
]
NEWEST_FIRST = ["pressure 2021", "weight 2020", "weight 2019", "pressure 2018", "diagnosis 2017", "panel 2016",
                "panel 2014", "undated"]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chart(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chart]:
    async with inside(tmp_path_factory.mktemp("chart") / "data") as world:
        people = [await world.person(role) for role in (Role.PATIENT, *[Role.CLINICIAN] * 3)]
        made = Chart(world, people, await world.patient(people[0]))
        for name, resource, labels in RECORDS:
            made.names[await world.store(made.owner, made.subject, resource, labels=labels)] = name
        await world.consent(made.owner, made.subject, made.clinician.actor)
        await world.consent(made.owner, made.subject, made.narrow.actor, codes=(f"{LOINC}|{WEIGHT}",))
        yield made


async def test_a_timeline_is_newest_first_and_leaves_out_what_is_refused(chart: Chart) -> None:
    assert await chart.shown(chart.clinician, CLINICAL) == NEWEST_FIRST
    assert await chart.shown(chart.narrow, CLINICAL) == ["weight 2020", "weight 2019"]
    assert await chart.shown(chart.stranger, CLINICAL) == []
    everything = await chart.shown(chart.owner, CLINICAL)
    assert everything[0] == "hidden hiv 2022"
    assert set(everything) == set(chart.names.values())


async def test_a_hidden_part_moves_nothing_and_makes_no_kind_of_its_own(chart: Chart) -> None:
    """Its patient sees the panel of 2014 by the date inside it; who may not see that part, by the panel's own."""
    shown = await chart.shown(chart.clinician, CLINICAL)
    assert shown.index("panel 2016") < shown.index("panel 2014")
    latest = await chart.shown(chart.clinician, LATEST)
    assert "panel 2016" in latest
    assert "panel 2014" not in latest
    own = await chart.shown(chart.owner, LATEST)
    assert {"panel 2016", "panel 2014"} <= set(own)


async def test_the_latest_are_the_newest_of_each_kind_that_may_be_read(chart: Chart) -> None:
    assert await chart.shown(chart.clinician, LATEST) == [
        "pressure 2021", "weight 2020", "diagnosis 2017", "panel 2016", "undated",
    ]  # fmt: skip
    assert "hidden hiv 2022" in await chart.shown(chart.owner, LATEST)
    assert "pressure 2021" not in await chart.shown(chart.owner, LATEST)


@pytest.mark.parametrize("order", [ARRIVAL, CLINICAL, LATEST])
@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_in_both_directions_make_the_same_whole(chart: Chart, order: RecordOrder, size: int) -> None:
    for who in (chart.owner, chart.clinician, chart.narrow):
        whole = await chart.shown(who, order)
        forwards: list[str] = []
        page = await chart.page(who, order, size=size)
        assert not page.has_previous
        while True:
            forwards += chart.told(page)
            if not page.has_next:
                break
            page = await chart.page(who, order, size=size, after=page.cursors[-1])
        backwards: list[str] = []
        page = await chart.page(who, order, size=size, backwards=True)
        assert not page.has_next
        while True:
            backwards = chart.told(page) + backwards
            if not page.has_previous:
                break
            page = await chart.page(who, order, size=size, before=page.cursors[0], backwards=True)
            assert page.has_next
        assert forwards == backwards == whole


async def test_a_slice_lies_between_its_cursors(chart: Chart) -> None:
    for order in (ARRIVAL, CLINICAL):
        whole = await chart.page(chart.clinician, order)
        between = await chart.page(
            chart.clinician, order, size=2, after=whole.cursors[1], before=whole.cursors[5], backwards=True
        )
        assert chart.told(between) == chart.told(whole)[3:5]


async def test_labels_and_dates_ask_within_what_may_be_read(chart: Chart) -> None:
    hiv = RecordFilter(labels=frozenset({"HIV"}))
    for order in (ARRIVAL, CLINICAL, LATEST):
        assert await chart.shown(chart.clinician, order, filter=hiv) == []
        assert await chart.shown(chart.owner, order, filter=hiv) == ["hidden hiv 2022"]
    since = RecordFilter(resource_types=("Observation",), start=datetime(2020, 1, 1, tzinfo=UTC))
    assert await chart.shown(chart.clinician, CLINICAL, filter=since) == ["pressure 2021", "weight 2020"]
    of_code = RecordFilter(code=f"{LOINC}|{SYSTOLIC}")
    assert await chart.shown(chart.clinician, CLINICAL, filter=of_code) == ["pressure 2021", "pressure 2018"]
    assert await chart.shown(chart.clinician, CLINICAL, filter=RecordFilter(code=f"{LOINC}|2-2")) == []


async def test_whether_more_follows_is_told_by_what_may_be_read(chart: Chart) -> None:
    for order in (ARRIVAL, CLINICAL):
        assert not (await chart.page(chart.narrow, order, size=2)).has_next
        assert not (await chart.page(chart.narrow, order, size=2, backwards=True)).has_previous


async def test_a_cursor_fits_its_own_order_alone(chart: Chart) -> None:
    held = {
        order: (await chart.page(chart.clinician, order, size=1)).cursors[0] for order in (ARRIVAL, CLINICAL, LATEST)
    }
    for order in held:
        for other, cursor in held.items():
            if other is not order:
                with pytest.raises(CallerError) as refused:
                    await chart.page(chart.clinician, order, before=cursor)
                assert refused.value.field == ("before",)
        for broken in ("", "0" * 32, "0" * 64, "x" * 64, held[order] + "00"):
            with pytest.raises(CallerError) as refused:
                await chart.page(chart.clinician, order, after=broken)
            assert refused.value.field == ("after",)


async def test_too_many_to_put_in_order_is_a_limit_counted_over_what_may_be_read(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "ORDERED_CEILING", 4)
    with pytest.raises(LimitError) as refused:
        await chart.page(chart.clinician, CLINICAL)
    assert refused.value.field == ("filter",)
    assert await chart.shown(chart.narrow, CLINICAL) == ["weight 2020", "weight 2019"]
    assert await chart.shown(chart.stranger, CLINICAL) == []
    assert len(await chart.shown(chart.clinician, ARRIVAL)) == len(NEWEST_FIRST)


async def test_each_page_has_its_entries_in_the_log(chart: Chart) -> None:
    """One for each record that was shown, and one for all that were left out."""
    caller = await chart.world.caller(chart.owner)
    assert caller is not None

    async def entries(since: datetime) -> int:
        wanted = replace(EVERYTHING, start=since)
        log = await chart.world.gateway.audit.access_log(caller, chart.subject, part=Slice(size=100), wanted=wanted)
        return len(log.events)

    async def moment() -> datetime:
        """Entries are told apart by the millisecond."""
        await asyncio.sleep(0.01)
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    for order, shown in ((CLINICAL, 2), (LATEST, 1)):
        before = await moment()
        assert len(await chart.shown(chart.narrow, order)) == shown
        assert await entries(before) == shown + 1
    before = await moment()
    assert await chart.shown(chart.stranger, CLINICAL) == []
    assert await entries(before) == 1


async def test_revoked_is_revoked_in_every_order(chart: Chart) -> None:
    consent = await chart.world.consent(chart.owner, chart.subject, chart.stranger.actor)
    assert await chart.shown(chart.stranger, CLINICAL) == NEWEST_FIRST
    await chart.world.revoke(chart.owner, chart.subject, consent)
    for order in (ARRIVAL, CLINICAL, LATEST):
        found: RecordPage | ConsentryError = await chart.page(chart.stranger, order)
        assert isinstance(found, RecordPage)
        assert not found.items
