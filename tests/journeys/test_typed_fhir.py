"""A resource by its fields, and what it refers to, as README.md shows it: over HTTP, from a live gateway."""

import pytest

from gateway import jsontext
from gateway.jsontext import JsonValue, Num
from tests.docs import readme
from tests.journeys.people import Answer, Patient, Person
from tests.journeys.resources import WEIGHT, observation
from tests.journeys.sites import Site

ENCOUNTER = "urn:uuid:5f0e0a3c-9a64-4c1b-9d52-0c1a8f6f1d11"
_, QUERY = readme.blocks("graphql")
(SHOWN,) = readme.blocks("json")
ONE = """query ($id: ID!, $purpose: PurposeOfUse!) { record(id: $id, purpose: $purpose) { ... on Record { resource {
  ... on FhirObservation { encounter { record { ... on Record { id version receipt { decisionId } }
  ... on Refusal { code message } } } } } } } }"""


def visit() -> dict[str, JsonValue]:
    """A weight that was taken at an encounter, and refers to what is not there."""
    weight = observation(
        code=WEIGHT,
        encounter={"reference": ENCOUNTER},
        hasMember=[{"reference": "Observation/of-another"}],
    )
    weight["valueQuantity"] = {"value": Num("71.50"), "unit": "kg"}
    meeting = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"}}
    entries = [{"fullUrl": ENCOUNTER, "resource": meeting}, {"resource": weight}]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.fixture
def records(patient: Patient) -> list[str]:
    """The encounter's id, and the weight's."""
    return [one["id"] for one in patient.person.import_bundle(patient.id, visit()).value["records"]]


def asked(person: Person, record: str, purpose: str) -> Answer:
    return person.ask(ONE, {"id": record, "purpose": purpose})


def test_the_answer_is_the_one_that_is_shown(patient: Patient, clinician: Person, records: list[str]) -> None:
    patient.consent(clinician.id)
    found = clinician.ask(QUERY, {"patient": patient.id}).value
    (edge,) = found["records"]["edges"]
    assert jsontext.dumps(edge["node"]["resource"]) == jsontext.dumps(jsontext.loads(SHOWN))


def test_a_reference_outside_the_consent_is_refused(patient: Patient, clinician: Person, records: list[str]) -> None:
    patient.consent(clinician.id, resourceTypes=["Observation"])
    found = asked(clinician, records[1], "TREAT").value
    refused = {"code": "NOT_PERMITTED", "message": "not permitted"}
    assert found["resource"]["encounter"]["record"] == refused


def test_what_a_reference_gave_is_in_the_patients_log(patient: Patient, clinician: Person, records: list[str]) -> None:
    patient.consent(clinician.id)
    found = asked(clinician, records[1], "TREAT").value["resource"]["encounter"]["record"]
    assert found["id"] == records[0]
    logged = {one["decisionId"]: one for one in patient.access_log()}
    assert logged[found["receipt"]["decisionId"]]["recordId"] == records[0]


def test_an_amended_record_is_found_by_the_names_of_before(patient: Patient, site: Site, records: list[str]) -> None:
    meeting = {"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}}
    patient.person.amend(records[0], meeting, version=1).must()
    found = asked(patient.person, records[1], "PATRQT").value["resource"]["encounter"]["record"]
    assert (found["id"], found["version"]) == (records[0], 2)
