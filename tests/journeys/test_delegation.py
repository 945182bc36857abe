"""A parent consents for a child, within what the child's own key signed, until that ends."""

import time
from collections.abc import Callable

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.journeys import documents
from tests.journeys.delegates import carer, delegate_to, draft_delegate, end_delegate, hand_of, shown, submit_delegate
from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.sites import Site
from tests.journeys.sockets import subscribed
from tests.servers.http import rpc


@pytest.fixture(scope="module")
def parent(site: Site) -> Person:
    return carer(site)


def in_force(site: Site, patient: Patient, consent: str) -> bool:
    """The registry's own word."""
    call = keccak(b"inForce(bytes32,bytes32)")[:4]
    call += encode(["bytes32", "bytes32"], [bytes.fromhex(patient.subject[2:]), bytes.fromhex(consent[2:])])
    to = site.gateway.facts()["contracts"]["consent"]
    return int(rpc(site.gateway.rpc, "eth_call", {"to": to, "data": "0x" + call.hex()}, "latest"), 16) == 1


def wait_until(done: Callable[[], bool], *, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_parent_consents_for_a_child_until_they_are_removed(
    site: Site, patient: Patient, parent: Person, clinician: Person
) -> None:
    """The registry says the same at each step."""
    record = patient.store(observation())
    number = delegate_to(patient, parent)
    child = hand_of(patient, parent)
    consent = child.consent(clinician.id, resourceTypes=["Observation"])
    assert clinician.read(record).value["content"] == observation()
    assert in_force(site, patient, consent)
    assert parent.read(record, purpose="PATRQT").code == "NOT_PERMITTED"
    removed = end_delegate(patient.person, patient, number).value
    assert (removed["number"], removed["holds"]) == (number, False)
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    wait_until(lambda: not in_force(site, patient, consent))
    assert child.draft(clinician.id, resourceTypes=["Observation"]).code == "NOT_PERMITTED"


def test_the_draft_says_in_words_what_is_let_and_shows_what_is_hashed(patient: Patient, parent: Person) -> None:
    draft = draft_delegate(patient, parent.id, labels=["HIV"], denies=True, lists=True).value
    assert "READ" in draft["limits"]["actions"]
    assert draft["limits"]["salt"] != "0x" + "00" * 32
    for words in ("consent in my name", "treatment", "Observation", "HIV", "They may forbid, too", "access log"):
        assert words in draft["statement"]
    assert parent.name not in draft["statement"], "a patient's name is told to nobody"
    assert draft["typedData"]["message"]["delegate"] == parent.wallet.signer.lower()


def test_what_stands_already_is_success(patient: Patient, parent: Person) -> None:
    draft = draft_delegate(patient, parent.id).value
    first = submit_delegate(patient.person, draft).value
    assert submit_delegate(patient.person, draft).value == first
    assert [one["number"] for one in shown(patient.person, patient)] == [first["number"]]


def test_the_patient_sees_who_signed_each_consent(patient: Patient, parent: Person, clinician: Person) -> None:
    delegate_to(patient, parent)
    patient.consent(clinician.id)
    hand_of(patient, parent).consent(clinician.id, resourceTypes=["Observation"])
    page = patient.person.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]
    signers = [edge["node"]["signer"] for edge in page["edges"]]
    assert signers == [parent.wallet.signer.lower(), patient.person.wallet.signer.lower()]
    told = [(event["action"], event["actor"]["id"]) for event in patient.access_log()]
    assert ("GRANT", parent.id) in told
    assert ("ADD_DELEGATE", patient.person.id) in told


def test_a_delegate_sees_themselves_and_what_they_signed(
    site: Site, patient: Patient, parent: Person, clinician: Person
) -> None:
    other = carer(site)
    number = delegate_to(patient, parent)
    delegate_to(patient, other)
    own = patient.consent(clinician.id)
    theirs = hand_of(patient, parent).consent(clinician.id, resourceTypes=["Observation"])
    assert [one["number"] for one in shown(parent, patient)] == [number]
    page = parent.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]
    assert [edge["node"]["consentId"] for edge in page["edges"]] == [theirs]
    assert own != theirs
    page = parent.ask(documents.ACCESS_LOG, {"id": patient.id}).value["accessLog"]
    assert page["edges"] == []
    assert "SHOW_CONSENTS" in [event["action"] for event in patient.access_log()]


def test_a_delegate_who_may_see_the_lists_sees_them_and_is_seen(
    patient: Patient, parent: Person, clinician: Person
) -> None:
    own = patient.consent(clinician.id)
    number = delegate_to(patient, parent, lists=True)
    page = parent.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]
    assert [edge["node"]["consentId"] for edge in page["edges"]] == [own]
    page = parent.ask(documents.ACCESS_LOG, {"id": patient.id}).value["accessLog"]
    assert "ADD_DELEGATE" in [edge["node"]["action"] for edge in page["edges"]]
    shown_to = [event["actor"]["id"] for event in patient.access_log() if event["action"] == "SHOW_ACCESS_LOG"]
    assert shown_to == [parent.id]
    end_delegate(patient.person, patient, number).must()
    assert parent.ask(documents.CONSENTS, {"id": patient.id}).value is None
    assert parent.ask(documents.ACCESS_LOG, {"id": patient.id}).value is None


def test_a_delegate_ends_what_they_signed_and_leaves_by_themselves(
    patient: Patient, parent: Person, clinician: Person
) -> None:
    record = patient.store(observation())
    number = delegate_to(patient, parent)
    child = hand_of(patient, parent)
    first = child.consent(clinician.id, resourceTypes=["Observation"])
    assert child.revoke(first).value["status"] == "REVOKED"
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    child.consent(clinician.id, resourceTypes=["Observation"])
    assert clinician.read(record).value["id"] == record
    assert end_delegate(parent, patient, number).value["holds"] is False
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    assert [one["holds"] for one in shown(patient.person, patient)] == [False]


def test_the_patients_own_word_replaces_a_delegates_and_outlives_them(
    site: Site, patient: Patient, parent: Person, clinician: Person
) -> None:
    """The very text: the patient submits it after the delegate did."""
    record = patient.store(observation())
    number = delegate_to(patient, parent)
    typed = hand_of(patient, parent).draft(clinician.id, resourceTypes=["Observation"]).value
    parent.submit(documents.GRANT, typed["typedData"]).must()
    taken = patient.person.submit(documents.GRANT, typed["typedData"]).value
    assert (taken["consentId"], taken["signer"]) == (typed["id"], patient.person.wallet.signer.lower())
    assert (
        hand_of(patient, parent)
        .person.ask(documents.DRAFT_REVOCATION, {"patientId": patient.id, "consentId": typed["id"]})
        .code
        == "NOT_PERMITTED"
    )
    end_delegate(patient.person, patient, number).must()
    assert clinician.read(record).value["id"] == record
    assert in_force(site, patient, typed["id"])


def test_what_a_delegate_forbids_stands_after_them(patient: Patient, parent: Person, clinician: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id)
    number = delegate_to(patient, parent, denies=True)
    forbidden = hand_of(patient, parent).consent(clinician.id, effect="DENY", resourceTypes=["Observation"])
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"
    end_delegate(patient.person, patient, number).must()
    assert clinician.read(record).code == "NOT_PERMITTED"
    assert patient.revoke(forbidden).value["status"] == "REVOKED"
    wait_until(lambda: clinician.once(documents.READ, {"id": record}).code == "")


def test_a_subscription_under_a_delegates_permit_ends_with_the_delegate(
    patient: Patient, parent: Person, clinician: Person
) -> None:
    number = delegate_to(patient, parent)
    hand_of(patient, parent).consent(clinician.id, resourceTypes=["Observation"])
    with subscribed(clinician, documents.RECORD_ADDED, {"id": patient.id}) as arriving:
        record = patient.store(observation())
        item = arriving.next()
        assert item is not None
        assert item["recordAdded"]["id"] == record
        end_delegate(patient.person, patient, number).must()
        assert arriving.next(seconds=5) is None
