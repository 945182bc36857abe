"""Comma-separated text, read row by row.

True here: in memory is a group of rows. A number keeps its text, and a text of digits is one where its column is.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from gateway.trials.tabulation.csv.cells import kind_of, reading
from gateway.trials.tabulation.csv.records import CsvForm, Quoted, checked, opened
from gateway.trials.tabulation.model import DataType, Row, Table, Variable
from gateway.trials.tabulation.places import converted, fault

_GROUP: Final = 256
"""Rows that are read together."""


def surveyed(octets: Iterable[bytes], *, name: str, file: str, missing: str = "") -> tuple[Table, CsvForm]:
    """What a file's own text tells of its table, in one pass: a variable whose every value is a number without quotes
    is INTEGER or FLOAT, any other STRING; lengths, and the count of records. Labels are names. Raises CallerError with
    file and row."""
    form, names, records = opened(octets, file, missing)
    kinds = [DataType.INTEGER] * len(names)
    lengths = [0] * len(names)
    numbers = 0
    for fields in checked(records, len(names), file):
        numbers += 1
        for at, field in enumerate(fields):
            if field == missing and not isinstance(field, Quoted):
                continue
            lengths[at] = max(lengths[at], len(field))
            if kinds[at] is not DataType.STRING:
                kinds[at] = kind_of(field, kinds[at])
    variables = tuple(
        Variable(
            name=one,
            label=one,
            type=kind if length else DataType.STRING,
            length=(length or 1) if kind is DataType.STRING or not length else None,
        )
        for one, kind, length in zip(names, kinds, lengths, strict=True)
    )
    return Table(name=name, label=name, variables=variables, records=numbers), form


def read_csv(octets: Iterable[bytes], *, table: Table, file: str, missing: str = "") -> tuple[CsvForm, Iterator[Row]]:
    """The rows of a file whose columns are the variables of `table`, in their order, as they come; and the form that
    writes them again. Raises CallerError with file, row and variable, from here for the names and from the iterator for
    a row."""
    form, names, records = opened(octets, file, missing)
    if names != [one.name for one in table.variables]:
        raise fault(f"names other variables than {table.name} has, or in another order", file=file)
    return form, _rows(checked(records, len(names), file), table, file, missing)


def _rows(fields: Iterator[list[str]], table: Table, file: str, missing: str) -> Iterator[Row]:
    of_column = [reading(one.type, missing) for one in table.variables]
    first = 1
    while batch := list(islice(fields, _GROUP)):
        columns = [
            converted(column, of, file=file, first=first, variable=one.name)
            for column, of, one in zip(zip(*batch, strict=True), of_column, table.variables, strict=True)
        ]
        yield from zip(*columns, strict=True)
        first += len(batch)
