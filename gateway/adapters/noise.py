"""Noise of differential privacy for counts, histograms, sums and means of people; OpenDP draws it.

True here: two sets of people are neighbours if one has one person more (add or remove one). An answer is of integers
with discrete Laplace noise (OpenDP's `make_laplace`), and is pure epsilon-differentially private: OpenDP's own privacy
map says no more than what was claimed, or nothing is drawn. `epsilon` is an integer of millionths. No float takes part
in what is added up: a value becomes a whole number of steps, which are a power of two told from the bounds alone.
Public: epsilon, bounds, bins, the floor, and the steps. No error depends on anybody's value.
Not done here: budgets, and small counts that are not told (`gateway.releases.aggregate`). Randomness is OpenDP's own,
of OpenSSL, because its proofs are of its own sampling.
Sources: Dwork et al. 2006 (TCC), Calibrating Noise to Sensitivity; Ghosh et al. 2012, Universally Utility-Maximizing
Privacy Mechanisms; Mironov 2012, On Significance of the Least Significant Bits.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from opendp.core import measurement_invoke, measurement_map
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_laplace
from opendp.metrics import l1_distance
from opendp.mod import Measurement, OpenDPException, enable_features

from gateway.errors import CallerError, UpstreamError
from gateway.releases.aggregate import LARGEST, MILLION, K

STEPS: Final = 30
"""The bound that is further from 0 is 2^29 to 2^30 steps, so that sums of 2^33 people fit into 64 bits."""
_INTEGER: Final = "i64"
_UP: Final = 1 + 2.0**-50
"""So much wider is the noise, for the map to round up and still stay at the claim."""


def noised_count(count: int, *, epsilon: int) -> int:
    """People, less than none too. Spends `epsilon`: one person is 1 more or less. Raises CallerError for an epsilon
    below a millionth, and UpstreamError when no noise can be drawn; so do all here."""
    return _noised([count], sensitivity=1, epsilon=epsilon)[0]


def noised_histogram(counts: Sequence[int], *, epsilon: int) -> tuple[int, ...]:
    """People by bin, less than none too. Spends `epsilon` once for all bins: each person is in one of them, or in none,
    which is the caller's to hold. The bins are public, empty ones too."""
    return tuple(_noised(counts, sensitivity=1, epsilon=epsilon))


def noised_sum(values: Sequence[float | None], *, low: float, high: float, epsilon: int) -> float:
    """Of one value a person. Spends `epsilon`: one person is max(|low|, |high|) more or less.

    A value beyond a bound, an infinite one too, counts as that bound. None and NaN count as nothing: a refusal would
    tell of whose they are. Each value is rounded to a step, 2^-29 of the further bound at most. Raises CallerError
    unless -10^15 <= low < high <= 10^15.
    """
    inside = _clamped(values, low, high)
    shift = STEPS - math.frexp(max(abs(low), abs(high)))[1]
    sensitivity = max(abs(_steps(low, shift)), abs(_steps(high, shift)))
    exact = sum(_steps(value, shift) for value in inside)
    return math.ldexp(_noised([exact], sensitivity=sensitivity, epsilon=epsilon)[0], -shift)


def noised_mean(
    values: Sequence[float | None], *, low: float, high: float, epsilon: int, floor: int = K
) -> float | None:
    """Of one value a person, of those who have one; within the bounds. None where the noised count of them is below
    `floor` (1 at least), which is all that is told of the count.

    Spends `epsilon`: half for the sum of distances from the middle of the bounds, of which one person is half the width
    of the bounds more or less; half for the count. Values are read as `noised_sum` reads them. Raises CallerError for
    an epsilon below two millionths.
    """
    inside = _clamped(values, low, high)
    half, middle = epsilon // 2, (low + high) / 2
    reach = max(high - middle, middle - low)
    total = noised_sum([value - middle for value in inside], low=-reach, high=reach, epsilon=half)
    count = noised_count(len(inside), epsilon=epsilon - half)
    if count < max(floor, 1):
        return None
    return min(max(middle + total / count, low), high)


def _clamped(values: Iterable[float | None], low: float, high: float) -> list[float]:
    """Of those who have a value."""
    if not -LARGEST <= low < high <= LARGEST:
        raise CallerError("low must be less than high, and neither beyond 10^15", field=("low",))
    # Only NaN is not itself. `math.isnan` would not do: it raises for an integer beyond the doubles.
    return [min(max(value, low), high) for value in values if value is not None and value == value]


def _steps(value: float, shift: int) -> int:
    """Exact but for one rounding to the nearest step, which keeps order; so what is within the bounds stays so."""
    return round(math.ldexp(value, shift))


def _noised(exact: Sequence[int], *, sensitivity: int, epsilon: int) -> list[int]:
    """`sensitivity`: by how much one person moves all of `exact`, added up. What leaves 64 bits stops at their end."""
    if epsilon < 1:
        raise CallerError("a millionth at least", field=("epsilon",))
    try:
        drawn: list[int] = measurement_invoke(_mechanism(sensitivity, epsilon), list(exact))
    except OpenDPException as error:
        raise UpstreamError("no noise could be drawn") from error
    return drawn


def _mechanism(sensitivity: int, epsilon: int) -> Measurement:
    """New for each answer: OpenDP does not promise that threads may share one (its pull request 2450)."""
    # Functions whose proofs OpenDP's committee has not finished vetting; there is no Laplace noise without them.
    enable_features("contrib")
    space = vector_domain(atom_domain(T=_INTEGER)), l1_distance(T=_INTEGER)
    made = make_laplace(*space, scale=sensitivity * MILLION / epsilon * _UP)
    return _checked(made, sensitivity=sensitivity, epsilon=epsilon)


def _checked(mechanism: Measurement, *, sensitivity: int, epsilon: int) -> Measurement:
    """Raises AssertionError if one person makes more of a difference than is claimed, by OpenDP's own reckoning."""
    if Fraction(measurement_map(mechanism, sensitivity)) > Fraction(epsilon, MILLION):
        raise AssertionError(f"a mechanism spends more than the {epsilon} millionths that it claims")
    return mechanism
