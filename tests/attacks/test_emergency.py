"""Break-glass abused: nobody but its clinician, for its patient, between its two ends, and never silently."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.attacks.emergency_site import Rows, chain_process, rotate_key
from tests.journeys import documents
from tests.journeys.emergencies import NOTE, REASON, break_glass, joined, opened, read_urgently, review, told
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.resources import HIV_POSITIVE, condition, observation
from tests.journeys.sites import Site, running_site
from tests.journeys.sockets import subscribed

BOUND, HOUSE_BOUND = 4, 6
ATTEMPTS = 1000
"""At a door that lets four through."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway with narrow bounds, whose rows and processes these tests may touch."""
    bounds = {"EMERGENCIES_PER_CLINICIAN": str(BOUND), "EMERGENCIES_PER_ORGANIZATION": str(HOUSE_BOUND)}
    settings = {**bounds, "CHAIN_SILENCE_SECONDS": "4", "LOG_LEVEL": "debug"}
    with running_site(tmp_path_factory.mktemp("glass"), None, settings) as running:
        yield running


@pytest.fixture
def patient(own: Site) -> Patient:
    return own.crowd.patient()


@pytest.fixture
def doctor(own: Site) -> Person:
    return own.crowd.clinician("Dr. Urgent")


@pytest.fixture
def record(patient: Patient) -> str:
    return patient.store(condition(code=HIV_POSITIVE))


@pytest.fixture
def rows(own: Site) -> Rows:
    return Rows(own.gateway.index_url)


@pytest.fixture(scope="module")
def short(own: Site) -> tuple[Person, Patient, str, float]:
    """Opened for a minute when these tests began; the last of them sees its end."""
    doctor, patient = own.crowd.clinician("Dr. Short"), own.crowd.patient()
    record = patient.store(observation())
    began = time.time()
    opened(doctor, patient, minutes=1)
    assert read_urgently(doctor, record).value["id"] == record
    return doctor, patient, record, began


# ---- who


def test_another_clinicians_emergency_opens_nothing(
    own: Site, short: object, patient: Patient, doctor: Person, record: str
) -> None:
    made, other = opened(doctor, patient), own.crowd.clinician("Dr. Other")
    assert read_urgently(other, record).code == "NOT_PERMITTED"
    assert other.records(patient.id, purpose="ETREAT").value is None
    asked = {"patientId": patient.id, "resource": observation(), "purpose": "ETREAT"}
    assert other.once(documents.CREATE, {"input": asked}).code == "NOT_PERMITTED"
    assert other.once(documents.SHOW_EMERGENCY, {"id": made["id"]}).code == "NOT_PERMITTED"
    assert other.once(documents.END_EMERGENCY, {"id": made["id"]}).code == "NOT_PERMITTED"
    assert read_urgently(doctor, record).value["id"] == record


def test_it_opens_nothing_of_another_patient(own: Site, patient: Patient, doctor: Person) -> None:
    hidden = own.crowd.patient()
    other = hidden.store(observation())
    opened(doctor, patient)
    assert read_urgently(doctor, other).code == "NOT_PERMITTED"
    assert doctor.records(hidden.id, purpose="ETREAT").value is None


@pytest.mark.parametrize("role", ["RESEARCHER", "DATA_STEWARD", "AUDITOR", "DEVICE", "PAYER", "ORGANIZATION"])
def test_nobody_but_a_clinician_breaks_the_glass(own: Site, patient: Patient, role: str) -> None:
    somebody, before = own.crowd.register(role, "Somebody"), own.rows("emergencies")
    assert break_glass(somebody, patient.id).code == "NOT_PERMITTED"
    assert own.rows("emergencies") == before
    assert told(patient)[0]["outcome"] == "DENIED"


def test_no_patient_breaks_their_own_glass_and_nobody_without_a_token(patient: Patient) -> None:
    assert break_glass(patient.person, patient.id).code == "NOT_PERMITTED"
    asked = {"patientId": patient.id, "kind": "OTHER", "reason": REASON}
    assert patient.person.door.ask(documents.OPEN_EMERGENCY, {"input": asked}).code == "UNAUTHENTICATED"


def test_a_clinician_whose_key_is_rotated_loses_it_at_once(
    own: Site, patient: Patient, doctor: Person, record: str
) -> None:
    opened(doctor, patient)
    assert read_urgently(doctor, record).value["id"] == record
    rotate_key(own, doctor)
    deadline = time.monotonic() + 20
    while (answer := read_urgently(doctor, record)).code == "" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer.code == "UNAUTHENTICATED"


# ---- what for


@pytest.mark.parametrize("purpose", ["TREAT", "HPAYMT", "HOPERAT", "HRESCH", "CLINTRCH", "PATRQT", "PUBHLTH"])
def test_no_other_purpose_is_served(own: Site, patient: Patient, record: str, purpose: str) -> None:
    doctor = own.crowd.clinician()
    opened(doctor, patient)
    assert doctor.once(documents.READ, {"id": record, "purpose": purpose}).code == "NOT_PERMITTED"
    assert doctor.records(patient.id, purpose=purpose).value["records"]["edges"] == []


def test_a_deny_that_names_emergencies_holds(patient: Patient, doctor: Person, record: str) -> None:
    patient.consent(doctor.id, effect="DENY", purposes=["ETREAT"], actions=["READ", "WRITE"], minutes=None)
    opened(doctor, patient)
    assert read_urgently(doctor, record).code == "NOT_PERMITTED"
    assert doctor.seen(patient.id, purpose="ETREAT") == []
    asked = {"patientId": patient.id, "resource": observation(), "purpose": "ETREAT"}
    assert doctor.once(documents.CREATE, {"input": asked}).code == "NOT_PERMITTED"


def test_a_deny_that_names_emergencies_ends_one_that_is_open(patient: Patient, doctor: Person, record: str) -> None:
    opened(doctor, patient)
    assert read_urgently(doctor, record).value["id"] == record
    patient.consent(doctor.id, effect="DENY", purposes=["ETREAT"], actions=["READ"], minutes=None)
    assert read_urgently(doctor, record).code == "NOT_PERMITTED"


def test_a_deny_for_treatment_does_not(patient: Patient, doctor: Person, record: str) -> None:
    patient.consent(doctor.id, effect="DENY", purposes=["TREAT"], actions=["READ"], minutes=None)
    opened(doctor, patient)
    assert read_urgently(doctor, record).value["id"] == record


def test_a_deny_that_cannot_be_opened_holds(
    own: Site, patient: Patient, doctor: Person, record: str, rows: Rows
) -> None:
    deny = patient.consent(doctor.id, effect="DENY", purposes=["TREAT"], actions=["READ"], minutes=None)
    opened(doctor, patient)
    rows.change("consents", "digest", bytes(32), "consent", bytes.fromhex(deny[2:]))
    own.gateway.stop()
    own.gateway.start()
    assert read_urgently(doctor, record).code == "NOT_PERMITTED"


def test_after_an_erasure_nothing_opens(patient: Patient, doctor: Person, record: str) -> None:
    made = opened(doctor, patient)
    assert read_urgently(doctor, record).value["id"] == record
    patient.erase().must()
    assert read_urgently(doctor, record).code == "NOT_PERMITTED"
    assert doctor.once(documents.RECORDS, {"id": patient.id, "purpose": "ETREAT"}).value is None
    asked = {"patientId": patient.id, "resource": observation(), "purpose": "ETREAT"}
    assert doctor.once(documents.CREATE, {"input": asked}).code == "NOT_PERMITTED"
    assert break_glass(doctor, patient.id).code == "NOT_PERMITTED"
    assert doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).value["state"] == "ENDED"


# ---- its end


def test_a_permit_in_hand_does_not_outlast_the_end(patient: Patient, doctor: Person, record: str) -> None:
    made = opened(doctor, patient)
    given = {"id": patient.id, "purpose": "ETREAT"}
    with subscribed(doctor, documents.RECORD_ADDED, given) as subscription, ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(read_urgently, doctor, record) for _ in range(40)]
        ended = doctor.once(documents.END_EMERGENCY, {"id": made["id"]})
        late = [pool.submit(read_urgently, doctor, record) for _ in range(40)]
        assert ended.value["state"] == "ENDED"
        assert {one.result().code for one in late} <= {"NOT_PERMITTED", ""}
        assert {one.result().code for one in reads} <= {"NOT_PERMITTED", ""}
        after = [pool.submit(read_urgently, doctor, record) for _ in range(40)]
        assert {one.result().code for one in after} == {"NOT_PERMITTED"}
        patient.store(observation())
        assert subscription.next(seconds=5) is None


def test_an_end_that_is_taken_out_of_the_index_reopens_nothing_for_another(
    own: Site, patient: Patient, doctor: Person, record: str, rows: Rows
) -> None:
    made, other = opened(doctor, patient), own.crowd.clinician()
    doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).must()
    rows.delete("emergency_steps", "emergency", bytes.fromhex(made["commitment"][2:]))
    assert read_urgently(other, record).code == "NOT_PERMITTED"


# ---- the index


@pytest.mark.parametrize(
    ("column", "value"),
    [("expires_at", 2**40), ("opened_at", 1), ("digest", bytes(32)), ("decision", bytes(16))],
    ids=["expiry", "opening", "statement", "entry"],
)
def test_an_edited_row_is_refused(
    patient: Patient, doctor: Person, record: str, rows: Rows, column: str, value: object
) -> None:
    made = opened(doctor, patient)
    rows.change("emergencies", column, value, "emergency", bytes.fromhex(made["commitment"][2:]))
    assert read_urgently(doctor, record).code in {"INTEGRITY", "UNAVAILABLE"}
    assert doctor.once(documents.RECORDS, {"id": patient.id, "purpose": "ETREAT"}).code in {"INTEGRITY", "UNAVAILABLE"}


def test_another_emergencys_statement_is_refused(
    own: Site, patient: Patient, doctor: Person, record: str, rows: Rows
) -> None:
    made, elsewhere = opened(doctor, patient), opened(doctor, own.crowd.patient())
    name, other = bytes.fromhex(made["commitment"][2:]), bytes.fromhex(elsewhere["commitment"][2:])
    digest = rows.value("emergencies", "digest", "emergency", other)
    rows.change("emergencies", "digest", digest, "emergency", name)
    assert read_urgently(doctor, record).code == "INTEGRITY"


def test_an_emergency_is_not_found_for_another_pair(
    own: Site, patient: Patient, doctor: Person, record: str, rows: Rows
) -> None:
    """Tokens of one are put on another: clinician and subject flipped in every way that a database can."""
    other = own.crowd.clinician()
    mine = bytes.fromhex(opened(other, own.crowd.patient())["commitment"][2:])
    theirs = bytes.fromhex(opened(doctor, patient)["commitment"][2:])
    rows.swap_tokens(mine, theirs)
    assert read_urgently(other, record).code in {"INTEGRITY", "NOT_PERMITTED"}
    assert read_urgently(doctor, record).code in {"INTEGRITY", "NOT_PERMITTED"}


def test_without_the_patients_notice_there_is_no_emergency(
    patient: Patient, doctor: Person, record: str, rows: Rows
) -> None:
    made = opened(doctor, patient)
    name = bytes.fromhex(made["commitment"][2:])
    rows.delete("entries", "decision", rows.value("emergencies", "decision", "emergency", name))
    assert read_urgently(doctor, record).code == "INTEGRITY"


def test_a_notice_in_another_patients_log_is_none(
    own: Site, patient: Patient, doctor: Person, record: str, rows: Rows
) -> None:
    made, elsewhere = opened(doctor, patient), opened(doctor, own.crowd.patient())
    name, other = bytes.fromhex(made["commitment"][2:]), bytes.fromhex(elsewhere["commitment"][2:])
    entry = rows.value("emergencies", "decision", "emergency", other)
    rows.change("emergencies", "decision", entry, "emergency", name)
    assert read_urgently(doctor, record).code == "INTEGRITY"


def test_a_refusal_for_tampering_is_in_the_patients_log(
    patient: Patient, doctor: Person, record: str, rows: Rows
) -> None:
    made = opened(doctor, patient)
    rows.change("emergencies", "expires_at", 2**40, "emergency", bytes.fromhex(made["commitment"][2:]))
    read_urgently(doctor, record)
    assert next((one["action"], one["outcome"], one["recordId"]) for one in told(patient)) == ("READ", "DENIED", record)


# ---- how often


def test_the_bound_bites_and_every_attempt_is_in_the_patients_own_log(own: Site, doctor: Person) -> None:
    patient, before = own.crowd.patient(), own.rows("emergencies")[0]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: break_glass(doctor, patient.id), range(ATTEMPTS)))
    codes = [one.code for one in answers]
    assert (codes.count(""), codes.count("LIMIT")) == (BOUND, ATTEMPTS - BOUND)
    assert own.rows("emergencies")[0] == before + BOUND
    log, after = [], None
    while True:
        asked = {"id": patient.id, "first": 100, "after": after}
        page = patient.person.ask(documents.ACCESS_LOG, asked).value["accessLog"]
        log += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    attempts = [one["outcome"] for one in log if one["action"] == "EMERGENCY_OPEN"]
    assert (attempts.count("PERMITTED"), attempts.count("DENIED")) == (BOUND, ATTEMPTS - BOUND)


def test_the_bound_outlives_a_restart_and_binds_over_all_patients(own: Site, doctor: Person) -> None:
    for _ in range(BOUND):
        opened(doctor, own.crowd.patient())
    own.gateway.kill()
    own.gateway.start()
    assert break_glass(doctor, own.crowd.patient().id).code == "LIMIT"


def test_a_house_has_a_bound_of_its_own(own: Site) -> None:
    hospital, patient = own.crowd.register("ORGANIZATION", "Hospital"), own.crowd.patient()
    staff = [own.crowd.clinician() for _ in range(3)]
    joined(own.crowd, hospital, *staff)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda at: break_glass(staff[at % 3], patient.id), range(9)))
    assert [one.code for one in answers].count("") == HOUSE_BOUND


# ---- who reviews


def test_nobody_reviews_who_is_not_a_second_person_of_the_house(own: Site, patient: Patient) -> None:
    hospital = own.crowd.register("ORGANIZATION", "Hospital")
    doctor = own.crowd.clinician()
    elsewhere, colleague = own.crowd.register("AUDITOR", "Elsewhere"), own.crowd.clinician("Dr. Colleague")
    joined(own.crowd, hospital, doctor, colleague)
    made = opened(doctor, patient)
    for somebody in (doctor, colleague, elsewhere, hospital, patient.person, own.crowd.registrar):
        assert review(somebody, made["id"]).code == "NOT_PERMITTED", somebody.name
    for somebody in (colleague, elsewhere, hospital, own.crowd.registrar):
        assert somebody.once(documents.SHOW_EMERGENCY, {"id": made["id"]}).code == "NOT_PERMITTED"
    for somebody in (doctor, colleague, hospital, patient.person, own.crowd.registrar):
        assert somebody.once(documents.EMERGENCY_REPORT).code == "NOT_PERMITTED"
    listed = elsewhere.once(documents.EMERGENCY_REPORT).value["edges"]
    assert made["id"] not in [edge["node"]["emergencyId"] for edge in listed]
    shown = patient.person.ask(documents.SHOW_EMERGENCY, {"id": made["id"]}).value
    assert shown["review"] is None


def test_a_review_is_given_once(own: Site, patient: Patient) -> None:
    hospital = own.crowd.register("ORGANIZATION", "Hospital")
    doctor, auditor = own.crowd.clinician(), own.crowd.register("DATA_STEWARD", "Second")
    joined(own.crowd, hospital, doctor, auditor)
    made = opened(doctor, patient)
    assert review(auditor, made["id"], verdict="NOT_JUSTIFIED").value["review"]["verdict"] == "NOT_JUSTIFIED"
    assert review(auditor, made["id"], verdict="JUSTIFIED").code == "CONFLICT"
    shown = patient.person.ask(documents.SHOW_EMERGENCY, {"id": made["id"]}).value
    assert (shown["review"]["verdict"], shown["review"]["note"]) == ("NOT_JUSTIFIED", NOTE)


def test_an_unknown_emergency_and_anothers_are_refused_alike(own: Site, patient: Patient, doctor: Person) -> None:
    made, other = opened(doctor, patient), own.crowd.clinician()
    for document in (documents.SHOW_EMERGENCY, documents.END_EMERGENCY):
        answers = [other.once(document, {"id": id}) for id in (made["id"], unknown_id("Emergency", 32))]
        assert {(one.code, one.message, one.field) for one in answers} == {("NOT_PERMITTED", "not permitted", ())}


# ---- what lies about


def test_a_thief_of_rows_chain_and_logs_learns_nothing(own: Site, patient: Patient, rows: Rows) -> None:
    doctor, reason = own.crowd.clinician("Dr. Thirteen"), "zebra-crossing accident of the canary"
    made = opened(doctor, patient, reason=reason)
    name = bytes.fromhex(made["commitment"][2:])
    held = rows.all_of(name)
    for secret in (bytes.fromhex(patient.subject[2:]), bytes.fromhex(doctor.actor[2:]), reason.encode()):
        assert not any(isinstance(value, bytes) and secret in value for value in held)
    for path in own.gateway.data.parent.rglob("*"):
        if path.is_file():
            octets = path.read_bytes()
            assert reason.encode() not in octets, path
            assert b"zebra-crossing" not in octets, path
    chain = (own.gateway.data / "chain.db").read_bytes() + (own.gateway.data / "chain.db-wal").read_bytes()
    assert bytes.fromhex(doctor.actor[2:]) in chain, "an actor's name stands on chain by its registration"


# ---- a chain that is mute or dead


@pytest.mark.timeout(300)
def test_a_mute_chain_stops_ordinary_reads_and_not_this_one(
    own: Site, patient: Patient, doctor: Person, record: str
) -> None:
    reader = own.crowd.clinician("Dr. Consented")
    patient.consent(reader.id, labels=["HIV"])
    assert reader.read(record).value["id"] == record
    process = chain_process(own)
    process.suspend()
    try:
        _goes_on_without_a_chain(patient, doctor, reader, record)
    finally:
        process.resume()
    assert reader.read(record).value["id"] == record


def _goes_on_without_a_chain(patient: Patient, doctor: Person, reader: Person, record: str) -> None:
    deadline = time.monotonic() + 60
    while reader.once(documents.READ, {"id": record}).code != "STALE":
        assert time.monotonic() < deadline, "reads go on without a chain"
        time.sleep(0.5)
    made = opened(doctor, patient)
    answer = read_urgently(doctor, record)
    assert answer.seconds < 5
    assert answer.value["receipt"]["stale"] is True
    asked = {"patientId": patient.id, "resource": observation(), "purpose": "ETREAT"}
    written = doctor.once(documents.CREATE, {"input": asked}).value["id"]
    assert set(doctor.seen(patient.id, purpose="ETREAT")) == {record, written}
    assert reader.once(documents.READ, {"id": record}).code == "STALE"
    assert doctor.once(documents.END_EMERGENCY, {"id": made["id"]}).value["state"] == "ENDED"
    assert read_urgently(doctor, record).code in {"STALE", "NOT_PERMITTED"}


@pytest.mark.timeout(300)
def test_a_dead_chain_does_not_either(tmp_path: Path) -> None:
    with running_site(tmp_path, None, {"CHAIN_SILENCE_SECONDS": "4"}) as site:
        patient, doctor, reader = site.crowd.patient(), site.crowd.clinician(), site.crowd.clinician()
        record = patient.store(observation())
        patient.consent(reader.id)
        assert reader.read(record).value["id"] == record
        process = chain_process(site)
        process.suspend()
        # The gateway starts a child again that dies: this one has nothing to start from.
        for path in site.gateway.data.glob("chain.db*"):
            path.write_bytes(b"burnt")
        process.kill()
        _goes_on_without_a_chain(patient, doctor, reader, record)


# ---- killed in between


@pytest.mark.timeout(300)
def test_a_kill_leaves_the_emergency_and_its_notice_or_neither(tmp_path: Path) -> None:
    with running_site(tmp_path, None, {"EMERGENCIES_PER_CLINICIAN": "1000"}) as site:
        patient, doctor = site.crowd.patient(), site.crowd.clinician()
        record = patient.store(observation())
        rows = Rows(site.gateway.index_url)
        for wait in (0.01, 0.03, 0.05):
            with ThreadPoolExecutor(4) as pool:
                asking = [pool.submit(_in_doubt, doctor, patient.id) for _ in range(8)]
                time.sleep(wait)
                site.gateway.kill()
                answered = {one for each in asking if (one := each.result()) is not None}
            site.gateway.start()
            stored = {"0x" + name.hex(): decision for name, decision in rows.pairs()}
            assert answered <= stored.keys(), "an emergency that was acknowledged is lost"
            noted = {one["emergencyId"] for one in told(patient) if one["action"] == "EMERGENCY_OPEN"}
            page = patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value["emergencies"]
            shown = {edge["node"]["id"] for edge in page["edges"]}
            assert shown == noted
            assert len(stored) == len(shown)
        assert (read_urgently(doctor, record).code == "") is bool(stored)


def _in_doubt(doctor: Person, patient: str) -> str | None:
    """The commitment, where an answer came."""
    try:
        answer = break_glass(doctor, patient)
    except (OSError, httpx.HTTPError):
        return None
    return str(answer.found["commitment"]) if not answer.code else None


# ---- and its time


@pytest.mark.timeout(200)
def test_one_whose_time_is_over_opens_nothing(short: tuple[Person, Patient, str, float]) -> None:
    doctor, patient, record, began = short
    time.sleep(max(0.0, began + 61 - time.time()))
    assert read_urgently(doctor, record).code == "NOT_PERMITTED"
    page = patient.person.ask(documents.EMERGENCIES, {"id": patient.id}).value["emergencies"]
    assert [edge["node"]["state"] for edge in page["edges"]] == ["ENDED"]
