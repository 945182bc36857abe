"""Records and fields of comma-separated text.

True here: RFC 4180, strictly: a quote begins a field or stands doubled inside one, every record has as many fields as
the first, which names the variables. A line may end in LF too. A field in quotes is text; one without that is the mark
of a missing value (nothing, or `NA`) is missing, so the empty text and a missing one stay apart.
Source: RFC 4180.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from gateway.trials.tabulation.octets import grouped
from gateway.trials.tabulation.places import fault, limit

MOST_RECORD: Final = 2**20
"""Characters of a record."""
MOST_VARIABLES: Final = 9_999
_FIELD: Final = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^",\r\n]*+))(?:,|(\Z))')
_RECORD: Final = re.compile(r'(?:[^"\r\n]++|"(?:[^"]++|"")*+")*+\r?\n')
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvForm:
    """How fields are written. `missing`: what stands for a missing value, without quotes. `quotes_text`: around every
    text, as R has them; else where needed. `marked`: whether the file begins with a byte order mark."""

    missing: str = ""
    quotes_text: bool = False
    line_end: str = "\n"
    marked: bool = False


PLAIN: Final = CsvForm()


class Quoted(str):
    """A field that stood in quotes: text, whatever it looks like."""

    __slots__ = ()


def opened(octets: Iterable[bytes], file: str, missing: str) -> tuple[CsvForm, list[str], Iterator[str]]:
    """The form and the names of a file, and its records without their ends."""
    records = _records(octets, file)
    head = next(records, "")
    marked = head.startswith(BOM)
    names = _fields(head.removeprefix(BOM).rstrip("\r\n"), file, None)
    if not all(_NAME.fullmatch(name) for name in names):
        raise fault("has no names of variables in its first record", file=file)
    if len(names) > MOST_VARIABLES:
        raise limit(f"has more than {MOST_VARIABLES} variables", file=file)
    if len(set(names)) < len(names):
        raise fault("names a variable twice", file=file)
    form = CsvForm(
        missing=missing,
        quotes_text=all(isinstance(name, Quoted) for name in names),
        line_end="\r\n" if head.endswith("\r\n") else "\n",
        marked=marked,
    )
    return form, [str(name) for name in names], (record.rstrip("\r\n") for record in records)


def _records(octets: Iterable[bytes], file: str) -> Iterator[str]:
    """With their ends. What does not end as a record does comes last, as it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    held, row = "", 0
    for part in chain(grouped(octets), [b""]):
        try:
            held += decoder.decode(part, final=not part)
        except UnicodeDecodeError as error:
            raise fault("is not UTF-8", file=file, row=row or None) from error
        at = 0
        while found := _RECORD.match(held, at):
            yield found[0]
            at = found.end()
            row += 1
        held = held[at:]
        if len(held) > MOST_RECORD:
            raise limit(
                f"has a quote that does not end, or more than {MOST_RECORD} characters", file=file, row=row or None
            )
    if held:
        yield held


def _fields(record: str, file: str, row: int | None) -> list[str]:
    if '"' not in record and "\r" not in record:
        return record.split(",")
    made: list[str] = []
    at, last = 0, False
    while not last:
        found = _FIELD.match(record, at)
        if found is None:
            raise fault(f"its field {len(made) + 1} has a quote or a line end where none may be", file=file, row=row)
        made.append(found[2] if found[1] is None else Quoted(found[1].replace('""', '"')))
        at, last = found.end(), found[3] is not None
    return made


def checked(records: Iterable[str], width: int, file: str) -> Iterator[list[str]]:
    for row, record in enumerate(records, 1):
        fields = _fields(record, file, row)
        if len(fields) != width:
            raise fault(f"has {len(fields)} values for {width} variables", file=file, row=row)
        yield fields
