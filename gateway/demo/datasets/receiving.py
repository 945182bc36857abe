"""The researcher opens the dataset: the files over HTTP, their octets by their own key and the gateway's half.

Steps, each of which raises StepFailedError:
1. manifest: its SHA-256 is the manifest paper's; it names this release, its recipient and their key, and the files.
2. files: size and SHA-256 of the sealed octets are the manifest's; every chunk opens; only then a file has its name.
3. people: as many rows as the manifest says, each person once, and no more of them than consented.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.demo.datasets import documents
from gateway.demo.datasets.answers import File, Opened
from gateway.demo.datasets.deciding import Asked
from gateway.demo.datasets.manifest import Manifest, read_manifest
from gateway.demo.datasets.tables import row_count, texts_in
from gateway.demo.datasets.tally import EditionMade, TableMade
from gateway.demo.datasets.walk import Company, Walk
from gateway.demo.model import StepFailedError, octets
from gateway.demo.opening_files import Address, FileKeys, open_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One that was opened whole. `people`: their pseudonyms."""

    number: int
    manifest: Manifest
    people: frozenset[str] = field(repr=False)
    paths: tuple[Path, ...]

    @property
    def shows_all(self) -> bool:
        """Whether everybody who is in has a row of people: nobody was left out, and nobody is without a Patient."""
        return len(self.people) == self.manifest.released and not self.manifest.hides


def receive(walk: Walk, company: Company, asked: Asked, *, name: str) -> Edition:
    """Opens the newest edition into the folder, in place of what lay there."""
    researcher = company.researcher
    with walk.step(name, "opening the dataset") as advance:
        opened = walk.gateway.result(documents.OPEN, {"dataset": asked.id}, Opened, token=researcher.token)
        manifest = read_manifest(opened, asked, company)
        address = Address(release=asked.release, recipient=octets(researcher.actor), encryption_key=company.key.public)
        secret = company.key.open_secret(
            octets(opened.wrapped_key), address, manifest=hashlib.sha256(opened.manifest.encode()).digest()
        )
        keys = FileKeys(address=address, secret=secret, half=octets(opened.gateway_half))
        made = [_fetch(walk, company, file, asked=asked, keys=keys) for file in opened.dataset.files]
        _remove_others(walk, asked, made)
        advance(len(made))
        (walk.out / "manifest.json").write_text(opened.manifest, encoding="utf-8")
        edition = _check_tables(walk, manifest, made)
    walk.tally.files = tuple(made)
    walk.tally.editions.append(
        EditionMade(edition=edition.number, people=len(edition.people), anonymity=manifest.anonymity, files=tuple(made))
    )
    return edition


def _fetch(walk: Walk, company: Company, file: File, *, asked: Asked, keys: FileKeys) -> TableMade:
    """Downloads and opens one file. Its name is its own once its octets are known to be the manifest's."""
    path = place_of(walk.out, file, tables=asked.tables)
    path.parent.mkdir(parents=True, exist_ok=True)
    half_made = path.with_name(path.name + ".new")
    measured = Measured(walk.gateway.download(file.path, token=company.researcher.token))
    size = 0
    try:
        with half_made.open("wb") as out:
            for part in open_file(measured, keys, name=file.name):
                size += out.write(part)
        if measured.size != file.octets or "0x" + measured.hash.hexdigest() != file.sha256:
            raise StepFailedError(f"{file.name}: what was downloaded is not what the manifest names")
        half_made.replace(path)
    except OSError as error:
        raise StepFailedError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        half_made.unlink(missing_ok=True)
    return TableMade(path=str(path.relative_to(walk.out)), table=file.table, rows=file.rows, octets=size)


def _remove_others(walk: Walk, asked: Asked, made: list[TableMade]) -> None:
    """Parts of an edition before this one: whoever withdrew is in them."""
    kept = {walk.out / one.path for one in made}
    for table in asked.tables:
        for path in (walk.out / table).glob("part-*.parquet"):
            if path not in kept:
                path.unlink()


class Measured:
    """Parts as they come; their number of octets and their SHA-256 once they are all through."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self.size = 0
        self.hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self.size += len(part)
            self.hash.update(part)
            yield part


def place_of(folder: Path, file: File, *, tables: Mapping[str, object]) -> Path:
    """Where a file goes: table and part, and never outside the folder. Raises StepFailedError."""
    table, _, part = file.name.partition("/")
    number = part.removeprefix("part-").removesuffix(".parquet")
    if table != file.table or table not in tables or part != f"part-{number}.parquet" or not _is_number(number):
        raise StepFailedError("the dataset has a file of a name that is none of a table's parts")
    return folder / table / part


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) == 5


def _check_tables(walk: Walk, manifest: Manifest, made: list[TableMade]) -> Edition:
    people: list[str] = []
    for table in manifest.tables:
        paths = [walk.out / one.path for one in made if one.table == table.name]
        if sum(map(row_count, paths)) != table.rows:
            raise StepFailedError(f"the table {table.name} has not as many rows as the manifest says")
        if table.person is not None and not people:
            people = [name for path in paths for name in texts_in(path, table.person)]
    if len(set(people)) != len(people) or len(people) > walk.tally.consented:
        raise StepFailedError("the people's table holds somebody twice, or more people than consented")
    if len(people) > manifest.released:
        raise StepFailedError("the people's table holds more people than the manifest says")
    return Edition(
        number=manifest.edition,
        manifest=manifest,
        people=frozenset(people),
        paths=tuple(walk.out / one.path for one in made),
    )
