"""A table of a release as sealed files of bounded rows, made block by block as the rows come.

True here: pure; in memory are one group of rows, one chunk and one leaf of each table, however many rows there are.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from gateway.crypto.releases import Binding, FileSealing
from gateway.deid.tables import Table
from gateway.deid.views.selects import Row
from gateway.ports.clock import Entropy
from gateway.releases.model import ReleaseFile
from gateway.storage.dag import DagWriter
from gateway.storage.model import Block

PART_ROWS: Final = 250_000


class TableFile(Protocol):
    """Octets of a file as rows are added; `end` gives the last."""

    def add(self, rows: Iterable[Row]) -> bytes: ...

    def end(self) -> bytes: ...


class TableFiles(Protocol):
    """`format`: parquet or ndjson. `facts`: what the file says of itself."""

    def open(self, format: str, table: Table, *, facts: dict[str, str]) -> TableFile: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """What a release's files are sealed with."""

    binding: Binding
    secret: bytes = field(repr=False)
    half: bytes = field(repr=False)
    entropy: Entropy


class _Part:
    """One sealed file on its way into blocks."""

    def __init__(self, name: str, file: TableFile, seals: Seals) -> None:
        self.name = name
        self.rows = 0
        self._file = file
        self._sealing = FileSealing(
            seals.binding, name=name, secret=seals.secret, half=seals.half, entropy=seals.entropy
        )
        self._tree = DagWriter()
        self._hash = hashlib.sha256()
        self._size = 0

    def add(self, rows: Sequence[Row]) -> list[Block]:
        self.rows += len(rows)
        return self._taken(self._sealing.add(self._file.add(rows)))

    def end(self, table: str) -> tuple[ReleaseFile, list[Block]]:
        blocks = self._taken(self._sealing.add(self._file.end()) + self._sealing.end())
        root, last = self._tree.finish()
        made = ReleaseFile(
            name=self.name,
            table=table,
            rows=self.rows,
            size=self._size,
            sha256=self._hash.digest(),
            cid=str(root),
        )
        return made, blocks + last

    def _taken(self, sealed: bytes) -> list[Block]:
        self._hash.update(sealed)
        self._size += len(sealed)
        return self._tree.write(sealed)


class TableWriter:
    """All files of one table; one at least, so that its columns are there."""

    def __init__(self, table: Table, *, format: str, files: TableFiles, seals: Seals) -> None:
        self._table = table
        self._format = format
        self._files = files
        self._seals = seals
        self._part: _Part | None = None
        self.made: list[ReleaseFile] = []

    def add(self, rows: Sequence[Row]) -> list[Block]:
        """Blocks that are complete, children before parents."""
        blocks: list[Block] = []
        part = self._open()
        blocks += part.add(rows)
        if part.rows >= PART_ROWS:
            blocks += self._close(part)
        return blocks

    def end(self) -> list[Block]:
        return self._close(self._open()) if self._part is not None or not self.made else []

    def _open(self) -> _Part:
        if self._part is None:
            name = f"{self._table.name}/part-{len(self.made):05}.{self._format}"
            facts = {"release": self._seals.binding.release.hex(), "table": self._table.name}
            self._part = _Part(name, self._files.open(self._format, self._table, facts=facts), self._seals)
        return self._part

    def _close(self, part: _Part) -> list[Block]:
        made, blocks = part.end(self._table.name)
        self.made.append(made)
        self._part = None
        return blocks
