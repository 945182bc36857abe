"""A house, its people under every role, and one patient with a subject for each state of consent; all real, inside the
test's process. What a subject's record and emergency say is a canary of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from gateway.consent.model import ANYONE, Action, ConsentInput, DelegateInput, Effect, Purpose
from gateway.consent.names import topic
from gateway.consent.requested import RequestInput
from gateway.emergency.model import EmergencyCode, NewEmergency
from gateway.identity.model import Caller, Role
from gateway.ids import ActorId, ConsentId, DecisionId, EmergencyId, RecordId, ReleaseId, RequestId, StudyId, SubjectId
from gateway.releases.model import ReleaseView
from gateway.slices import Slice
from schema.execution import Engine
from tests.attacks.datasets import USE, Laboratory, asked, researcher
from tests.attacks.door.table import STATES
from tests.attacks.inside import Inside, Somebody, engine_of, inside
from tests.attacks.study import NO_STUDY, Site, Subject
from tests.journeys.resources import observation

GIVEN = (Purpose.TREAT, Purpose.HPAYMT, Purpose.HOPERAT, Purpose.HRESCH, Purpose.CLINTRCH)
T = TypeVar("T")
DELEGATED = {"permit": True, "deny": False}
"""In which states somebody consents in the patient's name, and whether they see the patient's lists."""
GUARDED = ("permit",)
"""In which the patient has guardians."""
LINKED = ("permit", "stale")
"""In which states the patient signs in by another key, too."""
SHORT_SECONDS = 6
CRITERIA = {"inclusion": [{"text": "You are 18 or older.", "age": {"from": 18}}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One subject in one state. `consent`: of those that name the house the first, or a name that nobody has;
    `others`: the consents beside it."""

    state: str
    subject: SubjectId
    record: RecordId
    consent: ConsentId
    decision: DecisionId
    emergency: EmergencyId
    request: RequestId
    canary: str
    reason: str
    asked: str
    dataset: ReleaseId
    study: StudyId


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """`people`: by the table's names; `colleague`: another clinician, who broke the glass where nobody is said to.
    `dataset`: what the researcher asked for and the steward approved; too few were in it. `site`: of another's study,
    with one subject."""

    inside: Inside
    engine: Engine
    people: dict[str, Somebody]
    colleague: Somebody
    cases: dict[str, Case]
    laboratory: Laboratory
    dataset: ReleaseView
    site: Site

    async def caller(self, role: str) -> Caller | None:
        return await self.inside.caller(self.people[role]) if role in self.people else None

    async def ask(self, role: str, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """The whole answer."""
        token = self.people[role].token if role in self.people else None
        answer = await self.engine.execute(
            query,
            variables=given,
            operation_name=None,
            caller=await self.caller(role),
            token=token,
            correlation_id="door",
        )
        return answer.payload

    async def publish(self, case: Case, kind: bytes, name: bytes) -> None:
        """As the write corridor does once something is durable."""
        bus = self.inside.gateway.bus
        assert bus is not None
        await bus.publish(topic(case.subject), kind + b":" + name)

    @contextmanager
    def stale(self) -> Iterator[None]:
        """No word of the chain is new enough meanwhile."""
        standings = self.inside.gateway._standings
        before = standings._freshness
        standings._freshness = replace(before, silence_seconds=-1.0)
        try:
            yield
        finally:
            standings._freshness = before


async def enlist(world: Inside, house: Somebody, member: Somebody, *, until: datetime | None = None) -> None:
    """For a day, or until then: a time that is past ends the membership."""
    caller = await world.caller(house)
    assert caller is not None
    until = until or datetime.now(UTC) + timedelta(days=1)
    identity = world.gateway.identity
    draft = await identity.draft_membership(caller, organization=house.actor, member=member.actor, not_after=until)
    signature = bytes.fromhex(house.wallet.sign_typed_data(draft.typed_data)[2:])
    await identity.add_member(caller, typed_data=draft.typed_data, signature=signature)


async def link(world: Inside, owner: Somebody, subject: SubjectId, actor: Somebody) -> None:
    caller = await world.caller(owner)
    assert caller is not None
    service = world.gateway.credentials
    draft = await service.draft_credential(caller, subject=subject, actor=actor.actor, linked=True)
    signed = [bytes.fromhex(one.wallet.sign_typed_data(draft.typed_data)[2:]) for one in (owner, actor)]
    await service.set_credential(caller, typed_data=draft.typed_data, signature=signed[0], actor_signature=signed[1])


async def guard(world: Inside, owner: Somebody, subject: SubjectId, guardians: tuple[Somebody, ...]) -> None:
    caller = await world.caller(owner)
    assert caller is not None
    service, actors = world.gateway.guardianships, [one.actor for one in guardians]
    made = await service.draft_guardians(caller, subject=subject, actors=actors, threshold=2)
    signature = bytes.fromhex(owner.wallet.sign_typed_data(made.draft.typed_data)[2:])
    assert made.opened is not None
    await service.set_guardians(
        caller,
        typed_data=made.draft.typed_data,
        signature=signature,
        actors=actors,
        threshold=2,
        salt=made.opened.salt,
    )


async def delegate(world: Inside, owner: Somebody, subject: SubjectId, actor: Somebody, *, lists: bool) -> None:
    caller = await world.caller(owner)
    assert caller is not None
    service = world.gateway.delegates
    wanted = DelegateInput(
        subject=subject,
        actor=actor.actor,
        actions=(Action.READ,),
        purposes=GIVEN,
        resource_types=(),
        labels=(),
        denies=False,
        permits_until=None,
        not_after=datetime.now(UTC) + timedelta(days=2),
        lists=lists,
    )
    draft = await service.draft_delegate(caller, wanted)
    signature = bytes.fromhex(owner.wallet.sign_typed_data(draft.typed_data)[2:])
    await service.add_delegate(caller, typed_data=draft.typed_data, signature=signature, given=draft.limits)


async def _ask(world: Inside, asker: Somebody, subject: SubjectId, reason: str) -> RequestId:
    caller = await world.caller(asker)
    assert caller is not None
    terms = ConsentInput(
        subject=subject,
        effect=Effect.PERMIT,
        grantee=ActorId(ANYONE),
        actions=(Action.READ,),
        purposes=(Purpose.HPAYMT,),
        not_after=datetime.now(UTC) + timedelta(days=1),
        **dict.fromkeys(("resource_types", "codes", "authors", "records", "labels", "data_use"), ()),
        **dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash")),
    )
    view = await world.gateway.consent_requests.ask(caller, RequestInput(terms=terms, reason=reason, days=1))
    return view.request.id


def _consents(state: str) -> list[dict[str, Any]]:
    """What the patient says of the house in a state; the plain permit with what differs."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    plain: dict[str, Any] = {"purposes": GIVEN, "not_after": tomorrow}
    deny = {**plain, "effect": Effect.DENY}
    return {
        "none": [],
        "permit": [plain, {**plain, "purposes": (Purpose.HRESCH,), "data_use": USE}],
        "deny": [deny],
        "both": [plain, deny],
        "expired": [{**plain, "not_after": datetime.fromtimestamp(int(time.time()) + SHORT_SECONDS, UTC)}],
        "not_yet": [{**plain, "not_before": tomorrow, "not_after": tomorrow + timedelta(days=1)}],
        "revoked": [plain],
        "wrong_purpose": [{**plain, "purposes": (Purpose.PUBHLTH,)}],
        "wrong_label": [{**plain, "labels": ("PSY",)}],
        "wrong_type": [{**plain, "resource_types": ("Condition",)}],
        "stale": [plain],
        "broken_glass": [],
    }[state]


async def _case(world: Inside, people: dict[str, Somebody], colleague: Somebody, state: str) -> Case:
    """Before there is a dataset."""
    owner, clinician = people["patient"], people["clinician"]
    subject = await world.patient(owner)
    canary, reason = f"Canary-{state}", f"Reason-{state} that nobody else may know"
    resource = observation(valueQuantity={"value": 120, "unit": canary})
    record = await world.store(owner, subject, resource, labels=("HIV",) if state == "wrong_label" else None)
    if state in LINKED:
        await link(world, owner, subject, people["linked"])
    if state in GUARDED:
        await guard(world, owner, subject, (people["researcher"], people["device"]))
    if state in DELEGATED:
        await delegate(world, owner, subject, people["delegate"], lists=DELEGATED[state])
    named = [await world.consent(owner, subject, people["organization"].actor, **one) for one in _consents(state)]
    if state == "revoked":
        await world.revoke(owner, subject, named[0])
    opener = clinician if state == "broken_glass" else colleague
    caller = await world.caller(opener)
    assert caller is not None
    broken = NewEmergency(subject=subject, code=EmergencyCode.OTHER, reason=reason, minutes=60)
    opened = await world.gateway.emergencies.open(caller, broken)
    if opener is colleague:
        await world.gateway.emergencies.end(caller, opened.emergency.id)
    asked = f"Asked-{state} for the bill of your stay"
    request = await _ask(world, people["payer"], subject, asked)
    mine = await world.caller(owner)
    assert mine is not None
    log = await world.gateway.audit.access_log(mine, subject, part=Slice(size=50))
    return Case(
        state=state,
        subject=subject,
        record=record,
        consent=named[0] if named else ConsentId(b"\x5c" * 32),
        decision=next(event.decision for event in log.events if event.action == "WRITE"),
        emergency=opened.emergency.id,
        request=request,
        canary=canary,
        reason=reason,
        asked=asked,
        dataset=ReleaseId(bytes(16)),
        study=NO_STUDY,
    )


async def _study(world: Inside, people: dict[str, Somebody], case: Case) -> Site:
    """With the case's patient as its subject, of whom one form says the canary and raises a query. Somebody else told
    it yes."""
    site = Site(
        inside=world,
        sponsor=await world.person(Role.ORGANIZATION),
        investigator=people["clinician"],
        coordinator=people["clinician"],
        monitor=people["researcher"],
    )
    await site.prepare(allocate=True)
    await site.delegate(people["auditor"], "SAFETY_BOARD", ["701"])
    await site.act(site.sponsor, "recruit", criteria=CRITERIA, summary="Whoever is 18 or older.", open=True)
    willing = await world.person(Role.PATIENT)
    theirs = await world.patient(willing)
    await world.gateway.recruiting.say(await site.caller(willing), site.study, theirs, yes=True)
    owner = people["patient"]
    consent = await site.consented(owner, case.subject)
    await site.act(people["clinician"], "enrol", subject=case.subject.hex(), key="701-1", site="701")
    subject = Subject(who=owner, subject=case.subject, key="701-1", consent=consent)
    site.subjects.append(subject)
    await site.capture(subject, "190", note=case.canary)
    clinician = await world.caller(people["clinician"])
    assert clinician is not None
    await world.gateway.allocations.assign(clinician, site.study, case.subject, {})
    return site


ROLE = {
    "patient": Role.PATIENT,
    "other_patient": Role.PATIENT,
    "clinician": Role.CLINICIAN,
    "organization": Role.ORGANIZATION,
    "researcher": Role.RESEARCHER,
    "data_steward": Role.DATA_STEWARD,
    "auditor": Role.AUDITOR,
    "device": Role.DEVICE,
    "payer": Role.PAYER,
    "delegate": Role.PATIENT,
    "linked": Role.PATIENT,
    "colleague": Role.CLINICIAN,
}


SECRET = b"\x5d" * 32
"""The researcher's X25519 key."""


async def _person(world: Inside, role: Role) -> Somebody:
    """The researcher with an encryption key, to which a dataset would be sealed."""
    return await (researcher(world, SECRET) if role is Role.RESEARCHER else world.person(role))


def _tables() -> dict[str, Any]:
    """Of whatever a release could hold of a case: the canary is where the unit of a value is."""
    values = {"name": "unit", "path": "value.ofType(Quantity).unit", "type": "string"}
    person = {"name": "person", "path": "subject.getReferenceKey()"}
    return {
        "people": asked()["tables"]["people"],
        "observations": {"resource": "Observation", "select": [{"column": [person, values]}]},
    }


async def _few(made: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Three at once: on a machine that others slow down, more of them wait for the chain until they give up."""
    places = asyncio.Semaphore(3)

    async def one(work: Coroutine[Any, Any, T]) -> T:
        async with places:
            return await work

    return await asyncio.gather(*(one(work) for work in made))


@asynccontextmanager
async def standing_house(folder: Path) -> AsyncIterator[House]:
    """All states at once, none of them stale yet."""
    async with inside(folder, emergencies_per_clinician=100, chain_silence_seconds=60.0) as world:
        made = await _few(_person(world, role) for role in ROLE.values())
        people = {"registrar": world.registrar, **dict(zip(ROLE, made, strict=True))}
        house, colleague = people["organization"], people.pop("colleague")
        members = [one for name, one in people.items() if name not in ("patient", "organization", "linked", "delegate")]
        for member in (*members, colleague):
            await enlist(world, house, member)
        cases = await _few(_case(world, people, colleague, state) for state in STATES)
        laboratory = Laboratory(
            inside=world, researcher=people["researcher"], steward=people["data_steward"], secret=SECRET
        )
        dataset, _ = await asyncio.gather(laboratory.released(tables=_tables()), asyncio.sleep(SHORT_SECONDS))
        site = await _study(world, people, next(case for case in cases if case.state == "permit"))
        yield House(
            inside=world,
            engine=engine_of(world.gateway),
            people=people,
            colleague=colleague,
            cases={case.state: replace(case, dataset=dataset.release, study=site.study) for case in cases},
            laboratory=laboratory,
            dataset=dataset,
            site=site,
        )
