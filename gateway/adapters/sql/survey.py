"""The index as one looks at it from outside: read-only, row by row, however large it is; beside a gateway at work too.

SQLite is opened with `mode=ro`, PostgreSQL in a read-only session. Blocking; each statement sees one moment.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from gateway.adapters.sql.urls import postgres_engine_url, sqlite_path
from gateway.errors import UpstreamError

Value = bytes | int | str
_EACH: Final = 500

QUERIES: Final = {
    "mark": "select 1 from meta where key = 'rebuilding'",
    "cursor": "select block_number from chain_cursor where name = 'gateway'",
    "versions": "select v.record, v.version, v.digest, v.tree, r.subject, r.version, r.digest from versions v"
    " left join records r on r.record = v.record order by v.record, v.version",
    "records": "select record, subject, version, digest, tree from records order by record",
    "version": "select digest from versions where record = :record and version = :version",
    "contents": "select digest, record, subject from contents order by digest",
    "content": "select record, subject from contents where digest = :digest",
    "parts under way": "select digests from upload_parts",
    "tokens": "select token from tokens where record = :record order by token",
    "ticket": "select cid_digest, locator, batch from tickets where leaf = :leaf and log = :log",
    "tickets": "select seq, log, leaf, values_, cid_digest, locator, batch from tickets order by seq",
    "tickets of batch": "select leaf, values_, cid_digest, locator from tickets where batch = :batch order by seq",
    "batches": "select b.id, b.log, b.root, b.manifest_digest, b.manifest_cid, b.count, b.state, b.call,"
    ' b.block_number, b.block_hash, b."transaction", c.data, c.contract from batches b'
    " left join calls c on c.call = b.call order by b.id",
    "batch": "select id from batches where log = :log and root = :root",
    "idempotency": "select key, request, result from idempotency order by key",
    "idempotent": "select request, result from idempotency where key = :key",
    "consents": "select consent, subject, digest, call from consents order by seq",
    "consent": "select digest from consents where consent = :consent",
    "narrowings": "select kind, subject, target, digest, call from narrowings order by seq",
    "narrowing": "select digest from narrowings where kind = :kind and subject = :subject and target = :target",
    "call": "select state from calls where call = :call",
    "lives": "select writer, instance, previous from writers order by instance, id",
    "entries": "select writer, seq, decision, previous, hash, public, private, subject_token, receipt_digest"
    " from entries where writer = :writer order by seq",
    "entry": "select hash from entries where writer = :writer and seq = :seq",
    "sealed": "select writer, seq, decision, previous, public, private, subject_token, receipt_digest from entries"
    " where writer = :writer and seq = :seq",
    "strays": "select distinct writer from entries e where not exists"
    " (select 1 from writers w where w.writer = e.writer)",
    "events": 'select contract, name, key1, key2, key3, args, block_number, block_hash, log_index, "transaction"'
    " from chain_events where orphaned_at is null and block_number between :first and :last"
    " order by block_number, log_index",
    "identity": "select key1, name, args from chain_events where orphaned_at is null and name in"
    " ('SubjectEnrolled', 'CustodyEnded', 'ControllerChanged', 'DelegateAdded') and key1 = :subject",
    "papers": "select name, subject, digest from papers order by subject, name",
    "paper": "select digest from papers where subject = :subject and name = :hashed",
    "hashes": "select name, args from chain_events where orphaned_at is null and key1 = :subject"
    " and name in ('DelegateAdded', 'GuardiansSet')",
    "granted": "select 1 from chain_events where orphaned_at is null and name = 'ConsentGranted'"
    " and key1 = :subject and key2 = :consent",
    "emergencies": "select emergency, digest, decision, call, opened_at, expires_at from emergencies order by seq",
    "emergency": "select digest from emergencies where emergency = :emergency",
    "emergency tokens": "select token from emergency_tokens where emergency = :emergency",
    "emergency steps": "select step, digest, call from emergency_steps where emergency = :emergency order by step",
    "emergency step": "select digest from emergency_steps where emergency = :emergency and step = :step",
    "emergency events": "select name, args from chain_events where orphaned_at is null and name in"
    " ('EmergencyOpened', 'EmergencyClosed') and key1 = :emergency",
    "log of patient": "select decision, public, private from entries where subject_token = :token order by id",
    "erased on chain": "select distinct key1 from chain_events where orphaned_at is null and name = 'SubjectErased'",
    "erasure": "select state, certificate from erasures where subject = :subject",
    "certificates": "select key2, args from chain_events where orphaned_at is null and name = 'ErasureCertified'"
    " and key1 = :subject order by block_number, log_index",
    "releases": "select release, stage from releases order by seq",
    "release papers": "select number, kind, digest from release_papers where release = :release order by number",
    "release paper": "select digest from release_papers where release = :release and number = :number",
    "release segments": "select root from release_segments where release = :release order by number",
    "release people": "select sealed from release_people where release = :release and edition = :edition",
    "studies": "select distinct study from study_entries order by study",
    "study entries": "select number, kind, about, entry, digest from study_entries where study = :study"
    " order by number",
    "study entry": "select entry from study_entries where study = :study and number = :number",
    "leaf": "select cid_digest, locator from tickets where leaf = :leaf",
    "profiles": "select key1, args from chain_events where orphaned_at is null"
    " and name in ('ActorRegistered', 'ProfileChanged') order by block_number, log_index",
}


class Survey:
    """One index. `rows` by the name of a query."""

    def __init__(self, url: str) -> None:
        path = sqlite_path(url)
        if path is None:
            options = "-c default_transaction_read_only=on"
            target, connect = postgres_engine_url(url), {"connect_timeout": 3, "options": options}
        else:
            target, connect = f"sqlite:///file:{path}?mode=ro&uri=true", {"timeout": 30, "check_same_thread": False}
        # A connection goes back after each look, and with it its transaction: nobody's log is held back for hours.
        self._engine = create_engine(target, poolclass=QueuePool, max_overflow=-1, connect_args=connect)

    def rows(self, name: str, **values: Value) -> Iterator[tuple[Any, ...]]:
        """Streamed. UpstreamError."""
        try:
            with self._engine.connect().execution_options(stream_results=True, yield_per=_EACH) as connection:
                for row in connection.execute(text(QUERIES[name]), values):
                    yield tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
        except SQLAlchemyError as error:
            raise UpstreamError(f"the database refuses ({type(error).__name__})") from error

    def one(self, name: str, **values: Value) -> tuple[Any, ...] | None:
        """The first row."""
        with contextlib.closing(self._look(name, values)) as rows:
            return next(rows, None)

    def close(self) -> None:
        self._engine.dispose()

    def _look(self, name: str, values: dict[str, Value]) -> Any:
        return self.rows(name, **values)
