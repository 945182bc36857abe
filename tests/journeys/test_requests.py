"""A clinician asks, the patient reads it in their language, signs or declines; and a consent goes out and comes back as
FHIR."""

import hashlib
import time
from typing import Any

import pytest

from tests.journeys import documents
from tests.journeys.people import Patient, Person, instant, unknown_id
from tests.journeys.resources import observation
from tests.journeys.sites import Site

REASON = "To follow up your surgery of last week"


@pytest.fixture
def asker(site: Site) -> Person:
    """A clinician whose requests are this test's alone."""
    return site.crowd.clinician("Dr. Asker")


def ask(who: Person, patient: str, **terms: object) -> Any:
    plain = {"patientId": patient, "purposes": ["TREAT"], "reason": REASON, "notAfter": instant(time.time() + 3600)}
    return who.ask(documents.REQUEST_CONSENT, {"input": {**plain, **terms}})


def asked_of(patient: Patient, **part: object) -> Any:
    page = patient.person.ask(documents.PATIENTS_REQUESTS, {"id": patient.id, **part}).value
    return page["consentRequests"]


def sent(who: Person, **part: object) -> Any:
    return who.ask(documents.SENT_REQUESTS, part).value


def nodes(page: Any) -> list[Any]:
    return [edge["node"] for edge in page["edges"]]


def test_what_is_asked_is_read_signed_and_then_permits(patient: Patient, asker: Person) -> None:
    record = patient.store(observation())
    made = ask(asker, patient.id, resourceTypes=["Observation"]).value
    assert (made["state"], made["reason"], made["consent"]) == ("OPEN", REASON, None)
    assert asker.read(record).code == "NOT_PERMITTED"
    (found,) = nodes(asked_of(patient))
    assert (found["id"], found["state"], found["asker"]["id"]) == (made["id"], "OPEN", asker.id)
    assert found["asker"]["name"] == asker.name
    assert "Only these kinds: Observation." in found["statement"]
    assert found["german"].startswith("Ich erlaube")
    draft = patient.person.ask(documents.DRAFT_REQUESTED, {"id": made["id"], "language": "DE"}).value
    granted = patient.person.submit(documents.GRANT, draft["typedData"]).value
    assert granted["statement"].startswith("Ich erlaube")
    assert asker.read(record).value["content"] == observation()
    (mine,) = nodes(sent(asker))
    assert (mine["state"], mine["consent"]) == ("GRANTED", {"consentId": draft["id"], "status": "ACTIVE"})
    patient.revoke(draft["id"]).must()
    (mine,) = nodes(sent(asker))
    assert (mine["state"], mine["consent"]["status"]) == ("GRANTED", "REVOKED")
    actions = [event["action"] for event in patient.access_log()]
    assert {"REQUEST_CONSENT", "GRANT", "SHOW_CONSENT"} <= set(actions)


def test_a_decline_is_silence_to_who_asked(patient: Patient, asker: Person) -> None:
    made = ask(asker, patient.id).value
    nobody = ask(asker, unknown_id("Patient", 32)).value
    declined = patient.person.ask(documents.DECLINE_REQUEST, {"id": made["id"]}).value
    assert declined["state"] == "DECLINED"
    assert {one["id"]: one["state"] for one in nodes(sent(asker))} == {made["id"]: "OPEN", nobody["id"]: "OPEN"}
    assert [one["state"] for one in nodes(asked_of(patient))] == ["DECLINED"]
    assert patient.person.ask(documents.DRAFT_REQUESTED, {"id": made["id"]}).code == "CONFLICT"
    assert asker.ask(documents.WITHDRAW_REQUEST, {"id": made["id"]}).value["state"] == "WITHDRAWN"
    assert [one["state"] for one in nodes(asked_of(patient))] == ["DECLINED"]


def test_a_request_is_another_persons_to_nobody(patient: Patient, asker: Person, stranger: Person) -> None:
    made = ask(asker, patient.id).value
    for document in (documents.WITHDRAW_REQUEST, documents.DECLINE_REQUEST, documents.DRAFT_REQUESTED):
        assert stranger.ask(document, {"id": made["id"]}).code == "NOT_PERMITTED"
    assert nodes(sent(stranger)) == []


def test_lists_of_requests_go_both_ways(patient: Patient, asker: Person) -> None:
    ids = [ask(asker, patient.id).value["id"] for _ in range(3)][::-1]
    assert ask(asker, patient.id).code == "LIMIT"
    for listed in (lambda **part: sent(asker, **part), lambda **part: asked_of(patient, **part)):
        first = listed(first=2)
        assert [one["id"] for one in nodes(first)] == ids[:2]
        assert first["pageInfo"]["hasNextPage"]
        rest = listed(first=2, after=first["pageInfo"]["endCursor"])
        assert ([one["id"] for one in nodes(rest)], rest["pageInfo"]["hasNextPage"]) == (ids[2:], False)
        back = listed(last=1, before=rest["pageInfo"]["startCursor"])
        assert ([one["id"] for one in nodes(back)], back["pageInfo"]["hasPreviousPage"]) == (ids[1:2], True)
        last = listed(last=3)
        assert ([one["id"] for one in nodes(last)], last["pageInfo"]["hasPreviousPage"]) == (ids, False)


def test_a_consent_goes_out_as_fhir_and_comes_back(patient: Patient, asker: Person) -> None:
    first = patient.consent(asker.id, resourceTypes=["Observation"], labels=["HIV"])
    page = patient.person.ask(documents.CONSENT_AS_FHIR, {"id": patient.id}).value
    (resource,) = [edge["node"]["asFhir"] for edge in page["consents"]["edges"]]
    given = {"patient": patient.id, "resource": resource}
    typed = patient.person.ask(documents.DRAFT_FROM_FHIR, given).value["typedData"]
    scope = typed["message"]["scope"]
    assert (scope["resourceTypes"], scope["labels"], scope["purposes"]) == (["Observation"], ["HIV"], ["TREAT"])
    again = patient.person.submit(documents.GRANT, typed).value
    assert again["consentId"] != first, "another salt, another consent"
    resource["provision"]["provision"] = [{"type": "deny"}]
    refused = patient.person.ask(documents.DRAFT_FROM_FHIR, given)
    assert (refused.code, refused.field) == ("INVALID", ("resource", "provision", "provision"))


def test_a_form_is_published_asked_for_signed_and_found_again(site: Site, patient: Patient, asker: Person) -> None:
    clinic = site.crowd.register("ORGANIZATION", "Clinic")
    texts = [{"language": "EN", "text": "# What you agree to"}, {"language": "DE", "text": "# Wozu Sie ja sagen"}]
    first = clinic.ask(documents.PUBLISH_FORM, {"input": {"title": "Follow-up", "texts": texts}}).value
    assert first["termsHash"] == "0x" + hashlib.sha256(first["document"].encode()).hexdigest()
    assert (first["version"], first["publisher"]["id"]) == (1, clinic.id)
    made = ask(asker, patient.id, termsHash=first["termsHash"]).value
    draft = patient.person.ask(documents.DRAFT_REQUESTED, {"id": made["id"]}).value
    assert first["termsHash"] in draft["typedData"]["message"]["scope"]["statement"]
    patient.person.submit(documents.GRANT, draft["typedData"]).must()
    later = {"formId": first["formId"], "title": "Follow-up, again", "texts": texts[:1]}
    second = clinic.ask(documents.PUBLISH_FORM, {"input": later}).value
    assert second["version"] == 2
    page = patient.person.ask(documents.SIGNED_FORM, {"id": patient.id}).value
    assert page["consents"]["edges"] == [{"node": {"form": {"version": 1, "title": "Follow-up"}}}]
    assert asker.ask(documents.PUBLISH_FORM, {"input": later}).code == "NOT_PERMITTED"
    assert asker.ask(documents.FORM, {"id": first["formId"]}).value["version"] == 2
    old = asker.ask(documents.FORM, {"id": first["formId"], "version": 1}).value
    assert (old["document"], [one["language"] for one in old["texts"]]) == (first["document"], ["DE", "EN"])
    assert asker.ask(documents.FORM, {"id": first["formId"], "version": 3}).code == "INVALID"
    listed = asker.ask(documents.FORMS, {"form": first["formId"], "first": 1}).value
    assert ([edge["node"]["version"] for edge in listed["edges"]], listed["pageInfo"]["hasNextPage"]) == ([2], True)
