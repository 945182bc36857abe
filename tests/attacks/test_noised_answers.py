"""Differential privacy, measured: the same question is asked of two sets of people who differ by one, again and again,
and what their answers tell apart is no more than epsilon claims. With half the noise it is more, and is found.

The attacker knows everybody but one, and tries both sides of many thresholds, which are chosen by a tenth of the
answers and tried on the others. Clopper-Pearson at 99.9 % for either share, all thresholds together; a right mechanism
fails far less often than that, because both shares must be off at once.
Source: Jagielski et al. 2020, Auditing Differentially Private Machine Learning, section 3.
"""

import math
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

import pytest

from gateway.adapters import noise
from gateway.adapters.noise import noised_count, noised_histogram, noised_mean, noised_sum

CLAIM = 1_000_000
"""Millionths: epsilon is 1."""
RUNS, FEWER = 6_000, 3_000
"""Answers of either set; of a mechanism that is far off, fewer will do."""
ERROR = 0.001
LOW, HIGH = 40.0, 200.0
BEYOND = 1e9
"""What the one person has; it counts as the upper bound."""
Answer: TypeAlias = Callable[[int, int], float]
"""With so many people more (0 or 1), for an epsilon."""


def count(more: int, epsilon: int) -> float:
    return noised_count(20 + more, epsilon=epsilon)


def histogram(more: int, epsilon: int) -> float:
    return noised_histogram([5, 20 + more, 0], epsilon=epsilon)[1]


def total(more: int, epsilon: int) -> float:
    return noised_sum([50.0, 61.7, *[BEYOND] * more], low=LOW, high=HIGH, epsilon=epsilon)


def mean(more: int, epsilon: int) -> float:
    """Nobody, or one: so that both the sum and the count tell of them. Nothing told is an answer too."""
    found = noised_mean([BEYOND] * more, low=LOW, high=HIGH, epsilon=epsilon, floor=1)
    return -math.inf if found is None else found


ANSWERS: tuple[Answer, ...] = (count, histogram, total, mean)


@pytest.fixture
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very mechanism, made once for each epsilon; and OpenDP, which looks for numpy at each answer, finds none."""
    monkeypatch.setattr(noise, "_mechanism", cache(noise._mechanism))
    monkeypatch.setitem(sys.modules, "numpy", None)


@pytest.mark.usefixtures("_fast")
@pytest.mark.parametrize("answer", ANSWERS)
def test_two_sets_that_differ_by_one_person_are_told_apart_by_no_more_than_the_claim(answer: Answer) -> None:
    found = audited(answer, CLAIM, runs=RUNS)
    print(f"{answer.__name__}: at least {found:.3f} of {CLAIM / 1e6}")
    assert 0.5 < found <= CLAIM / 1e6


@pytest.mark.usefixtures("_fast")
@pytest.mark.parametrize("answer", ANSWERS)
def test_half_the_noise_is_found(answer: Answer) -> None:
    found = audited(answer, 2 * CLAIM, runs=FEWER)
    print(f"{answer.__name__} with half the noise: at least {found:.3f} of {CLAIM / 1e6}")
    assert found > CLAIM / 1e6


@pytest.mark.usefixtures("_fast")
def test_a_sum_that_is_not_bounded_is_found() -> None:
    def unbounded(more: int, epsilon: int) -> float:
        return total(0, epsilon) + 2 * HIGH * more

    assert audited(unbounded, CLAIM, runs=FEWER) > CLAIM / 1e6


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.2, 0.3] * 7, [1 / 3] * 5, [5e-324, 0.7]])
def test_the_last_digits_of_a_sum_tell_nothing(values: list[float]) -> None:
    """Every answer is a whole number of the same steps, whoever is in it."""
    found = noised_sum(values, low=0, high=1, epsilon=100_000)
    assert math.ldexp(found, 29).is_integer()


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 10**400])
def test_nobodys_value_makes_an_answer_fail(value: Any) -> None:
    """A refusal would tell of one person for certain."""
    for others in ([], [50.0] * 30):
        noised_sum([*others, value], low=LOW, high=HIGH, epsilon=100_000)
        noised_mean([*others, value], low=LOW, high=HIGH, epsilon=100_000)


def test_the_audits_own_bound_is_exact() -> None:
    assert share_at_least(10, 10, ERROR) == pytest.approx(ERROR ** (1 / 10))
    assert share_at_least(1, 10, ERROR) == pytest.approx(1 - (1 - ERROR) ** (1 / 10))
    assert share_at_least(0, 10, ERROR) == 0


# The audit


def audited(answer: Answer, epsilon: int, *, runs: int) -> float:
    """The lower bound of the epsilon that the answers show: of the event that tells most, and right for every one."""
    without, with_one = ([answer(more, epsilon) for _ in range(runs)] for more in (0, 1))
    looked = runs // 10
    events = tried(without[:looked] + with_one[:looked])
    found = [
        (hits(first[looked:], sign, threshold), hits(second[looked:], sign, threshold))
        for first, second in ((with_one, without), (without, with_one))
        for sign, threshold in events
    ]
    one, other = max(found, key=promise)
    among, error = runs - looked, ERROR / len(found)
    least, most = share_at_least(one, among, error), 1 - share_at_least(among - other, among, error)
    return math.log(least / most) if least else -math.inf


def tried(answers: Sequence[float]) -> list[tuple[int, float]]:
    """The side of a threshold, and the threshold: such that neither side is rare."""
    ordered = sorted(answers)
    thresholds = {ordered[len(ordered) * at // 20] for at in range(1, 20)}
    return [(sign, threshold) for threshold in thresholds for sign in (1, -1)]


def promise(found: tuple[int, int]) -> float:
    """About the bound that `audited` will reckon."""
    one, other = found[0] + 1, found[1] + 1
    return math.log(one / other) - 4 * (1 / math.sqrt(one) + 1 / math.sqrt(other))


def hits(answers: Sequence[float], sign: int, threshold: float) -> int:
    return sum(sign * one >= sign * threshold for one in answers)


def share_at_least(found: int, among: int, error: float) -> float:
    """Clopper-Pearson: the least share of which so many are found more often than in `error` of all samples."""
    if not found:
        return 0.0
    low, high = 0.0, found / among
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(found, among, middle) < error else (low, middle)
    return low


def tail(found: int, among: int, share: float) -> float:
    """Of a binomial distribution: that many, or more."""
    logs = math.log(share), math.log1p(-share)
    whole = math.lgamma(among + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(at + 1) - math.lgamma(among - at + 1) + at * logs[0] + (among - at) * logs[1])
        for at in range(found, among + 1)
    )
