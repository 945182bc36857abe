"""A Dataset-JSON file, read row by row.

True here: in memory are the metadata and a group of rows. The metadata come before the rows, as the specification
recommends for exactly this; a file that has any of them after is refused, for a reader of a stream cannot go back.
There are as many rows as the metadata say. Every part is strict JSON (`gateway.jsontext`).
Sources: CDISC Dataset-JSON 1.1, "Introduction", "NDJSON Representation of Dataset-JSON"; RFC 8259.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from gateway.errors import CallerError
from gateway.jsontext import JsonValue, loads
from gateway.trials.tabulation.dataset_json.cells import Cells
from gateway.trials.tabulation.dataset_json.head import table_of
from gateway.trials.tabulation.dataset_json.splitting import MOST_HEAD, MOST_ROW, Split
from gateway.trials.tabulation.model import Row, Table
from gateway.trials.tabulation.octets import MOST_UNPACKED, lines, unpacked
from gateway.trials.tabulation.places import fault

_GROUP: Final = 256
"""Rows that are read together."""


def read_json(octets: Iterable[bytes], *, file: str) -> tuple[Table, Iterator[Row]]:
    """The dataset of a `.json` file, and its rows as they come. `file`: its name in refusals. Raises CallerError (of
    sizes LimitError) with file, row and variable, from here for the metadata and from the iterator for a row."""
    split = Split(octets, file=file)
    table = table_of(_parsed(split.head(), file, None), file=file)
    return table, _rows(table, split.rows(), file)


def read_ndjson(octets: Iterable[bytes], *, file: str) -> tuple[Table, Iterator[Row]]:
    """As `read_json`, of a `.ndjson` file: the metadata in its first line, then a row a line."""
    walked = lines(octets, file=file, longest=max(MOST_HEAD, MOST_ROW))
    table = table_of(_parsed(next(walked, b""), file, None), file=file)
    return table, _rows(table, walked, file)


def read_dsjc(octets: Iterable[bytes], *, file: str, most: int = MOST_UNPACKED) -> tuple[Table, Iterator[Row]]:
    """As `read_ndjson`, of a packed `.dsjc` file: a zlib stream, as specified, or gzip, as CDISC's own examples are.
    Raises LimitError where it unpacks to more than `most` octets."""
    return read_ndjson(unpacked(octets, file=file, most=most), file=file)


def _rows(table: Table, arrays: Iterator[bytes], file: str) -> Iterator[Row]:
    cells = Cells(table, file=file)
    made = 0
    while batch := list(islice(arrays, _GROUP)):
        yield from cells.read(_values(batch, file, made + 1), made + 1)
        made += len(batch)
        if table.records is not None and made > table.records:
            raise fault(f"has more rows than the {table.records} records that it tells of", file=file)
    if made != table.records:
        raise fault(f"has {made} rows, and tells of {table.records} records", file=file)


def _values(batch: list[bytes], file: str, first: int) -> list[JsonValue]:
    """All at once; one by one to find the row that is no JSON."""
    try:
        value = loads(b"[" + b",".join(batch) + b"]")
    except CallerError:
        value = None
    if isinstance(value, list) and len(value) == len(batch):
        return value
    return [_parsed(one, file, row) for row, one in enumerate(batch, first)]


def _parsed(raw: bytes, file: str, row: int | None) -> JsonValue:
    try:
        return loads(raw)
    except CallerError as error:
        raise fault(error.message, file=file, row=row) from error
