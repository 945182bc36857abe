"""Every field of the printed schema, by what it can give away. A field that is not here fails the walk.

`HELD` types hold something of a patient's, and are reached through `WAYS` alone; each way has a letter, by which the
table says who is released what. `OPEN` types hold what anyone signed in may know.
"""

from collections.abc import Iterator
from typing import Final

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_leaf_type,
)

from schema.fhir.types import OTHER, read_outline, type_name
from schema.root import print_sdl

HELD: Final = {
    "Record": "id version resourceType labels recordedAt content contentSalt cid anchor receipt patient author"
    " resource",
    "DecisionReceipt": "decisionId consentId purpose asOfBlock decidedAt obligations payload signer signature anchor"
    " basis emergencyId stale",
    "Consent": "id consentId status effect actions purposes resourceTypes codes labels dataFrom dataTo dataUse"
    " notBefore notAfter termsHash study statement statementIn signer transactionHash patient grantee asFhir form",
    "ConsentRequest": "id state reason askedAt expiresAt actions purposes resourceTypes codes labels dataFrom dataTo"
    " dataUse notBefore notAfter termsHash statement asker grantee patient consent form",
    "ConsentRequestConnection": "edges pageInfo",
    "ConsentRequestEdge": "cursor node",
    "AccessEvent": "id at action purpose outcome recordId decisionId anchor basis emergencyId datasetId actor asFhir",
    "AuditEntry": "id writer seq decision previous public private subjectToken receiptDigest anchor",
    "Emergency": "id kind reason state openedAt expiresAt endedAt review commitment salt statement transactionHash"
    " patient clinician accesses",
    "EmergencyReview": "verdict note at reviewer",
    "UnreviewedEmergency": "emergencyId openedAt expiresAt overdue",
    "RecordConnection": "edges pageInfo",
    "RecordEdge": "cursor node",
    "ConsentConnection": "edges pageInfo",
    "ConsentEdge": "cursor node",
    "MyPatient": "patient relations",
    "MyPatientEdge": "cursor node",
    "MyPatientConnection": "edges pageInfo",
    "AccessEventConnection": "edges pageInfo",
    "AccessEventEdge": "cursor node",
    "EmergencyConnection": "edges pageInfo",
    "EmergencyEdge": "cursor node",
    "UnreviewedEmergencyConnection": "edges pageInfo",
    "UnreviewedEmergencyEdge": "cursor node",
    # What an author or a patient is told of what they did themselves.
    "StoredRecord": "id version cid anchor",
    "ImportedBundle": "records",
    "Draft": "id typedData",
    "DelegateDraft": "id typedData limits statement",
    "Delegate": "patient number signer notAfter holds limits",
    "DelegateLimits": "actions purposes resourceTypes labels denies permitsUntil lists actor",
    "Guardians": "current next nextFrom",
    "NamedGuardians": "hash opened",
    "OpenedGuardians": "guardians signers threshold salt",
    "GuardiansDraft": "id typedData opened",
    "Recovery": "patient nextAttempt guardians threshold objected pending proposals",
    "PendingRecovery": "controller readyAt stoppable",
    "RecoveryProposal": "id controller attempt notAfter signed guardiansNeeded controllerNeeded attestationNeeded",
    "ControlChange": "patient controller",
    "Credential": "patient actor linked",
    "RevokedAll": "patient epoch",
    "AccessExplanation": "recordId permitted barred complete",
    "PermittedAccess": "grantee action purpose consentId hidden until",
    "BarredAccess": "grantee actions purposes consentId",
    "Outlook": "records reaches complete",
    "Reach": "grantee purpose records redacted consentIds",
    "ConsentPreview": "statement records effects opened closed complete",
    "ConsentEffectOnReading": "grantee purpose before after",
    "Erasure": "subject status begunAt destroyedAt finalAt certificate",
    # What leaves is sealed to its recipient: see tests/attacks/test_released_datasets.py.
    "Dataset": "id state edition title purpose dataUse cohort tables profile format days requester askedAt decision"
    " progress failed expiresAt papers files tombstones studyId",
    "DatasetProfile": "name basis digest departures definition",
    "DatasetDecision": "verdict reason departures steward at typedData signature",
    "DatasetPaper": "number kind sha256 text anchor",
    "DatasetFile": "name table rows size sha256 cid path",
    "DatasetConnection": "edges pageInfo",
    "DatasetEdge": "cursor node",
    "DatasetReport": "html",
    "OpenedDataset": "dataset manifest wrappedKey gatewayHalf",
    "PatientDataset": "datasetId title requester dataUse state at withdrawn",
    "PatientDatasetConnection": "edges pageInfo",
    "PatientDatasetEdge": "cursor node",
    # To whoever has a part in one: see tests/attacks/test_studies_asked.py.
    "Study": "id title state registeredAt sponsor statistician myRoles protocols definitions tables terms sites"
    " delegations allocation results compareOutcomes chain questionnaire asFhir",
    "StudyConnection": "edges pageInfo",
    "StudyEdge": "cursor node",
    "StudyProtocol": "number digest at reason registration salt anchor",
    "StudyDefinition": "number name sha256 at document",
    "StudyTable": "name description rows",
    "StudyTerms": "number formHash keeps at",
    "StudyResults": "number digest at outcomes summary",
    "OutcomePair": "promised reported changes differing likeness",
    "StudySite": "site name",
    "StudyDelegation": "actor role sites until",
    "StudyAllocation": "root size assigned",
    "StudyOnChain": "contract allocation assigned isOpen isFrozen isLocked head records seq",
    "StudySubject": "key patientId site enrolledAt withdrawnAt consentId assignment form",
    "StudySubjectConnection": "edges pageInfo",
    "StudySubjectEdge": "cursor node",
    "StudyAssignment": "name stratum position commitment",
    "StudyForm": "recordId version event eventRepeatKey form formRepeatKey definition by at reason digest versions",
    "StudyFormVersion": "version by at reason digest content",
    "StudyQuery": "query patientId recordId version item rule isOpen words",
    "StudyQueryWord": "act by at text",
    "StudyEntry": "number kind sha256 previous text patientId anchor",
    "StudyEntryConnection": "edges pageInfo",
    "StudyEntryEdge": "cursor node",
    "StudyActDraft": "id act typedData statement",
    "CapturedForms": "records queries",
    # The patient's own; and, from their own yes on, what the study is told: see tests/attacks/test_recruitment.py.
    "StudyMatch": "fit criteria",
    "JudgedCriterion": "text excludes verdict favours why evidence",
    "StudyAnswer": "yes",
    "WillingPatient": "patientId at",
    "StudyCount": "count leftOut",
    "ToldArm": "arm stratum position salt commitment path root",
    # Noised before it is told: see tests/attacks/test_noised_answers.py.
    "NoisedAnswer": "value counts epsilon left",
}
OPEN: Final = {
    "Actor": "id actor roles name address organizations",
    # What is agreed to, published: see tests/attacks/test_consent_forms.py.
    "ConsentForm": "formId version title texts termsHash document publishedAt publisher",
    "ConsentFormText": "language text",
    "ConsentFormEdge": "cursor node",
    "ConsentFormConnection": "edges pageInfo",
    "Anchor": "status proof",
    "AnchorProof": "log leafEncoding leafValues path root chainId contract transactionHash blockNumber",
    "PageInfo": "hasNextPage endCursor hasPreviousPage startCursor",
    "Patient": "id subject",
    "Refusal": "code message field decisionId correlationId",
    "Session": "sessionId accessToken expiresAt endsAt actor",
    # The asker's own alone: see tests/attacks/test_ended_sessions.py.
    "DeviceSession": "id device createdAt expiresAt endsAt current",
    "DeviceSessionEdge": "cursor node",
    "DeviceSessionConnection": "edges pageInfo",
    "EndedSessions": "endedAt",
    "LinkedIdentity": "id issuer subject notAfter holds",
    "SignInChallenge": "message expiresAt",
    "Me": "actor",
    "RecruitingStudy": "studyId title summary criteria sponsor",
    "RecruitingStudyEdge": "cursor node",
    "RecruitingStudyConnection": "edges pageInfo",
    "Query": "me viewer sessions linkedIdentities consentForm consentForms recruitingStudies",
    "Mutation": "signInChallenge signIn refreshSession endSession endOtherSessions signOut linkIdentity unlinkIdentity"
    " publishConsentForm",
}
SHOWN: Final = read_outline()
"""The types of FHIR. Each is a part of a released record, and reached through one alone (`parts_reached`): a field of
theirs is no way of its own, whatever it is called."""
WAYS: Final = {
    "Query.record": "R",
    "Query.node": "N G L D E V d t",
    "Query.study": "t",
    "Query.myStudies": "v",
    **{f"Study.{name}": "u" for name in ("subject", "subjects")},
    "Study.trail": "i",
    "Study.willing": "3",
    "Query.studyMatch": "2",
    **{f"StudySubject.{name}": "u" for name in ("forms", "queries", "asFhir")},
    **{f"StudyForm.{name}": "f" for name in ("record", "recordAt")},
    "Query.patient": "V",
    "Query.emergency": "E",
    "Query.emergencyReport": "Q",
    "Query.dataset": "d",
    "Query.datasets": "s",
    "Query.datasetReport": "r",
    **{f"Patient.{name}": "P" for name in ("records", "timeline", "latest")},
    "Me.patients": "m",
    "Me.consents": "w",
    "Me.datasets": "b",
    "Patient.consents": "C",
    "Patient.consentRequests": "q",
    "Query.sentConsentRequests": "a",
    "Mutation.requestConsent": "e",
    "Mutation.withdrawConsentRequest": "y",
    **{f"Mutation.{name}": "M" for name in ("draftRequestedConsent", "declineConsentRequest")},
    "Patient.accessLog": "L",
    "Patient.emergencies": "F",
    "Patient.credentials": "K",
    "Patient.delegates": "Z",
    "Patient.guardians": "U",
    "Patient.datasets": "p",
    "Query.recovery": "I",
    **{f"Query.{name}": "x" for name in ("explainAccess", "whoCanSee", "previewConsent")},
    "Subscription.recordAdded": "S",
    "Subscription.consentChanged": "c",
    "Subscription.emergencyOpened": "F",
    **{f"Subscription.{name}": "z" for name in ("studyQueryChanged", "subjectEnrolled")},
    **{f"Mutation.{name}": "W" for name in ("createRecord", "amendRecord", "importBundle")},
    **{f"Mutation.{name}": "M" for name in ("draftConsent", "grantConsent", "draftRevocation", "revokeConsent")},
    "Mutation.draftConsentFromFhir": "M",
    **{f"Mutation.{name}": "T" for name in ("draftRevocationOfAll", "revokeAllConsents", "draftErasure")},
    **{f"Mutation.{name}": "T" for name in ("erasePatient", "draftCredential", "setCredential")},
    **{f"Mutation.{name}": "T" for name in ("draftDelegate", "addDelegate")},
    **{f"Mutation.{name}": "Y" for name in ("draftDelegateRemoval", "removeDelegate")},
    **{f"Mutation.{name}": "T" for name in ("draftGuardians", "setGuardians", "draftObjection", "objectToRecovery")},
    **{f"Mutation.{name}": "T" for name in ("draftControllerChange", "changeController")},
    **{f"Mutation.{name}": "A" for name in ("draftAttestation", "attestRecovery", "draftCustodyEnd", "endCustody")},
    **{f"Mutation.{name}": "O" for name in ("draftRecovery", "signRecovery", "finishRecovery", "draftIdentityLink")},
    "Mutation.openEmergency": "B",
    "Mutation.endEmergency": "X",
    "Mutation.reviewEmergency": "J",
    **{f"Mutation.{name}": "A" for name in ("registerActor", "enrolPatient")},
    **{f"Mutation.{name}": "H" for name in ("draftMembership", "addMember")},
    "Mutation.requestDataset": "g",
    **{f"Mutation.{name}": "k" for name in ("draftDatasetDecision", "decideDataset")},
    "Mutation.openDataset": "o",
    "Mutation.cancelDataset": "l",
    "Mutation.askAggregate": "n",
    **{f"Mutation.{name}": "H" for name in ("draftStudyAct", "submitStudyAct")},
    **{f"Mutation.{name}": "h" for name in ("captureForms", "changeForm", "answerStudyQuery", "assignSubject")},
    **{f"Mutation.{name}": "j" for name in ("raiseStudyQuery", "closeStudyQuery")},
    "Mutation.answerStudy": "T",
    "Mutation.countForStudy": "h",
    "Mutation.tellArm": "1",
    "Mutation.recordStudyData": "0",
}
"""Field -> the letters under which it releases."""


def printed() -> GraphQLSchema:
    """The contract as a client reads it."""
    return build_schema(print_sdl())


def objects(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    for name, type_ in schema.type_map.items():
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            yield type_


def members(schema: GraphQLSchema, type_: GraphQLNamedType) -> list[str]:
    """The object types that a field of this type may answer with."""
    if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
        return [one.name for one in schema.get_possible_types(type_)]
    return [type_.name] if isinstance(type_, GraphQLObjectType) else []


def every_field(schema: GraphQLSchema) -> set[str]:
    return {f"{type_.name}.{name}" for type_ in objects(schema) for name in type_.fields}


def parts() -> dict[str, str]:
    """Types of parts of a resource, generated from the definitions, and their fields."""
    generated = {type_name(name): " ".join(elements) for name, (_, elements) in SHOWN.types.items()}
    generated["FhirReference"] += " resource record"
    return {**generated, OTHER: "resourceType id content"}


def parts_left(schema: GraphQLSchema) -> set[str]:
    """Fields inside a resource that lead out of it again."""
    return {
        f"{type_.name}.{name}"
        for type_ in objects(schema)
        if type_.name in parts()
        for name, field in type_.fields.items()
        if set(members(schema, get_named_type(field.type))) - {*parts(), "FhirResource"}
    }


def parts_reached(schema: GraphQLSchema) -> set[str]:
    """Fields of all other types that lead into a resource."""
    inside = {*parts(), "FhirResource"}
    return {
        f"{type_.name}.{name}"
        for type_ in objects(schema)
        if type_.name not in inside
        for name, field in type_.fields.items()
        if get_named_type(field.type).name in inside
    }


def classified() -> set[str]:
    listed = {
        f"{type_}.{name}" for part in (HELD, OPEN, parts()) for type_, names in part.items() for name in names.split()
    }
    return listed | set(WAYS)


def giving_away(schema: GraphQLSchema) -> set[str]:
    """Fields of types that hold nothing which may answer with a type that does, or with a patient's name."""
    return {
        f"{type_.name}.{name}"
        for type_ in objects(schema)
        if type_.name not in HELD and type_.name not in parts()
        for name, field in type_.fields.items()
        if {*HELD, *parts(), "Patient"} & set(members(schema, get_named_type(field.type)))
    }


def leaves(schema: GraphQLSchema, type_: str) -> str:
    """A selection of everything of a type that has no parts of its own and needs no argument."""
    found = schema.type_map[type_]
    assert isinstance(found, GraphQLObjectType)
    return " ".join(
        name for name, field in found.fields.items() if not field.args and is_leaf_type(get_named_type(field.type))
    )
