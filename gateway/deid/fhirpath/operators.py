"""Operators: three-valued logic, equality, order and arithmetic (https://hl7.org/fhirpath/N1/#operations).

True here: an empty operand makes an empty result, but where FHIRPath's truth tables decide without it. Numbers are
compared and reckoned as decimals, read from their shortest text, so that 0.1 + 0.2 is 0.3. A Boolean is no number.
A text is compared as a date or time when the other side is one by its type, or when both are written as one and their
order is asked.
Not done here: structures (an element with elements) are neither equal nor unequal; UnfitError says so.
"""

import decimal
import operator
from collections.abc import Callable
from decimal import Decimal

from gateway.deid.fhirpath import moments
from gateway.deid.fhirpath.names import MOMENTS
from gateway.deid.fhirpath.parts import MAX_TEXT, Flaw, Part, Tree, UnfitError, computed, truth

DECIMAL128 = decimal.Context(prec=34, traps=[])
"""IEEE 754 decimal128's precision; what overflows is no number, and therefore empty."""
_LARGEST = 2**63 - 1
_EXPONENTS = range(-300, 301)
_NUMBERS = (int, float, Decimal)


def exact(value: int | float | Decimal) -> Decimal | None:
    """A number of JSON as the decimal that its text says; None for what is no finite number."""
    number = Decimal(repr(value)) if type(value) is float else Decimal(value)
    return number if number.is_finite() else None


def conjunction(left: Part, right: Part) -> Part:
    """`left and right`: false when one is false, whatever the other."""
    first, second = left.run, right.run

    def run(node: Tree, row: int) -> list[Tree]:
        one = truth(first(node, row))
        if one is False:
            return [False]
        other = truth(second(node, row))
        if other is False:
            return [False]
        return [] if one is None or other is None else [True]

    return computed(run, left.consumed | right.consumed, kind="boolean")


def disjunction(left: Part, right: Part) -> Part:
    """`left or right`: true when one is true, whatever the other."""
    first, second = left.run, right.run

    def run(node: Tree, row: int) -> list[Tree]:
        one = truth(first(node, row))
        if one:
            return [True]
        other = truth(second(node, row))
        if other:
            return [True]
        return [] if one is None or other is None else [False]

    return computed(run, left.consumed | right.consumed, kind="boolean")


def equality(left: Part, right: Part, *, negated: bool) -> Part:
    """`left = right` or `left != right`: all items in their order."""
    first, second, is_moment = left.run, right.run, _is_moment(left, right)

    def run(node: Tree, row: int) -> list[Tree]:
        ones = first(node, row)
        others = second(node, row) if ones else ones
        if not ones or not others:
            return []
        if len(ones) != len(others):
            return [negated]
        answers = [_equal(one, other, is_moment=is_moment) for one, other in zip(ones, others, strict=True)]
        if False in answers:
            return [negated]
        return [] if None in answers else [not negated]

    return computed(run, left.consumed | right.consumed, kind="boolean")


def _equal(one: Tree, other: Tree, *, is_moment: bool) -> bool | None:
    first, second = type(one), type(other)
    if first in (dict, list) or second in (dict, list):
        raise UnfitError(Flaw.NOT_PRIMITIVE)
    if first is str and second is str:
        if not is_moment or one == other:
            return bool(one == other)
        order = moments.compare(one, other)
        return None if order is None else order == 0
    if first in _NUMBERS and second in _NUMBERS:
        left, right = exact(one), exact(other)
        return None if left is None or right is None else left == right
    return first is second and bool(one == other)


def _is_moment(left: Part, right: Part) -> bool:
    return left.kind in MOMENTS or right.kind in MOMENTS


ORDERS: dict[str, Callable[[Tree, Tree], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def order(left: Part, right: Part, sign: str) -> Part:
    """`left < right` and the like, of one item each."""
    first, second, is_moment, holds = left.run, right.run, _is_moment(left, right), ORDERS[sign]

    def run(node: Tree, row: int) -> list[Tree]:
        pair = _one_each(first(node, row), second(node, row))
        if pair is None:
            return []
        one, other = pair
        if type(one) is str and type(other) is str:
            return _ordered_texts(one, other, is_moment=is_moment, holds=holds)
        if type(one) in _NUMBERS and type(other) in _NUMBERS:
            lesser, greater = exact(one), exact(other)
            return [] if lesser is None or greater is None else [holds(lesser, greater)]
        raise UnfitError(Flaw.NOT_COMPARABLE)

    return computed(run, left.consumed | right.consumed, kind="boolean")


def _ordered_texts(one: str, other: str, *, is_moment: bool, holds: Callable[[Tree, Tree], bool]) -> list[Tree]:
    if is_moment or (moments.parse(one) and moments.parse(other)):
        sign = moments.compare(one, other)
        return [] if sign is None else [holds(sign, 0)]
    return [holds(one, other)]


def _one_each(ones: list[Tree], others: list[Tree]) -> tuple[Tree, Tree] | None:
    if len(ones) > 1 or len(others) > 1:
        raise UnfitError(Flaw.MANY_VALUES)
    return (ones[0], others[0]) if ones and others else None


_ON_DECIMALS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": DECIMAL128.add, "-": DECIMAL128.subtract, "*": DECIMAL128.multiply, "/": DECIMAL128.divide,
}  # fmt: skip
_ON_INTEGERS: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def arithmetic(left: Part, right: Part, sign: str) -> Part:
    """`left + right` and the like, of one item each. Texts can be added. What overflows, or divides by 0, is empty."""
    first, second = left.run, right.run

    def run(node: Tree, row: int) -> list[Tree]:
        pair = _one_each(first(node, row), second(node, row))
        if pair is None:
            return []
        one, other = pair
        if type(one) in _NUMBERS and type(other) in _NUMBERS:
            return _reckoned(one, other, sign)
        if sign == "+" and type(one) is str and type(other) is str:
            if len(one) + len(other) > MAX_TEXT:
                raise UnfitError(Flaw.TOO_LARGE)
            return [one + other]
        raise UnfitError(Flaw.OTHER_TYPE)

    return computed(run, left.consumed | right.consumed, kind=None)


def _reckoned(one: int | float | Decimal, other: int | float | Decimal, sign: str) -> list[Tree]:
    if isinstance(one, int) and isinstance(other, int) and sign in _ON_INTEGERS:
        whole = _ON_INTEGERS[sign](one, other)
        return [whole] if -_LARGEST <= whole <= _LARGEST else []
    left, right = exact(one), exact(other)
    if left is None or right is None:
        return []
    result = _ON_DECIMALS[sign](left, right)
    return [result] if result.is_finite() and result.adjusted() in _EXPONENTS else []
