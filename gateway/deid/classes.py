"""Equivalence classes: people who are alike in all quasi-identifiers, and what k, l and t say of them.

True here: k counts people; l and t are taken over the sensitive values of a class, each as often as it stands there. A
class without any sensitive value tells nothing of that kind, and holds l and t. In memory is one count for each value
of each class: bounded by the domains, not by the people.
Sources: k-anonymity (Sweeney 2002); distinct l-diversity (Machanavajjhala 2006); t-closeness (Li 2007): half the sum of
differences for values without an order, the ordered distance for numbers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Self, TypeAlias

Quasi: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Class:
    """People who are alike, and how often each sensitive value stands among them."""

    people: int = 0
    sensitive: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Class") -> None:
        self.people += other.people
        self.sensitive.update(other.sensitive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Of all classes: the smallest, the least diverse, the farthest from all. Nobody at all: k, l and t are 0."""

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
    def of(cls, people: Iterable[tuple[Quasi, Iterable[str]]]) -> Self:
        """From each one's quasi-identifiers and sensitive values."""
        made = cls()
        for quasi, sensitive in people:
            made.add(quasi, sensitive)
        return made

    def add(self, quasi: Quasi, sensitive: Iterable[str]) -> None:
        found = self.by_quasi.setdefault(quasi, Class())
        found.people += 1
        found.sensitive.update(sensitive)

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

    def without(self, left_out: Iterable[Quasi]) -> "Classes":
        made, gone = Classes(), set(left_out)
        made.by_quasi = {quasi: one for quasi, one in self.by_quasi.items() if quasi not in gone}
        return made

    def distribution(self) -> Counter[str]:
        """Of the sensitive values of all."""
        total: Counter[str] = Counter()
        for one in self.by_quasi.values():
            total.update(one.sensitive)
        return total

    def measure(self, *, ordered: bool = False) -> Measures:
        """`ordered`: the sensitive values are numbers."""
        if not self.by_quasi:
            return Measures(people=0, classes=0, k=0, diversity=0, t=0.0)
        overall = self.distribution()
        told = [one.sensitive for one in self.by_quasi.values() if one.sensitive]
        return Measures(
            people=self.people,
            classes=len(self.by_quasi),
            k=min(one.people for one in self.by_quasi.values()),
            diversity=min((len(one) for one in told), default=0),
            t=max((distance(one, overall, ordered=ordered) for one in told), default=0.0),
        )


def distance(one: Mapping[str, int], overall: Mapping[str, int], *, ordered: bool) -> float:
    """How far a class's distribution is from that of all, 0 to 1."""
    mine, whole = sum(one.values()), sum(overall.values())
    if not ordered:
        # Values that the class lacks differ by their whole share.
        shared = sum(abs(count / mine - overall[value] / whole) for value, count in one.items())
        return (shared + 1 - sum(overall[value] for value in one) / whole) / 2
    values = sorted(overall, key=float)
    steps = accumulate(one.get(value, 0) / mine - overall[value] / whole for value in values)
    return sum(map(abs, steps)) / (len(values) - 1) if len(values) > 1 else 0.0
