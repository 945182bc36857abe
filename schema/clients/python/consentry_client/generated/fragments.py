from datetime import datetime
from typing import Any, Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import (
    ActorRole,
    AnchorStatus,
    ConsentAction,
    ConsentEffect,
    ConsentStatus,
    DecisionBasis,
    DecisionOutcome,
    PurposeOfUse,
    RefusalCode,
)


class ActorFields(BaseModel):
    id: str
    actor: str
    address: str
    roles: list[ActorRole]
    name: Optional[str]


class AccessEventFields(BaseModel):
    id: str
    at: datetime
    action: str
    purpose: Optional[PurposeOfUse]
    outcome: DecisionOutcome
    record_id: Optional[str] = Field(alias="recordId")
    decision_id: str = Field(alias="decisionId")
    basis: Optional[DecisionBasis]
    emergency_id: Optional[str] = Field(alias="emergencyId")
    dataset_id: Optional[str] = Field(alias="datasetId")
    actor: Optional["AccessEventFieldsActor"]


class AccessEventFieldsActor(ActorFields):
    pass


class AnchorFields(BaseModel):
    status: AnchorStatus
    proof: Optional["AnchorFieldsProof"]


class AnchorFieldsProof(BaseModel):
    log: str
    leaf_encoding: list[str] = Field(alias="leafEncoding")
    leaf_values: list[str] = Field(alias="leafValues")
    path: list[str]
    root: str
    chain_id: int = Field(alias="chainId")
    contract: str
    transaction_hash: str = Field(alias="transactionHash")
    block_number: int = Field(alias="blockNumber")


class ConsentFields(BaseModel):
    id: str
    consent_id: str = Field(alias="consentId")
    status: ConsentStatus
    effect: ConsentEffect
    grantee: "ConsentFieldsGrantee"
    actions: list[ConsentAction]
    purposes: list[PurposeOfUse]
    resource_types: list[str] = Field(alias="resourceTypes")
    codes: list[str]
    labels: list[str]
    data_from: Optional[datetime] = Field(alias="dataFrom")
    data_to: Optional[datetime] = Field(alias="dataTo")
    data_use: list[str] = Field(alias="dataUse")
    not_before: datetime = Field(alias="notBefore")
    not_after: Optional[datetime] = Field(alias="notAfter")
    terms_hash: Optional[str] = Field(alias="termsHash")
    statement: str
    signer: str
    transaction_hash: Optional[str] = Field(alias="transactionHash")


class ConsentFieldsGrantee(ActorFields):
    pass


class DraftFields(BaseModel):
    id: str
    typed_data: Any = Field(alias="typedData")


class EndedSessionsFields(BaseModel):
    ended_at: datetime = Field(alias="endedAt")


class StoredRecordFields(BaseModel):
    id: str
    version: int
    cid: str
    anchor: "StoredRecordFieldsAnchor"


class StoredRecordFieldsAnchor(BaseModel):
    status: AnchorStatus


class ImportedBundleFields(BaseModel):
    records: list["ImportedBundleFieldsRecords"]


class ImportedBundleFieldsRecords(StoredRecordFields):
    pass


class PageFields(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")


class PatientFields(BaseModel):
    id: str
    subject: str


class ReceiptFields(BaseModel):
    decision_id: str = Field(alias="decisionId")
    consent_id: Optional[str] = Field(alias="consentId")
    basis: DecisionBasis
    purpose: PurposeOfUse
    as_of_block: int = Field(alias="asOfBlock")
    decided_at: datetime = Field(alias="decidedAt")
    obligations: list[str]
    payload: str
    signer: str
    signature: str


class RecordFields(BaseModel):
    id: str
    version: int
    resource_type: str = Field(alias="resourceType")
    labels: list[str]
    recorded_at: datetime = Field(alias="recordedAt")
    content: Any
    content_salt: Optional[str] = Field(alias="contentSalt")
    cid: str
    patient: "RecordFieldsPatient"
    author: "RecordFieldsAuthor"
    anchor: "RecordFieldsAnchor"
    receipt: "RecordFieldsReceipt"


class RecordFieldsPatient(BaseModel):
    id: str


class RecordFieldsAuthor(ActorFields):
    pass


class RecordFieldsAnchor(AnchorFields):
    pass


class RecordFieldsReceipt(ReceiptFields):
    pass


class RefusalFields(BaseModel):
    code: RefusalCode
    message: str
    field: Optional[list[str]]
    decision_id: Optional[str] = Field(alias="decisionId")
    correlation_id: Optional[str] = Field(alias="correlationId")


class RevokedAllFields(BaseModel):
    epoch: int
    patient: "RevokedAllFieldsPatient"


class RevokedAllFieldsPatient(PatientFields):
    pass


class SessionFields(BaseModel):
    session_id: str = Field(alias="sessionId")
    access_token: str = Field(alias="accessToken")
    expires_at: datetime = Field(alias="expiresAt")
    ends_at: datetime = Field(alias="endsAt")
    actor: "SessionFieldsActor"


class SessionFieldsActor(ActorFields):
    pass


ActorFields.model_rebuild()
AccessEventFields.model_rebuild()
AnchorFields.model_rebuild()
ConsentFields.model_rebuild()
DraftFields.model_rebuild()
EndedSessionsFields.model_rebuild()
StoredRecordFields.model_rebuild()
ImportedBundleFields.model_rebuild()
PageFields.model_rebuild()
PatientFields.model_rebuild()
ReceiptFields.model_rebuild()
RecordFields.model_rebuild()
RefusalFields.model_rebuild()
RevokedAllFields.model_rebuild()
SessionFields.model_rebuild()
