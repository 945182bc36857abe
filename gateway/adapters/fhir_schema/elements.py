"""The elements of the R4 types that may be asked for in tables, made from HL7's definitions and from nothing else.

    python -m gateway.adapters.fhir_schema.elements > gateway/deid/elements.json

Run by hand; a test makes it again and compares. Not done here: which of them may leave (`catalogue`).
"""

import gzip
import json
import sys
from importlib.resources import files
from typing import Any

from gateway.adapters.fhir_schema.catalogue import RESOURCES

ANY = "*"
"""Any resource inside a resource."""

# A JSON schema is a tree of unknown shape here: this file is the edge where it gets one.
Tree = dict[str, Any]


def elements() -> dict[str, dict[str, str]]:
    """Type -> element, as it stands in JSON -> its type; nothing for what has no elements."""
    published = files(__package__).joinpath("fhir.schema.json.gz").read_bytes()
    definitions: Tree = json.loads(gzip.decompress(published))["definitions"]
    found: dict[str, dict[str, str]] = {}
    left = list(RESOURCES)
    while left:
        name = left.pop()
        if name in found or name in ("", ANY):
            continue
        properties = definitions[name]["properties"].items()
        found[name] = {key: _type(definitions, form) for key, form in properties if not key.startswith("_")}
        left += found[name].values()
    return dict(sorted(found.items()))


def _type(definitions: Tree, form: Tree) -> str:
    target = str(form.get("items", form).get("$ref", "")).rpartition("/")[2]
    if target == "ResourceList":
        return ANY
    return target if "properties" in definitions.get(target, {}) else ""


def to_text(made: dict[str, dict[str, str]]) -> str:
    """One type a line, so that a difference can be read."""
    lines = [f"  {json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in made.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.stdout.write(to_text(elements()))
