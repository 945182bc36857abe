"""What is wrong is refused by its kind, names the field where there is one, and changes nothing."""

import os
from collections.abc import Callable

import pytest

from gateway import jsontext
from gateway.jsontext import JsonValue
from tests.journeys import documents
from tests.journeys.people import Patient, Person, unknown_id
from tests.journeys.resources import bundle, condition, observation
from tests.journeys.sites import Site

MIB = 1024 * 1024
CREATE = jsontext.dumps({"query": documents.CREATE, "variables": {"input": {"patientId": "P", "resource": "R"}}})


@pytest.fixture(scope="module")
def patient(site: Site) -> Patient:
    """One for all of these tests, because nothing changes."""
    return site.crowd.patient()


@pytest.fixture(autouse=True)
def nothing_changes(site: Site, patient: Patient, clinician: Person, stranger: Person) -> Callable[[], None]:
    """Gives the check that no row was added since; the people are made first."""
    before = site.rows()

    def check() -> None:
        assert site.rows() == before

    return check


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe{}",
        b'{"query": "{ viewer { id } }"',
        b'{"query": "{ viewer { id } }", "query": "{ viewer { id } }"}',
        b'{"query": "{ viewer { id } }", "variables": {"a": NaN}}',
        b'{"query": "{ viewer { id } }", "variables": []}',
        b'{"query": 7}',
        b'{"query": "{ viewer { id "}',
        b'{"query": "{ viewer { passphrase } }"}',
        b"[" * 100_000,
        b'{"query": "' + b"{a" * 40_000 + b'"}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_malformed_json_and_documents_are_refused(
    site: Site, clinician: Person, nothing_changes: Callable[[], None], body: bytes
) -> None:
    reply = site.door.post(body, token=clinician.token)
    assert reply.status_code in {200, 400, 413}
    answer = reply.json()
    assert answer["errors"][0]["extensions"]["code"] in {"INVALID", "LIMIT"}
    assert not answer.get("data")
    nothing_changes()


@pytest.mark.parametrize(
    ("resource", "at"),
    [
        ({"resourceType": "Patient", "gender": "X"}, "gender"),
        ({"resourceType": "Patient", "name": []}, "name"),
        ({"resourceType": "Patient", "name": None}, "name"),
        ({"resourceType": "Patient", "birthDate": "1980-02-31"}, "birthDate"),
        ({"resourceType": "Patient", "colour": "blue"}, "colour"),
        ({"resourceType": "Observation", "status": "final"}, "code"),
        (observation() | {"status": "done"}, "status"),
        (observation() | {"valueQuantity": {"value": "120"}}, "value"),
        ({"resourceType": "Nothing"}, "resourceType"),
        ({"noType": 1}, "resource"),
        ([], "resource"),
        ("Observation", "resource"),
        (7, "resource"),
        (None, "resource"),
    ],
    ids=str,
)
def test_invalid_fhir_is_refused_with_the_field(
    patient: Patient, nothing_changes: Callable[[], None], resource: JsonValue, at: str
) -> None:
    answer = patient.person.store(patient.id, resource)
    assert answer.code == "INVALID"
    assert at in ".".join(answer.field) + answer.message
    nothing_changes()


def test_a_key_that_is_there_twice_is_refused(
    site: Site, patient: Patient, nothing_changes: Callable[[], None]
) -> None:
    body = CREATE.replace(b'"P"', f'"{patient.id}"'.encode())
    body = body.replace(b'"R"', b'{"resourceType":"Patient","gender":"male","gender":"female"}')
    reply = site.door.post(body, token=patient.person.token)
    assert reply.json()["errors"][0]["extensions"]["code"] == "INVALID"
    nothing_changes()


@pytest.mark.parametrize("at", [0, 3, 513])
def test_nothing_of_a_bundle_with_one_bad_resource_is_stored(
    patient: Patient, nothing_changes: Callable[[], None], at: int
) -> None:
    resources: list[JsonValue] = [observation(value=str(number)) for number in range(max(at, 6))]
    resources.insert(at, observation() | {"status": "done"})
    before = patient.own()
    answer = patient.person.import_bundle(patient.id, bundle(*resources))
    assert answer.code == "INVALID"
    assert ".".join(answer.field).removeprefix("input.").startswith(f"bundle.entry.{at}.")
    assert patient.own() == before
    nothing_changes()


def test_nothing_of_a_bundle_with_one_resource_that_is_not_permitted_is_stored(
    site: Site, patient: Patient, clinician: Person
) -> None:
    patient.consent(clinician.id, actions=["READ", "WRITE"], resourceTypes=["Observation"])
    before = site.rows()
    answer = clinician.import_bundle(patient.id, bundle(observation(), condition(), observation()))
    assert answer.code == "NOT_PERMITTED"
    assert site.rows() == before


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"resourceType": "Bundle", "type": "collection"}, "entry"),
        ({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": observation()}]}, "type"),
        ({"resourceType": "Bundle", "type": "collection", "entry": [{}]}, "entry"),
        (bundle() | {"type": "transaction", "entry": [{"request": {"method": "DELETE", "url": "Patient/1"}}]}, "entry"),
        (observation(), "bundle"),
        ([], "bundle"),
        (None, "bundle"),
    ],
    ids=["no entry", "searchset", "empty entry", "a deletion", "no bundle", "list", "null"],
)
def test_what_is_no_importable_bundle_is_refused(
    patient: Patient, nothing_changes: Callable[[], None], given: JsonValue, at: str
) -> None:
    answer = patient.person.import_bundle(patient.id, given)
    assert answer.code == "INVALID"
    assert at in ".".join(answer.field) + answer.message
    nothing_changes()


def test_fifty_megabytes_in_one_request_are_refused(
    site: Site, patient: Patient, nothing_changes: Callable[[], None]
) -> None:
    note = {"text": "x" * (50 * MIB)}
    body = jsontext.dumps(
        {
            "query": documents.CREATE,
            "variables": {"input": {"patientId": patient.id, "resource": observation(note=[note])}},
        }
    )
    reply = site.door.post(body, token=patient.person.token)
    assert reply.status_code == 413
    assert reply.json()["errors"][0]["extensions"]["code"] == "LIMIT"
    nothing_changes()


def test_fifty_megabytes_of_unannounced_length_are_refused(
    site: Site, patient: Patient, nothing_changes: Callable[[], None]
) -> None:
    def chunks() -> object:
        yield b'{"query": "'
        for _ in range(50):
            yield os.urandom(MIB // 2).hex().encode()

    headers = {"content-type": "application/json", "authorization": f"Bearer {patient.person.token}"}
    reply = site.door.http.post(f"{site.door.base}/graphql", content=chunks(), headers=headers)  # type: ignore[arg-type]
    assert reply.status_code == 413
    nothing_changes()


def test_unknown_and_foreign_records_are_refused_alike(patient: Patient, stranger: Person) -> None:
    foreign, unknown = stranger.read(patient.store(observation())), stranger.read(unknown_id("Record", 16))
    assert (foreign.code, foreign.field) == (unknown.code, unknown.field) == ("NOT_PERMITTED", ())
    for refused in (foreign, unknown):
        assert set(refused.found) == {"__typename", "code", "message", "field", "decisionId"}


def test_the_words_of_a_refusal_do_not_tell_whether_a_record_exists(patient: Patient, stranger: Person) -> None:
    foreign, unknown = stranger.read(patient.store(observation())), stranger.read(unknown_id("Record", 16))
    assert foreign.message == unknown.message
    assert (foreign.found["decisionId"] is None) == (unknown.found["decisionId"] is None)


def test_the_words_of_a_refused_write_do_not_tell_whether_a_patient_or_record_exists(
    patient: Patient, stranger: Person
) -> None:
    record = patient.store(observation())
    known = stranger.store(patient.id, observation()), stranger.amend(record, observation(), version=1)
    none = (
        stranger.store(unknown_id("Patient", 32), observation()),
        stranger.amend(unknown_id("Record", 16), observation(), version=1),
    )
    assert [answer.code for answer in (*known, *none)] == ["NOT_PERMITTED"] * 4
    assert [answer.message for answer in known] == [answer.message for answer in none]


@pytest.mark.parametrize("id", ["", "x", "UmVjb3JkOg", "💥", "A" * 10_000, "Record:1", "../../etc/passwd"])
def test_what_is_no_id_is_refused(clinician: Person, nothing_changes: Callable[[], None], id: str) -> None:
    assert clinician.read(id).code in {"INVALID", "LIMIT", "NOT_PERMITTED"}
    assert clinician.node(id).code in {"", "INVALID", "LIMIT"}
    assert clinician.node(id).found is None
    nothing_changes()


def test_an_id_of_another_kind_is_refused(
    patient: Patient, clinician: Person, nothing_changes: Callable[[], None]
) -> None:
    assert clinician.read(patient.id).code in {"INVALID", "NOT_PERMITTED"}
    assert patient.person.store(clinician.id, observation()).code in {"INVALID", "NOT_PERMITTED"}
    nothing_changes()


def test_a_record_at_a_stale_version_is_not_amended(site: Site, patient: Patient) -> None:
    record = patient.store(observation(value="1"))
    patient.person.amend(record, observation(value="2"), version=1).must()
    before = site.rows()
    for version in (1, 3, 0, -1, 2**31 - 1):
        answer = patient.person.amend(record, observation(value="3"), version=version)
        assert answer.code == "CONFLICT" or (version < 1 and answer.code == "INVALID"), str(answer)
    assert site.rows() == before
    assert patient.person.read(record, purpose="PATRQT").value["content"] == observation(value="2")


def test_an_idempotency_key_is_not_taken_for_other_content(site: Site, patient: Patient) -> None:
    patient.person.store(patient.id, observation(value="1"), key="k").must()
    before = site.rows()
    answer = patient.person.store(patient.id, observation(value="1.0"), key="k")
    assert (answer.code, answer.field[-1]) == ("CONFLICT", "idempotencyKey")
    assert patient.person.store(patient.id, observation(value="1"), labels=["PSY"], key="k").code == "CONFLICT"
    assert patient.person.import_bundle(patient.id, bundle(observation(value="2")), key="k").code == "CONFLICT"
    assert site.rows() == before


def test_an_import_and_a_record_of_the_same_content_do_not_share_a_key(site: Site, patient: Patient) -> None:
    patient.person.store(patient.id, observation(), key="both").must()
    before = site.rows()
    answer = patient.person.import_bundle(patient.id, bundle(observation(), observation()), key="both")
    assert answer.code == "CONFLICT"
    assert site.rows() == before


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_an_idempotency_key_has_bounds(patient: Patient, nothing_changes: Callable[[], None], key: str) -> None:
    assert patient.person.store(patient.id, observation(), key=key).code in {"INVALID", "LIMIT"}
    nothing_changes()


@pytest.mark.parametrize("labels", [["no label"], ["x" * 33], ["HIV\n"], [""], ["A"] * 1000])
def test_labels_have_a_form(patient: Patient, nothing_changes: Callable[[], None], labels: list[str]) -> None:
    assert patient.person.store(patient.id, observation(), labels=labels).code in {"INVALID", "LIMIT"}
    nothing_changes()


@pytest.mark.parametrize("after", ["x", "AAAA", "💥"])
def test_what_is_no_cursor_is_refused(patient: Patient, after: str) -> None:
    patient.store(observation())
    assert patient.person.records(patient.id, purpose="PATRQT", after=after).code == "INVALID"


def test_a_cursor_of_another_patient_is_refused(site: Site, patient: Patient) -> None:
    other = site.crowd.patient()
    for _ in range(2):
        other.store(observation())
    cursor = other.person.records(other.id, purpose="PATRQT", first=1).value["records"]["pageInfo"]["endCursor"]
    patient.store(observation())
    assert patient.person.records(patient.id, purpose="PATRQT", after=cursor).code == "INVALID"


def test_nothing_is_done_without_a_token(site: Site, patient: Patient, nothing_changes: Callable[[], None]) -> None:
    asked = {"patientId": patient.id, "resource": observation()}
    assert site.door.ask(documents.CREATE, {"input": asked}).code == "UNAUTHENTICATED"
    assert site.door.ask(documents.READ, {"id": unknown_id("Record", 16)}).code == "UNAUTHENTICATED"
    assert site.door.ask(documents.PATIENT, {"id": patient.id}).found is None
    nothing_changes()
