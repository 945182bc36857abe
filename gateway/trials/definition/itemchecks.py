"""What the definition of an item says to one value: type, length, digits, codes, unit, ranges.

True here: a number's length counts its digits, not its sign or point, as ODM 1.3.2 has it (ODM 2.0 counts characters);
digits behind the point are a soft question, because ODM lets them be rounded. A value that is not of its type is
checked no further.
Source: ODM 1.3.2, ItemDef (Length, SignificantDigits) and RangeCheck.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

from gateway.errors import CallerError
from gateway.trials.definition.expressions import Answered, NotRun
from gateway.trials.definition.findings import Flaw, Rule, Weight
from gateway.trials.definition.forms import CapturedItem
from gateway.trials.definition.items import Comparator, DataType, Hardness, ItemDef, RangeCheck
from gateway.trials.definition.references import Directory
from gateway.trials.definition.texts import Expression, said
from gateway.trials.definition.values import NUMBERS, TEXTS, TypedValue, Value, compare, typed, typed_as

Run = Callable[[Sequence[Expression]], Answered | NotRun]
_HOLDS: Final[Mapping[Comparator, Callable[[int], bool]]] = {
    Comparator.LT: lambda sign: sign < 0,
    Comparator.LE: lambda sign: sign <= 0,
    Comparator.GT: lambda sign: sign > 0,
    Comparator.GE: lambda sign: sign >= 0,
    Comparator.EQ: lambda sign: sign == 0,
    Comparator.NE: lambda sign: sign != 0,
}
_EQUALITIES: Final = (Comparator.EQ, Comparator.NE, Comparator.IN, Comparator.NOTIN)
_WORDS: Final = {
    Comparator.LT: "must be less than",
    Comparator.LE: "must be at most",
    Comparator.GT: "must be more than",
    Comparator.GE: "must be at least",
    Comparator.EQ: "must be",
    Comparator.NE: "must not be",
    Comparator.IN: "must be one of",
    Comparator.NOTIN: "must be none of",
}


def check_item(
    item: ItemDef,
    captured: CapturedItem,
    beside: Mapping[str, CapturedItem],
    *,
    found: Directory,
    run: Run,
    language: str,
) -> Iterator[Flaw]:
    """Of an item that has a text. `beside`: the items of its group. `run`: its formal expressions."""
    yield from _unit(item, captured)
    try:
        value = typed(captured.text or "", item)
    except CallerError as error:
        yield Flaw(rule=Rule.TYPE, weight=Weight.HARD, message=error.message)
        return
    yield from _size(item, value)
    yield from _codes(item, value, found)
    for check in item.checks:
        flaw = _range(check, item, captured, beside, found=found, run=run, language=language)
        if flaw is not None:
            yield flaw


def _unit(item: ItemDef, captured: CapturedItem) -> Iterator[Flaw]:
    if captured.unit is not None and captured.unit not in item.units:
        yield Flaw(rule=Rule.UNIT, weight=Weight.HARD, message="is in a unit that the item does not have")
    elif captured.unit is None and len(item.units) > 1:
        yield Flaw(rule=Rule.UNIT, weight=Weight.HARD, message="does not say in which of its units it is")


def _size(item: ItemDef, value: TypedValue) -> Iterator[Flaw]:
    number = value.value
    if item.length is not None and item.data_type in TEXTS and len(value.text) > item.length:
        yield Flaw(rule=Rule.LENGTH, weight=Weight.HARD, message=f"has more than {item.length} characters")
    if item.data_type not in NUMBERS or not isinstance(number, int | Decimal) or not Decimal(number).is_finite():
        return
    exact = abs(Decimal(number))
    whole = len(str(int(exact))) if exact.adjusted() < 100 else exact.adjusted() + 1
    behind = _digits_behind(exact)
    if item.length is not None:
        before = item.length - (item.digits or 0)
        given = whole if item.digits is not None or item.data_type is DataType.INTEGER else whole + behind
        if given > max(before, 1):
            yield Flaw(rule=Rule.LENGTH, weight=Weight.HARD, message=f"has more than {item.length} digits")
    if item.digits is not None and behind > item.digits:
        message = f"has more than {item.digits} digits behind the point"
        yield Flaw(rule=Rule.DIGITS, weight=Weight.SOFT, message=message)


def _digits_behind(number: Decimal) -> int:
    """Digits behind the point, closing zeros left out."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or exponent >= 0:
        return 0
    closing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(-exponent - closing, 0)


def _codes(item: ItemDef, value: TypedValue, found: Directory) -> Iterator[Flaw]:
    if item.code_list is None:
        return
    codes = found.code_lists.get(item.code_list)
    if codes is None or codes.is_external:
        where = "elsewhere" if codes is not None else "not defined"
        yield Flaw(rule=Rule.CODE_LIST, weight=Weight.NOT_RUN, message=f"not run: its code list is {where}")
    elif value.text not in found.codes[codes.oid] and value.value not in found.numbers[codes.oid]:
        yield Flaw(rule=Rule.CODE_LIST, weight=Weight.HARD, message="is no value of its code list")


def _range(
    check: RangeCheck,
    item: ItemDef,
    captured: CapturedItem,
    beside: Mapping[str, CapturedItem],
    *,
    found: Directory,
    run: Run,
    language: str,
) -> Flaw | None:
    answer = (
        run(check.expressions)
        if check.expressions and not check.values
        else _compared(check, item, captured, beside, found)
    )
    if isinstance(answer, NotRun):
        return Flaw(rule=Rule.RANGE, weight=Weight.NOT_RUN, message=f"not run: {answer.reason}")
    if answer.is_true:
        return None
    weight = Weight.HARD if check.hardness is Hardness.HARD else Weight.SOFT
    return Flaw(rule=Rule.RANGE, weight=weight, message=said(check.message, language) or _in_words(check))


def _in_words(check: RangeCheck) -> str:
    if check.comparator is None:
        return "does not hold what its definition asks"
    return f"{_WORDS[check.comparator]} {', '.join(check.values)[:200]}"


def _compared(
    check: RangeCheck, item: ItemDef, captured: CapturedItem, beside: Mapping[str, CapturedItem], found: Directory
) -> Answered | NotRun:
    if check.item is not None and check.item != item.oid:
        other, given = found.items.get(check.item), beside.get(check.item)
        if other is None or given is None or not given.text:
            return NotRun(reason="the item that it looks at was not captured in the group")
        item, captured = other, given
    if check.unit is not None and check.unit != (captured.unit or next(iter(item.units), None)):
        return NotRun(reason="the value is in another unit than the check")
    try:
        value = typed(captured.text or "", item).value
    except CallerError:
        return NotRun(reason="the item that it looks at is not of its type")
    bounds = _bounds(check.values, item.data_type)
    if bounds is None:
        return NotRun(reason=f"a value of the check is no {item.data_type.value}")
    return _judged(check.comparator or Comparator.EQ, value, bounds)


@lru_cache(maxsize=4096)
def _bounds(values: tuple[str, ...], kind: DataType) -> tuple[Value, ...] | None:
    """None if one is not of the type."""
    try:
        return tuple(typed_as(one, kind, field=()).value for one in values)
    except CallerError:
        return None


def _judged(comparator: Comparator, value: Value, bounds: tuple[Value, ...]) -> Answered | NotRun:
    signs = [compare(value, bound) for bound in bounds]
    if comparator in _EQUALITIES and isinstance(value, bool | bytes):
        signs = [1 if sign is None else sign for sign in signs]  # what has no order is equal, or is not
    if comparator in (Comparator.IN, Comparator.NOTIN):
        if 0 in signs:
            return Answered(is_true=comparator is Comparator.IN)
        if None in signs:
            return NotRun(reason="the value is not known precisely enough")
        return Answered(is_true=comparator is Comparator.NOTIN)
    sign = signs[0]
    if sign is None:
        return NotRun(reason="the value is not known precisely enough")
    return Answered(is_true=_HOLDS[comparator](sign))
