"""The root's fields by which control over a patient is guarded, lost, regained and handed over. As `root`: each gates,
calls one service with the caller, and maps what comes back."""

import strawberry

from schema import guardians, recovery
from schema.context import Info
from schema.drafts import DraftResult, SignedInput
from schema.fields import mutation
from schema.guardians import GuardiansDraftResult, GuardiansInput, GuardiansResult, SignedGuardiansInput
from schema.recovery import (
    ControlChangeResult,
    ControllerInput,
    RecoveryInput,
    RecoveryProposalResult,
    RecoveryResult,
    SignedControllerInput,
    SignedRecoveryInput,
)


@strawberry.type
class ControlMutations:
    @mutation(
        "The patient's: actors who together can replace a lost key. Draft, sign `typedData`, submit, keep `opened`."
    )
    async def draft_guardians(self, info: Info, input: GuardiansInput) -> GuardiansDraftResult:
        return await guardians.draft(info.context, input)

    @mutation("Returns when they stand on chain. The first hold at once, others after the recovery delay.")
    async def set_guardians(self, info: Info, input: SignedGuardiansInput) -> GuardiansResult:
        return await guardians.submit(info.context, input)

    @mutation("Anybody's: guardians and the new key sign this one text, each when they can.")
    async def draft_recovery(self, info: Info, input: RecoveryInput) -> DraftResult:
        return await recovery.draft(info.context, input)

    @mutation(
        "Keeps signatures until there are enough, and then proposes the new key on chain; returns when that stands. "
        "From then on no new permit counts, until it is finished or objected to."
    )
    async def sign_recovery(self, info: Info, input: SignedRecoveryInput) -> RecoveryProposalResult:
        return await recovery.sign(info.context, input)

    @mutation("A registrar's who saw the patient in person: with it m guardians propose what cannot be objected to.")
    async def draft_attestation(self, info: Info, input: ControllerInput) -> DraftResult:
        return await recovery.draft_attestation(info.context, input)

    @mutation("A registrar's, once the patient's key objected and guardians have signed for this controller.")
    async def attest_recovery(self, info: Info, input: SignedInput) -> RecoveryProposalResult:
        return await recovery.attest(info.context, input)

    @mutation("The patient's present key's, once: ends a pending recovery before it is ready.")
    async def draft_objection(self, info: Info, patient_id: strawberry.ID) -> DraftResult:
        return await recovery.draft_objection(info.context, patient_id)

    @mutation("Returns when it stands on chain.")
    async def object_to_recovery(self, info: Info, input: SignedInput) -> RecoveryResult:
        return await recovery.object_to(info.context, input)

    @mutation(
        "Anybody's, once the delay is over; the gateway does it by itself too. Returns when the new key controls."
    )
    async def finish_recovery(self, info: Info, patient_id: strawberry.ID) -> ControlChangeResult:
        return await recovery.finish(info.context, patient_id)

    @mutation("The patient's, who has their key and wants another: both keys sign.")
    async def draft_controller_change(self, info: Info, input: ControllerInput) -> DraftResult:
        return await recovery.draft_change(info.context, input)

    @mutation("Returns when the new key controls: permits, delegates and credentials of before have ended.")
    async def change_controller(self, info: Info, input: SignedControllerInput) -> ControlChangeResult:
        return await recovery.change(info.context, input)

    @mutation("A registrar's, for a patient in custody; the patient's new key signs.")
    async def draft_custody_end(self, info: Info, input: ControllerInput) -> DraftResult:
        return await recovery.draft_custody_end(info.context, input)

    @mutation("Returns when the patient's own key controls.")
    async def end_custody(self, info: Info, input: SignedInput) -> ControlChangeResult:
        return await recovery.end_custody(info.context, input)
