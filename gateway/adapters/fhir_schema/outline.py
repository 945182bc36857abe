"""The outline of R4 types that the GraphQL schema shows, made from HL7's definitions and from nothing else.

    python -m gateway.adapters.fhir_schema.outline > schema/fhir/types.json

Run by hand; a test makes it again and compares. True here: every element that the definitions give a type has its
place, `_` twins of primitives among them, and the types are all that `SHOWN` reach. Not done here: GraphQL.
"""

import gzip
import json
import re
import sys
from importlib.resources import files
from typing import Any

SHOWN = (
    "AllergyIntolerance", "CarePlan", "Claim", "Condition", "Consent", "Coverage", "Device", "DiagnosticReport",
    "DocumentReference", "Encounter", "ExplanationOfBenefit", "ImagingStudy", "Immunization", "MedicationRequest",
    "MedicationStatement", "Observation", "Organization", "Patient", "Practitioner", "Procedure",
)  # fmt: skip
"""Resource types that get a type of their own; all others read as JSON."""
RESOURCE = "Resource"
"""Stands for any resource inside a resource."""
_WHOLE = frozenset({"integer", "positiveInt", "unsignedInt"})
_FRACTION = re.compile(r"\[0-9\]\+\)\?\(\[eE\]")
_SENTENCE = re.compile(r"(.+?[.!?])(\s|$)", re.DOTALL)

# A JSON schema is a tree of unknown shape here: this file is the edge where it gets one.
Tree = dict[str, Any]


def outline() -> Tree:
    """`resources`: the types shown. `types`: type -> what it is, and its elements; `[T]` is a list of T. Leaves are
    `string`, `boolean`, `integer` and `decimal`; all else names a type, or `Resource`."""
    published: Tree = json.loads(gzip.decompress(files(__package__).joinpath("fhir.schema.json.gz").read_bytes()))
    definitions: Tree = published["definitions"]
    types: Tree = {}
    left = list(SHOWN)
    while left:
        name = left.pop()
        if name in types or not name[0].isupper() or name == RESOURCE:
            continue
        elements = {key: _kind(definitions, one) for key, one in definitions[name]["properties"].items()}
        types[name] = {"about": _first_sentence(definitions[name]["description"]), "elements": elements}
        left.extend(kind.strip("[]") for kind in elements.values())
    return {"resources": list(SHOWN), "types": dict(sorted(types.items()))}


def _kind(definitions: Tree, element: Tree) -> str:
    if "items" in element:
        return f"[{_kind(definitions, element['items'])}]"
    target = str(element.get("$ref", "")).rpartition("/")[2]
    if target == "ResourceList":
        return RESOURCE
    if "properties" in definitions.get(target, {}):
        return target
    form = definitions[target] if target and target != "xhtml" else element
    return _leaf(target, form)


def _leaf(name: str, form: Tree) -> str:
    match form.get("type", "string"):
        case "boolean":
            return "boolean"
        case "number":
            return "decimal" if name not in _WHOLE and _FRACTION.search(form["pattern"]) else "integer"
        case "string":
            return "string"
    raise ValueError(f"a primitive of an unknown kind: {name}")


def _first_sentence(text: str) -> str:
    found = _SENTENCE.match(" ".join(text.split()))
    return found.group(1) if found else text


def to_text(made: Tree) -> str:
    """One type a line, so that a difference can be read."""
    lines = [f"  {json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in made["types"].items()]
    return '{"resources": ' + json.dumps(made["resources"]) + ',\n"types": {\n' + ",\n".join(lines) + "\n}}\n"


if __name__ == "__main__":
    sys.stdout.write(to_text(outline()))
