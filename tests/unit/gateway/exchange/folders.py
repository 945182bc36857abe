"""Folders of small studies, and of the real ones with fewer subjects."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.trials.tabulation.dataset_json import read_json, write_json
from gateway.trials.tabulation.model import Row, Table
from gateway.trials.tabulation.xpt import Encoding, encoding_of, read_xpt, write_xpt

SUBJECT = "USUBJID"


def pilot(shared_data: Path, folder: Path, subjects: int) -> Path:
    """The CDISC pilot's transport files with its first subjects alone, and its definition."""
    source = shared_data / "trials" / "sdtm-cdiscpilot01"
    folder.mkdir(parents=True)
    keys = _first(*_transport(source / "dm.xpt.gz")[:2], subjects)
    for path in sorted(source.glob("*.xpt.gz")):
        table, rows, encoding = _transport(path)
        kept = of(table, rows, keys)
        octets = write_xpt(table, kept, file=path.name, encoding=encoding)
        (folder / path.name.removesuffix(".gz")).write_bytes(b"".join(octets))
    (folder / "define.xml").write_bytes(gzip.decompress((source / "define.xml.gz").read_bytes()))
    return folder


def datasets(shared_data: Path, name: str, folder: Path, subjects: int) -> Path:
    """The Dataset-JSON files of a folder, likewise; `define.xml` where it has one."""
    source = shared_data / "trials" / name
    folder.mkdir(parents=True)
    files = {path: _dataset(path) for path in sorted(source.glob("*.json.gz"))}
    keys = _first(*next(iter(files.values())), subjects)
    for path, (table, rows) in files.items():
        kept = of(table, rows, keys)
        octets = write_json(replace(table, records=len(kept)), kept, file=path.name)
        (folder / path.name.removesuffix(".gz")).write_bytes(b"".join(octets))
    define = source / "define.xml.gz"
    if define.exists():
        (folder / "define.xml").write_bytes(gzip.decompress(define.read_bytes()))
    return folder


def tables_of(folder: Path) -> Mapping[str, tuple[Table, list[Row]]]:
    """Of a folder's transport and Dataset-JSON files, by their names without endings."""
    found: dict[str, tuple[Table, list[Row]]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".xpt":
            table, rows, _ = _transport(path)
            found[path.stem] = table, rows
        elif path.suffix == ".json":
            found[path.stem] = _dataset(path)
    return found


def of(table: Table, rows: Sequence[Row], keys: frozenset[str]) -> list[Row]:
    """All rows of a table about no subject, and those of these subjects of any other."""
    names = [one.name for one in table.variables]
    if SUBJECT not in names:
        return list(rows)
    at = names.index(SUBJECT)
    return [row for row in rows if row[at] in keys]


def _first(table: Table, rows: Sequence[Row], count: int) -> frozenset[str]:
    at = [one.name for one in table.variables].index(SUBJECT)
    return frozenset(sorted({str(row[at]) for row in rows})[:count])


def _octets(path: Path) -> bytes:
    octets = path.read_bytes()
    return gzip.decompress(octets) if path.suffix == ".gz" else octets


def _transport(path: Path) -> tuple[Table, list[Row], Encoding]:
    octets = _octets(path)
    encoding = encoding_of([octets], file=path.name)
    table, rows = read_xpt([octets], file=path.name, encoding=encoding)
    return table, list(rows), encoding


def _dataset(path: Path) -> tuple[Table, list[Row]]:
    table, rows = read_json([_octets(path)], file=path.name)
    return table, list(rows)
