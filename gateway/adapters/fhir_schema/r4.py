"""First stage: HL7's R4 JSON schema, made as strict as the R4 specification where JSON Schema can say it.

True here: what passes has only elements of R4, of the right JSON type, with primitives in their lexical form, real
calendar dates, the codes of required bindings, and neither nulls (but placeholders), nor empty arrays, objects or
strings. Resources inside a resource are checked one by one, so that an issue carries its whole path.
Not done here: cardinality of choices and required primitives (second stage), invariants, terminology, profiles.
"""

import datetime
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jsonschema_rs import Draft6Validator, RegexOptions, ValidationError, ValidationErrorKind

# A JSON schema and a FHIR resource are trees of unknown shape here: this file is the edge where they get one.
Tree = dict[str, Any]

_SPELLED_DATE = "^([0-9]([0-9]([0-9][1-9]"
_INTEGERS: dict[str, Tree] = {
    "^-?([0]|([1-9][0-9]*))$": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "^[0]|([1-9][0-9]*)$": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "^[1-9][0-9]*$": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
}
# XML Schema's white space is ASCII; jsonschema-rs would count a no-break space in. Control characters are no text (R4
# datatypes, string).
_TEXTS = {"^\\S*$": "^[^ \\t\\r\\n]+$", "^[ \\r\\n\\t\\S]+$": "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f]+$"}
_BASE64 = "^([\\s0-9A-Za-z+/]*[0-9A-Za-z+/])[\\s]*=?[\\s]*=?[\\s]*$"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """`path`: FHIRPath-like (`Patient.name[0].given[1]`), never a value. `message` names the rule."""

    path: str
    message: str


class R4Schema:
    """The strengthened schema, and a compiled validator for each resource type, made at its first use (3 ms)."""

    def __init__(self) -> None:
        folder = files(__package__)
        published: Tree = json.loads(gzip.decompress(folder.joinpath("fhir.schema.json.gz").read_bytes()))
        bindings: Tree = json.loads(folder.joinpath("required_bindings.json").read_bytes())
        self.types = frozenset(str(ref["$ref"]).rpartition("/")[2] for ref in published["oneOf"])
        self._definitions: Tree = published["definitions"]
        _strengthen(self._definitions, bindings)
        self._validators: dict[str, Draft6Validator] = {}

    def check(self, resource: object, *, has_null: bool) -> Issue | None:
        """The first issue of a resource and of those inside it, outermost first. `has_null` may be True needlessly."""
        for path, inner in nested_resources(resource):
            issue = self._check_one(inner, path)
            if issue is not None:
                return issue
        lone = _lone_null(resource, _type_of(resource)) if has_null else None
        return None if lone is None else Issue(path=lone, message="is null, and holds no place for its extensions")

    def _check_one(self, resource: object, path: str) -> Issue | None:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or kind not in self.types:
            return Issue(path=f"{path or 'Resource'}.resourceType", message="is no FHIR R4 resource type")
        error = next(iter(self._validator(kind).iter_errors(resource)), None)
        return None if error is None else _issue(error, path or kind)

    def _validator(self, kind: str) -> Draft6Validator:
        if kind not in self._validators:
            reachable = {name: self._definitions[name] for name in _reachable(self._definitions, kind)}
            self._validators[kind] = Draft6Validator(
                {"$ref": f"#/definitions/{kind}", "definitions": reachable},
                validate_formats=True,
                formats={"fhir-date": _is_calendar_date},
                pattern_options=RegexOptions(),
            )
        return self._validators[kind]


def nested_resources(resource: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The resource and those inside it (`contained`, Bundle entries and outcomes, Parameters), each with its path;
    the path of the outermost is empty."""
    yield path, resource
    if not isinstance(resource, dict):
        return
    base = path or _type_of(resource)
    for place, inner in _inside(resource, base):
        yield from nested_resources(inner, place)


def _type_of(resource: object) -> str:
    return str(resource.get("resourceType")) if isinstance(resource, dict) else "Resource"


def _inside(holder: Tree, base: str) -> Iterator[tuple[str, object]]:
    for index, inner in enumerate(_objects(holder.get("contained"))):
        yield f"{base}.contained[{index}]", inner
    for name in ("entry", "parameter", "part"):
        for index, item in enumerate(_objects(holder.get(name))):
            place = f"{base}.{name}[{index}]"
            if isinstance(item.get("resource"), dict):
                yield f"{place}.resource", item["resource"]
            response = item.get("response")
            if isinstance(response, dict) and isinstance(response.get("outcome"), dict):
                yield f"{place}.response.outcome", response["outcome"]
            yield from _inside({"part": item.get("part")}, place)


def _objects(value: object) -> list[Tree]:
    return value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else []


def _strengthen(definitions: Tree, bindings: Tree) -> None:
    """The rules of R4's JSON page (https://hl7.org/fhir/R4/json.html) that the published schema leaves out."""
    # Checked one by one, under their own type, by `check`.
    definitions["ResourceList"] = {"type": "object", "required": ["resourceType"]}
    definitions["xhtml"] = {"type": "string", "minLength": 1}
    definitions["base64Binary"]["pattern"] = _BASE64
    definitions["Extension"]["required"] = ["url"]
    for name, definition in definitions.items():
        _strengthen_primitive(definition)
        if "properties" not in definition:
            continue
        # The published schema lets any JSON type stand for an object, and the models read a string as JSON in JSON.
        definition["type"] = "object"
        definition["minProperties"] = 1
        for element, rule in definition["properties"].items():
            if element == "fhirVersion":
                # The schema was printed for 4.0.0; this is the version of the technical correction.
                rule.get("items", rule)["enum"].append("4.0.1")
            _strengthen_element(element, rule, definitions)
        for element, codes in bindings["codes"].get(name, {}).items():
            rule = definition["properties"][element]
            narrowed = rule["items"]["anyOf"][0] if "items" in rule else rule
            narrowed.pop("$ref")
            narrowed["enum"] = codes
        for element, concept in bindings["concepts"].get(name, {}).items():
            definition["properties"][element] = _concept_rule(concept)


def _strengthen_element(element: str, rule: Tree, definitions: Tree) -> None:
    _strengthen_primitive(rule)
    if rule.get("type") != "array":
        return
    rule["minItems"] = 1
    items = rule["items"]
    referred = str(items.get("$ref", "")).rpartition("/")[2]
    is_primitive = "enum" in items or (referred != "ResourceList" and "properties" not in definitions[referred])
    if is_primitive or element.startswith("_"):
        # Null holds the place of a primitive that has only extensions, and the other way round: `_lone_null`.
        rule["items"] = {"anyOf": [items, {"type": "null"}]}


def _strengthen_primitive(rule: Tree) -> None:
    pattern = rule.get("pattern", "")
    if pattern in _INTEGERS:
        del rule["pattern"]
        rule.update(_INTEGERS[pattern])
    elif pattern in _TEXTS:
        rule["pattern"] = _TEXTS[pattern]
    elif pattern.startswith(_SPELLED_DATE):
        rule["format"] = "fhir-date"
    elif "{4}" in pattern and "a-zA-Z" in pattern:
        rule["pattern"] = _BASE64


def _concept_rule(concept: Tree) -> Tree:
    """A required binding of a CodeableConcept: one coding must be of the value set."""
    coding = {
        "properties": {"system": {"const": concept["system"]}, "code": {"enum": concept["codes"]}},
        "required": ["system", "code"],
    }
    bound = {"properties": {"coding": {"contains": coding}}, "required": ["coding"]}
    return {"allOf": [{"$ref": "#/definitions/CodeableConcept"}, bound]}


def _reachable(definitions: Tree, start: str) -> set[str]:
    found: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(re.findall(r'"#/definitions/(\w+)"', json.dumps(definitions[name])))
    return found


def _lone_null(value: object, path: str) -> str | None:
    """Where an array of primitives has a null without its counterpart in `_name` (R4 JSON page, section 2.6.2.3)."""
    if isinstance(value, list):
        return next(filter(None, (_lone_null(item, f"{path}[{index}]") for index, item in enumerate(value))), None)
    if not isinstance(value, dict):
        return None
    for name, member in value.items():
        if isinstance(member, list) and None in member:
            other = value.get(name[1:] if name.startswith("_") else f"_{name}")
            twins = other if isinstance(other, list) else []
            for index, item in enumerate(member):
                if item is None and (index >= len(twins) or twins[index] is None):
                    return f"{path}.{name}[{index}]"
        elif isinstance(member, dict | list) and (found := _lone_null(member, f"{path}.{name}")) is not None:
            return found
    return None


def _is_calendar_date(text: str) -> bool:
    if len(text) < 10:
        return True
    try:
        datetime.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _issue(error: ValidationError, base: str) -> Issue:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path]
    match error.kind:
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            parts.append(f".{names[0]}" if _NAME.fullmatch(names[0]) else "")
            message = "is no element of FHIR R4 here"
        case ValidationErrorKind.Required(property=name):
            parts.append(f".{name}")
            message = "is missing"
        case ValidationErrorKind.Enum() | ValidationErrorKind.Contains() | ValidationErrorKind.Constant():
            message = "is no code of the required value set"
        case ValidationErrorKind.Type() | ValidationErrorKind.AnyOf():
            message = "has the wrong JSON type or form"
        case ValidationErrorKind.MinItems() | ValidationErrorKind.MinProperties() | ValidationErrorKind.MinLength():
            message = "is empty"
        case ValidationErrorKind.Format():
            message = "is no date of the calendar"
        case _:
            message = "has not the form of its FHIR type"
    return Issue(path=base + "".join(parts), message=message)
