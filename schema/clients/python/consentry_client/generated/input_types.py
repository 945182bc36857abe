from datetime import datetime
from typing import Annotated, Any, Optional

from pydantic import Field, PlainSerializer

from consentry_client.scalars import write_instant

from .base_model import BaseModel
from .enums import (
    ActorRole,
    ConsentAction,
    ConsentEffect,
    DecisionOutcome,
    Language,
    PurposeOfUse,
)


class AccessFilter(BaseModel):
    """Of the access log; what is not given is not asked for. from and to bound the time, both included. Entries are sealed and opened one by one: a page may have a next one and hold fewer than asked for, or none."""

    outcome: Optional[DecisionOutcome] = None
    actor_id: Optional[str] = Field(alias="actorId", default=None)
    record_id: Optional[str] = Field(alias="recordId", default=None)
    actions: Optional[list[str]] = None
    purpose: Optional[PurposeOfUse] = None
    from_: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="from", default=None
    )
    to: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = None


class AmendRecordInput(BaseModel):
    """labels: null keeps them; others than the patient may only add."""

    record_id: str = Field(alias="recordId")
    expected_version: int = Field(alias="expectedVersion")
    resource: Any
    labels: Optional[list[str]] = None
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    purpose: Optional[PurposeOfUse] = None
    "ETREAT: a write in the asker's open emergency. Otherwise none: it is that of the asker's own work."


class ConsentInput(BaseModel):
    patient_id: str = Field(alias="patientId")
    grantee_id: str = Field(alias="granteeId")
    "An actor or an organization."
    purposes: list[PurposeOfUse]
    effect: ConsentEffect = ConsentEffect.PERMIT
    actions: list[ConsentAction] = Field(default_factory=lambda: [ConsentAction.READ])
    resource_types: list[str] = Field(alias="resourceTypes", default_factory=lambda: [])
    "FHIR resource types, codes (system|code), authors, records; empty: all."
    codes: list[str] = Field(default_factory=lambda: [])
    author_ids: list[str] = Field(alias="authorIds", default_factory=lambda: [])
    record_ids: list[str] = Field(alias="recordIds", default_factory=lambda: [])
    labels: list[str] = Field(default_factory=lambda: [])
    "HL7 sensitivity labels this consent reaches: a permit covers a record only if all the record's labels are here."
    data_from: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="dataFrom", default=None
    )
    data_to: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="dataTo", default=None
    )
    data_use: list[str] = Field(alias="dataUse", default_factory=lambda: [])
    "GA4GH DUO terms, for research."
    not_before: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="notBefore", default=None
    )
    not_after: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="notAfter", default=None
    )
    "Required for a PERMIT; a DENY without one has no end."
    terms_hash: Optional[str] = Field(alias="termsHash", default=None)
    language: Language = Language.EN
    "Of the statement that is signed."


class CreateRecordInput(BaseModel):
    """Keys are scoped to the actor: the same key and content answers alike, the same key and other content is a CONFLICT."""

    patient_id: str = Field(alias="patientId")
    resource: Any
    labels: Optional[list[str]] = None
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    purpose: Optional[PurposeOfUse] = None
    "ETREAT: a write in the asker's open emergency. Otherwise none: it is that of the asker's own work."


class EnrolPatientInput(BaseModel):
    controller: Optional[str] = None
    "ERC-7913 signer: a 20-byte address, or verifier and key. Without one the patient is in custody: see the design."


class ImportBundleInput(BaseModel):
    patient_id: str = Field(alias="patientId")
    bundle: Any
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    purpose: Optional[PurposeOfUse] = None
    "ETREAT: a write in the asker's open emergency. Otherwise none: it is that of the asker's own work."


class MembershipInput(BaseModel):
    organization_id: str = Field(alias="organizationId")
    member_id: str = Field(alias="memberId")
    not_after: Annotated[datetime, PlainSerializer(write_instant)] = Field(
        alias="notAfter"
    )


class RecordFilter(BaseModel):
    """code: system|code. from and to bound the clinical period."""

    resource_types: Optional[list[str]] = Field(alias="resourceTypes", default=None)
    code: Optional[str] = None
    from_: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="from", default=None
    )
    to: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = None
    labels: Optional[list[str]] = None
    "HL7 sensitivity labels: records that bear one of them."


class RegisterActorInput(BaseModel):
    """key: ERC-7913 signer. encryptionKey: X25519, signed by key (EIP-712)."""

    key: str
    roles: list[ActorRole]
    name: str
    encryption_key: Optional[str] = Field(alias="encryptionKey", default=None)
    encryption_key_signature: Optional[str] = Field(
        alias="encryptionKeySignature", default=None
    )


class SignInInput(BaseModel):
    message: str
    signature: str
    signer: Optional[str] = None
    "The ERC-7913 signer behind the address, where it is no wallet (P-256, passkey of this origin)."
    device: Optional[str] = None
    "What you call what you sign in with, 1 to 64 characters: shown in your own `sessions` alone."


class SignedInput(BaseModel):
    typed_data: Any = Field(alias="typedData")
    signature: str
