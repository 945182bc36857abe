"""A transport file, written as rows come.

True here: what was read from a transport file goes out octet for octet. Nothing is shortened or rounded: what the form
cannot say is refused with row and variable. None in a column of text is blank, for SAS knows no other missing text; a
date whose target is a number goes out as SAS's number.
Source: SAS TS-140.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from gateway.trials.tabulation.model import Row, Table
from gateway.trials.tabulation.octets import GROUP
from gateway.trials.tabulation.places import columns_of, converted, fault
from gateway.trials.tabulation.xpt import layout
from gateway.trials.tabulation.xpt.columns import Column
from gateway.trials.tabulation.xpt.encodings import Encoding
from gateway.trials.tabulation.xpt.heading import head_of


def write_xpt(table: Table, rows: Iterable[Row], *, file: str, encoding: Encoding = Encoding.UTF_8) -> Iterator[bytes]:
    """The octets of a file, as rows come. Each text variable needs a width: its own (`stored`), or its `length`. Raises
    CallerError, which names file, row and variable, for whatever version 5 cannot say: from the first octets on for the
    head, on the way for a row, so what was written before it is no file."""
    columns = [Column(one, file, encoding) for one in table.variables]
    yield head_of(table, columns, file=file, encoding=encoding)
    size = sum(one.width for one in columns)
    group = max(1, GROUP // size)
    left, total, blank = b"", 0, False
    walked = iter(rows)
    while batch := list(islice(walked, group)):
        data = _packed(batch, columns, file, total // size + 1)
        blank = not data[-size:].strip(b" ")
        total += len(data)
        whole = (len(left) + len(data)) // layout.RECORD * layout.RECORD
        yield (left + data)[:whole]
        left = (left + data)[whole:]
    if blank and -(-(total - size) // layout.RECORD) == -(-total // layout.RECORD):
        raise fault("is blank, and would be lost in the padding of a transport file", file=file, row=total // size)
    if left:
        yield left.ljust(layout.RECORD)


def _packed(batch: list[Row], columns: list[Column], file: str, first: int) -> bytes:
    cells = columns_of(batch, len(columns), file=file, first=first)
    packed = [
        converted(column, one.octets, file=file, first=first, variable=one.name)
        for column, one in zip(cells, columns, strict=True)
    ]
    return b"".join(chain.from_iterable(zip(*packed, strict=True)))
