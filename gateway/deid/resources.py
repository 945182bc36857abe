"""A FHIR resource in the form in which it may leave, by a profile.

True here: what no rule names does not leave, whatever it is called and however deep it stands; contained resources,
narrative, notes and extensions (but race, ethnicity and birth sex of US Core, as codes) are gone. A resource whose
meaning something unknown changes (`modifierExtension`, `implicitRules`) does not leave at all. Ids and references are
pseudonyms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

from gateway.deid.catalogue import Rule, catalogue
from gateway.deid.codes import UCUM, is_code, kept_coding, kept_concept, kept_money, kept_number
from gateway.deid.dates import OLDEST, birth_rule, date_rule, is_past_oldest, pooled_year_of, shift_days
from gateway.deid.places import kept_address
from gateway.deid.profile import Profile
from gateway.deid.pseudonyms import pseudonym, reference_rule
from gateway.deid.trees import Json, Resource

_Apply: TypeAlias = Callable[[Json], Json]
_Rule: TypeAlias = Callable[[Json, "Person"], Json]

US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
GROUPS: Final = (f"{US_CORE}race", f"{US_CORE}ethnicity")
"""Extensions that hold a coding under `ombCategory`."""
BIRTH_SEX: Final = f"{US_CORE}birthsex"
_SEXES: Final = frozenset({"F", "M", "UNK", "OTH", "ASKU"})
_COMPARATORS: Final = frozenset({"<", "<=", ">=", ">"})
_CHANGED: Final = ("modifierExtension", "implicitRules")


class _ChangedError(Exception):
    """Something here changes the meaning of what stands around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the rules need of one patient in one release. `date`, `birth`, `reference`: the rules of that name."""

    subject: str
    date: _Apply = field(repr=False)
    birth: _Apply = field(repr=False)
    reference: _Apply = field(repr=False)


def make_person(
    profile: Profile, patient: Mapping[str, Json] | None, targets: Mapping[str, str], *, subject: bytes, key:
    bytes, shift_key: bytes, today: date,
) -> Person:  # fmt: skip
    """`patient`: their Patient resource, if any. `targets`: what references of their records say -> `Type/pseudonym`.
    `key`: of the release's pseudonyms; `shift_key`: of its dates."""
    told = patient or {}
    pooled = pooled_year_of(told.get("birthDate"), told.get("deceasedDateTime"), today=today)
    days = shift_days(shift_key, subject)
    return Person(
        subject=pseudonym(key, "Patient", subject),
        date=date_rule(profile.dates, days=days, pooled=pooled),
        birth=birth_rule(profile.dates, days=days, pooled=pooled),
        reference=reference_rule(key, targets),
    )


class Deidentifier:
    """The rules of one profile, compiled."""

    def __init__(self, profile: Profile) -> None:
        self._few = profile.few_people
        self._inner: dict[str, dict[str, _Rule]] = {}
        known = catalogue()
        for name in known.types:
            self._inner[name] = {}
        for name, elements in known.types.items():
            self._inner[name].update((element, self._compile(rule)) for element, rule in elements.items())
        self._outer: dict[str, dict[str, _Rule]] = {}
        for name, wanted in profile.resources.items():
            elements = known.resources[name]
            self._outer[name] = {
                element: self._compile(rule)
                for element, rule in elements.items()
                if wanted is None or element in wanted
            }
        for path in profile.keep:
            name, _, element = path.partition(".")
            if name in self._outer:
                self._outer[name][element] = _as_it_is

    def apply(self, resource: Resource, person: Person, *, id: str) -> Resource | None:
        """What may leave, with `id` for its own; None for a resource of which nothing may."""
        name = resource.get("resourceType")
        rules = self._outer.get(name) if isinstance(name, str) else None
        if rules is None:
            return None
        try:
            kept = _apply(rules, resource, person)
        except _ChangedError:
            return None
        return {"resourceType": name, "id": id, **kept}

    def _compile(self, rule: Rule) -> _Rule:
        if isinstance(rule, list):
            return _each(_one_of(rule[1:])) if rule[0] == "list" else _one_of(rule)
        if rule.startswith("["):
            return _each(self._compile(rule[1:-1]))
        if rule.startswith("="):
            rules = self._inner[rule[1:]]
            return lambda value, person: _apply(rules, value, person) or None if isinstance(value, dict) else None
        if rule == "address":
            return lambda value, person: kept_address(value, few=self._few)
        return _RULES[rule]


def _apply(rules: Mapping[str, _Rule], value: Resource, person: Person) -> Resource:
    kept: Resource = {}
    for name, item in value.items():
        rule = rules.get(name)
        if rule is not None:
            if (left := rule(item, person)) is not None:
                kept[name] = left
        elif name in _CHANGED:
            raise _ChangedError
    return kept


def _each(rule: _Rule) -> _Rule:
    def apply(value: Json, person: Person) -> Json:
        if not isinstance(value, list):
            return None
        return [left for one in value if (left := rule(one, person)) is not None] or None

    return apply


def _one_of(codes: list[str]) -> _Rule:
    known = frozenset(codes)
    return lambda value, person: value if isinstance(value, str) and value in known else None


def _quantity(value: Json, person: Person) -> Json:
    if not isinstance(value, dict) or (number := kept_number(value.get("value"))) is None:
        return None
    kept: Resource = {"value": number}
    system, code, comparator = value.get("system"), value.get("code"), value.get("comparator")
    if isinstance(comparator, str) and comparator in _COMPARATORS:
        kept["comparator"] = comparator
    if system == UCUM and isinstance(code, str) and is_code(UCUM, code):
        kept |= {"system": system, "code": code}
    if isinstance(code, str) and is_past_oldest(number, code):
        kept |= {"value": OLDEST + 1, "code": "a", "system": UCUM}
    return kept


def _extension(value: Json, person: Person) -> Json:
    if not isinstance(value, dict):
        return None
    url = value.get("url")
    if url == BIRTH_SEX:
        sex = value.get("valueCode")
        return {"url": url, "valueCode": sex} if isinstance(sex, str) and sex in _SEXES else None
    inner = value.get("extension")
    if url not in GROUPS or not isinstance(inner, list):
        return None
    kept: list[Json] = [
        {"url": "ombCategory", "valueCoding": coding}
        for one in inner
        if isinstance(one, dict) and one.get("url") == "ombCategory"
        and (coding := kept_coding(one.get("valueCoding"))) is not None
    ]  # fmt: skip
    return {"url": url, "extension": kept} if kept else None


def _as_it_is(value: Json, person: Person) -> Json:
    return value


_RULES: dict[str, _Rule] = {
    "boolean": lambda value, person: value if isinstance(value, bool) else None,
    "number": lambda value, person: kept_number(value),
    "date": lambda value, person: person.date(value),
    "birth": lambda value, person: person.birth(value),
    "coding": lambda value, person: kept_coding(value),
    "concept": lambda value, person: kept_concept(value),
    "quantity": _quantity,
    "money": lambda value, person: kept_money(value),
    "reference": lambda value, person: person.reference(value),
    "extension": _extension,
}
