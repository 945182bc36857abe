"""Clinical trials on every chain: what is signed is taken from any relay, places follow the list, data stop at the lock
and results come after it. A deployment from before there were any is extended, and studies stay where they are."""

import dataclasses
import json
import secrets
import time

import pytest
from eth_account import Account

from anchoring.chain.abi import TRIAL
from anchoring.chain.client import quantity
from anchoring.chain.deploy import Deployment, _Sender, check, extend
from anchoring.chain.registries import Registries
from anchoring.chain.trial_registry import TrialRegistry
from anchoring.chain.trials import (
    Assignment,
    DataBatch,
    Meaning,
    Place,
    Signed,
    Study,
    Unblinding,
    digest,
    next_head,
    study_id,
)
from anchoring.errors import ChainMismatch
from anchoring.merkle import MerkleTree
from anchoring.model import Call, Landed, Reverted
from tests.ports.anchoring_stack import Stack
from tests.ports.test_chain import fate, intend

NONE = bytes(32)
CONTENT, REASON, ROOT, SUBJECT = (bytes([number]) * 32 for number in (1, 2, 3, 4))
STRATA, POSITIONS = 3, 5
"""The list of the tests: fifteen places, so that paths are of different lengths."""
BARS = {"assign": 98_000, "recordData": 65_000}
"""Of a study's later assignment and root, by the prices of the registries' own fork."""
CEILINGS = {"geth-dev": 300_000}
"""geth's development chain has the rules of a fork to come, under which new storage costs more."""


class Actor:
    """One with a wallet, who signs what the registry of trials takes."""

    def __init__(self, stack: Stack) -> None:
        self._deployment = stack.deployment
        self._account = Account.create()
        self.id = secrets.token_bytes(32)
        self.key = bytes.fromhex(self._account.address[2:])

    def sign(self, signed: Signed, **values: bytes | int) -> bytes:
        chain_id, contract = self._deployment.chain_id, self._deployment.trial_registry
        said = digest(signed, values, chain_id=chain_id, contract=contract)
        return bytes(self._account.unsafe_sign_hash(said).signature)


class Trial:
    """A study of a registered sponsor, a statistician's list for it, and the calls of both."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.registry = TrialRegistry(stack.deployment.addresses, stack.client)
        self.sponsor, self.statistician, self.doctor = (Actor(stack) for _ in range(3))
        self.salt = secrets.token_bytes(32)
        self.study = study_id(self.sponsor.id, self.salt)
        self.places = {
            (stratum, position): Place(stratum=stratum, position=position, arm=secrets.token_bytes(32))
            for stratum in range(STRATA)
            for position in range(POSITIONS)
        }
        self.tree = MerkleTree([place.leaf for place in self.places.values()])

    def registrations(self) -> list[Call]:
        return [
            self.stack.registries.register_actor(
                actor=one.id, key=one.key, roles=1, profile=bytes(32), encryption_key=b""
            )
            for one in (self.sponsor, self.statistician, self.doctor)
        ]

    def opening(self, *, recorder: str = "") -> Call:
        named = {
            "sponsor": self.sponsor.id,
            "salt": self.salt,
            "gateway": self.stack.gateway,
            "statistician": self.statistician.id,
        }
        recorder = recorder or self.stack.anchor_signer.address
        return self.registry.open_study(**named, recorder=recorder, signature=self.sponsor.sign(Signed.STUDY, **named))

    def protocol(self, number: int, content: bytes, reason: bytes) -> Call:
        signature = self.sponsor.sign(
            Signed.PROTOCOL_VERSION, study=self.study, number=number, content=content, reason=reason
        )
        return self.registry.record_protocol(
            study=self.study, number=number, content=content, reason=reason, signature=signature
        )

    def allocation(self) -> Call:
        root, size, by = self.tree.root, len(self.places), self.statistician
        signature = by.sign(Signed.ALLOCATION, study=self.study, root=root, size=size, by=by.id)
        return self.registry.commit_allocation(study=self.study, root=root, size=size, by=by.id, signature=signature)

    def enrolment(self) -> Call:
        signature = self.sponsor.sign(Signed.ENROLMENT, study=self.study, version=1, allocation=self.tree.root)
        return self.registry.open_enrolment(study=self.study, version=1, allocation=self.tree.root, signature=signature)

    def assignment(self, subject: bytes, stratum: int, position: int) -> Call:
        place = self.places[stratum, position]
        return self.registry.assign(study=self.study, subject=subject, place=place, path=self.tree.path(place.leaf))

    def data(self, root: bytes, count: int) -> Call:
        return self.registry.record_data(study=self.study, root=root, count=count)

    def freeze(self, *, frozen: bool, seq: int) -> Call:
        signature = self.sponsor.sign(Signed.FREEZE, study=self.study, frozen=frozen, seq=seq)
        return self.registry.set_frozen(study=self.study, frozen=frozen, seq=seq, signature=signature)

    async def lock(self) -> Call:
        """As the data stand."""
        standing = await self.standing()
        head, records, assigned, seq = standing.head, standing.records, standing.assigned, standing.seq + 1
        signature = self.sponsor.sign(
            Signed.LOCK, study=self.study, head=head, records=records, assigned=assigned, seq=seq
        )
        return self.registry.lock(
            study=self.study, head=head, records=records, assigned=assigned, seq=seq, signature=signature
        )

    def results(self, number: int, content: bytes) -> Call:
        signature = self.sponsor.sign(Signed.RESULTS, study=self.study, number=number, content=content)
        return self.registry.publish_results(study=self.study, number=number, content=content, signature=signature)

    def signature(self, by: Actor, *, signed_at: int, key: Actor | None = None) -> Call:
        meaning = Meaning.APPROVED
        signature = (key or by).sign(
            Signed.SIGNATURE, study=self.study, content=CONTENT, meaning=meaning, signer=by.id, signedAt=signed_at
        )
        return self.registry.record_signature(
            study=self.study, content=CONTENT, meaning=meaning, signer=by.id, signed_at=signed_at, signature=signature
        )

    def unblinding(self, subject: bytes) -> Call:
        by = self.doctor
        signature = by.sign(Signed.UNBLINDING, study=self.study, subject=subject, reason=REASON, by=by.id)
        return self.registry.record_unblinding(
            study=self.study, subject=subject, reason=REASON, by=by.id, signature=signature
        )

    async def standing(self, block: int | str = "latest") -> Study:
        found = await self.registry.study_of(self.study, block=block)
        assert found is not None
        return found


@pytest.fixture
async def trial(stack: Stack) -> Trial:
    """Open for enrolment."""
    made = Trial(stack)
    calls = (*made.registrations(), made.opening(), made.protocol(1, CONTENT, NONE), made.allocation())
    for call in (*calls, made.enrolment()):
        await landed(stack, call)
    return made


async def landed(stack: Stack, call: Call) -> Landed:
    await intend(stack, call)
    outcome = await fate(stack, call)
    assert isinstance(outcome, Landed), outcome
    return outcome


async def refused(stack: Stack, call: Call) -> str:
    await intend(stack, call)
    outcome = await fate(stack, call)
    assert isinstance(outcome, Reverted), outcome
    return outcome.error


async def test_a_study_stands_as_it_was_opened_and_begun(stack: Stack, trial: Trial) -> None:
    standing = await trial.standing()
    assert standing == Study(
        sponsor=trial.sponsor.id,
        gateway=stack.gateway,
        statistician=trial.statistician.id,
        recorder=stack.anchor_signer.address,
        enrolled_at=standing.enrolled_at,
        locked_at=0,
        allocation=trial.tree.root,
        size=len(trial.places),
        assigned=0,
        unblindings=0,
        batches=0,
        records=0,
        frozen=False,
        head=NONE,
        versions=1,
        results=0,
        enrolled_under=1,
        seq=0,
    )
    assert standing.enrolled_at > 0
    assert (await trial.standing(standing.enrolled_at - 1)).enrolled_at == 0


async def test_a_version_of_the_protocol_stands_at_its_block(stack: Stack, trial: Trial) -> None:
    outcome = await landed(stack, trial.protocol(2, ROOT, REASON))
    at = outcome.block_number
    version = await trial.registry.protocol_of(trial.study, 2, block=at)
    block = await stack.client.block(at)
    assert version is not None
    assert block is not None
    assert (version.content, version.reason) == (ROOT, REASON)
    assert (version.block_number, version.recorded_at) == (at, block.timestamp)
    assert await trial.registry.protocol_of(trial.study, 2, block=at - 1) is None
    assert await refused(stack, trial.protocol(2, CONTENT, REASON)) == "ProtocolTaken"


async def test_every_place_of_the_list_is_taken_by_its_path(stack: Stack, trial: Trial) -> None:
    for position in range(POSITIONS):
        for stratum in range(STRATA):
            subject = bytes([stratum + 1, position]) * 16
            outcome = await landed(stack, trial.assignment(subject, stratum, position))
            expected = Assignment(
                place=trial.places[stratum, position], unblindings=0, block_number=outcome.block_number
            )
            assert await trial.registry.assignment_of(trial.study, subject, block="latest") == expected
    assert (await trial.standing()).assigned == len(trial.places)
    assert await trial.registry.next_position(trial.study, STRATA - 1, block="latest") == POSITIONS


async def test_a_place_is_not_passed_over_nor_another_taken_for_it(stack: Stack, trial: Trial) -> None:
    assert await refused(stack, trial.assignment(SUBJECT, 0, 1)) == "WrongPosition"
    later = trial.places[0, 1]
    trial.places[0, 0] = dataclasses.replace(later, position=0)
    swapped = trial.registry.assign(
        study=trial.study, subject=SUBJECT, place=trial.places[0, 0], path=trial.tree.path(later.leaf)
    )
    assert await refused(stack, swapped) == "NotAllocated"
    assert (await trial.standing()).assigned == 0


async def test_only_the_recorder_assigns_and_records(stack: Stack) -> None:
    trial = Trial(stack)
    recorder = stack.relay_signer.address
    begun = (trial.opening(recorder=recorder), trial.protocol(1, CONTENT, NONE), trial.allocation(), trial.enrolment())
    for call in (*trial.registrations(), *begun):
        await landed(stack, call)
    assert await refused(stack, trial.assignment(SUBJECT, 0, 0)) == "NotRecorder"
    assert await refused(stack, trial.data(ROOT, 1)) == "NotRecorder"
    own = trial.registry.set_recorder(study=trial.study, recorder=stack.anchor_signer.address)
    await landed(stack, own)
    await landed(stack, trial.data(SUBJECT, 1))


async def test_data_roll_the_head_on_and_a_root_is_taken_once(stack: Stack, trial: Trial) -> None:
    call = trial.data(ROOT, 7)
    outcome = await landed(stack, call)
    # Past the lane, which would take the second for the first: as after a reorganization, on chain twice.
    await _Sender(stack.client, stack.anchor_signer).send(call.contract, call.data)
    await landed(stack, trial.data(SUBJECT, 2))
    standing = await trial.standing()
    assert standing.head == next_head(next_head(NONE, ROOT, 7), SUBJECT, 2)
    assert (standing.batches, standing.records) == (2, 9)
    found = await trial.registry.data_of(trial.study, ROOT, block="latest")
    assert found == DataBatch(block_number=outcome.block_number, index=0, count=7)


async def test_while_frozen_nothing_is_taken_and_a_thaw_ends_it(stack: Stack, trial: Trial) -> None:
    await landed(stack, trial.freeze(frozen=True, seq=1))
    assert await refused(stack, trial.data(ROOT, 7)) == "StudyFrozen"
    assert await refused(stack, trial.assignment(SUBJECT, 0, 0)) == "StudyFrozen"
    await landed(stack, trial.freeze(frozen=False, seq=2))
    await landed(stack, trial.assignment(SUBJECT, 1, 0))


async def test_after_the_lock_come_results_and_no_more_data(stack: Stack, trial: Trial) -> None:
    await landed(stack, trial.data(ROOT, 7))
    assert await refused(stack, trial.results(1, CONTENT)) == "StudyNotLocked"
    outcome = await landed(stack, await trial.lock())
    assert (await trial.standing()).locked_at == outcome.block_number
    assert await refused(stack, trial.data(SUBJECT, 1)) == "StudyLocked"
    assert await refused(stack, trial.protocol(2, CONTENT, REASON)) == "StudyLocked"
    outcome = await landed(stack, trial.results(1, ROOT))
    found = await trial.registry.results_of(trial.study, 1, block=outcome.block_number)
    assert found is not None
    assert (found.content, found.block_number) == (ROOT, outcome.block_number)
    assert await trial.registry.results_of(trial.study, 1, block=outcome.block_number - 1) is None


async def test_a_lock_of_other_data_than_those_that_stand_is_refused(stack: Stack, trial: Trial) -> None:
    early = await trial.lock()
    await landed(stack, trial.data(ROOT, 7))
    assert await refused(stack, early) == "WrongData"


async def test_a_signature_stands_with_its_time_and_block(stack: Stack, trial: Trial) -> None:
    signed_at = int(time.time()) - 60
    outcome = await landed(stack, trial.signature(trial.doctor, signed_at=signed_at))
    asked = (trial.study, CONTENT, Meaning.APPROVED, trial.doctor.id)
    found = await trial.registry.signature_of(*asked, block="latest")
    assert found is not None
    assert (found.signed_at, found.block_number) == (signed_at, outcome.block_number)
    other = (trial.study, CONTENT, Meaning.REVIEWED, trial.doctor.id)
    assert await trial.registry.signature_of(*other, block="latest") is None


async def test_a_signature_by_another_key_is_refused_by_its_errors_name(stack: Stack, trial: Trial) -> None:
    forged = trial.signature(trial.doctor, signed_at=1, key=trial.sponsor)
    assert await refused(stack, forged) == "NotSigned"


async def test_an_unblinding_is_counted_with_its_subject(stack: Stack, trial: Trial) -> None:
    assert await refused(stack, trial.unblinding(ROOT)) == "NotAssigned"
    await landed(stack, trial.assignment(SUBJECT, 0, 0))
    outcome = await landed(stack, trial.unblinding(SUBJECT))
    found = await trial.registry.unblinding_of(trial.study, SUBJECT, trial.doctor.id, block="latest")
    assert found == Unblinding(reason=REASON, block_number=outcome.block_number)
    assignment = await trial.registry.assignment_of(trial.study, SUBJECT, block="latest")
    assert assignment is not None
    assert (assignment.unblindings, (await trial.standing()).unblindings) == (1, 1)


async def test_what_somebody_else_relayed_first_is_success(stack: Stack, trial: Trial) -> None:
    call = trial.protocol(2, ROOT, REASON)
    await _Sender(stack.client, stack.anchor_signer).send(call.contract, call.data)
    await landed(stack, call)
    assert (await trial.standing()).versions == 2


async def test_its_events_are_indexed_in_their_order(stack: Stack, trial: Trial) -> None:
    await landed(stack, trial.assignment(SUBJECT, 2, 0))
    await landed(stack, trial.data(ROOT, 7))
    await landed(stack, trial.signature(trial.doctor, signed_at=1))
    events = [one for one in await stack.events.above(0) if one.contract == TRIAL and trial.study in one.keys]
    begun = ["StudyOpened", "ProtocolRecorded", "AllocationCommitted", "EnrolmentOpened"]
    assert [one.name for one in events] == [*begun, "SubjectAssigned", "DataRecorded", "SignatureRecorded"]
    assigned, recorded = events[4], events[5]
    assert assigned.keys == (trial.study, SUBJECT)
    assert assigned.args == {"stratum": 2, "position": 0, "arm": trial.places[2, 0].arm}
    assert recorded.args == {"index": 0, "root": ROOT, "count": 7, "head": next_head(NONE, ROOT, 7)}
    assert await stack.follower.emitted(events)


async def test_what_is_not_known_is_none(trial: Trial) -> None:
    nothing, reads = secrets.token_bytes(32), trial.registry
    assert await reads.study_of(nothing, block="latest") is None
    assert await reads.protocol_of(nothing, 1, block="latest") is None
    assert await reads.results_of(trial.study, 1, block="latest") is None
    assert await reads.assignment_of(trial.study, nothing, block="latest") is None
    assert await reads.unblinding_of(trial.study, nothing, trial.doctor.id, block="latest") is None
    assert await reads.data_of(trial.study, nothing, block="latest") is None
    assert await reads.next_position(trial.study, 0, block="latest") == 0


async def test_what_comes_with_each_subject_costs_no_more_than_its_bar(stack: Stack, trial: Trial) -> None:
    await landed(stack, trial.assignment(REASON, 0, 0))
    await landed(stack, trial.data(REASON, 7))
    for name, call in (("assign", trial.assignment(SUBJECT, 0, 1)), ("recordData", trial.data(ROOT, 7))):
        outcome = await landed(stack, call)
        receipt = await stack.client.call("eth_getTransactionReceipt", "0x" + outcome.transaction.hex())
        assert isinstance(receipt, dict)
        used = quantity(receipt["gasUsed"])
        assert 21_000 < used <= CEILINGS.get(stack.setup.profile.name, BARS[name]), (name, used)


# Deployments that were written down before there were trials


def before_trials(deployment: Deployment) -> Deployment:
    """As its file was read then."""
    fields = json.loads(deployment.to_json())
    del fields["trial_registry"], fields["codes"][TRIAL]
    return Deployment.from_json(json.dumps(fields))


async def test_a_deployment_without_trials_is_found_again_and_has_none(stack: Stack) -> None:
    old = before_trials(stack.deployment)
    await check(stack.client, old)
    asked, known = Registries(old.addresses, stack.client).log_filter(first=0, last=1), old.addresses
    assert isinstance(asked, dict)
    assert asked["address"] == [known.identity, known.consent, known.anchor, known.emergency, known.budget]
    registry = TrialRegistry(old.addresses, stack.client)
    with pytest.raises(ChainMismatch, match="consentry deploy"):
        registry.record_data(study=NONE, root=NONE, count=1)
    with pytest.raises(ChainMismatch, match="consentry deploy"):
        await registry.study_of(NONE, block="latest")


async def test_it_is_extended_and_keeps_everything_else(stack: Stack) -> None:
    old = before_trials(stack.deployment)
    extended = await extend(stack.client, stack.relay_signer, old)
    assert extended.trial_registry not in ("", stack.deployment.trial_registry)
    # Its code holds its own address, in the domain of what is signed.
    assert {**extended.codes, TRIAL: ""} == {**stack.deployment.codes, TRIAL: ""}
    assert dataclasses.replace(extended, trial_registry="", codes=old.codes) == old
    await check(stack.client, extended)
    assert await extend(stack.client, stack.relay_signer, extended) == extended


async def test_a_registry_with_a_study_of_this_gateway_is_taken_again(stack: Stack, trial: Trial) -> None:
    assert await extend(stack.client, stack.relay_signer, before_trials(stack.deployment)) == stack.deployment
    assert await trial.standing() is not None
