"""Criteria as FHIRPath over a Bundle of one patient's resources, compiled for one day.

True here: every expression is one of `gateway.deid.fhirpath`, and is kept as text, so that any engine can run it over
the same Bundle. It has this subset: elements, indexers, `$this`, constants; where, exists, empty, first, not, ofType,
extension, join, lowBoundary, highBoundary; and, or, = != < <= > >= + - * /. There is no `in`, no union, no today().
Expressions say two things: what is certainly so, and what certainly is not; what neither finds is not known.
Not done here: running them (`matching`).
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from gateway.deid.codes import UCUM
from gateway.deid.fhirpath import Expression, compile_path
from gateway.deid.fhirpath.parts import literal
from gateway.deid.views.reading import Field
from gateway.errors import CallerError
from gateway.trials.recruitment.kinds import KINDS, Kind
from gateway.trials.recruitment.model import (
    About,
    Age,
    Code,
    Coded,
    Condition,
    Criteria,
    Criterion,
    Expressed,
    Measured,
    Sex,
)

_CODES_EACH: Final = 8
"""Of one expression, which has a bound."""
_LONGEST_CODES: Final = 800
_EARLIEST: Final = date(1, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """An expression and its text. `types`: of the resources that it reads; None: any."""

    text: str
    expression: Expression
    types: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """`known`: the one item that is asked about. It is so if, of that item, a path of `yes` finds something, not so if
    one of `no` does."""

    known: Path
    yes: tuple[Path, ...]
    no: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Among the resources of one type. `counted`: those that count at all; `these`: of them, those with one of the
    codes; `others`: those without a code of the systems that are asked for. `within`, `before`: of one of these,
    whether it is certainly in the time, or certainly was before it; None: no time is asked for."""

    counted: Path
    these: tuple[Path, ...]
    others: Path
    within: Path | None
    before: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """It is so if something is found in one of the types."""

    sought: tuple[Sought, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the expression says, true or false."""

    path: Path


Question = Either | Search | Told


def questions(criteria: Criteria, *, today: date) -> tuple[tuple[Criterion, bool, Question], ...]:
    """Each criterion, whether it excludes, and what to ask. Raises CallerError that names a criterion whose expression
    is none."""
    asked = []
    for name, listed in (("inclusion", criteria.inclusion), ("exclusion", criteria.exclusion)):
        for number, one in enumerate(listed):
            field = ("criteria", name, str(number))
            asked.append((one, name == "exclusion", _question(one.condition, today, field)))
    return tuple(asked)


def _question(condition: Condition, today: date, field: Field) -> Question:
    match condition:
        case Age():
            return _age(condition, today, field)
        case Sex():
            return _sex(condition, field)
        case Coded():
            return _coded(condition, today, field)
        case Measured():
            return _measured(condition, today, field)
        case Expressed():
            path = _path(condition.expression, (*field, "fhirpath"), None, today=today)
            if path.expression.kind not in (None, "boolean"):
                raise CallerError("must be true or false", field=(*field, "fhirpath"))
            return Told(path=path)


def _path(text: str, field: Field, types: frozenset[str] | None, *, today: date | None = None) -> Path:
    """Over the Bundle."""
    constants = {} if today is None else {"today": literal(today.isoformat(), kind="date")}
    found = compile_path(text, field=field, constants=constants, resource="Bundle")
    return Path(text=text, expression=found, types=types)


def _about(text: str, field: Field) -> Path:
    """Over one item that was found."""
    return Path(text=text, expression=compile_path(text, field=field), types=frozenset())


def _of(kind: str) -> str:
    return f"Bundle.entry.resource.where(resourceType = '{kind}')"


def _either(known: Path, things: tuple[str, ...], criterion: str, field: Field) -> Either:
    """`things`: from the item that `known` finds; `criterion`: about each of them."""

    yes, no = (
        tuple(_about(f"{one}.where({asked})", field) for one in things) for asked in (criterion, f"({criterion}).not()")
    )
    return Either(known=known, yes=yes, no=no)


def _age(age: Age, today: date, field: Field) -> Either:
    born = []
    if age.least is not None:
        born.append(f"$this <= @{_years_before(today, age.least).isoformat()}")
    if age.most is not None:
        born.append(f"$this > @{_years_before(today, age.most + 1).isoformat()}")
    known = _path(f"{_of('Patient')}.birthDate", field, frozenset({"Patient"}))
    return _either(known, ("$this",), " and ".join(born), field)


def _years_before(day: date, years: int) -> date:
    """The last day on which somebody who is so old was born; the 28th where that year has no 29th of February."""
    year = max(day.year - years, 1)
    return day.replace(year=year, day=min(day.day, monthrange(year, day.month)[1]))


def _sex(sex: Sex, field: Field) -> Either:
    known = _path(f"{_of('Patient')}.gender.where($this != 'unknown')", field, frozenset({"Patient"}))
    return _either(known, ("$this",), " or ".join(f"$this = '{one}'" for one in sex.sexes), field)


def _coded(coded: Coded, today: date, field: Field) -> Search:
    since = _since(coded.within_days, today)
    return Search(sought=tuple(_sought(kind, coded.codes, since, field) for kind in KINDS[coded.about]))


def _sought(kind: Kind, codes: tuple[Code, ...], since: str | None, field: Field) -> Sought:
    types = frozenset({kind.type})
    counted = f"{_of(kind.type)}.where({kind.counts})"
    systems = " or ".join(f"system = {_quoted(system)}" for system in dict.fromkeys(one.system for one in codes))
    others = f"{counted}.where({kind.concept}.coding.where({systems}).empty())"
    return Sought(
        counted=_path(counted, field, types),
        these=tuple(_path(f"{counted}.where({_has(kind.concept, some)})", field, types) for some in _some(codes)),
        others=_path(others, field, types),
        within=None if since is None else _about(f"$this.where({_within(kind, since)})", field),
        before=None if since is None else _about(f"$this.where({_before(kind, since)})", field),
    )


def _some(codes: tuple[Code, ...]) -> Iterator[tuple[Code, ...]]:
    """As many as one expression holds."""
    some: list[Code] = []
    for code in sorted(codes, key=lambda one: (one.system, one.code)):
        if some and (len(some) == _CODES_EACH or len(_any_of((*some, code))) > _LONGEST_CODES):
            yield tuple(some)
            some = []
        some.append(code)
    yield tuple(some)


def _any_of(codes: tuple[Code, ...]) -> str:
    """About a Coding."""
    told = []
    for system in dict.fromkeys(one.system for one in codes):
        these = " or ".join(f"code = {_quoted(one.code)}" for one in codes if one.system == system)
        told.append(f"system = {_quoted(system)} and ({these})")
    return " or ".join(told)


def _has(concept: str, codes: tuple[Code, ...]) -> str:
    return f"{concept}.coding.where({_any_of(codes)}).exists()"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _since(days: int | None, today: date) -> str | None:
    """The first moment of that time, at Greenwich."""
    if days is None:
        return None
    first = today - timedelta(days=days) if (today - _EARLIEST).days > days else _EARLIEST
    return f"@{first.isoformat()}T00:00:00Z"


def _within(kind: Kind, since: str) -> str:
    told = [] if kind.now is None else [f"({kind.now})"]
    return " or ".join([*told, *(f"{one}.lowBoundary() >= {since}" for one in kind.moments)])


def _before(kind: Kind, since: str) -> str:
    over = " or ".join(f"{one}.highBoundary() < {since}" for one in kind.ends)
    return over if kind.now is None else f"({over}) and ({kind.now}).not()"


def _measured(measured: Measured, today: date, field: Field) -> Either:
    """The Bundle's Observations are the newest first."""
    (kind,) = KINDS[About.OBSERVATIONS]
    has = _has(kind.concept, (measured.code,))
    counted = f"{_of(kind.type)}.where({kind.counts}).where({has} or component.where({has}).exists())"
    since = _since(measured.within_days, today)
    latest = f"{counted if since is None else f'{counted}.where({_within(kind, since)})'}.first()"
    unit = _quoted(measured.unit)
    plain = f"comparator.empty() and (system = '{UCUM}' and code = {unit} or code.empty() and unit = {unit})"
    values = tuple(
        f"{holder}.where({has}).value.ofType(Quantity).where({plain}).value" for holder in ("$this", "component")
    )
    criterion = " and ".join(_bounds(measured.least, measured.most))
    return _either(_path(latest, field, frozenset({kind.type})), values, criterion, field)


def _bounds(least: Decimal | None, most: Decimal | None) -> Iterator[str]:
    if least is not None:
        yield f"$this >= {least:f}"
    if most is not None:
        yield f"$this <= {most:f}"
