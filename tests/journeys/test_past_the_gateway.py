"""A patient's wallet revokes on the chain itself. The gateway was not asked, and follows within a block."""

import time

from tests.journeys import documents
from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site
from tests.journeys.wallets import account_of, revocation_call, revocation_of_all_call, send

FOLLOWED_WITHIN_SECONDS = 2.0
"""A block and 250 ms, and what a busy machine of two cores adds."""


def _fund(site: Site, patient: Patient) -> None:
    if site.servers is not None:
        site.servers.chain.fund(account_of(patient).address, 10**18)


def _seconds_until_refused(person: Person, record: str) -> float:
    started = time.monotonic()
    while not person.once(documents.READ, {"id": record}).code:
        assert time.monotonic() - started < 30, "the revocation on the chain is not followed"
        time.sleep(0.02)
    return time.monotonic() - started


def test_a_revocation_past_the_gateway_is_followed(site: Site, patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    consent = patient.consent(clinician.id)
    _fund(site, patient)
    assert clinician.read(record).value["id"] == record
    registry = site.gateway.facts()["contracts"]["consent"]
    receipt = send(site.gateway.rpc, account_of(patient), to=registry, data=revocation_call(patient, consent))
    assert int(receipt["status"], 16) == 1
    assert _seconds_until_refused(clinician, record) < FOLLOWED_WITHIN_SECONDS
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_a_revocation_of_all_past_the_gateway_is_followed(site: Site, patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id)
    _fund(site, patient)
    registry = site.gateway.facts()["contracts"]["consent"]
    receipt = send(site.gateway.rpc, account_of(patient), to=registry, data=revocation_of_all_call(patient, 0))
    assert int(receipt["status"], 16) == 1
    assert _seconds_until_refused(clinician, record) < FOLLOWED_WITHIN_SECONDS
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_the_patient_sees_what_their_wallet_did(site: Site, patient: Patient, clinician: Person) -> None:
    consent = patient.consent(clinician.id)
    _fund(site, patient)
    registry = site.gateway.facts()["contracts"]["consent"]
    send(site.gateway.rpc, account_of(patient), to=registry, data=revocation_call(patient, consent))
    deadline = time.monotonic() + 10
    statuses: list[str] = []
    while "REVOKED" not in statuses and time.monotonic() < deadline:
        page = patient.person.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]
        statuses = [edge["node"]["status"] for edge in page["edges"]]
    assert statuses == ["REVOKED"]
