"""What waits for the chain is bounded: past the bound nothing is added, and what takes rights away still counts."""

import time
from dataclasses import replace
from pathlib import Path

from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Answer, Door, Patient, sign_in
from tests.journeys.resources import observation
from tests.journeys.sites import running_site

BOUND = 40
NOTHING_IS_ANCHORED = {"BATCH_SECONDS": "3600", "MOST_WAITING": str(BOUND)}


def filled(patient: Patient) -> Answer:
    """Writes until one is refused; the count that is compared is a second old at most."""
    for number in range(BOUND * 4):
        answer = patient.person.store(patient.id, observation(), key=f"key {number}")
        if answer.code:
            return answer
        time.sleep(0.05)
    raise AssertionError("no write was refused")


def test_a_full_outbox_pushes_back_and_hinders_nothing_else(tmp_path: Path) -> None:
    with running_site(tmp_path, settings=NOTHING_IS_ANCHORED) as site:
        patient, clinician = site.crowd.patient(), site.crowd.clinician()
        record = patient.store(observation(), key="first")
        consent = patient.consent(clinician.id)
        assert filled(patient).code == "UNAVAILABLE"
        before = site.rows("records", "versions", "idempotency")
        assert patient.person.store(patient.id, observation(), key="never").code == "UNAVAILABLE"
        assert site.rows("records", "versions", "idempotency") == before
        assert patient.store(observation(), key="first") == record
        assert clinician.read(record).value["id"] == record
        assert patient.revoke(consent).value["status"] == "REVOKED"
        assert clinician.read(record).code == "NOT_PERMITTED"
        site.gateway.stop()
    anchoring = GatewayProcess(tmp_path, {**NOTHING_IS_ANCHORED, "BATCH_SECONDS": "0.5"})
    try:
        door = Door(anchoring.start().base)
        owner = replace(patient, person=sign_in(door, patient.person.wallet))
        deadline = time.monotonic() + 60
        while (answer := owner.person.store(owner.id, observation(), key="later")).code:
            assert (answer.code, time.monotonic() < deadline) == ("UNAVAILABLE", True)
            time.sleep(0.3)
    finally:
        anchoring.stop()
