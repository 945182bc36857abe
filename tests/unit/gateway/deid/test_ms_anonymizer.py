"""What Microsoft's FHIR anonymizer takes out does not leave here either, but for what Safe Harbor lets out.

Its functional cases are walked (input and expected output), then the rules of its Safe Harbor sample, element by
element: each element that leaves here and not there stands below, with its reason. Where it keeps what we do not,
nothing is said. Then free text: every span that ASQ-PHI and Presidio's sentences mark as identifying, with its text, in
every place for words.

Not here: its rules by type (`nodesByType`); `tests/attacks/test_planted_identifiers.py` is their counterpart.
"""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.deid.catalogue import Rule, catalogue
from gateway.deid.places import NOWHERE, kept_zip
from gateway.deid.profile import SHIPPED, shipped
from gateway.deid.resources import Deidentifier
from tests.unit.gateway.deid.people import person
from tests.unit.schema.fhir_samples import in_file

Tree = dict[str, Any]
NONE: Final = "none of the eighteen identifiers of 45 CFR 164.514(b)(2)(i)"
YEAR: Final = "a year may stay: (C)"
NUMBER: Final = f"a number of seven digits at most: {NONE}; an age over 89 is 90: (C)"
CODE: Final = f"a code of a known system without its words: {NONE}"
NAME: Final = "a name of the release's own: 164.514(c)"

WHOLE: Final = {
    "Patient.active": NONE,
    "Patient.gender": NONE,
    "Patient.deceasedBoolean": NONE,
    "Observation.status": NONE,
    "Observation.code.coding.system": CODE,
    "Observation.code.coding.code": CODE,
}
"""Leave here as they are, and not there."""
CHANGED: Final = {
    "Patient.birthDate": YEAR,
    "Patient.address.postalCode": "three digits, where more than 20,000 live: (B)",
    "Patient.id": NAME,
    "Patient.managingOrganization.reference": NAME,
    "Observation.id": NAME,
    "Observation.subject.reference": NAME,
}
"""Leave here in part or under another name, and there not, or as something else."""
RULES: Final = {
    "date": YEAR, "=Period": YEAR, "[=Period]": YEAR, "=Timing": f"{YEAR}; else how often, in numbers and codes",
    "quantity": NUMBER, "age": NUMBER, "age range": NUMBER,
    "number": NUMBER, "money": NUMBER, "=Range": NUMBER, "=Ratio": NUMBER, "boolean": NONE,
    "concept": CODE, "[=Observation_ReferenceRange]": f"{NUMBER}; {CODE}", "reference": NAME,
    "[=Device_UdiCarrier]": f"how it was read, one of six words: {NONE}",
    "[=Device_DeviceName]": f"which kind of name it has, one of six words: {NONE}",
}  # fmt: skip
ONSET: Final = ("DateTime", "Age", "Period", "Range")
VALUE: Final = ("Quantity", "CodeableConcept", "Boolean", "Integer", "Range", "Ratio", "DateTime", "Period")
ELEMENTS: Final = {
    "AllergyIntolerance.onset": ONSET,
    "CarePlan.activity.detail.scheduled": ("Timing", "Period"),
    "Claim.supportingInfo.value": ("Boolean", "Quantity", "Reference"),
    "Condition.abatement": ONSET,
    "Condition.onset": ONSET,
    "Device.deviceName": ("",),
    "Device.udiCarrier": ("",),
    "ExplanationOfBenefit.accident.location": ("Reference",),
    "ExplanationOfBenefit.addItem.location": ("CodeableConcept", "Reference"),
    "ExplanationOfBenefit.benefitBalance.financial.allowed": ("UnsignedInt", "Money"),
    "ExplanationOfBenefit.item.location": ("CodeableConcept", "Reference"),
    "ExplanationOfBenefit.preAuthRef": ("Period",),  # an element of its own: when it is good
    "ExplanationOfBenefit.supportingInfo.value": ("Boolean", "Quantity", "Reference"),
    "FamilyMemberHistory.condition.onset": ("Age", "Range"),
    "FamilyMemberHistory.deceased": ("Boolean", "Age", "Range"),
    "Goal.target.detail": ("Quantity", "Range", "CodeableConcept", "Boolean", "Integer", "Ratio"),
    "Immunization.occurrence": ("DateTime",),
    "Observation.component.value": VALUE,
    "Observation.referenceRange": ("",),
    "Observation.value": VALUE,
    "Procedure.performed": ONSET,
}
"""Redacted by Microsoft's sample -> the types in which it leaves here; each by a rule of `RULES`."""
CHOICES: Final = frozenset({*(one for names in ELEMENTS.values() for one in names)})


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "deid" / "ms-fhir-anonymizer"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))


def leave(resource: Tree, name: str = "safe-harbor") -> Tree | None:
    profile = shipped(name)
    told = person(profile, resource if resource["resourceType"] == "Patient" else None)
    return Deidentifier(profile).apply(resource, told, id="own")


def leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each path, without places in lists, and its value as a text. A type is no value."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}") if name != "resourceType" else ()
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, str(value)


# Cases


def cases(folder: Path) -> Iterator[tuple[Tree, Tree]]:
    """Each resource that goes in, and what comes out of Microsoft's tool: nothing, where that is not told."""
    resources = folder / "TestResources"
    for expected in sorted(resources.rglob("*-target.json")):
        given = expected.with_name(expected.name.replace("-target", ""))
        if not given.exists():
            given = expected.with_name(expected.name.replace("-redact-all-target", "-basic"))
        pairs = [inside(read(path)) for path in (given, expected)]
        yield from zip(*pairs, strict=True)
    for path in (*sorted(resources.glob("*-empty.json")), folder / "Patient-1.ndjson"):
        yield from ((one, {}) for one in in_file(path, loads=lambda raw: json.loads(raw.decode("utf-8-sig"))))


def inside(document: Tree) -> list[Tree]:
    if document["resourceType"] != "Bundle":
        return [document]
    return [entry["resource"] for entry in document["entry"] if "resource" in entry]


def test_what_microsoft_takes_out_does_not_leave(folder: Path) -> None:
    taken, kept = 0, set()
    for resource, expected in cases(folder):
        kind = resource["resourceType"]
        gone = Counter(leaves(resource, kind)) - Counter(leaves(expected, kind))
        ours = set(leaves(leave(resource) or {}, kind))
        text = json.dumps(sorted(value for _, value in ours), ensure_ascii=False)
        for path, value in gone:
            taken += 1
            is_there = value in {one for _, one in ours} if len(value) < 4 else value in text
            assert path in WHOLE or not is_there, (path, value)
        theirs = set(leaves(expected, kind))
        kept |= {path for path, value in ours if path in {one for one, _ in gone} and (path, value) not in theirs}
    print(f"{taken} values taken out by Microsoft's tool; of {len(kept)} elements something leaves here")
    assert taken > 250
    assert kept == WHOLE.keys() | CHANGED.keys()


def test_a_type_that_no_profile_lets_out_does_not_leave(folder: Path) -> None:
    documents = [read(path) for path in sorted((folder / "TestResources" / "R4OnlyResource").iterdir())]
    assert len(documents) == 8
    assert list(map(leave, documents)) == [None] * 8


# Rules


def test_elements_that_microsoft_redacts_leave_only_with_a_reason(folder: Path) -> None:
    found: dict[str, tuple[str, ...]] = {}
    used = set()
    for rule in read(folder / "hipaa-safe-harbor-configuration-sample.json")["fhirPathRules"]:
        path = rule["path"].partition(" as ")[0]
        kind, _, element = path.partition(".")
        if "(" in path or rule["method"] == "keep" or kind not in catalogue().resources:
            continue
        named = dict(choices(catalogue().resources[kind], element.split(".")))
        used |= set(named.values())
        if named:
            found[path] = tuple(named)
    assert {path: set(types) for path, types in found.items()} == {path: set(types) for path, types in ELEMENTS.items()}
    assert used == RULES.keys()


def choices(elements: Mapping[str, Rule], steps: list[str]) -> Iterator[tuple[str, str]]:
    """The types in which an element leaves, each with its rule; an element of one type has no name for it."""
    for name, rule in elements.items():
        suffix = name.removeprefix(steps[0])
        if not name.startswith(steps[0]) or suffix not in CHOICES:
            continue
        inner = rule.strip("[]") if isinstance(rule, str) else ""
        if not steps[1:]:
            yield suffix, str(rule)
        elif inner.startswith("="):
            yield from choices(catalogue().types[inner[1:]], steps[1:])


def test_places_that_microsoft_holds_too_small_are_too_small_here(folder: Path) -> None:
    parameters = read(folder / "hipaa-safe-harbor-configuration-sample.json")["parameters"]
    small = parameters["restrictedZipCodeTabulationAreas"]
    assert len(small) == 14
    assert {kept_zip(f"{one}01") for one in small} == {NOWHERE}


# Words


def concept(text: str) -> Tree:
    return {"text": text, "coding": [{"system": "http://loinc.org", "code": "8302-2", "display": text}]}


def note(text: str) -> Tree:
    return {
        "text": {"status": "generated", "div": f"<div>{text}</div>"},
        "note": [{"text": text, "authorString": text}],
    }


PLACES: Final[dict[str, Callable[[str], Tree]]] = {
    "Patient": lambda text: {
        "text": {"div": text}, "name": [{"text": text}], "contact": [{"name": {"text": text}}],
        "address": [{"text": text, "line": [text], "city": text}], "gender": "male",
    },
    "Observation": lambda text: {
        **note(text), "status": "final", "code": concept(text), "valueString": text, "subject": {"display": text},
        "component": [{"code": concept(text), "valueString": text}], "referenceRange": [{"text": text}],
    },
    "Condition": lambda text: {
        **note(text), "code": concept(text), "onsetString": text, "evidence": [{"detail": [{"display": text}]}],
        "contained": [{"resourceType": "Patient", "name": [{"text": text}]}], "bodySite": [{"text": text}],
    },
    "DiagnosticReport": lambda text: {
        **note(text), "status": "final", "code": concept(text), "conclusion": text,
        "presentedForm": [{"title": text, "data": base64.b64encode(text.encode()).decode()}],
    },
    "DocumentReference": lambda text: {
        "status": "current", "type": concept(text), "description": text,
        "content": [{"attachment": {"title": text, "url": text, "data": base64.b64encode(text.encode()).decode()}}],
    },
    "MedicationRequest": lambda text: {
        **note(text), "status": "active", "intent": "order", "medicationCodeableConcept": concept(text),
        "dosageInstruction": [{"text": text, "patientInstruction": text, "sequence": 1}],
    },
    "CarePlan": lambda text: {
        **note(text), "status": "active", "intent": "plan", "title": text, "description": text,
        "activity": [{"detail": {"status": "completed", "description": text, "code": concept(text)}}],
    },
}  # fmt: skip


def asq_phi(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Each clinical query, and its spans."""
    for part in (folder / "asq-phi" / "synthetic_clinical_queries.txt").read_text().split("===QUERY===\n")[1:]:
        query, _, tags = part.partition("===PHI_TAGS===\n")
        yield query.strip(), [json.loads(line)["value"] for line in tags.splitlines() if line.strip()]


def presidio(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for one in json.loads(gzip.decompress((folder / "presidio" / "synth_dataset_v2.json.gz").read_bytes())):
        yield one["full_text"], [span["entity_value"] for span in one["spans"]]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(("texts", "least"), [(asq_phi, 2102), (presidio, 1856)])
def test_no_span_that_identifies_leaves_in_words(
    shared_data: Path, name: str, texts: Callable[[Path], Iterator[tuple[str, list[str]]]], least: int
) -> None:
    profile = shipped(name)
    rules, told = Deidentifier(profile), person(profile)

    def left_of(kind: str, text: str) -> Tree | None:
        return rules.apply({"resourceType": kind, **PLACES[kind](text)}, told, id="own")

    silent = {kind: left_of(kind, "") for kind in PLACES}
    assert all(one is not None and len(one) > 2 for one in silent.values())
    spans = 0
    for text, found in texts(shared_data / "deid"):
        spans += len(found)
        for words in {text, *found}:
            # All that is there is there without the words, too.
            assert {kind: left_of(kind, words) for kind in PLACES} == silent, words
    print(f"{name}: {spans} spans in {len(PLACES)} kinds of resources, 0 left")
    assert spans == least
