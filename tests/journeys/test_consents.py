"""What a consent lets through, end to end: each criterion of its scope, denies, organizations, and its end."""

import time

from tests.journeys import documents
from tests.journeys.people import Patient, Person, instant
from tests.journeys.resources import HIV_POSITIVE, LOINC, SYSTOLIC, WEIGHT, condition, observation
from tests.journeys.sites import Site


def test_a_record_is_read_under_a_consent_and_not_without(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    assert clinician.read(record).code == "NOT_PERMITTED"
    patient.consent(clinician.id)
    assert clinician.read(record).value["content"] == observation()


def test_a_consent_names_its_reader_alone(patient: Patient, clinician: Person, stranger: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id)
    assert stranger.read(record).code == "NOT_PERMITTED"
    assert stranger.node(record).value is None
    assert stranger.ask(documents.PATIENT, {"id": patient.id}).value is None


def test_a_sensitive_record_is_read_under_its_label_alone(patient: Patient, clinician: Person) -> None:
    record = patient.store(condition(code=HIV_POSITIVE))
    patient.consent(clinician.id)
    assert clinician.read(record).code == "NOT_PERMITTED"
    patient.consent(clinician.id, labels=["HIV"])
    assert clinician.read(record).value["labels"] == ["HIV"]


def test_what_rules_cannot_read_needs_unclassified_to_be_named(patient: Patient, clinician: Person) -> None:
    words = {"resourceType": "Condition", "code": {"text": "something of old"}, "subject": {"display": "somebody"}}
    record = patient.store(words)
    patient.consent(clinician.id)
    assert clinician.read(record).code == "NOT_PERMITTED"
    patient.consent(clinician.id, labels=["unclassified"])
    assert clinician.read(record).value["labels"] == ["unclassified"]


def test_a_patient_clears_a_record_that_rules_cannot_read(patient: Patient, clinician: Person) -> None:
    words = {"resourceType": "Condition", "code": {"text": "a cold"}, "subject": {"display": "somebody"}}
    record = patient.store(words, labels=[])
    patient.consent(clinician.id)
    assert clinician.read(record).value["labels"] == []


def test_a_consent_for_one_type_shows_no_other(patient: Patient, clinician: Person) -> None:
    seen, hidden = patient.store(observation()), patient.store(condition())
    patient.consent(clinician.id, resourceTypes=["Observation"])
    assert clinician.seen(patient.id) == [seen]
    assert clinician.read(hidden).code == "NOT_PERMITTED"


def test_a_consent_for_a_code_shows_no_other(patient: Patient, clinician: Person) -> None:
    seen, hidden = patient.store(observation(code=WEIGHT)), patient.store(observation(code=SYSTOLIC))
    patient.consent(clinician.id, codes=[f"{LOINC}|{WEIGHT}"])
    assert clinician.seen(patient.id) == [seen]
    assert clinician.read(hidden).code == "NOT_PERMITTED"


def test_a_consent_for_a_period_shows_what_lies_in_it(patient: Patient, clinician: Person) -> None:
    seen = patient.store(observation(date="2020-05-01"))
    hidden = [patient.store(observation(date="2021-05-01")), patient.store(observation(date=None))]
    patient.consent(clinician.id, dataFrom="2020-01-01T00:00:00Z", dataTo="2020-12-31T23:59:59Z")
    assert clinician.seen(patient.id) == [seen]
    assert {clinician.read(record).code for record in hidden} == {"NOT_PERMITTED"}


def test_a_consent_for_one_record_shows_no_other(patient: Patient, clinician: Person) -> None:
    seen, hidden = patient.store(observation()), patient.store(observation())
    patient.consent(clinician.id, recordIds=[seen])
    assert clinician.seen(patient.id) == [seen]
    assert clinician.read(hidden).code == "NOT_PERMITTED"


def test_another_purpose_than_the_consents_is_refused(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id, purposes=["TREAT"])
    assert clinician.read(record, purpose="ETREAT").code == "NOT_PERMITTED"


def test_a_clinician_cannot_claim_research_even_under_a_consent_for_it(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id, purposes=["HRESCH", "TREAT"])
    assert clinician.read(record, purpose="HRESCH").code == "NOT_PERMITTED"
    assert clinician.read(record, purpose="TREAT").value["id"] == record


def test_a_writer_creates_and_amends_and_the_patient_reads(patient: Patient, clinician: Person) -> None:
    patient.consent(clinician.id, actions=["READ", "WRITE"])
    record = clinician.store(patient.id, observation(value="118")).value["id"]
    assert clinician.amend(record, observation(value="119"), version=1).value["version"] == 2
    read = patient.person.read(record, purpose="PATRQT").value
    assert (read["version"], read["author"]["id"]) == (2, clinician.id)


def test_a_reader_cannot_write(site: Site, patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id)
    before = site.rows("records", "versions")
    assert clinician.store(patient.id, observation()).code == "NOT_PERMITTED"
    assert clinician.amend(record, observation(value="1"), version=1).code == "NOT_PERMITTED"
    assert site.rows("records", "versions") == before


def test_a_writer_cannot_read(patient: Patient, clinician: Person) -> None:
    patient.consent(clinician.id, actions=["WRITE"])
    record = clinician.store(patient.id, observation()).value["id"]
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_a_deny_overrides_a_permit_until_it_is_revoked(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id)
    deny = patient.consent(clinician.id, effect="DENY", minutes=None)
    assert clinician.read(record).code == "NOT_PERMITTED"
    patient.revoke(deny).must()
    assert clinician.read(record).value["id"] == record


def test_a_deny_of_a_type_leaves_the_others(patient: Patient, clinician: Person) -> None:
    seen, hidden = patient.store(observation()), patient.store(condition())
    patient.consent(clinician.id)
    patient.consent(clinician.id, effect="DENY", resourceTypes=["Condition"])
    assert clinician.seen(patient.id) == [seen]
    assert clinician.read(hidden).code == "NOT_PERMITTED"


def test_a_revocation_is_in_force_when_it_returns(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    consent = patient.consent(clinician.id)
    assert clinician.read(record).value["id"] == record
    assert patient.revoke(consent).value["status"] == "REVOKED"
    assert clinician.once(documents.READ, {"id": record}).code == "NOT_PERMITTED"


def test_a_consent_ends_by_itself(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id, notAfter=instant(time.time() + 8), minutes=None)
    assert clinician.read(record).value["id"] == record
    deadline = time.monotonic() + 20
    while clinician.read(record).code == "" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_a_consent_for_later_permits_nothing_yet(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    draft = patient.draft(clinician.id, notBefore=instant(time.time() + 1800)).value
    granted = patient.person.submit(documents.GRANT, draft["typedData"]).value
    assert granted["status"] == "NOT_YET"
    assert clinician.read(record).code == "NOT_PERMITTED"


def test_revoking_all_ends_permits_and_leaves_denies(site: Site, patient: Patient, clinician: Person) -> None:
    other = site.crowd.clinician("Dr. Other")
    record = patient.store(observation())
    patient.consent(clinician.id)
    patient.consent(other.id)
    deny = patient.consent(clinician.id, effect="DENY", minutes=None)
    assert patient.revoke_all().value["epoch"] == 1
    assert {clinician.read(record).code, other.read(record).code} == {"NOT_PERMITTED"}
    patient.consent(clinician.id)
    assert clinician.read(record).code == "NOT_PERMITTED", "the deny fell with the permits"
    patient.revoke(deny).must()
    assert clinician.read(record).value["id"] == record


def test_the_patient_sees_their_consents_and_nobody_else_does(
    patient: Patient, clinician: Person, stranger: Person
) -> None:
    first, second = patient.consent(clinician.id), patient.consent(stranger.id)
    page = patient.person.ask(documents.CONSENTS, {"id": patient.id, "first": 1}).value["consents"]
    assert [edge["node"]["consentId"] for edge in page["edges"]] == [second]
    assert page["pageInfo"]["hasNextPage"]
    after = {"id": patient.id, "after": page["pageInfo"]["endCursor"]}
    rest = patient.person.ask(documents.CONSENTS, after).value["consents"]
    assert [edge["node"]["consentId"] for edge in rest["edges"]] == [first]
    assert rest["pageInfo"]["hasNextPage"] is False
    assert clinician.ask(documents.CONSENTS, {"id": patient.id}).value["consents"]["edges"] == []
