"""A Dataset-JSON file, written as rows come.

True here: strict JSON without blanks, members in the order of the specification, numbers as they were written; packed
files are a zlib stream of level 9, as recommended. There are as many rows as the metadata say, or the end is an error
and what was written no file.
Sources: CDISC Dataset-JSON 1.1; CDISC Compressed Dataset-JSON 1.1, "Creating a DSJC File".
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from gateway.jsontext import dumps
from gateway.trials.tabulation.dataset_json.cells import Cells
from gateway.trials.tabulation.dataset_json.head import head_of
from gateway.trials.tabulation.model import Row, Table
from gateway.trials.tabulation.octets import grouped
from gateway.trials.tabulation.places import fault

_GROUP: Final = 256
"""Rows that are written together."""
_LEVEL: Final = 9


def write_json(table: Table, rows: Iterable[Row], *, file: str, blank_special: bool = False) -> Iterator[bytes]:
    """The octets of a `.json` file, as rows come. `blank_special`: SAS's special missing numbers go out as null, which
    says less; else they are refused. Raises CallerError with file, row and variable for what Dataset-JSON cannot say,
    and where there are more or fewer rows than `table.records`."""
    yield dumps(head_of(table, file=file))[:-1] + b',"rows":['
    first = True
    for array in _arrays(table, rows, file, blank_special):
        yield array if first else b"," + array
        first = False
    yield b"]}"


def write_ndjson(table: Table, rows: Iterable[Row], *, file: str, blank_special: bool = False) -> Iterator[bytes]:
    """As `write_json`, of a `.ndjson` file."""
    yield dumps(head_of(table, file=file)) + b"\n"
    for array in _arrays(table, rows, file, blank_special):
        yield array + b"\n"


def write_dsjc(table: Table, rows: Iterable[Row], *, file: str, blank_special: bool = False) -> Iterator[bytes]:
    """As `write_ndjson`, packed, of a `.dsjc` file."""
    packing = zlib.compressobj(_LEVEL)
    for part in grouped(write_ndjson(table, rows, file=file, blank_special=blank_special)):
        if packed := packing.compress(part):
            yield packed
    yield packing.flush()


def _arrays(table: Table, rows: Iterable[Row], file: str, blank_special: bool) -> Iterator[bytes]:
    cells = Cells(table, file=file, blank_special=blank_special)
    walked = iter(rows)
    made = 0
    while batch := list(islice(walked, _GROUP)):
        for values in cells.written(batch, made + 1):
            yield dumps(list(values))
        made += len(batch)
    if made != table.records:
        raise fault(f"has {made} rows, and tells of {table.records} records", file=file)
