"""One file of a table, read whole: by subject where it names subjects.

True here: several files of one table must say the same; the table is then the one in the form that says most. What a
file's own form cannot tell (types of comma-separated text, encodings of transport files) is found in it, and noted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.demo.model import WrongCallError
from gateway.errors import CallerError
from gateway.exchange.model import LoadedTable
from gateway.trials import datasets
from gateway.trials.tabulation.csv import read_csv, surveyed
from gateway.trials.tabulation.dataset_json import read_dsjc, read_json, read_ndjson
from gateway.trials.tabulation.described import Described, FileKind, SourceFile
from gateway.trials.tabulation.model import DataType, Row, Table
from gateway.trials.tabulation.places import fault
from gateway.trials.tabulation.xpt import encoding_of, read_xpt

MOST_CELLS: Final = 50_000_000
"""Of all tables of a study: they are held while they are imported."""
_MISSING: Final = "NA"
"""As R writes it, which puts quotes around every text."""
_READERS: Final = {FileKind.JSON: read_json, FileKind.NDJSON: read_ndjson, FileKind.DSJC: read_dsjc}
_ORDER: Final = (FileKind.XPT, FileKind.JSON, FileKind.NDJSON, FileKind.DSJC, FileKind.CSV)


def load_tables(
    files: Sequence[tuple[str, FileKind, bytes]], texts: Mapping[str, frozenset[str]]
) -> tuple[list[LoadedTable], list[str]]:
    """Each table once, in order of their files' names; and what was noted. `texts`: of a table's name in capitals the
    variables that its definition says are text. Raises WrongCallError."""
    found: dict[str, LoadedTable] = {}
    notes: list[str] = []
    cells = 0
    for name, kind, octets in sorted(files, key=lambda one: (_ORDER.index(one[1]), one[0])):
        try:
            one = _loaded(name, kind, octets, texts)
        except CallerError as error:
            raise WrongCallError(error.message) from error
        there = found.get(one.name.upper())
        if there is not None:
            if not _same(there, one):
                raise WrongCallError(f"{name}: says otherwise than {there.described.file.name} of the same table")
            notes.append(f"{name}: is of the table of {there.described.file.name}, and says the same")
            continue
        cells += len(one.rows) * len(one.described.table.variables)
        if cells > MOST_CELLS:
            raise WrongCallError(f"{name}: the tables have more than {MOST_CELLS} values together")
        found[one.name.upper()] = one
    return sorted(found.values(), key=lambda one: one.described.file.name), notes


def _loaded(name: str, kind: FileKind, octets: bytes, texts: Mapping[str, frozenset[str]]) -> LoadedTable:
    table, rows, file = _read(name, kind, octets, texts)
    kept = tuple(rows)
    try:
        subjects, _ = datasets.by_subject(table, kept)
    except CallerError as error:
        raise fault(error.message, file=name, row=int(error.field[1]) + 1, variable=error.field[2]) from error
    described = Described(table=replace(table, records=len(kept)), file=file)
    return LoadedTable(described=described, subjects=subjects, rows=kept)


def _read(
    name: str, kind: FileKind, octets: bytes, texts: Mapping[str, frozenset[str]]
) -> tuple[Table, Iterable[Row], SourceFile]:
    if kind is FileKind.XPT:
        encoding = encoding_of([octets], file=name)
        table, rows = read_xpt([octets], file=name, encoding=encoding)
        return table, rows, SourceFile(name=name, kind=kind, encoding=encoding)
    if kind is FileKind.CSV:
        return _read_csv(name, octets, texts)
    table, rows = _READERS[kind]([octets], file=name)
    return table, rows, SourceFile(name=name, kind=kind)


def _read_csv(name: str, octets: bytes, texts: Mapping[str, frozenset[str]]) -> tuple[Table, Iterable[Row], SourceFile]:
    """The table's name is the file's. What the definition says is text is text, though it may look like a number."""
    called = Path(name).stem.upper()
    table, form = surveyed([octets], name=called, file=name)
    missing = _MISSING if form.quotes_text else ""
    if missing:
        table, _ = surveyed([octets], name=called, file=name, missing=missing)
    known = texts.get(called, frozenset())
    variables = tuple(
        replace(one, type=DataType.STRING, length=one.length or 1) if one.name.upper() in known else one
        for one in table.variables
    )
    table = replace(table, variables=variables)
    form, rows = read_csv([octets], table=table, file=name, missing=missing)
    return table, rows, SourceFile(name=name, kind=FileKind.CSV, form=form)


def _same(one: LoadedTable, other: LoadedTable) -> bool:
    """Names of variables, and every value."""
    names = [[each.name for each in table.described.table.variables] for table in (one, other)]
    return names[0] == names[1] and one.rows == other.rows
