"""One patient's way through the gateway: enrol, import, consent, be read, be refused, prove, revoke, look it up.

Each step counts what was as it must be and notes what was not. A step that cannot go on raises StepFailedError; what
hangs on it is then not tried.
"""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from gateway.demo import documents
from gateway.demo.answers import ReadRecord, StoredAnswer
from gateway.demo.bundles import Bundle
from gateway.demo.checking import same_json
from gateway.demo.client import Gateway
from gateway.demo.model import Deployment
from gateway.demo.paging import pages
from gateway.demo.patients import (
    Enrolled,
    enrol_patient,
    grant_consent,
    labels_to_cover,
    revoke_consent,
    store_bundle,
)
from gateway.demo.progress import Advance, Stages
from gateway.demo.roles import Cast
from gateway.demo.rpc import Chain
from gateway.demo.signing import AskedConsent
from gateway.demo.tally import Tally

DAY_SECONDS = 86_400
ACTIONS = ("READ", "WRITE")
PURPOSES = ("TREAT",)


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


def enrol(journey: Journey) -> Enrolled:
    """Registers the patient as an actor and enrols them under their own key."""
    with journey.stage("enrol", "enrolling the patient"):
        return enrol_patient(journey.gateway, journey.deployment, registrar=journey.cast.registrar)


def import_bundle(journey: Journey, patient: Enrolled) -> list[StoredAnswer]:
    """The patient stores every resource; one record for each, in their order."""
    total = len(journey.bundle.resources)
    with journey.stage("import", "importing", total=total) as advance:
        made = store_bundle(journey.gateway, patient, journey.bundle)
        for at, stored in enumerate(made):
            if stored.version == 1:
                journey.tally.stored += 1
            else:
                journey.tally.fail(f"resource {at}: stored as version {stored.version}")
        advance(total)
        return made


def grant(journey: Journey, patient: Enrolled) -> str:
    """The patient's consent for the clinician, looked at before it is signed. Returns its id."""
    with journey.stage("consent", "consenting"):
        clinician = journey.cast.clinician
        granted = grant_consent(
            journey.gateway, journey.deployment, patient, _asked(journey, patient), grantee=clinician.id
        )
        journey.tally.statement = granted.statement
        return granted.id


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
        ended = revoke_consent(journey.gateway, journey.deployment, patient, consent)
        returned = time.perf_counter()
        if ended.status != "REVOKED" or ended.consent_id != consent:
            journey.tally.fail(f"the consent was revoked and is {ended.status}")
        return returned


def _asked(journey: Journey, patient: Enrolled) -> AskedConsent:
    labels, seen = labels_to_cover(journey.gateway, patient, journey.bundle)
    if seen != len(journey.bundle.resources):
        journey.tally.fail(f"the patient sees {seen} of their {len(journey.bundle.resources)} records")
    now = int(time.time())
    return AskedConsent(
        subject=patient.subject,
        grantee=journey.cast.clinician.actor,
        grantee_name=journey.cast.clinician.name,
        actions=ACTIONS,
        purposes=PURPOSES,
        labels=labels,
        now=now,
        not_after=now + DAY_SECONDS,
    )
