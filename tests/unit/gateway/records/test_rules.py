"""What earns which label, as a table that a clinician can read; and what earns none."""

from importlib.resources import files

import pytest

from gateway.errors import SettingsError
from gateway.jsontext import JsonValue
from gateway.records.facts import ResourceFacts
from gateway.records.fhir import read_facts
from gateway.records.rules import Rules, label, parse_rules

SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"


@pytest.fixture(scope="module")
def rules() -> Rules:
    return parse_rules(files("gateway.records").joinpath("labelling.toml").read_text())


def coded(resource_type: str, system: str, code: str, element: str = "code") -> ResourceFacts:
    concept: JsonValue = {"coding": [{"system": system, "code": code}]}
    return read_facts({"resourceType": resource_type, element: concept})


@pytest.mark.parametrize(
    ("what", "resource_type", "system", "code", "labels"),
    [
        ("HIV disease", "Condition", ICD10, "B20", {"HIV"}),
        ("HIV, asymptomatic", "Condition", ICD10, "Z21", {"HIV"}),
        ("HIV infection", "Condition", SNOMED, "86406008", {"HIV"}),
        ("HIV antigen test", "Procedure", SNOMED, "31676001", {"HIV"}),
        ("HIV viral load", "Observation", LOINC, "20447-9", {"HIV"}),
        ("HIV screening panel", "DiagnosticReport", LOINC, "75622-1", {"HIV"}),
        ("dolutegravir 50 mg", "MedicationRequest", RXNORM, "1433873", {"HIV"}),
        ("alcohol dependence", "Condition", ICD10, "F10.20", {"SUD"}),
        ("alcohol dependence, written without the dot", "Condition", ICD10, "F1020", {"SUD"}),
        ("opioid dependence", "Condition", ICD10, "F11.2", {"SUD"}),
        ("inhalant abuse", "Condition", ICD10, "F18", {"SUD"}),
        ("drug overdose", "Condition", SNOMED, "55680006", {"SUD"}),
        ("DAST-10 total score", "Observation", LOINC, "82667-7", {"SUD"}),
        ("AUDIT-C total score", "Observation", LOINC, "75626-2", {"SUD"}),
        ("buprenorphine and naloxone film", "MedicationRequest", RXNORM, "1010600", {"SUD"}),
        ("naltrexone 50 mg", "MedicationRequest", RXNORM, "1483744", {"SUD"}),
        ("schizophrenia", "Condition", ICD10, "F20", {"PSY"}),
        ("major depression, recurrent, severe", "Condition", ICD10, "F33.2", {"PSY"}),
        ("somatoform disorder", "Condition", ICD10, "F48.9", {"PSY"}),
        ("major depression", "Condition", SNOMED, "370143000", {"PSY"}),
        ("PHQ-9 total score", "Observation", LOINC, "44261-6", {"PSY"}),
        ("quetiapine 25 mg", "MedicationRequest", RXNORM, "312744", {"PSY"}),
        ("adult sexual abuse, confirmed", "Condition", ICD10, "T74.21XA", {"SDV"}),
        ("suspected abuse", "Condition", ICD10, "T76", {"SDV"}),
        ("victim of intimate partner abuse", "Condition", SNOMED, "706893006", {"SDV"}),
        ("HARK questionnaire", "Observation", LOINC, "76499-3", {"SDV"}),
        ("primary syphilis", "Condition", ICD10, "A51.0", {"STD"}),
        ("trichomoniasis", "Condition", ICD10, "A59", {"STD"}),
        ("chlamydia antigen test", "Procedure", SNOMED, "310861008", {"STD"}),
        ("normal pregnancy", "Condition", SNOMED, "72892002", {"SEX"}),
        ("gender identity disorder", "Condition", ICD10, "F64.0", {"SEX"}),
        ("weeks of gestation", "Condition", ICD10, "Z3A.20", {"SEX"}),
        ("pregnancy, the last category of its chapter", "Condition", ICD10, "O9A.11", {"SEX"}),
        ("HIV in pregnancy", "Condition", ICD10, "O98.711", {"HIV", "SEX"}),
        ("contraceptive implant", "MedicationRequest", RXNORM, "389221", {"SEX"}),
        ("sexual orientation", "Observation", LOINC, "76690-7", {"SEX"}),
        ("cystic fibrosis", "Condition", ICD10, "E84.9", {"GDIS"}),
        ("familial Alzheimer's disease", "Condition", SNOMED, "230265002", {"GDIS"}),
        ("prenatal test for aneuploidy", "Procedure", SNOMED, "443529005", {"GDIS", "SEX"}),
        ("tobacco dependence", "Condition", ICD10, "F17.2", set()),
        ("smoking status", "Observation", LOINC, "72166-2", set()),
        ("dementia", "Condition", ICD10, "F03", set()),
        ("intellectual disability", "Condition", ICD10, "F70", set()),
        ("type 2 diabetes", "Condition", SNOMED, "44054006", set()),
        ("hypertension", "Condition", ICD10, "I10", set()),
        ("hemoglobin A1c", "Observation", LOINC, "4548-4", set()),
        ("lisinopril", "MedicationRequest", RXNORM, "314076", set()),
        ("a code of no known system", "Condition", "http://example.org", "B20", set()),
    ],
)  # fmt: skip
def test_coded_content_earns_its_labels(
    rules: Rules, what: str, resource_type: str, system: str, code: str, labels: set[str]
) -> None:
    element = "medicationCodeableConcept" if resource_type == "MedicationRequest" else "code"
    assert label(coded(resource_type, system, code, element), rules) == labels, what


@pytest.mark.parametrize("code", ["62", "140", "21", "43"])
def test_a_vaccine_of_the_schedule_earns_no_label(rules: Rules, code: str) -> None:
    assert label(coded("Immunization", CVX, code, "vaccineCode"), rules) == set()


def test_a_sequence_is_genetic_without_any_code(rules: Rules) -> None:
    assert "GDIS" in label(read_facts({"resourceType": "MolecularSequence"}), rules)


def test_a_sensitive_reason_labels_the_encounter(rules: Rules) -> None:
    reason: JsonValue = [{"coding": [{"system": SNOMED, "code": "55680006"}]}]
    encounter: JsonValue = {"resourceType": "Encounter", "class": {"code": "EMER"}, "reasonCode": reason}
    assert label(read_facts(encounter), rules) == {"SUD"}


def test_a_sensitive_item_labels_the_claim(rules: Rules) -> None:
    product: JsonValue = {"coding": [{"system": SNOMED, "code": "31676001"}]}
    assert label(read_facts({"resourceType": "Claim", "item": [{"productOrService": product}]}), rules) == {"HIV"}


def test_a_sensitive_contained_resource_labels_the_whole(rules: Rules) -> None:
    medication: JsonValue = {"resourceType": "Medication", "code": {"coding": [{"system": RXNORM, "code": "1433873"}]}}
    request: JsonValue = {"resourceType": "MedicationRequest", "contained": [medication]}
    assert label(read_facts(request), rules) == {"HIV"}


def test_what_rules_cannot_read_is_unclassified(rules: Rules) -> None:
    assert label(read_facts({"resourceType": "Condition", "code": {"text": "HIV"}}), rules) == {"unclassified"}


def test_labels_of_codes_stand_beside_unclassified(rules: Rules) -> None:
    note: JsonValue = {
        "resourceType": "DocumentReference",
        "type": {"coding": [{"system": LOINC, "code": "75443-2"}]},
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGk="}}],
    }
    assert label(read_facts(note), rules) == {"PSY", "unclassified"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 1",
        "version = 1\n[systems.a]\nurls=['a']\n[labels.X]\ntitle='x'\n[labels.X.b]\n'1'='x'",
        "version = 1\n[systems.i]\nurls=['a']\nranges=true\n[labels.X.i]\n'F20-F10'='x'",
        "version = 1\n[systems.i]\nurls=['a']\nranges=true\n[labels.X.i]\n'F1'='x'",
        "version = 1\n[systems.i]\nurls=['a']\nranges=true\n[labels.X.i]\n'F10-G10'='x'",
    ],
)
def test_rules_with_a_mistake_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_rules(text)
