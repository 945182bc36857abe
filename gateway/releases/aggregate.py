"""What may be asked without a data set: one number of all who are in a cohort, or how many of them are in each bin.

True here: pure. A person has one value, whatever the number of their rows, and so counts once; bounds and bins are in
the question, never told from the answers. A question is named by the SHA-256 of its RFC 8785 form, and what it may
spend follows from that form alone. No count from 1 to k - 1 is told, noise or not.
Not done here: noise (`gateway.adapters.noise`), budgets, and who may be asked about.
Source: CMS cell size suppression policy (no cell of 1 to 10).
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final, TypeAlias

from gateway import jsontext
from gateway.consent.model import Purpose
from gateway.consent.policy import RESEARCH
from gateway.deid.profile import SHIPPED, shipped
from gateway.deid.tables import NUMBERS, cell_text
from gateway.deid.views import View, parse_view
from gateway.deid.views.selects import Row
from gateway.errors import CallerError
from gateway.jsontext import JsonValue
from gateway.releases.cohort import Cohort, parse_cohort
from gateway.releases.request import parse_data_use

K: Final = 11
"""The least count that is told."""
MILLION: Final = 1_000_000
"""Parts of epsilon that are counted."""
LARGEST: Final = 1e15
"""No bound or edge is further from 0."""
MOST_BINS: Final = 100
LONGEST_VALUE: Final = 256
_MEMBERS: Final = ("purpose", "dataUse", "cohort", "measure", "epsilon")
_NUMBER: Final = ("kind", "view", "column", "low", "high", "per")
_MEASURES: Final = {
    "count": ("kind",),
    "sum": _NUMBER,
    "mean": _NUMBER,
    "histogram": ("kind", "view", "column", "bins"),
}
_PLACE: Final = ("aggregate",)
_MEASURE: Final = (*_PLACE, "measure")


class Per(StrEnum):
    """Which of a person's numbers is theirs, in the order of their rows."""

    FIRST = "first"
    LAST = "last"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Of people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    view: View = field(repr=False)
    at: int
    low: float
    high: float
    per: Per


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(_Numbers):
    """`at`: the place of the column in the view's rows. `low`, `high`: what each number is bounded by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(_Numbers):
    """As `Sum` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByValue:
    """A histogram of texts; a person's is the first that they have. The last bin, other, is after those of `bins`."""

    view: View = field(repr=False)
    at: int
    bins: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.bins) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ByRange:
    """A histogram of numbers; a person's is the first that they have. Each bin has its lower edge, and not its upper
    one; the last, other, is what is outside all."""

    view: View = field(repr=False)
    at: int
    edges: tuple[float, ...]

    @property
    def size(self) -> int:
        return len(self.edges)


Histogram: TypeAlias = ByValue | ByRange
Measure: TypeAlias = Count | Sum | Mean | Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateRequest:
    """`data_use`: terms of DUO. `epsilon`: millionths, rounded up. `text`: RFC 8785 form, of which `digest` is the
    SHA-256."""

    purpose: Purpose
    data_use: frozenset[str]
    cohort: Cohort
    measure: Measure
    epsilon: int
    text: bytes = field(repr=False)
    digest: bytes

    @property
    def study(self) -> None:
        """A number is asked in no study."""
        return None


def parse_aggregate(value: JsonValue) -> AggregateRequest:
    """Raises CallerError that names the member."""
    asked = _members(value, _MEMBERS, _PLACE)
    purpose = asked["purpose"]
    if not isinstance(purpose, str) or purpose not in RESEARCH:
        raise CallerError("HRESCH or CLINTRCH", field=(*_PLACE, "purpose"))
    measure, epsilon = _measure(asked["measure"]), _epsilon(asked["epsilon"])
    if isinstance(measure, Sum | Mean) and epsilon < 2:
        raise CallerError("two millionths at least: a sum or a mean is of two answers", field=(*_PLACE, "epsilon"))
    text = jsontext.canonical(value)
    return AggregateRequest(
        purpose=Purpose(purpose),
        data_use=parse_data_use(asked["dataUse"], field=(*_PLACE, "dataUse")),
        cohort=parse_cohort(asked["cohort"], field=(*_PLACE, "cohort")),
        measure=measure,
        epsilon=epsilon,
        text=text,
        digest=hashlib.sha256(text).digest(),
    )


def value_of(measure: Sum | Mean | Histogram, rows: Sequence[Row]) -> float | str | None:
    """The one value of the person whose rows of the view these are, in the caller's order; None for who has none. A
    number is bounded before a mean of it is taken. No cell makes it fail."""
    cells = [row[measure.at] for row in rows if row[measure.at] is not None]
    if isinstance(measure, ByValue):
        return cell_text(cells[0]) if cells else None
    # Only NaN is not itself.
    numbers = [cell for cell in cells if isinstance(cell, int | float) and cell == cell]
    if not numbers or isinstance(measure, ByRange):
        return numbers[0] if numbers else None
    bounded = [min(max(number, measure.low), measure.high) for number in numbers]
    match measure.per:
        case Per.FIRST:
            return bounded[0]
        case Per.LAST:
            return bounded[-1]
        case Per.MEAN:
            return math.fsum(bounded) / len(bounded)


def bin_of(measure: Histogram, value: float | str) -> int:
    """Of `size` bins, the one that the value is in, from 0; what is in no other is in the last."""
    if isinstance(measure, ByValue):
        return measure.bins.index(value) if isinstance(value, str) and value in measure.bins else len(measure.bins)
    other = measure.size - 1
    place = other if isinstance(value, str) else bisect_right(measure.edges, value) - 1
    return place if place >= 0 else other


def told(count: int, k: int = K) -> int:
    """A count as it is told: nothing below k, so that no cell is of few."""
    return count if count >= k else 0


def _members(value: JsonValue, names: Sequence[str], field: tuple[str, ...]) -> Mapping[str, JsonValue]:
    """An object of these members, neither more nor less."""
    if not isinstance(value, dict):
        raise CallerError("a JSON object", field=field)
    for member in value.keys() ^ set(names):
        raise CallerError("missing" if member in names else "no member of this", field=(*field, member[:64]))
    return value


def _epsilon(value: JsonValue) -> int:
    """Of the shortest digits that read as the same double, as the RFC 8785 form has them: 0.1 is 100,000 millionths."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise CallerError("more than 0, and at most 1", field=(*_PLACE, "epsilon"))
    return int((Decimal(float.__repr__(float(value))) * MILLION).to_integral_value(ROUND_CEILING))


def _measure(value: JsonValue) -> Measure:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _MEASURES:
        raise CallerError(" or ".join(_MEASURES), field=(*_MEASURE, "kind"))
    asked = _members(value, _MEASURES[kind], _MEASURE)
    if kind == "count":
        return Count()
    known = {name for profile in SHIPPED for name in shipped(profile).resources}
    view = parse_view(asked["view"], field=(*_MEASURE, "view"), types=known)
    if kind == "histogram":
        return _histogram(view, asked)
    low, high = (_number(asked[name], (*_MEASURE, name)) for name in ("low", "high"))
    if low >= high:
        raise CallerError("low must be less than high", field=(*_MEASURE, "low"))
    per = asked["per"]
    if not isinstance(per, str) or per not in tuple(Per):
        raise CallerError(" or ".join(Per), field=(*_MEASURE, "per"))
    of = Sum if kind == "sum" else Mean
    return of(view=view, at=_column(view, asked["column"], of_numbers=True), low=low, high=high, per=Per(per))


def _histogram(view: View, asked: Mapping[str, JsonValue]) -> Histogram:
    bins, place = asked["bins"], (*_MEASURE, "bins")
    if not isinstance(bins, list) or not 1 <= len(bins) <= MOST_BINS:
        raise CallerError(f"1 to {MOST_BINS} texts, or as many edges", field=place)
    texts = tuple(one for one in bins if isinstance(one, str) and 0 < len(one) <= LONGEST_VALUE)
    if not texts:
        edges = tuple(_number(one, (*place, str(number))) for number, one in enumerate(bins))
        if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
            raise CallerError("two edges at least, each more than the one before", field=place)
        return ByRange(view=view, at=_column(view, asked["column"], of_numbers=True), edges=edges)
    if len(set(texts)) < len(bins):
        raise CallerError(f"different texts of 1 to {LONGEST_VALUE} characters", field=place)
    return ByValue(view=view, at=_column(view, asked["column"], of_numbers=False), bins=texts)


def _column(view: View, name: JsonValue, *, of_numbers: bool) -> int:
    """Its place in a row."""
    place = (*_MEASURE, "column")
    for at, column in enumerate(view.columns):
        if column.name == name:
            if column.collection or (of_numbers and not (column.checked and column.type in NUMBERS)):
                raise CallerError("a column of numbers" if of_numbers else "no collection", field=place)
            return at
    raise CallerError("a column of the view", field=place)


def _number(value: JsonValue, field: tuple[str, ...]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        raise CallerError("a number, not beyond 10^15", field=field)
    return float(value)
