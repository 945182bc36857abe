"""What each row of the ports becomes in SQL, written once for SQLite, PostgreSQL, the index and the notary.

A plan names statements by number, so the notary's child executes these and nothing else. `?` marks parameters;
`for_postgres` turns it to psycopg's `%s`. Pure: no driver, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anchoring.stores.columns import join_values
from gateway.ports.listings import ConsentListed, ListingRow, PaperListed
from gateway.ports.releases import (
    AnswerRow,
    BudgetRaised,
    BudgetRow,
    BudgetSpent,
    ReleaseMoved,
    ReleasePaperRow,
    ReleasePeopleRow,
    ReleaseRow,
    ReleaseSegmentRow,
    ReleaseSegmentsGone,
)
from gateway.ports.requests import FormRow, RequestDeclined, RequestRow, RequestsOver, RequestWithdrawn
from gateway.ports.rows import (
    Bump,
    CallRow,
    ChallengeRow,
    ConsentRow,
    ConsentTakenOver,
    ContentRow,
    EmergencyRow,
    EmergencyStepRow,
    ErasureRow,
    ErasureStep,
    IdempotencyRow,
    NarrowingKind,
    NarrowingLifted,
    NarrowingRow,
    PaperRow,
    RecordRow,
    Row,
    SubjectForgotten,
    TicketRow,
    UnpinnedRow,
    UploadFinished,
    UploadGoesOn,
    UploadGone,
    UploadOver,
    UploadPart,
    UploadPartDropped,
    UploadRow,
)
from gateway.ports.sign_ins import (
    IdentitiesForgotten,
    IdentityRow,
    IdentityUnlinked,
    OtherSessionsEnded,
    SessionEnded,
    SessionRotated,
    SessionRow,
    SessionsEnded,
)
from gateway.ports.tokens import WIDEST_SKEW_SECONDS
from gateway.ports.trials import StudyEntryRow

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
ERASURE, ERASURE_STEP, FORGET_WAITING, FORGET_TOKENS, FORGET_VERSIONS, FORGET_RECORDS = range(18, 24)
FORGET_CONSENTS = 24
FORGET_NARROWINGS, LIFT, END_SESSIONS, FORGET_PAPERS, TAKE_OVER = range(25, 30)
ROTATE, SPEND_TOKEN, END_SESSION, END_OTHER_SESSIONS = range(30, 34)
IDENTITY, UNLINK, FORGET_IDENTITIES, END_BEARERS = range(34, 38)
CONTENT, UPLOAD, UPLOAD_ON, UPLOAD_OVER, UPLOAD_DONE = range(38, 43)
UPLOAD_PART, UPLOAD_DROP, UPLOAD_NO_PARTS, UPLOAD_GONE = range(43, 47)
FORGET_CONTENTS, FORGET_PARTS, FORGET_UPLOADS = range(47, 50)
LISTING, CONSENT_LISTED, PAPER_LISTED, FORGET_LISTINGS = range(50, 54)
REQUEST, WITHDRAW, DECLINE, REQUESTS_OVER, FORGET_REQUESTS = range(54, 59)
FORM = 59
RELEASE, RELEASE_MOVED, RELEASE_PAPER, RELEASE_SEGMENT, RELEASE_SEGMENTS_GONE = range(60, 65)
BUDGET, BUDGET_RAISED, BUDGET_SPENT, ANSWER = range(65, 69)
RELEASE_PEOPLE = 69
STUDY_ENTRY = 70

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
        # What the contract refused is tried anew where it is asked for anew: what stood in its way may be over.
        sql="insert into calls (call, lane, priority, contract, data, created_at) values (?, ?, ?, ?, ?, ?)"
        " on conflict (call) do update set state = 'INTENDED', error = null where calls.state = 'REVERTED'",
        exact=True,
    ),
    Statement(table="challenges", sql="insert into challenges (nonce, message_digest, expires_at) values (?, ?, ?)"),
    Statement(
        table="sessions",
        sql="insert into sessions (session, token_digest, actor, opened_at, expires_at, ends_at, label, mark,"
        " rotations) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
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
    Statement(
        table="erasures",
        sql="insert into erasures (state, begun_at, request, signature, call, shredded_at, key_epoch, domains, blocks,"
        " final_at, certificate, certify_call, subject) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    Statement(
        table="erasures",
        sql="update erasures set state = ?, begun_at = ?, request = ?, signature = ?, call = ?, shredded_at = ?,"
        " key_epoch = ?, domains = ?, blocks = ?, final_at = ?, certificate = ?, certify_call = ?"
        " where subject = ? and state = ?",
        exact=True,
    ),
    # Tokens and versions are found by the records, and waiting blocks by what names them, so those go last.
    Statement(
        table="unpinned",
        sql="delete from unpinned where digest in (select digest from narrowings where subject = ?"
        " union select digest from consents where subject = ? union select digest from papers where subject = ?)",
    ),
    Statement(table="tokens", sql="delete from tokens where record in (select record from records where subject = ?)"),
    Statement(
        table="versions", sql="delete from versions where record in (select record from records where subject = ?)"
    ),
    Statement(table="records", sql="delete from records where subject = ?"),
    Statement(table="consents", sql="delete from consents where subject = ?"),
    Statement(table="narrowings", sql="delete from narrowings where subject = ? and kind <> ?"),
    Statement(table="narrowings", sql="delete from narrowings where subject = ? and kind = ?"),
    Statement(table="sessions", sql="delete from sessions where actor = ?"),
    Statement(table="papers", sql="delete from papers where subject = ?"),
    Statement(
        table="consents", sql="update consents set digest = ?, call = ? where consent = ? and subject = ?", exact=True
    ),
    Statement(
        table="sessions",
        sql="update sessions set token_digest = ?, expires_at = ?, rotations = rotations + 1"
        " where session = ? and token_digest = ?",
        exact=True,
    ),
    Statement(
        table="spent_tokens",
        sql="insert into spent_tokens (token_digest, session, spent_at, ends_at) values (?, ?, ?, ?)",
    ),
    Statement(table="sessions", sql="delete from sessions where session = ? and actor = ?"),
    Statement(table="sessions", sql="delete from sessions where actor = ? and session <> ?"),
    Statement(
        table="identities",
        # Linked anew by the same actor; another's stands, and is a conflict. What was refused stays refused.
        sql="insert into identities (name, actor, sealed, not_before) values (?, ?, ?, ?)"
        " on conflict (name) do update set sealed = excluded.sealed, not_before = case"
        " when excluded.not_before > identities.not_before then excluded.not_before else identities.not_before end"
        " where identities.actor = excluded.actor",
        exact=True,
    ),
    Statement(table="identities", sql="delete from identities where name = ? and actor = ?"),
    Statement(table="identities", sql="delete from identities where actor = ?"),
    Statement(table="identities", sql="update identities set not_before = ? where actor = ?"),
    # An amendment names the content that it keeps once more.
    Statement(
        table="contents", sql="insert into contents (digest, record, subject) values (?, ?, ?) on conflict do nothing"
    ),
    Statement(
        table="uploads",
        sql="insert into uploads (upload, subject, owner, slot, size, sealed, expires_at, record)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    Statement(
        table="uploads",
        sql="update uploads set expires_at = ? where upload = ? and slot is not null and expires_at > ?",
        exact=True,
    ),
    Statement(
        table="uploads",
        sql="update uploads set expires_at = 0 where upload = ? and slot is not null and expires_at <= ?",
        exact=True,
    ),
    Statement(
        table="uploads",
        sql="update uploads set slot = null, expires_at = ?, record = ?"
        " where upload = ? and slot is not null and expires_at > ?",
        exact=True,
    ),
    Statement(
        table="uploads",
        # After the row of the upload, which whoever notes a part has locked by then: numbers only go up, so what was
        # begun elsewhere before does not take a number that was free again.
        sql="insert into upload_parts (upload, number, digests, sealed) select ?, ?, ?, ?"
        " where not exists (select 1 from upload_parts p where p.upload = ? and p.number >= ?)",
        exact=True,
    ),
    Statement(table="uploads", sql="delete from upload_parts where upload = ? and number = ?", exact=True),
    Statement(table="upload_parts", sql="delete from upload_parts where upload = ?"),
    Statement(table="uploads", sql="delete from uploads where upload = ?"),
    Statement(table="contents", sql="delete from contents where subject = ?"),
    Statement(
        table="upload_parts",
        sql="delete from upload_parts where upload in (select upload from uploads where subject = ?)",
    ),
    Statement(table="uploads", sql="delete from uploads where subject = ?"),
    Statement(table="listings", sql="insert into listings (token, subject, name) values (?, ?, ?)"),
    Statement(table="consents", sql="update consents set listed = 1 where consent = ? and listed = 0", exact=True),
    Statement(
        table="papers", sql="update papers set listed = 1 where subject = ? and name = ? and listed = 0", exact=True
    ),
    Statement(table="listings", sql="update listings set subject = ?, name = ? where subject = ?"),
    Statement(
        table="requests",
        sql="insert into requests (request, subject, asker, pair, asked_at, expires_at, sealed, withdrawn, declined)"
        " values (?, ?, ?, ?, ?, ?, ?, 0, 0)",
    ),
    Statement(
        table="requests",
        sql="update requests set withdrawn = 1 where request = ? and withdrawn = 0",
        exact=True,
    ),
    Statement(
        table="requests",
        sql="update requests set declined = 1 where request = ? and declined = 0",
        exact=True,
    ),
    Statement(table="requests", sql="delete from requests where asker = ? and expires_at < ?"),
    Statement(table="requests", sql="delete from requests where subject = ?"),
    Statement(table="forms", sql="insert into forms (form, version, publisher, hash, digest) values (?, ?, ?, ?, ?)"),
    Statement(
        table="releases",
        sql="insert into releases (stage, edition, cursor, looked_at, kept, builder, held_until, expires_at, release,"
        " requester) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    Statement(
        table="releases",
        sql="update releases set stage = ?, edition = ?, cursor = ?, looked_at = ?, kept = ?, builder = ?,"
        " held_until = ?, expires_at = ? where release = ? and requester = ?"
        " and stage = ? and edition = ? and cursor = ? and builder = ?",
        exact=True,
    ),
    Statement(
        table="release_papers", sql="insert into release_papers (release, number, kind, digest) values (?, ?, ?, ?)"
    ),
    Statement(table="release_segments", sql="insert into release_segments (release, number, root) values (?, ?, ?)"),
    Statement(table="release_segments", sql="delete from release_segments where release = ?"),
    Statement(
        table="budgets", sql="insert into budgets (account, most, spent) values (?, ?, ?) on conflict do nothing"
    ),
    Statement(table="budgets", sql="update budgets set spent = ? where account = ? and spent < ?"),
    Statement(
        table="budgets", sql="update budgets set spent = spent + ? where account = ? and spent + ? <= most", exact=True
    ),
    Statement(table="answers", sql="insert into answers (key, call, sealed) values (?, ?, ?)"),
    Statement(table="release_people", sql="insert into release_people (release, edition, sealed) values (?, ?, ?)"),
    Statement(
        table="study_entries",
        sql="insert into study_entries (study, number, kind, about, entry, digest) values (?, ?, ?, ?, ?, ?)",
    ),
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
        case ContentRow():
            return ((CONTENT, (row.digest, row.record, row.subject)),)
        case (
            UploadRow()
            | UploadPart()
            | UploadPartDropped()
            | UploadGoesOn()
            | UploadOver()
            | UploadFinished()
            | UploadGone()
        ):
            return _steps_of_upload(row)
        case RequestRow() | RequestWithdrawn() | RequestDeclined() | RequestsOver():
            return (_step_of_request(row),)
        case FormRow():
            return ((FORM, (row.form, row.version, row.publisher, row.hash, row.digest)),)
        case ReleaseRow() | ReleaseMoved() | ReleasePaperRow() | ReleaseSegmentRow() | ReleaseSegmentsGone():
            return (_step_of_release(row),)
        case BudgetRow():
            return ((BUDGET, (row.account, row.limit, row.spent)),)
        case BudgetRaised():
            return ((BUDGET_RAISED, (row.spent, row.account, row.spent)),)
        case BudgetSpent():
            return ((BUDGET_SPENT, (row.amount, row.account, row.amount)),)
        case ReleasePeopleRow():
            return ((RELEASE_PEOPLE, (row.release, row.edition, row.sealed)),)
        case StudyEntryRow():
            place = (row.study, row.number, int(row.kind))
            return ((STUDY_ENTRY, (*place, row.about, row.entry, row.digest)),)
        case AnswerRow():
            return ((ANSWER, (row.key, row.call, row.sealed)),)
        case Bump():
            return ((BUMP, (row.name,)),)
        case IdempotencyRow():
            return ((IDEMPOTENCY, (row.key, row.request, row.result)),)
        case ConsentRow():
            return ((CONSENT, (row.consent, row.subject, row.digest, row.call)),)
        case ConsentTakenOver():
            return ((TAKE_OVER, (row.digest, row.call, row.consent, row.subject)),)
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
            times = (row.opened_at, row.expires_at, row.ends_at)
            named = (row.session, row.token_digest, row.actor)
            return ((SESSION, (*named, *times, row.label, row.mark, row.rotations)),)
        case SessionRotated():
            moved = (row.token_digest, row.expires_at, row.session, row.before)
            return ((ROTATE, moved), (SPEND_TOKEN, (row.before, row.session, row.spent_at, row.ends_at)))
        case SessionEnded():
            return ((END_SESSION, (row.session, row.actor)),)
        case OtherSessionsEnded():
            refused = (END_BEARERS, (now + WIDEST_SKEW_SECONDS, row.actor))
            return ((END_OTHER_SESSIONS, (row.actor, row.session)), refused)
        case IdentityRow():
            return ((IDENTITY, (row.name, row.actor, row.sealed, row.not_before)),)
        case IdentityUnlinked():
            return ((UNLINK, (row.name, row.actor)),)
        case IdentitiesForgotten():
            return ((FORGET_IDENTITIES, (row.actor,)),)
        case ErasureRow():
            return ((ERASURE, _of_erasure(row)),)
        case ErasureStep():
            return ((ERASURE_STEP, (*_of_erasure(row.row), int(row.before))),)
        case SubjectForgotten():
            large = (FORGET_CONTENTS, FORGET_PARTS, FORGET_UPLOADS)
            each = (FORGET_TOKENS, FORGET_VERSIONS, FORGET_RECORDS, FORGET_CONSENTS, FORGET_PAPERS, *large)
            ended = (FORGET_NARROWINGS, (row.subject, int(NarrowingKind.ERASE)))
            waiting = (FORGET_WAITING, (row.subject,) * 3)
            unlisted = (FORGET_LISTINGS, (b"", b"", row.subject))
            asked = (FORGET_REQUESTS, (row.asked,))
            return (waiting, *((number, (row.subject,)) for number in each), ended, unlisted, asked)
        case ListingRow():
            return ((LISTING, (row.token, row.subject, row.name)),)
        case ConsentListed():
            return ((CONSENT_LISTED, (row.consent,)),)
        case PaperListed():
            return ((PAPER_LISTED, (row.subject, row.name)),)
        case NarrowingLifted():
            return ((LIFT, (row.subject, int(NarrowingKind.ERASE))),)
        case SessionsEnded():
            return ((END_SESSIONS, (row.actor,)), (END_BEARERS, (now + WIDEST_SKEW_SECONDS, row.actor)))


def _steps_of_upload(
    row: UploadRow | UploadPart | UploadPartDropped | UploadGoesOn | UploadOver | UploadFinished | UploadGone,
) -> tuple[tuple[int, Parameters], ...]:
    match row:
        case UploadRow():
            slot = -1 if row.slot is None else row.slot
            values = (row.upload, row.subject, row.owner, slot, row.size, row.sealed, row.expires_at, row.record)
            return ((UPLOAD, values),)
        case UploadPart():
            return ((UPLOAD_PART, (row.upload, row.number, row.digests, row.sealed, row.upload, row.number)),)
        case UploadPartDropped():
            return ((UPLOAD_DROP, (row.upload, row.number)),)
        case UploadGoesOn():
            return ((UPLOAD_ON, (row.expires_at, row.upload, row.now)),)
        case UploadOver():
            return ((UPLOAD_OVER, (row.upload, row.now)),)
        case UploadFinished():
            done = (UPLOAD_DONE, (row.expires_at, row.record, row.upload, row.now))
            return (done, (UPLOAD_NO_PARTS, (row.upload,)))
        case UploadGone():
            return ((UPLOAD_NO_PARTS, (row.upload,)), (UPLOAD_GONE, (row.upload,)))


def _step_of_request(
    row: RequestRow | RequestWithdrawn | RequestDeclined | RequestsOver,
) -> tuple[int, Parameters]:
    match row:
        case RequestRow():
            tokens = (row.subject, row.asker, row.pair)
            return REQUEST, (row.request, *tokens, row.asked_at, row.expires_at, row.sealed)
        case RequestWithdrawn():
            return WITHDRAW, (row.request,)
        case RequestDeclined():
            return DECLINE, (row.request,)
        case RequestsOver():
            return REQUESTS_OVER, (row.asker, row.before)


def _step_of_release(
    row: ReleaseRow | ReleaseMoved | ReleasePaperRow | ReleaseSegmentRow | ReleaseSegmentsGone,
) -> tuple[int, Parameters]:
    match row:
        case ReleaseRow():
            return RELEASE, _of_release(row)
        case ReleaseMoved():
            old = row.before
            return RELEASE_MOVED, (*_of_release(row.row), int(old.stage), old.edition, old.cursor, old.builder)
        case ReleasePaperRow():
            return RELEASE_PAPER, (row.release, row.number, int(row.kind), row.digest)
        case ReleaseSegmentRow():
            return RELEASE_SEGMENT, (row.release, row.number, row.root)
        case ReleaseSegmentsGone():
            return RELEASE_SEGMENTS_GONE, (row.release,)


def _of_release(row: ReleaseRow) -> Parameters:
    return (
        int(row.stage),
        row.edition,
        row.cursor,
        row.looked_at,
        row.kept,
        row.builder,
        row.held_until,
        row.expires_at,
        row.release,
        row.requester,
    )


def _of_erasure(row: ErasureRow) -> Parameters:
    return (
        int(row.state),
        row.begun_at,
        row.request,
        row.signature,
        row.call,
        row.shredded_at,
        row.key_epoch,
        row.domains,
        row.blocks,
        row.final_at,
        row.certificate,
        row.certify_call,
        row.subject,
    )


def _steps_of_record(row: RecordRow) -> tuple[tuple[int, Parameters], ...]:
    tokens = tuple((TOKEN, (token, row.record)) for token in dict.fromkeys(row.tokens))
    version: tuple[int, Parameters] = (VERSION, (row.record, row.version, row.digest, int(row.tree)))
    if row.version == 1:
        return ((RECORD, (row.record, row.subject, row.version, row.digest, int(row.tree))), version, *tokens)
    amend = (row.version, row.digest, int(row.tree), row.record, row.subject, row.version - 1)
    return (version, (AMEND, amend), (UNTOKEN, (row.record,)), *tokens)
