"""The head of a transport file, written: library, data set and variables.

True here: what was read comes out octet for octet; of a table that comes from another kind of file, who made it and
when is told as far as eight characters and a second allow.
Source: SAS TS-140.
"""

from gateway.errors import CallerError
from gateway.trials.tabulation.model import StoredStamp, StoredTable, Table
from gateway.trials.tabulation.places import fault, limit
from gateway.trials.tabulation.xpt import layout
from gateway.trials.tabulation.xpt.columns import SAS_NAME, Column
from gateway.trials.tabulation.xpt.encodings import Encoding, octets_of
from gateway.trials.tabulation.xpt.stamps import stamp_of


def head_of(table: Table, columns: list[Column], *, file: str, encoding: Encoding) -> bytes:
    """Everything before the rows. Raises CallerError for what version 5 cannot say."""
    if not 1 <= len(columns) <= layout.MOST_VARIABLES:
        raise fault(f"has {len(columns)} variables; 1 to {layout.MOST_VARIABLES} may be", file=file)
    if len({one.name.upper() for one in columns}) != len(columns):
        raise fault("has two variables of one name", file=file)
    if sum(one.width for one in columns) > layout.MOST_ROW:
        raise limit(f"has rows of more than {layout.MOST_ROW} octets", file=file)
    if not SAS_NAME.fullmatch(table.name):
        raise fault("has a name that is no SAS name of 8 letters, digits and _ at most", file=file)
    stamps = table.stored or _stamps(table, file)
    dataset = stamps.dataset
    label = _label(table.label, file, encoding, None)
    parts = [layout.LIBRARY, _first(stamps.library, stamps.library.symbols[1])]
    parts.append(layout.LIBRARY_STAMP.pack(_raw(stamps.library.modified, 16), _raw(stamps.library.rest, 64)))
    parts += [layout.MEMBER, layout.DESCRIPTOR, _first(dataset, table.name)]
    parts.append(
        layout.DATASET_STAMP.pack(_raw(dataset.modified, 16), _raw(dataset.rest, 16), label, _raw(stamps.kind, 8))
    )
    parts.append(layout.names_header(len(columns)))
    position, records = 0, []
    for number, column in enumerate(columns, 1):
        records.append(_record(column, number, position, file, encoding))
        position += column.width
    names = b"".join(records)
    names += stamps.fill * (-len(names) % layout.RECORD)
    return b"".join([*parts, names, layout.ROWS])


def _record(column: Column, number: int, position: int, file: str, encoding: Encoding) -> bytes:
    one = column.stored
    return layout.VARIABLE.pack(
        1 if column.is_number else 2,
        one.hash,
        one.width,
        one.number or number,
        _raw(column.name, 8),
        _label(column.label, file, encoding, column.name),
        _raw(one.format.name, 8),
        one.format.width,
        one.format.decimals,
        one.justify,
        one.fill,
        _raw(one.informat.name, 8),
        one.informat.width,
        one.informat.decimals,
        position,
        one.rest,
    )


def _stamps(table: Table, file: str) -> StoredTable:
    """Of a table that comes from no transport file: who made it, where eight octets hold the name, and when."""
    try:
        created = stamp_of(table.created or "")
        modified = stamp_of(table.modified) if table.modified else created
    except CallerError as error:
        raise fault(f"{error.message}; say when the table was made", file=file) from error
    source = table.source
    known = source is not None and all(len(one) <= 8 and one.isascii() for one in (source.version, source.name))
    version, system = (source.version, source.name) if source is not None and known else ("9.4", "")

    def stamp(name: str, kind: str) -> StoredStamp:
        return StoredStamp(
            symbols=("SAS", name, kind), version=version, system=system, created=created, modified=modified
        )

    return StoredTable(library=stamp("SAS", "SASLIB"), dataset=stamp(table.name, "SASDATA"))


def _first(stamp: StoredStamp, name: str) -> bytes:
    words = (stamp.symbols[0], name, stamp.symbols[2], stamp.version, stamp.system)
    return layout.FIRST_STAMP.pack(*(_raw(word, 8) for word in words), _raw(stamp.unused, 24), _raw(stamp.created, 16))


def _raw(word: str, width: int) -> bytes:
    return word.encode("latin-1").ljust(width)


def _label(text: str, file: str, encoding: Encoding, variable: str | None) -> bytes:
    try:
        return octets_of(text, 40, encoding)
    except CallerError as error:
        raise fault(f"its label {error.message}", file=file, variable=variable) from error
