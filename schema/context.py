"""What a resolver may reach: the services, who asks, and lookups shared within the request.

True here: every service is a Protocol, so the schema knows no adapter; `caller` was authenticated before anything was
executed. Not done here: decisions. Each service method decides for itself, on the caller that it is handed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import strawberry

from gateway.audit.model import AccessEvent, AccessFilter, AccessLogPage, SealedEntry
from gateway.consent.forms import FormInput, FormVersion
from gateway.consent.guardianship import GuardiansDraft, GuardiansView
from gateway.consent.languages import Language
from gateway.consent.model import (
    ConsentInput,
    ConsentView,
    DelegateDraft,
    DelegateInput,
    DelegateView,
    Purpose,
    RevokedAll,
    Terms,
)
from gateway.consent.proposals import ProposalView, RecoveryView
from gateway.consent.requested import ConsentRequest, RequestInput, RequestPage, RequestView
from gateway.consent.ties import GrantedFilter, GrantedPage, TiePage
from gateway.emergency.model import EmergencyView, NewEmergency, Summary, Verdict
from gateway.erasure.model import ErasureView
from gateway.errors import ConsentryError, DeniedError, LimitError, UnauthenticatedError
from gateway.identity.model import (
    Actor,
    Caller,
    Challenge,
    CredentialLink,
    Draft,
    Handed,
    LinkedIdentity,
    Role,
    Session,
    SessionView,
    Subject,
)
from gateway.ids import (
    ActorId,
    ConsentId,
    DecisionId,
    EmergencyId,
    FormId,
    RecordId,
    ReleaseId,
    RequestId,
    SessionId,
    StudyId,
    SubjectId,
)
from gateway.jsontext import JsonValue
from gateway.records.model import (
    Amendment,
    Explanation,
    NewBundle,
    NewRecord,
    Outlook,
    Preview,
    RecordFilter,
    RecordOrder,
    RecordPage,
    Reference,
    Released,
    StoredRecord,
)
from gateway.releases.model import OpenedRelease, PatientReleasePage, ReleasePage, ReleaseView
from gateway.releases.model import Verdict as ReleaseVerdict
from gateway.slices import Page, Slice
from gateway.underway import Allowance
from schema.loaders import Batch, Loader
from schema.study_services import (
    AllocationService,
    CapturingService,
    RecruitingService,
    StudyShowingService,
    TrialService,
)

TypedData: TypeAlias = Mapping[str, Any]
MOST_REFERENCES = 300
"""References of one request that are resolved: each is a decision, and a record opened."""
MOST_FOLLOWED = 1 << 20
"""Octets of what the references of one request come to, each time that one is followed: what refers to itself in a
list would else grow by its length with each level."""
REFERENCES_AT_ONCE = 100
MOST_FORMS = 300
"""Captured forms of one request whose content is read: each is a decision, and a record opened."""
FORMS_AT_ONCE = 16


class IdentityService(Protocol):
    async def challenge(self, *, address: str) -> Challenge: ...
    async def sign_in(self, *, message: str, signature: bytes, signer: bytes | None, device: str | None) -> Session: ...
    async def caller(self, token: str | None) -> Caller | None: ...
    async def still(self, token: str | None) -> Caller | None: ...
    async def ended(self, token: str) -> None: ...
    async def current(self, caller: Caller) -> Caller: ...
    async def actor(self, actor: ActorId) -> Actor | None: ...
    async def organizations(self, actor: ActorId) -> tuple[Actor, ...]: ...
    async def register_actor(
        self,
        caller: Caller,
        *,
        key: bytes,
        roles: frozenset[Role],
        name: str,
        encryption_key: bytes | None,
        encryption_key_signature: bytes | None,
    ) -> Actor: ...
    async def enrol_patient(self, caller: Caller, *, controller: bytes | None) -> Subject: ...
    async def draft_membership(
        self, caller: Caller, *, organization: ActorId, member: ActorId, not_after: datetime
    ) -> Draft: ...
    async def add_member(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> Actor: ...


class SessionService(Protocol):
    async def refresh(self, caller: Caller | None, token: str | None) -> Session: ...
    async def page(self, caller: Caller, *, part: Slice) -> Page[SessionView]: ...
    async def end(self, caller: Caller, session: SessionId) -> datetime: ...
    async def end_others(self, caller: Caller) -> datetime: ...
    async def sign_out(self, caller: Caller) -> datetime: ...


class IdentitiesService(Protocol):
    async def draft_link(self, caller: Caller, *, token: str) -> Draft: ...
    async def link(self, caller: Caller, *, typed_data: TypedData, signature: bytes, token: str) -> LinkedIdentity: ...
    async def unlink(self, caller: Caller, name: bytes) -> LinkedIdentity: ...
    async def linked(self, caller: Caller) -> tuple[LinkedIdentity, ...]: ...


class ConsentService(Protocol):
    async def draft(self, caller: Caller, consent: ConsentInput, *, signer: bytes | None = None) -> Draft: ...
    async def grant(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> ConsentView: ...
    async def draft_revocation(self, caller: Caller, *, subject: SubjectId, consent: ConsentId) -> Draft: ...
    async def revoke(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> ConsentView: ...
    async def draft_revocation_of_all(self, caller: Caller, *, subject: SubjectId) -> Draft: ...
    async def revoke_all(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> RevokedAll: ...


class ShownConsentService(Protocol):
    async def visible_patient(self, caller: Caller | None, subject: SubjectId) -> Subject | None: ...
    async def of_patient(self, caller: Caller, *, subject: SubjectId, part: Slice) -> Page[ConsentView]: ...
    async def get(self, caller: Caller, consent: ConsentId) -> ConsentView | None: ...
    async def statement(self, terms: Terms, language: Language) -> str: ...
    def changes(self, caller: Caller, *, subject: SubjectId) -> AsyncIterator[ConsentView]: ...


class MineService(Protocol):
    async def patients(self, caller: Caller, *, part: Slice) -> TiePage: ...
    async def consents(self, caller: Caller, *, wanted: GrantedFilter, part: Slice) -> GrantedPage: ...


class FormService(Protocol):
    async def publish(self, caller: Caller, asked: FormInput, /) -> FormVersion: ...
    async def get(self, caller: Caller, form: FormId, /, *, version: int | None) -> FormVersion | None: ...
    async def signed(self, hash: bytes, /) -> FormVersion | None: ...
    async def page(
        self, caller: Caller, *, publisher: ActorId | None, form: FormId | None, first: int, after: str | None
    ) -> tuple[tuple[tuple[str, FormVersion], ...], bool]: ...


class RequestService(Protocol):
    async def ask(self, caller: Caller, asked: RequestInput, /) -> RequestView: ...
    async def withdraw(self, caller: Caller, request: RequestId, /) -> RequestView: ...
    async def sent(self, caller: Caller, part: Slice, /) -> RequestPage: ...
    async def of_patient(self, caller: Caller, *, subject: SubjectId, part: Slice) -> RequestPage: ...
    async def draft(self, caller: Caller, request: RequestId, /, *, language: Language) -> Draft: ...
    async def decline(self, caller: Caller, request: RequestId, /) -> RequestView: ...
    def terms(self, request: ConsentRequest, /) -> Terms: ...


class CredentialService(Protocol):
    async def draft_credential(self, caller: Caller, *, subject: SubjectId, actor: ActorId, linked: bool) -> Draft: ...
    async def set_credential(
        self, caller: Caller, *, typed_data: TypedData, signature: bytes, actor_signature: bytes
    ) -> CredentialLink: ...
    async def credentials(self, caller: Caller, subject: SubjectId) -> tuple[ActorId, ...]: ...


class DelegateService(Protocol):
    async def draft_delegate(self, caller: Caller, wanted: DelegateInput, /) -> DelegateDraft: ...
    async def add_delegate(
        self, caller: Caller, *, typed_data: TypedData, signature: bytes, given: Any
    ) -> DelegateView: ...
    async def draft_removal(self, caller: Caller, *, subject: SubjectId, number: int) -> Draft: ...
    async def remove_delegate(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> DelegateView: ...
    async def delegates(self, caller: Caller, subject: SubjectId) -> tuple[DelegateView, ...]: ...


class GuardianshipService(Protocol):
    async def draft_guardians(
        self, caller: Caller, *, subject: SubjectId, actors: Sequence[ActorId], threshold: int
    ) -> GuardiansDraft: ...
    async def set_guardians(
        self,
        caller: Caller,
        *,
        typed_data: TypedData,
        signature: bytes,
        actors: Sequence[ActorId],
        threshold: int,
        salt: bytes,
    ) -> GuardiansView: ...
    async def guardians(self, caller: Caller, subject: SubjectId) -> GuardiansView | None: ...


class RecoveryService(Protocol):
    async def recovery(self, caller: Caller, subject: SubjectId) -> RecoveryView: ...
    async def draft_recovery(
        self, caller: Caller, *, subject: SubjectId, controller: bytes, not_after: datetime | None
    ) -> Draft: ...
    async def sign_recovery(
        self, caller: Caller, *, typed_data: TypedData, signatures: Sequence[bytes]
    ) -> ProposalView: ...
    async def draft_attestation(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft: ...
    async def attest_recovery(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> ProposalView: ...
    async def draft_objection(self, caller: Caller, *, subject: SubjectId) -> Draft: ...
    async def object_to_recovery(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> RecoveryView: ...
    async def finish_recovery(self, caller: Caller, subject: SubjectId) -> bytes: ...


class HandoverService(Protocol):
    async def draft_change(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft: ...
    async def change_controller(
        self, caller: Caller, *, typed_data: TypedData, signature: bytes, controller_signature: bytes
    ) -> Handed: ...
    async def draft_custody_end(self, caller: Caller, *, subject: SubjectId, controller: bytes) -> Draft: ...
    async def end_custody(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> Handed: ...


class RecordService(Protocol):
    async def create(self, caller: Caller, record: NewRecord, /) -> StoredRecord: ...
    async def amend(self, caller: Caller, amendment: Amendment, /) -> StoredRecord: ...
    async def import_bundle(self, caller: Caller, bundle: NewBundle, /) -> tuple[StoredRecord, ...]: ...
    async def read(self, caller: Caller, record: RecordId, *, purpose: Purpose) -> Released: ...
    async def page(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        filter: RecordFilter,
        order: RecordOrder,
        part: Slice,
    ) -> RecordPage: ...
    async def referenced(
        self, caller: Caller, subject: SubjectId, references: Sequence[Reference], /, *, purpose: Purpose
    ) -> Sequence[Released | ConsentryError]: ...
    def added(
        self, caller: Caller, subject: SubjectId, *, purpose: Purpose, since: datetime | None
    ) -> AsyncIterator[Released]: ...


class ExplainingService(Protocol):
    async def explain(self, caller: Caller, record: RecordId, /) -> Explanation: ...
    async def who_can_see(self, caller: Caller, subject: SubjectId, /, *, filter: RecordFilter) -> Outlook: ...
    async def preview(self, caller: Caller, consent: ConsentInput, /) -> Preview: ...


class AuditService(Protocol):
    async def access_log(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        part: Slice,
        wanted: AccessFilter,
    ) -> AccessLogPage: ...
    async def event(self, caller: Caller, decision: DecisionId) -> AccessEvent | None: ...

    async def entry(self, caller: Caller, decision: DecisionId) -> SealedEntry | None: ...


class EmergencyService(Protocol):
    async def open(self, caller: Caller, asked: NewEmergency, /) -> EmergencyView: ...
    async def end(self, caller: Caller, emergency: EmergencyId, /) -> EmergencyView: ...
    async def review(
        self, caller: Caller, emergency: EmergencyId, /, *, verdict: Verdict, note: str
    ) -> EmergencyView: ...
    async def get(self, caller: Caller, emergency: EmergencyId, /) -> EmergencyView: ...
    async def accesses(self, caller: Caller, emergency: EmergencyId, /) -> tuple[AccessEvent, ...]: ...
    async def of_patient(
        self, caller: Caller, subject: SubjectId, /, *, part: Slice
    ) -> Page[tuple[str, EmergencyView]]: ...
    def changes(self, caller: Caller, subject: SubjectId, /) -> AsyncIterator[EmergencyView]: ...
    async def visible_patient(self, caller: Caller, subject: SubjectId, /) -> Subject | None: ...
    async def report(self, caller: Caller, *, overdue_only: bool, part: Slice) -> Page[Summary]: ...


class ErasureService(Protocol):
    async def draft_erasure(self, caller: Caller, *, subject: SubjectId) -> Draft: ...
    async def erase_patient(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> ErasureView: ...


class ReleaseService(Protocol):
    async def request(self, caller: Caller, asked: JsonValue, /) -> ReleaseView: ...
    async def get(self, caller: Caller, release: ReleaseId, /) -> ReleaseView | None: ...
    async def mine(self, caller: Caller, part: Slice, /) -> ReleasePage: ...
    async def asked_of_stewards(self, caller: Caller, part: Slice, /, *, waiting: bool) -> ReleasePage: ...
    async def of_patient(self, caller: Caller, subject: SubjectId, /, *, part: Slice) -> PatientReleasePage: ...
    async def draft_decision(
        self, caller: Caller, release: ReleaseId, /, *, verdict: ReleaseVerdict, reason: str, departures: Sequence[str]
    ) -> Draft: ...
    async def decide(self, caller: Caller, *, typed_data: TypedData, signature: bytes) -> ReleaseView: ...
    async def report(self, caller: Caller, release: ReleaseId, /) -> str: ...
    async def open(self, caller: Caller, release: ReleaseId, /) -> OpenedRelease: ...
    async def cancel(self, caller: Caller, release: ReleaseId, /) -> ReleaseView: ...


class NoisedAnswer(Protocol):
    """`counts`: of a histogram; `epsilon`: millionths."""

    @property
    def value(self) -> float | None: ...
    @property
    def counts(self) -> Sequence[int] | None: ...
    @property
    def epsilon(self) -> int: ...


class ToldAnswer(Protocol):
    """`left`: millionths of epsilon."""

    @property
    def answer(self) -> NoisedAnswer: ...
    @property
    def left(self) -> int: ...


class AggregateService(Protocol):
    async def ask(self, caller: Caller, asked: JsonValue, /) -> ToldAnswer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that the schema calls."""

    identity: IdentityService
    sessions: SessionService
    identities: IdentitiesService
    consents: ConsentService
    shown_consents: ShownConsentService
    mine: MineService
    credentials: CredentialService
    consent_requests: RequestService
    forms: FormService
    delegates: DelegateService
    guardianships: GuardianshipService
    recoveries: RecoveryService
    handover: HandoverService
    records: RecordService
    explaining: ExplainingService
    audit: AuditService
    emergencies: EmergencyService
    erasures: ErasureService
    releases: ReleaseService
    aggregates: AggregateService
    trials: TrialService
    allocations: AllocationService
    capturing: CapturingService
    study_showing: StudyShowingService
    recruiting: RecruitingService


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One request, or one operation of a socket. `token` is kept to ask again while a subscription lives."""

    services: Services
    caller: Caller | None
    token: str | None = field(repr=False)
    correlation_id: str
    allowance: Allowance = field(default_factory=Allowance, repr=False)
    actors: Loader[ActorId, Actor | None] = field(init=False, repr=False)
    organizations: Loader[ActorId, tuple[Actor, ...]] = field(init=False, repr=False)
    followed: int = field(init=False, default=0)
    read_forms: int = field(init=False, default=0)
    turns: asyncio.Semaphore = field(init=False, repr=False)
    references: Batch[tuple[SubjectId, Purpose], Reference, Released | ConsentryError] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.actors = Loader(self.services.identity.actor)
        self.organizations = Loader(self.services.identity.organizations)
        self.turns = asyncio.Semaphore(FORMS_AT_ONCE)
        self.forget_references()

    def follow(self, octets: int) -> None:
        """Counts what a reference came to. Raises LimitError."""
        self.followed += octets
        if self.followed > MOST_FOLLOWED:
            raise LimitError("what is referred to is too much for one answer")

    def show(self, octets: int) -> None:
        """Counts text of no record that may be long: an answer that holds much of it is measured before it goes out."""
        self.allowance.octets += octets

    def begin_item(self, octets: int) -> None:
        """Before each item of a subscription, a record of so many octets: what was released once is decided on afresh,
        and counts anew."""
        self.allowance.renew(shown=octets)
        self.forget_references()

    async def form(
        self, study: StudyId, subject: SubjectId, record: RecordId, *, version: int | None = None
    ) -> Released:
        """What a captured form says, a few at once. Raises LimitError for more of them than a request may have."""
        self.read_forms += 1
        if self.read_forms > MOST_FORMS:
            raise LimitError(f"at most {MOST_FORMS} forms of one request are read")
        async with self.turns:
            return await self.services.capturing.read(self.signed_in(), study, subject, record, version=version)

    def forget_references(self) -> None:
        self.followed = self.read_forms = 0
        too_many = LimitError(f"at most {MOST_REFERENCES} references of one request are resolved")
        self.references = Batch(self._resolve, most=MOST_REFERENCES, ceiling=too_many)

    def signed_in(self) -> Caller:
        """The caller of a session. Raises UnauthenticatedError where the request carries no valid token, DeniedError
        where it carries an identity provider's: no scope lets one sign, list or end anything."""
        caller = self.bearing()
        if caller.bearer is not None:
            raise DeniedError("an identity provider's token reads and writes records, and nothing else")
        return caller

    def bearing(self) -> Caller:
        """The caller, with whatever token: for services whose decision looks at its scopes, and for no others."""
        if self.caller is None:
            raise UnauthenticatedError("sign in first")
        return self.caller

    async def _resolve(
        self, whose: tuple[SubjectId, Purpose], references: Sequence[Reference]
    ) -> Sequence[Released | ConsentryError]:
        subject, purpose = whose
        found: list[Released | ConsentryError] = []
        for at in range(0, len(references), REFERENCES_AT_ONCE):
            some = references[at : at + REFERENCES_AT_ONCE]
            found += await self.services.records.referenced(self.bearing(), subject, some, purpose=purpose)
        return found

    async def still_signed_in(self) -> bool:
        """Whether the session of a living subscription holds at this moment; the caller is then as it stands now: a
        membership may have ended by time alone."""
        self.caller = await self.services.identity.still(self.token)
        return self.caller is not None


Info: TypeAlias = strawberry.Info[RequestContext, None]
