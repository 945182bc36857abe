"""Opened tables on the recipient's own disk: Parquet, read by its columns. Nothing is held but one table at a time."""

from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gateway.demo.model import StepFailedError


def row_count(path: Path) -> int:
    """Raises StepFailedError for what is no Parquet."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise StepFailedError(f"{path.name}: what was opened is no Parquet file") from error


def texts_in(path: Path, column: str) -> list[str]:
    """The values of a column of texts, in order. Raises StepFailedError."""
    try:
        values: list[object] = pq.read_table(path, columns=[column]).column(column).to_pylist()
    except (pa.ArrowException, KeyError, OSError) as error:
        raise StepFailedError(f"{path.name}: no column {column} that can be read") from error
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        raise StepFailedError(f"{path.name}: the column {column} is not of texts")
    return texts


def remove_people(paths: Iterable[Path], pseudonyms: Collection[str]) -> None:
    """Every row that names one of them is gone when it returns: a file is replaced whole, or not at all."""
    names = pa.array(sorted(pseudonyms), type=pa.string())
    for path in paths:
        table = pq.read_table(path)
        for at, kind in enumerate(table.schema.types):
            if pa.types.is_string(kind):
                table = table.filter(pc.invert(pc.is_in(table.column(at), value_set=names)))
        made = path.with_name(path.name + ".new")
        pq.write_table(table, made, compression="zstd")
        made.replace(path)
