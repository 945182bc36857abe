"""Which sensitivity labels a resource earns by what it says.

True here: pure; labels come from the declarative rules alone. Coded content that no rule flags is cleared (no label);
what rules cannot read is `unclassified`. A code is looked for wherever it stands in the resource.
Not done here: given labels and `meta.security` (the caller adds them), and any guess from words.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import SettingsError
from gateway.records.facts import ResourceFacts

UNCLASSIFIED = "unclassified"
"""No HL7 code: what no rule can read. A permit must name it unless the patient cleared the record."""

_ICD10_RANGE = re.compile(r"([A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?)(?:-([A-Z]\d[0-9A-Z]))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`by_code`: `system|code` to labels. `by_category`: `system|` and a three-character ICD-10 category, or a longer
    prefix of an ICD-10 code, to labels. `by_type`: FHIR resource type to labels."""

    version: int
    by_code: Mapping[str, frozenset[str]]
    by_category: Mapping[str, frozenset[str]]
    by_type: Mapping[str, frozenset[str]]
    ranged_systems: tuple[str, ...]


def label(facts: ResourceFacts, rules: Rules) -> frozenset[str]:
    """The labels of a resource by rule, `unclassified` among them; empty when it is cleared."""
    found: set[str] = set()
    for code in facts.mentioned:
        found |= rules.by_code.get(code, _NONE)
        if code.startswith(rules.ranged_systems):
            found |= _by_prefix(code, rules)
    for kind in (facts.resource_type, *facts.contained_types):
        found |= rules.by_type.get(kind, _NONE)
    if facts.has_unreadable:
        found.add(UNCLASSIFIED)
    return frozenset(found)


_NONE: frozenset[str] = frozenset()


def _by_prefix(code: str, rules: Rules) -> set[str]:
    """ICD-10 codes are `A50` or `A50.01`; some senders leave the dot out."""
    system, _, bare = code.rpartition("|")
    compact = bare.replace(".", "").upper()
    found: set[str] = set()
    for length in range(3, len(compact) + 1):
        found |= rules.by_category.get(f"{system}|{compact[:length]}", _NONE)
    return found


def parse_rules(text: str) -> Rules:
    """The rules file (TOML): `version`; `[systems.<name>]` with `urls` and, for ICD-10, `ranges = true`;
    `[labels.<LABEL>]` with `title`, `types`, and for each system a table of code (or range) to its meaning.
    Raises SettingsError naming what is wrong."""
    try:
        tables = tomllib.loads(text)
        systems: dict[str, dict[str, object]] = tables["systems"]
        labels: dict[str, dict[str, object]] = tables["labels"]
        version = int(tables["version"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError("the labelling rules are not in their form") from error
    by_code: dict[str, set[str]] = {}
    by_category: dict[str, set[str]] = {}
    by_type: dict[str, set[str]] = {}
    for name, table in labels.items():
        for part, content in table.items():
            if part == "types" and isinstance(content, list):
                for kind in content:
                    by_type.setdefault(str(kind), set()).add(name)
            elif part in systems and isinstance(content, dict):
                _add_codes(content, name, systems[part], by_category if systems[part].get("ranges") else by_code)
            elif part != "title":
                raise SettingsError(f"the labelling rules name an unknown part: {name}.{part}")
    ranged = [url for system in systems.values() if system.get("ranges") for url in _urls(system)]
    return Rules(
        version=version,
        by_code=_frozen(by_code),
        by_category=_frozen(by_category),
        by_type=_frozen(by_type),
        ranged_systems=tuple(f"{url}|" for url in ranged),
    )


def _add_codes(codes: dict[str, object], name: str, system: Mapping[str, object], into: dict[str, set[str]]) -> None:
    for code in codes:
        spelled = _categories(code) if system.get("ranges") else [code]
        for url in _urls(system):
            for one in spelled:
                into.setdefault(f"{url}|{one}", set()).add(name)


def _urls(system: Mapping[str, object]) -> list[str]:
    urls = system.get("urls")
    return [str(url) for url in urls] if isinstance(urls, list) else []


def _categories(text: str) -> list[str]:
    """`F10-F16` is F10, F11 … F16; `Z21` and `T74.2` are themselves."""
    match = _ICD10_RANGE.fullmatch(text)
    if match is None:
        raise SettingsError(f"the labelling rules have no ICD-10 code or range: {text}")
    first, last = match.groups()
    if last is None:
        return [first.replace(".", "")]
    if first[0] != last[0] or first > last:
        raise SettingsError(f"the labelling rules have an ICD-10 range that does not run upwards: {text}")
    # The third character is a digit or, in ICD-10-CM, a letter that sorts after the digits (`O9A`).
    thirds = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    every = (f"{first[0]}{second}{third}" for second in "0123456789" for third in thirds)
    return [category for category in every if first <= category <= last]


def _frozen(table: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(labels) for key, labels in table.items()}
