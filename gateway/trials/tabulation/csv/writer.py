"""Comma-separated text, written as rows come.

True here: what was read is written again octet for octet, with the form and the types that it was read with; only a
last line without an end gets one.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from gateway.trials.tabulation.csv.cells import writing
from gateway.trials.tabulation.csv.records import BOM, PLAIN, CsvForm
from gateway.trials.tabulation.model import DataType, Row, Table
from gateway.trials.tabulation.places import columns_of, converted

_GROUP: Final = 256
"""Rows that are written together."""


def write_csv(table: Table, rows: Iterable[Row], *, file: str, form: CsvForm = PLAIN) -> Iterator[bytes]:
    """The octets of a file, as rows come. Raises CallerError with file, row and variable for a cell that CSV cannot
    say: a special missing number, or what is not of its column's type."""
    heads = [writing(DataType.STRING, form)(one.name) for one in table.variables]
    yield ((BOM if form.marked else "") + ",".join(heads) + form.line_end).encode()
    written = [writing(one.type, form) for one in table.variables]
    walked = iter(rows)
    first = 1
    while batch := list(islice(walked, _GROUP)):
        columns = [
            converted(column, of, file=file, first=first, variable=one.name)
            for column, of, one in zip(
                columns_of(batch, len(table.variables), file=file, first=first), written, table.variables, strict=True
            )
        ]
        yield "".join(",".join(fields) + form.line_end for fields in zip(*columns, strict=True)).encode()
        first += len(batch)
