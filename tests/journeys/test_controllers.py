"""Whatever key a patient has, they grant and revoke with it; and they sign in by a key that theirs has linked."""

import pytest

from tests.journeys import documents
from tests.journeys.controllers import KINDS, enrolled, link
from tests.journeys.people import Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site


@pytest.mark.parametrize("kind", KINDS)
def test_a_patient_grants_and_revokes_with_their_key(site: Site, clinician: Person, kind: str) -> None:
    patient = enrolled(site, KINDS[kind](site))
    assert patient.draft(clinician.id).code == "NOT_PERMITTED"
    assert link(patient).value["linked"] is True
    record = patient.store(observation())
    assert patient.own() == [record]
    assert clinician.read(record).code == "NOT_PERMITTED"
    consent = patient.consent(clinician.id)
    assert clinician.read(record).value["content"] == observation()
    assert patient.revoke(consent).value["status"] == "REVOKED"
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    patient.consent(clinician.id)
    assert clinician.read(record).value["id"] == record
    assert patient.revoke_all().value["epoch"] == 1
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"


def test_a_credential_is_seen_by_its_patient_and_ends_when_unlinked(site: Site) -> None:
    patient = enrolled(site, KINDS["passkey"](site))
    assert link(patient).code == ""
    shown = patient.person.ask(documents.CREDENTIALS, {"id": patient.id}).value["credentials"]
    assert shown == [{"id": patient.person.id}]
    record = patient.store(observation())
    assert link(patient, linked=False).value["linked"] is False
    assert patient.person.read(record, purpose="PATRQT").code == "NOT_PERMITTED"
    assert patient.person.ask(documents.CREDENTIALS, {"id": patient.id}).value is None
