"""What each row of the ports becomes in SQL, written once for SQLite, PostgreSQL, the index and the notary.

A plan names statements by number, so the notary's child executes these and nothing else. `?` marks parameters;
`for_postgres` turns it to psycopg's `%s`. Pure: no driver, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anchoring.stores.columns import join_values
from gateway.ports.rows import (
    Bump,
    CallRow,
    ChallengeRow,
    ConsentRow,
    EmergencyRow,
    EmergencyStepRow,
    IdempotencyRow,
    NarrowingRow,
    PaperRow,
    RecordRow,
    Row,
    SessionRow,
    TicketRow,
    UnpinnedRow,
)

Value = bytes | int | str
Parameters = tuple[Value, ...]
Plan = tuple[tuple[int, tuple[Parameters, ...]], ...]
"""(number of the statement, one tuple of parameters for each row), in the order to execute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`exact`: as many rows must change as parameters were given, else the key counts as taken."""

    table: str
    sql: str
    exact: bool = False


BUMP, RECORD, VERSION, AMEND, UNTOKEN, TOKEN = range(6)
IDEMPOTENCY, CONSENT, NARROWING, TICKET, CALL, CHALLENGE, SESSION = range(6, 13)
EMERGENCY, EMERGENCY_TOKEN, EMERGENCY_STEP, PAPER = range(13, 17)
UNPINNED = 17

STATEMENTS: tuple[Statement, ...] = (
    Statement(
        table="epochs",
        sql="insert into epochs (name, version) values (?, 1)"
        " on conflict (name) do update set version = epochs.version + 1",
    ),
    Statement(
        table="records", sql="insert into records (record, subject, version, digest, tree) values (?, ?, ?, ?, ?)"
    ),
    Statement(table="records", sql="insert into versions (record, version, digest, tree) values (?, ?, ?, ?)"),
    Statement(
        table="records",
        # Only the next version of the same patient's record: a record never moves, and no version is skipped.
        sql="update records set version = ?, digest = ?, tree = ? where record = ? and subject = ? and version = ?",
        exact=True,
    ),
    Statement(table="tokens", sql="delete from tokens where record = ?"),
    Statement(table="tokens", sql="insert into tokens (token, record) values (?, ?) on conflict do nothing"),
    Statement(table="idempotency", sql="insert into idempotency (key, request, result) values (?, ?, ?)"),
    Statement(table="consents", sql="insert into consents (consent, subject, digest, call) values (?, ?, ?, ?)"),
    Statement(
        table="narrowings",
        sql="insert into narrowings (kind, subject, target, digest, call) values (?, ?, ?, ?, ?)",
    ),
    Statement(
        table="tickets",
        sql="insert into tickets (log, leaf, values_, cid_digest, locator) values (?, ?, ?, ?, ?)",
    ),
    Statement(
        table="calls",
        sql="insert into calls (call, lane, priority, contract, data, created_at) values (?, ?, ?, ?, ?, ?)",
    ),
    Statement(table="challenges", sql="insert into challenges (nonce, message_digest, expires_at) values (?, ?, ?)"),
    Statement(table="sessions", sql="insert into sessions (token_digest, actor, expires_at) values (?, ?, ?)"),
    Statement(
        table="emergencies",
        sql="insert into emergencies (emergency, digest, decision, call, opened_at, expires_at)"
        " values (?, ?, ?, ?, ?, ?)",
    ),
    Statement(table="emergency_tokens", sql="insert into emergency_tokens (token, emergency) values (?, ?)"),
    Statement(
        table="emergency_steps", sql="insert into emergency_steps (emergency, step, digest, call) values (?, ?, ?, ?)"
    ),
    # Named by a hash of what it holds: another paper of that name says the same.
    Statement(table="papers", sql="insert into papers (name, subject, digest) values (?, ?, ?) on conflict do nothing"),
    Statement(table="unpinned", sql="insert into unpinned (digest, block) values (?, ?) on conflict do nothing"),
)

INSERT_ENTRY = (
    "insert into entries (writer, seq, decision, previous, hash, public, private, subject_token, receipt_digest)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def for_postgres(sql: str) -> str:
    """The same statement with psycopg's markers."""
    return sql.replace("?", "%s")


def plan(rows: Sequence[Row], *, now: int) -> Plan:
    """The statements that make `rows` so, rows of one kind together and in their order. `now`: seconds since 1970."""
    newest = {row.record: row.version for row in rows if isinstance(row, RecordRow)}
    steps: dict[int, list[Parameters]] = {}
    for row in rows:
        for number, parameters in _steps_of(row, now):
            if number == TOKEN and isinstance(row, RecordRow) and row.version != newest[row.record]:
                continue  # an earlier version in the same plan: only the latest is found by tokens
            steps.setdefault(number, []).append(parameters)
    return tuple((number, tuple(steps[number])) for number in sorted(steps))


def _steps_of(row: Row, now: int) -> tuple[tuple[int, Parameters], ...]:
    match row:
        case RecordRow():
            return _steps_of_record(row)
        case PaperRow():
            return ((PAPER, (row.name, row.subject, row.digest)),)
        case TicketRow():
            values = join_values(row.values)
            return ((TICKET, (row.log, row.leaf, values, row.cid_digest, row.locator)),)
        case Bump():
            return ((BUMP, (row.name,)),)
        case IdempotencyRow():
            return ((IDEMPOTENCY, (row.key, row.request, row.result)),)
        case ConsentRow():
            return ((CONSENT, (row.consent, row.subject, row.digest, row.call)),)
        case NarrowingRow():
            return ((NARROWING, (int(row.kind), row.subject, row.target, row.digest, row.call)),)
        case EmergencyRow():
            opened = (row.emergency, row.digest, row.decision, row.call, row.opened_at, row.expires_at)
            tokens = tuple((EMERGENCY_TOKEN, (token, row.emergency)) for token in dict.fromkeys(row.tokens))
            return ((EMERGENCY, opened), *tokens)
        case EmergencyStepRow():
            return ((EMERGENCY_STEP, (row.emergency, int(row.step), row.digest, row.call)),)
        case CallRow():
            return ((CALL, (row.call, row.lane, row.priority, row.contract, row.data, now)),)
        case UnpinnedRow():
            return ((UNPINNED, (row.digest, row.block)),)
        case ChallengeRow():
            return ((CHALLENGE, (row.nonce, row.message_digest, row.expires_at)),)
        case SessionRow():
            return ((SESSION, (row.token_digest, row.actor, row.expires_at)),)


def _steps_of_record(row: RecordRow) -> tuple[tuple[int, Parameters], ...]:
    tokens = tuple((TOKEN, (token, row.record)) for token in dict.fromkeys(row.tokens))
    version: tuple[int, Parameters] = (VERSION, (row.record, row.version, row.digest, int(row.tree)))
    if row.version == 1:
        return ((RECORD, (row.record, row.subject, row.version, row.digest, int(row.tree))), version, *tokens)
    amend = (row.version, row.digest, int(row.tree), row.record, row.subject, row.version - 1)
    return (version, (AMEND, amend), (UNTOKEN, (row.record,)), *tokens)
