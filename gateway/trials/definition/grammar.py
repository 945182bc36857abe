"""Which elements and attributes ODM has, and where: everything else in its namespaces is refused by name.

True here: what `check` passes has only elements of its edition where they belong, as many as may be there, every
required attribute, and text only where there is text. Other namespaces are vendors' extensions, and pass.
Not done here: values of attributes (readers), references; the order of different elements, which says nothing.
Source: the XML schemas of ODM 1.3.2 and 2.0, https://www.cdisc.org/standards/data-exchange/odm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

from gateway.errors import CallerError
from gateway.trials.definition.elements import (
    LANGUAGE,
    ODM_1_3,
    ODM_2_0,
    SCHEMA_INSTANCE,
    XML_SIGNATURE,
    Element,
    clark,
    split,
)
from gateway.trials.definition.xmltext import carries_prefixes

_TYPE: Final = clark(SCHEMA_INSTANCE, "type")
_PREFIXED: Final = {"xml:lang": LANGUAGE, "xlink:href": "{http://www.w3.org/1999/xlink}href"}


class Edition(StrEnum):
    """Of ODM, by its namespace."""

    V1_3 = "1.3.2"
    V2_0 = "2.0"

    @property
    def namespace(self) -> str:
        return ODM_1_3 if self is Edition.V1_3 else ODM_2_0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One element. `children`: in the order of the schema. `once`: children of which there is one at most. `order`:
    the place of a child, by its full name."""

    has_text: bool
    attributes: frozenset[str]
    required_attributes: tuple[str, ...]
    children: tuple[str, ...]
    required_children: tuple[str, ...]
    once: frozenset[str]
    order: Mapping[str, int]


@cache
def rules(edition: Edition) -> Mapping[str, Rule]:
    """Every element of an edition by its local name."""
    lines = files(__package__).joinpath(f"odm-{edition.value}.grammar").read_text("utf-8").splitlines()
    return dict(_rule(line, edition) for line in lines if not line.startswith("--"))


def _rule(line: str, edition: Edition) -> tuple[str, Rule]:
    head, _, tail = line.partition(" > ")
    name, *words = head.split()
    attributes = [(_PREFIXED.get(one.rstrip("!"), one.rstrip("!")), one[-1]) for one in words if one != "#"]
    children = [(one[:-1], one[-1]) for one in tail.split()]
    return name, Rule(
        has_text="#" in words,
        attributes=frozenset(one for one, _ in attributes),
        required_attributes=tuple(one for one, times in attributes if times == "!"),
        children=tuple(one for one, _ in children),
        required_children=tuple(one for one, times in children if times in "!+"),
        once=frozenset(one for one, times in children if times in "!?"),
        order={clark(edition.namespace, one): number for number, (one, _) in enumerate(children)},
    )


def edition_of(root: Element, *, field: tuple[str, ...]) -> Edition:
    """By the namespace of the outermost element, which must be ODM, and its version. Raises CallerError."""
    namespace, local = split(root.name)
    edition = next((one for one in Edition if one.namespace == namespace), None)
    if edition is None:
        raise CallerError(f"is in no namespace of ODM: {ODM_1_3} or {ODM_2_0}", field=field)
    if local != "ODM":
        raise CallerError(
            f"begins with {local[:64]}: a document of ODM begins with ODM, which holds a Study", field=field
        )
    version = dict(root.attributes).get("ODMVersion", edition.value)
    if version not in ({"1.3", "1.3.1", "1.3.2"} if edition is Edition.V1_3 else {"2.0"}):
        raise CallerError(
            "is of a version that is not read here: 1.3, 1.3.1, 1.3.2 and 2.0 are", field=(*field, "ODMVersion")
        )
    return edition


def check(element: Element, edition: Edition, *, field: tuple[str, ...]) -> None:
    """The element and all within it. Raises CallerError that names the first that does not belong, and where."""
    _check(element, split(element.name)[1], edition, field)


def _check(element: Element, name: str, edition: Edition, field: tuple[str, ...]) -> None:
    """`field`: of what holds it."""
    rule = rules(edition)[name]
    here = (*field, name)
    given = {name for name, _ in element.attributes}
    for one in rule.required_attributes:
        if one not in given:
            raise CallerError(f"has no {split(one)[1]}", field=_at(element, here))
    for one in given - rule.attributes:
        if one == _TYPE:
            raise CallerError("xsi:type is not supported", field=_at(element, here))
        if split(one)[0] in ("", edition.namespace):
            raise CallerError(
                f"{split(one)[1][:64]} is no attribute of it in ODM {edition.value}", field=_at(element, here)
            )
    if not rule.has_text and element.text.strip():
        raise CallerError("holds text where ODM has none", field=_at(element, here))
    if element.children or rule.required_children:
        _check_children(element, rule, edition, here)


def _check_children(element: Element, rule: Rule, edition: Edition, here: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for child in element.children:
        namespace, local = split(child.name)
        if namespace == XML_SIGNATURE:
            raise CallerError(
                "an XML signature is not checked here: check it, and take it off", field=_at(element, here)
            )
        if namespace != edition.namespace:
            if carries_prefixes(child):
                raise CallerError("xsi:type is not supported", field=_at(element, here))
            continue
        if child.name not in rule.order:
            raise CallerError(f"may not hold {local[:64]} in ODM {edition.value}", field=_at(element, here))
        if local in seen and local in rule.once:
            raise CallerError(f"has more than one {local}", field=_at(element, here))
        seen.add(local)
        _check(child, local, edition, here)
    for local in rule.required_children:
        if local not in seen:
            raise CallerError(f"has no {local}", field=_at(element, here))


def _at(element: Element, field: tuple[str, ...]) -> tuple[str, ...]:
    """Names the element by its OID too, where it has one: an OID is no health data."""
    oid = next((value for name, value in element.attributes if name == "OID"), None)
    return field if oid is None else (*field, oid[:64])
