"""One JSON object cut at its rows, without reading it whole.

True here: what is cut out is whole by its brackets and strings, and nothing is between the parts but what JSON has
there; whether a part is JSON is for who reads it. Work grows with the octets, and each part has a bound.
Source: RFC 8259, sections 2 and 7.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.errors import CallerError
from gateway.jsontext import MAX_DEPTH, loads
from gateway.trials.tabulation.octets import grouped
from gateway.trials.tabulation.places import fault, limit

_BLANKS: Final = b" \t\r\n"
_LONGEST_ROWS: Final = 26
"""Octets of `rows` as a string, each character escaped."""
MOST_HEAD: Final = 4 * 2**20
MOST_ROW: Final = 4 * 2**20
"""Octets of the metadata, and of one row."""
_SPACE: Final = rb"[ \t\r\n]*+"
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN: Final = re.compile(
    _SPACE + rb"(?:(?P<string>" + _STRING + rb")|(?P<open>[\[{])|(?P<close>[\]}])|[^ \t\r\n\"\[\]{}]++)", re.DOTALL
)
_DEEP: Final = re.compile(rb"(?:[^\"\[\]{}]++|" + _STRING + rb")*+(?:(?P<open>[\[{])|(?P<close>[\]}]))", re.DOTALL)
"""Up to the next bracket."""
_OPEN: Final = re.compile(_SPACE + rb":" + _SPACE + rb"\[" + _SPACE + rb"(\]?)")
_ROW: Final = re.compile(_SPACE + rb"(\[(?:[^\"\[\]{}]++|" + _STRING + rb")*+\])" + _SPACE + rb"([,\]])", re.DOTALL)
_END: Final = re.compile(_SPACE + rb"([},])" + _SPACE)


class Split:
    """`head` first, then `rows`."""

    def __init__(self, octets: Iterable[bytes], *, file: str) -> None:
        self._groups = grouped(octets)
        self._file = file
        self._held = b""
        self._at = 0
        self._has_rows = False

    def head(self) -> bytes:
        """The object without its `rows`, as JSON text if it is any. Raises CallerError for what is no object, or has
        its rows first."""
        parts: list[bytes] = []
        depth = size = 0
        before = b""
        while depth or not parts:
            token = self._match(_DEEP if depth > 1 else _TOKEN, MOST_HEAD, "metadata")
            kind = token.lastgroup
            if depth == 1 and kind == "string" and before[-1:] in b"{," and _is_rows(token[1]):
                self._has_rows = True
                return self._without_comma(parts)
            depth += (kind == "open") - (kind == "close")
            before = token[0]
            if not parts and not before.endswith(b"{"):
                raise fault("is no JSON object", file=self._file)
            parts.append(before)
            size += len(before)
            if size > MOST_HEAD or depth > MAX_DEPTH:
                text = f"has metadata of more than {MOST_HEAD} octets, or nested deeper than {MAX_DEPTH}"
                raise limit(text, file=self._file)
        self._finish()
        return b"".join(parts)

    def rows(self) -> Iterator[bytes]:
        """Each row, an array without arrays or objects in it, as JSON text. Raises CallerError that names the row where
        there is none, and for members after the rows."""
        if not self._has_rows:
            return
        if self._match(_OPEN, MOST_ROW, "rows")[1]:
            more = False
        else:
            more, row = True, 0
            while more:
                row += 1
                found = self._match(_ROW, MOST_ROW, f"row {row}")
                yield found[1]
                more = found[2] == b","
        if self._match(_END, MOST_ROW, "end")[1] == b",":
            raise fault("has members after its rows; put the rows last", file=self._file)
        self._finish()

    def _match(self, pattern: re.Pattern[bytes], most: int, what: str) -> re.Match[bytes]:
        """What comes next, and is passed by. A match that ends where the octets do may be longer. What does not match
        yet is tried again when there is twice as much of it, so that trying costs no more than reading."""
        found = pattern.match(self._held, self._at)
        while found is None or found.end() == len(self._held):
            if not self._fill():
                break
            found = pattern.match(self._held, self._at)
            if found is None and len(self._held) > most:
                raise limit(f"its {what} is no JSON, or more than {most} octets", file=self._file)
        if found is None:
            raise fault(f"its {what} is no JSON as Dataset-JSON has it, or the file ends within it", file=self._file)
        self._at = found.end()
        return found

    def _fill(self) -> bool:
        """More octets: as many as are held already, at least a group."""
        parts = [self._held[self._at :]]
        wanted = have = len(parts[0])
        while have <= 2 * wanted and (more := next(self._groups, b"")):
            parts.append(more)
            have += len(more)
        self._held, self._at = b"".join(parts), 0
        return have > wanted

    def _without_comma(self, parts: list[bytes]) -> bytes:
        last = parts[-1].rstrip(_BLANKS)
        if last.endswith(b"{"):
            raise fault("has its rows before its metadata; put the rows last", file=self._file)
        return b"".join([*parts[:-1], last.removesuffix(b","), b"}"])

    def _finish(self) -> None:
        while True:
            if self._held[self._at :].strip(_BLANKS):
                raise fault("goes on after its JSON object", file=self._file)
            self._at, self._held = 0, next(self._groups, b"")
            if not self._held:
                return


def _is_rows(string: bytes) -> bool:
    """Escapes or not."""
    if string == b'"rows"':
        return True
    try:
        return len(string) <= _LONGEST_ROWS and loads(string) == "rows"
    except CallerError:
        return False
