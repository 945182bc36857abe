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
    "Permitted or denied."
    actor_id: Optional[str] = Field(alias="actorId", default=None)
    "Who asked."
    record_id: Optional[str] = Field(alias="recordId", default=None)
    "What was asked for."
    actions: Optional[list[str]] = None
    "Some of those that events name."
    purpose: Optional[PurposeOfUse] = None
    "What it was wanted for."
    from_: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="from", default=None
    )
    "The earliest moment."
    to: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = None
    "The latest moment."


class AmendRecordInput(BaseModel):
    """labels: null keeps them; others than the patient may only add."""

    record_id: str = Field(alias="recordId")
    "The record that is amended."
    expected_version: int = Field(alias="expectedVersion")
    "The version that the change was made on; CONFLICT where there is a newer one."
    resource: Any
    "The whole FHIR R4 resource."
    labels: Optional[list[str]] = None
    "HL7 sensitivity labels, besides those that rules find."
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    "Yours, for this write: the same again answers alike and stores nothing twice."
    purpose: Optional[PurposeOfUse] = None
    "ETREAT: a write in the asker's open emergency. Otherwise none: it is that of the asker's own work."


class ConsentInput(BaseModel):
    """What a patient, or a delegate of theirs, is asked to sign."""

    patient_id: str = Field(alias="patientId")
    "The patient's id."
    grantee_id: str = Field(alias="granteeId")
    "An actor or an organization."
    purposes: list[PurposeOfUse]
    "What for; at least one."
    effect: ConsentEffect = ConsentEffect.PERMIT
    "PERMIT or DENY."
    actions: list[ConsentAction] = Field(default_factory=lambda: [ConsentAction.READ])
    "What it lets them do, or forbids; at least one."
    resource_types: list[str] = Field(alias="resourceTypes", default_factory=lambda: [])
    "FHIR resource types, codes (system|code), authors, records; empty: all."
    codes: list[str] = Field(default_factory=lambda: [])
    "system|code; empty: all."
    author_ids: list[str] = Field(alias="authorIds", default_factory=lambda: [])
    "Records of these authors; empty: of all."
    record_ids: list[str] = Field(alias="recordIds", default_factory=lambda: [])
    "These records; empty: all."
    labels: list[str] = Field(default_factory=lambda: [])
    "HL7 sensitivity labels this consent reaches: a permit covers a record only if all the record's labels are here."
    data_from: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="dataFrom", default=None
    )
    "Clinical periods from then on."
    data_to: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="dataTo", default=None
    )
    "Clinical periods until then."
    data_use: list[str] = Field(alias="dataUse", default_factory=lambda: [])
    "GA4GH DUO terms, for research."
    not_before: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="notBefore", default=None
    )
    "In force from then on; at once without it."
    not_after: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="notAfter", default=None
    )
    "Required for a PERMIT; a DENY without one has no end."
    terms_hash: Optional[str] = Field(alias="termsHash", default=None)
    "SHA-256 of terms that were shown beside it."
    language: Language = Language.EN
    "Of the statement that is signed."
    study: Optional[str] = None
    "For one study alone: `purposes` is CLINTRCH and nothing else; a permit names the study's sponsor, and in `termsHash` the informed consent."


class CreateRecordInput(BaseModel):
    """Keys are scoped to the actor: the same key and content answers alike, the same key and other content is a CONFLICT."""

    patient_id: str = Field(alias="patientId")
    "The patient's id."
    resource: Any
    "FHIR R4 JSON."
    labels: Optional[list[str]] = None
    "HL7 sensitivity labels, besides those that rules find."
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    "Yours, for this write: the same again answers alike and stores nothing twice."
    purpose: Optional[PurposeOfUse] = None
    "ETREAT: a write in the asker's open emergency. Otherwise none: it is that of the asker's own work."


class EnrolPatientInput(BaseModel):
    """A new patient."""

    controller: Optional[str] = None
    "ERC-7913 signer: a 20-byte address, or verifier and key. Without one the patient is in custody: see the design."


class ImportBundleInput(BaseModel):
    """Several records at once."""

    patient_id: str = Field(alias="patientId")
    "The patient's id."
    bundle: Any
    "A FHIR Bundle: collection, batch or transaction."
    idempotency_key: Optional[str] = Field(alias="idempotencyKey", default=None)
    "Yours, for this write: the same again answers alike and stores nothing twice."
    purpose: Optional[PurposeOfUse] = None
    "ETREAT: a write in the asker's open emergency. Otherwise none: it is that of the asker's own work."


class MembershipInput(BaseModel):
    """A member of an organization."""

    organization_id: str = Field(alias="organizationId")
    "The organization; its key signs."
    member_id: str = Field(alias="memberId")
    "Who is to be a member."
    not_after: Annotated[datetime, PlainSerializer(write_instant)] = Field(
        alias="notAfter"
    )
    "Until when."


class RecordFilter(BaseModel):
    """code: system|code. from and to bound the clinical period."""

    resource_types: Optional[list[str]] = Field(alias="resourceTypes", default=None)
    "FHIR's names; all without it."
    code: Optional[str] = None
    "system|code."
    from_: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = Field(
        alias="from", default=None
    )
    "Clinical periods from then on."
    to: Optional[Annotated[datetime, PlainSerializer(write_instant)]] = None
    "Clinical periods until then."
    labels: Optional[list[str]] = None
    "HL7 sensitivity labels: records that bear one of them."


class RegisterActorInput(BaseModel):
    """key: ERC-7913 signer. encryptionKey: X25519, signed by key (EIP-712)."""

    key: str
    "ERC-7913 signer; a wallet's is its address in lower case."
    roles: list[ActorRole]
    "At least one."
    name: str
    "As others are shown it."
    encryption_key: Optional[str] = Field(alias="encryptionKey", default=None)
    "X25519, 32 bytes."
    encryption_key_signature: Optional[str] = Field(
        alias="encryptionKeySignature", default=None
    )
    "Of key over encryptionKey (EIP-712)."


class SignInInput(BaseModel):
    """A signed challenge."""

    message: str
    "The challenge, unchanged."
    signature: str
    "EIP-191 personal_sign; of other keys ERC-7913."
    signer: Optional[str] = None
    "The ERC-7913 signer behind the address, where it is no wallet (P-256, passkey of this origin)."
    device: Optional[str] = None
    "What you call what you sign in with, 1 to 64 characters: shown in your own `sessions` alone."


class SignedInput(BaseModel):
    """A draft and its signature."""

    typed_data: Any = Field(alias="typedData")
    "The EIP-712 JSON that was drafted, unchanged."
    signature: str
    "Of typedData, by whoever the draft was for: eth_signTypedData_v4, or ERC-7913."
