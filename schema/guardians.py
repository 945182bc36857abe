"""A patient's guardians, as the patient meets them: draft, sign, submit, see. Nothing here computes a hash."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.consent import guardianship
from gateway.ids import SubjectId
from schema.context import RequestContext
from schema.drafts import typed_data_of
from schema.errors import Refusal
from schema.gates import actor_of, given, or_none, outcome, subject_of
from schema.identity import Actor, chosen_actor
from schema.scalars import Hex, Json


@strawberry.input(description="Actors that sign texts by a wallet or a P-256 key; none: no guardians.")
class GuardiansInput:
    patient_id: strawberry.ID
    guardian_ids: list[strawberry.ID]
    threshold: int = strawberry.field(description="How many of them propose a recovery.")


@strawberry.input(description="As drafted, and signed by the patient's key.")
class SignedGuardiansInput:
    typed_data: Json
    signature: Hex
    guardian_ids: list[strawberry.ID]
    threshold: int
    salt: Hex | None = strawberry.field(default=strawberry.UNSET, description="The draft's; none where there are none.")


@strawberry.type(description="What is behind a hash on chain: keccak256(abi.encode(signers, threshold, salt)).")
class OpenedGuardians:
    guardians: list[Actor]
    signers: list[Hex] = strawberry.field(description="Their keys when they were named, in the same order.")
    threshold: int
    salt: Hex


@strawberry.type(description="Guardians as the chain names them: by their hash.")
class NamedGuardians:
    hash: Hex
    opened: OpenedGuardians | None = strawberry.field(description="Null where this gateway knows the hash alone.")


@strawberry.type(description="Those that hold, and those that come after them.")
class Guardians:
    current: NamedGuardians | None
    next: NamedGuardians | None
    next_from: datetime | None


@strawberry.type(
    description="To be signed, and what it stands for. Keep `opened`, and give it to your guardians: with it they need "
    "no gateway."
)
class GuardiansDraft:
    id: Hex
    typed_data: Json
    opened: OpenedGuardians | None


GuardiansDraftResult = Annotated[GuardiansDraft | Refusal, strawberry.union("GuardiansDraftResult")]
GuardiansResult = Annotated[Guardians | Refusal, strawberry.union("GuardiansResult")]


async def to_opened(context: RequestContext, opened: guardianship.Guardianship | None) -> OpenedGuardians | None:
    if opened is None:
        return None
    return OpenedGuardians(
        guardians=[await chosen_actor(context, guardian.actor) for guardian in opened.guardians],
        signers=[Hex(guardian.signer) for guardian in opened.guardians],
        threshold=opened.threshold,
        salt=Hex(opened.salt),
    )


async def to_named(context: RequestContext, named: guardianship.Named | None) -> NamedGuardians | None:
    if named is None:
        return None
    return NamedGuardians(hash=Hex(named.hash), opened=await to_opened(context, named.opened))


async def to_guardians(context: RequestContext, view: guardianship.GuardiansView) -> Guardians:
    return Guardians(
        current=await to_named(context, view.current),
        next=await to_named(context, view.next),
        next_from=view.next_from,
    )


async def draft(context: RequestContext, input: GuardiansInput) -> GuardiansDraft | Refusal:
    async def steps() -> GuardiansDraft:
        made = await context.services.guardianships.draft_guardians(
            context.signed_in(),
            subject=subject_of(input.patient_id),
            actors=[actor_of(one, field="guardianIds") for one in input.guardian_ids],
            threshold=input.threshold,
        )
        return GuardiansDraft(
            id=Hex(made.draft.id),
            typed_data=Json(dict(made.draft.typed_data)),
            opened=await to_opened(context, made.opened),
        )

    return await outcome(steps())


async def submit(context: RequestContext, input: SignedGuardiansInput) -> Guardians | Refusal:
    async def steps() -> Guardians:
        made = await context.services.guardianships.set_guardians(
            context.signed_in(),
            typed_data=typed_data_of(input),
            signature=input.signature,
            actors=[actor_of(one, field="guardianIds") for one in input.guardian_ids],
            threshold=input.threshold,
            salt=given(input.salt) or b"",
        )
        return await to_guardians(context, made)

    return await outcome(steps())


async def guardians_of(context: RequestContext, subject: SubjectId) -> Guardians | None:
    async def steps() -> Guardians | None:
        found = await context.services.guardianships.guardians(context.signed_in(), subject)
        return None if found is None else await to_guardians(context, found)

    return await or_none(steps())
