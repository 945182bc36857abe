"""A transport file, read row by row.

True here: in memory is one group of rows, and texts and numbers lately met. Rows end where the file's records say: the
blanks that fill the last record are none, and a row of nothing but blanks is one where the records leave no other way.
Source: SAS TS-140, "Observation records".
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from struct import Struct
from typing import Final

from gateway.trials.tabulation.model import Cell, DataType, Row, Table
from gateway.trials.tabulation.octets import GROUP, grouped
from gateway.trials.tabulation.places import converted, fault
from gateway.trials.tabulation.xpt.encodings import Encoding, likely_encoding, text_of
from gateway.trials.tabulation.xpt.header import read_head, stored
from gateway.trials.tabulation.xpt.layout import MEMBER, RECORD
from gateway.trials.tabulation.xpt.numbers import cell_of

_ANOTHER: Final = MEMBER[:48]
_REMEMBERED: Final = 2**22
"""Octets of rows after which what was met is forgotten."""


def read_xpt(octets: Iterable[bytes], *, file: str, encoding: Encoding = Encoding.UTF_8) -> tuple[Table, Iterator[Row]]:
    """The data set of a file, and its rows as they come: text, float (Decimal for more than 53 bits), None for `.`,
    `Missing` for the others; a missing text is the empty one. `file`: its name in refusals. Raises CallerError with
    file, row and variable, from here for the head and from the iterator for a row."""
    source = _Source(octets)
    table = read_head(source.take, file=file, encoding=encoding)
    return table, _rows(source, _Layout(table, file, encoding))


def encoding_of(octets: Iterable[bytes], *, file: str) -> Encoding:
    """The encoding that a file seems to be in, for it does not say: UTF-8 if all its labels and texts are, else
    windows-1252, else what reads any octets. Reads all of it; raises CallerError as `read_xpt` does."""
    table, rows = read_xpt(octets, file=file, encoding=Encoding.LATIN_1)
    labels = [table.label, *(one.label for one in table.variables)]
    return likely_encoding(chain(labels, (cell for row in rows for cell in row if isinstance(cell, str))))


class _Source:
    """Octets that are taken in any portion."""

    def __init__(self, octets: Iterable[bytes]) -> None:
        self._groups = grouped(octets)
        self._left = b""

    def take(self, size: int) -> bytes:
        """As many octets; fewer only at the end."""
        parts, have = [self._left], len(self._left)
        while have < size and (more := next(self._groups, b"")):
            parts.append(more)
            have += len(more)
        data = b"".join(parts)
        self._left = data[size:]
        return data[:size]


class _Texts(dict[bytes, str]):
    """Texts of fields lately met."""

    def __init__(self, encoding: Encoding) -> None:
        super().__init__()
        self._encoding = encoding

    def __missing__(self, raw: bytes) -> str:
        text = self[raw] = text_of(raw, self._encoding)
        return text


class _Numbers(dict[bytes, Cell]):
    """Numbers of fields lately met. A number of fewer than eight octets lacks the last ones, which are zero."""

    def __missing__(self, raw: bytes) -> Cell:
        cell = self[raw] = cell_of(int.from_bytes(raw.ljust(8, b"\0")))
        return cell


class _Layout:
    """How octets are rows of one table."""

    def __init__(self, table: Table, file: str, encoding: Encoding) -> None:
        self.file = file
        self._names = [one.name for one in table.variables]
        self._texts = _Texts(encoding)
        self._numbers = _Numbers()
        known = [self._numbers if one.type is DataType.DOUBLE else self._texts for one in table.variables]
        self._of = [one.__getitem__ for one in known]
        self._struct = Struct("".join(f"{stored(one).width}s" for one in table.variables))
        self.size = self._struct.size
        self._met = 0

    def rows(self, data: bytes, first: int) -> Iterator[Row]:
        """`data`: whole rows; `first`: the number of the first."""
        columns: list[Sequence[Cell]] = [
            converted(column, of, file=self.file, first=first, variable=name)
            for column, of, name in zip(
                zip(*self._struct.iter_unpack(data), strict=True), self._of, self._names, strict=True
            )
        ]
        self._met += len(data)
        if self._met > _REMEMBERED:
            self._texts.clear()
            self._numbers.clear()
            self._met = 0
        return zip(*columns, strict=True)


def _rows(source: _Source, layout: _Layout) -> Iterator[Row]:
    size = layout.size
    group = max(1, GROUP // size) * size
    total = made = 0  # octets met, rows given
    tail = b""
    while data := source.take(group):
        _check_one(tail + data, total - len(tail), layout.file)
        tail = (tail + data)[1 - len(_ANOTHER) :]
        total += len(data)
        filled = -(-len(data.rstrip(b" ")) // size)  # rows with anything in them
        if filled * size > len(data):
            raise fault("ends within a row", file=layout.file)
        if filled:
            before = (total - len(data)) // size
            yield from _blank(layout, before - made, made)
            yield from layout.rows(data[: filled * size], before + 1)
            made = before + filled
    yield from _blank(layout, _count(total, made, size, layout.file) - made, made)


def _count(total: int, filled: int, size: int, file: str) -> int:
    """How many rows `total` octets hold, of which `filled` is the last that is not blank: the fewest that need all
    records. Raises CallerError where no number of rows does."""
    if total % RECORD:
        raise fault("ends within a record of 80 octets", file=file)
    count = max(filled, (total - RECORD) // size + 1 if total else 0)
    if count * size > total or total - count * size >= RECORD:
        raise fault("goes on after its last row", file=file)
    return count


def _blank(layout: _Layout, count: int, made: int) -> Iterator[Row]:
    """Rows of blanks that were held back, for they might have been the end."""
    if count > 0:
        (row,) = layout.rows(b" " * layout.size, made + 1)
        yield from repeat(row, count)


def _check_one(data: bytes, start: int, file: str) -> None:
    """Raises CallerError where the header of another data set begins a record. `start`: where `data` lies among the
    octets of rows."""
    at = data.find(_ANOTHER)
    while at >= 0:
        if (start + at) % RECORD == 0:
            raise fault("holds more than one data set; write each into a file of its own", file=file)
        at = data.find(_ANOTHER, at + 1)
