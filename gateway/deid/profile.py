"""A profile says in which form data leave: declared as JSON, named by the SHA-256 of its RFC 8785 form.

True here: a profile can only take away from what the catalogue lets out, or say by name in what it departs; a steward
must name each departure again, or the profile is refused. Two ship: `safe-harbor` and `expert-determination`.
Sources: 45 CFR 164.514(b)(1) and (2); k-anonymity (Sweeney 2002), l-diversity (Machanavajjhala 2006), t-closeness
(Li 2007).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, NoReturn

from gateway import jsontext
from gateway.deid.catalogue import catalogue
from gateway.deid.dates import DateRule
from gateway.deid.places import FEW
from gateway.errors import CallerError
from gateway.jsontext import JsonValue

SHIPPED: Final = ("safe-harbor", "expert-determination")
K: Final = 11
L: Final = 2
T: Final = 0.5
MOST_K: Final = 1000
_NAME = re.compile("[a-z][a-z0-9-]{0,62}")
_KEEP = re.compile(r"([A-Z][A-Za-z]{1,63})\.([a-z][A-Za-z0-9]{0,63})")
_MEMBERS: Final = ("profile", "basis", "catalogue", "dates", "zip", "anonymity", "resources", "keep")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymity:
    """`k`: patients that are alike, at least. `diversity`: l, sensitive values among them. `t`: how far their
    distribution may be from that of all, 0 to 1. `suppressed_most`: of the patients, 0 to 1."""

    k: int
    diversity: int
    t: float
    suppressed_most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """`resources`: type -> the elements that leave, None for all of the catalogue's; types that are not here stay.
    `keep`: elements that leave as they are, `Type.element`. `departures`: the names of all in which this is looser than
    the rule. `text`: RFC 8785 form, of which `digest` is the SHA-256."""

    name: str
    basis: str
    dates: DateRule
    few_people: int
    anonymity: Anonymity
    resources: Mapping[str, frozenset[str] | None]
    keep: tuple[str, ...]
    departures: tuple[str, ...]
    text: bytes
    digest: bytes


@cache
def shipped(name: str) -> Profile:
    """One of `SHIPPED`."""
    return parse_profile(jsontext.loads(files(__package__).joinpath("profiles", f"{name}.json").read_bytes()))


def parse_profile(value: JsonValue) -> Profile:
    """Raises CallerError that names the member."""
    tree = _object(value, ())
    for member in tree.keys() - set(_MEMBERS):
        _refuse("no member of a profile", member)
    for member in _MEMBERS:
        if member not in tree:
            _refuse("missing", member)
    name, basis = tree["profile"], tree["basis"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        _refuse("lower-case letters, digits and hyphens", "profile")
    if not isinstance(basis, str) or not 0 < len(basis) <= 200 or not basis.isprintable():
        _refuse("1 to 200 printable characters", "basis")
    if tree["catalogue"] != catalogue().digest.hex():
        _refuse(f"made for another catalogue than {catalogue().digest.hex()}", "catalogue")
    if tree["dates"] not in tuple(DateRule):
        _refuse("year or shift", "dates")
    few = _whole(_object(tree["zip"], ("zip",), "peopleOver")["peopleOver"], 0, 10**7, "zip", "peopleOver")
    anonymity = _anonymity(tree["anonymity"])
    keep = _keep(tree["keep"])
    text = jsontext.canonical(value)
    return Profile(
        name=name,
        basis=basis,
        dates=DateRule(str(tree["dates"])),
        few_people=few,
        anonymity=anonymity,
        resources=_resources(tree["resources"]),
        keep=keep,
        departures=tuple(_departures(few, anonymity, keep)),
        text=text,
        digest=hashlib.sha256(text).digest(),
    )


def check_departures(profile: Profile, named: Iterable[str]) -> None:
    """CallerError for a departure that nobody named, and for one that was named and is none."""
    left, given = set(profile.departures), set(named)
    for name in sorted(left - given):
        raise CallerError(f"departs from the rule in {name}: a steward must name it", field=("profile", name))
    for name in sorted(given - left):
        raise CallerError("the profile does not depart in this", field=("overrides", name))


def _departures(few: int, anonymity: Anonymity, keep: tuple[str, ...]) -> Iterable[str]:
    yield from (f"keep.{path}" for path in keep)
    if few < FEW:
        yield "zip.peopleOver"
    if anonymity.k < K:
        yield "anonymity.k"
    if anonymity.diversity < L:
        yield "anonymity.l"
    if anonymity.t > T:
        yield "anonymity.t"


def _anonymity(value: JsonValue) -> Anonymity:
    tree = _object(value, ("anonymity",), "k", "l", "t", "suppressedMost")
    return Anonymity(
        k=_whole(tree["k"], 1, MOST_K, "anonymity", "k"),
        diversity=_whole(tree["l"], 1, MOST_K, "anonymity", "l"),
        t=_share(tree["t"], "anonymity", "t"),
        suppressed_most=_share(tree["suppressedMost"], "anonymity", "suppressedMost"),
    )


def _resources(value: JsonValue) -> Mapping[str, frozenset[str] | None]:
    known = catalogue().resources
    if value == "all":
        return dict.fromkeys(known)
    found: dict[str, frozenset[str] | None] = {}
    for name, elements in _object(value, ("resources",)).items():
        if name not in known:
            _refuse("no type of the catalogue", "resources", name)
        if elements == "all":
            found[name] = None
            continue
        if not isinstance(elements, list) or not elements:
            _refuse("all, or a list of elements", "resources", name)
        for element in elements:
            if not isinstance(element, str) or element not in known[name]:
                _refuse("an element that the catalogue does not let out", "resources", name, str(element)[:64])
        found[name] = frozenset(str(one) for one in elements)
    return found


def _keep(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 100:
        _refuse("a list of Type.element", "keep")
    for path in value:
        found = _KEEP.fullmatch(path) if isinstance(path, str) else None
        if found is None or found[1] not in catalogue().resources:
            _refuse("Type.element of a type of the catalogue", "keep", str(path)[:64])
    return tuple(sorted({str(path) for path in value}))


def _object(value: JsonValue, field: tuple[str, ...], *members: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse("a JSON object", *field)
    if members and set(value) != set(members):
        _refuse(f"exactly {', '.join(members)}", *field)
    return value


def _whole(value: JsonValue, least: int, most: int, *field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        _refuse(f"a whole number from {least} to {most}", *field)
    return value


def _share(value: JsonValue, *field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        _refuse("a number from 0 to 1", *field)
    return float(value)


def _refuse(message: str, *field: str) -> NoReturn:
    raise CallerError(message, field=("profile", *field))
