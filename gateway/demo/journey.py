"""One patient's way through the gateway: enrol, import, consent, be read, be refused, prove, revoke, look it up.

Each step counts what was as it must be and notes what was not. A step that cannot go on raises StepFailedError; what
hangs on it is then not tried.
"""

import secrets
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.demo import documents
from gateway.demo.answers import (
    ConsentAnswer,
    DraftAnswer,
    ImportedAnswer,
    Labelled,
    PatientAnswer,
    ReadRecord,
    StoredAnswer,
)
from gateway.demo.bundles import Bundle, labels_of_parts
from gateway.demo.checking import same_json
from gateway.demo.client import Gateway
from gateway.demo.model import Deployment, StepFailedError
from gateway.demo.paging import pages
from gateway.demo.progress import Advance, Stages
from gateway.demo.roles import Cast, Person, register
from gateway.demo.rpc import Chain
from gateway.demo.signing import AskedConsent, check_consent, check_revocation
from gateway.demo.tally import Tally
from gateway.demo.wallet import typed_data_digest
from gateway.jsontext import JsonValue

DAY_SECONDS = 86_400
ACTIONS = ("READ", "WRITE")
PURPOSES = ("TREAT",)
UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What every step of one bundle needs."""

    gateway: Gateway
    chain: Chain
    deployment: Deployment
    cast: Cast
    bundle: Bundle = field(repr=False)
    tally: Tally
    stages: Stages

    def stage(self, key: str, words: str, *, total: int = 0) -> AbstractContextManager[Advance]:
        name = f"{self.tally.title}: {words}"
        return self.stages.stage(name, total=total, durations=self.tally.durations, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A patient under their own key. `subject`: 32 bytes, 0x hex."""

    person: Person
    id: str
    subject: str


def enrol(journey: Journey) -> Enrolled:
    """Registers the patient as an actor and enrols them under their own key."""
    with journey.stage("enrol", "enrolling the patient"):
        registrar = journey.cast.registrar
        person = register(journey.gateway, journey.deployment, registrar=registrar, role="PATIENT", name="Demo Patient")
        made = journey.gateway.result(
            documents.ENROL, {"input": {"controller": person.wallet.signer}}, PatientAnswer, token=registrar.token
        )
        return Enrolled(person=person, id=made.id, subject=made.subject)


def import_bundle(journey: Journey, patient: Enrolled) -> list[StoredAnswer]:
    """The patient stores every resource; one record for each, in their order."""
    total = len(journey.bundle.resources)
    with journey.stage("import", "importing", total=total) as advance:
        variables = {
            "patientId": patient.id,
            "bundle": journey.bundle.wire,
            "idempotencyKey": secrets.token_hex(16),
        }
        made = journey.gateway.result(
            documents.IMPORT, {"input": variables}, ImportedAnswer, token=patient.person.token
        )
        if len(made.records) != total or len({stored.id for stored in made.records}) != total:
            raise StepFailedError(f"{total} resources went in, {len(made.records)} records came out")
        for at, stored in enumerate(made.records):
            if stored.version == 1:
                journey.tally.stored += 1
            else:
                journey.tally.fail(f"resource {at}: stored as version {stored.version}")
        advance(total)
        return made.records


def grant(journey: Journey, patient: Enrolled) -> str:
    """The patient's consent for the clinician, looked at before it is signed. Returns its id."""
    with journey.stage("consent", "consenting"):
        asked = _asked(journey, patient)
        draft = journey.gateway.result(
            documents.DRAFT_CONSENT,
            {
                "input": {
                    "patientId": patient.id,
                    "granteeId": journey.cast.clinician.id,
                    "actions": list(asked.actions),
                    "purposes": list(asked.purposes),
                    "labels": list(asked.labels),
                    "notAfter": _instant(asked.not_after),
                }
            },
            DraftAnswer,
            token=patient.person.token,
        )
        journey.tally.statement = check_consent(draft.typed_data, asked, deployment=journey.deployment)
        if typed_data_digest(draft.typed_data) != draft.id:
            raise StepFailedError("the draft's id is not its EIP-712 digest; not signed")
        granted = _submit(journey, patient, draft, documents.GRANT)
        if granted.consent_id != draft.id:
            raise StepFailedError("another consent was granted than was signed")
        if granted.status != "ACTIVE" or granted.transaction_hash is None:
            raise StepFailedError(f"the consent was granted and is {granted.status}")
        return granted.consent_id


def read_all(journey: Journey, patient: Enrolled, stored: list[StoredAnswer]) -> list[ReadRecord]:
    """The clinician reads everything, page by page, and compares it with what went in."""
    expected = dict(zip((one.id for one in stored), journey.bundle.resources, strict=True))
    found: list[ReadRecord] = []
    with journey.stage("read", "reading as the clinician", total=len(stored)) as advance:
        for nodes in pages(
            journey.gateway,
            documents.RECORDS,
            ReadRecord,
            patient=patient.id,
            connection="records",
            token=journey.cast.clinician.token,
        ):
            found += nodes
            advance(len(nodes))
        for record in found:
            resource = expected.pop(record.id, None)
            if resource is None:
                journey.tally.fail(f"record {record.id}: read twice, or never stored")
            elif record.version != 1 or record.resource_type != resource["resourceType"]:
                journey.tally.fail(f"record {record.id}: another version or type than was stored")
            elif record.author.id != patient.person.id:
                journey.tally.fail(f"record {record.id}: not by its author")
            elif not same_json(record.content, resource):
                journey.tally.fail(f"record {record.id} ({record.resource_type}): the content is not what went in")
            else:
                journey.tally.read_back += 1
        if expected:
            journey.tally.fail(f"{len(expected)} records were not read back")
    return found


def revoke(journey: Journey, patient: Enrolled, consent: str) -> float:
    """Ends the consent. Returns when revokeConsent returned, by the performance counter."""
    with journey.stage("revoke", "revoking"):
        draft = journey.gateway.result(
            documents.DRAFT_REVOCATION,
            {"patientId": patient.id, "consentId": consent},
            DraftAnswer,
            token=patient.person.token,
        )
        check_revocation(draft.typed_data, subject=patient.subject, consent=consent, deployment=journey.deployment)
        ended = _submit(journey, patient, draft, documents.REVOKE)
        returned = time.perf_counter()
        if ended.status != "REVOKED" or ended.consent_id != consent:
            journey.tally.fail(f"the consent was revoked and is {ended.status}")
        return returned


def _submit(journey: Journey, patient: Enrolled, draft: DraftAnswer, document: str) -> ConsentAnswer:
    """Signs a draft that was looked at, and submits it."""
    signature = patient.person.wallet.sign_typed_data(draft.typed_data)
    signed: JsonValue = {"typedData": draft.typed_data, "signature": signature}
    return journey.gateway.result(document, {"input": signed}, ConsentAnswer, token=patient.person.token)


def _asked(journey: Journey, patient: Enrolled) -> AskedConsent:
    """Labels: those of the patient's own records as they read them, and of labelled parts inside."""
    labels = {UNCLASSIFIED, *labels_of_parts(list(journey.bundle.resources))}
    seen = 0
    for nodes in pages(
        journey.gateway,
        documents.LABELS,
        Labelled,
        patient=patient.id,
        connection="records",
        token=patient.person.token,
    ):
        labels.update(label for node in nodes for label in node.labels)
        seen += len(nodes)
    if seen != len(journey.bundle.resources):
        journey.tally.fail(f"the patient sees {seen} of their {len(journey.bundle.resources)} records")
    now = int(time.time())
    return AskedConsent(
        subject=patient.subject,
        grantee=journey.cast.clinician.actor,
        grantee_name=journey.cast.clinician.name,
        actions=ACTIONS,
        purposes=PURPOSES,
        labels=tuple(sorted(labels)),
        now=now,
        not_after=now + DAY_SECONDS,
    )


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
