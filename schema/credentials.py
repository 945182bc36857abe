"""By which actors a patient signs in, for a client: draft, sign twice, submit. Nothing here judges a signature."""

from typing import Annotated

import strawberry

from gateway.identity import model
from gateway.ids import SubjectId
from schema.context import RequestContext
from schema.drafts import Draft, to_draft, typed_data_of
from schema.errors import Refusal
from schema.gates import actor_of, or_empty, outcome, subject_of
from schema.identity import Actor, Patient, known_actor, to_patient
from schema.scalars import Hex, Json


@strawberry.input(description="An actor by which the patient signs in; linked: false ends that.")
class CredentialInput:
    patient_id: strawberry.ID
    actor_id: strawberry.ID
    linked: bool = True


@strawberry.input(description="Both signatures link; either alone unlinks, and the other may be 0x.")
class SignedCredentialInput:
    typed_data: Json
    signature: Hex = strawberry.field(description="The patient's signing key.")
    actor_signature: Hex = strawberry.field(description="The actor's key.")


@strawberry.type
class Credential:
    patient: Patient
    actor: Actor
    linked: bool


CredentialResult = Annotated[Credential | Refusal, strawberry.union("CredentialResult")]


async def draft(context: RequestContext, input: CredentialInput) -> Draft | Refusal:
    async def steps() -> Draft:
        made = await context.services.credentials.draft_credential(
            context.signed_in(),
            subject=subject_of(input.patient_id),
            actor=actor_of(input.actor_id, field="actorId"),
            linked=input.linked,
        )
        return to_draft(made)

    return await outcome(steps())


async def submit(context: RequestContext, input: SignedCredentialInput) -> Credential | Refusal:
    async def steps() -> Credential:
        made: model.CredentialLink = await context.services.credentials.set_credential(
            context.signed_in(),
            typed_data=typed_data_of(input),
            signature=input.signature,
            actor_signature=input.actor_signature,
        )
        return Credential(
            patient=to_patient(made.subject), actor=await known_actor(context, made.actor), linked=made.linked
        )

    return await outcome(steps())


async def credentials_of(context: RequestContext, subject: SubjectId) -> list[Actor]:
    async def steps() -> list[Actor]:
        found = await context.services.credentials.credentials(context.signed_in(), subject)
        return [await known_actor(context, actor) for actor in found]

    return await or_empty(steps(), [])
