"""Consents as a patient meets them: draft, sign, submit, see, end. What is signed is made and checked by the service;
nothing here reads a scope."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.consent import model
from gateway.consent.languages import Language
from gateway.consent.model import NO_END, Action, ConsentStatus, Effect, Purpose
from gateway.consent.studies import study_in
from gateway.errors import CallerError
from gateway.ids import ActorId, ConsentId, SubjectId, to_global
from gateway.slices import Slice
from schema.context import Info, RequestContext
from schema.drafts import Draft, DraftResult, SignedInput, to_draft, typed_data_of
from schema.errors import Refusal
from schema.fields import mutation, resolved
from schema.forms import ConsentForm, form_signed
from schema.gates import actor_of, given, info_of, or_empty, outcome, record_of, study_of, subject_of
from schema.identity import Actor, Patient, known_grantee, to_patient
from schema.readings import consent_from_fhir
from schema.relay import Node, PageInfo
from schema.renderings import consent_as_fhir
from schema.scalars import Hex, Json, moment_of, parse_instant

OF_STATEMENT = "Of the statement that is signed."


@strawberry.input
class ConsentInput:
    patient_id: strawberry.ID
    grantee_id: strawberry.ID = strawberry.field(description="An actor or an organization.")
    purposes: list[Purpose]
    effect: Effect = Effect.PERMIT
    actions: list[Action] = strawberry.field(default_factory=lambda: [Action.READ])
    resource_types: list[str] = strawberry.field(
        default_factory=list,
        description="FHIR resource types, codes (system|code), authors, records; empty: all.",
    )
    codes: list[str] = strawberry.field(default_factory=list)
    author_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    record_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    labels: list[str] = strawberry.field(
        default_factory=list,
        description="HL7 sensitivity labels this consent reaches: a permit covers a record only if all the record's "
        "labels are here.",
    )
    data_from: datetime | None = strawberry.UNSET
    data_to: datetime | None = strawberry.UNSET
    data_use: list[str] = strawberry.field(default_factory=list, description="GA4GH DUO terms, for research.")
    not_before: datetime | None = strawberry.UNSET
    not_after: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Required for a PERMIT; a DENY without one has no end."
    )
    terms_hash: Hex | None = strawberry.UNSET
    language: Language = strawberry.field(default=Language.EN, description=OF_STATEMENT)
    study: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="For one study alone: `purposes` is CLINTRCH and nothing else; a permit names the study's sponsor, "
        "and in `termsHash` the informed consent.",
    )


@strawberry.type
class RevokedAll:
    patient: Patient
    epoch: int


@strawberry.type(description="A consent, as its patient signed it.")
class Consent(Node):
    granted_to: strawberry.Private[ActorId]
    view: strawberry.Private[model.ConsentView]
    consent_id: Hex
    status: ConsentStatus
    effect: Effect
    actions: list[Action]
    purposes: list[Purpose]
    resource_types: list[str]
    codes: list[str]
    labels: list[str]
    data_from: datetime | None
    data_to: datetime | None
    data_use: list[str]
    not_before: datetime
    not_after: datetime | None
    terms_hash: Hex | None
    study: strawberry.ID | None = strawberry.field(description="The one study that it is for; null: it is for none.")
    statement: str = strawberry.field(description="Plain words, as the patient signed them.")
    signer: Hex
    transaction_hash: Hex | None = strawberry.field(description="Null while in force here and not yet on chain.")

    @resolved("The same in another language, by the grantee's present name. What counts is what was signed.")
    async def statement_in(self, info: Info, language: Language) -> str:
        return await info.context.services.shown_consents.statement(self.view.terms, language)

    @resolved("The consent form whose hash was signed; null where there is none, or it is not known here.")
    async def form(self, info: Info) -> ConsentForm | None:
        return await form_signed(info.context, self.terms_hash)

    @resolved("As a FHIR R4 Consent. What counts is what was signed.")
    async def as_fhir(self, info: Info) -> Json:
        grantee = await known_grantee(info.context, self.granted_to)
        return Json(consent_as_fhir(self.view, grantee.name))

    @resolved("Who signed it, or whose delegate did.")
    def patient(self) -> Patient:
        return to_patient(self.view.terms.subject)

    @strawberry.field
    async def grantee(self, info: Info) -> Actor:
        return await known_grantee(info.context, self.granted_to)


@strawberry.type
class ConsentEdge:
    cursor: str
    node: Consent


@strawberry.type
class ConsentConnection:
    edges: list[ConsentEdge]
    page_info: PageInfo


ConsentResult = Annotated[Consent | Refusal, strawberry.union("ConsentResult")]
RevokeAllResult = Annotated[RevokedAll | Refusal, strawberry.union("RevokeAllResult")]


def to_consent(view: model.ConsentView) -> Consent:
    terms, scope = view.terms, view.terms.scope
    return Consent(
        id=strawberry.ID(to_global("Consent", view.consent)),
        granted_to=scope.grantee,
        view=view,
        consent_id=Hex(view.consent),
        status=view.status,
        effect=terms.effect,
        actions=[Action(action) for action in scope.actions],
        purposes=[Purpose(purpose) for purpose in scope.purposes],
        resource_types=list(scope.resource_types),
        codes=list(scope.codes),
        labels=list(scope.labels),
        data_from=parse_instant(scope.data_from) if scope.data_from else None,
        data_to=parse_instant(scope.data_to) if scope.data_to else None,
        data_use=list(scope.data_use),
        not_before=moment_of(terms.not_before),
        not_after=None if terms.not_after == NO_END else moment_of(terms.not_after),
        terms_hash=Hex(scope.terms_hash) if any(scope.terms_hash) else None,
        study=None if (named := study_in(scope.context)) is None else strawberry.ID(to_global("Study", named)),
        statement=scope.statement,
        signer=Hex(view.signer),
        transaction_hash=Hex(view.transaction) if view.transaction is not None else None,
    )


async def draft(context: RequestContext, input: ConsentInput) -> Draft | Refusal:
    async def steps() -> Draft:
        return to_draft(await context.services.consents.draft(context.signed_in(), to_consent_input(input)))

    return await outcome(steps())


async def draft_from_fhir(
    context: RequestContext, patient: strawberry.ID, resource: object, language: Language
) -> Draft | Refusal:
    async def steps() -> Draft:
        caller = context.signed_in()
        read = consent_from_fhir(resource, subject=subject_of(patient), language=language)
        return to_draft(await context.services.consents.draft(caller, read.asked, signer=read.signer))

    return await outcome(steps())


def to_consent_input(input: ConsentInput) -> model.ConsentInput:
    """Raises CallerError for an id of another kind."""
    return model.ConsentInput(
        subject=subject_of(input.patient_id),
        effect=input.effect,
        grantee=actor_of(input.grantee_id, field="granteeId"),
        actions=tuple(input.actions),
        purposes=tuple(input.purposes),
        resource_types=tuple(input.resource_types),
        codes=tuple(input.codes),
        authors=tuple(actor_of(one, field="authorIds") for one in input.author_ids),
        records=tuple(record_of(one, field="recordIds") for one in input.record_ids),
        labels=tuple(input.labels),
        data_from=given(input.data_from),
        data_to=given(input.data_to),
        data_use=tuple(input.data_use),
        not_before=given(input.not_before),
        not_after=given(input.not_after),
        terms_hash=given(input.terms_hash),
        language=input.language,
        study=None if (named := given(input.study)) is None else study_of(named, field="study"),
    )


async def grant(context: RequestContext, input: SignedInput) -> Consent | Refusal:
    async def steps() -> Consent:
        return to_consent(
            await context.services.consents.grant(
                context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
            )
        )

    return await outcome(steps())


async def draft_revocation(context: RequestContext, patient: strawberry.ID, consent: bytes) -> Draft | Refusal:
    async def steps() -> Draft:
        if len(consent) != 32:
            raise CallerError("a consent id has 32 bytes", field=("consentId",))
        return to_draft(
            await context.services.consents.draft_revocation(
                context.signed_in(), subject=subject_of(patient), consent=ConsentId(consent)
            )
        )

    return await outcome(steps())


async def revoke(context: RequestContext, input: SignedInput) -> Consent | Refusal:
    async def steps() -> Consent:
        return to_consent(
            await context.services.consents.revoke(
                context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
            )
        )

    return await outcome(steps())


async def draft_revocation_of_all(context: RequestContext, patient: strawberry.ID) -> Draft | Refusal:
    async def steps() -> Draft:
        return to_draft(
            await context.services.consents.draft_revocation_of_all(context.signed_in(), subject=subject_of(patient))
        )

    return await outcome(steps())


async def revoke_all(context: RequestContext, input: SignedInput) -> RevokedAll | Refusal:
    async def steps() -> RevokedAll:
        made = await context.services.consents.revoke_all(
            context.signed_in(), typed_data=typed_data_of(input), signature=input.signature
        )
        return RevokedAll(patient=to_patient(made.subject), epoch=made.epoch)

    return await outcome(steps())


async def consents_of(context: RequestContext, subject: SubjectId, part: Slice) -> ConsentConnection:
    async def steps() -> ConsentConnection:
        page = await context.services.shown_consents.of_patient(context.signed_in(), subject=subject, part=part)
        # A cursor is the consent id in hex.
        edges = [ConsentEdge(cursor=view.consent.hex(), node=to_consent(view)) for view in page.items]
        return ConsentConnection(edges=edges, page_info=info_of(page, [edge.cursor for edge in edges]))

    return await or_empty(steps(), ConsentConnection(edges=[], page_info=PageInfo(has_next_page=False)))


@strawberry.type
class ConsentMutations:
    """What a patient, or a delegate of theirs, does with consents."""

    @mutation("The patient's (or their guardian's): draft, sign `typedData` (eth_signTypedData_v4), submit.")
    async def draft_consent(self, info: Info, input: ConsentInput) -> DraftResult:
        return await draft(info.context, input)

    @mutation(
        "As draftConsent, from a FHIR R4 Consent. Only where our scope can say all that it says: what it cannot is "
        "INVALID, and `field` is its path. A Consent that is stored as a record is a document and decides nothing."
    )
    async def draft_consent_from_fhir(
        self,
        info: Info,
        patient_id: strawberry.ID,
        resource: Annotated[Json, strawberry.argument(description="A FHIR R4 Consent, as `Consent.asFhir` gives.")],
        language: Annotated[Language, strawberry.argument(description=OF_STATEMENT)] = Language.EN,
    ) -> DraftResult:
        return await draft_from_fhir(info.context, patient_id, resource, language)

    @mutation("Returns when the consent is on chain and in force here.")
    async def grant_consent(self, info: Info, input: SignedInput) -> ConsentResult:
        return await grant(info.context, input)

    @strawberry.mutation
    async def draft_revocation(self, info: Info, patient_id: strawberry.ID, consent_id: Hex) -> DraftResult:
        return await draft_revocation(info.context, patient_id, consent_id)

    @mutation("In force here when it returns, whatever the chain does.")
    async def revoke_consent(self, info: Info, input: SignedInput) -> ConsentResult:
        return await revoke(info.context, input)

    @mutation("Ends every permit of the patient at once; denies stay.")
    async def draft_revocation_of_all(self, info: Info, patient_id: strawberry.ID) -> DraftResult:
        return await draft_revocation_of_all(info.context, patient_id)

    @mutation("In force here when it returns, whatever the chain does.")
    async def revoke_all_consents(self, info: Info, input: SignedInput) -> RevokeAllResult:
        return await revoke_all(info.context, input)
