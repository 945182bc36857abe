"""Ordinary questions never show a record of a study to anybody but its patient, whichever way they are asked: by name,
by page, by reference, by subscription, through the schema, for a release, or about who may see what."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway import jsontext
from gateway.asgi import create_app
from gateway.consent.model import Action, ConsentInput, Effect, Purpose
from gateway.errors import DeniedError
from gateway.ids import RecordId, ReleaseId, SubjectId, to_global
from gateway.records.model import RecordFilter, RecordOrder, Reference, Released
from gateway.releases.aggregate import parse_aggregate
from gateway.releases.gathering import Undertaking
from gateway.slices import Slice
from tests.attacks.inside import Somebody
from tests.attacks.trial_site import Trial, trial_site
from tests.journeys.resources import LOINC, SYSTOLIC, WEIGHT, condition, observation

pytestmark = pytest.mark.asyncio(loop_scope="module")
PURPOSES = (Purpose.TREAT, Purpose.CLINTRCH)
"""Both are consented to for the doctor, and for the investigator, who reads the same records in the study."""
LISTED = """query($id: ID!, $record: ID!, $purpose: PurposeOfUse!) {
  record(id: $record, purpose: $purpose) { ... on Refusal { code }
    ... on Record { id resource { ... on FhirObservation { id } } } }
  node(id: $record) { id }
  patient(id: $id) { records(first: 50, purpose: $purpose) { edges { node { id } } } } }"""


@dataclass(slots=True, kw_only=True)
class Chart:
    """A patient with two records of a study, and two of none; `names` by what each is."""

    trial: Trial
    client: httpx.AsyncClient
    owner: Somebody
    subject: SubjectId
    names: dict[RecordId, str]

    def of(self, name: str) -> RecordId:
        return next(record for record, said in self.names.items() if said == name)

    async def shown(self, who: Somebody | str, purpose: Purpose, **asked: Any) -> list[str]:
        filter, order = asked.get("filter", RecordFilter()), asked.get("order", RecordOrder.ARRIVAL)
        page = await self.trial.world.gateway.records.page(
            await self.trial.caller(who),
            self.subject,
            purpose=purpose,
            filter=filter,
            order=order,
            part=Slice(size=asked.get("size", 50)),
        )
        assert not page.has_next or len(page.items) == asked.get("size", 50)
        return [self.names[item.record] for item in page.items]

    async def ask(self, who: Somebody | str, query: str, **given: Any) -> Any:
        person = self.trial.people[who] if isinstance(who, str) else who
        named = {"authorization": f"Bearer {person.token}", "content-type": "application/json"}
        body = jsontext.dumps({"query": query, "variables": given})
        answer: Any = jsontext.loads((await self.client.post("/graphql", content=body, headers=named)).content)
        assert "data" in answer, answer
        return answer["data"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chart(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chart]:
    async with trial_site(tmp_path_factory.mktemp("unseen") / "data", request_rate=0.0) as trial:
        owner, subject = await trial.enrolled()
        for name in ("doctor", "investigator"):
            actor = trial.people[name].actor
            await trial.world.consent(owner, subject, actor, purposes=PURPOSES, actions=tuple(Action))
        names = {await trial.world.store(owner, subject, condition(id="c", date="2018-01-01")): "diagnosis"}
        for name, resource in (
            ("study pressure", observation(id="p", date="2021-01-01")),
            ("study weight", observation(id="w", code=WEIGHT, date="2019-01-01")),
        ):
            stored: Any = await trial.capture("investigator", subject, resource)
            names[stored.record] = name
        referring = observation(date="2020-01-01", focus=[{"reference": "Observation/p"}, {"reference": "Condition/c"}])
        names[await trial.world.store(owner, subject, referring)] = "pressure"
        app: Any = create_app(trial.world.gateway)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield Chart(trial=trial, client=client, owner=owner, subject=subject, names=names)


OTHERS = [(who, purpose) for who in ("doctor", "investigator") for purpose in PURPOSES]
ORDERS = {
    RecordOrder.ARRIVAL: ["diagnosis", "study pressure", "study weight", "pressure"],
    RecordOrder.CLINICAL: ["study pressure", "pressure", "study weight", "diagnosis"],
    RecordOrder.LATEST: ["study pressure", "study weight", "diagnosis"],
}


@pytest.mark.parametrize(("who", "purpose"), OTHERS)
@pytest.mark.parametrize("order", RecordOrder)
async def test_pages_leave_them_out_but_for_the_patient(
    chart: Chart, who: str, purpose: Purpose, order: RecordOrder
) -> None:
    own = ORDERS[order]
    theirs = [name for name in ORDERS[RecordOrder(order)] if not name.startswith("study")]
    if order is RecordOrder.LATEST:
        theirs = ["pressure", "diagnosis"]
    assert await chart.shown(who, purpose, order=order) == theirs
    assert await chart.shown(chart.owner, Purpose.PATRQT, order=order) == own


@pytest.mark.parametrize(("who", "purpose"), OTHERS)
async def test_a_page_that_is_full_says_nothing_of_them(chart: Chart, who: str, purpose: Purpose) -> None:
    page = await chart.trial.world.gateway.records.page(
        await chart.trial.caller(who),
        chart.subject,
        purpose=purpose,
        filter=RecordFilter(),
        order=RecordOrder.ARRIVAL,
        part=Slice(size=2),
    )
    assert (len(page.items), page.has_next) == (2, False)


@pytest.mark.parametrize(
    ("filter", "own", "others"),
    [
        (RecordFilter(resource_types=("Observation",)), ["study pressure", "study weight", "pressure"], ["pressure"]),
        (RecordFilter(code=f"{LOINC}|{WEIGHT}"), ["study weight"], []),
        (RecordFilter(code=f"{LOINC}|{SYSTOLIC}", resource_types=("Observation", "Condition")),
         ["study pressure", "pressure"], ["pressure"]),
        (RecordFilter(start=datetime(2021, 1, 1, tzinfo=UTC)), ["study pressure"], []),
    ],
)  # fmt: skip
async def test_a_filter_finds_them_for_the_patient_alone(
    chart: Chart, filter: RecordFilter, own: list[str], others: list[str]
) -> None:
    assert await chart.shown(chart.owner, Purpose.PATRQT, filter=filter) == own
    for who, purpose in OTHERS:
        assert await chart.shown(who, purpose, filter=filter) == others


@pytest.mark.parametrize(("who", "purpose"), OTHERS)
async def test_a_reference_to_one_is_a_reference_to_nothing(chart: Chart, who: str, purpose: Purpose) -> None:
    author = chart.trial.people["investigator"].actor
    asked = [Reference(text=text, author=author) for text in ("Observation/p", "Observation/none", "Condition/c")]
    hidden, absent, shown = await chart.trial.world.gateway.records.referenced(
        await chart.trial.caller(who), chart.subject, asked, purpose=purpose
    )
    assert isinstance(hidden, DeniedError)
    assert isinstance(absent, DeniedError)
    assert hidden.message == absent.message
    assert isinstance(shown, Released)


@pytest.mark.parametrize(("who", "purpose"), OTHERS)
async def test_the_schema_shows_none_of_them(chart: Chart, who: str, purpose: Purpose) -> None:
    record = to_global("Record", chart.of("study pressure"))
    asked = {"id": to_global("Patient", chart.subject), "record": record, "purpose": purpose.value}
    found = await chart.ask(who, LISTED, **asked)
    assert (found["record"], found["node"]) == ({"code": "NOT_PERMITTED"}, None)
    listed = [edge["node"]["id"] for edge in found["patient"]["records"]["edges"]]
    assert sorted(listed) == sorted(to_global("Record", chart.of(name)) for name in ("diagnosis", "pressure"))
    own = await chart.ask(chart.owner, LISTED, **{**asked, "purpose": "PATRQT"})
    assert own["record"] == {"id": record, "resource": {"id": "p"}}
    assert own["node"] == {"id": record}
    assert len(own["patient"]["records"]["edges"]) == len(chart.names)


async def test_a_typed_reference_opens_none_of_them(chart: Chart) -> None:
    query = """query($id: ID!, $purpose: PurposeOfUse!) { record(id: $id, purpose: $purpose) { ... on Record {
      resource { ... on FhirObservation { focus { reference record { __typename } } } } } } }"""
    asked = {"id": to_global("Record", chart.of("pressure")), "purpose": "TREAT"}
    found = (await chart.ask("doctor", query, **asked))["record"]["resource"]["focus"]
    assert {one["reference"]: one["record"]["__typename"] for one in found} == {
        "Observation/p": "Refusal",
        "Condition/c": "Record",
    }


async def heard(chart: Chart, who: Somebody | str, purpose: Purpose) -> list[str]:
    """What comes within a second of listening, of what is there and of what is captured meanwhile."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    added = chart.trial.world.gateway.records.added(
        await chart.trial.caller(who), chart.subject, purpose=purpose, since=since
    )
    found: list[RecordId] = []

    async def listen() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                async for released in added:
                    found.append(released.record)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.3)
    stored: Any = await chart.trial.capture("investigator", chart.subject, observation(id="s", date="2017-01-01"))
    chart.names[stored.record] = "study later"
    await listening
    return [chart.names[record] for record in found]


async def test_who_may_see_what_tells_of_ordinary_records_alone(chart: Chart) -> None:
    explaining, owner = chart.trial.world.gateway.explaining, await chart.trial.caller(chart.owner)
    told = await explaining.who_can_see(owner, chart.subject, filter=RecordFilter())
    assert told.records == len(chart.names)
    assert {(one.grantee, one.purpose): one.records for one in told.reaches} == {
        (chart.trial.people[who].actor, purpose): 2 for who, purpose in OTHERS
    }
    weights = await explaining.who_can_see(owner, chart.subject, filter=RecordFilter(code=f"{LOINC}|{WEIGHT}"))
    assert (weights.records, weights.reaches) == (1, ())
    study = await explaining.explain(owner, chart.of("study pressure"))
    assert study.permitted == ()
    ordinary = await explaining.explain(owner, chart.of("pressure"))
    assert len({one.grantee for one in ordinary.permitted}) == 2
    for who in ("doctor", "investigator", "sponsor"):
        with pytest.raises(DeniedError):
            await explaining.explain(await chart.trial.caller(who), chart.of("study pressure"))


async def test_a_consent_that_is_asked_ahead_opens_none_of_them(chart: Chart) -> None:
    plain: dict[str, Any] = {
        **dict.fromkeys(("resource_types", "codes", "authors", "records", "data_use"), ()),
        **dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash")),
        "subject": chart.subject,
        "effect": Effect.PERMIT,
        "grantee": chart.trial.people["coordinator"].actor,
        "actions": (Action.READ,),
        "purposes": (Purpose.TREAT,),
        "labels": ("unclassified",),
        "not_after": datetime.now(UTC) + timedelta(hours=1),
    }
    explaining, owner = chart.trial.world.gateway.explaining, await chart.trial.caller(chart.owner)
    preview = await explaining.preview(owner, ConsentInput(**plain))
    assert {chart.names[record] for record in preview.opened} == {"diagnosis", "pressure"}


async def test_what_is_read_is_in_the_patients_own_log_with_all_else(chart: Chart) -> None:
    record = chart.of("study weight")
    assert isinstance(await chart.trial.read("monitor", record), Released)
    caller = await chart.trial.caller(chart.owner)
    page = await chart.trial.world.gateway.audit.access_log(caller, chart.subject, part=Slice(size=1))
    (event,) = page.events
    assert (event.record, event.purpose, event.actor) == (record, "CLINTRCH", chart.trial.people["monitor"].actor)


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_a_subscription_brings_none_of_them_but_to_the_patient(chart: Chart, purpose: Purpose) -> None:
    for who in ("doctor", "investigator"):
        assert await heard(chart, who, purpose) == ["diagnosis", "pressure"]
    assert {"study pressure", "study later"} <= set(await heard(chart, chart.owner, Purpose.PATRQT))


async def test_a_release_of_data_gathers_none_of_them(chart: Chart) -> None:
    """By the very decisions that a build, and a noised answer, take."""
    trial, name = chart.trial, "statistician"
    use = ("DUO:0000042",)
    plain: dict[str, Any] = {"purposes": (Purpose.CLINTRCH,), "data_use": use}
    await trial.world.consent(chart.owner, chart.subject, trial.people[name].actor, **plain)
    await trial.agreed(chart.owner, chart.subject, data_use=use)
    question = {"measure": {"kind": "count"}, "purpose": "CLINTRCH", "dataUse": list(use), "cohort": {}, "epsilon": 0.1}
    undertaking = Undertaking(
        release=ReleaseId(bytes(16)), request=parse_aggregate(question), keys=None, today=datetime.now(UTC).date()
    )
    gathering = trial.world.gateway.aggregates._gathering
    found = await gathering._permitted(await trial.caller(name), undertaking, chart.subject)
    assert found is not None
    assert {chart.names[RecordId(one.record)] for one in found.person.records} == {"diagnosis", "pressure"}
    assert len(await gathering.consents_of(await trial.caller(name), undertaking, chart.subject)) == 1
