"""Recruitment against whoever would like to know of patients before they say yes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.audit.model import EVERYTHING, Outcome
from gateway.errors import CallerError, ConflictError, DeniedError
from gateway.identity.model import Role
from gateway.slices import Slice
from gateway.trials.recruitment.matching import Fit
from tests.attacks.inside import Somebody, inside
from tests.attacks.study import REGISTRATION, Site, site

pytestmark = pytest.mark.asyncio(loop_scope="module")
SNOMED = "http://snomed.info/sct"
CRITERIA = {
    "inclusion": [
        {"text": "You have diabetes.", "has": {"in": "conditions", "codes": [f"{SNOMED}|44054006"]}},
        {"text": "You are 18 or older.", "age": {"from": 18}},
    ],
    "exclusion": [{"text": "You are pregnant.", "has": {"in": "conditions", "codes": [f"{SNOMED}|77386006"]}}],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inside(Path(tmp_path_factory.mktemp("recruiting"))) as running:
        made = await site(running)
        await made.register()
        await made.act(made.sponsor, "protocol", registration=REGISTRATION)
        await made.act(made.sponsor, "recruit", criteria=CRITERIA, summary="A study of sugar.", open=True)
        yield made


async def patient(world: Site, *, born: str = "1960-05-01") -> tuple[Somebody, bytes]:
    who = await world.inside.person(Role.PATIENT)
    subject = await world.inside.patient(who)
    await world.inside.store(who, subject, {"resourceType": "Patient", "birthDate": born, "gender": "female"})
    condition = {
        "resourceType": "Condition",
        "code": {"coding": [{"system": SNOMED, "code": "44054006"}]},
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "subject": {"reference": "Patient/x"},
        "onsetDateTime": "2015-01-01",
    }
    await world.inside.store(who, subject, condition)
    return who, subject


async def test_a_patient_sees_the_match_and_why(world: Site) -> None:
    who, subject = await patient(world)
    found = await world.inside.gateway.recruiting.match(await world.caller(who), world.study, subject)
    assert [(one.verdict.value, one.favours) for one in found.judged][:2] == [("MET", True), ("MET", True)]
    assert found.fit in (Fit.FITS, Fit.UNCLEAR)
    assert all(one.why for one in found.judged)


async def test_nobody_else_matches_or_answers_for_them(world: Site) -> None:
    _, subject = await patient(world)
    other, _ = await patient(world)
    recruiting = world.inside.gateway.recruiting
    for stranger in (other, world.sponsor, world.investigator):
        with pytest.raises(DeniedError):
            await recruiting.match(await world.caller(stranger), world.study, subject)
        with pytest.raises(DeniedError):
            await recruiting.say(await world.caller(stranger), world.study, subject, yes=True)


async def test_a_patient_is_named_by_their_yes_and_off_the_list_by_their_no(world: Site) -> None:
    who, subject = await patient(world)
    recruiting, sponsor = world.inside.gateway.recruiting, await world.caller(world.sponsor)
    await recruiting.match(await world.caller(who), world.study, subject)
    assert subject not in {one.subject for one in await recruiting.willing(sponsor, world.study)}
    assert await recruiting.say(await world.caller(who), world.study, subject, yes=True)
    assert await recruiting.say(await world.caller(who), world.study, subject, yes=True)
    assert [one.subject for one in await recruiting.willing(sponsor, world.study)].count(subject) == 1
    assert not await recruiting.say(await world.caller(who), world.study, subject, yes=False)
    assert subject not in {one.subject for one in await recruiting.willing(sponsor, world.study)}


async def test_who_was_named_a_patient_stands_in_their_log(world: Site) -> None:
    who, subject = await patient(world)
    gateway, sponsor = world.inside.gateway, await world.caller(world.sponsor)
    await gateway.recruiting.willing(sponsor, world.study)
    await gateway.recruiting.say(await world.caller(who), world.study, subject, yes=True)
    await gateway.recruiting.willing(sponsor, world.study)
    log = await gateway.audit.access_log(await world.caller(who), subject, part=Slice(size=50), wanted=EVERYTHING)
    told = [(one.actor, one.outcome) for one in log.events if one.action == "STUDY_WILLING"]
    assert told == [(world.sponsor.actor, Outcome.PERMITTED)]


async def test_who_is_no_part_of_the_study_sees_no_list_and_no_count(world: Site) -> None:
    recruiting = world.inside.gateway.recruiting
    for who in (world.monitor, (await patient(world))[0]):
        with pytest.raises(DeniedError):
            await recruiting.willing(await world.caller(who), world.study)
        with pytest.raises(DeniedError):
            await recruiting.count(await world.caller(who), world.study, data_use=["DUO:0000006"], epsilon=0.1)


async def test_a_count_is_noised_and_says_what_it_leaves_out(world: Site) -> None:
    told, left_out = await world.inside.gateway.recruiting.count(
        await world.caller(world.sponsor), world.study, data_use=["DUO:0000006"], epsilon=0.5
    )
    assert left_out == ("You are pregnant.",)
    assert told.answer.value == 0  # of 1 to 10 no number is told, and nobody consented to research here


async def test_a_match_leaves_no_trace_in_the_journal(world: Site) -> None:
    who, subject = await patient(world)
    trials = world.inside.gateway.trials
    before = await trials._journal.head(world.study)
    await world.inside.gateway.recruiting.match(await world.caller(who), world.study, subject)
    assert await trials._journal.head(world.study) == before


async def test_criteria_that_are_none_are_refused_before_they_are_signed(world: Site) -> None:
    for criteria in ({}, {"inclusion": [{"text": "x"}]}, {"inclusion": [{"text": "x", "fhirpath": "(("}]}):
        with pytest.raises(CallerError) as caught:
            await world.act(world.sponsor, "recruit", criteria=criteria, summary="s", open=True)
        assert caught.value.field[:2] == ("act", "criteria")


async def test_a_study_that_looks_for_nobody_is_matched_by_nobody(world: Site) -> None:
    who, subject = await patient(world)
    quiet = world.another()
    await quiet.register()
    with pytest.raises(ConflictError):
        await world.inside.gateway.recruiting.match(await world.caller(who), quiet.study, subject)
    shown, _ = await world.inside.gateway.recruiting.sought(after=b"", limit=10)
    assert [one.study.study for one in shown] == [world.study]
