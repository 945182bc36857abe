"""The catalogue: which elements of which R4 types may leave at all, and by which rule.

`catalogue.json` is made from HL7's definitions (`gateway.adapters.fhir_schema.catalogue`) and never edited; its digest
stands in every profile.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

import orjson

Rule: TypeAlias = str | list[str]
"""The name of a rule; `[name]` for each of a list; `=Type` for an object of that type; codes, one of which it must be,
after `list` for each of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """`digest`: SHA-256 of the file."""

    resources: Mapping[str, Mapping[str, Rule]]
    types: Mapping[str, Mapping[str, Rule]]
    digest: bytes


@cache
def catalogue() -> Catalogue:
    text = files(__package__).joinpath("catalogue.json").read_bytes()
    read = orjson.loads(text)
    return Catalogue(resources=read["resources"], types=read["types"], digest=hashlib.sha256(text).digest())


def rule_at(place: str) -> str | None:
    """The rule of an element, or of each of a list, by its path from the resource's type; None for what has none."""
    name, *steps = place.split(".")
    elements, found = catalogue().resources.get(name), None
    for step in steps:
        rule = elements.get(step) if elements is not None else None
        if not isinstance(rule, str):
            return None
        found = rule.strip("[]")
        elements = catalogue().types[found[1:]] if found.startswith("=") else None
    return found
