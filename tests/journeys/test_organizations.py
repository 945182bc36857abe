"""Organizations sign their members themselves. Patients in custody are written for by their custodian, read by none."""

import time
from typing import Any

import pytest

from tests.journeys import documents
from tests.journeys.people import Answer, Patient, Person, instant
from tests.journeys.resources import observation
from tests.journeys.sites import Site


@pytest.fixture
def organization(site: Site) -> Person:
    return site.crowd.register("ORGANIZATION", "Journey Hospital")


@pytest.fixture
def member(site: Site) -> Person:
    return site.crowd.clinician("Dr. Member")


def draft_membership(asker: Person, organization: Person, member: Person, *, seconds: float = 3600) -> Answer:
    asked = {"organizationId": organization.id, "memberId": member.id, "notAfter": instant(time.time() + seconds)}
    return asker.ask(documents.DRAFT_MEMBERSHIP, {"input": asked})


def join(organization: Person, member: Person, *, seconds: float = 3600) -> Any:
    draft = draft_membership(organization, organization, member, seconds=seconds).value
    return organization.submit(documents.ADD_MEMBER, draft["typedData"]).value


def test_a_member_reads_what_the_organization_was_permitted(
    patient: Patient, organization: Person, member: Person
) -> None:
    record = patient.store(observation())
    patient.consent(organization.id)
    assert member.read(record).code == "NOT_PERMITTED"
    assert join(organization, member)["organizations"] == [{"id": organization.id}]
    assert member.read(record).value["id"] == record


def test_the_end_of_a_membership_ends_access(patient: Patient, organization: Person, member: Person) -> None:
    record = patient.store(observation())
    patient.consent(organization.id)
    join(organization, member)
    assert member.read(record).value["id"] == record
    assert join(organization, member, seconds=-10)["organizations"] == []
    assert member.read(record).code == "NOT_PERMITTED"


def test_a_deny_of_an_organization_reaches_its_members(patient: Patient, organization: Person, member: Person) -> None:
    record = patient.store(observation())
    patient.consent(member.id)
    patient.consent(organization.id, effect="DENY", minutes=None)
    assert member.read(record).value["id"] == record
    join(organization, member)
    assert member.read(record).code == "NOT_PERMITTED"


def test_a_registrar_cannot_draft_a_membership(site: Site, organization: Person, member: Person) -> None:
    assert draft_membership(site.crowd.registrar, organization, member).code == "NOT_PERMITTED"


def test_a_registrar_cannot_submit_a_membership(site: Site, organization: Person, member: Person) -> None:
    draft = draft_membership(organization, organization, member).value
    assert site.crowd.registrar.submit(documents.ADD_MEMBER, draft["typedData"]).code == "NOT_PERMITTED"


def test_a_member_cannot_join_by_a_signature_of_their_own(organization: Person, member: Person) -> None:
    draft = draft_membership(organization, organization, member).value
    signature = member.wallet.sign_typed_data(draft["typedData"])
    forged = {"typedData": draft["typedData"], "signature": signature}
    assert organization.ask(documents.ADD_MEMBER, {"input": forged}).code == "INVALID"


def test_an_old_membership_cannot_be_replayed_after_its_end(
    patient: Patient, organization: Person, member: Person
) -> None:
    record = patient.store(observation())
    patient.consent(organization.id)
    old = draft_membership(organization, organization, member).value["typedData"]
    organization.submit(documents.ADD_MEMBER, old).must()
    join(organization, member, seconds=-10)
    assert organization.submit(documents.ADD_MEMBER, old).code == "CONFLICT"
    assert member.read(record).code == "NOT_PERMITTED"


def test_a_custodian_appends_and_nobody_reads(site: Site, clinician: Person) -> None:
    registrar = site.crowd.registrar
    patient = registrar.ask(documents.ENROL, {"input": {}}).value["id"]
    record = registrar.store(patient, observation()).value["id"]
    assert {person.read(record).code for person in (registrar, clinician)} == {"NOT_PERMITTED"}
    assert registrar.read(record, purpose="HOPERAT").code == "NOT_PERMITTED"
    assert registrar.amend(record, observation(value="1"), version=1).code == "NOT_PERMITTED"
    assert clinician.store(patient, observation()).code == "NOT_PERMITTED"


def test_nobody_consents_for_a_patient_in_custody(site: Site, clinician: Person) -> None:
    registrar = site.crowd.registrar
    patient = registrar.ask(documents.ENROL, {"input": {}}).value
    kept = Patient(person=registrar, id=patient["id"], subject=patient["subject"])
    assert kept.draft(clinician.id).code == "NOT_PERMITTED"


@pytest.mark.parametrize("document", [documents.REGISTER, documents.ENROL])
def test_only_a_registrar_registers_and_enrols(site: Site, clinician: Person, document: str) -> None:
    asked = {"key": clinician.wallet.signer, "roles": ["CLINICIAN"], "name": "Nobody"}
    given = asked if document is documents.REGISTER else {"controller": clinician.wallet.signer}
    assert clinician.ask(document, {"input": given}).code == "NOT_PERMITTED"
    assert site.door.ask(document, {"input": given}).code in {"UNAUTHENTICATED", "NOT_PERMITTED"}
