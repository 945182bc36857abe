"""Breaking the glass at a gateway's door: the few steps that journeys and attacks share."""

import time
from typing import Any

from tests.journeys import documents
from tests.journeys.people import Answer, Crowd, Patient, Person, instant

REASON = "Found unconscious on the street, nobody to ask"
NOTE = "The ambulance's log and the ward's agree with it"


def break_glass(clinician: Person, patient: str, *, minutes: int = 60, reason: str = REASON) -> Answer:
    """Once: a dead chain hinders nothing, so there is nothing to wait out."""
    asked = {"patientId": patient, "kind": "CANNOT_CONSENT", "reason": reason, "minutes": minutes}
    return clinician.once(documents.OPEN_EMERGENCY, {"input": asked})


def opened(clinician: Person, patient: Patient, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = break_glass(clinician, patient.id, **changes).value
    return made


def read_urgently(clinician: Person, record: str) -> Answer:
    return clinician.once(documents.READ, {"id": record, "purpose": "ETREAT"})


def review(reviewer: Person, emergency: str, *, verdict: str = "JUSTIFIED", note: str = NOTE) -> Answer:
    asked = {"emergencyId": emergency, "verdict": verdict, "note": note}
    return reviewer.once(documents.REVIEW_EMERGENCY, {"input": asked})


def told(patient: Patient) -> list[dict[str, Any]]:
    """The patient's own log, newest first."""
    page = patient.person.ask(documents.TOLD, {"id": patient.id}).value["accessLog"]
    return [edge["node"] for edge in page["edges"]]


def joined(crowd: Crowd, organization: Person, *members: Person) -> None:
    """Members by the organization's own signature, known to the gateway on return."""
    for member in members:
        asked = {"organizationId": organization.id, "memberId": member.id, "notAfter": instant(time.time() + 86_400)}
        draft = organization.ask(documents.DRAFT_MEMBERSHIP, {"input": asked}).value
        assert organization.submit(documents.ADD_MEMBER, draft["typedData"]).value["id"] == member.id
