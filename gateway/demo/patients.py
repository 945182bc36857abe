"""What a patient does in any run: is enrolled under a key of their own, stores what is theirs, consents to what they
looked at, and ends it again."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.demo import documents
from gateway.demo.answers import ConsentAnswer, DraftAnswer, ImportedAnswer, Labelled, PatientAnswer, StoredAnswer
from gateway.demo.bundles import Bundle, labels_of_parts
from gateway.demo.client import Gateway
from gateway.demo.model import Deployment, StepFailedError
from gateway.demo.paging import pages
from gateway.demo.roles import Person, register
from gateway.demo.signing import AskedConsent, check_consent, check_revocation
from gateway.demo.wallet import typed_data_digest
from gateway.jsontext import JsonValue

UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A patient under their own key. `subject`: 32 bytes, 0x hex."""

    person: Person
    id: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A consent in force, and what was signed in plain words."""

    id: str
    statement: str


def enrol_patient(gateway: Gateway, deployment: Deployment, *, registrar: Person) -> Enrolled:
    """Registers the patient as an actor and enrols them under their own key."""
    person = register(gateway, deployment, registrar=registrar, role="PATIENT", name="Demo Patient")
    made = gateway.result(
        documents.ENROL, {"input": {"controller": person.wallet.signer}}, PatientAnswer, token=registrar.token
    )
    return Enrolled(person=person, id=made.id, subject=made.subject)


def store_bundle(gateway: Gateway, patient: Enrolled, bundle: Bundle) -> list[StoredAnswer]:
    """The patient stores every resource; one record for each, in their order."""
    total = len(bundle.resources)
    variables = {"patientId": patient.id, "bundle": bundle.wire, "idempotencyKey": secrets.token_hex(16)}
    made = gateway.result(documents.IMPORT, {"input": variables}, ImportedAnswer, token=patient.person.token)
    if len(made.records) != total or len({stored.id for stored in made.records}) != total:
        raise StepFailedError(f"{total} resources went in, {len(made.records)} records came out")
    return made.records


def labels_to_cover(gateway: Gateway, patient: Enrolled, bundle: Bundle) -> tuple[tuple[str, ...], int]:
    """Labels of the patient's own records as they read them, and of labelled parts inside; how many records those
    are."""
    labels = {UNCLASSIFIED, *labels_of_parts(list(bundle.resources))}
    seen = 0
    for nodes in pages(
        gateway,
        documents.LABELS,
        Labelled,
        patient=patient.id,
        connection="records",
        token=patient.person.token,
    ):
        labels.update(label for node in nodes for label in node.labels)
        seen += len(nodes)
    return tuple(sorted(labels)), seen


def grant_consent(
    gateway: Gateway, deployment: Deployment, patient: Enrolled, asked: AskedConsent, *, grantee: str
) -> Granted:
    """A consent that was looked at before it was signed, in force. `grantee`: the actor's global id."""
    said: dict[str, JsonValue] = {
        "patientId": patient.id,
        "granteeId": grantee,
        "actions": list(asked.actions),
        "purposes": list(asked.purposes),
        "labels": list(asked.labels),
        "dataUse": list(asked.data_use),
        "notAfter": instant(asked.not_after),
    }
    draft = gateway.result(documents.DRAFT_CONSENT, {"input": said}, DraftAnswer, token=patient.person.token)
    statement = check_consent(draft.typed_data, asked, deployment=deployment)
    if typed_data_digest(draft.typed_data) != draft.id:
        raise StepFailedError("the draft's id is not its EIP-712 digest; not signed")
    granted = _submit(gateway, patient, draft, documents.GRANT)
    if granted.consent_id != draft.id:
        raise StepFailedError("another consent was granted than was signed")
    if granted.status != "ACTIVE" or granted.transaction_hash is None:
        raise StepFailedError(f"the consent was granted and is {granted.status}")
    return Granted(id=granted.consent_id, statement=statement)


def revoke_consent(gateway: Gateway, deployment: Deployment, patient: Enrolled, consent: str) -> ConsentAnswer:
    """Ends the consent; what the gateway says it is then."""
    draft = gateway.result(
        documents.DRAFT_REVOCATION,
        {"patientId": patient.id, "consentId": consent},
        DraftAnswer,
        token=patient.person.token,
    )
    check_revocation(draft.typed_data, subject=patient.subject, consent=consent, deployment=deployment)
    return _submit(gateway, patient, draft, documents.REVOKE)


def instant(seconds: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _submit(gateway: Gateway, patient: Enrolled, draft: DraftAnswer, document: str) -> ConsentAnswer:
    """Signs a draft that was looked at, and submits it."""
    signature = patient.person.wallet.sign_typed_data(draft.typed_data)
    signed: JsonValue = {"typedData": draft.typed_data, "signature": signature}
    return gateway.result(document, {"input": signed}, ConsentAnswer, token=patient.person.token)
