"""Noised answers: what is added up before the noise, what is refused, and how much noise there is."""

import math
from fractions import Fraction
from itertools import product
from statistics import pvariance
from typing import Any, NoReturn

import pytest
from opendp.core import measurement_map
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_laplace
from opendp.metrics import l1_distance
from opendp.mod import OpenDPException

from gateway.adapters import noise
from gateway.adapters.noise import noised_count, noised_histogram, noised_mean, noised_sum
from gateway.errors import CallerError, UpstreamError

SURE = 10**20
"""Millionths of epsilon: noise is by another step than none less often than once in e^90,000."""
NAN, INF = math.nan, math.inf


def summed(*values: Any, low: float = 0, high: float = 8) -> float:
    return noised_sum(values, low=low, high=high, epsilon=SURE)


def averaged(*values: Any, low: float = 0, high: float = 8, floor: int = 1) -> float | None:
    found = noised_mean(values, low=low, high=high, epsilon=SURE, floor=floor)
    return found if found is None else round(found, 6)


def test_without_noise_a_count_is_the_count() -> None:
    assert noised_count(7, epsilon=SURE) == 7
    assert noised_histogram([3, 0, 12], epsilon=SURE) == (3, 0, 12)
    assert noised_histogram([], epsilon=SURE) == ()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), 0),
        ((1, 2.5, 0.125), 3.625),
        ((9, -1, 1e308, 10**400), 24),
        ((INF, -INF, 1), 9),
        ((None, NAN, 1), 1),
    ],
)
def test_a_sum_is_of_bounded_values_of_those_who_have_one(values: tuple[Any, ...], expected: float) -> None:
    assert summed(*values) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-8, -2, -10), (-9, 1e6, -1), (-1e15, 1e15, -1), (0, 1e-300, 1e-300), (5e-324, 1e-323, 1.5e-323)],
)
def test_bounds_may_be_anywhere(low: float, high: float, expected: float) -> None:
    step = max(abs(low), abs(high)) / 2**29
    assert summed(-8, 7, low=low, high=high) == pytest.approx(expected, rel=0, abs=step)


def test_a_sum_of_many_is_exact_to_a_step() -> None:
    assert noised_sum([0.1] * 100_000, low=0, high=1, epsilon=SURE) == pytest.approx(10_000, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [((1, 2, 6), 3), ((1, None, NAN, 3), 2), ((INF, 100), 8), ((-INF, 100), 4), ((), None), ((None, NAN), None)],
)
def test_a_mean_is_of_those_who_have_a_value(values: tuple[Any, ...], expected: float | None) -> None:
    assert averaged(*values) == expected


def test_a_mean_of_fewer_than_the_floor_is_not_told() -> None:
    assert averaged(*[2] * 10, floor=11) is None
    assert averaged(*[2] * 11, floor=11) == 2
    assert noised_mean([2] * 10, low=0, high=8, epsilon=SURE) is None
    assert averaged(floor=0) is None


def test_a_mean_stays_within_its_bounds() -> None:
    found = [noised_mean([8.0], low=0, high=8, epsilon=2_000, floor=1) for _ in range(50)]
    assert all(one is None or 0 <= one <= 8 for one in found)


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (2, 1), (NAN, 1), (0, NAN), (0, INF), (-INF, 0), (0, 1.1e15), (-1.1e15, 0)]
)
def test_other_bounds_are_refused(low: float, high: float) -> None:
    for answer in (noised_sum, noised_mean):
        with pytest.raises(CallerError) as refused:
            answer([1], low=low, high=high, epsilon=1_000)
        assert refused.value.field == ("low",)


def test_nothing_is_answered_for_no_epsilon() -> None:
    for epsilon in (0, -1):
        with pytest.raises(CallerError):
            noised_count(1, epsilon=epsilon)
        with pytest.raises(CallerError):
            noised_histogram([1], epsilon=epsilon)
        with pytest.raises(CallerError):
            noised_sum([1], low=0, high=1, epsilon=epsilon)
    with pytest.raises(CallerError) as refused:
        noised_mean([1], low=0, high=1, epsilon=1)
    assert refused.value.field == ("epsilon",)


@pytest.mark.parametrize(
    ("sensitivity", "epsilon"), [*product((1, 2**29 + 1, 2**30), (1, 3, 99_999, 100_000, 333_333, 1_000_000))]
)
def test_opendps_own_map_says_the_claim_and_hardly_less(sensitivity: int, epsilon: int) -> None:
    spent = Fraction(measurement_map(noise._mechanism(sensitivity, epsilon), sensitivity))
    claim = Fraction(epsilon, 1_000_000)
    assert claim * (1 - Fraction(1, 10**12)) < spent <= claim


@pytest.mark.parametrize("scale", [1.0, 1.999999])
def test_a_mechanism_that_spends_more_than_it_claims_is_not_used(scale: float) -> None:
    weak = make_laplace(vector_domain(atom_domain(T="i64")), l1_distance(T="i64"), scale=scale)
    with pytest.raises(AssertionError):
        noise._checked(weak, sensitivity=1, epsilon=500_000)


def test_noise_is_as_wide_as_the_claim_asks_and_no_wider() -> None:
    alpha = math.exp(-0.5)
    found = noised_histogram([100] * 40_000, epsilon=500_000)
    assert pvariance(found) == pytest.approx(2 * alpha / (1 - alpha) ** 2, rel=0.1)
    assert sum(found) / len(found) == pytest.approx(100, abs=0.1)


def test_a_failure_of_opendp_is_of_something_that_we_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> NoReturn:
        raise OpenDPException("FailedFunction", "17 people")

    monkeypatch.setattr(noise, "measurement_invoke", fails)
    with pytest.raises(UpstreamError) as failed:
        noised_count(17, epsilon=1_000)
    assert "17" not in str(failed.value)
