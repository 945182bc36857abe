"""A lost key, replaced: as patient, guardians, registrar and the next key meet it. Nothing here judges a signature."""

from datetime import UTC, datetime
from typing import Annotated

import strawberry

from gateway.consent import proposals
from gateway.identity.model import Handed
from schema.context import RequestContext
from schema.drafts import Draft, SignedInput, to_draft, typed_data_of
from schema.errors import Refusal
from schema.gates import given, outcome, subject_of
from schema.identity import Patient, to_patient
from schema.scalars import Hex, Json


@strawberry.input(description="controller: ERC-7913 signer of the new key. All who sign need the very same draft.")
class RecoveryInput:
    patient_id: strawberry.ID
    controller: Hex
    not_after: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="The signatures are good before it; in 14 days unless told, 90 at most."
    )


@strawberry.input(description="Signatures of guardians and of the new key, in any order; more can come later.")
class SignedRecoveryInput:
    typed_data: Json
    signatures: list[Hex]


@strawberry.input(description="controller: ERC-7913 signer of the new key.")
class ControllerInput:
    patient_id: strawberry.ID
    controller: Hex


@strawberry.input(description="Signed by both keys.")
class SignedControllerInput:
    typed_data: Json
    signature: Hex = strawberry.field(description="The patient's present key.")
    controller_signature: Hex = strawberry.field(description="The new key.")


@strawberry.type(description="What guardians are signing. Compare `controller` with the patient before you sign.")
class RecoveryProposal:
    id: Hex
    controller: Hex
    attempt: int
    not_after: datetime
    signed: int = strawberry.field(description="By how many guardians.")
    guardians_needed: int = strawberry.field(description="How many more.")
    controller_needed: bool = strawberry.field(description="The new key has not signed yet.")
    attestation_needed: bool = strawberry.field(
        description="The patient has objected (or may yet): all guardians sign, or a registrar attests in person."
    )


@strawberry.type(description="On chain: no new permit counts until it is over.")
class PendingRecovery:
    controller: Hex
    ready_at: datetime = strawberry.field(description="From then on the new key controls.")
    stoppable: bool = strawberry.field(description="Whether the patient's present key may object.")


@strawberry.type(description="Where the recovery of a patient's key stands.")
class Recovery:
    patient: Patient
    next_attempt: int
    guardians: int
    threshold: int
    objected: bool = strawberry.field(description="The one objection was made.")
    pending: PendingRecovery | None
    proposals: list[RecoveryProposal] = strawberry.field(description="A guardian's to see.")


@strawberry.type(description="Control passed on: permits, delegates and credentials of before have ended.")
class ControlChange:
    patient: Patient
    controller: Hex


RecoveryResult = Annotated[Recovery | Refusal, strawberry.union("RecoveryResult")]
RecoveryProposalResult = Annotated[RecoveryProposal | Refusal, strawberry.union("RecoveryProposalResult")]
ControlChangeResult = Annotated[ControlChange | Refusal, strawberry.union("ControlChangeResult")]


def to_proposal(view: proposals.ProposalView) -> RecoveryProposal:
    lacking = view.lacking
    return RecoveryProposal(
        id=Hex(view.id),
        controller=Hex(view.proposed.controller),
        attempt=view.proposed.attempt,
        not_after=datetime.fromtimestamp(view.proposed.not_after, UTC),
        signed=view.signed,
        guardians_needed=0 if lacking is None else lacking.guardians,
        controller_needed=lacking is not None and lacking.controller,
        attestation_needed=lacking is not None and lacking.attestation,
    )


def to_recovery(view: proposals.RecoveryView) -> Recovery:
    pending = view.pending
    return Recovery(
        patient=to_patient(view.subject),
        next_attempt=view.attempt,
        guardians=view.guardians,
        threshold=view.threshold,
        objected=view.objected,
        pending=None
        if pending is None
        else PendingRecovery(
            controller=Hex(pending.controller), ready_at=pending.ready_at, stoppable=pending.stoppable
        ),
        proposals=[to_proposal(one) for one in view.proposals],
    )


def to_change(handed: Handed) -> ControlChange:
    return ControlChange(patient=to_patient(handed.subject), controller=Hex(handed.controller))


async def show(context: RequestContext, patient: strawberry.ID) -> Recovery | Refusal:
    async def steps() -> Recovery:
        return to_recovery(await context.services.recoveries.recovery(context.signed_in(), subject_of(patient)))

    return await outcome(steps())


async def draft(context: RequestContext, input: RecoveryInput) -> Draft | Refusal:
    async def steps() -> Draft:
        made = await context.services.recoveries.draft_recovery(
            context.signed_in(),
            subject=subject_of(input.patient_id),
            controller=input.controller,
            not_after=given(input.not_after),
        )
        return to_draft(made)

    return await outcome(steps())


async def sign(context: RequestContext, input: SignedRecoveryInput) -> RecoveryProposal | Refusal:
    async def steps() -> RecoveryProposal:
        made = await context.services.recoveries.sign_recovery(
            context.signed_in(), typed_data=typed_data_of(input), signatures=input.signatures
        )
        return to_proposal(made)

    return await outcome(steps())


async def draft_attestation(context: RequestContext, input: ControllerInput) -> Draft | Refusal:
    async def steps() -> Draft:
        made = await context.services.recoveries.draft_attestation(
            context.signed_in(), subject=subject_of(input.patient_id), controller=input.controller
        )
        return to_draft(made)

    return await outcome(steps())


async def attest(context: RequestContext, input: SignedInput) -> RecoveryProposal | Refusal:
    async def steps() -> RecoveryProposal:
        made = await context.services.recoveries.attest_recovery(
            context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
        )
        return to_proposal(made)

    return await outcome(steps())


async def draft_objection(context: RequestContext, patient: strawberry.ID) -> Draft | Refusal:
    async def steps() -> Draft:
        made = await context.services.recoveries.draft_objection(context.signed_in(), subject=subject_of(patient))
        return to_draft(made)

    return await outcome(steps())


async def object_to(context: RequestContext, input: SignedInput) -> Recovery | Refusal:
    async def steps() -> Recovery:
        made = await context.services.recoveries.object_to_recovery(
            context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
        )
        return to_recovery(made)

    return await outcome(steps())


async def finish(context: RequestContext, patient: strawberry.ID) -> ControlChange | Refusal:
    async def steps() -> ControlChange:
        subject = subject_of(patient)
        controller = await context.services.recoveries.finish_recovery(context.signed_in(), subject)
        return to_change(Handed(subject=subject, controller=controller))

    return await outcome(steps())


async def draft_change(context: RequestContext, input: ControllerInput) -> Draft | Refusal:
    async def steps() -> Draft:
        made = await context.services.handover.draft_change(
            context.signed_in(), subject=subject_of(input.patient_id), controller=input.controller
        )
        return to_draft(made)

    return await outcome(steps())


async def change(context: RequestContext, input: SignedControllerInput) -> ControlChange | Refusal:
    async def steps() -> ControlChange:
        made = await context.services.handover.change_controller(
            context.signed_in(),
            typed_data=typed_data_of(input),
            signature=input.signature,
            controller_signature=input.controller_signature,
        )
        return to_change(made)

    return await outcome(steps())


async def draft_custody_end(context: RequestContext, input: ControllerInput) -> Draft | Refusal:
    async def steps() -> Draft:
        made = await context.services.handover.draft_custody_end(
            context.signed_in(), subject=subject_of(input.patient_id), controller=input.controller
        )
        return to_draft(made)

    return await outcome(steps())


async def end_custody(context: RequestContext, input: SignedInput) -> ControlChange | Refusal:
    async def steps() -> ControlChange:
        made = await context.services.handover.end_custody(
            context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
        )
        return to_change(made)

    return await outcome(steps())
