"""Requests for consent, for who asks and for whom it is asked of. Who may see, draft or decline one is decided by the
service, each time anew; what is signed is the consent, never the request."""

from datetime import datetime
from typing import Annotated

import strawberry

from gateway.consent import model
from gateway.consent.languages import Language
from gateway.consent.model import ANYONE, Action, Effect, Purpose
from gateway.consent.requested import RequestInput, RequestPage, RequestState, RequestView
from gateway.ids import ActorId, ConsentId, RequestId, SubjectId, from_global, to_global
from schema.consent import OF_STATEMENT, Consent, to_consent
from schema.context import Info, RequestContext
from schema.drafts import Draft, DraftResult, to_draft
from schema.errors import Refusal
from schema.fields import mutation, resolved
from schema.forms import ConsentForm, form_signed
from schema.gates import actor_of, given, or_empty, or_none, outcome, record_of, slice_of, subject_of
from schema.identity import Actor, Patient, known_actor, to_patient
from schema.relay import PageInfo
from schema.scalars import Hex, moment_of

strawberry.enum(
    RequestState,
    name="ConsentRequestState",
    description="GRANTED: a consent that was drafted from it was granted, whatever became of that since. DECLINED is "
    "shown to the patient alone: to who asked it stays OPEN until it is EXPIRED, as where nobody answers.",
)


@strawberry.input(
    description="The terms are those of ConsentInput, for a permit. The answer is the same for a patient, one who "
    "was erased, and none."
)
class RequestConsentInput:
    patient_id: strawberry.ID
    organization_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Of yours, that is to be let in; you yourself where there is none."
    )
    reason: str = strawberry.field(description="In your own words, 10 to 1000 characters: the patient reads it.")
    purposes: list[Purpose]
    not_after: datetime = strawberry.field(description="The end of the consent.")
    actions: list[Action] = strawberry.field(
        default_factory=lambda: [Action.READ], description="What is to be permitted."
    )
    resource_types: list[str] = strawberry.field(
        default_factory=list, description="FHIR resource types, codes (system|code), authors, records; empty: all."
    )
    codes: list[str] = strawberry.field(default_factory=list, description="As system|code; empty: all.")
    author_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Whose records; empty: everybody's."
    )
    record_ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="Which records; empty: all.")
    labels: list[str] = strawberry.field(
        default_factory=list, description="HL7 sensitivity labels that the consent is to reach."
    )
    data_from: datetime | None = strawberry.field(default=strawberry.UNSET, description="Of what time or later.")
    data_to: datetime | None = strawberry.field(default=strawberry.UNSET, description="Of what time or earlier.")
    data_use: list[str] = strawberry.field(default_factory=list, description="GA4GH DUO terms, for research.")
    not_before: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="The beginning of the consent; without one, when it is drafted."
    )
    terms_hash: Hex | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of a consent form (`ConsentForm.termsHash`), or of any text that is agreed to.",
    )
    days: int = strawberry.field(default=30, description="How long the request stays open, 1 to 90 days.")


@strawberry.type(
    description="What somebody asks a patient to permit, and why. It confers nothing: the consent does, once signed."
)
class ConsentRequest:
    view: strawberry.Private[RequestView]
    id: strawberry.ID = strawberry.field(description="Names the request to who asked and to the patient.")
    state: RequestState = strawberry.field(description="How it stands, for who is asking now.")
    reason: str = strawberry.field(description="In the words of who asks.")
    asked_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime = strawberry.field(description="When it is over unless it was answered.")
    actions: list[Action] = strawberry.field(description="What is to be permitted.")
    purposes: list[Purpose] = strawberry.field(description="For what.")
    resource_types: list[str] = strawberry.field(description="FHIR resource types; empty: all.")
    codes: list[str] = strawberry.field(description="As system|code; empty: all.")
    labels: list[str] = strawberry.field(description="HL7 sensitivity labels that the consent is to reach.")
    data_from: datetime | None = strawberry.field(description="Of what time or later; null: no bound.")
    data_to: datetime | None = strawberry.field(description="Of what time or earlier; null: no bound.")
    data_use: list[str] = strawberry.field(description="GA4GH DUO terms.")
    not_before: datetime | None = strawberry.field(description="Null: from when it is drafted.")
    not_after: datetime | None = strawberry.field(
        description="The end of the consent; null: none, which nobody can ask for."
    )
    terms_hash: Hex | None = strawberry.field(description="SHA-256 of a text that is agreed to with it; null: none.")

    @resolved("What the patient would sign, in plain words.")
    async def statement(
        self,
        info: Info,
        language: Annotated[Language, strawberry.argument(description=OF_STATEMENT)] = Language.EN,
    ) -> str:
        services = info.context.services
        return await services.shown_consents.statement(services.consent_requests.terms(self.view.request), language)

    @resolved("The consent form whose hash would be signed; null where there is none, or it is not known here.")
    async def form(self, info: Info) -> ConsentForm | None:
        return await form_signed(info.context, self.terms_hash)

    @resolved("Who asks.")
    async def asker(self, info: Info) -> Actor:
        return await known_actor(info.context, self.view.request.asker)

    @resolved("Who would be let in: who asks, or an organization of theirs.")
    async def grantee(self, info: Info) -> Actor:
        return await known_actor(info.context, self.view.request.terms.grantee)

    @resolved("Whom it is asked of, as who asks named them.")
    def patient(self) -> Patient:
        return to_patient(self.view.request.subject)

    @resolved(
        "The consent that was granted, or null. What others than the patient are shown stands in the patient's log."
    )
    async def consent(self, info: Info) -> Consent | None:
        async def steps(consent: ConsentId) -> Consent | None:
            context = info.context
            found = await context.services.shown_consents.get(context.signed_in(), consent)
            return None if found is None else to_consent(found)

        return None if self.view.consent is None else await or_none(steps(self.view.consent))


@strawberry.type(description="A request, and where it stands in the list.")
class ConsentRequestEdge:
    cursor: str = strawberry.field(description="To go on from.")
    node: ConsentRequest = strawberry.field(description="The request.")


@strawberry.type(description="Requests for consent, newest first.")
class ConsentRequestConnection:
    edges: list[ConsentRequestEdge] = strawberry.field(description="The requests of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")


ConsentRequestResult = Annotated[ConsentRequest | Refusal, strawberry.union("ConsentRequestResult")]


def to_request(view: RequestView) -> ConsentRequest:
    request, terms = view.request, view.request.terms
    return ConsentRequest(
        view=view,
        id=strawberry.ID(to_global("ConsentRequest", request.id)),
        state=view.state,
        reason=request.reason,
        asked_at=moment_of(request.asked_at),
        expires_at=moment_of(request.expires_at),
        actions=list(terms.actions),
        purposes=list(terms.purposes),
        resource_types=list(terms.resource_types),
        codes=list(terms.codes),
        labels=list(terms.labels),
        data_from=terms.data_from,
        data_to=terms.data_to,
        data_use=list(terms.data_use),
        not_before=terms.not_before,
        not_after=terms.not_after,
        terms_hash=None if terms.terms_hash is None else Hex(terms.terms_hash),
    )


def to_request_input(input: RequestConsentInput) -> RequestInput:
    """Raises CallerError for an id of another kind."""
    organization = given(input.organization_id)
    terms = model.ConsentInput(
        subject=subject_of(input.patient_id),
        effect=Effect.PERMIT,
        grantee=ActorId(ANYONE) if organization is None else actor_of(organization, field="organizationId"),
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
        not_after=input.not_after,
        terms_hash=given(input.terms_hash),
    )
    return RequestInput(terms=terms, reason=input.reason, days=input.days)


async def requests_of(
    context: RequestContext, subject: SubjectId, *, first: int, after: str | None, last: int | None, before: str | None
) -> ConsentRequestConnection:
    async def steps() -> ConsentRequestConnection:
        part = slice_of(first, after, last, before)
        return _connection(
            await context.services.consent_requests.of_patient(context.signed_in(), subject=subject, part=part)
        )

    return await or_empty(steps(), _connection(RequestPage(views=())))


async def sent(
    context: RequestContext, *, first: int, after: str | None, last: int | None, before: str | None
) -> ConsentRequestConnection:
    async def steps() -> ConsentRequestConnection:
        part = slice_of(first, after, last, before)
        return _connection(await context.services.consent_requests.sent(context.signed_in(), part))

    return await or_empty(steps(), _connection(RequestPage(views=())))


def _connection(page: RequestPage) -> ConsentRequestConnection:
    edges = [ConsentRequestEdge(cursor=cursor, node=to_request(view)) for cursor, view in page.views]
    info = PageInfo(
        has_next_page=page.has_next,
        end_cursor=edges[-1].cursor if edges else None,
        has_previous_page=page.has_previous,
        start_cursor=edges[0].cursor if edges else None,
    )
    return ConsentRequestConnection(edges=edges, page_info=info)


def request_of(text: strawberry.ID) -> RequestId:
    return RequestId(from_global("ConsentRequest", text, field=("requestId",)))


_ID = Annotated[strawberry.ID, strawberry.argument(description="A request's id.")]


@strawberry.type
class RequestMutations:
    """What is done with requests for consent."""

    @mutation(
        "Anyone's who acts in a role besides a patient's. What is asked stands in the patient's log; who asks learns "
        "from the answer nothing of the patient."
    )
    async def request_consent(self, info: Info, input: RequestConsentInput) -> ConsentRequestResult:
        async def steps() -> ConsentRequest:
            context = info.context
            return to_request(await context.services.consent_requests.ask(context.signed_in(), to_request_input(input)))

        return await outcome(steps())

    @mutation("The asker's own. A consent that was granted stands.")
    async def withdraw_consent_request(self, info: Info, request_id: _ID) -> ConsentRequestResult:
        async def steps() -> ConsentRequest:
            context = info.context
            return to_request(
                await context.services.consent_requests.withdraw(context.signed_in(), request_of(request_id))
            )

        return await outcome(steps())

    @mutation("The patient's, or a delegate's who could sign it. Who asked is not told.")
    async def decline_consent_request(self, info: Info, request_id: _ID) -> ConsentRequestResult:
        async def steps() -> ConsentRequest:
            context = info.context
            return to_request(
                await context.services.consent_requests.decline(context.signed_in(), request_of(request_id))
            )

        return await outcome(steps())

    @mutation("The patient's, or a delegate's: the consent that is asked for, to be signed and granted as any other.")
    async def draft_requested_consent(
        self,
        info: Info,
        request_id: _ID,
        language: Annotated[Language, strawberry.argument(description=OF_STATEMENT)] = Language.EN,
    ) -> DraftResult:
        async def steps() -> Draft:
            context = info.context
            caller, request = context.signed_in(), request_of(request_id)
            return to_draft(await context.services.consent_requests.draft(caller, request, language=language))

        return await outcome(steps())
