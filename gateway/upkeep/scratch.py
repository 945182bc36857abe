"""What a walk over all blocks found, on disk: however many there are, memory stays flat. Thrown away at the end."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A version of a record as its block says, opened and bound to its subject's key. `tokens` joined, 16 octets each;
    `request`, `place`, `of_` as in its facts; `state`: FOUND, then ANCHORED, BATCHED, IN_DOUBT or DROPPED;
    `moment`, `log`, `batch`, `at`: where it stands in the order of arrival; `content`: digest of the root of its large
    content, if it has any."""

    digest: bytes
    tree: int
    record: bytes
    version: int
    subject: bytes
    recorded_at: int
    previous: bytes
    idempotency: bytes
    request: bytes
    place: int
    of_: int
    content_commitment: bytes
    facts_commitment: bytes
    locator: bytes
    tokens: bytes
    state: str = "FOUND"
    moment: int = 0
    log: bytes = b""
    batch: int = 0
    at: int = 0
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A signed document: the SHA-256 in its CID, whose it is, the RFC 8785 text and its signature."""

    digest: bytes
    subject: bytes
    typed_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class FoundStatement:
    """What somebody stated about an emergency: the SHA-256 in its CID, whose it is about, the text and its salt."""

    digest: bytes
    subject: bytes
    octets: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class FoundPaper:
    """What a subject's hash stands for: the SHA-256 in its CID, whose it is, its kind and that hash."""

    digest: bytes
    subject: bytes
    kind: str
    name: bytes


@dataclass(frozen=True, slots=True)
class FoundForm:
    """A version of a consent form: the SHA-256 in its CID, and its octets."""

    digest: bytes
    octets: bytes


@dataclass(frozen=True, slots=True)
class FoundRelease:
    """A paper of a release: the SHA-256 in its CID, whose it is, its place and octets, and how manifests name it."""

    digest: bytes
    release: bytes
    requester: bytes
    number: int
    kind: int
    octets: bytes
    locator: bytes


@dataclass(frozen=True, slots=True)
class FoundStudyEntry:
    """An entry of a study's journal, as its block says, or, where that does not open, the line in its batch's manifest:
    the SHA-256 in its CID, its place and kind, its SHA-256 and that of the one before, how manifests name the block.
    `subject`: known from a block, `about`: the token of it, from a line. `state`: FOUND, then BATCHED or DROPPED."""

    digest: bytes
    study: bytes
    number: int
    kind: int
    subject: bytes
    entry: bytes
    previous: bytes
    locator: bytes
    about: bytes = b""
    state: str = "FOUND"


_COLUMNS = ", ".join(field.name for field in fields(FoundRecord))
_INSERT = "insert or ignore into records values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Scratch:
    """A SQLite file of its own in the temporary folder; durable for nobody."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="consentry-rebuild-")
        self._db = sqlite3.connect(Path(self._folder.name) / "found.db", isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = off")
        self._db.execute("pragma synchronous = off")
        self._db.execute(f"create table records ({_COLUMNS}, primary key (digest)) without rowid")
        self._db.execute(
            "create view standing as select * from records where state in ('ANCHORED', 'BATCHED', 'IN_DOUBT')"
        )
        self._db.execute("create index by_version on records (record, version)")
        self._db.execute("create index by_key on records (idempotency)")
        self._db.execute("create table documents (digest primary key, subject, typed_data, signature) without rowid")
        self._db.execute("create table statements (digest primary key, subject, octets, salt) without rowid")
        self._db.execute("create table papers (digest primary key, subject, kind, name) without rowid")
        self._db.execute("create table forms (digest primary key, octets) without rowid")
        self._db.execute(
            "create table releases (digest primary key, release, requester, number, kind, octets, locator)"
            " without rowid"
        )
        self._db.execute(
            "create table study_entries (digest primary key, study, number, kind, subject, entry, previous, locator,"
            " about, state) without rowid"
        )
        self._db.execute("create index by_place on study_entries (study, number, state, digest)")
        self._db.execute("create table entries (hash primary key, previous, writer, seq, unique (writer, seq))")
        self._db.execute("create table others (content primary key, cid) without rowid")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def add_record(self, found: FoundRecord) -> None:
        self._db.execute(_INSERT, astuple(found))

    def add_document(self, found: FoundDocument) -> None:
        self._db.execute("insert or ignore into documents values (?, ?, ?, ?)", astuple(found))

    def add_statement(self, found: FoundStatement) -> None:
        self._db.execute("insert or ignore into statements values (?, ?, ?, ?)", astuple(found))

    def statements(self) -> Iterator[FoundStatement]:
        for row in self._db.execute("select digest, subject, octets, salt from statements order by digest"):
            yield FoundStatement(*row)

    def add_paper(self, found: FoundPaper) -> None:
        self._db.execute("insert or ignore into papers values (?, ?, ?, ?)", astuple(found))

    def papers(self) -> Iterator[FoundPaper]:
        for row in self._db.execute("select digest, subject, kind, name from papers order by digest"):
            yield FoundPaper(*row)

    def add_form(self, found: FoundForm) -> None:
        self._db.execute("insert or ignore into forms values (?, ?)", astuple(found))

    def forms(self) -> Iterator[FoundForm]:
        for row in self._db.execute("select digest, octets from forms order by digest"):
            yield FoundForm(*row)

    def add_release(self, found: FoundRelease) -> None:
        self._db.execute("insert or ignore into releases values (?, ?, ?, ?, ?, ?, ?)", astuple(found))

    def releases(self) -> Iterator[FoundRelease]:
        """By release and place."""
        for row in self._db.execute("select * from releases order by release, number, digest"):
            yield FoundRelease(*row)

    def add_study_entry(self, found: FoundStudyEntry) -> None:
        """In place of what is there of the same block."""
        self._db.execute("insert or replace into study_entries values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(found))

    def study_entry(self, digest: bytes) -> FoundStudyEntry | None:
        row = self._db.execute("select * from study_entries where digest = ?", (digest,)).fetchone()
        return None if row is None else FoundStudyEntry(*row)

    def mark_study_entry(self, digest: bytes, state: str) -> None:
        self._db.execute("update study_entries set state = ? where digest = ?", (state, digest))

    def unbatched_study_entries(self) -> list[FoundStudyEntry]:
        """Of few: those that no batch names."""
        sql = "select * from study_entries where state = 'FOUND' order by study, number, digest"
        return [FoundStudyEntry(*row) for row in self._db.execute(sql)]

    def study_entries(self) -> Iterator[FoundStudyEntry]:
        """By study and place, but those that were dropped; of one place, what a batch names comes first."""
        sql = "select * from study_entries where state <> 'DROPPED' order by study, number, state, digest"
        for row in self._db.execute(sql):
            yield FoundStudyEntry(*row)

    def add_other(self, content: bytes, cid: bytes) -> None:
        """A block that is not sealed by this gateway: the SHA-256 of its content, and its binary CID."""
        self._db.execute("insert or ignore into others values (?, ?)", (content, cid))

    def add_entry(self, own: bytes, previous: bytes, writer: bytes, seq: int) -> bool:
        """False where it is there already, or another of the same number is."""
        sql = "insert or ignore into entries values (?, ?, ?, ?)"
        return bool(self._db.execute(sql, (own, previous, writer, seq)).rowcount)

    def has_entry(self, own: bytes) -> bool:
        return self._db.execute("select 1 from entries where hash = ?", (own,)).fetchone() is not None

    def breaks(self) -> list[tuple[bytes, int]]:
        """(writer, seq) of entries that name one before them which is not there."""
        sql = (
            "select writer, seq from entries e where previous <> zeroblob(32)"
            " and not exists (select 1 from entries b where b.hash = e.previous) order by writer, seq"
        )
        return [(bytes(row[0]), int(row[1])) for row in self._db.execute(sql)]

    def record(self, digest: bytes) -> FoundRecord | None:
        row = self._db.execute("select * from records where digest = ?", (digest,)).fetchone()
        return None if row is None else FoundRecord(*row)

    def place(self, digest: bytes, *, state: str, moment: int, log: bytes, batch: int, at: int) -> None:
        """The first place counts: a leaf that was anchored twice keeps its first."""
        self._db.execute(
            "update records set state = ?, moment = ?, log = ?, batch = ?, at = ? where digest = ? and state = 'FOUND'",
            (state, moment, log, batch, at, digest),
        )

    def mark(self, digest: bytes, state: str) -> None:
        self._db.execute("update records set state = ? where digest = ?", (state, digest))

    def unplaced(self) -> list[FoundRecord]:
        """Of few: those that no batch names, and nothing was decided on yet."""
        sql = "select * from records where state = 'FOUND' order by recorded_at, place, digest"
        return [FoundRecord(*row) for row in self._db.execute(sql)]

    def stands(self, record: bytes, version: int) -> FoundRecord | None:
        """The version that was acknowledged."""
        sql = "select * from standing where record = ? and version = ?"
        row = self._db.execute(sql, (record, version)).fetchone()
        return None if row is None else FoundRecord(*row)

    def is_written(self, idempotency: bytes) -> bool:
        """Whether a write under this token was acknowledged."""
        sql = "select 1 from standing where idempotency = ?"
        return self._db.execute(sql, (idempotency,)).fetchone() is not None

    def latest(self) -> dict[bytes, int]:
        """The newest `moment` of each log."""
        return dict(self._db.execute("select log, max(moment) from records where log <> x'' group by log").fetchall())

    def twice(self) -> list[tuple[bytes, int]]:
        """Versions of a record that more than one acknowledged block claims to be."""
        sql = "select record, version from standing group by record, version having count(*) > 1"
        return [(row[0], row[1]) for row in self._db.execute(sql)]

    def ordered(self) -> Iterator[FoundRecord]:
        """All that will be in the index, in the order of arrival."""
        sql = (
            "select * from standing order by case when log = x'' then 1 else 0 end,"
            " moment, log, batch, at, recorded_at, place, digest"
        )
        for row in self._db.execute(sql):
            yield FoundRecord(*row)

    def newest(self) -> Iterator[FoundRecord]:
        """The latest version of each record."""
        sql = "select *, max(version) from standing group by record order by record"
        for row in self._db.execute(sql):
            yield FoundRecord(*row[:-1])

    def writes(self) -> Iterator[tuple[bytes, Sequence[FoundRecord]]]:
        """Each idempotency token, with the records that were written under it in their order."""
        sql = "select * from standing where idempotency <> x'' order by idempotency, place"
        group: list[FoundRecord] = []
        for row in self._db.execute(sql):
            found = FoundRecord(*row)
            if group and group[0].idempotency != found.idempotency:
                yield group[0].idempotency, group
                group = []
            group.append(found)
        if group:
            yield group[0].idempotency, group

    def documents(self) -> Iterator[FoundDocument]:
        for row in self._db.execute("select digest, subject, typed_data, signature from documents order by digest"):
            yield FoundDocument(*row)

    def other(self, content: bytes) -> bytes | None:
        """The binary CID of a foreign block by the SHA-256 of its content."""
        row = self._db.execute("select cid from others where content = ?", (content,)).fetchone()
        return None if row is None else bytes(row[0])

    def others(self) -> list[bytes]:
        return [bytes(row[0]) for row in self._db.execute("select cid from others order by cid")]
