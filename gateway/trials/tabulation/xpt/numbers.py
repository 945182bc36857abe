"""Numbers of a transport file: IBM System/370 doubles, exactly.

True here: a sign, an exponent of 16 and 56 bits of fraction, and nothing is rounded either way. What a Python float
cannot hold (more than 53 bits) is a Decimal; what 56 bits cannot hold is refused. Each normalized pattern comes back as
it was; of one that is not normalized (SAS writes none) the value does. The missing ones are no numbers: `.` is None.
Sources: SAS TS-140, "Numeric variables"; IBM GA22-7000 (System/370 Principles of Operation), chapter 9.
"""

from decimal import Decimal
from fractions import Fraction
from math import frexp, ldexp
from typing import Final

from gateway.errors import CallerError
from gateway.trials.tabulation.model import Cell, Missing

_SIGN: Final = 1 << 63
_BITS: Final = 56
_FRACTION: Final = (1 << _BITS) - 1
_EXACT: Final = 1 << 53
_PLAIN: Final = ord(".") << _BITS
_MISSING: Final = {ord("_" if one is Missing.UNDERSCORE else one.name) << _BITS: one for one in Missing}
_TAGS: Final = {one: bits for bits, one in _MISSING.items()}


def cell_of(bits: int) -> Cell:
    """The number whose eight octets are `bits`, big-endian. Raises CallerError for an exponent without a fraction that
    stands for no missing value."""
    fraction = bits & _FRACTION
    if not fraction:
        return _without_fraction(bits)
    power = (((bits >> _BITS) & 0x7F) - 64) * 4 - _BITS
    negative = bits & _SIGN
    odd = fraction >> _zeros(fraction)
    if odd < _EXACT:
        return -ldexp(fraction, power) if negative else ldexp(fraction, power)
    digits = fraction << power if power >= 0 else fraction * 5**-power
    return Decimal((1 if negative else 0, tuple(map(int, str(digits))), min(power, 0)))


def bits_of(cell: object) -> int:
    """The eight octets of a number or of a missing one. Raises CallerError, which names no value, for what they cannot
    hold exactly. A decimal that is the shortest text of a double is that double: `25.1` is what SAS makes of it."""
    if cell is None:
        return _PLAIN
    if isinstance(cell, float):
        return _of_double(cell)
    if isinstance(cell, Missing):
        return _TAGS[cell]
    if isinstance(cell, bool) or not isinstance(cell, int | Decimal):
        raise CallerError("not a number")
    return _of_exact(cell)


def _without_fraction(bits: int) -> Cell:
    if bits == 0:
        return 0.0
    if bits == _PLAIN:
        return None
    if bits == _SIGN:
        return -0.0
    if bits in _MISSING:
        return _MISSING[bits]
    raise CallerError("neither a number nor a missing value")


def _of_double(value: float) -> int:
    if value - value != 0.0:
        raise CallerError("not a finite number")
    mantissa, exponent = frexp(value)
    sign = _SIGN if str(mantissa)[0] == "-" else 0
    if not mantissa:
        return sign
    sixteens = -(-exponent // 4)
    return sign | _exponent(sixteens) | int(ldexp(abs(mantissa), 53)) << (3 - (4 * sixteens - exponent))


def _of_exact(value: int | Decimal) -> int:
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) < 100):
        raise CallerError("beyond the numbers of a transport file")
    exact = Fraction(value)
    nearest = float(exact) if abs(exact) < 10**80 else 0.0
    if exact == nearest or (isinstance(value, Decimal) and Decimal(repr(nearest)) == value):
        return _of_double(nearest)
    powers = exact.denominator.bit_length() - 1
    if exact.denominator != 1 << powers:
        raise CallerError("has more digits than a transport file holds; round it first")
    size = abs(exact.numerator)
    sixteens = -(-(size.bit_length() - powers) // 4)
    shift = _BITS - 4 * sixteens - powers
    fraction = size << shift if shift >= 0 else size >> -shift
    if shift < 0 and fraction << -shift != size:
        raise CallerError("has more digits than a transport file holds; round it first")
    return (_SIGN if exact < 0 else 0) | _exponent(sixteens) | fraction


def _exponent(sixteens: int) -> int:
    if not -64 <= sixteens <= 63:
        raise CallerError("beyond the numbers of a transport file")
    return (sixteens + 64) << _BITS


def _zeros(value: int) -> int:
    """Bits that are zero at the end of a number."""
    return (value & -value).bit_length() - 1
