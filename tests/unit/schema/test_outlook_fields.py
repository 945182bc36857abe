"""Who may see what, as a client asks it: mapped, bounded, and refused to all but the patient."""

from typing import Any

from gateway.ids import to_global
from tests.unit.schema.conftest import Ask
from tests.unit.schema.services import CONSENT, PATIENT, RECORD, World

PATIENT_ID, RECORD_ID = to_global("Patient", PATIENT), to_global("Record", RECORD)
GRANTEE_ID = to_global("Actor", b"\x01" * 32)
QUERY = """query($patient: ID!, $record: ID!, $grantee: ID!, $filter: RecordFilter) {
  explainAccess(recordId: $record) { __typename ... on Refusal { code } ... on AccessExplanation { recordId complete
    permitted { grantee { name } action purpose consentId hidden until }
    barred { grantee { actor } actions purposes consentId } } }
  whoCanSee(patientId: $patient, filter: $filter) { __typename ... on Refusal { code } ... on Outlook { records complete
    reaches { grantee { name } purpose records redacted consentIds } } }
  previewConsent(input: {patientId: $patient, granteeId: $grantee, purposes: [TREAT]}) { __typename
    ... on Refusal { code } ... on ConsentPreview { statement records complete opened closed
      effects { grantee { name } purpose before after } } } }"""
GIVEN = {"patient": PATIENT_ID, "record": RECORD_ID, "grantee": GRANTEE_ID}


async def test_the_patient_is_told_all_of_it(ask: Ask) -> None:
    data = (await ask(QUERY, token="patient", **GIVEN))["data"]
    consent = "0x" + CONSENT.hex()
    explained = data["explainAccess"]
    assert explained["recordId"] == RECORD_ID
    assert explained["complete"] is True
    assert explained["permitted"][0] == {
        "grantee": {"name": "Dr. Ada"},
        "action": "READ",
        "purpose": "TREAT",
        "consentId": consent,
        "hidden": ["/note"],
        "until": "2023-11-14T22:13:20.000Z",
    }
    assert explained["barred"] == [
        {"grantee": {"actor": "0x" + "00" * 32}, "actions": [], "purposes": [], "consentId": consent}
    ]
    assert data["whoCanSee"]["reaches"][0] == {
        "grantee": {"name": "Dr. Ada"},
        "purpose": "HRESCH",
        "records": 3,
        "redacted": 1,
        "consentIds": [consent],
    }
    preview = data["previewConsent"]
    assert (preview["statement"], preview["records"], preview["opened"]) == ("I allow.", 9, [RECORD_ID])
    assert preview["effects"][0] == {"grantee": {"name": "Dr. Ada"}, "purpose": "TREAT", "before": 1, "after": 2}


async def test_others_are_refused_alike(ask: Ask) -> None:
    for token, code in (("clinician", "NOT_PERMITTED"), (None, "UNAUTHENTICATED")):
        given: dict[str, Any] = {**GIVEN, **({"token": token} if token else {})}
        data = (await ask(QUERY, **given))["data"]
        assert {answer["code"] for answer in data.values()} == {code}


async def test_a_filter_reaches_the_service_and_a_wrong_one_is_named(ask: Ask, world: World) -> None:
    await ask(QUERY, token="patient", filter={"labels": ["HIV"], "resourceTypes": ["Condition"]}, **GIVEN)
    _, found = world.outlooks.asked[1]
    assert (found.labels, found.resource_types) == ({"HIV"}, ("Condition",))
    data = (await ask(QUERY, token="patient", filter={"labels": []}, **GIVEN))["data"]
    assert data["whoCanSee"]["code"] == "INVALID"


async def test_a_list_that_was_cut_says_so(ask: Ask, world: World) -> None:
    world.outlooks.most = 501
    data = (await ask(QUERY, token="patient", **GIVEN))["data"]
    assert [answer["complete"] for answer in data.values()] == [False, False, False]
    assert len(data["explainAccess"]["permitted"]) == len(data["whoCanSee"]["reaches"]) == 500
