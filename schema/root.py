"""The three roots. Each field gates, calls one service with the caller, and maps what comes back.

True here: names, arguments, defaults and nullability are those of the public core; a field that can release health data
reaches it through a service call that takes the caller. Not done here: limits, execution, transport.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from gateway.consent.model import Purpose
from gateway.errors import CallerError, DeniedError, LimitError
from schema import credentials, delegates, emergency, erasure, explaining, identity, records, recovery
from schema.aggregates import AggregateMutations
from schema.audit import AccessEvent, AuditEntry
from schema.consent import Consent, ConsentInput, ConsentMutations, to_consent
from schema.context import Info, RequestContext
from schema.control import ControlMutations
from schema.credentials import CredentialInput, CredentialResult, SignedCredentialInput
from schema.dataset_lists import DatasetQueries
from schema.datasets import Dataset
from schema.delegates import DelegateDraftResult, DelegateInput, DelegateResult, SignedDelegateInput
from schema.drafts import DraftResult, SignedInput
from schema.emergency import (
    Emergency,
    EmergencyReportResult,
    EmergencyResult,
    OpenEmergencyInput,
    ReviewEmergencyInput,
    to_emergency,
)
from schema.erasure import ErasureResult
from schema.errors import report_all
from schema.explaining import AccessExplanationResult, ConsentPreviewResult, OutlookResult
from schema.fhir.types import read_outline, with_fhir
from schema.fields import mutation, resolved, subscription
from schema.forms import FormMutations, FormQueries
from schema.gates import or_none, slice_of, subject_of
from schema.identities import IdentityMutations, LinkedIdentity, identities_of
from schema.identity import (
    Actor,
    ActorResult,
    EnrolPatientInput,
    EnrolPatientResult,
    MembershipInput,
    Patient,
    RegisterActorInput,
    RegisterActorResult,
    SignInChallengeResult,
    SignInInput,
    SignInResult,
    to_actor,
)
from schema.me import Me, me_of
from schema.nodes import node_of, patient_of, present
from schema.records import (
    AmendRecordInput,
    CreateRecordInput,
    CreateRecordResult,
    ImportBundleInput,
    ImportBundleResult,
    Record,
    RecordFilterInput,
    RecordResult,
    to_record,
)
from schema.recovery import RecoveryResult
from schema.relay import Node
from schema.releases import ReleaseMutations, ReleaseQueries
from schema.requests import ConsentRequestConnection, RequestMutations, sent
from schema.scalars import SCALARS, Address
from schema.sessions import DeviceSessionConnection, SessionMutations, sessions_of
from schema.studies import Study, StudyQueries
from schema.study_acts import StudyActMutations
from schema.study_data import StudyDataMutations
from schema.study_events import StudySubscriptions
from schema.study_queries import StudyQueryMutations
from schema.study_recruitment import RecruitmentMutations, RecruitmentQueries
from schema.words import with_words

SINCE = """First what was recorded then or later. After a broken connection give the recordedAt of the last item: \
nothing is missing then, and what was there already may come once more."""


@strawberry.type
class Query(FormQueries, DatasetQueries, ReleaseQueries, StudyQueries, RecruitmentQueries):
    @resolved("Decided as TREAT; as PATRQT for the patient. What is refused is null, like what does not exist.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await or_none(node_of(info.context, id))

    @resolved("Null when the request carries no valid token.")
    async def viewer(self, info: Info) -> Actor | None:
        caller = await or_none(present(info.context))
        return None if caller is None else to_actor(caller.actor)

    @resolved("Whose patient you are or act for, and which consents name you. Null when nobody is signed in by key.")
    async def me(self, info: Info) -> Me | None:
        return await or_none(me_of(info.context))

    @resolved("Your own, newest first; empty when the request carries no valid token.")
    async def sessions(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> DeviceSessionConnection:
        return await sessions_of(info.context, slice_of(first, after, last, before))

    @resolved("Null alike for a patient who is not visible to the asker and for none.")
    async def patient(self, info: Info, id: strawberry.ID) -> Patient | None:
        async def steps() -> Patient | None:
            return await patient_of(info.context, subject_of(id, field="id"))

        return await or_none(steps())

    @strawberry.field
    async def record(self, info: Info, id: strawberry.ID, purpose: Purpose = Purpose.TREAT) -> RecordResult:
        return await records.record_result(info.context, id, purpose=purpose)

    @resolved(
        "The patient's, the clinician's and its reviewers'; what a reviewer is shown stands in the patient's log."
    )
    async def emergency(self, info: Info, id: strawberry.ID) -> EmergencyResult:
        return await emergency.emergency_result(info.context, id)

    @resolved("Emergency accesses that wait for a review, for auditors and data stewards of the house, newest first.")
    async def emergency_report(
        self,
        info: Info,
        overdue_only: bool = False,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> EmergencyReportResult:
        return await emergency.report(
            info.context, overdue_only=overdue_only, first=first, after=after, last=last, before=before
        )

    @resolved("The patient's own: who may do what with this record now, for what, and on which consent.")
    async def explain_access(self, info: Info, record_id: strawberry.ID) -> AccessExplanationResult:
        return await explaining.explain(info.context, record_id)

    @resolved("The patient's own: who may read how many of these records now, for what, and on which consents.")
    async def who_can_see(
        self, info: Info, patient_id: strawberry.ID, filter: RecordFilterInput | None = strawberry.UNSET
    ) -> OutlookResult:
        return await explaining.who_can_see(info.context, patient_id, filter or None)

    @resolved("The patient's own: what a consent would change, before it is drafted and signed.")
    async def preview_consent(self, info: Info, input: ConsentInput) -> ConsentPreviewResult:
        return await explaining.preview(info.context, input)

    @resolved(
        "Of a lost key. The patient's, a guardian's who knows the patient's id, and theirs whose key is to take over; "
        "NOT_PERMITTED for all others, as where there is no such patient."
    )
    async def recovery(self, info: Info, patient_id: strawberry.ID) -> RecoveryResult:
        return await recovery.show(info.context, patient_id)

    @resolved("Your own: who at an identity provider stands for you. At most a handful.")
    async def linked_identities(self, info: Info) -> list[LinkedIdentity]:
        return await identities_of(info.context)

    @resolved(
        "Your own requests for consent, newest first; empty when the request carries no valid token. Those whose "
        "patient was erased are gone."
    )
    async def sent_consent_requests(
        self,
        info: Info,
        first: int = 50,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
    ) -> ConsentRequestConnection:
        return await sent(info.context, first=first, after=after, last=last, before=before)


@strawberry.type
class Mutation(
    ConsentMutations,
    RequestMutations,
    FormMutations,
    ControlMutations,
    SessionMutations,
    IdentityMutations,
    ReleaseMutations,
    AggregateMutations,
    StudyActMutations,
    StudyDataMutations,
    StudyQueryMutations,
    RecruitmentMutations,
):
    @mutation("EIP-4361 sign-in: sign `message` with the actor's key.")
    async def sign_in_challenge(self, info: Info, address: Address) -> SignInChallengeResult:
        return await identity.challenge(info.context, address)

    @strawberry.mutation
    async def sign_in(self, info: Info, input: SignInInput) -> SignInResult:
        return await identity.sign_in(info.context, input)

    @mutation("A registrar's.")
    async def register_actor(self, info: Info, input: RegisterActorInput) -> RegisterActorResult:
        return await identity.register(info.context, input)

    @mutation("A registrar's.")
    async def enrol_patient(self, info: Info, input: EnrolPatientInput) -> EnrolPatientResult:
        return await identity.enrol(info.context, input)

    @mutation("An organization's: draft, sign `typedData` with its key, submit. A registrar cannot make a member.")
    async def draft_membership(self, info: Info, input: MembershipInput) -> DraftResult:
        return await identity.draft_membership(info.context, input)

    @strawberry.mutation
    async def add_member(self, info: Info, input: SignedInput) -> ActorResult:
        return await identity.add_member(info.context, input)

    @mutation("The patient's, or the actor's who is meant: draft, sign `typedData` with both keys, submit.")
    async def draft_credential(self, info: Info, input: CredentialInput) -> DraftResult:
        return await credentials.draft(info.context, input)

    @mutation("Returns when it stands on chain: whether the patient signs in as this actor.")
    async def set_credential(self, info: Info, input: SignedCredentialInput) -> CredentialResult:
        return await credentials.submit(info.context, input)

    @mutation("The patient's: whom they let consent in their name, and for what. Draft, sign, submit.")
    async def draft_delegate(self, info: Info, input: DelegateInput) -> DelegateDraftResult:
        return await delegates.draft(info.context, input)

    @mutation("Returns when the delegation stands on chain.")
    async def add_delegate(self, info: Info, input: SignedDelegateInput) -> DelegateResult:
        return await delegates.add(info.context, input)

    @mutation("The patient's, or the delegate's own.")
    async def draft_delegate_removal(self, info: Info, patient_id: strawberry.ID, number: int) -> DraftResult:
        return await delegates.draft_removal(info.context, patient_id, number)

    @mutation(
        "In force here when it returns, whatever the chain does: what the delegate permitted ends with it; what they "
        "forbade stands until it is revoked."
    )
    async def remove_delegate(self, info: Info, input: SignedInput) -> DelegateResult:
        return await delegates.remove(info.context, input)

    @mutation("Author: the patient, or any actor with a WRITE consent.")
    async def create_record(self, info: Info, input: CreateRecordInput) -> CreateRecordResult:
        return await records.create(info.context, input)

    @strawberry.mutation
    async def amend_record(self, info: Info, input: AmendRecordInput) -> CreateRecordResult:
        return await records.amend(info.context, input)

    @mutation("A FHIR Bundle (collection, batch or transaction) as records: all or nothing.")
    async def import_bundle(self, info: Info, input: ImportBundleInput) -> ImportBundleResult:
        return await records.import_bundle(info.context, input)

    @mutation(
        "A clinician's, for a patient whose id they know: reads and writes under ETREAT, for some hours at most, past "
        "missing consents. The patient is told before the first read; a second person reviews it."
    )
    async def open_emergency(self, info: Info, input: OpenEmergencyInput) -> EmergencyResult:
        return await emergency.open_emergency(info.context, input)

    @mutation("The clinician's own: it is needed no longer. In force when it returns.")
    async def end_emergency(self, info: Info, emergency_id: strawberry.ID) -> EmergencyResult:
        return await emergency.end_emergency(info.context, emergency_id)

    @mutation("An auditor's or data steward's of the clinician's house, once; never the clinician's. Closes it.")
    async def review_emergency(self, info: Info, input: ReviewEmergencyInput) -> EmergencyResult:
        return await emergency.review_emergency(info.context, input)

    @mutation("The patient's, in custody the custodian's: draft, sign, submit. What is erased never comes back.")
    async def draft_erasure(self, info: Info, patient_id: strawberry.ID) -> DraftResult:
        return await erasure.draft(info.context, patient_id)

    @mutation(
        "In force here when it returns, whatever the chain does: nobody reads any more. Then the keys are destroyed "
        "and a certificate goes to the chain; submitting the same again tells how far that has come."
    )
    async def erase_patient(self, info: Info, input: SignedInput) -> ErasureResult:
        return await erasure.erase(info.context, input)


@strawberry.type(description="Over graphql-transport-ws.")
class Subscription(StudySubscriptions):
    @subscription(
        "Records of a patient as they arrive, decided afresh for each; what is refused, unknown or ended "
        "completes without an item."
    )
    async def record_added(
        self,
        info: Info,
        patient_id: strawberry.ID,
        purpose: Purpose = Purpose.TREAT,
        since: Annotated[datetime | None, strawberry.argument(description=SINCE)] = strawberry.UNSET,
    ) -> AsyncIterator[Record]:
        context = info.context
        try:
            subject = subject_of(patient_id)
            async for released in context.services.records.added(
                context.bearing(), subject, purpose=purpose, since=since or None
            ):
                if not await context.still_signed_in():
                    return
                context.begin_item(len(released.content))
                yield to_record(released)
        except LimitError:
            raise
        except (CallerError, DeniedError):
            return

    @strawberry.subscription
    async def consent_changed(self, info: Info, patient_id: strawberry.ID) -> AsyncIterator[Consent]:
        context = info.context
        try:
            subject = subject_of(patient_id)
            async for view in context.services.shown_consents.changes(context.signed_in(), subject=subject):
                if not await context.still_signed_in():
                    return
                yield to_consent(view)
        except (CallerError, DeniedError):
            return

    @subscription("The patient's: each emergency access as it is opened, ended or reviewed.")
    async def emergency_opened(self, info: Info, patient_id: strawberry.ID) -> AsyncIterator[Emergency]:
        context = info.context
        try:
            subject = subject_of(patient_id)
            async for view in context.services.emergencies.changes(context.signed_in(), subject):
                if not await context.still_signed_in():
                    return
                yield to_emergency(view)
        except (CallerError, DeniedError):
            return


class GatewaySchema(strawberry.Schema):
    """Strawberry's schema with its logging of queries taken out: that log would hold patients' data."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        context: Any = execution_context.context if execution_context is not None else None
        known = isinstance(context, RequestContext)
        report_all(errors, correlation_id=context.correlation_id if known else "none")


def build_schema() -> GatewaySchema:
    """The schema, built afresh; costs some milliseconds, so once a process."""
    schema = GatewaySchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[AccessEvent, AuditEntry, Consent, Dataset, Emergency, Record, Patient, Actor, Study],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
    )
    schema._schema = with_words(with_fhir(schema._schema, read_outline()))
    return schema


def print_sdl() -> str:
    """The schema as text, as it is checked in beside this file."""
    return build_schema().as_str().rstrip() + "\n"
