"""Rows of a release as files: Parquet and NDJSON, octets as they come; in memory is one group of rows.

True here: what a column is in a file follows from what it is in the release: a number is a double, true and false a
boolean, all else text, a collection a list of it; a missing value is null. Nothing is written to a disk.
Sources: Apache Parquet format 2; NDJSON (https://github.com/ndjson/ndjson-spec).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.deid.cells import ColumnKind
from gateway.deid.tables import Table, cell_text
from gateway.deid.views.selects import Cell, Row

GROUP: Final = 16_384
"""Rows that are written together."""
FLAG: Final = "boolean"


def to_parquet(table: Table, rows: Iterable[Row], *, facts: dict[str, str]) -> Iterator[bytes]:
    """`facts`: what stands in the file's own metadata."""
    schema = pa.schema([(one.name, _type(table, at)) for at, one in enumerate(table.view.columns)], metadata=facts)
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _grouped(rows):
            columns = [
                pa.array([_cell(row[at], field.type) for row in group], type=field.type)
                for at, field in enumerate(schema)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema), row_group_size=GROUP)
            yield from sink.taken()
    yield from sink.taken()


def to_ndjson(table: Table, rows: Iterable[Row]) -> Iterator[bytes]:
    """A line a row: an object with every column of the table."""
    names = [one.name for one in table.view.columns]
    for group in _grouped(rows):
        yield b"".join(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n" for row in group)


def _type(table: Table, at: int) -> pa.DataType:
    kind, column = table.kinds[at], table.view.columns[at]
    if kind is ColumnKind.NUMBER:
        return pa.float64()
    each = pa.bool_() if kind is ColumnKind.VALUE and column.checked and column.type == FLAG else pa.string()
    return pa.list_(each) if column.collection and kind is not ColumnKind.QUASI else each


def _cell(cell: Cell, type_: pa.DataType) -> Cell:
    """A value in the form of its column."""
    if cell is None or pa.types.is_floating(type_) or pa.types.is_boolean(type_):
        return cell
    if isinstance(cell, list) and pa.types.is_list(type_):
        return cell if pa.types.is_boolean(type_.value_type) else [cell_text(one) for one in cell]
    return cell_text(cell)


def _grouped(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group


class _Sink:
    """A file, as pyarrow wants one, that is taken away as it grows."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes | memoryview) -> int:
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """What was written waits for `taken`."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> list[bytes]:
        parts, self._parts = self._parts, []
        return parts
