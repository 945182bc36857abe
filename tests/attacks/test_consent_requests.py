"""A request for consent gives nobody anything: nobody else's is read, drafted, declined or withdrawn; who asks learns
nothing of whom they ask, and asks no more than the bounds; what lies in the database tells nothing and is not believed.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, Action, ConsentInput, Effect, Purpose
from gateway.consent.requested import MOST_OPEN, ConsentRequest, RequestInput, RequestState, RequestView
from gateway.errors import CallerError, ConflictError, ConsentryError, DeniedError, IntegrityError, LimitError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, RequestId, SubjectId, to_global
from gateway.records.model import Released
from gateway.slices import Slice
from tests.attacks.delegated import later, signed
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import observation

pytestmark = pytest.mark.asyncio(loop_scope="module")
REASON = "Canary-reason: to follow up your surgery"
ALL = Slice(size=50)
EACH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """Two patients, and people who ask."""

    at: Inside
    path: Path
    patient: Somebody
    subject: SubjectId
    other: Somebody
    others: SubjectId

    async def caller(self, who: Somebody) -> Caller:
        found = await self.at.caller(who)
        assert found is not None
        return found

    async def asker(self) -> Somebody:
        """One whose bounds nobody else has used."""
        return await self.at.person(Role.CLINICIAN)

    async def ask(self, who: Somebody, subject: SubjectId | None = None, **changes: Any) -> RequestView:
        days, reason = changes.pop("days", 7), changes.pop("reason", REASON)
        plain: dict[str, Any] = {
            "subject": subject or self.subject,
            "effect": Effect.PERMIT,
            "grantee": ActorId(ANYONE),
            "actions": (Action.READ,),
            "purposes": (Purpose.TREAT,),
            "not_after": later(86_400),
            **dict.fromkeys(("resource_types", "codes", "authors", "records", "labels", "data_use"), ()),
            **dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash")),
        }
        asked = RequestInput(terms=ConsentInput(**{**plain, **changes}), reason=reason, days=days)
        return await self.at.gateway.consent_requests.ask(await self.caller(who), asked)

    async def sent(self, who: Somebody) -> dict[RequestId, RequestState]:
        page = await self.at.gateway.consent_requests.sent(await self.caller(who), ALL)
        return {view.request.id: view.state for _, view in page.views}

    async def seen(self, who: Somebody, subject: SubjectId) -> dict[RequestId, RequestState]:
        service = self.at.gateway.consent_requests
        page = await service.of_patient(await self.caller(who), subject=subject, part=ALL)
        return {view.request.id: view.state for _, view in page.views}

    async def draft(self, who: Somebody, request: ConsentRequest) -> Any:
        service = self.at.gateway.consent_requests
        return await service.draft(await self.caller(who), request.id, language=Language.EN)

    async def decline(self, who: Somebody, request: ConsentRequest) -> RequestView:
        return await self.at.gateway.consent_requests.decline(await self.caller(who), request.id)

    async def withdraw(self, who: Somebody, request: ConsentRequest) -> RequestView:
        return await self.at.gateway.consent_requests.withdraw(await self.caller(who), request.id)

    def edit(self, sql: str, *values: object) -> None:
        with sqlite3.connect(self.path, timeout=30) as database:
            database.execute(sql, values)

    def rows(self, *requests: RequestId) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.path, timeout=30) as database:
            marks = ", ".join("?" * len(requests))
            sql = f"select * from requests where request in ({marks}) order by seq"
            return database.execute(sql, requests).fetchall()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    folder = tmp_path_factory.mktemp("requests")
    async with inside(folder, batch_seconds=3600.0, batch_size=16_384, requests_per_asker=EACH) as at:
        patient, other = await at.person(Role.PATIENT), await at.person(Role.PATIENT)
        yield Ward(
            at=at,
            path=folder / "index.db",
            patient=patient,
            subject=await at.patient(patient),
            other=other,
            others=await at.patient(other),
        )


async def denied(work: Any) -> DeniedError:
    with pytest.raises(ConsentryError) as refusal:
        await work
    assert isinstance(refusal.value, DeniedError)
    return refusal.value


async def test_what_was_asked_is_what_is_drafted_signed_and_granted(ward: Ward) -> None:
    asker, at = await ward.asker(), ward.at
    record = await at.store(ward.patient, ward.subject, observation())
    made = (await ward.ask(asker, resource_types=("Observation",), labels=("HIV",))).request
    assert isinstance(await at.read(asker, record), DeniedError), "a request confers nothing"
    assert await ward.seen(ward.patient, ward.subject) | {made.id: RequestState.OPEN} == await ward.seen(
        ward.patient, ward.subject
    )
    draft = await ward.draft(ward.patient, made)
    scope = draft.typed_data["message"]["scope"]
    assert (scope["grantee"], scope["resourceTypes"], scope["labels"]) == (
        "0x" + asker.actor.hex(),
        ["Observation"],
        ["HIV"],
    )
    assert isinstance(await at.read(asker, record), DeniedError), "nor does a draft"
    mine = await ward.caller(ward.patient)
    granted = await at.gateway.consents.grant(
        mine, typed_data=draft.typed_data, signature=signed(ward.patient, draft.typed_data)
    )
    page = await at.gateway.consent_requests.sent(await ward.caller(asker), ALL)
    assert [(view.state, view.consent) for _, view in page.views] == [(RequestState.GRANTED, granted.consent)]
    assert isinstance(await at.read(asker, record), Released)
    with pytest.raises(ConflictError):
        await ward.draft(ward.patient, made)
    with pytest.raises(ConflictError):
        await ward.decline(ward.patient, made)
    await ward.withdraw(asker, made)
    assert await ward.sent(asker) == {made.id: RequestState.GRANTED}, "what was granted is ended by its patient alone"
    log = await at.gateway.audit.access_log(mine, ward.subject, part=Slice(size=50))
    assert {"REQUEST_CONSENT", "WITHDRAW_REQUEST"} <= {event.action for event in log.events}


async def test_nobody_elses_request_is_seen_drafted_declined_or_withdrawn(ward: Ward) -> None:
    asker, stranger = await ward.asker(), await ward.asker()
    made = (await ward.ask(asker)).request
    for who in (stranger, ward.other, ward.at.registrar):
        assert made.id not in await ward.seen(who, ward.subject)
        assert made.id not in await ward.sent(who)
        for deed in (ward.draft, ward.decline, ward.withdraw):
            await denied(deed(who, made))
    for deed in (ward.draft, ward.decline):
        await denied(deed(asker, made))
    await denied(ward.withdraw(ward.patient, made))
    assert made.id not in await ward.seen(asker, ward.subject)
    assert (await ward.sent(asker))[made.id] is RequestState.OPEN
    assert (await ward.seen(ward.patient, ward.subject))[made.id] is RequestState.OPEN


async def test_a_request_that_is_not_there_is_refused_as_anothers_is(ward: Ward) -> None:
    asker = await ward.asker()
    theirs = (await ward.ask(asker)).request
    nowhere = ConsentRequest(
        id=RequestId(b"\x07" * 16),
        asker=asker.actor,
        terms=theirs.terms,
        reason="",
        salt=b"",
        asked_at=0,
        expires_at=0,
    )
    for deed in (ward.draft, ward.decline, ward.withdraw):
        said = [await denied(deed(ward.other, one)) for one in (theirs, nowhere)]
        assert len({(one.message, one.field, one.decision_id is None) for one in said}) == 1
    assert to_global("ConsentRequest", nowhere.id)


async def test_a_patient_an_erased_one_and_none_are_answered_alike(ward: Ward) -> None:
    """To the last bound; and a patient who declines is told of as one who is silent."""
    at, erased = ward.at, await ward.at.person(Role.PATIENT)
    gone = await at.patient(erased)
    caller = await ward.caller(erased)
    draft = await at.gateway.erasures.draft_erasure(caller, subject=gone)
    await at.gateway.erasures.erase_patient(
        caller, typed_data=draft.typed_data, signature=signed(erased, draft.typed_data)
    )
    told = []
    for subject in (ward.subject, ward.others, gone, SubjectId(b"\x5e" * 32)):
        asker = await ward.asker()
        made = [await ward.ask(asker, subject) for _ in range(MOST_OPEN)]
        if subject == ward.others:
            for one in made:
                declined = await ward.decline(ward.other, one.request)
                assert declined.state is RequestState.DECLINED
        with pytest.raises(LimitError) as refusal:
            await ward.ask(asker, subject)
        sent = await ward.sent(asker)
        await ward.withdraw(asker, made[0].request)
        after = await ward.sent(asker)
        told.append(
            (
                [(one.state, one.consent, one.request.expires_at - one.request.asked_at) for one in made],
                [sent[one.request.id] for one in made],
                [after[one.request.id] for one in made],
                refusal.value.message,
            )
        )
        with pytest.raises(LimitError):
            await ward.ask(asker, subject)  # what was asked is in the patient's list, withdrawn or not
    assert all(one == told[0] for one in told)
    assert set(told[0][1]) == {RequestState.OPEN}


async def test_a_flood_at_once_passes_no_bound(ward: Ward) -> None:
    asker = await ward.asker()
    answers = await asyncio.gather(*(ward.ask(asker) for _ in range(2 * EACH)), return_exceptions=True)
    assert sum(isinstance(one, RequestView) for one in answers) == MOST_OPEN
    asker = await ward.asker()
    subjects = [SubjectId(bytes([number]) * 32) for number in range(2 * EACH)]
    answers = await asyncio.gather(*(ward.ask(asker, one) for one in subjects), return_exceptions=True)
    assert sum(isinstance(one, RequestView) for one in answers) == EACH
    for request in await ward.sent(asker):
        made = next(one.request for one in answers if isinstance(one, RequestView) and one.request.id == request)
        await ward.withdraw(asker, made)
    with pytest.raises(LimitError):
        await ward.ask(asker)


async def test_who_is_a_patient_alone_asks_nobody(ward: Ward) -> None:
    refusals = [await denied(ward.ask(ward.other, one)) for one in (ward.subject, SubjectId(b"\x5d" * 32))]
    assert len({one.message for one in refusals}) == 1


WRONG = {
    "a purpose of other roles": ({"purposes": (Purpose.HPAYMT,)}, "purposes"),
    "no purpose": ({"purposes": ()}, "purposes"),
    "somebody else's organization": ({"grantee": ActorId(b"\x09" * 32)}, "organizationId"),
    "a deny": ({"effect": Effect.DENY}, "effect"),
    "no end": ({"not_after": None}, "notAfter"),
    "over": ({"not_after": later(-60), "not_before": later(-120)}, "notAfter"),
    "no reason": ({"reason": "Because"}, "reason"),
    "a reason that hides": ({"reason": "For your good \u202e and mine"}, "reason"),
    "a reason without end": ({"reason": "x" * 1001}, "reason"),
    "for ever": ({"days": 91}, "days"),
    "for no day": ({"days": 0}, "days"),
    "a hash that is none": ({"terms_hash": b"\x01"}, "termsHash"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_cannot_be_asked_is_refused_by_name_and_not_counted(ward: Ward, name: str) -> None:
    asker = await ward.asker()
    changes, field = WRONG[name]
    with pytest.raises(CallerError) as refusal:
        await ward.ask(asker, **changes)
    assert refusal.value.field == (field,)
    assert await ward.sent(asker) == {}


EDITS = {
    "a flipped bit": "update requests set sealed = cast(substr(sealed, 1, 40) || x'00' || substr(sealed, 42) as blob)"
    " where request = :mine",
    "another's text": "update requests set sealed = (select sealed from requests where request = :theirs)"
    " where request = :mine",
    "another patient's": "update requests set subject = (select subject from requests where request = :theirs)"
    " where request = :mine",
    "another asker's": "update requests set asker = (select asker from requests where request = :theirs)"
    " where request = :mine",
    "a longer life": "update requests set expires_at = expires_at + 999999 where request = :mine",
    "an earlier time": "update requests set asked_at = asked_at - 99 where request = :mine",
}


@pytest.mark.parametrize("name", EDITS)
async def test_an_edited_row_is_refused_wherever_it_is_met(ward: Ward, name: str) -> None:
    at = ward.at
    patient, asker, rival = await at.person(Role.PATIENT), await ward.asker(), await ward.asker()
    subject = await at.patient(patient)
    made, theirs = (await ward.ask(asker, subject)).request, (await ward.ask(rival, ward.others)).request
    with sqlite3.connect(ward.path, timeout=30) as database:
        database.execute(EDITS[name], {"mine": made.id, "theirs": theirs.id})
    for work in (ward.draft(patient, made), ward.decline(patient, made), ward.withdraw(asker, made)):
        with pytest.raises(IntegrityError):
            await work
    lists = [ward.seen(ward.other, ward.others)] if name == "another patient's" else [ward.seen(patient, subject)]
    lists += [ward.sent(rival if name == "another asker's" else asker)]
    for work in lists:
        with pytest.raises(IntegrityError):
            await work
    ward.edit("delete from requests where request = ?", made.id)


async def test_a_row_tells_neither_whom_nor_who_nor_what_nor_how_much(ward: Ward) -> None:
    asker = await ward.asker()
    short = (await ward.ask(asker, reason="Ten signs.")).request
    long = (await ward.ask(asker, reason="Canary " * 40, codes=("http://snomed.info/sct|165816005",))).request
    nobody = (await ward.ask(asker, SubjectId(b"\x5c" * 32))).request
    rows = ward.rows(short.id, long.id, nobody.id)
    octets = b"".join(value for row in rows for value in row if isinstance(value, bytes))
    for told in (ward.subject, b"\x5c" * 32, asker.actor, b"Canary", b"165816005", b"TREAT"):
        assert told not in octets
    assert len({len(row[7]) for row in rows}) == 1


async def test_what_was_asked_goes_with_its_patient(ward: Ward) -> None:
    at, patient, asker = ward.at, await ward.at.person(Role.PATIENT), await ward.asker()
    subject = await at.patient(patient)
    made, kept = (await ward.ask(asker, subject)).request, (await ward.ask(asker)).request
    caller = await ward.caller(patient)
    draft = await at.gateway.erasures.draft_erasure(caller, subject=subject)
    await at.gateway.erasures.erase_patient(
        caller, typed_data=draft.typed_data, signature=signed(patient, draft.typed_data)
    )
    for _ in range(200):
        if not ward.rows(made.id):
            break
        await asyncio.sleep(0.1)
    assert ward.rows(made.id) == []
    assert await ward.sent(asker) == {kept.id: RequestState.OPEN}
    await denied(ward.withdraw(asker, made))


async def test_a_request_is_bounded_with_all_its_terms(ward: Ward) -> None:
    asker = await ward.asker()
    codes = tuple(f"http://loinc.org|{'9' * 480}{number}" for number in range(40))
    with pytest.raises(CallerError) as refusal:
        await ward.ask(asker, codes=codes)
    assert refusal.value.field == ("input",)
    assert await ward.sent(asker) == {}
