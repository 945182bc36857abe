"""Rows of tables while subject after subject is read: in one file each beside where the tables will be, put in order
when all are there. In memory are the rows of one table at a time.

True here: these files are their owner's alone, and gone when the run ends, but for one that is killed. A row that is
there twice refuses its table; rows of subjects who are not shown (another site's, erased ones) are missing.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import msgspec

from gateway.demo.model import StepFailedError
from gateway.trials import datasets
from gateway.trials.tabulation.model import Row, Table

_line = msgspec.json.Decoder(tuple[int, list[str | None]])
_FLUSHED: Final = 1 << 16


class Spool(AbstractContextManager["Spool"]):
    """`tables`: by their names."""

    def __init__(self, folder: Path, tables: Mapping[str, Table]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=".rows-", dir=folder))
        self._tables = tables
        self._files: dict[str, BinaryIO] = {
            name: (self._folder / str(at)).open("w+b", buffering=_FLUSHED) for at, name in enumerate(tables)
        }

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, name: str, number: int, row: Row) -> None:
        texts = [datasets.text_of(cell) for cell in row]
        self._files[name].write(msgspec.json.encode((number, texts)) + b"\n")

    def rows(self, name: str) -> list[Row]:
        """In the order of their numbers, which are theirs in the table. Raises StepFailedError for one that is there
        twice."""
        numbered = sorted(self._read(name), key=lambda one: one[0])
        if len({number for number, _ in numbered}) != len(numbered):
            raise StepFailedError(f"the table {name} has a row that is there twice")
        variables = self._tables[name].variables
        return [
            tuple(datasets.cell_of(text, one) for text, one in zip(texts, variables, strict=True))
            for _, texts in numbered
        ]

    def _read(self, name: str) -> Iterator[tuple[int, list[str | None]]]:
        file = self._files[name]
        file.flush()
        file.seek(0)
        for line in file:
            yield _line.decode(line)
