"""The documents of the walk, written from the printed schema, and what an answer to them released."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphql import DocumentNode, FieldNode, TypeInfo, TypeInfoVisitor, Visitor, parse, visit

from gateway.consent.model import ANYONE
from gateway.ids import to_global
from tests.attacks.door.fields import WAYS, leaves, printed
from tests.attacks.door.table import PURPOSE
from tests.attacks.door.world import Case
from tests.attacks.study import TITLE

SCHEMA: Final = printed()
_ALL: Final = {
    name: leaves(SCHEMA, name)
    for name in (
        *("Record", "Consent", "AccessEvent", "AuditEntry", "Emergency", "Dataset", "PatientDataset"),
        *("Study", "StudySubject", "StudyForm", "StudyQuery", "StudyEntry"),
    )
}
_RECORD: Final = (
    f"{_ALL['Record']} receipt {{ {leaves(SCHEMA, 'DecisionReceipt')} }} author {{ name }}"
    " resource { id ... on FhirObservation { code { text } valueString subject { record { __typename } } } }"
)
LISTS: Final = {
    "P": f"records(purpose: $purpose, first: 2)"
    f" {{ edges {{ cursor node {{ {_RECORD} }} }} pageInfo {{ hasNextPage }} }}",
    "P2": f"timeline(purpose: $purpose, last: 2)"
    f" {{ edges {{ cursor node {{ {_RECORD} }} }} pageInfo {{ hasPreviousPage }} }}",
    "P3": f"latest(purpose: $purpose, first: 2)"
    f" {{ edges {{ cursor node {{ {_RECORD} }} }} pageInfo {{ hasNextPage }} }}",
    "C": f"consents(first: 2) {{ edges {{ cursor node {{ {_ALL['Consent']} grantee {{ name }} }} }} }}",
    "q": "consentRequests(first: 2) { edges { cursor node { id reason asker { name } } } }",
    "L": f"accessLog(first: 2) {{ edges {{ cursor node {{ {_ALL['AccessEvent']} }} }} }}",
    "F": f"emergencies(first: 2) {{ edges {{ cursor node {{ {_ALL['Emergency']} }} }} }}",
    "K": "credentials { id name }",
    "U": "guardians { current { hash opened { signers threshold salt guardians { name } } } nextFrom }",
    "p": f"datasets(first: 2) {{ edges {{ cursor node {{ {_ALL['PatientDataset']} requester {{ name }} }} }} }}",
    "Z": "delegates { number signer holds limits { lists labels purposes actor { name } } }",
}
FIELDS: Final = {
    "R": f"record(id: $record, purpose: $purpose)"
    f" {{ __typename ... on Record {{ {_RECORD} patient {{ ...Lists }} }} }}",
    "N": f"node(id: $record) {{ __typename ... on Record {{ {_RECORD} }} }}",
    "V": "patient(id: $patient) { ...Lists }",
    "V2": "node(id: $patient) { ... on Patient { ...Lists } }",
    "G": f"node(id: $consent) {{ __typename ... on Consent {{ {_ALL['Consent']} }} }}",
    "L": f"node(id: $event) {{ __typename ... on AccessEvent {{ {_ALL['AccessEvent']} }} }}",
    "D": f"node(id: $decision) {{ __typename ... on AuditEntry {{ {_ALL['AuditEntry']} }} }}",
    "E": f"emergency(id: $emergency) {{ __typename ... on Emergency {{ {_ALL['Emergency']}"
    f" accesses {{ {_ALL['AccessEvent']} }} clinician {{ name }} patient {{ ...Lists }} }} }}",
    "E2": f"node(id: $emergency) {{ __typename ... on Emergency {{ {_ALL['Emergency']} }} }}",
    "Q": "emergencyReport { __typename }",
    "a": "sentConsentRequests(first: 50)"
    " { edges { cursor node { id reason statement patient { subject } consent { consentId } } } }",
    "x": "explainAccess(recordId: $record)"
    " { __typename ... on AccessExplanation { permitted { purpose grantee { name } } barred { consentId } } }",
    "x2": "whoCanSee(patientId: $patient) { __typename ... on Outlook { records reaches { records } } }",
    "x3": "previewConsent(input: {patientId: $patient, granteeId: $grantee, purposes: [TREAT], effect: DENY})"
    " { __typename ... on ConsentPreview { statement effects { before } } }",
    "m": "me { __typename patients(first: 50) { edges { cursor node { relations patient { id subject } } } } }",
    "w": "me { __typename consents(first: 2, filter: {patientId: $patient})"
    f" {{ edges {{ cursor node {{ {_ALL['Consent']} grantee {{ name }} patient {{ id }} }} }} }} }}",
    "d": f"dataset(id: $dataset) {{ __typename {_ALL['Dataset']} profile {{ name }} requester {{ name }}"
    " decision { reason steward { name } } papers { kind text } files { name path } }",
    "d2": f"node(id: $dataset) {{ __typename ... on Dataset {{ {_ALL['Dataset']} papers {{ text }} }} }}",
    "s": "datasets(first: 2) { edges { cursor node { id title } } }",
    "r": "datasetReport(datasetId: $dataset) { __typename ... on DatasetReport { html } }",
    "b": "me { __typename datasets(first: 2) { edges { cursor node { id title } } } }",
    "I": "recovery(patientId: $patient) { __typename ... on Recovery { guardians threshold pending { readyAt } } }",
}
STUDIED: Final = {
    "t": f"study(id: $study) {{ __typename {_ALL['Study']} subject(patientId: $patient) {{ {_ALL['StudySubject']}"
    f" forms {{ {_ALL['StudyForm']} record {{ __typename ... on Record {{ content }} }}"
    f" recordAt(version: 1) {{ __typename ... on Record {{ content }} }} }}"
    f" queries {{ {_ALL['StudyQuery']} words {{ text }} }} }}"
    f" subjects(first: 50) {{ edges {{ cursor node {{ patientId }} }} }}"
    f" willing {{ patientId at }} trail(first: 100) {{ edges {{ cursor node {{ {_ALL['StudyEntry']} }} }} }} }}",
    "t2": f"node(id: $study) {{ __typename ... on Study {{ {_ALL['Study']} }} }}",
    "match": "studyMatch(studyId: $study, patientId: $patient)"
    " { __typename ... on StudyMatch { fit criteria { text why evidence } } }",
    "v": "myStudies(first: 20) { edges { cursor node { id title } } }",
}
"""Likewise of studies: they are documents of their own."""
_ASKED: Final = FIELDS | STUDIED
_VARIABLES: Final = {
    "purpose": "PurposeOfUse!",
    **dict.fromkeys(
        ("record", "patient", "consent", "event", "decision", "emergency", "dataset", "grantee", "study"), "ID!"
    ),
}


def query(fields: Iterable[str] = FIELDS, lists: Iterable[str] = LISTS) -> str:
    """These fields at once, with these lists of each patient that they reach."""
    asked = " ".join(f"{alias}: {_ASKED[alias]}" for alias in fields)
    parts = f"fragment Lists on Patient {{ subject {' '.join(LISTS[letter] for letter in lists)} }}"
    text = f"{{ {asked} }} {parts if '...Lists' in asked else ''}"
    declared = ", ".join(f"${name}: {kind}" for name, kind in _VARIABLES.items() if f"${name}" in text)
    return f"query {f'Walk({declared})' if declared else ''} {text}"


ASKED: Final = "Asked-"
"""So begins the reason of the one request that a case holds (door.world)."""
_ORDERS: Final = ("P", "P2", "P3")
WHOLE: Final = (
    query(lists=_ORDERS),
    query(lists=[letter for letter in LISTS if letter not in _ORDERS]),
    query(STUDIED, []),
)
"""Everything at once, in as many documents as the number of fields wants."""
ONE_BY_ONE: Final = (
    *(query([alias], []) for alias in _ASKED),
    *(query(["V"], [letter]) for letter in LISTS),
)
"""The same apart: where one of them fails, the others still say what they release."""
STREAMS: Final = {
    "S": f"subscription ($patient: ID!, $purpose: PurposeOfUse!) {{ recordAdded(patientId: $patient, purpose: $purpose)"
    f" {{ {_RECORD} }} }}",
    "c": f"subscription ($patient: ID!) {{ consentChanged(patientId: $patient) {{ {_ALL['Consent']} }} }}",
    "F": f"subscription ($patient: ID!) {{ emergencyOpened(patientId: $patient) {{ {_ALL['Emergency']} }} }}",
}
STUDY_STREAMS: Final = {
    name: f"subscription ($study: ID!) {{ {name}(studyId: $study) {{ {_ALL[item]} }} }}"
    for name, item in (("studyQueryChanged", "StudyQuery"), ("subjectEnrolled", "StudySubject"))
}
"""Of what happens in the study, whose subject whoever is."""
_LISTED: Final = {
    "records": "P",
    "timeline": "P",
    "latest": "P",
    "consents": "C",
    "accessLog": "L",
    "emergencies": "F",
    "consentRequests": "q",
    "datasets": "p",
}
_NOTHING: Final[Mapping[str, Any]] = {"edges": []}
_TYPES: Final = {
    "R": "Record",
    "N": "Record",
    "G": "Consent",
    "L": "AccessEvent",
    "D": "AuditEntry",
    "E": "Emergency",
    "E2": "Emergency",
    "Q": "UnreviewedEmergencyConnection",
    "I": "Recovery",
    "x": "AccessExplanation",
    "x2": "Outlook",
    "x3": "ConsentPreview",
    "d": "Dataset",
    "d2": "Dataset",
    "r": "DatasetReport",
    "t": "Study",
    "t2": "Study",
    "match": "StudyMatch",
}


def variables(case: Case, role: str) -> dict[str, Any]:
    """A subject's names, and the role's own purpose; in the state of broken glass an emergency's."""
    urgent = case.state == "broken_glass" and role != "patient"
    return {
        "record": to_global("Record", case.record),
        "patient": to_global("Patient", case.subject),
        "purpose": "ETREAT" if urgent else PURPOSE[role],
        "consent": to_global("Consent", case.consent),
        "event": to_global("AccessEvent", case.decision),
        "decision": to_global("Decision", case.decision),
        "emergency": to_global("Emergency", case.emergency),
        "dataset": to_global("Dataset", case.dataset),
        "grantee": to_global("Actor", ANYONE),
        "study": to_global("Study", case.study),
    }


def letters(data: Mapping[str, Any] | None, subject: bytes) -> set[str]:
    """What an answer released of a subject's."""
    found: set[str] = set()
    for alias, value in (data or {}).items():
        if value is None:
            continue
        if alias in ("V", "V2"):
            found.add("V")
            found |= listed(value)
        elif alias in ("m", "w"):
            found |= {alias} if to_global("Patient", subject) in own(value) else set()
        elif alias == "v":
            # The house's own is a deed.
            found |= {alias} if any(edge["node"]["title"] == TITLE for edge in value["edges"]) else set()
        elif alias in ("s", "b"):
            found |= {alias} if value.get("datasets", value)["edges"] else set()
        elif alias == "a":
            asked = [edge["node"] for edge in value["edges"]]
            # Every role's own attempt to ask is a deed: see door.deeds.
            found |= {"a"} if any(one["reason"].startswith(ASKED) for one in asked) else set()
        elif value["__typename"] == _TYPES[alias]:
            found.add("2" if alias == "match" else alias[0])
            found |= listed(value.get("patient"))
            found |= studied(value, to_global("Patient", subject)) if alias == "t" else set()
        else:
            assert value["__typename"] == "Refusal"
    return found


def own(me: Mapping[str, Any]) -> set[str]:
    """Of which patients somebody's own lists tell."""
    nodes = [edge["node"] for name in ("patients", "consents") for edge in me.get(name, _NOTHING)["edges"]]
    return {node["patient"]["id"] for node in nodes}


def studied(study: Mapping[str, Any], patient: str) -> set[str]:
    """What a study told of a patient, and of its journal."""
    one, among = study["subject"], [edge["node"]["patientId"] for edge in study["subjects"]["edges"]]
    assert (one is not None) == (patient in among), "a list tells of a subject whom nobody is shown, or hides one"
    if one is None:
        told = set()
    else:
        assert one["patientId"] == patient
        assert one["forms"]
        assert one["queries"]
        told = {"u"} | {"f" for form in one["forms"] if form["record"]["__typename"] == "Record"}
    entries = [edge["node"] for edge in study["trail"]["edges"]]
    assert one is not None or all(entry["patientId"] != patient for entry in entries)
    assert all(one["patientId"] != patient for one in study["willing"])
    return told | ({"i"} if entries else set()) | ({"3"} if study["willing"] else set())


def listed(patient: Mapping[str, Any] | None) -> set[str]:
    """Which of a patient's lists hold something."""
    if patient is None:
        return set()
    found = {letter for name, letter in _LISTED.items() if patient.get(name, _NOTHING)["edges"]}
    orders = [patient[name] for name in ("records", "timeline", "latest") if name in patient]
    assert len({bool(page["edges"]) for page in orders}) < 2, "one order releases what another does not"
    for page in orders:
        assert page["edges"] or not any(page["pageInfo"].values()), "an empty page tells that more follow"
    return (
        found
        | {letter for name, letter in (("credentials", "K"), ("delegates", "Z")) if patient.get(name)}
        | ({"U"} if (patient.get("guardians") or {}).get("current") else set())
    )


class _Fields(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: set[str] = set()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent = self.types.get_parent_type()
        if parent is not None:
            self.found.add(f"{parent.name}.{node.name.value}")


def asked_fields(documents: list[DocumentNode]) -> set[str]:
    """Every field that some of these documents asks for."""
    types = TypeInfo(SCHEMA)
    seeing = _Fields(types)
    for document in documents:
        visit(document, TypeInfoVisitor(types, seeing))
    return seeing.found


def walked(*more: str) -> set[str]:
    """The ways that the query, the streams and `more` go."""
    texts = [*WHOLE, *STREAMS.values(), *STUDY_STREAMS.values(), *more]
    return asked_fields([parse(text) for text in texts]) & set(WAYS)
