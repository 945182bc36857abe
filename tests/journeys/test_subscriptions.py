"""Subscriptions over graphql-transport-ws: each item is decided afresh, and a revocation ends them at once."""

import time

import pytest
import redis

from gateway.adapters.redis_bus import PREFIX
from gateway.ids import parse_global
from tests.journeys import documents
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.resources import HIV_POSITIVE, condition, observation
from tests.journeys.sites import Site
from tests.journeys.sockets import subscribed


def test_a_record_arrives_as_it_is_stored(patient: Patient, clinician: Person) -> None:
    patient.consent(clinician.id)
    with subscribed(clinician, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        record = patient.store(observation())
        item = subscription.next()
        assert item is not None
        assert item["recordAdded"]["id"] == record


def test_a_record_that_the_consent_does_not_cover_does_not_arrive(patient: Patient, clinician: Person) -> None:
    patient.consent(clinician.id)
    with subscribed(clinician, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        patient.store(condition(code=HIV_POSITIVE))
        shown = patient.store(observation())
        item = subscription.next()
        assert item is not None
        assert item["recordAdded"]["id"] == shown


def test_a_revocation_ends_the_subscription_at_once(patient: Patient, clinician: Person) -> None:
    consent = patient.consent(clinician.id)
    with subscribed(clinician, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        patient.store(observation())
        assert subscription.next() is not None
        revocation = patient.revocation(consent)
        patient.person.submit(documents.REVOKE, revocation).must()
        returned = time.monotonic()
        assert subscription.next(seconds=5) is None
        assert time.monotonic() - returned < 2


def test_nothing_arrives_after_a_revocation(patient: Patient, clinician: Person) -> None:
    consent = patient.consent(clinician.id)
    with subscribed(clinician, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        patient.revoke(consent).must()
        patient.store(observation())
        assert subscription.next(seconds=5) is None


def test_a_hint_that_names_another_patients_record_gives_nothing(
    site: Site, patient: Patient, clinician: Person
) -> None:
    """Whoever can write into redis says what arrived. The clinician may read both patients."""
    if site.servers is None:
        return  # hints stay in the process
    other = site.crowd.patient()
    elsewhere = other.store(observation())
    other.consent(clinician.id)
    patient.consent(clinician.id)
    assert clinician.read(elsewhere).value["id"] == elsewhere
    with subscribed(clinician, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        client = redis.Redis.from_url(site.servers.redis.url)
        hint = b"forged\x00record:" + parse_global(elsewhere)[1]
        assert client.publish(f"{PREFIX}subject:{patient.subject[2:]}", hint) >= 1
        client.close()
        own = patient.store(observation())
        item = subscription.next()
        assert item is not None
        assert item["recordAdded"]["id"] == own


def test_a_stranger_gets_no_item(patient: Patient, stranger: Person) -> None:
    with subscribed(stranger, documents.RECORD_ADDED, {"id": patient.id}) as subscription:
        patient.store(observation())
        assert subscription.next() is None


def test_the_patient_hears_of_their_consents(patient: Patient, clinician: Person) -> None:
    with subscribed(patient.person, documents.CONSENT_CHANGED, {"id": patient.id}) as subscription:
        consent = patient.consent(clinician.id)
        item = subscription.next()
        assert item is not None
        assert item["consentChanged"]["consentId"] == consent
        patient.revoke(consent).must()
        statuses = []
        while "REVOKED" not in statuses:
            item = subscription.next()
            assert item is not None
            statuses.append(item["consentChanged"]["status"])


def test_nobody_else_hears_of_the_patients_consents(patient: Patient, clinician: Person) -> None:
    patient.consent(clinician.id)
    with subscribed(clinician, documents.CONSENT_CHANGED, {"id": patient.id}) as subscription:
        assert subscription.next() is None


@pytest.mark.parametrize("document", [documents.RECORD_ADDED, documents.CONSENT_CHANGED])
def test_a_patient_who_does_not_exist_is_like_one_who_is_not_visible(clinician: Person, document: str) -> None:
    with subscribed(clinician, document, {"id": unknown_id("Patient", 32)}) as subscription:
        assert subscription.next(seconds=5) is None
