"""The head of a transport file, read: library, data set and variables.

True here: each field is as the layout says, or the file is refused with the field's name; what is read is written again
octet for octet. SAS says no encoding, so labels are read in the one that is given.
Source: SAS TS-140.
"""

from collections.abc import Callable
from dataclasses import replace
from struct import Struct
from typing import Any

from gateway.errors import CallerError
from gateway.trials.tabulation.model import (
    DataType,
    Source,
    StoredFormat,
    StoredStamp,
    StoredTable,
    StoredVariable,
    Table,
    Variable,
)
from gateway.trials.tabulation.places import fault, limit
from gateway.trials.tabulation.xpt import layout
from gateway.trials.tabulation.xpt.columns import SAS_NAME
from gateway.trials.tabulation.xpt.encodings import Encoding, text_of
from gateway.trials.tabulation.xpt.stamps import format_text, moment_of

Take = Callable[[int], bytes]
"""The next octets of a file, as many as asked; fewer only where it ends."""


def read_head(take: Take, *, file: str, encoding: Encoding) -> Table:
    """Everything before the rows. Raises CallerError that says which record is wrong."""
    first = take(layout.RECORD)
    if first.startswith(layout.VERSION_8):
        raise fault("is a transport file of version 8; save it as version 5", file=file)
    if first != layout.LIBRARY:
        raise fault("is no SAS transport file of version 5", file=file)
    library, _, _ = _stamp(take, layout.LIBRARY_STAMP, file)
    for wanted in (layout.MEMBER, layout.DESCRIPTOR):
        if take(layout.RECORD) != wanted:
            raise fault("has no header of a data set where one is due", file=file)
    dataset, label, kind = _stamp(take, layout.DATASET_STAMP, file)
    variables, fill = _variables(take, file, encoding)
    if take(layout.RECORD) != layout.ROWS:
        raise fault("has no header of rows where one is due", file=file)
    name = dataset.symbols[1]
    if not SAS_NAME.fullmatch(name):
        raise fault("has a data set whose name is no SAS name", file=file)
    return Table(
        name=name,
        label=_label(label, file, encoding, None),
        variables=variables,
        created=moment_of(dataset.created),
        modified=moment_of(dataset.modified),
        source=Source(name=dataset.system, version=dataset.version),
        stored=StoredTable(library=library, dataset=dataset, kind=kind, fill=fill),
    )


def _stamp(take: Take, second: Struct, file: str) -> tuple[StoredStamp, bytes, str]:
    """The two records; of a data set its label and type too."""
    raw = take(2 * layout.RECORD)
    if len(raw) < 2 * layout.RECORD:
        raise fault("ends within its head", file=file)
    *symbols, version, system, unused, created = layout.FIRST_STAMP.unpack(raw[: layout.RECORD])
    modified, rest, *more = second.unpack(raw[layout.RECORD :])
    label, kind = more or (b"", b"")
    stamp = StoredStamp(
        symbols=(_plain(symbols[0]), _plain(symbols[1]), _plain(symbols[2])),
        version=_plain(version),
        system=_plain(system),
        created=_plain(created),
        modified=_plain(modified),
        unused=_plain(unused),
        rest=_plain(rest),
    )
    return stamp, label, _plain(kind)


def _variables(take: Take, file: str, encoding: Encoding) -> tuple[tuple[Variable, ...], bytes]:
    """All of them, and the octet that fills their last record."""
    header = take(layout.RECORD)
    digits = header[layout.NAMES_WORDS : layout.NAMES_WORDS + 4]
    if not digits.isdigit() or header != layout.names_header(int(digits)):
        raise fault("has no header of variables where one is due", file=file)
    count = int(digits)
    size = count * layout.VARIABLE.size
    whole = -(-size // layout.RECORD) * layout.RECORD
    raw = take(whole)
    if not count or len(raw) < whole:
        raise fault("ends within its variables, or has none", file=file)
    made: list[Variable] = []
    names: set[str] = set()
    position = 0
    for at, record in enumerate(layout.VARIABLE.iter_unpack(raw[:size]), 1):
        variable, place = _variable(record, at, file, encoding)
        if place != position:
            raise fault("does not lie where the one before it ends", file=file, variable=variable.name)
        if variable.name.upper() in names:
            raise fault("is there twice", file=file, variable=variable.name)
        names.add(variable.name.upper())
        made.append(variable)
        position += stored(variable).width
        if position > layout.MOST_ROW:
            raise limit(f"has rows of more than {layout.MOST_ROW} octets", file=file)
    fill = raw[size : size + 1] or b" "
    if raw[size:].strip(fill):
        raise fault("has something between its variables and its rows", file=file)
    return tuple(made), fill


def _variable(record: tuple[Any, ...], at: int, file: str, encoding: Encoding) -> tuple[Variable, int]:
    kind, hashed, width, number, *words, position, rest = record
    raw_name, label, form, form_width, form_decimals, justify, fill, inform, in_width, in_decimals = words
    name = _plain(raw_name)
    if not SAS_NAME.fullmatch(name):
        raise fault(f"variable {at} has a name that is no SAS name", file=file)
    widths = {1: range(2, 9), 2: range(1, layout.MOST_WIDTH + 1)}.get(kind)
    if widths is None:
        raise fault("is neither number nor text", file=file, variable=name)
    if width not in widths:
        raise fault(f"has an impossible width: {widths[0]} to {widths[-1]} octets may be", file=file, variable=name)
    display = StoredFormat(name=_plain(form), width=form_width, decimals=form_decimals)
    variable = Variable(
        name=name,
        label=_label(label, file, encoding, name),
        type=DataType.DOUBLE if kind == 1 else DataType.STRING,
        length=None if kind == 1 else width,
        display_format=format_text(display),
        stored=StoredVariable(
            width=width,
            number=number,
            hash=hashed,
            justify=justify,
            fill=fill,
            format=display,
            informat=StoredFormat(name=_plain(inform), width=in_width, decimals=in_decimals),
            rest=rest if rest.strip(b"\0") else b"",
        ),
    )
    return variable, position


def stored(variable: Variable) -> StoredVariable:
    """How a transport file stores it. Raises CallerError where none says so."""
    if variable.stored is None:
        raise CallerError("has no width of its own; fit the table first", field=(variable.name,))
    return variable.stored


def without_stored(table: Table) -> Table:
    """The table as a file of any other kind could say it: without what transport files alone do."""
    return replace(table, stored=None, variables=tuple(replace(one, stored=None) for one in table.variables))


def _label(raw: bytes, file: str, encoding: Encoding, variable: str | None) -> str:
    try:
        return text_of(raw, encoding)
    except CallerError as error:
        raise fault(f"its label {error.message}", file=file, variable=variable) from error


def _plain(raw: bytes) -> str:
    """A word of the head, without its blanks; every octet is a character."""
    return raw.rstrip(b" ").decode("latin-1")
