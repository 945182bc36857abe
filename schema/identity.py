"""People and institutions, as a client meets them: sign-in, actors, patients. Every list of a patient is asked of its
service with the caller; the Patient type itself holds a name and nothing else."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from eth_utils.crypto import keccak

from gateway.consent.model import ANYONE, Purpose
from gateway.identity import model
from gateway.identity.model import Role
from gateway.ids import ActorId, SubjectId, to_global
from gateway.records.model import RecordOrder
from schema.context import Info, RequestContext
from schema.drafts import Draft, SignedInput, to_draft, typed_data_of
from schema.errors import Refusal
from schema.fields import resolved
from schema.gates import actor_of, given, outcome, slice_of
from schema.relay import Node
from schema.scalars import Address, Hex

if TYPE_CHECKING:
    from schema.audit import AccessEventConnection, AccessFilterInput
    from schema.consent import ConsentConnection
    from schema.dataset_lists import PatientDatasetConnection
    from schema.delegates import Delegate
    from schema.emergency import EmergencyConnection
    from schema.guardians import Guardians
    from schema.records import RecordConnection, RecordFilterInput
    from schema.requests import ConsentRequestConnection

ADDRESS_OCTETS = 20


@strawberry.type(description="A person, institution or device that acts; never its keys, which rotate.")
class Actor(Node):
    name_on_chain: strawberry.Private[ActorId]
    key: strawberry.Private[bytes]
    actor: Hex = strawberry.field(description="32 bytes, the actor's name on chain; keys behind it rotate.")
    roles: list[Role]
    name: str | None

    @resolved("Of the present key; of a longer ERC-7913 signer, the last 20 bytes of its keccak-256.")
    def address(self) -> Address:
        return to_address(self.key)

    @strawberry.field
    async def organizations(self, info: Info) -> list["Actor"]:
        return [to_actor(one) for one in await info.context.organizations.get(self.name_on_chain)]


def to_address(key: bytes) -> Address:
    """Of an ERC-7913 signer: itself where it is an address."""
    return Address("0x" + (key if len(key) == ADDRESS_OCTETS else keccak(key)[-ADDRESS_OCTETS:]).hex())


def to_actor(actor: model.Actor) -> Actor:
    return Actor(
        id=strawberry.ID(to_global("Actor", actor.id)),
        name_on_chain=actor.id,
        key=actor.key,
        actor=Hex(actor.id),
        roles=sorted(actor.roles, key=lambda role: role.value),
        name=actor.name,
    )


async def known_actor(context: RequestContext, actor: ActorId) -> Actor:
    """Of an id that verified facts name. Who was removed since, or is not confirmed, has that id and nothing else: what
    they wrote outlives them."""
    found = await context.actors.get(actor)
    return nameless_actor(actor) if found is None else to_actor(found)


def as_told(actor: model.Actor, caller: model.Caller | None) -> Actor:
    """Of an id that anybody may choose: a patient's name is told to nobody but them."""
    shown = to_actor(actor)
    if caller is None or actor.id != caller.actor.id:
        shown.name = actor.told_name
    return shown


async def chosen_actor(context: RequestContext, actor: ActorId) -> Actor:
    """As `known_actor`, where somebody chose the id: whom they named says nothing of whose it is."""
    found = await context.actors.get(actor)
    return nameless_actor(actor) if found is None else as_told(found, context.caller)


async def known_grantee(context: RequestContext, grantee: ActorId) -> Actor:
    """As `chosen_actor`; the zero name, which no actor can have, is anyone's."""
    return nameless_actor(ActorId(ANYONE)) if grantee == ANYONE else await chosen_actor(context, grantee)


def nameless_actor(actor: ActorId) -> Actor:
    """An id without roles, name or key."""
    return Actor(
        id=strawberry.ID(to_global("Actor", actor)),
        name_on_chain=actor,
        key=bytes(ADDRESS_OCTETS),
        actor=Hex(actor),
        roles=[],
        name=None,
    )


@strawberry.type(description="A patient: a random name, and what the asker may see behind it.")
class Patient(Node):
    name_on_chain: strawberry.Private[SubjectId]
    subject: Hex = strawberry.field(description="The patient's name on chain: 32 random bytes.")

    @resolved("As they arrived, oldest first. What is refused is left out without a trace.")
    async def records(
        self,
        info: Info,
        purpose: Purpose = Purpose.TREAT,
        filter: Annotated["RecordFilterInput", strawberry.lazy("schema.records")] | None = strawberry.UNSET,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["RecordConnection", strawberry.lazy("schema.records")]:
        from schema.records import records_of

        return await records_of(
            info.context,
            self.name_on_chain,
            purpose=purpose,
            filter=filter or None,
            order=RecordOrder.ARRIVAL,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @resolved("As records, by the beginning of the clinical period: newest first, what has no date last.")
    async def timeline(
        self,
        info: Info,
        purpose: Purpose = Purpose.TREAT,
        filter: Annotated["RecordFilterInput", strawberry.lazy("schema.records")] | None = strawberry.UNSET,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["RecordConnection", strawberry.lazy("schema.records")]:
        from schema.records import records_of

        return await records_of(
            info.context,
            self.name_on_chain,
            purpose=purpose,
            filter=filter or None,
            order=RecordOrder.CLINICAL,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @resolved(
        "As timeline, and of each kind (resource type and codes) the newest alone: the last of each laboratory value."
    )
    async def latest(
        self,
        info: Info,
        purpose: Purpose = Purpose.TREAT,
        filter: Annotated["RecordFilterInput", strawberry.lazy("schema.records")] | None = strawberry.UNSET,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["RecordConnection", strawberry.lazy("schema.records")]:
        from schema.records import records_of

        return await records_of(
            info.context,
            self.name_on_chain,
            purpose=purpose,
            filter=filter or None,
            order=RecordOrder.LATEST,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @resolved("The patient's and their guardians' alone, like accessLog: others get an empty connection.")
    async def consents(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["ConsentConnection", strawberry.lazy("schema.consent")]:
        from schema.consent import consents_of

        return await consents_of(info.context, self.name_on_chain, slice_of(first, after, last, before))

    @resolved(
        "Who asks for a consent, for what and why, newest first: the patient's alone, and those of a delegate who sees "
        "all or could sign it."
    )
    async def consent_requests(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["ConsentRequestConnection", strawberry.lazy("schema.requests")]:
        from schema.requests import requests_of

        return await requests_of(info.context, self.name_on_chain, first=first, after=after, last=last, before=before)

    @resolved("By which the patient signs in besides their wallet: shown to the patient alone.")
    async def credentials(self, info: Info) -> list[Actor]:
        from schema.credentials import credentials_of

        return await credentials_of(info.context, self.name_on_chain)

    @resolved("Who may consent in the patient's name: the patient's alone, and each delegate's own.")
    async def delegates(self, info: Info) -> list[Annotated["Delegate", strawberry.lazy("schema.delegates")]]:
        from schema.delegates import delegates_of

        return await delegates_of(info.context, self.name_on_chain)

    @resolved("Who can replace a lost key, and who comes after them: shown to the patient alone.")
    async def guardians(self, info: Info) -> Annotated["Guardians", strawberry.lazy("schema.guardians")] | None:
        from schema.guardians import guardians_of

        return await guardians_of(info.context, self.name_on_chain)

    @resolved("Who asked for what, and what they were told; refusals too.")
    async def access_log(
        self,
        info: Info,
        filter: Annotated["AccessFilterInput", strawberry.lazy("schema.audit")] | None = strawberry.UNSET,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["AccessEventConnection", strawberry.lazy("schema.audit")]:
        from schema.audit import access_log_of

        part = slice_of(first, after, last, before)
        return await access_log_of(info.context, self.name_on_chain, filter=filter, part=part)

    @resolved("Emergency accesses, newest first: who broke the glass, why, and who reviewed it. The patient's alone.")
    async def emergencies(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["EmergencyConnection", strawberry.lazy("schema.emergency")]:
        from schema.emergency import emergencies_of

        return await emergencies_of(info.context, self.name_on_chain, slice_of(first, after, last, before))

    @resolved(
        "De-identified datasets that used the patient's records, the newest use first: who has them, and whether they "
        "were told to remove what was the patient's. The patient's alone."
    )
    async def datasets(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> Annotated["PatientDatasetConnection", strawberry.lazy("schema.dataset_lists")]:
        from schema.dataset_lists import datasets_that_used

        return await datasets_that_used(info.context, self.name_on_chain, slice_of(first, after, last, before))


def to_patient(subject: SubjectId) -> Patient:
    return Patient(id=strawberry.ID(to_global("Patient", subject)), name_on_chain=subject, subject=Hex(subject))


@strawberry.type(description="An EIP-4361 message, good once.")
class SignInChallenge:
    message: str
    expires_at: datetime


@strawberry.type
class Session:
    session_id: strawberry.ID = strawberry.field(description="Its name in `sessions`. It opens nothing.")
    access_token: str = strawberry.field(description="Shown once: sent as Authorization: Bearer.")
    expires_at: datetime = strawberry.field(description="Of the token; `refreshSession` gives another before.")
    ends_at: datetime = strawberry.field(description="Of the session: sign in again.")
    actor: Actor


@strawberry.input
class SignInInput:
    message: str
    signature: Hex
    signer: Hex | None = strawberry.field(
        default=strawberry.UNSET,
        description="The ERC-7913 signer behind the address, where it is no wallet (P-256, passkey of this origin).",
    )
    device: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What you call what you sign in with, 1 to 64 characters: shown in your own `sessions` alone.",
    )


@strawberry.input(description="key: ERC-7913 signer. encryptionKey: X25519, signed by key (EIP-712).")
class RegisterActorInput:
    key: Hex
    roles: list[Role]
    name: str
    encryption_key: Hex | None = strawberry.UNSET
    encryption_key_signature: Hex | None = strawberry.UNSET


@strawberry.input
class MembershipInput:
    organization_id: strawberry.ID
    member_id: strawberry.ID
    not_after: datetime


@strawberry.input
class EnrolPatientInput:
    controller: Hex | None = strawberry.field(
        default=strawberry.UNSET,
        description="ERC-7913 signer: a 20-byte address, or verifier and key. Without one the patient is in custody: "
        "see the design.",
    )


SignInChallengeResult = Annotated[SignInChallenge | Refusal, strawberry.union("SignInChallengeResult")]
SignInResult = Annotated[Session | Refusal, strawberry.union("SignInResult")]
RegisterActorResult = Annotated[Actor | Refusal, strawberry.union("RegisterActorResult")]
ActorResult = Annotated[Actor | Refusal, strawberry.union("ActorResult")]
EnrolPatientResult = Annotated[Patient | Refusal, strawberry.union("EnrolPatientResult")]


def to_session(made: model.Session) -> Session:
    return Session(
        session_id=strawberry.ID(to_global("Session", made.id)),
        access_token=made.access_token,
        expires_at=made.expires_at,
        ends_at=made.ends_at,
        actor=to_actor(made.actor),
    )


async def challenge(context: RequestContext, address: str) -> SignInChallenge | Refusal:
    async def steps() -> SignInChallenge:
        made = await context.services.identity.challenge(address=address)
        return SignInChallenge(message=made.message, expires_at=made.expires_at)

    return await outcome(steps())


async def sign_in(context: RequestContext, input: SignInInput) -> Session | Refusal:
    async def steps() -> Session:
        made = await context.services.identity.sign_in(
            message=input.message,
            signature=input.signature,
            signer=given(input.signer),
            device=given(input.device),
        )
        return to_session(made)

    return await outcome(steps())


async def register(context: RequestContext, input: RegisterActorInput) -> Actor | Refusal:
    async def steps() -> Actor:
        made = await context.services.identity.register_actor(
            context.signed_in(),
            key=input.key,
            roles=frozenset(input.roles),
            name=input.name,
            encryption_key=given(input.encryption_key),
            encryption_key_signature=given(input.encryption_key_signature),
        )
        return to_actor(made)

    return await outcome(steps())


async def enrol(context: RequestContext, input: EnrolPatientInput) -> Patient | Refusal:
    async def steps() -> Patient:
        made = await context.services.identity.enrol_patient(context.signed_in(), controller=given(input.controller))
        return to_patient(made.id)

    return await outcome(steps())


async def draft_membership(context: RequestContext, input: MembershipInput) -> Draft | Refusal:
    async def steps() -> Draft:
        made = await context.services.identity.draft_membership(
            context.signed_in(),
            organization=actor_of(input.organization_id, field="organizationId"),
            member=actor_of(input.member_id, field="memberId"),
            not_after=input.not_after,
        )
        return to_draft(made)

    return await outcome(steps())


async def add_member(context: RequestContext, input: SignedInput) -> Actor | Refusal:
    async def steps() -> Actor:
        made = await context.services.identity.add_member(
            context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
        )
        return as_told(made, context.caller)

    return await outcome(steps())
