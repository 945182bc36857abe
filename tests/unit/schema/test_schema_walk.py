"""Every way to health data goes through a service call that was handed the caller.

The walk takes each field of the schema that a root can reach, builds the shortest query to it, and asks it with and
without a token. A field that would answer with something of a patient, without a service having been asked with that
caller, fails here; so does a new field that nobody classified.
"""

from collections import deque
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from gateway.ids import to_global
from schema.fhir.types import OTHER, read_outline, type_name
from schema.root import GatewaySchema, build_schema
from tests.unit.schema.aggregates import QUESTION
from tests.unit.schema.asking import REQUEST
from tests.unit.schema.conftest import Ask
from tests.unit.schema.datasets import ASKED, RELEASE
from tests.unit.schema.emergencies import NAME
from tests.unit.schema.services import CONSENT, PATIENT, RECORD, World
from tests.unit.schema.studies import FORM, STUDY

GUARDED = frozenset(
    {
        *(
            "Record",
            "Consent",
            "AccessEvent",
            "Emergency",
            "EmergencyConnection",
            "UnreviewedEmergencyConnection",
            "AuditEntry",
            "Delegate",
            "MyPatientConnection",
        ),
        *("Guardians", "GuardiansDraft", "Recovery", "RecoveryProposal"),
        *("RecordConnection", "ConsentConnection", "AccessEventConnection"),
        *("AccessExplanation", "Outlook", "ConsentPreview"),
        *("ConsentRequest", "ConsentRequestConnection"),
        *("Dataset", "DatasetConnection", "DatasetReport", "OpenedDataset"),
        *("PatientDataset", "PatientDatasetConnection", "NoisedAnswer"),
        *("Study", "StudyConnection", "StudySubject", "StudySubjectConnection", "StudyForm", "StudyQuery"),
        *("StudyEntryConnection", "ToldArm", "CapturedForms"),
        *("StudyMatch", "StudyAnswer", "StudyCount", "WillingPatient"),
    }
)
"""Types that hold something of a patient's, or how much of it there is."""
GUARDS = frozenset(
    {
        "read",
        "page",
        "added",
        "referenced",
        "of_patient",
        "get",
        "changes",
        "access_log",
        "event",
        "entry",
        "grant",
        "revoke",
        "visible_patient",
        "open_emergency",
        "end_emergency",
        "review_emergency",
        "get_emergency",
        "accesses",
        "emergencies_of_patient",
        "emergency_report",
        "delegates",
        "add_delegate",
        "remove_delegate",
        *("guardians", "draft_guardians", "set_guardians"),
        *("recovery", "sign_recovery", "attest_recovery", "object_to_recovery"),
        *("explain", "who_can_see", "preview"),
        *("my_patients", "my_consents"),
        *("ask", "withdraw", "decline", "sent", "requests_of_patient"),
        *("request_dataset", "get_dataset", "my_datasets", "asked_datasets", "datasets_of_patient"),
        *("decide_dataset", "dataset_report", "open_dataset", "cancel_dataset", "ask_aggregate"),
        *("get_study", "my_studies", "submit_act", "record_data", "assign", "arm", "capture", "change"),
        *("kept_forms", "read_form", "queries", "raise_query", "answer_query", "close_query"),
        *("study_subjects", "study_subject", "trail"),
        *("study_match", "say_interest", "willing", "count_for_study"),
    }
)
"""Service calls that decide, with the caller, before one of those is made."""
OF_STUDIES = (
    *("StudyProtocol", "StudyDefinition", "StudyTable", "StudyTerms", "StudyResults", "OutcomePair"),
    *("StudySite", "StudyDelegation", "StudyAllocation", "StudyOnChain"),
)
OF_SUBJECTS = {
    "JudgedCriterion": "StudyMatch",
    "StudyAssignment": "StudySubject",
    "StudyFormVersion": "StudyForm",
    "StudyQueryWord": "StudyQuery",
}
PARTS = {type_name(name) for name in read_outline().types} | {OTHER}
"""Generated types of FHIR: what is inside a record that was released already."""
STUDIED = {"studyId": to_global("Study", STUDY), "patientId": to_global("Patient", PATIENT)}
CAPTURED = {"recordId": to_global("Record", FORM)}
VALUES = {
    "ID!": to_global("Record", RECORD),
    "Hex!": "0x" + CONSENT.hex(),
    "EnrolPatientInput!": {},
    "OpenEmergencyInput!": {
        "patientId": to_global("Patient", PATIENT),
        "kind": "OTHER",
        "reason": "Found unconscious",
    },
    "ReviewEmergencyInput!": {
        "emergencyId": to_global("Emergency", NAME),
        "verdict": "JUSTIFIED",
        "note": "As the ward log says",
    },
    "Int!": 1,
    "SignedDelegateInput!": {"typedData": {}, "signature": "0x00", "limits": {}},
    "GuardiansInput!": {"patientId": to_global("Patient", PATIENT), "guardianIds": [], "threshold": 0},
    "SignedGuardiansInput!": {"typedData": {}, "signature": "0x00", "guardianIds": [], "threshold": 0},
    "SignedRecoveryInput!": {"typedData": {}, "signatures": ["0x00"]},
    "SignedControllerInput!": {"typedData": {}, "signature": "0x00", "controllerSignature": "0x00"},
    "ConsentInput!": {
        "patientId": to_global("Patient", PATIENT),
        "granteeId": to_global("Actor", b"\x01" * 32),
        "purposes": ["TREAT"],
    },
    "RequestConsentInput!": {
        "patientId": to_global("Patient", PATIENT),
        "purposes": ["TREAT"],
        "reason": "For the follow-up of your surgery",
        "notAfter": "2100-01-01T00:00:00Z",
    },
    "RequestDatasetInput!": {name: value for name, value in ASKED.items() if name not in ("format", "days")},
    "DatasetDecisionInput!": {
        "datasetId": to_global("Dataset", RELEASE),
        "verdict": "APPROVED",
        "reason": "As agreed with the board.",
    },
    "AggregateInput!": QUESTION,
    "JSON!": {},
    "Boolean!": True,
    "StudyCountInput!": {"studyId": STUDIED["studyId"], "dataUse": ["DUO:0000042"], "epsilon": 0.1},
    "String!": "F",
    "StudyActInput!": {"opening": {"studyId": to_global("Study", STUDY)}},
    "CaptureFormsInput!": {**STUDIED, "forms": [{}]},
    "ChangeFormInput!": {**STUDIED, **CAPTURED, "form": {}, "expectedVersion": 1, "reason": "Typing error."},
    "RaiseStudyQueryInput!": {**STUDIED, **CAPTURED, "text": "Is it right?"},
    "SignedInput!": {"typedData": {}, "signature": "0x00"},
    "SignedCredentialInput!": {"typedData": {}, "signature": "0x00", "actorSignature": "0x00"},
}
Step = tuple[str, GraphQLField, str]


def paths(core: GraphQLSchema) -> dict[str, list[tuple[str, list[Step]]]]:
    """Guarded type -> every first way to it from each field of the roots."""
    found: dict[str, list[tuple[str, list[Step]]]] = {name: [] for name in GUARDED}
    for kind, root in (
        ("query", core.query_type),
        ("mutation", core.mutation_type),
        ("subscription", core.subscription_type),
    ):
        assert root is not None
        for start, field in root.fields.items():
            seen: set[str] = set()
            queue = deque([(get_named_type(field.type), [(start, field, root.name)])])
            while queue:
                type_, steps = queue.popleft()
                for concrete in members(core, type_):
                    if concrete.name in seen:
                        continue
                    seen.add(concrete.name)
                    if concrete.name in GUARDED:
                        found[concrete.name].append((kind, steps))
                    if concrete.name in PARTS:
                        continue
                    for name, below in concrete.fields.items():
                        if not is_leaf_type(get_named_type(below.type)):
                            queue.append((get_named_type(below.type), [*steps, (name, below, concrete.name)]))
    return found


def members(core: GraphQLSchema, type_: GraphQLNamedType) -> list[GraphQLObjectType]:
    if isinstance(type_, GraphQLObjectType):
        return [type_]
    if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
        return list(core.get_possible_types(type_))
    return []


WAYS = [(target, kind, steps) for target, ways in sorted(paths(build_schema()._schema).items()) for kind, steps in ways]


def write(target: str, kind: str, steps: list[Step]) -> tuple[str, dict[str, Any]]:
    """The query that walks `steps` and ends at `__typename` of the target."""
    declared, given, text = [], {}, f"... on {target} {{ __typename }}"
    for number, (name, field, parent) in enumerate(reversed(steps)):
        arguments = []
        for argument, one in field.args.items():
            if not is_required_argument(one):
                continue
            variable = f"v{number}{argument}"
            declared.append(f"${variable}: {one.type}")
            arguments.append(f"{argument}: ${variable}")
            wanted = "Patient" if argument == "patientId" or name == "patient" else None
            wanted = node_kind(steps, target) if name == "node" else wanted
            wanted = "Emergency" if argument == "emergencyId" or name == "emergency" else wanted
            wanted = "ConsentRequest" if argument == "requestId" else wanted
            wanted = "Dataset" if argument == "datasetId" or name == "dataset" else wanted
            wanted = "Study" if argument == "studyId" or name == "study" else wanted
            wanted = "Form" if name == "form" and argument == "recordId" else wanted
            ids = {
                "ConsentRequest": REQUEST,
                "Patient": PATIENT,
                "Record": RECORD,
                "Consent": CONSENT,
                "AccessEvent": b"\x41" * 16,
                "Decision": b"\x41" * 16,
                "Emergency": NAME,
                "Dataset": RELEASE,
                "Study": STUDY,
                "Form": FORM,
            }
            kind_of = "Record" if wanted == "Form" else wanted
            given[variable] = to_global(kind_of, ids[wanted]) if wanted and kind_of else VALUES[str(one.type)]
        call = name + (f"({', '.join(arguments)})" if arguments else "")
        text = f"{call} {{ __typename {text} }}"
        if parent not in ("Query", "Mutation", "Subscription"):
            text = f"... on {parent} {{ {text} }}"
    header = f"({', '.join(declared)})" if declared else ""
    return f"{kind}{header} {{ {text} }}", given


def node_kind(steps: list[Step], target: str) -> str:
    """What `node` must be for the next step; the target itself where it is the only one."""
    kind = steps[1][2] if len(steps) > 1 else target
    return "Decision" if kind == "AuditEntry" else kind


def walk_id(way: tuple[str, str, list[Step]]) -> str:
    return way[0] + ":" + ".".join(step[0] for step in way[2])


@pytest.mark.parametrize("way", [way for way in WAYS if way[1] != "subscription"], ids=walk_id)
async def test_nothing_guarded_answers_without_a_token(
    ask: Ask, world: World, way: tuple[str, str, list[Step]]
) -> None:
    query, given = write(*way)
    payload = await ask(query, **given)
    assert f"'__typename': '{way[0].removesuffix('Connection')}'" not in str(payload)
    assert all(caller is None for _, caller in world.calls)


@pytest.mark.parametrize("way", [way for way in WAYS if way[1] != "subscription"], ids=walk_id)
@pytest.mark.parametrize("token", ["patient", "clinician"])
async def test_guarded_answer_was_decided_with_its_caller(
    ask: Ask, world: World, way: tuple[str, str, list[Step]], token: str
) -> None:
    query, given = write(*way)
    payload = await ask(query, token=token, **given)
    caller = await world.caller(token)
    if f"'__typename': '{way[0]}'" in str(payload):
        assert any(name in GUARDS and asked == caller for name, asked in world.calls)
    assert all(asked == caller for name, asked in world.calls if name in GUARDS)


@pytest.mark.parametrize("target", sorted(GUARDED))
async def test_the_walk_does_release_each_guarded_type_to_its_patient(ask: Ask, target: str) -> None:
    answers = [await ask(write(*way)[0], token="patient", **write(*way)[1]) for way in WAYS if way[0] == target]
    assert any(f"'__typename': '{target}'" in str(payload) for payload in answers)


def test_the_walk_reaches_every_guarded_type() -> None:
    assert {way[0] for way in WAYS} == GUARDED


def test_every_type_that_the_roots_reach_is_classified(schema: GatewaySchema) -> None:
    open_types = {
        *("Actor", "Anchor", "AnchorProof", "AccessEventEdge", "ConsentEdge", "Credential", "DecisionReceipt", "Draft"),
        *("DelegateDraft", "DelegateLimits", "Erasure"),
        *("ImportedBundle", "Mutation", "PageInfo", "Patient", "Query", "RecordEdge", "Refusal", "RevokedAll"),
        *("Session", "SignInChallenge", "StoredRecord", "Subscription"),
        "LinkedIdentity",
        *("DeviceSession", "DeviceSessionConnection", "DeviceSessionEdge", "EndedSessions"),
        *("ControlChange", "NamedGuardians", "OpenedGuardians", "PendingRecovery"),
        *("BarredAccess", "ConsentEffectOnReading", "PermittedAccess", "Reach"),
        "ConsentRequestEdge",
        *("DatasetDecision", "DatasetEdge", "DatasetFile", "DatasetPaper", "DatasetProfile"),
        "PatientDatasetEdge",
        *("ConsentForm", "ConsentFormConnection", "ConsentFormEdge", "ConsentFormText"),
        *("EmergencyEdge", "EmergencyReview", "UnreviewedEmergency", "UnreviewedEmergencyEdge"),
        *("Me", "MyPatient", "MyPatientEdge"),
        *("RecruitingStudy", "RecruitingStudyEdge", "RecruitingStudyConnection"),
        *("StudyActDraft", "StudyEdge", "StudySubjectEdge", "StudyEntry", "StudyEntryEdge", *OF_STUDIES, *OF_SUBJECTS),
    }
    objects = {name for name, type_ in schema._schema.type_map.items() if isinstance(type_, GraphQLObjectType)}
    assert {name for name in objects if not name.startswith("__")} == GUARDED | open_types | PARTS


def test_a_resource_is_reached_through_its_record_alone(schema: GatewaySchema) -> None:
    inside = {*PARTS, "FhirResource"}
    ways = {
        f"{type_.name}.{name}"
        for type_ in schema._schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and type_.name not in inside
        for name, field in type_.fields.items()
        if get_named_type(field.type).name in inside
    }
    assert ways == {"Record.resource"}


def test_out_of_a_resource_only_references_lead(schema: GatewaySchema) -> None:
    """And these ask the service with the caller: test_fhir_references."""
    leading = {
        f"{type_.name}.{name}"
        for type_ in schema._schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and type_.name in PARTS
        for name, field in type_.fields.items()
        if {one.name for one in members(schema._schema, get_named_type(field.type))} - PARTS
    }
    assert leading == {"FhirReference.record", "FhirReference.resource"}


def test_edges_and_receipts_are_reached_through_guarded_types_alone(schema: GatewaySchema) -> None:
    inside = {
        "ConsentRequestEdge": "ConsentRequestConnection",
        "RecordEdge": "RecordConnection",
        "ConsentEdge": "ConsentConnection",
        "AccessEventEdge": "AccessEventConnection",
        "DecisionReceipt": "Record",
        "EmergencyEdge": "EmergencyConnection",
        "EmergencyReview": "Emergency",
        "NamedGuardians": "Guardians",
        "PendingRecovery": "Recovery",
        "UnreviewedEmergencyEdge": "UnreviewedEmergencyConnection",
        "UnreviewedEmergency": "UnreviewedEmergencyEdge",
        "DelegateLimits": "Delegate",
        "DatasetEdge": "DatasetConnection",
        "PatientDatasetEdge": "PatientDatasetConnection",
        "StudyEdge": "StudyConnection",
        "StudySubjectEdge": "StudySubjectConnection",
        "StudyEntryEdge": "StudyEntryConnection",
        "StudyEntry": "StudyEntryEdge",
        **dict.fromkeys(OF_STUDIES, "Study"),
        **OF_SUBJECTS,
        **dict.fromkeys(("DatasetDecision", "DatasetFile", "DatasetPaper", "DatasetProfile"), "Dataset"),
    }
    for type_ in schema._schema.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            for field in type_.fields.values():
                holder = inside.get(get_named_type(field.type).name)
                assert holder is None or type_.name == holder
