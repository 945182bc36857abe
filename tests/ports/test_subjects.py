"""A subject's whole life on every chain: each call that the registries take lands, each event is indexed, and what the
gateway folds from the index is what the chain counts. What a wallet's word costs there."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from eth_abi.abi import encode

from anchoring.chain.abi import CONSENT, contract
from anchoring.chain.client import quantity
from anchoring.chain.registries import Proposal
from anchoring.merkle import keccak256
from anchoring.model import Call, Landed, Reverted
from gateway.consent.state import ConsentState, fold
from gateway.identity.guardians import Guardians, fold_guardians
from gateway.identity.state import fold_subject
from gateway.ids import SubjectId
from gateway.ports.rows import EventRow
from tests.ports.anchoring_stack import Patient, Stack
from tests.ports.test_chain import (
    CHAINS,
    Owner,
    deploy_to,
    embedded_owner,
    fate,
    grant,
    intend,
    owner_on,
    revocation,
    running_stack,
    signed_grant,
)

SECONDS = 20.0
DELAY = 4
REGISTRAR, CLINICIAN = 1, 4
BARS = (75_000, 75_000, 46_000, 42_000)
"""A wallet's first and later grant, a revocation, all at once, by the prices of the registries' own fork."""
CEILINGS = {"geth-dev": (170_000, 170_000, 60_000, 48_000)}
"""geth's development chain has the rules of a fork to come, under which new storage costs more."""


@pytest.fixture(scope="module")
def own_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    with embedded_owner(tmp_path_factory.mktemp("embedded"), chain_id=20_262) as owner:
        yield owner


@pytest.fixture(params=CHAINS)
async def stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    """With a recovery's delay of four seconds: geth's blocks run ahead of the clock by a second each."""
    url, relay, anchor = owner_on(request, embedded="own_chain")
    deployed = await deploy_to(request.param, url=url, relay_key=relay, anchor_key=anchor, recovery_seconds=DELAY)
    async with running_stack(deployed, tmp_path) as stack:
        yield stack


class Person(Patient):
    """A patient who names others, and those others."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._chain = stack
        self.key = self.controller

    async def control(self) -> tuple[int, int, int]:
        """(control, nonce, attempt) as the chain has them."""
        method = contract(CONSENT).methods["controlState"]
        data = method.encode(self.subject)
        control, nonce, attempt = method.decode(
            await self._chain.client.eth_call(self._chain.deployment.consent_registry, data)
        )
        return int(control), int(nonce), int(attempt)


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


async def landed(stack: Stack, *calls: Call) -> list[Landed]:
    outcomes = []
    for call in calls:
        await intend(stack, call)
        outcome = await fate(stack, call)
        assert isinstance(outcome, Landed), outcome
        outcomes.append(outcome)
    return outcomes


def rows(stack: Stack, subject: bytes) -> list[EventRow]:
    return [
        EventRow(
            contract=event.contract,
            name=event.name,
            keys=event.keys,
            args=dict(event.args),
            block_number=event.block_number,
            block_hash=event.block_hash,
            log_index=event.log_index,
            transaction=event.transaction,
        )
        for event in stack.seen
        if event.contract == CONSENT and event.keys[:1] == (subject,)
    ]


def folded(stack: Stack, subject: bytes) -> ConsentState:
    return fold(
        SubjectId(subject),
        consent_events=rows(stack, subject),
        narrowings=(),
        terms={},
        confirmed=lambda _: True,
    )


async def assert_adds_up(stack: Stack, subject: bytes) -> None:
    state = folded(stack, subject)
    assert await stack.follower.subject_states([subject]) == ((state.epoch, state.seq),)


async def assert_guardians_agree(stack: Stack, subject: bytes, expected: bytes) -> Guardians:
    """The fold's word on guardians at the newest block is the contract's, whatever moment that is."""
    method = contract(CONSENT).methods["guardiansOf"]
    head = stack.follower.head()
    said = method.decode(
        await stack.client.eth_call(stack.deployment.consent_registry, method.encode(subject), block=head.number)
    )
    found = fold_guardians(rows(stack, subject), delay=DELAY, confirmed=lambda _: True).at(head.timestamp)
    assert said == (found.current, found.next, found.next_at)
    assert found.current == expected
    return found


def controller_of(stack: Stack, subject: bytes) -> bytes:
    found = fold_subject(SubjectId(subject), rows(stack, subject), lambda _: True)
    assert found is not None
    return found.controller


def enrolment(stack: Stack, person: Patient) -> Call:
    return stack.registries.enrol(subject=person.subject, controller=person.controller, custodian=b"")


def registration(stack: Stack, person: Person, roles: int) -> Call:
    """The person's own subject id is the actor's id."""
    return stack.registries.register_actor(
        actor=person.subject, key=person.key, roles=roles, profile=bytes(32), encryption_key=b""
    )


async def guarded(stack: Stack) -> tuple[Person, list[Person], bytes]:
    """A patient and three guardians of whom two propose; the salt."""
    patient, guardians, salt = Person(stack), [Person(stack) for _ in range(3)], secrets.token_bytes(32)
    await landed(stack, enrolment(stack, patient))
    commitment = keccak256(encode(["bytes[]", "uint32", "bytes32"], [[one.key for one in guardians], 2, salt]))
    signature = patient.sign_struct(
        "Guardians(bytes32 subject,bytes32 guardians,uint64 nonce)", patient.subject, commitment, number(0)
    )
    await landed(
        stack, stack.registries.set_guardians(subject=patient.subject, guardians=commitment, signature=signature)
    )
    return patient, guardians, salt


async def proposal(
    stack: Stack, patient: Person, guardians: list[Person], salt: bytes, *, count: int, to: Person
) -> Call:
    _, _, attempt = await patient.control()
    not_after = int(time.time()) + 3600
    struct = "Recovery(bytes32 subject,bytes controller,uint64 attempt,uint64 notAfter)"
    words = (patient.subject, keccak256(to.key), number(attempt), number(not_after))
    return stack.registries.propose_recovery(
        subject=patient.subject,
        proposal=Proposal(
            controller=to.key,
            not_after=not_after,
            guardians=tuple(one.key for one in guardians),
            threshold=2,
            salt=salt,
            who=tuple(range(count)),
            signatures=tuple(one.sign_struct(struct, *words) for one in guardians[:count]),
            controller_signature=to.sign_struct(struct, *words),
        ),
    )


async def finished(stack: Stack, patient: Person) -> None:
    """Once a block is past the delay. Blocks that come on demand are as old as their transactions, and geth's run ahead
    of the clock, so others' calls are sent until one is."""
    (ready_at,) = [row.args["readyAt"] for row in rows(stack, patient.subject) if row.name == "RecoveryProposed"][-1:]
    assert isinstance(ready_at, int)
    _, _, attempts = await patient.control()
    while stack.follower.head().timestamp < ready_at:
        await asyncio.sleep(0.5)
        await landed(stack, enrolment(stack, Person(stack)))
    await landed(stack, stack.registries.finish_recovery(subject=patient.subject, attempt=attempts - 1))


async def test_a_delegates_grant_and_its_end_are_counted(stack: Stack) -> None:
    patient, delegate = Person(stack), Person(stack)
    await landed(stack, enrolment(stack, patient))
    not_after = int(time.time()) + 86_400
    struct = "Delegation(bytes32 subject,bytes delegate,bytes32 limits,uint64 notAfter,uint64 nonce)"
    words = (patient.subject, keccak256(delegate.key), b"l" * 32, number(not_after), number(0))
    added = stack.registries.add_delegate(
        subject=patient.subject,
        delegate=delegate.key,
        limits=b"l" * 32,
        not_after=not_after,
        signature=patient.sign_struct(struct, *words),
    )
    terms = patient.terms()
    consent = await patient.consent_id(terms)
    names = ("type_hash", "subject", "effect", "scope_hash", "not_before", "not_after", "epoch")
    fields = dict(zip(names, terms, strict=True))
    granted = stack.registries.grant(**fields, delegate=1, signature=delegate.sign(consent))  # type: ignore[arg-type]
    end = patient.sign_struct("DelegationEnd(bytes32 subject,uint32 number)", patient.subject, number(1))
    removed = stack.registries.remove_delegate(subject=patient.subject, number=1, signature=end)
    await landed(stack, added, granted, removed)
    assert [row.args["delegate"] for row in rows(stack, patient.subject) if row.name == "ConsentGranted"] == [1]
    assert folded(stack, patient.subject).seq == 3
    await assert_adds_up(stack, patient.subject)


async def test_a_credential_is_linked_by_both_and_counted(stack: Stack) -> None:
    patient, sign_in = Person(stack), Person(stack)
    await landed(stack, enrolment(stack, patient), registration(stack, sign_in, 2))
    struct = "Credential(bytes32 subject,bytes32 actor,bool linked,uint64 nonce)"
    for nonce, linked in enumerate((True, False)):
        words = (patient.subject, sign_in.subject, number(linked), number(nonce))
        await landed(
            stack,
            stack.registries.set_credential(
                subject=patient.subject,
                actor=sign_in.subject,
                linked=linked,
                signature=patient.sign_struct(struct, *words),
                actor_signature=sign_in.sign_struct(struct, *words) if linked else b"",
            ),
        )
    events = [row for row in rows(stack, patient.subject) if row.name == "CredentialSet"]
    assert [(row.keys[1], row.args["linked"]) for row in events] == [(sign_in.subject, 1), (sign_in.subject, 0)]
    await assert_adds_up(stack, patient.subject)


async def test_a_recovery_gives_another_controller_though_the_old_one_objects(stack: Stack) -> None:
    patient, guardians, salt = await guarded(stack)
    successor = Person(stack)
    await landed(stack, await proposal(stack, patient, guardians, salt, count=2, to=successor))
    objection = patient.sign_struct("Objection(bytes32 subject,uint64 attempt)", patient.subject, number(0))
    await landed(stack, stack.registries.object_to_recovery(subject=patient.subject, signature=objection))
    await landed(stack, await proposal(stack, patient, guardians, salt, count=3, to=successor))
    await assert_adds_up(stack, patient.subject)
    await finished(stack, patient)
    assert controller_of(stack, patient.subject) == successor.key
    assert folded(stack, patient.subject).epoch == 1
    await assert_adds_up(stack, patient.subject)


async def test_the_guardians_that_hold_are_the_contracts(stack: Stack) -> None:
    patient, guardians, salt = await guarded(stack)
    first = keccak256(encode(["bytes[]", "uint32", "bytes32"], [[one.key for one in guardians], 2, salt]))
    await assert_guardians_agree(stack, patient.subject, first)
    for nonce, others in ((1, b"\x01" * 32), (2, b"\x02" * 32)):
        struct = "Guardians(bytes32 subject,bytes32 guardians,uint64 nonce)"
        signature = patient.sign_struct(struct, patient.subject, others, number(nonce))
        await landed(
            stack, stack.registries.set_guardians(subject=patient.subject, guardians=others, signature=signature)
        )
        assert (await assert_guardians_agree(stack, patient.subject, first)).next == others
    await landed(stack, await proposal(stack, patient, guardians, salt, count=2, to=Person(stack)))
    assert (await assert_guardians_agree(stack, patient.subject, first)).next_at == 0
    await finished(stack, patient)
    await assert_guardians_agree(stack, patient.subject, first)


async def test_while_a_recovery_is_pending_a_permit_is_refused_and_a_revocation_is_not(stack: Stack) -> None:
    patient, guardians, salt = await guarded(stack)
    consent, before = await signed_grant(stack, patient)
    _, after = await signed_grant(stack, patient)
    await landed(stack, before)
    await landed(stack, await proposal(stack, patient, guardians, salt, count=2, to=Person(stack)))
    await intend(stack, after)
    assert await fate(stack, after) == Reverted(error="RecoveryPending")
    await landed(stack, revocation(stack, patient, consent))
    await assert_adds_up(stack, patient.subject)


async def test_control_passes_on_by_both_signatures(stack: Stack) -> None:
    patient, successor = Person(stack), Person(stack)
    struct = "ControllerChange(bytes32 subject,bytes controller,uint64 control)"
    words = (patient.subject, keccak256(successor.key), number(0))
    change = stack.registries.change_controller(
        subject=patient.subject,
        controller=successor.key,
        signature=patient.sign_struct(struct, *words),
        controller_signature=successor.sign_struct(struct, *words),
    )
    await landed(stack, enrolment(stack, patient), change)
    assert controller_of(stack, patient.subject) == successor.key
    await assert_adds_up(stack, patient.subject)


async def test_custody_ends_with_the_controllers_own_signature(stack: Stack) -> None:
    patient, organization = Person(stack), Person(stack)
    await landed(stack, registration(stack, organization, 8))
    in_custody = stack.registries.enrol(subject=patient.subject, controller=b"", custodian=organization.subject)
    signature = patient.sign_struct(
        "Custody(bytes32 subject,bytes controller)", patient.subject, keccak256(patient.key)
    )
    ended = stack.registries.end_custody(
        subject=patient.subject, controller=patient.key, controller_signature=signature
    )
    await landed(stack, in_custody, ended)
    assert controller_of(stack, patient.subject) == patient.key
    await assert_adds_up(stack, patient.subject)


async def test_an_erased_subject_takes_a_certificate_and_no_grant(stack: Stack) -> None:
    patient, gateway = Person(stack), bytes.fromhex(stack.deployment.gateway[2:])
    _, late = await signed_grant(stack, patient)
    signature = patient.sign_struct("Erasure(bytes32 subject,uint64 epoch)", patient.subject, number(0))
    certificate = secrets.token_bytes(32)
    await landed(
        stack,
        enrolment(stack, patient),
        stack.registries.erase(subject=patient.subject, signature=signature),
        stack.registries.certify_erasure(
            subject=patient.subject, gateway=gateway, certificate=certificate, is_final=True
        ),
    )
    await intend(stack, late)
    assert await fate(stack, late) == Reverted(error="SubjectGone")
    assert folded(stack, patient.subject).epoch == 1
    await assert_adds_up(stack, patient.subject)


async def test_an_emergency_is_opened_and_closed(stack: Stack) -> None:
    commitment, review = secrets.token_bytes(32), secrets.token_bytes(32)
    await landed(
        stack,
        stack.registries.open_emergency(commitment=commitment, expires_at=int(time.time()) + 3600),
        stack.registries.close_emergency(commitment=commitment, review=review),
    )
    events = [event for event in stack.seen if event.contract == "EmergencyRegistry"]
    assert [(event.name, event.keys) for event in events] == [
        ("EmergencyOpened", (commitment,)),
        ("EmergencyClosed", (commitment,)),
    ]


async def test_an_emergency_of_more_than_a_day_is_refused(stack: Stack) -> None:
    call = stack.registries.open_emergency(commitment=secrets.token_bytes(32), expires_at=int(time.time()) + 2 * 86_400)
    await intend(stack, call)
    assert await fate(stack, call) == Reverted(error="TooLong")


async def test_a_wallets_word_costs_no_more_than_its_bars(stack: Stack) -> None:
    prices = CEILINGS.get(stack.setup.profile.name, BARS)
    patient = Person(stack)
    consent, first = await signed_grant(stack, patient)
    terms = patient.terms()
    later = grant(stack, terms, patient.sign(await patient.consent_id(terms)))
    everything = patient.sign_struct("RevokeAll(bytes32 subject,uint64 epoch)", patient.subject, number(0))
    calls = [
        enrolment(stack, patient),
        first,
        later,
        revocation(stack, patient, consent),
        stack.registries.revoke_all(subject=patient.subject, epoch=0, signature=everything),
    ]
    used = []
    for outcome in await landed(stack, *calls):
        receipt = await stack.client.call("eth_getTransactionReceipt", "0x" + outcome.transaction.hex())
        assert isinstance(receipt, dict)
        used.append(quantity(receipt["gasUsed"]))
    assert all(gas <= most for gas, most in zip(used[1:], prices, strict=True)), used
