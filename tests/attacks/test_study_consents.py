"""Consent to a study: in the form that is asked for now, from the subject alone, and until they withdraw."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.model import Action, Purpose
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError
from gateway.identity.model import Role
from gateway.trials.capturing import Captured
from tests.attacks.inside import inside
from tests.attacks.study import LABELS, Site, Subject, site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with inside(Path(tmp_path_factory.mktemp("consents"))) as running:
        yield await site(running)


@pytest_asyncio.fixture(loop_scope="module")
async def world(people: Site) -> Site:
    made = people.another()
    await made.prepare()
    return made


async def reads(world: Site, made: Captured, subject: Subject) -> bool:
    caller, capturing = await world.caller(world.monitor), world.inside.gateway.capturing
    try:
        await capturing.read(caller, world.study, subject.subject, made.records[0].record)
    except ConsentryError:
        return False
    return True


async def captures(world: Site, subject: Subject, repeat: str) -> bool:
    try:
        await world.capture(subject, repeat=repeat)
    except ConsentryError:
        return False
    return True


async def renewed(world: Site, text: str, *, keeps: bool = True) -> None:
    """Another version of the form is asked for."""
    world.terms = await world.form(world.sponsor, text)
    await world.act(world.sponsor, "terms", terms=world.terms.hex(), keeps=keeps)


# ---- enrolment


async def test_nobody_is_enrolled_without_their_own_consent_to_this_study(world: Site, people: Site) -> None:
    other = people.another()
    await other.prepare()
    inside, who = world.inside, await world.inside.person(Role.PATIENT)
    subject = await inside.patient(who)
    members = {"subject": subject.hex(), "key": "701-1", "site": "701"}
    plain: dict[str, Any] = {
        "actions": (Action.READ, Action.WRITE),
        "purposes": (Purpose.CLINTRCH,),
        "labels": LABELS,
        "terms_hash": world.terms,
        "study": world.study,
    }
    for wrong in (
        {"study": other.study, "terms_hash": other.terms},
        {"actions": (Action.READ,)},
        {"terms_hash": b"\x11" * 32},
        {"grantee": world.investigator.actor},
    ):
        given = {**plain, **wrong}
        grantee = given.pop("grantee", world.sponsor.actor)
        try:
            await inside.consent(who, subject, grantee, **given)
        except CallerError:
            assert "terms_hash" in wrong  # of a form that nobody published
        with pytest.raises(CallerError) as refused:
            await world.act(world.investigator, "enrol", **members)
        assert refused.value.field == ("act", "consent")
    consent = await inside.consent(who, subject, world.sponsor.actor, **plain)
    await inside.revoke(who, subject, consent)
    with pytest.raises(CallerError):
        await world.act(world.investigator, "enrol", **members)
    stranger = await world.enrol("701-2")
    draft = await world.draft(world.investigator, "enrol", subject=stranger.subject.hex(), key="701-2", site="701")
    with pytest.raises(CallerError):
        await world.submit(world.investigator, draft, changed={"subject": subject.hex()})
    assert set((await world.standing()).subjects) == {stranger.subject}


async def test_under_the_form_of_before_nobody_is_enrolled(world: Site) -> None:
    who = await world.inside.person(Role.PATIENT)
    subject = await world.inside.patient(who)
    await world.consented(who, subject)
    draft = await world.draft(world.investigator, "enrol", subject=subject.hex(), key="701-1", site="701")
    await renewed(world, "You may leave at any time, and are told so.")
    with pytest.raises(CallerError) as refused:
        await world.submit(world.investigator, draft)
    assert refused.value.field == ("act", "consent")


async def test_a_key_is_one_subjects(world: Site) -> None:
    first = await world.enrol("701-1")
    with pytest.raises(ConflictError) as refused:
        await world.enrol("701-1")
    assert refused.value.field == ("act", "key")
    with pytest.raises(ConflictError) as refused:
        await world.act(world.investigator, "enrol", subject=first.subject.hex(), key="701-9", site="701")
    assert refused.value.field == ("act", "subject")


# ---- another version


async def test_data_are_collected_under_the_form_that_is_asked_for_now(world: Site) -> None:
    subject = await world.enrol("701-1")
    made = await world.capture(subject)
    await renewed(world, "You may leave at any time, whatever we say.")
    assert not await captures(world, subject, "2")
    assert await reads(world, made, subject)
    await world.consented(subject.who, subject.subject)
    assert await captures(world, subject, "2")


# ---- withdrawal


@pytest.mark.parametrize("keeps", [True, False], ids=["what was collected stays", "what was collected goes"])
async def test_a_revocation_ends_collection_at_once_and_what_was_collected_is_as_the_terms_say(
    people: Site, keeps: bool
) -> None:
    world = people.another()
    await world.prepare(keeps=keeps)
    subject = await world.enrol("701-1")
    made = await world.capture(subject)
    assert await reads(world, made, subject)
    await world.inside.revoke(subject.who, subject.subject, subject.consent)
    assert not await captures(world, subject, "2")
    assert await reads(world, made, subject) is keeps


async def test_who_has_withdrawn_is_collected_from_no_more_and_comes_back_by_a_consent_given_since(world: Site) -> None:
    subject = await world.enrol("701-1")
    members = {"subject": subject.subject.hex(), "key": "701-1", "site": "701"}
    await world.act(world.coordinator, "withdraw", subject=subject.subject.hex(), reason="Moved away.")
    assert not await captures(world, subject, "1")
    with pytest.raises(CallerError) as refused:  # the consent of before stands, and is not what they said since
        await world.act(world.investigator, "enrol", **members)
    assert refused.value.field == ("act", "consent")
    assert not await captures(world, subject, "1")
    with pytest.raises(ConflictError):
        await world.act(world.coordinator, "withdraw", subject=subject.subject.hex(), reason="Twice.")
    before = (await world.standing()).subjects[subject.subject].withdrawn_at
    await asyncio.sleep(max(0.0, before + 1.1 - time.time()))
    await world.consented(subject.who, subject.subject)
    await world.act(world.investigator, "enrol", **members)
    assert await captures(world, subject, "1")


async def test_who_was_erased_is_in_no_study_and_the_journal_still_holds(world: Site) -> None:
    first, second = await world.enrol("701-1"), await world.enrol("701-2")
    made = await world.capture(first)
    await world.capture(second)
    await world.erase(first)
    assert not await reads(world, made, first)
    assert not await captures(world, first, "2")
    assert await captures(world, second, "2")
    study = await world.standing()
    assert set(study.subjects) == {second.subject}
    caller = await world.caller(world.sponsor)
    trail = await world.inside.gateway.study_showing.trail(caller, world.study, after=-1, limit=99)
    assert [one.entry.number for one in trail] == list(range(len(trail)))
    assert {one.entry.kind.name for one in trail if one.entry.is_erased} == {"ENROLMENT", "CAPTURE"}
    assert first.subject.hex().encode() not in b"".join(one.octets or b"" for one in trail)
    assert (await world.lock()).state.value == "LOCKED"


async def test_a_patient_cannot_write_into_a_study_and_reads_what_is_theirs(world: Site) -> None:
    subject = await world.enrol("701-1")
    made = await world.capture(subject)
    with pytest.raises(DeniedError):
        await world.capture(subject, repeat="2", who=subject.who)
    record = made.records[0].record
    released = await world.inside.gateway.records.read(await world.caller(subject.who), record, purpose=Purpose.PATRQT)
    assert released.version == 1
