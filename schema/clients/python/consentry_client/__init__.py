"""A typed client of Consentry's GraphQL API. `Consentry` is where to begin."""

from .client import Approve, Consentry
from .errors import NotSignedError, RefusedError
from .generated.enums import (
    ActorRole,
    AnchorStatus,
    ConsentAction,
    ConsentEffect,
    ConsentStatus,
    DecisionBasis,
    DecisionOutcome,
    Language,
    PurposeOfUse,
    RefusalCode,
)
from .generated.exceptions import GraphQLClientError
from .generated.fragments import AccessEventFields as AccessEvent
from .generated.fragments import ActorFields as Actor
from .generated.fragments import ConsentFields as Consent
from .generated.fragments import DraftFields as Draft
from .generated.fragments import ImportedBundleFields as ImportedBundle
from .generated.fragments import PatientFields as Patient
from .generated.fragments import ReceiptFields as Receipt
from .generated.fragments import RecordFields as Record
from .generated.fragments import RevokedAllFields as RevokedAll
from .generated.fragments import SessionFields as Session
from .generated.fragments import StoredRecordFields as StoredRecord
from .generated.input_types import AccessFilter, AmendRecordInput, ConsentInput, RecordFilter
from .generated.operations import Operations
from .signing import Signer

__all__ = [
    "AccessEvent",
    "AccessFilter",
    "Actor",
    "ActorRole",
    "AmendRecordInput",
    "AnchorStatus",
    "Approve",
    "Consent",
    "ConsentAction",
    "ConsentEffect",
    "ConsentInput",
    "ConsentStatus",
    "Consentry",
    "DecisionBasis",
    "DecisionOutcome",
    "Draft",
    "GraphQLClientError",
    "ImportedBundle",
    "Language",
    "NotSignedError",
    "Operations",
    "Patient",
    "PurposeOfUse",
    "Receipt",
    "Record",
    "RecordFilter",
    "RefusalCode",
    "RefusedError",
    "RevokedAll",
    "Session",
    "Signer",
    "StoredRecord",
]
