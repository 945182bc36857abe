"""A FHIR resource in the form in which it may leave, by a profile.

True here: what no rule names does not leave, whatever it is called and however deep it stands; contained resources,
narrative, notes and extensions (but race, ethnicity and birth sex of US Core, as codes) are gone. A resource whose
meaning something unknown changes (`modifierExtension`, `implicitRules`) does not leave at all. Ids and references are
pseudonyms. Where a code says that a value is an age, it is one, and of who is over 89, or of whom no birth date is
known, no age leaves: with a date it would tell when they were born.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

from gateway.deid.ages import AGES, kept_age, kept_quantity, kept_years
from gateway.deid.catalogue import Rule, catalogue
from gateway.deid.codes import kept_coding, kept_concept, kept_money, kept_number
from gateway.deid.dates import birth_rule, date_rule, earliest_year_of, pooled_year_of, shift_days
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
_CHANGED: Final = ("modifierExtension", "implicitRules")
_ABOUT: Final = ("code", "measure", "category", "type")
"""Elements that say what the value beside them is, where they are one concept."""
_TOLD: Final = frozenset(
    f"{choice}{kind}"
    for choice in ("value", "detail")
    for kind in ("", "Quantity", "Integer", "Range", "CodeableConcept", "Ratio")
)
_AGED: Final = {"quantity": "age", "number": "years", "=Range": "age range", "concept": "nothing", "=Ratio": "nothing"}
"""The rule of a value -> its rule where it is an age."""


class _ChangedError(Exception):
    """Something here changes the meaning of what stands around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the rules need of one patient in one release. `date`, `birth`, `reference`: the rules of that name.
    `tells_ages`: it is known that they are not over 89."""

    subject: str
    tells_ages: bool
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
    born, days = told.get("birthDate"), shift_days(shift_key, subject)
    moved = date_rule(profile.dates, days=days, pooled=None)
    pooled = pooled_year_of(born, told.get("deceasedDateTime"), today=today, leave=moved)
    earliest = earliest_year_of(born, pooled, today=today)
    dates = date_rule(profile.dates, days=days, pooled=earliest)
    return Person(
        subject=pseudonym(key, "Patient", subject),
        tells_ages=earliest is None,
        date=dates,
        birth=dates if pooled is None else birth_rule(profile.dates, days=days, pooled=pooled),
        reference=reference_rule(key, targets),
    )


@dataclass(slots=True)
class _Form:
    """The rules of one type's elements. `about`: those that say what a value is; `aged`: the rules of all where that is
    an age."""

    rules: dict[str, _Rule] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    aged: dict[str, _Rule] = field(default_factory=dict)

    def apply(self, value: Resource, person: Person, *, is_aged: bool = False) -> Resource:
        """Raises _ChangedError."""
        rules = self.rules
        if self.about and (is_aged or any(_is_of_age(value.get(name)) for name in self.about)):
            rules = self.aged
        kept: Resource = {}
        for name, item in value.items():
            rule = rules.get(name)
            if rule is not None:
                if (left := rule(item, person)) is not None:
                    kept[name] = left
            elif name in _CHANGED:
                raise _ChangedError
        return kept


class Deidentifier:
    """The rules of one profile, compiled."""

    def __init__(self, profile: Profile) -> None:
        self._few = profile.few_people
        known = catalogue()
        self._inner = {name: _Form() for name in known.types}
        for name, elements in known.types.items():
            self._fill(self._inner[name], elements, elements)
        self._outer: dict[str, _Form] = {}
        for name, wanted in profile.resources.items():
            self._outer[name] = _Form()
            every = known.resources[name]
            left = {one: rule for one, rule in every.items() if wanted is None or one in wanted}
            self._fill(self._outer[name], left, every)
        for path in profile.keep:
            name, _, element = path.partition(".")
            if name in self._outer:
                self._outer[name].rules[element] = self._outer[name].aged[element] = _as_it_is

    def apply(self, resource: Resource, person: Person, *, id: str) -> Resource | None:
        """What may leave, with `id` for its own; None for a resource of which nothing may."""
        name = resource.get("resourceType")
        form = self._outer.get(name) if isinstance(name, str) else None
        if form is None:
            return None
        try:
            kept = form.apply(resource, person)
        except _ChangedError:
            return None
        return {"resourceType": name, "id": id, **kept}

    def _fill(self, form: _Form, elements: Mapping[str, Rule], every: Mapping[str, Rule]) -> None:
        """`every`: what a type has, though not all of it may leave."""
        form.rules.update((element, self._compile(rule)) for element, rule in elements.items())
        form.aged.update(
            (element, self._compile(_aged(element, rule), is_aged=True)) for element, rule in elements.items()
        )
        if any(_aged(element, rule) != rule for element, rule in elements.items()):
            form.about = tuple(name for name in _ABOUT if every.get(name) == "concept")

    def _compile(self, rule: Rule, *, is_aged: bool = False) -> _Rule:
        if isinstance(rule, list):
            return _each(_one_of(rule[1:])) if rule[0] == "list" else _one_of(rule)
        if rule.startswith("["):
            return _each(self._compile(rule[1:-1], is_aged=is_aged))
        if rule.startswith("="):
            form = self._inner[rule[1:]]
            return lambda value, person: (
                form.apply(value, person, is_aged=is_aged) or None if isinstance(value, dict) else None
            )
        if rule == "address":
            return lambda value, person: kept_address(value, few=self._few)
        return _RULES[rule]


def _each(rule: _Rule) -> _Rule:
    def apply(value: Json, person: Person) -> Json:
        if not isinstance(value, list):
            return None
        return [left for one in value if (left := rule(one, person)) is not None] or None

    return apply


def _one_of(codes: list[str]) -> _Rule:
    known = frozenset(codes)
    return lambda value, person: value if isinstance(value, str) and value in known else None


def _aged(element: str, rule: Rule) -> Rule:
    """The rule of an element beside a code that says age."""
    if element not in _TOLD or not isinstance(rule, str):
        return rule
    if rule.startswith("["):
        return f"[{_aged(element, rule[1:-1])}]"
    return _AGED.get(rule, rule)


def _is_of_age(concept: Json) -> bool:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return isinstance(codings, list) and any(
        isinstance(one, dict) and isinstance(code := one.get("code"), str) and code in AGES for one in codings
    )


def _age_range(value: Json, person: Person) -> Json:
    if not person.tells_ages or not isinstance(value, dict):
        return None
    return {name: left for name in ("low", "high") if (left := kept_age(value.get(name))) is not None} or None


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
    "quantity": lambda value, person: kept_quantity(value, tells_ages=person.tells_ages),
    "age": lambda value, person: kept_age(value) if person.tells_ages else None,
    "years": lambda value, person: kept_years(value) if person.tells_ages else None,
    "age range": _age_range,
    "nothing": lambda value, person: None,
    "money": lambda value, person: kept_money(value),
    "reference": lambda value, person: person.reference(value),
    "extension": _extension,
}
