"""Records end to end: what is stored comes back, versions, pages, filters, names, and the patient's access log."""

from gateway import jsontext
from gateway.jsontext import Num
from tests.journeys import documents
from tests.journeys.people import Patient, Person
from tests.journeys.resources import HIV_POSITIVE, LOINC, SYSTOLIC, WEIGHT, bundle, condition, observation
from tests.journeys.sites import Site


def test_a_number_keeps_its_text(patient: Patient) -> None:
    record = patient.store(observation(value="1.10"))
    assert '"value":1.10,' in patient.person.read(record, purpose="PATRQT").text.replace(": ", ":")


def test_a_number_that_stands_in_the_document_keeps_its_text(patient: Patient) -> None:
    resource = (
        '{resourceType: "Observation", status: "final", code: {coding: [{system: "http://loinc.org", code: "8480-6"}]},'
        ' valueQuantity: {value: 1.10, unit: "mmHg"}}'
    )
    document = f'mutation {{ createRecord(input: {{patientId: "{patient.id}", resource: {resource}}}) {{'
    record = patient.person.ask(document + " ... on StoredRecord { id } ... on Refusal { code message } } }").value[
        "id"
    ]
    content = patient.person.read(record, purpose="PATRQT").value["content"]
    assert content["valueQuantity"]["value"] == Num("1.10")


def test_every_member_comes_back_as_it_went_in(patient: Patient) -> None:
    resource = observation(value="-0.0100", note=[{"text": "ünïcode \u2028 \\u0041 🙂"}])
    record = patient.store(resource)
    content = patient.person.read(record, purpose="PATRQT").value["content"]
    assert jsontext.dumps(content) == jsontext.dumps(resource)


def test_an_amendment_is_the_next_version(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation(value="118"))
    patient.consent(clinician.id)
    assert patient.person.amend(record, observation(value="119"), version=1).value["version"] == 2
    read = clinician.read(record).value
    assert (read["version"], read["content"]) == (2, observation(value="119"))


def test_an_amendment_keeps_the_type(site: Site, patient: Patient) -> None:
    record = patient.store(observation())
    before = site.rows("versions")
    answer = patient.person.amend(record, condition(), version=1)
    assert (answer.code, answer.field[-1]) == ("INVALID", "resourceType")
    assert site.rows("versions") == before


def test_an_amendment_keeps_the_subject(site: Site, patient: Patient) -> None:
    record = patient.store(condition())
    other = condition(subject={"reference": "urn:uuid:00000000-0000-4000-8000-000000000000"})
    before = site.rows("versions")
    answer = patient.person.amend(record, other, version=1)
    assert (answer.code, answer.field[-1]) == ("INVALID", "subject")
    assert site.rows("versions") == before


def test_others_than_the_patient_add_labels_and_remove_none(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation(), labels=["PSY"])
    patient.consent(clinician.id, actions=["READ", "WRITE"], labels=["PSY", "ETH"])
    clinician.amend(record, observation(value="1"), version=1, labels=["ETH"]).must()
    assert clinician.read(record).value["labels"] == ["ETH", "PSY"]


def test_the_patient_removes_labels(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation(), labels=["PSY"])
    patient.consent(clinician.id)
    assert clinician.read(record).code == "NOT_PERMITTED"
    patient.person.amend(record, observation(), version=1, labels=[]).must()
    assert clinician.read(record).value["labels"] == []


def test_not_even_the_patient_removes_a_label_that_a_rule_gives(patient: Patient) -> None:
    record = patient.store(condition(code=HIV_POSITIVE), labels=[])
    assert patient.person.read(record, purpose="PATRQT").value["labels"] == ["HIV"]


def test_pages_follow_each_other_without_gap_or_repetition(patient: Patient) -> None:
    made = patient.person.import_bundle(patient.id, bundle(*[observation(value=str(at)) for at in range(1, 8)]))
    ids = [record["id"] for record in made.value["records"]]
    found, after, sizes = [], None, []
    while True:
        page = patient.person.records(patient.id, purpose="PATRQT", first=3, after=after).value["records"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        sizes.append(len(page["edges"]))
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert (found, sizes) == (ids, [3, 3, 1])


def test_an_edges_own_cursor_goes_on_from_there(patient: Patient) -> None:
    ids = [patient.store(observation(value=str(at))) for at in range(1, 4)]
    page = patient.person.records(patient.id, purpose="PATRQT").value["records"]
    rest = patient.person.records(patient.id, purpose="PATRQT", after=page["edges"][0]["cursor"]).value["records"]
    assert [edge["node"]["id"] for edge in rest["edges"]] == ids[1:]


def test_a_hidden_record_leaves_no_trace_in_a_page(patient: Patient, clinician: Person) -> None:
    shown = patient.store(observation())
    patient.store(condition(code=HIV_POSITIVE))
    patient.consent(clinician.id)
    page = clinician.records(patient.id, first=1).value["records"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [shown]
    assert page["pageInfo"]["hasNextPage"] is False


def test_a_page_has_a_ceiling(patient: Patient) -> None:
    assert patient.person.records(patient.id, purpose="PATRQT", first=101).code == "LIMIT"


def test_a_page_has_at_least_one_record(patient: Patient) -> None:
    assert patient.person.records(patient.id, purpose="PATRQT", first=0).code in {"LIMIT", "INVALID"}


def test_a_filter_by_type_finds_the_type(patient: Patient) -> None:
    patient.store(observation())
    wanted = patient.store(condition())
    assert patient.person.seen(patient.id, purpose="PATRQT", wanted={"resourceTypes": ["Condition"]}) == [wanted]


def test_a_filter_by_code_finds_the_code(patient: Patient) -> None:
    patient.store(observation(code=SYSTOLIC))
    wanted = patient.store(observation(code=WEIGHT))
    assert patient.person.seen(patient.id, purpose="PATRQT", wanted={"code": f"{LOINC}|{WEIGHT}"}) == [wanted]


def test_a_filter_by_date_finds_the_period(patient: Patient) -> None:
    patient.store(observation(date="2019-05-01"))
    wanted = patient.store(observation(date="2020-05-01"))
    period = {"from": "2020-01-01T00:00:00Z", "to": "2020-12-31T00:00:00Z"}
    assert patient.person.seen(patient.id, purpose="PATRQT", wanted=period) == [wanted]


def test_a_record_is_a_node_for_those_who_may_read_it(patient: Patient, clinician: Person) -> None:
    record = patient.store(observation())
    assert clinician.node(record).value is None
    patient.consent(clinician.id)
    assert clinician.node(record).value["content"] == observation()
    assert patient.person.node(record).value["content"] == observation()


def test_the_viewer_is_who_signed_in_and_null_without_a_token(site: Site, clinician: Person) -> None:
    assert clinician.ask(documents.VIEWER).value["id"] == clinician.id
    assert site.door.ask(documents.VIEWER).value is None


def test_the_access_log_tells_who_asked_and_what_they_were_told(
    patient: Patient, clinician: Person, stranger: Person
) -> None:
    record = patient.store(observation())
    patient.consent(clinician.id)
    clinician.read(record).must()
    stranger.read(record)
    told = {
        (event["actor"]["id"], event["action"], event["outcome"])
        for event in patient.access_log()
        if event["recordId"] == record and event["actor"] is not None
    }
    assert {(clinician.id, "READ", "PERMITTED"), (stranger.id, "READ", "DENIED")} <= told


def test_the_access_log_is_the_patients_alone(patient: Patient, clinician: Person) -> None:
    patient.store(observation())
    patient.consent(clinician.id)
    shown = clinician.ask(documents.ACCESS_LOG, {"id": patient.id}).value
    assert shown is None or shown["accessLog"]["edges"] == []


def test_an_idempotent_request_answers_alike(site: Site, patient: Patient) -> None:
    first = patient.person.store(patient.id, observation(), key="one").value
    before = site.rows("records")
    second = patient.person.store(patient.id, observation(), key="one").value
    assert (second["id"], second["version"], second["cid"]) == (first["id"], first["version"], first["cid"])
    assert site.rows("records") == before


def test_an_idempotent_import_answers_alike(site: Site, patient: Patient) -> None:
    given = bundle(observation(value="1"), observation(value="2"))
    first = patient.person.import_bundle(patient.id, given, key="import").value
    before = site.rows("records")
    assert patient.person.import_bundle(patient.id, given, key="import").value == first
    assert site.rows("records") == before


def test_an_idempotency_key_is_its_actors_own(patient: Patient, clinician: Person) -> None:
    patient.consent(clinician.id, actions=["READ", "WRITE"])
    mine = patient.person.store(patient.id, observation(value="1"), key="same").value["id"]
    theirs = clinician.store(patient.id, observation(value="2"), key="same").value["id"]
    assert mine != theirs


def test_the_access_log_is_searched(patient: Patient, clinician: Person, stranger: Person) -> None:
    first, second = (patient.store(observation(value=value)) for value in ("1", "2"))
    patient.consent(clinician.id)
    for record in (first, second):
        clinician.read(record).must()
        stranger.read(record)

    def search(**wanted: object) -> list[tuple[str, str, str]]:
        answer = patient.person.ask(documents.SEARCH_LOG, {"id": patient.id, "filter": wanted})
        nodes = [edge["node"] for edge in answer.value["accessLog"]["edges"]]
        return [(node["actor"]["id"], node["recordId"], node["outcome"]) for node in nodes]

    refused = [(stranger.id, second, "DENIED"), (stranger.id, first, "DENIED")]
    assert search(outcome="DENIED", actions=["READ"]) == refused
    assert search(actorId=clinician.id, recordId=first) == [(clinician.id, first, "PERMITTED")]
    assert search(actorId=clinician.id, to="2020-01-01T00:00:00Z") == []
