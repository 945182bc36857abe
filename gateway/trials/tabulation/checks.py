"""A table against its definition: which of its variables, rows and values are not as they are said to be.

True here: each finding names file, row and variable, and never a value. Checked are: variables that only one side has,
types, what is mandatory, keys, lengths of text, code lists. A missing text is the empty one too, as SAS has it.
Not done here: value lists (what a value must be where another has a certain one), lengths of numbers (SAS writes its
storage there), external dictionaries; and which finding stops a study from being loaded.
Source: CDISC Define-XML 2.1, section 5.3.11 (ItemRef: Mandatory, KeySequence), 5.3.12 (ItemDef), 5.3.13 (CodeList).
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from gateway.errors import CallerError
from gateway.trials.tabulation.define.model import CodeList, Dataset, DefinedType, Definition, Item, ItemUse
from gateway.trials.tabulation.model import NUMBERS, TEXTS, Cell, Missing, Row, Table, Variable
from gateway.trials.tabulation.places import fault, limit

MOST_KEYED: Final = 20_000_000
"""Rows whose keys are compared; 16 octets of each are kept."""
Verdict = Callable[[Cell], str | None]
"""What is wrong with a value that is there; None where nothing is."""
_D: Final = r"\d{4}(-\d\d(-\d\d)?)?"
_T: Final = r"\d\d(:\d\d(:\d\d(\.\d+)?)?)?"
_ZONE: Final = r"(Z|[+-]\d\d:\d\d)?"
_SHAPES: Final = {
    DefinedType.DATE: re.compile(_D, re.ASCII),
    DefinedType.PARTIAL_DATE: re.compile(_D, re.ASCII),
    DefinedType.TIME: re.compile(_T + _ZONE, re.ASCII),
    DefinedType.PARTIAL_TIME: re.compile(_T + _ZONE, re.ASCII),
    DefinedType.DATETIME: re.compile(f"{_D}(T{_T}{_ZONE})?", re.ASCII),
    DefinedType.PARTIAL_DATETIME: re.compile(f"{_D}(T{_T}{_ZONE})?", re.ASCII),
    DefinedType.INCOMPLETE_DATETIME: re.compile(r"[0-9:TZ.+-]{1,64}", re.ASCII),
    DefinedType.DURATION_DATETIME: re.compile(r"[+-]?P[0-9YMWDTHS.,]{1,64}", re.ASCII),
    DefinedType.INTERVAL_DATETIME: re.compile(r"[0-9PYMWDTHSZ:.,+/-]{1,128}", re.ASCII),
}
_NUMERIC: Final = frozenset({DefinedType.INTEGER, DefinedType.FLOAT})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What the definition says of one column."""

    at: int
    name: str
    mandatory: bool
    key: int | None
    verdicts: tuple[Verdict, ...]


def findings(
    table: Table, rows: Iterable[Row], *, definition: Definition, dataset: Dataset, file: str
) -> Iterator[CallerError]:
    """What is not as it is said to be: of the variables first, then row by row. In memory are a digest of each row's
    keys. Raises LimitError where a table with keys has more than `MOST_KEYED` rows."""
    rules: list[_Rule] = []
    uses = {definition.items[one.item].name: one for one in dataset.uses}
    for at, variable in enumerate(table.variables):
        use = uses.get(variable.name)
        if use is None:
            yield fault(f"is no variable of {dataset.name}", file=file, variable=variable.name)
            continue
        item = definition.items[use.item]
        if not _fits(variable, item):
            yield fault(f"is {variable.type}, and defined as {item.type}", file=file, variable=variable.name)
            continue
        rules.append(
            _Rule(
                at=at,
                name=variable.name,
                mandatory=use.mandatory,
                key=use.key_sequence,
                verdicts=tuple(_verdicts(variable, item, definition)),
            )
        )
    present = {one.name for one in table.variables}
    for name, use in uses.items():
        if name not in present:
            part = "a key of" if use.key_sequence is not None else "defined in"
            yield fault(f"is missing; it is {part} {dataset.name}", file=file, variable=name)
    yield from _rows(rows, rules, _keys(rules, uses), file)


def check(table: Table, rows: Iterable[Row], *, definition: Definition, dataset: Dataset, file: str) -> None:
    """Raises the first of `findings`."""
    first = next(findings(table, rows, definition=definition, dataset=dataset, file=file), None)
    if first is not None:
        raise first


def _keys(rules: Iterable[_Rule], uses: Mapping[str, ItemUse]) -> list[int]:
    """Where the key variables are, in their order; none where not all of them are there."""
    wanted = sum(use.key_sequence is not None for use in uses.values())
    found = sorted((rule.key, rule.at) for rule in rules if rule.key is not None)
    return [at for _, at in found] if len(found) == wanted else []


def _rows(rows: Iterable[Row], rules: list[_Rule], keys: list[int], file: str) -> Iterator[CallerError]:
    met: set[bytes] = set()
    for number, row in enumerate(rows, 1):
        for rule in rules:
            cell = row[rule.at]
            if cell is None or cell == "" or isinstance(cell, Missing):
                if rule.mandatory:
                    yield fault("has no value, and is mandatory", file=file, row=number, variable=rule.name)
                continue
            for verdict in rule.verdicts:
                if (text := verdict(cell)) is not None:
                    yield fault(text, file=file, row=number, variable=rule.name)
        if keys:
            digest = _digest([row[at] for at in keys])
            if digest in met:
                yield fault("has the keys of an earlier row", file=file, row=number)
            met.add(digest)
            if len(met) > MOST_KEYED:
                raise limit(f"has more than {MOST_KEYED} rows with keys", file=file)


def _digest(cells: Iterable[Cell]) -> bytes:
    """The same for keys that are equal: `1` and `1.0` are."""
    said = "".join(f"{len(text)}:{text}" for text in map(_told, cells))
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _told(cell: Cell) -> str:
    if isinstance(cell, bool | str) or not isinstance(cell, int | float | Decimal):
        return f"'{cell}"
    sign, digits, exponent = Decimal(cell).as_tuple()
    written = "".join(map(str, digits))
    kept = written.rstrip("0")
    return f"{sign}{kept}e{int(exponent) + len(written) - len(kept)}" if kept else "0"


def _fits(variable: Variable, item: Item) -> bool:
    """A date whose target is a number may be defined as one: that is what it is in the system it is for."""
    is_number = variable.type in NUMBERS
    if item.type in _NUMERIC:
        return is_number or variable.target_type in NUMBERS
    return variable.type in TEXTS or (item.type in _SHAPES and is_number and variable.display_format is not None)


def _verdicts(variable: Variable, item: Item, definition: Definition) -> Iterator[Verdict]:
    if variable.type not in TEXTS:
        if item.type is DefinedType.INTEGER:
            yield _not_whole
    elif item.type not in _NUMERIC:
        if item.type in _SHAPES:
            yield _shape(_SHAPES[item.type], item.type)
        if item.length is not None and item.type is DefinedType.TEXT:
            yield _length(item.length)
    if item.code_list is not None:
        listed = definition.code_lists[item.code_list]
        if listed.external is None:
            yield _listed(listed)


def _not_whole(cell: Cell) -> str | None:
    return None if _is_whole(cell) else "is no whole number, and defined as one"


def _is_whole(cell: Cell) -> bool:
    if isinstance(cell, Decimal):
        return cell == cell.to_integral_value()
    return isinstance(cell, int) or (isinstance(cell, float) and cell.is_integer())


def _shape(pattern: re.Pattern[str], type_: DefinedType) -> Verdict:
    text = f"is no {type_} of ISO 8601"
    return lambda cell: None if isinstance(cell, str) and pattern.fullmatch(cell) else text


def _length(most: int) -> Verdict:
    text = f"is longer than the {most} characters that it is defined with"
    return lambda cell: None if isinstance(cell, str) and len(cell) <= most else text


def _listed(listed: CodeList) -> Verdict:
    """Numbers are compared as numbers."""
    texts = {one.value for one in listed.codes}
    numbers = {number for one in texts if (number := _decimal(one)) is not None}
    text = f"is not in the code list {listed.oid}"

    def verdict(cell: Cell) -> str | None:
        if isinstance(cell, str):
            return None if cell in texts else text
        number = _decimal(str(cell))
        return None if number is not None and number in numbers else text

    return verdict


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
