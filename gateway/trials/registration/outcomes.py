"""Outcomes side by side: of each that was promised what became of it, and what is new.

    1. same     measure and time frame are the same words: paired, those of one kind and description first
    2. best     of the rest, those that are alike enough, in the pairing of the greatest weight: as many as can be with
                the same measure; then by measure, time frame, description, and kind, in this order of weight

Alike enough: measures of 600 thousandths or more (`words.similarity`); or of 250, where descriptions have 900.
True here: pure and deterministic; every outcome of either list is in one pair. What is a difference is a difference of
words, told by its member: whether it matters is for a reader to say. Works between a protocol version and the next, and
between a protocol version and reported results.
Not done here: telling a shortened measure from another one. Of a measure at several time frames, one dropped and one
added are told as a time frame that changed: side by side, both can be read.
Source: COMPare (Goldacre et al. 2019, Trials 20:118); CONSORT 2010, items 6a and 6b.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.errors import LimitError
from gateway.trials.registration.model import MOST_OUTCOMES, Outcome, OutcomeKind
from gateway.trials.registration.pairing import best_pairs
from gateway.trials.registration.words import WHOLE, counted, similarity, time_words, words

ALIKE: Final = 600
HARDLY_ALIKE: Final = 250
ALIKE_DESCRIPTIONS: Final = 900
_SAME_MEASURE: Final = 10**8
"""Outweighs every other consideration of all pairs together."""
_KINDS: Final = tuple(OutcomeKind)


class Change(StrEnum):
    """`PROMOTED`: weightier than promised (secondary -> primary); `REWORDED`: other words of measure or description."""

    KEPT = "KEPT"
    PROMOTED = "PROMOTED"
    DEMOTED = "DEMOTED"
    REWORDED = "REWORDED"
    TIME_FRAME_CHANGED = "TIME_FRAME_CHANGED"
    DROPPED = "DROPPED"
    ADDED = "ADDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One line of a comparison. `changes`: KEPT, DROPPED or ADDED alone; or all others that apply, in their order.
    `differing`: members that are not the same words: kind, measure, description, timeFrame. `likeness`: of the
    measures, in thousandths; None where there is one side alone."""

    promised: Outcome | None
    reported: Outcome | None
    changes: tuple[Change, ...]
    differing: tuple[str, ...]
    likeness: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """In the order of what was promised; then what was added, in the order of what was reported."""

    pairs: tuple[Pair, ...]

    @property
    def counts(self) -> Counter[Change]:
        """How many pairs have each change."""
        return Counter(change for pair in self.pairs for change in pair.changes)


def compare(promised: Sequence[Outcome], reported: Sequence[Outcome]) -> Comparison:
    """Raises LimitError for more than `MOST_OUTCOMES` on a side."""
    for name, listed in (("promised", promised), ("reported", reported)):
        if len(listed) > MOST_OUTCOMES:
            raise LimitError(f"has more than {MOST_OUTCOMES} outcomes", field=(name,))
    ones, others = [_Read(one) for one in promised], [_Read(one) for one in reported]
    partners = _paired(ones, others)
    taken = set(partners.values())
    pairs = [_pair(one, others[partners[at]]) if at in partners else _alone(one.outcome) for at, one in enumerate(ones)]
    pairs.extend(_added(other.outcome) for at, other in enumerate(others) if at not in taken)
    return Comparison(pairs=tuple(pairs))


class _Read:
    """An outcome and its words."""

    __slots__ = ("description", "measure", "outcome", "some_description", "some_measure", "some_time", "time")

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.measure, self.time = words(outcome.measure), time_words(outcome.time_frame)
        self.description = words(outcome.description)
        self.some_measure, self.some_time = counted(self.measure), counted(self.time)
        self.some_description = counted(self.description)


_KEYS: Final[tuple[Callable[[_Read], Hashable], ...]] = (
    lambda one: (one.measure, one.time, one.outcome.kind, one.description),
    lambda one: (one.measure, one.time, one.outcome.kind),
    lambda one: (one.measure, one.time),
)


def _paired(ones: list[_Read], others: list[_Read]) -> dict[int, int]:
    """Place among those promised -> place among those reported."""
    found: dict[int, int] = {}
    left, right = list(range(len(ones))), list(range(len(others)))
    for key in _KEYS:
        waiting: dict[Hashable, list[int]] = {}
        for at in reversed(right):
            waiting.setdefault(key(others[at]), []).append(at)
        for at in left:
            same = waiting.get(key(ones[at]))
            if same:
                found[at] = same.pop()
        taken = set(found.values())
        left, right = [at for at in left if at not in found], [at for at in right if at not in taken]
    weights = [
        {
            column: weight * MOST_OUTCOMES - abs(row - column)
            for column, to in enumerate(right)
            if (weight := _weight(ones[at], others[to])) > 0
        }
        for row, at in enumerate(left)
    ]
    return found | {left[row]: right[column] for row, column in best_pairs(weights).items()}


def _weight(one: _Read, other: _Read) -> int:
    """0 for what may not be paired."""
    measure = similarity(one.some_measure, other.some_measure)
    if measure < HARDLY_ALIKE:
        return 0
    described = bool(one.description and other.description)
    description = similarity(one.some_description, other.some_description) if described else 0
    if measure < ALIKE and description < ALIKE_DESCRIPTIONS:
        return 0
    same = _SAME_MEASURE if one.measure == other.measure else 0
    kind = WHOLE if one.outcome.kind is other.outcome.kind else 0
    return same + 40 * measure + 20 * similarity(one.some_time, other.some_time) + 10 * description + kind


def _pair(one: _Read, other: _Read) -> Pair:
    promised, reported = one.outcome, other.outcome
    moved = _KINDS.index(reported.kind) - _KINDS.index(promised.kind)
    differing = {
        "kind": moved != 0,
        "measure": one.measure != other.measure,
        "description": one.description != other.description,
        "timeFrame": one.time != other.time,
    }
    found = {
        Change.PROMOTED: moved < 0,
        Change.DEMOTED: moved > 0,
        Change.REWORDED: differing["measure"] or differing["description"],
        Change.TIME_FRAME_CHANGED: differing["timeFrame"],
    }
    return Pair(
        promised=promised,
        reported=reported,
        changes=tuple(change for change, is_so in found.items() if is_so) or (Change.KEPT,),
        differing=tuple(name for name, is_so in differing.items() if is_so),
        likeness=similarity(one.some_measure, other.some_measure),
    )


def _alone(promised: Outcome) -> Pair:
    return Pair(promised=promised, reported=None, changes=(Change.DROPPED,), differing=(), likeness=None)


def _added(reported: Outcome) -> Pair:
    return Pair(promised=None, reported=reported, changes=(Change.ADDED,), differing=(), likeness=None)
