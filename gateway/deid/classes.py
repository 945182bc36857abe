"""Equivalence classes: people who are alike in all quasi-identifiers, and what k, l and t say of them.

True here: k counts people; l and t are of one sensitive column at a time, over the values that the people of a class
have in it, each person's once: l is the least of all columns and classes, t the largest. Who has no value in a column
tells nothing of that kind, and a class of such people holds l and t there. In memory is one count for each value of
each column and class: bounded by the domains, not by the people. The same people give the same measures to the last
digit, in whatever order they come.
Sources: k-anonymity (Sweeney 2002); distinct l-diversity (Machanavajjhala 2006); t-closeness (Li 2007): half the sum of
differences for values without an order, the ordered distance for numbers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import fsum
from typing import Self, TypeAlias

Quasi: TypeAlias = tuple[str, ...]
Sensitive: TypeAlias = Mapping[str, Collection[str]]
"""Column -> the values that one person has in it, each once."""
Counts: TypeAlias = Mapping[str, Mapping[str, int]]
"""Column -> value -> people."""


@dataclass(slots=True)
class Class:
    """People who are alike, and how many of them have each value of each sensitive column. No column without any."""

    people: int = 0
    sensitive: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, other: "Class") -> None:
        self.people += other.people
        for column, counts in other.sensitive.items():
            _tally(self.sensitive, column, counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Of all classes and sensitive columns: the smallest, the least diverse, the farthest from all. Nobody at all: k, l
    and t are 0."""

    people: int
    classes: int
    k: int
    diversity: int
    t: float


class Classes:
    """People by their quasi-identifiers."""

    def __init__(self) -> None:
        self.by_quasi: dict[Quasi, Class] = {}

    @classmethod
    def of(cls, people: Iterable[tuple[Quasi, Sensitive]]) -> Self:
        """From each one's quasi-identifiers and sensitive values."""
        made = cls()
        for quasi, sensitive in people:
            made.add(quasi, sensitive)
        return made

    def add(self, quasi: Quasi, sensitive: Sensitive) -> None:
        found = self.by_quasi.setdefault(quasi, Class())
        found.people += 1
        for column, values in sensitive.items():
            if values:
                _tally(found.sensitive, column, dict.fromkeys(values, 1))

    @property
    def people(self) -> int:
        return sum(one.people for one in self.by_quasi.values())

    def merged(self, steps: Sequence[Mapping[str, str]]) -> "Classes":
        """After each value was replaced by what `steps`, one mapping for each quasi-identifier, has for it."""
        made = Classes()
        for quasi, one in self.by_quasi.items():
            to = tuple(step[value] for step, value in zip(steps, quasi, strict=True))
            made.by_quasi.setdefault(to, Class()).add(one)
        return made

    def without(self, left_out: Collection[Quasi]) -> "Classes":
        made = Classes()
        made.by_quasi = {quasi: one for quasi, one in self.by_quasi.items() if quasi not in left_out}
        return made

    def distribution(self, *, shared_by: int = 1) -> Counts:
        """Of the sensitive values of all; those alone that so many people have."""
        total: dict[str, dict[str, int]] = {}
        for one in self.by_quasi.values():
            for column, counts in one.sensitive.items():
                _tally(total, column, counts)
        return {
            column: {value: count for value, count in counts.items() if count >= shared_by}
            for column, counts in total.items()
        }

    def measure(self, *, shared_by: int = 1, ordered: bool = False) -> Measures:
        """`shared_by`: as if values that fewer people have were not there; `ordered`: the sensitive values are
        numbers."""
        if not self.by_quasi:
            return Measures(people=0, classes=0, k=0, diversity=0, t=0.0)
        overall = self.distribution(shared_by=shared_by)
        told = [spread for one in self.by_quasi.values() for spread in spreads(one, overall, ordered=ordered)]
        return Measures(
            people=self.people,
            classes=len(self.by_quasi),
            k=min(one.people for one in self.by_quasi.values()),
            diversity=min((diversity for diversity, _ in told), default=0),
            t=max((t for _, t in told), default=0.0),
        )


def _tally(total: dict[str, dict[str, int]], column: str, counts: Mapping[str, int]) -> None:
    mine = total.get(column)
    if mine is None:
        total[column] = dict(counts)
        return
    for value, count in counts.items():
        mine[value] = mine.get(value, 0) + count


def spreads(one: Class, overall: Counts, *, ordered: bool) -> Iterable[tuple[int, float]]:
    """l and t of a class, for each sensitive column of which it tells anything. Values that `overall` lacks are as if
    they were not there."""
    for column, counts in one.sensitive.items():
        whole = overall[column]
        mine = {value: count for value, count in counts.items() if value in whole}
        if mine:
            yield len(mine), distance(mine, whole, ordered=ordered)


def distance(one: Mapping[str, int], overall: Mapping[str, int], *, ordered: bool) -> float:
    """How far a class's distribution is from that of all, 0 to 1."""
    mine, whole = sum(one.values()), sum(overall.values())
    if not ordered:
        # Values that the class lacks differ by their whole share. Sets of texts come in another order in every process.
        shared = fsum(abs(count / mine - overall[value] / whole) for value, count in one.items())
        return (shared + 1 - sum(overall[value] for value in one) / whole) / 2
    values = sorted(overall, key=float)
    steps = accumulate(one.get(value, 0) / mine - overall[value] / whole for value in values)
    return sum(map(abs, steps)) / (len(values) - 1) if len(values) > 1 else 0.0
