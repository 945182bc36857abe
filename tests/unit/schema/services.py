"""A deterministic in-memory gateway behind the schema: fixed people, records and decisions, and a log of every call.

It stands where the real services will; what it answers is decided by the same rules of the contract (who may see whose
records), so that the schema's mapping, gates and refusals can be seen without a chain.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gateway.audit.model import EVERYTHING, AccessEvent, AccessFilter, AccessLogPage, Outcome, Receipt, SealedEntry
from gateway.consent.languages import Language
from gateway.consent.model import (
    ConsentInput,
    ConsentStatus,
    ConsentView,
    Effect,
    Purpose,
    RevokedAll,
    Scope,
    Terms,
)
from gateway.erasure.model import ErasureStatus, ErasureView
from gateway.errors import CallerError, ConsentryError, DeniedError, UnauthenticatedError
from gateway.identity.model import (
    Actor,
    Bearer,
    Caller,
    Challenge,
    CredentialLink,
    Draft,
    Reach,
    Role,
    Session,
    Subject,
)
from gateway.ids import ActorId, ConsentId, DecisionId, RecordId, SubjectId
from gateway.ports.anchors import AnchorState, Proof
from gateway.ports.rows import StoredEntry
from gateway.records.model import (
    Amendment,
    NewBundle,
    NewRecord,
    RecordFilter,
    RecordOrder,
    RecordPage,
    Reference,
    Released,
    StoredRecord,
)
from gateway.slices import Page, Slice
from schema.context import Services
from tests.unit.schema.aggregates import Aggregates
from tests.unit.schema.asking import Forms, Requests, make_request
from tests.unit.schema.controls import Controls
from tests.unit.schema.datasets import Datasets
from tests.unit.schema.delegates import Delegated
from tests.unit.schema.emergencies import Emergencies
from tests.unit.schema.linking import Linking
from tests.unit.schema.mine import Own
from tests.unit.schema.outlooks import Outlooks
from tests.unit.schema.recruitment import Recruitment
from tests.unit.schema.signins import SignedIn, session
from tests.unit.schema.studies import Studies

CLINIC = ActorId(b"\x03" * 32)
CLINICIAN = ActorId(b"\x01" * 32)
PATIENT_ACTOR = ActorId(b"\x02" * 32)
PATIENT = SubjectId(b"\x11" * 32)
STRANGER_PATIENT = SubjectId(b"\x12" * 32)
RECORD = RecordId(b"\x21" * 16)
HIDDEN_RECORD = RecordId(b"\x22" * 16)
CONSENT = ConsentId(b"\x31" * 32)
DECISION = DecisionId(b"\x41" * 16)
MOMENT = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)
CONTENT = b'{"resourceType":"Observation","valueQuantity":{"value":1.10}}'
CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
CANARY = "canary-Schizophrenia"
PENDING = AnchorState(status="PENDING", proof=None)
ENTRY = StoredEntry(
    writer=b"\x51" * 32,
    seq=7,
    decision=DECISION,
    previous=b"\x52" * 32,
    hash=b"\x53" * 32,
    public=b"\x54" * 40,
    private=b"\x55" * 90,
    subject_token=b"\x56" * 16,
    receipt_digest=b"\x57" * 32,
)
FINAL = AnchorState(
    status="FINAL",
    proof=Proof(
        log=b"\x51" * 32,
        leaf_encoding=("bytes16", "uint32", "bytes32", "bytes32", "bytes32"),
        leaf_values=(RECORD, b"\0\0\0\x01", b"\x52" * 32, b"\x53" * 32, b"\x54" * 32),
        path=(b"\x55" * 32,),
        root=b"\x56" * 32,
        chain_id=31337,
        contract="0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        transaction=b"\x57" * 32,
        block_number=7,
    ),
)


def make_actor(actor: ActorId, role: Role, name: str) -> Actor:
    return Actor(id=actor, key=actor[:20], roles=frozenset({role}), name=name, encryption_key=b"", epoch=0, version=1)


ACTORS = {
    CLINICIAN: make_actor(CLINICIAN, Role.CLINICIAN, "Dr. Ada"),
    PATIENT_ACTOR: make_actor(PATIENT_ACTOR, Role.PATIENT, "Pat"),
    CLINIC: make_actor(CLINIC, Role.ORGANIZATION, "Clinic"),
}
TOKENS = {"clinician": CLINICIAN, "patient": PATIENT_ACTOR}
BEARER = Bearer(link=b"\x91" * 16, issued_at=1, good_until=2**40, reach=Reach(parts=frozenset()))
"""Of the token `bearer`, which stands for the patient."""


def make_caller(actor: ActorId) -> Caller:
    return Caller(actor=ACTORS[actor], organizations=frozenset(), registrar=False, guards=())


def make_released(purpose: Purpose) -> Released:
    receipt = Receipt(
        decision=DECISION,
        consent=CONSENT,
        purpose=purpose.value,
        as_of_block=7,
        decided_at=MOMENT,
        obligations=(),
        payload="{}",
        signer=b"\x61" * 32,
        signature=b"\x62" * 64,
        anchor=PENDING,
        basis="consent",
        emergency=None,
        stale=False,
    )
    return Released(
        record=RECORD,
        version=1,
        subject=PATIENT,
        resource_type="Observation",
        labels=("PSY",),
        recorded_at=MOMENT,
        author=CLINICIAN,
        content=CONTENT,
        content_salt=b"\x63" * 32,
        cid=CID,
        anchor=FINAL,
        receipt=receipt,
    )


def make_view(status: ConsentStatus = ConsentStatus.ACTIVE) -> ConsentView:
    scope = Scope(
        grantee=CLINICIAN,
        actions=("READ",),
        purposes=("TREAT",),
        resource_types=("Observation",),
        codes=(),
        labels=("PSY",),
        authors=(),
        records=(),
        data_from="2020-01-01T00:00:00Z",
        data_to="",
        data_use=(),
        context="",
        terms_hash=bytes(32),
        salt=b"\x71" * 32,
        statement="Dr. Ada may read observations for treatment.",
    )
    terms = Terms(
        subject=PATIENT, effect=Effect.PERMIT, scope=scope, not_before=1_700_000_000, not_after=2**64 - 1, epoch=0
    )
    return ConsentView(consent=CONSENT, terms=terms, status=status, signer=b"\x02" * 20, transaction=None)


@dataclass
class World:
    """All services but break-glass, which is `emergencies`, `delegated`, and guardians, `controls`. `fail` is raised by
    every call that can release data; `calls` holds (method, caller)."""

    fail: BaseException | None = None
    calls: list[tuple[str, Caller | None]] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)
    signed_out: set[str] = field(default_factory=set)
    events: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)
    wanted_log: AccessFilter = EVERYTHING
    over: asyncio.Event = field(default_factory=asyncio.Event)
    referred: dict[str, bytes] = field(default_factory=dict)
    """What references come to; all others are refused."""
    refusals: dict[str, ConsentryError] = field(default_factory=dict)
    """Of methods of studies, by the names under which they are logged."""
    outlooks: Outlooks = field(init=False)

    def __post_init__(self) -> None:
        self.outlooks = Outlooks(
            calls=self.calls, patient=PATIENT_ACTOR, grantee=CLINICIAN, consent=CONSENT, record=RECORD
        )

    def services(self) -> Services:
        return Services(
            identity=self,
            sessions=self.signed_in,
            identities=self.linking,
            consents=self,
            shown_consents=self,
            mine=self.own,
            credentials=self,
            delegates=self.delegated,
            guardianships=self.controls,
            recoveries=self.controls,
            handover=self.controls,
            records=self,
            explaining=self.outlooks,
            audit=self,
            erasures=self,
            emergencies=self.emergencies,
            consent_requests=self.consent_requests,
            forms=self.forms,
            releases=self.releases,
            aggregates=self.aggregates,
            trials=self.studies,
            allocations=self.studies,
            capturing=self.studies,
            study_showing=self.studies,
            recruiting=self.recruitment,
        )

    @property
    def own(self) -> Own:
        return Own(
            calls=self.calls,
            received=self.received,
            patient=PATIENT,
            owner=PATIENT_ACTOR,
            grantee=CLINICIAN,
            view=make_view(),
        )

    @property
    def forms(self) -> Forms:
        return Forms(calls=self.calls, received=self.received)

    @property
    def releases(self) -> Datasets:
        return Datasets(
            calls=self.calls, received=self.received, requester=CLINICIAN, patient=PATIENT_ACTOR, subject=PATIENT
        )

    @property
    def studies(self) -> Studies:
        return Studies(
            calls=self.calls,
            received=self.received,
            sponsor=CLINICIAN,
            patient=PATIENT_ACTOR,
            about=PATIENT,
            released=make_released(Purpose.CLINTRCH),
            refusals=self.refusals,
        )

    @property
    def recruitment(self) -> Recruitment:
        return Recruitment(studies=self.studies, aggregates=self.aggregates)

    @property
    def aggregates(self) -> Aggregates:
        return Aggregates(calls=self.calls, received=self.received, researchers=(CLINICIAN, PATIENT_ACTOR))

    @property
    def consent_requests(self) -> Requests:
        view = make_request(PATIENT, CLINICIAN, CONSENT)
        return Requests(calls=self.calls, received=self.received, view=view, patient=PATIENT_ACTOR)

    @property
    def emergencies(self) -> Emergencies:
        return Emergencies(
            calls=self.calls,
            received=self.received,
            events=self.events,
            event=make_event(),
            subject=PATIENT,
            patient=PATIENT_ACTOR,
            clinician=CLINICIAN,
        )

    @property
    def signed_in(self) -> SignedIn:
        return SignedIn(calls=self.calls)

    @property
    def linking(self) -> Linking:
        return Linking(calls=self.calls)

    @property
    def delegated(self) -> Delegated:
        return Delegated(calls=self.calls, patient=PATIENT, delegate=CLINICIAN, owner=PATIENT_ACTOR)

    @property
    def controls(self) -> Controls:
        return Controls(
            calls=self.calls, received=self.received, subject=PATIENT, patient=PATIENT_ACTOR, guardian=CLINICIAN
        )

    def _called(self, method: str, caller: Caller | None) -> None:
        self.calls.append((method, caller))
        if self.fail is not None:
            raise self.fail

    def _of_patient(self, caller: Caller, subject: SubjectId) -> None:
        if subject != PATIENT or caller.actor.id not in (PATIENT_ACTOR, CLINICIAN):
            raise DeniedError("no grant", decision_id=DECISION)

    async def challenge(self, *, address: str) -> Challenge:
        self._called("challenge", None)
        return Challenge(message=f"sign in as {address}", expires_at=MOMENT)

    async def sign_in(self, *, message: str, signature: bytes, signer: bytes | None, device: str | None) -> Session:
        self._called("sign_in", None)
        self.received.append(device)
        if len(signature) != 65:
            raise UnauthenticatedError("the signature is not of this message")
        return session(ACTORS[CLINICIAN])

    async def caller(self, token: str | None) -> Caller | None:
        if token == "bearer":
            return replace(make_caller(PATIENT_ACTOR), bearer=BEARER)
        actor = TOKENS.get(token or "")
        return None if actor is None or token in self.signed_out else make_caller(actor)

    still = caller

    async def ended(self, token: str) -> None:
        await self.over.wait()

    async def current(self, caller: Caller) -> Caller:
        return caller

    async def actor(self, actor: ActorId) -> Actor | None:
        self.calls.append(("actor", None))
        return ACTORS.get(actor)

    async def organizations(self, actor: ActorId) -> tuple[Actor, ...]:
        return (ACTORS[CLINIC],) if actor == CLINICIAN else ()

    async def register_actor(self, caller: Caller, **given: Any) -> Actor:
        self._called("register_actor", caller)
        self.received.append(given)
        return ACTORS[CLINICIAN]

    async def enrol_patient(self, caller: Caller, *, controller: bytes | None) -> Subject:
        self._called("enrol_patient", caller)
        self.received.append(controller)
        return Subject(id=PATIENT, controller=controller or b"", custodian=None, block_number=1)

    async def visible_patient(self, caller: Caller | None, subject: SubjectId) -> Subject | None:
        self._called("visible_patient", caller)
        if caller is None or subject != PATIENT:
            return None
        return Subject(id=PATIENT, controller=b"\x02" * 20, custodian=None, block_number=1)

    async def draft_membership(
        self, caller: Caller, *, organization: ActorId, member: ActorId, not_after: datetime
    ) -> Draft:
        self._called("draft_membership", caller)
        return Draft(id=b"\x81" * 32, typed_data={"primaryType": "Membership"})

    async def add_member(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> Actor:
        self._called("add_member", caller)
        return ACTORS[CLINICIAN]

    async def draft_credential(self, caller: Caller, *, subject: SubjectId, actor: ActorId, linked: bool) -> Draft:
        self._called("draft_credential", caller)
        return Draft(id=b"\x82" * 32, typed_data={"primaryType": "Credential"})

    async def set_credential(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, actor_signature: bytes
    ) -> CredentialLink:
        self._called("set_credential", caller)
        return CredentialLink(subject=PATIENT, actor=CLINICIAN, linked=True)

    async def credentials(self, caller: Caller, subject: SubjectId) -> tuple[ActorId, ...]:
        self._called("credentials", caller)
        return (PATIENT_ACTOR,) if caller.actor.id == PATIENT_ACTOR else ()

    async def draft(self, caller: Caller, consent: ConsentInput, *, signer: bytes | None = None) -> Draft:
        self._called("draft", caller)
        self.received.append(consent)
        return Draft(id=CONSENT, typed_data={"primaryType": "Consent"})

    async def grant(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ConsentView:
        self._called("grant", caller)
        self.received.append(typed_data)
        return make_view()

    async def draft_revocation(self, caller: Caller, *, subject: SubjectId, consent: ConsentId) -> Draft:
        self._called("draft_revocation", caller)
        return Draft(id=b"\x82" * 32, typed_data={"primaryType": "Revocation"})

    async def revoke(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ConsentView:
        self._called("revoke", caller)
        return make_view(ConsentStatus.REVOKED)

    async def draft_revocation_of_all(self, caller: Caller, *, subject: SubjectId) -> Draft:
        self._called("draft_revocation_of_all", caller)
        return Draft(id=b"\x83" * 32, typed_data={"primaryType": "RevokeAll"})

    async def revoke_all(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> RevokedAll:
        self._called("revoke_all", caller)
        return RevokedAll(subject=PATIENT, epoch=1)

    async def draft_erasure(self, caller: Caller, *, subject: SubjectId) -> Draft:
        self._called("draft_erasure", caller)
        return Draft(id=b"\x84" * 32, typed_data={"primaryType": "Erasure"})

    async def erase_patient(self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes) -> ErasureView:
        self._called("erase_patient", caller)
        return ErasureView(
            subject=PATIENT,
            status=ErasureStatus.CERTIFIED,
            begun_at=MOMENT,
            destroyed_at=MOMENT,
            certificate=b"\x85" * 32,
            final_at=MOMENT,
        )

    async def of_patient(self, caller: Caller, *, subject: SubjectId, part: Slice) -> Page[ConsentView]:
        self._called("of_patient", caller)
        self.received.append(part)
        if caller.actor.id != PATIENT_ACTOR or subject != PATIENT:
            raise DeniedError("not theirs")
        return Page((make_view(),), has_previous=part.backwards)

    async def get(self, caller: Caller, consent: ConsentId) -> ConsentView | None:
        self._called("get", caller)
        return make_view() if consent == CONSENT and caller.actor.id == PATIENT_ACTOR else None

    async def statement(self, terms: Terms, language: Language) -> str:
        return f"{language}: {terms.scope.statement}"

    async def changes(self, caller: Caller, *, subject: SubjectId) -> AsyncIterator[ConsentView]:
        self._called("changes", caller)
        if caller.actor.id != PATIENT_ACTOR:
            raise DeniedError("not theirs")
        while isinstance(view := await self.events.get(), ConsentView):
            yield view

    async def create(self, caller: Caller, record: NewRecord, /) -> StoredRecord:
        self._called("create", caller)
        self.received.append(record)
        if not isinstance(record.resource, dict):
            raise CallerError("a resource is an object", field=("resource",))
        return StoredRecord(record=RECORD, version=1, cid=CID, anchor=PENDING)

    async def amend(self, caller: Caller, amendment: Amendment, /) -> StoredRecord:
        self._called("amend", caller)
        self.received.append(amendment)
        return StoredRecord(record=RECORD, version=2, cid=CID, anchor=PENDING)

    async def import_bundle(self, caller: Caller, bundle: NewBundle, /) -> tuple[StoredRecord, ...]:
        self._called("import_bundle", caller)
        return (StoredRecord(record=RECORD, version=1, cid=CID, anchor=PENDING),)

    async def read(self, caller: Caller, record: RecordId, *, purpose: Purpose) -> Released:
        self._called("read", caller)
        self.received.append(purpose)
        own = caller.actor.id == PATIENT_ACTOR and purpose is Purpose.PATRQT
        treated = caller.actor.id == CLINICIAN and purpose is Purpose.TREAT
        if record != RECORD or not (own or treated):
            raise DeniedError("no grant", decision_id=DECISION)
        return make_released(purpose)

    async def page(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        filter: RecordFilter,
        order: RecordOrder,
        part: Slice,
    ) -> RecordPage:
        self._called("page", caller)
        self.received.append((filter, order, part))
        self._of_patient(caller, subject)
        cursors = tuple(f"c{number}" for number in range(min(part.size, 3)))
        items = (make_released(purpose),) * len(cursors)
        return RecordPage(items=items, cursors=cursors, has_next=True, has_previous=part.backwards)

    async def referenced(
        self, caller: Caller, subject: SubjectId, references: Sequence[Reference], /, *, purpose: Purpose
    ) -> tuple[Released | ConsentryError, ...]:
        self._called("referenced", caller)
        self.received.append((subject, tuple(references), purpose))
        self._of_patient(caller, subject)
        return tuple(
            replace(make_released(purpose), content=self.referred[one.text])
            if one.text in self.referred
            else DeniedError("no such record", decision_id=DECISION)
            for one in references
        )

    async def added(
        self, caller: Caller, subject: SubjectId, *, purpose: Purpose, since: datetime | None
    ) -> AsyncIterator[Released]:
        self._called("added", caller)
        self.received.append(since)
        self._of_patient(caller, subject)
        while isinstance(released := await self.events.get(), Released):
            yield released

    async def access_log(
        self, caller: Caller, subject: SubjectId, *, part: Slice, wanted: AccessFilter
    ) -> AccessLogPage:
        self._called("access_log", caller)
        self.received.append(part)
        self.wanted_log = wanted
        if caller.actor.id != PATIENT_ACTOR or subject != PATIENT:
            raise DeniedError("not theirs")
        return AccessLogPage(events=(make_event(),), has_previous=part.backwards, end=make_event().cursor)

    async def entry(self, caller: Caller, decision: DecisionId) -> SealedEntry | None:
        self._called("entry", caller)
        if decision != DECISION or caller.actor.id not in (CLINICIAN, PATIENT_ACTOR):
            return None
        return SealedEntry(entry=ENTRY, actor=CLINICIAN, anchor=PENDING)

    async def event(self, caller: Caller, decision: DecisionId) -> AccessEvent | None:
        self._called("event", caller)
        return make_event() if decision == DECISION and caller.actor.id == PATIENT_ACTOR else None


def make_event() -> AccessEvent:
    return AccessEvent(
        decision=DECISION,
        at=MOMENT,
        actor=CLINICIAN,
        action="READ",
        purpose="TREAT",
        outcome=Outcome.PERMITTED,
        record=RECORD,
        anchor=PENDING,
        cursor="e1",
    )


def failures() -> tuple[type[ConsentryError], ...]:
    from gateway.errors import IntegrityError, StaleError, UpstreamError

    return StaleError, UpstreamError, IntegrityError
