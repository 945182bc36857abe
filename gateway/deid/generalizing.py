"""How far each quasi-identifier must be generalized, and who must be left out, for a profile's k, l and t.

True here: all values of one quasi-identifier are on the same step (full-domain generalization), so that a release can
be read; what is then still too rare is left out, and no more of it than the profile allows. l and t are those of what
leaves: a sensitive value that fewer than k of the people who are in have is taken out (`cells`), and counts for none.
Those steps are taken that lose least: of each quasi-identifier the share of its entropy, and for each of them the share
of people left out. Where there are more than `MOST_TRIED` combinations they are sought one step at a time, and the
least loss may be missed.
Sources: Samarati 2001; non-uniform entropy (Gionis and Tassa 2009); Datafly (Sweeney 2002).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, log2, prod
from typing import Final, TypeAlias

from gateway.deid.classes import Class, Classes, Counts, Measures, Quasi, spreads
from gateway.deid.ladders import Ladder
from gateway.deid.profile import Anonymity

Levels: TypeAlias = tuple[int, ...]
MOST_TRIED: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`levels`: the step of each quasi-identifier; `steps`: what each of its values becomes. `left_out`: classes, as
    generalized, whose people are not in the release. `measures`: of those who are."""

    levels: Levels
    steps: tuple[Mapping[str, str], ...]
    left_out: frozenset[Quasi]
    suppressed: int
    people: int
    measures: Measures

    @property
    def suppressed_share(self) -> float:
        return self.suppressed / self.people if self.people else 0.0

    def place(self, quasi: Quasi) -> Quasi | None:
        """A person's quasi-identifiers as they leave; None for one who is left out."""
        to = tuple(step[value] for step, value in zip(self.steps, quasi, strict=True))
        return None if to in self.left_out else to


def generalize(
    classes: Classes,
    ladders: Sequence[Ladder],
    wanted: Anonymity,
    *,
    ordered: bool = False,
    levels: Levels | None = None,
) -> Plan:
    """The plan for these people. What the profile asks for may not be reachable: `measures` and `suppressed_share` say
    what was. Everybody left out is a plan, too. `levels`: the steps, where they are given."""
    search = _Search(classes, ladders, wanted, ordered=ordered)
    if levels is not None:
        return search.plan(search.lowered(levels))
    return search.plan(search.best() if search.combinations <= MOST_TRIED else search.nearly_best())


class _Search:
    def __init__(self, classes: Classes, ladders: Sequence[Ladder], wanted: Anonymity, *, ordered: bool) -> None:
        self._classes = classes
        self._wanted = wanted
        self._ordered = ordered
        self._people = classes.people
        values = [sorted({quasi[at] for quasi in classes.by_quasi}) for at in range(len(ladders))]
        self._ladders = [
            {value: ladder(value) for value in known} for ladder, known in zip(ladders, values, strict=True)
        ]
        self._heights = [min((len(steps) for steps in known.values()), default=1) - 1 for known in self._ladders]
        self._lost = [self._entropies(at) for at in range(len(ladders))]
        self._known: dict[Levels, int] = {}
        # What was merged already is not merged anew from every person's values.
        self._bottom: Levels = (0,) * len(ladders)
        self._base: tuple[Levels, Classes] = (self._bottom, classes.merged(self._steps(self._bottom)))

    @property
    def combinations(self) -> int:
        return prod(height + 1 for height in self._heights)

    def best(self) -> Levels:
        """Of all combinations; the most general one where none is good enough."""
        every = product(*(range(height + 1) for height in self._heights))
        least, found = inf, tuple(self._heights)
        for levels in sorted(every, key=lambda one: (self._loss_of_steps(one), one)):
            if self._loss_of_steps(levels) >= least:
                break  # whom it leaves out can only add to that
            if self._is_good(levels) and self._loss(levels) < least:
                least, found = self._loss(levels), levels
        return found

    def nearly_best(self) -> Levels:
        """Up by what a step gains for what it loses, until it is good; then down, and sidewards, while that loses
        less."""
        levels = self._bottom
        while not self._is_good(levels):
            above = self._neighbours(levels, 1)
            if not above:
                return levels
            self._base, left = (levels, self._merged(levels)), self._suppressed(levels)
            levels = max(above, key=lambda one: (self._gain(left, levels, one), one))
        self._base = (self._bottom, self._classes.merged(self._steps(self._bottom)))
        while True:
            below = self._neighbours(levels, -1)
            beside = [two for one in below for two in self._neighbours(one, 1) if two != levels]
            better = [
                one for one in (*below, *beside) if self._loss_of_steps(one) < self._loss(levels) and self._is_good(one)
            ]
            nearest = min(better, key=lambda one: (self._loss(one), one), default=levels)
            if self._loss(nearest) >= self._loss(levels):
                return levels
            levels = nearest

    def lowered(self, levels: Levels) -> Levels:
        """To where these values' ladders end."""
        return tuple(min(level, height) for level, height in zip(levels, self._heights, strict=True))

    def plan(self, levels: Levels) -> Plan:
        steps = self._steps(levels)
        merged = self._classes.merged(steps)
        left_out = self._violating(merged)
        kept = merged.without(left_out)
        return Plan(
            levels=levels,
            steps=steps,
            left_out=left_out,
            suppressed=self._people - kept.people,
            people=self._people,
            measures=kept.measure(shared_by=self._wanted.k, ordered=self._ordered),
        )

    def _neighbours(self, levels: Levels, by: int) -> list[Levels]:
        return [
            (*levels[:at], level + by, *levels[at + 1 :])
            for at, level in enumerate(levels)
            if 0 <= level + by <= self._heights[at]
        ]

    def _is_good(self, levels: Levels) -> bool:
        most = self._wanted.suppressed_most * self._people
        return (levels in self._known or self._too_few(levels) <= most) and self._suppressed(levels) <= most

    def _gain(self, left: int, low: Levels, high: Levels) -> float:
        return (left - self._suppressed(high)) / max(self._loss_of_steps(high) - self._loss_of_steps(low), 1e-9)

    def _loss(self, levels: Levels) -> float:
        left_out = self._suppressed(levels) / self._people if self._people else 0.0
        return self._loss_of_steps(levels) + left_out * len(levels)

    def _loss_of_steps(self, levels: Levels) -> float:
        return sum(lost[level] for lost, level in zip(self._lost, levels, strict=True))

    def _entropies(self, at: int) -> list[float]:
        """The share of a quasi-identifier's entropy that each of its steps loses; a step more, and a little more."""
        counts: Counter[str] = Counter()
        for quasi, one in self._classes.by_quasi.items():
            counts[quasi[at]] += one.people
        told = [self._entropy(counts, at, step) for step in range(self._heights[at] + 1)]
        return [(1 - one / told[0] if told[0] else 0.0) + 1e-6 * step for step, one in enumerate(told)]

    def _entropy(self, counts: Counter[str], at: int, step: int) -> float:
        merged: Counter[str] = Counter()
        for value, count in counts.items():
            merged[self._ladders[at][value][step]] += count
        return -sum(count / self._people * log2(count / self._people) for count in merged.values())

    def _steps(self, levels: Levels) -> tuple[dict[str, str], ...]:
        return tuple(
            {value: steps[level] for value, steps in known.items()}
            for known, level in zip(self._ladders, levels, strict=True)
        )

    def _merged(self, levels: Levels) -> Classes:
        return self._base[1].merged(self._climb(levels))

    def _climb(self, levels: Levels) -> list[dict[str, str]]:
        """From the base, none of whose steps is above these."""
        return [
            {steps[low]: steps[high] for steps in known.values()}
            for known, low, high in zip(self._ladders, self._base[0], levels, strict=True)
        ]

    def _too_few(self, levels: Levels) -> int:
        """People in classes of fewer than k: what is quickly known of those who must be left out."""
        climb = self._climb(levels)
        sizes: Counter[Quasi] = Counter()
        for quasi, one in self._base[1].by_quasi.items():
            sizes[tuple(step[value] for step, value in zip(climb, quasi, strict=True))] += one.people
        return sum(people for people in sizes.values() if people < self._wanted.k)

    def _suppressed(self, levels: Levels) -> int:
        found = self._known.get(levels)
        if found is None:
            merged = self._merged(levels)
            found = sum(merged.by_quasi[quasi].people for quasi in self._violating(merged))
            self._known[levels] = found
        return found

    def _violating(self, merged: Classes) -> frozenset[Quasi]:
        """Classes that must go. Taking some out changes what all are like, so it is looked again until none fails."""
        gone = frozenset(quasi for quasi, one in merged.by_quasi.items() if one.people < self._wanted.k)
        while True:
            kept = merged.without(gone)
            overall = kept.distribution(shared_by=self._wanted.k)
            failing = frozenset(quasi for quasi, one in kept.by_quasi.items() if self._fails(one, overall))
            if not failing:
                return gone
            gone |= failing

    def _fails(self, one: Class, overall: Counts) -> bool:
        """In any sensitive column."""
        return any(
            diversity < self._wanted.diversity or t > self._wanted.t
            for diversity, t in spreads(one, overall, ordered=self._ordered)
        )
