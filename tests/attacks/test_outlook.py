"""What a patient is told of who may see what is what those people are then released; and nobody else is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from gateway.audit.model import EVERYTHING, Outcome
from gateway.consent.model import ANYONE, Action, ConsentInput, Effect, Purpose
from gateway.errors import ConsentryError, DeniedError, LimitError
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, ConsentId, RecordId, SubjectId
from gateway.records import explaining
from gateway.records.model import Outlook, RecordFilter, RecordOrder
from gateway.slices import Slice
from tests.attacks.inside import Inside, Somebody, inside
from tests.journeys.resources import LOINC, WEIGHT, condition, observation

pytestmark = pytest.mark.asyncio(loop_scope="module")
ASKED = (Purpose.TREAT, Purpose.HRESCH, Purpose.HOPERAT, Purpose.ETREAT)
RESOURCES: list[tuple[dict[str, Any], tuple[str, ...] | None]] = [
    (observation(code=WEIGHT, date="2019-02-01"), None),
    (observation(date="2021-01-01"), None),
    (observation(date="2022-01-01"), ("HIV",)),
    (condition(date="2017-05-05"), None),
    (condition(date="2018-05-05"), ("PSY",)),
]


class House:
    """One patient; a house with a member, a colleague without one, a researcher, and consents of many kinds."""

    def __init__(self, world: Inside, subject: SubjectId, people: dict[str, Somebody]) -> None:
        self.world, self.subject, self.people = world, subject, people
        self.records: list[RecordId] = []
        self.consents: dict[str, ConsentId] = {}

    async def caller(self, name: str) -> Caller:
        found = await self.world.caller(self.people[name])
        assert found is not None
        return found

    async def outlook(self, **filter: Any) -> Outlook:
        service = self.world.gateway.explaining
        return await service.who_can_see(await self.caller("patient"), self.subject, filter=RecordFilter(**filter))

    async def readable(self, name: str, purpose: Purpose) -> set[RecordId]:
        """What this person is in truth released."""
        page = await self.world.gateway.records.page(
            await self.caller(name),
            self.subject,
            purpose=purpose,
            filter=RecordFilter(),
            order=RecordOrder.ARRIVAL,
            part=Slice(size=50),
        )
        return {item.record for item in page.items}

    def asked(self, **terms: Any) -> ConsentInput:
        """READ for TREAT of one hour for the stranger, with `terms` instead."""
        empty = dict.fromkeys(("resource_types", "codes", "authors", "records", "labels", "data_use"), ())
        none = dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash"))
        plain: dict[str, Any] = {
            "subject": self.subject,
            "effect": Effect.PERMIT,
            "grantee": self.people["stranger"].actor,
            "actions": (Action.READ,),
            "purposes": (Purpose.TREAT,),
            "not_after": datetime.now(UTC) + timedelta(hours=1),
        }
        return ConsentInput(**{**empty, **none, **plain, **terms})


async def _join(house: House, member: str) -> None:
    caller, identity = await house.caller("house"), house.world.gateway.identity
    until = datetime.now(UTC) + timedelta(days=1)
    draft = await identity.draft_membership(
        caller, organization=house.people["house"].actor, member=house.people[member].actor, not_after=until
    )
    signature = bytes.fromhex(house.people["house"].wallet.sign_typed_data(draft.typed_data)[2:])
    await identity.add_member(caller, typed_data=draft.typed_data, signature=signature)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    roles = {
        "patient": Role.PATIENT,
        "house": Role.ORGANIZATION,
        "member": Role.CLINICIAN,
        "barred": Role.CLINICIAN,
        "named": Role.CLINICIAN,
        "researcher": Role.RESEARCHER,
        "stranger": Role.CLINICIAN,
    }
    async with inside(tmp_path_factory.mktemp("house") / "data") as world:
        people = {name: await world.person(role) for name, role in roles.items()}
        patient = people["patient"]
        made = House(world, await world.patient(patient), people)
        for resource, labels in RESOURCES:
            made.records.append(await world.store(patient, made.subject, resource, labels=labels))
        await _join(made, "member")
        await _join(made, "barred")

        async def says(name: str, grantee: bytes, **terms: Any) -> None:
            made.consents[name] = await world.consent(patient, made.subject, grantee, **terms)

        await says("house", people["house"].actor, purposes=(Purpose.TREAT, Purpose.HOPERAT), labels=("HIV",))
        await says("barred", people["barred"].actor, effect=Effect.DENY, resource_types=("Condition",))
        await says("named", people["named"].actor, codes=(f"{LOINC}|{WEIGHT}",), actions=(Action.READ, Action.WRITE))
        await says("research", people["researcher"].actor, purposes=(Purpose.HRESCH,), labels=("HIV", "PSY"))
        await says("psy", ANYONE, effect=Effect.DENY, labels=("PSY",), purposes=(Purpose.TREAT, Purpose.HRESCH))
        await says("ended", people["stranger"].actor)
        await world.revoke(patient, made.subject, made.consents["ended"])
        yield made


async def test_what_is_told_is_what_each_of_them_is_released(house: House) -> None:
    told = {(one.grantee, one.purpose): one.records for one in (await house.outlook()).reaches}
    for name in ("house", "barred", "named", "researcher", "stranger"):
        for purpose in ASKED:
            truth = len(await house.readable(name, purpose))
            assert told.get((house.people[name].actor, purpose), 0) == truth, (name, purpose)
    assert told[house.people["house"].actor, Purpose.TREAT] == 4
    assert told[house.people["barred"].actor, Purpose.TREAT] == 3
    assert house.people["stranger"].actor not in {grantee for grantee, _ in told}
    member = await house.readable("member", Purpose.TREAT)
    assert len(member) == told[house.people["house"].actor, Purpose.TREAT]


async def test_each_record_is_explained_by_the_very_reads_of_it(house: House) -> None:
    for record in house.records:
        found = await house.world.gateway.explaining.explain(await house.caller("patient"), record)
        told = {(one.grantee, one.purpose) for one in found.permitted if one.action is Action.READ}
        for name in ("house", "barred", "named", "researcher", "stranger"):
            for purpose in ASKED:
                truth = record in await house.readable(name, purpose)
                assert ((house.people[name].actor, purpose) in told) == truth, (name, purpose)


async def test_an_explanation_names_consents_denies_and_ends(house: House) -> None:
    weight, psy = house.records[0], house.records[4]
    explain, caller = house.world.gateway.explaining.explain, await house.caller("patient")
    found = await explain(caller, weight)
    named = [one for one in found.permitted if one.grantee == house.people["named"].actor]
    assert {(one.action, one.consent) for one in named} == {
        (Action.READ, house.consents["named"]), (Action.WRITE, house.consents["named"]),
    }  # fmt: skip
    assert all(0 < one.until - datetime.now(UTC).timestamp() <= 3600 for one in named)
    assert found.barred == ()
    denied = {one.consent: one for one in (await explain(caller, psy)).barred}
    assert set(denied) == {house.consents["psy"], house.consents["barred"]}
    assert denied[house.consents["psy"]].grantee == ANYONE
    assert denied[house.consents["psy"]].purposes == (Purpose.TREAT, Purpose.HRESCH)
    assert denied[house.consents["psy"]].actions == (Action.READ,)


async def test_a_filter_narrows_what_is_counted(house: House) -> None:
    found = await house.outlook(resource_types=("Condition",))
    assert found.records == 2
    reach = {(one.grantee, one.purpose): one.records for one in found.reaches}
    assert reach[house.people["house"].actor, Purpose.TREAT] == 1


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"labels": ("HIV", "PSY"), "purposes": (Purpose.TREAT, Purpose.HOPERAT)},
        {"resource_types": ("Condition",), "labels": ("PSY",), "purposes": (Purpose.HOPERAT,)},
        {"effect": Effect.DENY, "grantee": "member", "purposes": ASKED},
        {"effect": Effect.DENY, "grantee": "anyone", "resource_types": ("Observation",), "purposes": ASKED},
    ],
    ids=str,
)
async def test_what_is_foreseen_of_a_consent_is_what_then_comes(house: House, terms: dict[str, Any]) -> None:
    names = {"member": house.people["member"].actor, "anyone": ActorId(ANYONE)}
    wanted = {**terms, "grantee": names.get(terms.get("grantee", ""), house.people["stranger"].actor)}
    caller = await house.caller("patient")
    shown = house.world.gateway.shown_consents.of_patient
    consents = (await shown(caller, subject=house.subject, part=Slice(size=100))).items
    foreseen = await house.world.gateway.explaining.preview(caller, house.asked(**wanted))
    kept = (await shown(caller, subject=house.subject, part=Slice(size=100))).items
    assert [one.consent for one in kept] == [one.consent for one in consents], "nothing is kept of a preview"
    everybody = ("house", "member", "barred", "named", "researcher", "stranger")
    before = {(name, purpose): await house.readable(name, purpose) for name in everybody for purpose in ASKED}
    made = await house.world.consent(house.people["patient"], house.subject, **wanted)
    try:
        after = {key: await house.readable(*key) for key in before}
    finally:
        await house.world.revoke(house.people["patient"], house.subject, made)
    told = {(one.grantee, one.purpose): (one.before, one.after) for one in foreseen.effects}
    for (name, purpose), old in before.items():
        key = (house.people[name].actor, purpose)
        if key in told:
            assert told[key] == (len(old), len(after[name, purpose])), key
        else:
            assert old == after[name, purpose], "what changes is foreseen"
    opened = {record for key, old in before.items() for record in after[key] - old}
    closed = {record for key, old in before.items() for record in old - after[key]}
    assert (set(foreseen.opened), set(foreseen.closed)) == (opened, closed)


async def _refusals(house: House, name: str, subject: SubjectId, record: RecordId) -> list[str]:
    service, caller = house.world.gateway.explaining, await house.caller(name)
    found = []
    for asking in (
        service.explain(caller, record),
        service.who_can_see(caller, subject, filter=RecordFilter()),
        service.preview(caller, replace(house.asked(), subject=subject)),
    ):
        with pytest.raises(DeniedError) as refused:
            await asking
        found.append(refused.value.code)
    return found


@pytest.mark.parametrize("name", ["member", "house", "named", "researcher", "stranger"])
async def test_all_others_hear_what_they_hear_of_nobody(house: House, name: str) -> None:
    """Also who may read the very record."""
    nobody = (SubjectId(b"\x07" * 32), RecordId(b"\x07" * 16))
    assert await _refusals(house, name, house.subject, house.records[0]) == await _refusals(house, name, *nobody)


async def test_each_answer_and_each_refusal_stands_in_the_log(house: House) -> None:
    await _refusals(house, "member", house.subject, house.records[0])
    await house.outlook()
    await house.world.gateway.explaining.explain(await house.caller("patient"), house.records[0])
    log = await house.world.gateway.audit.access_log(
        await house.caller("patient"),
        house.subject,
        part=Slice(size=5),
        wanted=replace(EVERYTHING, actions=frozenset({explaining.ACTION})),
    )
    assert [(event.outcome, event.actor) for event in log.events] == [
        (Outcome.PERMITTED, house.people["patient"].actor),
        (Outcome.PERMITTED, house.people["patient"].actor),
        (Outcome.DENIED, house.people["member"].actor),
        (Outcome.DENIED, house.people["member"].actor),
        (Outcome.DENIED, house.people["member"].actor),
    ]


async def test_too_many_decisions_are_a_limit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "DECISIONS_CEILING", 6)
    for asking in (
        house.outlook(),
        house.world.gateway.explaining.preview(await house.caller("patient"), house.asked()),
    ):
        with pytest.raises(LimitError):
            await asking


async def test_a_draft_that_would_be_refused_is_not_foreseen(house: House) -> None:
    for wrong in (
        {"purposes": ()},
        {"not_after": datetime(2020, 1, 1, tzinfo=UTC)},
        {"grantee": ActorId(b"\x09" * 32)},
    ):
        with pytest.raises(ConsentryError) as refused:
            await house.world.gateway.explaining.preview(await house.caller("patient"), house.asked(**wrong))
        assert refused.value.code == "INVALID"
