"""Who else consents for a patient, for a client: draft, sign, submit, see, end. Nothing here judges a signature."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.consent import model
from gateway.consent.languages import Language
from gateway.consent.model import Action, Purpose
from gateway.ids import ActorId, SubjectId
from schema.context import Info, RequestContext
from schema.drafts import Draft, SignedInput, to_draft, typed_data_of
from schema.errors import Refusal
from schema.gates import actor_of, given, or_empty, outcome, subject_of
from schema.identity import Actor, Patient, chosen_actor, to_patient
from schema.scalars import Hex, Json, moment_of


@strawberry.input(
    description="An actor, whose key is a wallet, and what they may consent to in the patient's name until notAfter. "
    "resourceTypes: empty means all; labels: empty means nothing sensitive."
)
class DelegateInput:
    patient_id: strawberry.ID
    actor_id: strawberry.ID
    purposes: list[Purpose]
    not_after: datetime
    actions: list[Action] = strawberry.field(default_factory=lambda: [Action.READ])
    resource_types: list[str] = strawberry.field(default_factory=list)
    labels: list[str] = strawberry.field(default_factory=list)
    denies: bool = strawberry.field(default=False, description="Whether they may forbid, too.")
    permits_until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="The latest end of a permit; notAfter unless it is said."
    )
    lists: bool = strawberry.field(default=False, description="Whether they see the patient's consents and access log.")
    language: Language = strawberry.field(default=Language.EN, description="Of the statement.")


@strawberry.input(description="limits: as drafted, whose hash is signed.")
class SignedDelegateInput:
    typed_data: Json
    signature: Hex
    limits: Json


@strawberry.type(
    description="limits: the JSON whose hash is in typedData; to be given back with the signature. statement: what it "
    "says, in plain words."
)
class DelegateDraft:
    id: Hex
    typed_data: Json
    limits: Json
    statement: str


@strawberry.type
class DelegateLimits:
    named: strawberry.Private[ActorId]
    actions: list[Action]
    purposes: list[Purpose]
    resource_types: list[str]
    labels: list[str]
    denies: bool
    permits_until: datetime
    lists: bool

    @strawberry.field
    async def actor(self, info: Info) -> Actor:
        return await chosen_actor(info.context, self.named)


@strawberry.type(
    description="Who may consent in the patient's name. limits: null where they do not open, and permit nothing."
)
class Delegate:
    patient: Patient
    number: int
    signer: Hex
    not_after: datetime
    holds: bool
    limits: DelegateLimits | None


DelegateDraftResult = Annotated[DelegateDraft | Refusal, strawberry.union("DelegateDraftResult")]
DelegateResult = Annotated[Delegate | Refusal, strawberry.union("DelegateResult")]


def to_delegate(view: model.DelegateView) -> Delegate:
    return Delegate(
        patient=to_patient(view.subject),
        number=view.number,
        signer=Hex(view.signer),
        not_after=moment_of(view.not_after),
        holds=view.holds,
        limits=None if view.limits is None else _to_limits(view.limits),
    )


def _to_limits(limits: model.Limits) -> DelegateLimits:
    return DelegateLimits(
        named=limits.actor,
        actions=list(limits.actions),
        purposes=list(limits.purposes),
        resource_types=list(limits.resource_types),
        labels=list(limits.labels),
        denies=limits.denies,
        permits_until=moment_of(limits.permits_until),
        lists=limits.lists,
    )


async def draft(context: RequestContext, input: DelegateInput) -> DelegateDraft | Refusal:
    async def steps() -> DelegateDraft:
        wanted = model.DelegateInput(
            subject=subject_of(input.patient_id),
            actor=actor_of(input.actor_id, field="actorId"),
            not_after=input.not_after,
            actions=tuple(input.actions),
            purposes=tuple(input.purposes),
            resource_types=tuple(input.resource_types),
            labels=tuple(input.labels),
            denies=input.denies,
            permits_until=given(input.permits_until),
            lists=input.lists,
            language=input.language,
        )
        made = await context.services.delegates.draft_delegate(context.signed_in(), wanted)
        return DelegateDraft(
            id=Hex(made.id),
            typed_data=Json(dict(made.typed_data)),
            limits=Json(dict(made.limits)),
            statement=made.statement,
        )

    return await outcome(steps())


async def add(context: RequestContext, input: SignedDelegateInput) -> Delegate | Refusal:
    async def steps() -> Delegate:
        made = await context.services.delegates.add_delegate(
            context.signed_in(), typed_data=typed_data_of(input), signature=input.signature, given=input.limits
        )
        return to_delegate(made)

    return await outcome(steps())


async def draft_removal(context: RequestContext, patient: strawberry.ID, number: int) -> Draft | Refusal:
    async def steps() -> Draft:
        caller, subject = context.signed_in(), subject_of(patient)
        return to_draft(await context.services.delegates.draft_removal(caller, subject=subject, number=number))

    return await outcome(steps())


async def remove(context: RequestContext, input: SignedInput) -> Delegate | Refusal:
    async def steps() -> Delegate:
        made = await context.services.delegates.remove_delegate(
            context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
        )
        return to_delegate(made)

    return await outcome(steps())


async def delegates_of(context: RequestContext, subject: SubjectId) -> list[Delegate]:
    async def steps() -> list[Delegate]:
        found = await context.services.delegates.delegates(context.signed_in(), subject)
        return [to_delegate(one) for one in found]

    return await or_empty(steps(), [])
