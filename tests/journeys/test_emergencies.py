"""Break-glass as its people live it: opened, told, read and written under, ended, reviewed, and on chain."""

import hashlib
import time

import pytest

from anchoring.chain.abi import contract
from gateway import jsontext
from tests.journeys import documents
from tests.journeys.emergencies import break_glass, joined, opened, read_urgently, review, told
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.resources import HIV_POSITIVE, bundle, condition, observation
from tests.journeys.sites import Site
from tests.journeys.sockets import subscribed
from tests.servers.http import rpc


@pytest.fixture(scope="module")
def ward(site: Site) -> tuple[Person, Person]:
    """A clinician and an auditor of one hospital."""
    hospital = site.crowd.register("ORGANIZATION", "Ward Hospital")
    clinician, auditor = site.crowd.clinician("Dr. Ward"), site.crowd.register("AUDITOR", "Second Person")
    joined(site.crowd, hospital, clinician, auditor)
    return clinician, auditor


@pytest.fixture
def doctor(site: Site) -> Person:
    """Each test's own: their bound is by the day."""
    return site.crowd.clinician("Dr. Urgent")


def test_an_emergency_opens_what_no_consent_opens(patient: Patient, doctor: Person) -> None:
    record = patient.store(observation(value="1.10"))
    assert doctor.read(record, purpose="ETREAT").code == "NOT_PERMITTED"
    made = opened(doctor, patient)
    answer = read_urgently(doctor, record).value
    assert answer["content"] == observation(value="1.10")
    receipt = jsontext.loads(answer["receipt"]["payload"])
    assert isinstance(receipt, dict)
    assert (receipt["basis"], receipt["emergency"], receipt["purpose"]) == ("emergency", made["commitment"], "ETREAT")
    assert (receipt["consents"], receipt["stale"]) == ([], False)


def test_it_reaches_every_label_and_every_record_of_the_patient(patient: Patient, doctor: Person) -> None:
    records = [
        patient.store(observation()),
        patient.store(condition(code=HIV_POSITIVE)),
        patient.store(observation(), labels=["PSY", "SUD"]),
    ]
    opened(doctor, patient)
    assert doctor.seen(patient.id, purpose="ETREAT") == records


def test_the_patient_is_told_before_the_first_read(patient: Patient, doctor: Person) -> None:
    made = opened(doctor, patient)
    (entry,) = [one for one in told(patient) if one["emergencyId"] == made["id"]]
    assert (entry["action"], entry["purpose"], entry["outcome"]) == ("EMERGENCY_OPEN", "ETREAT", "PERMITTED")
    assert (entry["basis"], entry["actor"]["id"]) == ("EMERGENCY", doctor.id)


def test_the_patient_hears_of_it_at_once(patient: Patient, doctor: Person) -> None:
    with subscribed(patient.person, documents.EMERGENCY_OPENED, {"id": patient.id}) as subscription:
        made = opened(doctor, patient)
        item = subscription.next()
        assert item is not None
        heard = item["emergencyOpened"]
        assert (heard["id"], heard["reason"], heard["clinician"]["id"]) == (made["id"], made["reason"], doctor.id)
        doctor.once(documents.END_EMERGENCY, {"id": made["id"]})
        ended = subscription.next()
        assert ended is not None
        assert ended["emergencyOpened"]["state"] == "ENDED"


def test_what_was_read_is_in_the_patients_log_under_it(patient: Patient, doctor: Person) -> None:
    record = patient.store(observation())
    made = opened(doctor, patient)
    read_urgently(doctor, record)
    reads = [one for one in told(patient) if one["recordId"] == record and one["action"] == "READ"]
    assert [(one["basis"], one["emergencyId"]) for one in reads] == [("EMERGENCY", made["id"])]
    shown = patient.person.ask(documents.SHOW_EMERGENCY, {"id": made["id"]}).value
    assert [one["action"] for one in shown["accesses"]] == ["READ", "EMERGENCY_OPEN"]
    page = patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value["emergencies"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [made["id"]]


def test_the_patient_can_check_what_was_committed_to(patient: Patient, doctor: Person) -> None:
    opened(doctor, patient)
    page = patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value["emergencies"]
    (shown,) = [edge["node"] for edge in page["edges"]]
    salted = b"\x04" + bytes.fromhex(shown["salt"][2:]) + shown["statement"].encode()
    assert "0x" + hashlib.sha256(salted).hexdigest() == shown["commitment"]
    said = jsontext.loads(shown["statement"])
    assert isinstance(said, dict)
    assert (said["subject"], said["clinician"], said["reason"]) == (patient.subject, doctor.actor, shown["reason"])


def test_it_writes_where_it_is_named(patient: Patient, doctor: Person) -> None:
    opened(doctor, patient)
    asked = {"patientId": patient.id, "resource": observation()}
    assert doctor.once(documents.CREATE, {"input": asked}).code == "NOT_PERMITTED"
    record = doctor.once(documents.CREATE, {"input": {**asked, "purpose": "ETREAT"}}).value["id"]
    amended = {"recordId": record, "expectedVersion": 1, "resource": observation(value="2"), "purpose": "ETREAT"}
    assert doctor.once(documents.AMEND, {"input": amended}).value["version"] == 2
    many = {"patientId": patient.id, "bundle": bundle(observation(), condition()), "purpose": "ETREAT"}
    assert len(doctor.once(documents.IMPORT, {"input": many}).value["records"]) == 2
    writes = [one for one in told(patient) if one["action"] == "WRITE" and one["outcome"] == "PERMITTED"]
    assert {(one["basis"], one["purpose"]) for one in writes} == {("EMERGENCY", "ETREAT")}


@pytest.mark.parametrize("purpose", ["TREAT", "HRESCH", "CLINTRCH", "PATRQT"])
def test_a_write_names_an_emergency_or_nothing(patient: Patient, doctor: Person, purpose: str) -> None:
    opened(doctor, patient)
    asked = {"patientId": patient.id, "resource": observation(), "purpose": purpose}
    answer = doctor.once(documents.CREATE, {"input": asked})
    assert (answer.code, answer.field) == ("INVALID", ("purpose",))


def test_a_subscription_goes_on_under_it_and_ends_with_it(patient: Patient, doctor: Person) -> None:
    made = opened(doctor, patient)
    given = {"id": patient.id, "purpose": "ETREAT"}
    with subscribed(doctor, documents.RECORD_ADDED, given) as subscription:
        record = patient.store(observation())
        item = subscription.next()
        assert item is not None
        assert item["recordAdded"]["id"] == record
        doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).must()
        assert subscription.next(seconds=5) is None


def test_ending_it_ends_it_at_once_and_twice_is_the_same(patient: Patient, doctor: Person) -> None:
    record = patient.store(observation())
    made = opened(doctor, patient)
    assert read_urgently(doctor, record).value["id"] == record
    ended = doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).value
    assert ended["state"] == "ENDED"
    assert read_urgently(doctor, record).code == "NOT_PERMITTED"
    assert doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).value["endedAt"] == ended["endedAt"]


def test_a_review_closes_it_and_the_patient_reads_it(patient: Patient, ward: tuple[Person, Person]) -> None:
    clinician, auditor = ward
    record = patient.store(observation())
    made = opened(clinician, patient)
    read_urgently(clinician, record)
    listed = auditor.ask(documents.EMERGENCY_REPORT).value
    assert made["id"] in [edge["node"]["emergencyId"] for edge in listed["edges"]]
    shown = auditor.ask(documents.SHOW_EMERGENCY, {"id": made["id"]}).value
    assert (shown["reason"], shown["clinician"]["id"]) == (made["reason"], clinician.id)
    assert record in [one["recordId"] for one in shown["accesses"]]
    assert review(auditor, made["id"], verdict="NOT_JUSTIFIED").value["state"] == "REVIEWED"
    assert read_urgently(clinician, record).code == "NOT_PERMITTED"
    page = patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value["emergencies"]
    (seen,) = [edge["node"] for edge in page["edges"]]
    assert (seen["review"]["verdict"], seen["review"]["reviewer"]["id"]) == ("NOT_JUSTIFIED", auditor.id)
    listed = auditor.ask(documents.EMERGENCY_REPORT).value
    assert made["id"] not in [edge["node"]["emergencyId"] for edge in listed["edges"]]
    actions = [one["action"] for one in told(patient) if one["actor"] and one["actor"]["id"] == auditor.id]
    assert set(actions) == {"EMERGENCY_SHOW", "EMERGENCY_REVIEW"}


def test_a_patient_in_custody_is_read_by_it_alone(site: Site, doctor: Person) -> None:
    made = site.crowd.registrar.ask(documents.ENROL, {"input": {"controller": None}}).value
    asked = {"patientId": made["id"], "resource": observation()}
    record = site.crowd.registrar.ask(documents.CREATE, {"input": asked}).value["id"]
    assert site.crowd.registrar.read(record).code == "NOT_PERMITTED"
    assert doctor.read(record, purpose="ETREAT").code == "NOT_PERMITTED"
    break_glass(doctor, made["id"]).must()
    assert read_urgently(doctor, record).value["content"] == observation()


def test_an_unknown_patient_and_one_who_opens_no_emergencies_are_refused_alike(
    patient: Patient, doctor: Person, site: Site
) -> None:
    nurse = site.crowd.register("DEVICE", "Monitor")
    answers = [
        break_glass(doctor, unknown_id("Patient", 32)),
        break_glass(nurse, patient.id),
        break_glass(nurse, unknown_id("Patient", 32)),
    ]
    assert {(one.code, one.message, one.field) for one in answers} == {("NOT_PERMITTED", "not permitted", ())}


@pytest.mark.parametrize(
    ("changes", "field"), [({"minutes": 0}, "minutes"), ({"minutes": 241}, "minutes"), ({"reason": "help"}, "reason")]
)
def test_what_is_asked_out_of_bounds_is_refused_by_name(
    site: Site, patient: Patient, doctor: Person, changes: dict[str, object], field: str
) -> None:
    before = site.rows("emergencies")
    answer = break_glass(doctor, patient.id, **changes)  # type: ignore[arg-type]
    assert (answer.code, answer.field) == ("INVALID", (field,))
    assert site.rows("emergencies") == before


def test_node_shows_an_emergency_to_its_patient_and_no_record_without_a_purpose(
    patient: Patient, doctor: Person, stranger: Person
) -> None:
    record = patient.store(observation())
    made = opened(doctor, patient)
    assert patient.person.node(made["id"]).value["__typename"] == "Emergency"
    assert stranger.node(made["id"]).found is None
    assert doctor.node(patient.id).value["id"] == patient.id
    assert doctor.node(record).found is None


def test_readiness_counts_what_waits_for_a_review_for_more_than_a_day(site: Site) -> None:
    status, said = site.gateway.ready()
    assert status == 200
    assert said["counts"] == {"emergenciesOverdue": 0}


def test_an_opening_and_its_review_come_to_stand_on_chain(
    site: Site, patient: Patient, ward: tuple[Person, Person]
) -> None:
    clinician, auditor = ward
    made = opened(clinician, patient)
    assert clinician.once(documents.END_EMERGENCY, {"id": made["id"]}).code == ""
    assert review(auditor, made["id"]).code == ""
    logs = {"address": site.gateway.facts()["contracts"]["emergency"], "topics": [None, made["commitment"]]}
    deadline, found = time.monotonic() + 20, []
    while len(found) < 2 and time.monotonic() < deadline:
        found = rpc(site.gateway.rpc, "eth_getLogs", {**logs, "fromBlock": "0x0"})
        time.sleep(0.1)
    topics = [contract("EmergencyRegistry").topic(name) for name in ("EmergencyOpened", "EmergencyClosed")]
    assert [log["topics"][0] for log in found] == ["0x" + topic.hex() for topic in topics]
    shown = clinician.once(documents.SHOW_EMERGENCY, {"id": made["id"]}).value
    assert shown["transactionHash"] == found[0]["transactionHash"]
