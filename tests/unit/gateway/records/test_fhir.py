"""The facts of a resource: over-read rather than under-read; and the resources of a bundle, as they came."""

import pytest

from gateway.errors import CallerError
from gateway.jsontext import JsonValue, dumps, loads
from gateway.records.fhir import INLINE_LABEL, bundle_resources, read_facts

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
LOINC: JsonValue = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}
ATTACHMENT: JsonValue = {"contentType": "text/plain", "data": "aGk="}


def observation(**elements: JsonValue) -> dict[str, JsonValue]:
    return {"resourceType": "Observation", "status": "final", "code": LOINC, **elements}


def inline(code: str) -> JsonValue:
    return [{"url": INLINE_LABEL, "valueCoding": {"system": ACT_CODE, "code": code}}]


@pytest.mark.parametrize(
    ("resource", "codes"),
    [
        (observation(), ("http://loinc.org|4548-4",)),
        (
            {"resourceType": "Immunization", "vaccineCode": {"coding": [{"system": "s", "code": "1"}, {"code": "2"}]}},
            ("s|1", "|2"),
        ),
        (
            {
                "resourceType": "Encounter",
                "class": {"system": "s", "code": "AMB"},
                "type": [{"coding": [{"system": "s", "code": "t"}]}],
            },
            ("s|t", "s|AMB"),
        ),
        (
            {
                "resourceType": "MedicationRequest",
                "medicationReference": {"reference": "#m"},
                "contained": [
                    {"resourceType": "Medication", "id": "m", "code": {"coding": [{"system": "s", "code": "m"}]}}
                ],
            },
            ("s|m",),
        ),
        (
            observation(reasonCode=[{"coding": [{"system": "s", "code": "not what it is about"}]}]),
            ("http://loinc.org|4548-4",),
        ),
    ],
)
def test_codes_say_what_a_resource_is_about(resource: JsonValue, codes: tuple[str, ...]) -> None:
    assert read_facts(resource).codes == codes


@pytest.mark.parametrize(
    "where",
    [
        {"reasonCode": [{"coding": [{"system": "s", "code": "1"}]}]},
        {"component": [{"code": {"coding": [{"system": "s", "code": "1"}]}}]},
        {"item": [{"detail": [{"productOrService": {"coding": [{"system": "s", "code": "1"}]}}]}]},
        {"extension": [{"url": "x", "valueCoding": {"system": "s", "code": "1"}}]},
        {"contained": [{"resourceType": "Condition", "code": {"coding": [{"system": "s", "code": "1"}]}}]},
    ],
)
def test_a_code_is_mentioned_wherever_it_stands(where: dict[str, JsonValue]) -> None:
    assert "s|1" in read_facts(observation(**where)).mentioned


def test_quantities_and_handling_are_not_mentioned_codes() -> None:
    facts = read_facts(
        observation(
            valueQuantity={"value": 1, "system": "http://unitsofmeasure.org", "code": "mg"},
            meta={"security": [{"system": ACT_CODE, "code": "HIV"}], "tag": [{"system": "s", "code": "t"}]},
        )
    )
    assert facts.mentioned == ("http://loinc.org|4548-4",)


@pytest.mark.parametrize(
    ("system", "code", "labels"),
    [
        (ACT_CODE, "HIV", {"HIV"}),
        (CONFIDENTIALITY, "R", {"R"}),
        (CONFIDENTIALITY, "V", {"V"}),
        (CONFIDENTIALITY, "N", set()),
        ("http://terminology.hl7.org/CodeSystem/v3-ActReason", "HTEST", set()),
        ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "SUBSETTED", set()),
        ("http://example.org/house-labels", "VIP", {"VIP"}),
    ],
)
def test_security_labels_count_unless_they_ask_for_nothing(system: str, code: str, labels: set[str]) -> None:
    assert read_facts(observation(meta={"security": [{"system": system, "code": code}]})).security_labels == labels


def test_a_label_on_the_resource_itself_labels_the_whole() -> None:
    assert read_facts(observation(extension=inline("PSY"))).security_labels == {"PSY"}


@pytest.mark.parametrize(
    ("elements", "parts"),
    [
        ({"note": [{"text": "a"}, {"text": "b", "extension": inline("PSY")}]}, {"/note/1": {"PSY"}}),
        ({"subject": {"reference": "a", "extension": inline("SDV")}}, {"/subject": {"SDV"}}),
        (
            {"component": [{"valueQuantity": {"value": 1, "extension": inline("SUD")}}]},
            {"/component/0/valueQuantity": {"SUD"}},
        ),
        (
            {"valueString": "x", "_valueString": {"extension": inline("HIV")}},
            {"/_valueString": {"HIV"}, "/valueString": {"HIV"}},
        ),
        (
            {"contained": [{"resourceType": "Patient", "meta": {"security": [{"system": ACT_CODE, "code": "SEX"}]}}]},
            {"/contained/0": {"SEX"}},
        ),
        (
            {"component": [{"extension": inline("SUD"), "valueQuantity": {"value": 1, "extension": inline("HIV")}}]},
            {"/component/0": {"SUD"}, "/component/0/valueQuantity": {"HIV"}},
        ),
        (
            {"extension": [{"url": "http://x", "valueString": "x", "extension": inline("PSY")}]},
            {"/extension/0": {"PSY"}},
        ),
        ({"note": [{"text": "a"}]}, {}),
    ],
)
def test_labelled_parts_are_found_with_their_pointers(
    elements: dict[str, JsonValue], parts: dict[str, set[str]]
) -> None:
    found = read_facts(observation(**elements)).parts
    assert {part.pointer: set(part.labels) for part in found} == parts


@pytest.mark.parametrize(
    ("what", "resource"),
    [
        (
            "an attachment with data",
            {"resourceType": "DocumentReference", "type": LOINC, "content": [{"attachment": ATTACHMENT}]},
        ),
        (
            "an attachment elsewhere",
            {"resourceType": "DocumentReference", "type": LOINC, "content": [{"attachment": {"url": "http://x"}}]},
        ),
        ("a media file", {"resourceType": "Media", "type": LOINC, "content": ATTACHMENT}),
        ("a presented form", {"resourceType": "DiagnosticReport", "code": LOINC, "presentedForm": [ATTACHMENT]}),
        ("a binary", {"resourceType": "Binary", "contentType": "image/png", "data": "aGk="}),
        ("a photo of the patient", {"resourceType": "Patient", "photo": [ATTACHMENT]}),
        ("an answer in words", observation(valueString="uses heroin")),
        ("an answer in words in a component", observation(component=[{"code": LOINC, "valueString": "x"}])),
        ("a note instead of an answer", observation(note=[{"text": "x"}])),
        ("a conclusion without results", {"resourceType": "DiagnosticReport", "code": LOINC, "conclusion": "x"}),
        ("a concept in words only", {"resourceType": "Condition", "code": {"text": "HIV"}}),
        ("a goal in words only", {"resourceType": "Goal", "description": {"text": "stop drinking"}}),
        ("a narrative that adds", observation(text={"status": "additional", "div": "x"})),
        ("a narrative alone", {"resourceType": "Basic", "text": {"status": "generated", "div": "x"}}),
        ("a letter", {"resourceType": "Communication", "payload": [{"contentString": "x"}]}),
        ("a composition", {"resourceType": "Composition", "type": LOINC}),
        ("a questionnaire's answers", {"resourceType": "QuestionnaireResponse"}),
        (
            "a contained concept in words only",
            observation(contained=[{"resourceType": "Condition", "code": {"text": "x"}}]),
        ),
    ],
)
def test_what_no_rule_can_read_is_told(what: str, resource: JsonValue) -> None:
    assert read_facts(resource).has_unreadable, what


@pytest.mark.parametrize(
    ("what", "resource"),
    [
        ("a coded observation", observation(valueQuantity={"value": 1})),
        ("a note beside an answer", observation(valueQuantity={"value": 1}, note=[{"text": "x"}])),
        ("a generated narrative", observation(text={"status": "generated", "div": "x"})),
        ("words beside a code", observation(code={"coding": [{"system": "s", "code": "1"}], "text": "x"})),
        ("a string in an extension", observation(extension=[{"url": "http://x", "valueString": "x"}])),
        ("a waveform under a code", observation(valueSampledData={"origin": {"value": 0}, "data": "1 2"})),
        ("a signature", {"resourceType": "Provenance", "signature": [{"who": {}, "data": "aGk="}]}),
        ("a patient", {"resourceType": "Patient", "name": [{"family": "x"}]}),
        ("a coverage in words", {"resourceType": "Coverage", "type": {"text": "Medicare"}}),
    ],
)
def test_what_rules_can_read_is_not_unclassified(what: str, resource: JsonValue) -> None:
    assert not read_facts(resource).has_unreadable, what


@pytest.mark.parametrize(
    ("resource", "reference"),
    [
        (observation(subject={"reference": "Patient/1"}), "Patient/1"),
        ({"resourceType": "Immunization", "patient": {"reference": "urn:uuid:1"}}, "urn:uuid:1"),
        ({"resourceType": "Coverage", "beneficiary": {"reference": "Patient/1"}}, "Patient/1"),
        ({"resourceType": "ResearchSubject", "individual": {"reference": "Patient/1"}}, "Patient/1"),
        ({"resourceType": "Patient", "id": "1"}, "Patient/1"),
        (observation(subject={"display": "somebody"}), None),
        ({"resourceType": "Organization"}, None),
        ({"resourceType": "Account", "subject": [{"reference": "Patient/1"}, {"reference": "Patient/2"}]}, None),
    ],
)
def test_the_subject_is_told_when_there_is_one(resource: JsonValue, reference: str | None) -> None:
    assert read_facts(resource).subject_reference == reference


def test_contained_types_are_told() -> None:
    contained: JsonValue = [{"resourceType": "Patient"}, {"resourceType": "Device"}]
    assert read_facts(observation(contained=contained)).contained_types == {"Patient", "Device"}


@pytest.mark.parametrize("resource", [None, 1, "x", [], {}, {"resourceType": 1}])
def test_what_is_no_resource_has_no_facts(resource: JsonValue) -> None:
    with pytest.raises(CallerError):
        read_facts(resource)


@pytest.mark.parametrize("kind", ["collection", "batch", "transaction"])
def test_the_resources_of_a_bundle_come_as_they_are(kind: str) -> None:
    resource = '{"resourceType":"Observation","valueQuantity":{"value":1.10},"subject":{"reference":"urn:uuid:1"}}'
    bundle = loads(
        f'{{"resourceType":"Bundle","type":"{kind}","entry":[{{"fullUrl":"urn:uuid:2","resource":{resource}}}]}}'
    )
    assert [(entry.full_url, dumps(entry.resource)) for entry in bundle_resources(bundle)] == [
        ("urn:uuid:2", resource.encode())
    ]


@pytest.mark.parametrize(
    ("bundle", "field"),
    [
        ({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": observation()}]}, ("type",)),
        ({"resourceType": "Bundle", "type": "history"}, ("type",)),
        (observation(), ("type",)),
        ({"resourceType": "Bundle", "type": "batch"}, ("entry",)),
        ({"resourceType": "Bundle", "type": "batch", "entry": []}, ("entry",)),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{"fullUrl": "x"}]}, ("entry", "0")),
        (
            {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {}}]},
            ("entry", "0", "resource", "resourceType"),
        ),
        (
            {
                "resourceType": "Bundle",
                "type": "batch",
                "entry": [{"resource": observation(), "request": {"method": "DELETE"}}],
            },
            ("entry", "0", "request", "method"),
        ),
        ({}, ("resourceType",)),
    ],
)
def test_a_bundle_that_is_no_import_is_refused_with_the_path(bundle: JsonValue, field: tuple[str, ...]) -> None:
    with pytest.raises(CallerError) as caught:
        bundle_resources(bundle)
    assert caught.value.field == field
