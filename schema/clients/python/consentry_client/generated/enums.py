from enum import Enum


class ActorRole(str, Enum):
    REGISTRAR = "REGISTRAR"
    PATIENT = "PATIENT"
    CLINICIAN = "CLINICIAN"
    ORGANIZATION = "ORGANIZATION"
    RESEARCHER = "RESEARCHER"
    DATA_STEWARD = "DATA_STEWARD"
    AUDITOR = "AUDITOR"
    DEVICE = "DEVICE"
    PAYER = "PAYER"


class AnchorStatus(str, Enum):
    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    ANCHORED = "ANCHORED"
    FINAL = "FINAL"


class ConsentAction(str, Enum):
    READ = "READ"
    WRITE = "WRITE"


class ConsentEffect(str, Enum):
    PERMIT = "PERMIT"
    DENY = "DENY"


class ConsentStatus(str, Enum):
    ACTIVE = "ACTIVE"
    NOT_YET = "NOT_YET"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class DecisionBasis(str, Enum):
    OWN = "OWN"
    CONSENT = "CONSENT"
    CUSTODY = "CUSTODY"
    EMERGENCY = "EMERGENCY"


class DecisionOutcome(str, Enum):
    PERMITTED = "PERMITTED"
    DENIED = "DENIED"


class Language(str, Enum):
    EN = "EN"
    DE = "DE"
    ES = "ES"
    FR = "FR"


class PurposeOfUse(str, Enum):
    TREAT = "TREAT"
    ETREAT = "ETREAT"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"
    HRESCH = "HRESCH"
    CLINTRCH = "CLINTRCH"
    PATRQT = "PATRQT"
    PUBHLTH = "PUBHLTH"


class RefusalCode(str, Enum):
    UNAUTHENTICATED = "UNAUTHENTICATED"
    NOT_PERMITTED = "NOT_PERMITTED"
    INVALID = "INVALID"
    CONFLICT = "CONFLICT"
    STALE = "STALE"
    INTEGRITY = "INTEGRITY"
    UNAVAILABLE = "UNAVAILABLE"
    LIMIT = "LIMIT"
