"""IBM System/370 doubles: known patterns, and nothing lost either way."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CallerError
from gateway.trials.tabulation.model import Cell, Missing
from gateway.trials.tabulation.xpt.numbers import bits_of, cell_of

KNOWN = [
    ("4110000000000000", 1.0),
    ("C276A00000000000", -118.625),
    ("4264000000000000", 100.0),
    ("401999999999999A", 0.1),
    ("3F28F5C28F5C28F6", 0.01),
    ("4E20000000000000", 2.0**53),
    ("0000000000000000", 0.0),
    ("2E00000000000000", None),
    ("4100000000000000", Missing.A),
    ("5A00000000000000", Missing.Z),
    ("5F00000000000000", Missing.UNDERSCORE),
]
"""-118.625 is Wikipedia's example ("IBM hexadecimal floating-point"), 1 and 100 are TS-140's, the missing ones too."""


@pytest.mark.parametrize(("octets", "cell"), KNOWN)
def test_a_known_pattern_is_read(octets: str, cell: Cell) -> None:
    assert cell_of(int(octets, 16)) == cell


@pytest.mark.parametrize(("octets", "cell"), KNOWN)
def test_a_known_number_is_written(octets: str, cell: Cell) -> None:
    assert f"{bits_of(cell):016X}" == octets


NORMALIZED = st.builds(
    lambda sign, exponent, fraction: sign << 63 | exponent << 56 | fraction,
    st.integers(0, 1), st.integers(0, 127), st.integers(1 << 52, (1 << 56) - 1),
)  # fmt: skip


@given(NORMALIZED)
def test_every_normalized_pattern_comes_back(bits: int) -> None:
    assert bits_of(cell_of(bits)) == bits


@given(NORMALIZED)
def test_a_pattern_is_worth_what_the_format_says(bits: int) -> None:
    cell = cell_of(bits)
    assert isinstance(cell, float | Decimal)
    numerator, denominator = cell.as_integer_ratio()
    power = 4 * ((bits >> 56 & 127) - 64) - 56
    sign = -1 if bits >> 63 else 1
    fraction = sign * (bits & (1 << 56) - 1)
    assert numerator * 2 ** max(-power, 0) == fraction * 2 ** max(power, 0) * denominator


@given(st.floats(min_value=1e-70, max_value=1e70) | st.floats(min_value=-1e70, max_value=-1e-70))
def test_every_double_within_range_comes_back(number: float) -> None:
    assert cell_of(bits_of(number)) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value="-99999", max_value="99999", places=4))
def test_a_decimal_of_few_digits_is_its_double(number: Decimal) -> None:
    assert cell_of(bits_of(number)) == float(number)


def test_an_exponent_without_a_fraction_is_no_number() -> None:
    with pytest.raises(CallerError, match="neither a number nor a missing value"):
        cell_of(0x4000000000000000)
