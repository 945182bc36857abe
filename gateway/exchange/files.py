"""The files of a folder, each told by what is in it: a definition, a table, a registration.

True here: what is read is bounded, packed files too, and a refusal names the file. A name says what kind of table it
is; of XML and JSON the first characters do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.demo.model import WrongCallError
from gateway.errors import CallerError
from gateway.trials.tabulation.described import FileKind
from gateway.trials.tabulation.octets import unpacked

MOST_FILES: Final = 1_000
MOST_OCTETS: Final = 512 << 20
"""Of one file, unpacked."""
_PORTION: Final = 1 << 20
_LOOK: Final = 4_096
_TABLES: Final = {".xpt": FileKind.XPT, ".ndjson": FileKind.NDJSON, ".dsjc": FileKind.DSJC, ".csv": FileKind.CSV}


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Of one folder, each as (name without `.gz`, octets). `registrations`: records of ClinicalTrials.gov."""

    definitions: tuple[tuple[str, bytes], ...] = field(repr=False)
    tables: tuple[tuple[str, FileKind, bytes], ...] = field(repr=False)
    registrations: tuple[tuple[str, bytes], ...] = field(repr=False)


def read_files(path: Path) -> Files:
    """Of a folder, or one file. Raises WrongCallError."""
    definitions: list[tuple[str, bytes]] = []
    tables: list[tuple[str, FileKind, bytes]] = []
    registrations: list[tuple[str, bytes]] = []
    for name, octets in _each(path):
        kind = _TABLES.get(Path(name.lower()).suffix)
        if kind is not None:
            tables.append((name, kind, octets))
            continue
        look = octets[:_LOOK].removeprefix(b"\xef\xbb\xbf").lstrip()
        if look.startswith(b"<"):
            (registrations if b"<clinical_study" in look else definitions).append((name, octets))
        elif b'"datasetJSONVersion"' in look or b'"datasetJSONCreationDateTime"' in look:
            tables.append((name, FileKind.JSON, octets))
        elif b'"protocolSection"' in look or b'"FullStudiesResponse"' in look:
            registrations.append((name, octets))
        elif look.startswith(b"{"):
            definitions.append((name, octets))
        else:
            raise WrongCallError(f"{name}: is no definition, table or registration that is known here")
    return Files(definitions=tuple(definitions), tables=tuple(tables), registrations=tuple(registrations))


def _each(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    except OSError as error:
        raise WrongCallError(f"{path}: cannot be read: {error.strerror}") from error
    known = [one for one in files if _is_known(one.name.lower())]
    if len(known) > MOST_FILES:
        raise WrongCallError(f"{path}: more than {MOST_FILES} files")
    if not known:
        raise WrongCallError(f"{path}: no definition and no table (.xml, .xpt, .json, .ndjson, .dsjc, .csv; .gz too)")
    for one in known:
        yield _name(one), _octets(one)


def _is_known(name: str) -> bool:
    return Path(name.removesuffix(".gz")).suffix in {".xml", ".json", *_TABLES} and not name.startswith(".")


def _name(path: Path) -> str:
    return path.name[:-3] if path.name.lower().endswith(".gz") else path.name


def _octets(path: Path) -> bytes:
    name = _name(path)
    try:
        with path.open("rb") as file:
            portions = iter(lambda: file.read(_PORTION), b"")
            if name != path.name:
                return b"".join(unpacked(portions, file=path.name, most=MOST_OCTETS))
            found = file.read(MOST_OCTETS + 1)
    except OSError as error:
        raise WrongCallError(f"{path}: cannot be read: {error.strerror}") from error
    except CallerError as error:
        raise WrongCallError(error.message) from error
    if len(found) > MOST_OCTETS:
        raise WrongCallError(f"{name}: has more than {MOST_OCTETS} octets")
    return found
