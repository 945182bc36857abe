"""The end of a patient's data, as they meet it: draft, sign, submit, see how far it has come."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.erasure.model import ErasureStatus, ErasureView
from schema.context import RequestContext
from schema.drafts import Draft, SignedInput, to_draft, typed_data_of
from schema.errors import Refusal
from schema.gates import outcome, subject_of
from schema.scalars import Hex

strawberry.enum(
    ErasureStatus,
    description="BEGUN: in force, nobody reads. DESTROYED: the keys are gone. CERTIFIED: so it stands on chain; a "
    "backup of keys may be left until finalAt. FINAL: none is. REFUSED: the registry did not take it.",
)


@strawberry.type(description="The erasure of a patient. What is public of it stands on chain too.")
class Erasure:
    subject: Hex
    status: ErasureStatus
    begun_at: datetime
    destroyed_at: datetime | None
    final_at: datetime | None = strawberry.field(description="When the last backup of the destroyed keys is past.")
    certificate: Hex | None = strawberry.field(
        description="SHA-256 of the newest certificate: the digest in its CID on IPFS, and what stands on chain."
    )


ErasureResult = Annotated[Erasure | Refusal, strawberry.union("ErasureResult")]


def to_erasure(view: ErasureView) -> Erasure:
    return Erasure(
        subject=Hex(view.subject),
        status=view.status,
        begun_at=view.begun_at,
        destroyed_at=view.destroyed_at,
        final_at=view.final_at,
        certificate=None if view.certificate is None else Hex(view.certificate),
    )


async def draft(context: RequestContext, patient: strawberry.ID) -> Draft | Refusal:
    async def steps() -> Draft:
        return to_draft(await context.services.erasures.draft_erasure(context.signed_in(), subject=subject_of(patient)))

    return await outcome(steps())


async def erase(context: RequestContext, input: SignedInput) -> Erasure | Refusal:
    async def steps() -> Erasure:
        return to_erasure(
            await context.services.erasures.erase_patient(
                context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
            )
        )

    return await outcome(steps())
