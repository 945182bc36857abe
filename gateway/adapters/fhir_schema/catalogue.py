"""Which elements of R4 may be in a de-identified resource, and by which rule each: made from HL7's definitions.

    python -m gateway.adapters.fhir_schema.catalogue > gateway/deid/catalogue.json

Run by hand; a test makes it again and compares. True here: an element is left out unless its type is one that has a
rule: free text, names, identifiers, addresses (but state, ZIP and country of the patient), contacts, attachments,
notes, narrative, links, times of day, codes that no list bounds, extensions and contained resources have none. What the
rules do is `gateway.deid`'s.
"""

import gzip
import json
import sys
from importlib.resources import files
from typing import Any

RESOURCES = (
    "AllergyIntolerance", "CarePlan", "CareTeam", "Claim", "ClaimResponse", "ClinicalImpression", "Condition",
    "Coverage", "Device", "DeviceUseStatement", "DiagnosticReport", "DocumentReference", "Encounter", "EpisodeOfCare",
    "ExplanationOfBenefit", "FamilyMemberHistory", "Goal", "ImagingStudy", "Immunization", "Medication",
    "MedicationAdministration", "MedicationDispense", "MedicationRequest", "MedicationStatement", "MolecularSequence",
    "NutritionOrder", "Observation", "Patient", "Procedure", "ResearchSubject", "RiskAssessment", "ServiceRequest",
    "Specimen",
)  # fmt: skip
"""Of all others nothing leaves: they are about other people and about places, or hold documents."""
LEAVES = {
    "date": "date", "dateTime": "date", "instant": "date", "boolean": "boolean", "decimal": "number",
    "integer": "number", "positiveInt": "number", "unsignedInt": "number", "CodeableConcept": "concept",
    "Coding": "coding", "Quantity": "quantity", "Age": "age", "Count": "quantity", "Distance": "quantity",
    "Duration": "quantity", "Money": "money", "Reference": "reference",
}  # fmt: skip
"""FHIR's type -> the rule."""
AGES = {"Observation_ReferenceRange": {"age"}, "RiskAssessment_Prediction": {"whenRange"}}
"""Ranges that are of ages, beside those of a choice that has an Age, too."""
WITHOUT = frozenset({
    "Address", "Annotation", "Attachment", "ContactDetail", "ContactPoint", "Contributor", "Element", "Expression",
    "Extension", "HumanName", "Identifier", "Meta", "Narrative", "ParameterDefinition", "RelatedArtifact",
    "ResourceList", "SampledData", "Signature", "TriggerDefinition", "UsageContext",
})  # fmt: skip
"""Types without a rule."""
MONTH = "-(0[1-9]|1[0-2])"
"""Stands in the pattern of a date, where a choice of types is spelled out, and in no other text's."""
OF_PATIENT = {"birthDate": "birth", "address": "[address]", "extension": "[extension]"}
"""Elements of Patient whose rule is their own."""
OTHERS = {
    "Patient": {"contact", "link"},
    "FamilyMemberHistory": {"ageAge", "ageRange", "bornDate", "bornPeriod", "deceasedDate"},
    "FamilyMemberHistory_Condition": {"onsetPeriod"},
}
"""Elements about other people: of relatives all that tells, with a date, when they were born."""

# A JSON schema is a tree of unknown shape here: this file is the edge where it gets one.
Tree = dict[str, Any]


def catalogue() -> Tree:
    """`resources`: type -> element -> rule; `types`: the same of what stands inside. `[rule]` is a list of it; a rule
    that is a list holds the codes that are kept; one that begins with `=` names a type."""
    folder = files(__package__)
    definitions: Tree = json.loads(gzip.decompress(folder.joinpath("fhir.schema.json.gz").read_bytes()))["definitions"]
    bound: Tree = json.loads(folder.joinpath("required_bindings.json").read_bytes())["codes"]
    types: Tree = {}
    resources = {name: _elements(name, definitions, bound, types) for name in RESOURCES}
    resources["Patient"].update(OF_PATIENT)
    return {"resources": resources, "types": dict(sorted(types.items()))}


def _elements(name: str, definitions: Tree, bound: Tree, types: Tree) -> Tree:
    found: Tree = {}
    for element, form in definitions[name]["properties"].items():
        if element in OTHERS.get(name, ()):
            continue
        rule = _rule(form.get("items", form), bound.get(name, {}).get(element), definitions, bound, types)
        if rule is not None:
            found[element] = ["list", *rule] if "items" in form and isinstance(rule, list) else rule
            if "items" in form and isinstance(rule, str):
                found[element] = f"[{rule}]"
    ages = {f"{element.removesuffix('Age')}Range" for element, rule in found.items() if rule == "age"}
    for element in found.keys() & (ages | AGES.get(name, set())):
        found[element] = "age range"
    return found


def _rule(form: Tree, codes: list[str] | None, definitions: Tree, bound: Tree, types: Tree) -> str | list[str] | None:
    target = str(form.get("$ref", "")).rpartition("/")[2]
    if "enum" in form or codes:
        return sorted(form.get("enum") or codes or [])
    if target in LEAVES:
        return LEAVES[target]
    if not target:
        return _spelled(form)
    if target in WITHOUT or "properties" not in definitions[target]:
        return None
    if target not in types:
        types[target] = {}  # a type may hold itself
        types[target] = _elements(target, definitions, bound, types)
    return f"={target}"


def _spelled(form: Tree) -> str | None:
    match form.get("type"):
        case "boolean":
            return "boolean"
        case "number":
            return "number"
        case "string" if MONTH in form["pattern"]:
            return "date"
    return None


def to_text(made: Tree) -> str:
    """One type a line, so that a difference can be read."""
    parts = []
    for part in ("resources", "types"):
        lines = [f"  {json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in made[part].items()]
        parts.append(f'"{part}": {{\n' + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    sys.stdout.write(to_text(catalogue()))
