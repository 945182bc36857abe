"""Rows of a release as files: Parquet and NDJSON, octets as they come; in memory is one group of rows.

True here: what a column is in a file follows from what it is in the release: a number is a double, true and false a
boolean, all else text, a collection a list of it; a missing value is null. Nothing is written to a disk.
Sources: Apache Parquet format 2; NDJSON (https://github.com/ndjson/ndjson-spec).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.deid.cells import ColumnKind
from gateway.deid.tables import Table, cell_text
from gateway.deid.views.selects import Cell, Row

GROUP: Final = 4_096
"""Rows that are written together."""
FLAG: Final = "boolean"


class Parquet:
    """A file of one table. `facts`: what stands in its own metadata."""

    def __init__(self, table: Table, *, facts: dict[str, str]) -> None:
        columns = [(one.name, _type(table, at)) for at, one in enumerate(table.view.columns)]
        self._schema = pa.schema(columns, metadata=facts)
        self._sink = _Sink()
        # Most keys and numbers stand but once: a dictionary of them would take more room and four times as long.
        shared = [
            f"{one.name}.list.element" if pa.types.is_list(field.type) else one.name
            for one, kind, field in zip(table.view.columns, table.kinds, self._schema, strict=True)
            if kind not in (ColumnKind.KEY, ColumnKind.NUMBER)
        ]
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd", use_dictionary=shared)
        self._group: list[Row] = []

    def add(self, rows: Iterable[Row]) -> bytes:
        """The octets that are ready."""
        self._group += rows
        while len(self._group) >= GROUP:
            self._write(self._group[:GROUP])
            del self._group[:GROUP]
        return self._sink.taken()

    def end(self) -> bytes:
        """The last octets."""
        if self._group:
            self._write(self._group)
        self._writer.close()
        return self._sink.taken()

    def _write(self, group: Sequence[Row]) -> None:
        columns = [_array([row[at] for row in group], field.type) for at, field in enumerate(self._schema)]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema), row_group_size=GROUP)


class Ndjson:
    """A file of one table: a line a row, an object with every column."""

    def __init__(self, table: Table) -> None:
        self._names = [one.name for one in table.view.columns]

    def add(self, rows: Iterable[Row]) -> bytes:
        return b"".join(orjson.dumps(dict(zip(self._names, row, strict=True))) + b"\n" for row in rows)

    def end(self) -> bytes:
        return b""


class Files:
    """Implements `gateway.releases.files.TableFiles`."""

    def open(self, format: str, table: Table, *, facts: dict[str, str]) -> Parquet | Ndjson:
        return Parquet(table, facts=facts) if format == "parquet" else Ndjson(table)


def _type(table: Table, at: int) -> pa.DataType:
    kind, column = table.kinds[at], table.view.columns[at]
    if kind is ColumnKind.NUMBER:
        return pa.float64()
    each = pa.bool_() if kind is ColumnKind.VALUE and column.checked and column.type == FLAG else pa.string()
    return pa.list_(each) if column.collection and kind is not ColumnKind.QUASI else each


def _array(cells: Sequence[Cell], type_: pa.DataType) -> pa.Array:
    try:
        return pa.array(cells, type=type_)  # most columns are as they must be
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.array(_column(cells, type_), type=type_)


def _column(cells: Sequence[Cell], type_: pa.DataType) -> Sequence[Cell]:
    """Values in the form of their column."""
    if pa.types.is_floating(type_) or pa.types.is_boolean(type_):
        return cells
    if not pa.types.is_list(type_):
        return [_text(cell) for cell in cells]
    if pa.types.is_boolean(type_.value_type):
        return [cell if isinstance(cell, list) else _text(cell) for cell in cells]
    return [[cell_text(one) for one in cell] if isinstance(cell, list) else _text(cell) for cell in cells]


def _text(cell: Cell) -> str | None:
    return cell if cell is None or type(cell) is str else cell_text(cell)


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

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
