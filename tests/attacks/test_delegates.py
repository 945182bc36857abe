"""A delegate gets nobody a read beyond what the patient signed: not past the limits, not past the end, not for another
patient, not by what lies in the database or comes straight to the chain; and no delegate reads by being one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psutil
import pytest
import pytest_asyncio

from anchoring.chain.abi import CONSENT, contract
from gateway import jsontext
from gateway.consent import limits, messages
from gateway.consent.model import ANYONE, Action, ConsentInput, Effect, Purpose
from gateway.consent.names import requester
from gateway.consent.requested import RequestInput
from gateway.errors import (
    CallerError,
    ConflictError,
    ConsentryError,
    DeniedError,
    StaleError,
)
from gateway.identity.model import Role
from gateway.ids import ActorId
from gateway.records.model import Released
from gateway.slices import Slice
from tests.attacks.delegated import OBSERVATIONS, Family, later, signed
from tests.attacks.inside import Inside, Somebody, inside, settled
from tests.journeys.keys import P256Key
from tests.journeys.resources import condition, observation
from tests.servers.http import rpc

pytestmark = pytest.mark.asyncio(loop_scope="module")
AHEAD = 1500
"""Seconds, within a session's."""
PLACE = ("typedData", "message", "scope")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Inside, Any, Somebody, Somebody]]:
    folder = tmp_path_factory.mktemp("delegates")
    async with inside(folder, batch_seconds=3600.0, batch_size=16_384) as at:
        yield at, folder / "index.db", await at.person(Role.PATIENT), await at.person(Role.CLINICIAN)


@pytest_asyncio.fixture(loop_scope="module")
async def family(house: tuple[Inside, Any, Somebody, Somebody]) -> Family:
    """A child of the test's own; the parent and the clinician are everybody's. No delegation yet."""
    at, path, parent, clinician = house
    patient = await at.person(Role.PATIENT)
    subject = await at.patient(patient)
    return Family(
        at=at,
        path=path,
        patient=patient,
        subject=subject,
        record=await at.store(patient, subject, observation()),
        private=await at.store(patient, subject, condition(), labels=("HIV",)),
        parent=parent,
        clinician=clinician,
    )


OUTSIDE = {
    "actions": ({"actions": (Action.READ, Action.WRITE)}, "actions"),
    "purposes": ({"purposes": (Purpose.TREAT, Purpose.HPAYMT)}, "purposes"),
    "another kind": ({"resource_types": ("Observation", "Condition")}, "resourceTypes"),
    "every kind": ({"resource_types": ()}, "resourceTypes"),
    "a label": ({"labels": ("HIV",)}, "labels"),
    "too long": ({"not_after": later(7200)}, "notAfter"),
    "a deny": ({"effect": Effect.DENY}, "effect"),
}


@pytest.mark.parametrize("name", OUTSIDE)
async def test_what_lies_outside_is_neither_drafted_nor_granted(family: Family, name: str) -> None:
    wanted, field = OUTSIDE[name]
    delegated = await family.delegated(permits_until=later(5400))
    with pytest.raises(CallerError) as refused:
        await delegated.terms(**wanted)
    assert refused.value.field == (field,)
    typed = await delegated.terms(family.patient, **wanted)
    with pytest.raises(CallerError) as refused:
        await delegated.grant(typed)
    at = PLACE if field in typed["message"]["scope"] else PLACE[:2]
    assert refused.value.field == (*at, field)
    assert not await delegated.reads()


@pytest.mark.parametrize("name", sorted(set(OUTSIDE) - {"a deny"}))
async def test_a_permit_outside_that_went_to_the_chain_permits_nothing(family: Family, name: str) -> None:
    """The registry knows the limits' hash alone: it takes the grant. With its terms sealed and in the index it is
    judged again at each decision."""
    wanted, _ = OUTSIDE[name]
    delegated = await family.delegated(permits_until=later(5400))
    await delegated.planted(await delegated.terms(family.patient, **wanted))
    assert not await delegated.reads()
    assert not await delegated.reads(family.private)
    inside_limits = await delegated.planted(await delegated.terms())
    assert await delegated.reads(), "what lies within is taken on the same way"
    assert inside_limits


async def test_a_deny_outside_that_went_to_the_chain_counts_until_the_patient_ends_it(family: Family) -> None:
    """Narrowly: what forbids stands, whoever signed it; the registry says so too."""
    delegated = await family.delegated()
    await family.at.consent(family.patient, family.subject, family.clinician.actor)
    assert await delegated.reads()
    denied = await delegated.planted(await delegated.terms(family.patient, effect=Effect.DENY, grantee=ActorId(ANYONE)))
    assert not await delegated.reads()
    await delegated.removed()
    assert not await delegated.reads()
    await family.at.revoke(family.patient, family.subject, denied)
    assert isinstance(await settled(lambda: family.at.read(family.clinician, family.record)), Released)


async def test_a_delegate_lets_in_neither_themselves_nor_reads_by_being_one(family: Family) -> None:
    delegated = await family.delegated(purposes=(Purpose.TREAT, Purpose.PATRQT), lists=True)
    with pytest.raises(CallerError) as refused:
        await delegated.terms(grantee=family.parent.actor)
    assert refused.value.field == ("granteeId",)
    typed = await delegated.terms(family.patient, grantee=family.parent.actor, purposes=(Purpose.PATRQT,))
    with pytest.raises(CallerError):
        await delegated.grant(typed)
    await delegated.planted(typed)
    for purpose in (Purpose.PATRQT, Purpose.TREAT):
        found = await family.at.read(family.parent, family.record, purpose=purpose)
        assert isinstance(found, DeniedError)


async def test_who_is_removed_grants_no_more_and_what_they_granted_has_ended(family: Family) -> None:
    delegated = await family.delegated()
    waiting = await delegated.terms()
    await delegated.consented()
    assert await delegated.reads()
    await delegated.removed()
    assert not await delegated.reads()
    with pytest.raises(DeniedError):
        await delegated.grant(waiting)
    await chain_says(delegated, holds=False)
    assert not await delegated.to_chain(delegated.granting(waiting))
    assert not await delegated.reads()


async def chain_says(family: Family, *, holds: bool) -> None:
    """The registry's own word, once it has it."""
    method = contract(CONSENT).methods["delegateOf"]
    call = {
        "to": family.at.gateway.consents._chain.facts.consent_registry,
        "data": "0x" + method.encode(family.subject, family.number).hex(),
    }
    for _ in range(200):
        answer = bytes.fromhex(rpc(family.at.gateway.chain_url, "eth_call", call, "latest")[2:])
        if method.decode(answer)[3] is holds:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the chain does not follow")


async def test_neither_an_addition_nor_a_removal_is_replayed(family: Family) -> None:
    draft = await family.draft()
    first = replace(family, number=(await family.submit(draft)).number)
    ended = (await first.removal()).typed_data
    await first.removed()
    await chain_says(first, holds=False)
    with pytest.raises(ConflictError):
        await family.submit(draft)
    second = await family.delegated()
    assert second.number == first.number + 1
    await second.consented()
    caller = await family.caller(family.patient)
    signature = signed(family.patient, ended)
    await family.at.gateway.delegates.remove_delegate(caller, typed_data=ended, signature=signature)
    assert await second.reads(), "the old removal ended the new delegation"


async def test_an_addition_and_a_removal_are_the_patients_and_for_one_patient(family: Family) -> None:
    draft = await family.draft()
    with pytest.raises(CallerError, match="not signed by the patient"):
        await family.submit(draft, signer=family.parent)
    with pytest.raises(DeniedError):
        await family.draft(family.parent)
    with pytest.raises(DeniedError):
        await family.at.gateway.delegates.add_delegate(
            await family.caller(family.parent),
            typed_data=draft.typed_data,
            signature=signed(family.patient, draft.typed_data),
            given=dict(draft.limits),
        )
    delegated = await family.delegated()
    stranger = await family.at.person(Role.CLINICIAN)
    with pytest.raises(DeniedError):
        await delegated.removal(stranger)
    typed = (await delegated.removal()).typed_data
    with pytest.raises(CallerError, match="neither"):
        await family.at.gateway.delegates.remove_delegate(
            await family.caller(family.patient), typed_data=typed, signature=signed(stranger, typed)
        )
    await delegated.consented()
    assert await delegated.reads()


async def test_other_limits_than_those_signed_are_refused(family: Family) -> None:
    draft = await family.draft()
    wider = {**draft.limits, "labels": ["HIV"]}
    unread = {**draft.limits, "more": True}
    reordered: Any = jsontext.loads(jsontext.dumps(dict(reversed(list(draft.limits.items())))))
    for given in (wider, unread, {}, None, [dict(draft.limits)]):
        with pytest.raises(CallerError) as refused:
            await family.submit(draft, given=given)
        assert refused.value.field == ("limits",)
    assert (await family.submit(draft, given=reordered)).holds


async def test_limits_of_another_patient_or_actor_are_no_limits_here(family: Family) -> None:
    """Their hash, signed by this patient: what it stands for is about somebody else."""
    stranger = await family.at.person(Role.PATIENT)
    theirs = await family.draft()
    said = limits.read(jsontext.canonical(dict(theirs.limits)))
    for other in (replace(said, subject=stranger.actor), replace(said, actor=stranger.actor)):
        octets = limits.written(other)
        typed = messages.delegation_typed_data(
            replace(messages.read_delegation(theirs.typed_data, family.domain), limits=limits.commitment(octets)),
            family.domain,
        )
        given: Any = jsontext.loads(octets)
        with pytest.raises(CallerError) as refused:
            await family.submit(replace(theirs, typed_data=typed, limits=given))
        assert refused.value.field == ("limits",)


async def test_a_delegates_consent_takes_their_own_signature(family: Family) -> None:
    """Not a stranger's, nor that of another delegate of the same patient; and the patient does not submit theirs."""
    delegated = await family.delegated()
    other = await replace(family, parent=await family.at.person(Role.PATIENT)).delegated()
    typed = await delegated.terms()
    grant = family.at.gateway.consents.grant
    for submits, signs in (
        (family.parent, other.parent),
        (family.parent, family.clinician),
        (family.patient, family.parent),
    ):
        with pytest.raises(CallerError) as refused:
            await grant(await family.caller(submits), typed_data=typed, signature=signed(signs, typed))
        assert refused.value.field == ("signature",)
    assert not await delegated.reads()


async def test_a_delegate_consents_for_their_patient_alone(family: Family) -> None:
    """Of two children, one has made them a delegate."""
    await family.delegated()
    other = await family.at.person(Role.PATIENT)
    sibling = replace(family, patient=other, subject=await family.at.patient(other))
    with pytest.raises(DeniedError):
        await sibling.terms()
    typed = await sibling.terms(other)
    with pytest.raises(DeniedError):
        await sibling.grant(typed)
    assert not await sibling.to_chain(sibling.granting(typed, number=1))
    assert not await sibling.to_chain(sibling.granting(typed, number=0))


async def test_a_delegate_acts_under_their_own_number(family: Family) -> None:
    """Two delegates, one with wider limits: the other's number opens nothing."""
    narrow = await family.delegated()
    wide = await replace(family, parent=await family.at.person(Role.PATIENT)).delegated(
        resource_types=(), labels=("HIV",)
    )
    asked = {"resource_types": (), "labels": ("HIV",)}
    typed = await narrow.terms(family.patient, **asked)
    with pytest.raises(CallerError):
        await narrow.grant(typed)
    assert not await family.to_chain(narrow.granting(typed, number=wide.number))
    await narrow.planted(typed)
    assert not await narrow.reads(family.private)
    edited = family.edit(
        "update chain_events set args = replace(args, ?, ?) where name = 'ConsentGranted' and key1 = ?",
        f'"delegate":"{narrow.number}"',
        f'"delegate":"{wide.number}"',
        family.subject,
    )
    assert edited == 1
    assert not await narrow.reads(family.private)


EDITS = {
    "deleted": ("delete from papers where name = ?1",),
    "of another block": ("update papers set digest = (select digest from consents limit 1) where name = ?1",),
    "of the wider": (
        "update papers set digest = (select digest from papers where subject = :subject and name <> ?1)"
        " where name = ?1",
    ),
    "renamed": ("delete from papers where name = ?1", "update papers set name = ?1 where subject = :subject"),
}


@pytest.mark.parametrize("how", EDITS)
async def test_a_paper_that_was_edited_permits_nothing(family: Family, how: str) -> None:
    """By whoever writes into the database: limits that do not open, or are not those of the hash, permit nothing."""
    draft = await family.draft()
    delegated = replace(family, number=(await family.submit(draft)).number)
    hashed = bytes.fromhex(draft.typed_data["message"]["limits"][2:])
    wider = replace(family, parent=await family.at.person(Role.PATIENT))
    await wider.delegated(resource_types=(), labels=("HIV",))
    await delegated.consented()
    assert await delegated.reads()
    kept = family.rows("select name, subject, digest from papers where subject = ?", family.subject)
    for sql in EDITS[how]:
        family.edit_named(sql, hashed, family.subject)
    assert not await delegated.reads()
    with pytest.raises(DeniedError):
        await delegated.terms()
    family.edit("delete from papers where subject = ?", family.subject)
    for row in kept:
        family.edit("insert into papers (name, subject, digest) values (?, ?, ?)", *row)
    assert await delegated.reads()


async def test_rows_that_end_nothing_on_chain_bring_no_delegate_back(family: Family) -> None:
    """A removal whose row and event are deleted is still counted by the chain."""
    delegated = await family.delegated()
    await delegated.consented()
    await delegated.removed()
    await chain_says(delegated, holds=False)
    family.edit("delete from narrowings where subject = ?", family.subject)
    assert not await delegated.reads()
    family.edit("delete from chain_events where name = 'DelegateRemoved' and key1 = ?", family.subject)
    assert isinstance(await family.at.read(family.clinician, family.record), StaleError)


async def test_a_delegates_document_in_a_patients_row_is_no_word_of_the_patients(family: Family) -> None:
    """The patient's permit is on chain; its sealed text is swapped for one that the delegate signed."""
    delegated = await family.delegated()
    typed = await delegated.terms(family.patient)
    consent = await delegated.grant(typed, who=family.patient)
    assert await delegated.reads()
    document_of_parent = await delegated.sealed(typed)
    family.edit("update consents set digest = ? where consent = ?", document_of_parent, consent)
    assert not await delegated.reads()


async def test_a_delegate_ends_nothing_that_others_signed(family: Family) -> None:
    delegated = await family.delegated()
    other = await replace(family, parent=await family.at.person(Role.PATIENT)).delegated()
    own = await family.at.consent(family.patient, family.subject, family.clinician.actor)
    theirs = await other.consented()
    revoke = family.at.gateway.consents.revoke
    for consent in (own, theirs):
        with pytest.raises(DeniedError):
            await family.at.gateway.consents.draft_revocation(
                await family.caller(family.parent), subject=family.subject, consent=consent
            )
        typed = messages.revocation_typed_data(family.subject, consent, family.domain)
        with pytest.raises(DeniedError):
            await revoke(await family.caller(family.parent), typed_data=typed, signature=signed(family.parent, typed))
        call = family.at.gateway.consents._calls.revoke(
            subject=family.subject, consent=consent, signature=signed(family.parent, typed)
        )
        assert not await family.to_chain(call)
    everything = messages.revoke_all_typed_data(family.subject, 0, family.domain)
    with pytest.raises(DeniedError):
        await family.at.gateway.consents.revoke_all(
            await family.caller(family.parent), typed_data=everything, signature=signed(family.parent, everything)
        )
    assert await delegated.reads()


@pytest.mark.parametrize("clock", ["host", "chain"])
async def test_a_delegation_ends_by_whichever_clock_is_ahead(
    family: Family, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delegated = await family.delegated(not_after=later(AHEAD))
    waiting = await delegated.terms(not_after=later(AHEAD - 60))
    await delegated.consented(not_after=later(AHEAD - 60))
    assert await delegated.reads()
    standings = family.at.gateway._standings
    if clock == "host":
        monkeypatch.setattr(standings, "_clock", Ahead(standings._clock))
    else:
        head = standings._chain.head
        monkeypatch.setattr(standings._chain, "head", lambda: replace(head(), timestamp=head().timestamp + AHEAD))
    mandates = standings.mandates_of(await asking(family), await standing_of(family))
    assert mandates == ()
    with pytest.raises(ConsentryError):
        await delegated.grant(waiting)
    assert not await delegated.reads()


class Ahead:
    """A clock that is fast."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def now(self) -> float:
        return float(self._clock.now()) + AHEAD

    def monotonic(self) -> float:
        return float(self._clock.monotonic())


async def asking(family: Family) -> Any:
    return requester(await family.caller(family.parent))


async def standing_of(family: Family) -> Any:
    found = await family.at.gateway._standings.of(family.subject)
    assert found is not None
    return found


async def test_a_removal_counts_while_the_chain_is_dead(family: Family) -> None:
    delegated = await family.delegated()
    consent = await delegated.consented()
    assert await delegated.reads()
    typed = (await delegated.removal()).typed_data
    caller = await family.caller(family.patient)
    (chain,) = [
        child
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if str(family.at.gateway.settings.data_dir / "chain.db") in child.cmdline()
    ]
    os.kill(chain.pid, signal.SIGSTOP)
    try:
        view = await family.at.gateway.delegates.remove_delegate(
            caller, typed_data=typed, signature=signed(family.patient, typed)
        )
        assert not view.holds
        family.at.forget()
        known = await family.at.gateway._standings.known(family.subject)
        assert known is not None
        assert (known.mandates, known.folded.unbacked) == ((), frozenset({consent}))
    finally:
        os.kill(chain.pid, signal.SIGCONT)
    for _ in range(10):
        assert not await delegated.reads()
    await chain_says(delegated, holds=False)


async def test_no_read_that_starts_after_a_removal_is_released_and_no_grant_slips_through(family: Family) -> None:
    delegated = await family.delegated()
    for _ in range(3):
        await delegated.consented()
    waiting = [await delegated.terms() for _ in range(4)]
    ended = asyncio.Event()
    late: list[int] = []

    async def reading() -> int:
        released = 0
        for _ in range(30):
            after = ended.is_set()
            found = await family.at.read(family.clinician, family.record)
            released += isinstance(found, Released)
            if after and isinstance(found, Released):
                late.append(1)
        return released

    async def granting(typed: Any) -> bool:
        try:
            await delegated.grant(typed)
        except ConsentryError:
            return False
        return True

    async def ending() -> None:
        await asyncio.sleep(0.05)
        await delegated.removed()
        ended.set()

    found = await asyncio.gather(*(reading() for _ in range(8)), *map(granting, waiting), ending())
    assert sum(bool(one) for one in found[:8]) > 0, "nobody ever read: the race shows nothing"
    assert late == []
    assert not await delegated.reads()


async def test_a_grant_that_a_removal_overtakes_is_not_taken(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the decision and the write: nothing of it is durable, no call is sent."""
    delegated = await family.delegated()
    typed = await delegated.terms()
    documents = family.at.gateway.consents._documents
    put = documents.put_signed

    async def overtaken(*given: Any) -> bytes:
        digest = await put(*given)
        await delegated.removed()
        return digest

    monkeypatch.setattr(documents, "put_signed", overtaken)
    with pytest.raises(StaleError):
        await delegated.grant(typed)
    assert family.rows("select 1 from consents where subject = ?", family.subject) == []


async def test_a_delegates_revocation_that_the_patients_word_overtakes_is_not_taken(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patient signs the very terms meanwhile: the delegate has no hand on them any more."""
    delegated = await family.delegated()
    typed = await delegated.terms()
    consent = await delegated.grant(typed)
    caller = await family.caller(family.parent)
    revoke = messages.revocation_typed_data(family.subject, consent, family.domain)
    documents = family.at.gateway.consents._documents
    seal = documents.seal_signed

    async def overtaken(*given: Any) -> Any:
        sealed = await seal(*given)
        await delegated.grant(typed, who=family.patient)
        return sealed

    monkeypatch.setattr(documents, "seal_signed", overtaken)
    with pytest.raises(StaleError):
        await family.at.gateway.consents.revoke(caller, typed_data=revoke, signature=signed(family.parent, revoke))
    assert await delegated.reads()


async def test_a_delegates_key_that_is_no_wallet_is_no_delegates(family: Family) -> None:
    """A key that signs in and signs texts without showing which would sign the one for the other."""
    registrar = await family.caller(family.at.registrar)
    facts = family.at.gateway.consents._chain.facts
    key = bytes.fromhex(P256Key(facts.p256_verifier).signer[2:])
    made = await family.at.gateway.identity.register_actor(
        registrar,
        key=key,
        roles=frozenset({Role.PATIENT}),
        name="P-256",
        encryption_key=None,
        encryption_key_signature=None,
    )
    with pytest.raises(CallerError) as refused:
        await family.draft(actor=made.id)
    assert refused.value.field == ("actorId",)


async def test_lists_are_shown_to_whom_the_patient_let_see_them(family: Family) -> None:
    await family.at.consent(family.patient, family.subject, family.clinician.actor)
    unseeing = await family.delegated()
    caller = await family.caller(family.parent)
    gateway = family.at.gateway
    assert (await gateway.shown_consents.of_patient(caller, subject=family.subject, part=Slice(size=10))).items == ()
    assert (await gateway.audit.access_log(caller, family.subject, part=Slice(size=10))).events == ()
    await unseeing.removed()
    seeing = await family.delegated(lists=True)
    assert (
        len((await gateway.shown_consents.of_patient(caller, subject=family.subject, part=Slice(size=10))).items) == 1
    )
    assert (await gateway.audit.access_log(caller, family.subject, part=Slice(size=10))).events
    await seeing.removed()
    assert (await gateway.shown_consents.of_patient(caller, subject=family.subject, part=Slice(size=10))).items == ()
    assert (await gateway.audit.access_log(caller, family.subject, part=Slice(size=10))).events == ()


async def test_requests_that_a_delegate_may_not_see_are_neither_shown_nor_counted(family: Family) -> None:
    """The hidden ones lie before and behind the one that they could sign; a page passes over them."""
    family = await family.delegated()
    asking, visible = family.at.gateway.consent_requests, None
    for number, (types, labels) in enumerate(((("Condition",), ("HIV",)), (OBSERVATIONS, ()), ((), ("PSY",)))):
        terms: dict[str, Any] = {
            "subject": family.subject,
            "effect": Effect.PERMIT,
            "grantee": ActorId(ANYONE),
            "actions": (Action.READ,),
            "purposes": (Purpose.TREAT,),
            "resource_types": types,
            "labels": labels,
            "not_after": later(3600),
            **dict.fromkeys(("codes", "authors", "records", "data_use"), ()),
            **dict.fromkeys(("data_from", "data_to", "not_before", "terms_hash")),
        }
        asked = RequestInput(terms=ConsentInput(**terms), reason=f"Request number {number}", days=7)
        made = await asking.ask(await family.caller(family.clinician), asked)
        visible = made.request.id if types == OBSERVATIONS else visible
    parent, child = await family.caller(family.parent), await family.caller(family.patient)
    for part in (Slice(size=1), Slice(size=1, backwards=True), Slice(size=50)):
        page = await asking.of_patient(parent, subject=family.subject, part=part)
        assert [view.request.id for _, view in page.views] == [visible]
        assert (page.has_next, page.has_previous) == (False, False)
    own = await asking.of_patient(child, subject=family.subject, part=Slice(size=2))
    assert (len(own.views), own.has_next) == (2, True)
