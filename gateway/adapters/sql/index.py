"""The index over SQL. Its answers are hints: callers verify what they release. No row here names a person."""

from collections.abc import Mapping, Sequence
from itertools import chain

from gateway.adapters.sql import questions
from gateway.adapters.sql.mapping import (
    consent_of,
    emergency_of,
    entry_of,
    erasure_of,
    event_of,
    form_of,
    identity_of,
    narrowing_of,
    record_of,
    release_of,
    release_paper_of,
    request_of,
    session_of,
    study_entry_of,
    upload_of,
)
from gateway.adapters.sql.postgres import PostgresSource
from gateway.adapters.sql.source import Source
from gateway.adapters.sql.sqlite import SqliteSource
from gateway.adapters.sql.statements import Value, plan
from gateway.adapters.sql.urls import sqlite_path
from gateway.ports.clock import Clock
from gateway.ports.index import LAST_SEQ, NAMED
from gateway.ports.listings import ListingRow
from gateway.ports.releases import AnswerRow, BudgetRow, ReleasePaperRow, ReleaseRow, ReleaseStage
from gateway.ports.requests import FormRow, RequestRow
from gateway.ports.rows import (
    ChallengeRow,
    ConsentRow,
    EmergencyRow,
    EmergencyStep,
    EmergencyStepRow,
    ErasureRow,
    EventRow,
    IdempotencyRow,
    LifeRow,
    NarrowingRow,
    PaperRow,
    RecordRow,
    Row,
    StoredEntry,
    UnpinnedRow,
    UploadPart,
    UploadRow,
)
from gateway.ports.sign_ins import IdentityRow, SessionRotated, SessionRow, SpentToken
from gateway.ports.trials import StudyEntryKind, StudyEntryRow
from gateway.storage.model import split_digests

_MOST = 500
"""Names in one statement; more are asked for in turns."""

_SWEEP_EACH = 16
"""Challenges and rotations between one sweep and the next: fewer than a sweep takes, so they never pile up."""


class SqlIndex:
    """`gateway.ports.index.Index` over a migrated database."""

    def __init__(self, source: Source, *, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._begun = 0

    @classmethod
    def open(cls, url: str, *, clock: Clock) -> "SqlIndex":
        """`url` as for `migrate`. UpstreamError where a SQLite file is missing; PostgreSQL is met at the first use."""
        path = sqlite_path(url)
        return cls(PostgresSource(url) if path is None else SqliteSource(path), clock=clock)

    async def head(self, record: bytes) -> RecordRow | None:
        rows = await self._source.fetch(questions.HEAD, (record,))
        return record_of(*rows[0]) if rows else None

    async def nearest(self, record: bytes) -> RecordRow | None:
        rows = await self._source.fetch(questions.NEAREST, (record,)) or await self._source.fetch(
            questions.NEAREST, (b"",)
        )
        return record_of(*rows[0]) if rows else None

    async def nearest_subject(self, subject: bytes) -> bytes | None:
        rows = await self._source.fetch(questions.NEAREST_SUBJECT, (subject,))
        rows = rows or await self._source.fetch(questions.NEAREST_SUBJECT, (b"",))
        return bytes(rows[0][0]) if rows else None

    async def version(self, record: bytes, version: int) -> RecordRow | None:
        rows = await self._source.fetch(questions.VERSION, (record, version))
        return record_of(*rows[0]) if rows else None

    async def page(
        self,
        subject: bytes,
        *,
        after: int,
        limit: int,
        tokens: Sequence[Sequence[bytes]] = (),
        before: int = LAST_SEQ,
        backwards: bool = False,
    ) -> tuple[RecordRow, ...]:
        if any(not group for group in tokens):
            return ()  # any of nothing is nothing
        has = "".join(
            f" and r.record in (select t.record from tokens t where t.token in ({_marks(group)}))"  # noqa: S608 - only marks
            for group in tokens
        )
        order = "r.seq desc" if backwards else "r.seq"
        sql = f"{questions.PRESENT} where r.subject = ? and r.seq > ? and r.seq < ?{has} order by {order} limit ?"
        rows = await self._source.fetch(sql, (subject, after, before, *chain.from_iterable(tokens), limit))
        return tuple(record_of(*row) for row in rows)

    async def named(self, subject: bytes, tokens: Sequence[bytes]) -> Mapping[bytes, tuple[RecordRow, ...]]:
        found: dict[bytes, tuple[RecordRow, ...]] = dict.fromkeys(tokens, ())
        distinct = list(found)
        for start in range(0, len(distinct), _MOST):
            some = distinct[start : start + _MOST]
            sql = questions.NAMED.format(marks=_marks(some))
            for token, *row in await self._source.fetch(sql, (subject, *some, NAMED)):
                found[bytes(token)] += (record_of(*row),)
        return found

    async def like_named(self, subject: bytes, places: Sequence[int]) -> tuple[RecordRow, ...]:
        ((first, last),) = await self._source.fetch(questions.SPAN, (subject, subject))
        if first is None or not places:
            return ()
        after = first - 1 + ((last - first + 1) * places[0] >> 32)
        rows = list(await self.page(subject, after=after, limit=len(places)))
        return tuple(rows[at % len(rows)] for at in range(len(places)))

    async def idempotency(self, key: bytes) -> IdempotencyRow | None:
        rows = await self._source.fetch("select key, request, result from idempotency where key = ?", (key,))
        return IdempotencyRow(key=rows[0][0], request=rows[0][1], result=rows[0][2]) if rows else None

    async def versions_of(self, names: Sequence[bytes]) -> Mapping[bytes, int]:
        found = dict.fromkeys(names, 0)
        distinct = list(found)
        for start in range(0, len(distinct), _MOST):
            some = distinct[start : start + _MOST]
            sql = f"select name, version from epochs where name in ({_marks(some)})"  # noqa: S608 - only marks
            for name, version in await self._source.fetch(sql, some):
                found[name] = version
        return found

    async def consents(self, subject: bytes) -> tuple[ConsentRow, ...]:
        rows = await self._source.fetch(f"{questions.CONSENT} where subject = ? order by seq", (subject,))
        return tuple(consent_of(*row) for row in rows)

    async def consent(self, consent: bytes) -> ConsentRow | None:
        rows = await self._source.fetch(f"{questions.CONSENT} where consent = ?", (consent,))
        return consent_of(*rows[0]) if rows else None

    async def narrowings(self, subject: bytes) -> tuple[NarrowingRow, ...]:
        sql = "select kind, subject, target, digest, call from narrowings where subject = ? order by seq"
        return tuple(narrowing_of(*row) for row in await self._source.fetch(sql, (subject,)))

    async def emergency(self, emergency: bytes) -> EmergencyRow | None:
        rows = await self._source.fetch(f"{questions.EMERGENCY} where e.emergency = ?", (emergency,))
        return emergency_of(*rows[0]) if rows else None

    async def emergencies(
        self,
        token: bytes,
        *,
        before: int,
        limit: int,
        unreviewed_until: int | None = None,
        after: int = -1,
        backwards: bool = False,
    ) -> tuple[EmergencyRow, ...]:
        only = ""
        asked: tuple[int, ...] = ()
        if unreviewed_until is not None:
            only, asked = (
                f" and e.opened_at <= ? and {questions.UNREVIEWED}",
                (unreviewed_until, int(EmergencyStep.REVIEW)),
            )
        sql = f"{questions.EMERGENCY}{questions.MARKED} and e.seq > ? and e.seq < ?{only} order by e.seq"
        sql += _limited(backwards)
        rows = await self._source.fetch(sql, (token, after, before, *asked, limit))
        return tuple(emergency_of(*row) for row in rows)

    async def emergency_steps(self, emergency: bytes) -> tuple[EmergencyStepRow, ...]:
        sql = "select step, digest, call from emergency_steps where emergency = ? order by step"
        return tuple(
            EmergencyStepRow(emergency=emergency, step=EmergencyStep(step), digest=digest, call=call)
            for step, digest, call in await self._source.fetch(sql, (emergency,))
        )

    async def count_emergencies(self, token: bytes, *, since: int) -> int:
        sql = f"{questions.COUNT}{questions.MARKED} and e.opened_at >= ?"
        ((count,),) = await self._source.fetch(sql, (token, since))
        return int(count)

    async def unreviewed_emergencies(self, *, until: int) -> int:
        sql = f"{questions.COUNT} where e.opened_at <= ? and {questions.UNREVIEWED}"
        ((count,),) = await self._source.fetch(sql, (until, int(EmergencyStep.REVIEW)))
        return int(count)

    async def papers(self, subject: bytes) -> tuple[PaperRow, ...]:
        rows = await self._source.fetch("select name, digest from papers where subject = ?", (subject,))
        return tuple(PaperRow(name=name, subject=subject, digest=digest) for name, digest in rows)

    async def unlisted_consents(self, *, after: int, limit: int) -> tuple[tuple[int, ConsentRow], ...]:
        rows = await self._source.fetch(f"{questions.UNLISTED_CONSENTS} limit ?", (after, limit))
        return tuple((seq, consent_of(*row)) for seq, *row in rows)

    async def unlisted_papers(self, *, after: tuple[bytes, bytes], limit: int) -> tuple[PaperRow, ...]:
        rows = await self._source.fetch(f"{questions.UNLISTED_PAPERS} limit ?", (*after, limit))
        return tuple(PaperRow(name=name, subject=subject, digest=digest) for subject, name, digest in rows)

    async def listings(self, tokens: Sequence[bytes]) -> Mapping[bytes, ListingRow]:
        found: dict[bytes, ListingRow] = {}
        for start in range(0, len(tokens), _MOST):
            some = tokens[start : start + _MOST]
            for token, subject, name in await self._source.fetch(questions.LISTINGS.format(marks=_marks(some)), some):
                found[bytes(token)] = ListingRow(token=token, subject=subject, name=name)
        return found

    async def held_by(
        self, *, signer: bytes, actor: bytes, past: bytes, limit: int, backwards: bool = False
    ) -> tuple[bytes, ...]:
        bound, down = ("key1 < ?", " desc") if backwards else ("key1 > ?", "")
        sql = questions.HELD_BY.format(bound=bound, down=down)
        return tuple(bytes(row[0]) for row in await self._source.fetch(sql, (signer, past, actor, past, limit)))

    async def request(self, request: bytes) -> RequestRow | None:
        rows = await self._source.fetch(f"{questions.REQUEST} where request = ?", (request,))
        return request_of(*rows[0]) if rows else None

    async def requests(
        self,
        *,
        subject: bytes | None = None,
        asker: bytes | None = None,
        after: int,
        before: int,
        limit: int,
        backwards: bool = False,
    ) -> tuple[RequestRow, ...]:
        column, token = ("asker", asker) if subject is None else ("subject", subject)
        if token is None:
            return ()  # of nobody there are none
        order = "seq" if backwards else "seq desc"
        sql = f"{questions.REQUEST} where {column} = ? and seq > ? and seq < ? order by {order} limit ?"
        return tuple(request_of(*row) for row in await self._source.fetch(sql, (token, after, before, limit)))

    async def count_requests(self, *, asker: bytes, since: int) -> int:
        sql = "select count(*) from requests where asker = ? and asked_at >= ?"
        ((count,),) = await self._source.fetch(sql, (asker, since))
        return int(count)

    async def open_requests(self, *, pair: bytes, now: int) -> int:
        sql = "select count(*) from requests where pair = ? and expires_at > ?"
        ((count,),) = await self._source.fetch(sql, (pair, now))
        return int(count)

    async def form(self, form: bytes, *, version: int | None = None) -> FormRow | None:
        only, asked = ("", (form,)) if version is None else (" and version = ?", (form, version))
        sql = f"{questions.FORM} where form = ?{only} order by version desc limit 1"
        rows = await self._source.fetch(sql, asked)
        return form_of(*rows[0]) if rows else None

    async def form_of_hash(self, hash: bytes) -> FormRow | None:
        rows = await self._source.fetch(f"{questions.FORM} where hash = ? order by seq limit 1", (hash,))
        return form_of(*rows[0]) if rows else None

    async def forms(
        self, *, publisher: bytes | None, form: bytes | None, before: int, limit: int
    ) -> tuple[FormRow, ...]:
        asked = [(name, value) for name, value in (("publisher", publisher), ("form", form)) if value is not None]
        only = "".join(f" and {name} = ?" for name, _ in asked)
        sql = f"{questions.FORM} where seq < ?{only} order by seq desc limit ?"
        rows = await self._source.fetch(sql, (before, *(value for _, value in asked), limit))
        return tuple(form_of(*row) for row in rows)

    async def release(self, release: bytes) -> ReleaseRow | None:
        rows = await self._source.fetch(f"{questions.RELEASE} where release = ?", (release,))
        return release_of(*rows[0]) if rows else None

    async def releases(
        self,
        *,
        requester: bytes | None,
        stages: Sequence[ReleaseStage] = (),
        after: int = 0,
        before: int = LAST_SEQ,
        limit: int,
        backwards: bool = False,
    ) -> tuple[ReleaseRow, ...]:
        only = "" if requester is None else " and requester = ?"
        only += f" and stage in ({_marks(stages)})" if stages else ""
        asked = (*(() if requester is None else (requester,)), *map(int, stages))
        order = "seq" if backwards else "seq desc"
        sql = f"{questions.RELEASE} where seq > ? and seq < ?{only} order by {order} limit ?"
        return tuple(release_of(*row) for row in await self._source.fetch(sql, (after, before, *asked, limit)))

    async def release_papers(self, release: bytes) -> tuple[ReleasePaperRow, ...]:
        rows = await self._source.fetch(questions.RELEASE_PAPERS, (release,))
        return tuple(release_paper_of(*row) for row in rows)

    async def release_segments(self, release: bytes) -> tuple[tuple[int, bytes], ...]:
        rows = await self._source.fetch(questions.RELEASE_SEGMENTS, (release,))
        return tuple((int(number), bytes(root)) for number, root in rows)

    async def subjects(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        return tuple(bytes(row[0]) for row in await self._source.fetch(questions.SUBJECTS, (after, limit)))

    async def release_people(self, *, but: bytes) -> tuple[bytes, ...]:
        rows = await self._source.fetch("select sealed from release_people where release <> ?", (but,))
        return tuple(bytes(row[0]) for row in rows)

    async def study_entries(
        self,
        study: bytes,
        *,
        after: int,
        limit: int,
        kinds: tuple[StudyEntryKind, ...] = (),
        about: bytes | None = None,
    ) -> tuple[StudyEntryRow, ...]:
        only = f" and e.kind in ({_marks(kinds)})" if kinds else ""
        only += "" if about is None else " and e.about = ?"
        asked = (*map(int, kinds), *(() if about is None else (about,)))
        rows = await self._source.fetch(questions.STUDY_ENTRIES.format(only=only), (study, after, *asked, limit))
        return tuple(study_entry_of(*row) for row in rows)

    async def study_head(self, study: bytes) -> tuple[int, bytes] | None:
        rows = await self._source.fetch(questions.STUDY_HEAD, (study,))
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else None

    async def studies(self, *, after: bytes, limit: int) -> tuple[bytes, ...]:
        return tuple(bytes(row[0]) for row in await self._source.fetch(questions.STUDIES, (after, limit)))

    async def budgets(self, accounts: Sequence[bytes]) -> Mapping[bytes, BudgetRow]:
        rows = await self._source.fetch(questions.BUDGETS.format(marks=_marks(accounts)), tuple(accounts))
        return {
            bytes(account): BudgetRow(account=bytes(account), limit=most, spent=spent) for account, most, spent in rows
        }

    async def answer(self, key: bytes) -> AnswerRow | None:
        rows = await self._source.fetch(questions.ANSWER, (key,))
        return AnswerRow(key=bytes(rows[0][0]), call=bytes(rows[0][1]), sealed=bytes(rows[0][2])) if rows else None

    async def is_controller(self, signer: bytes) -> bool:
        named = f'%"controller":"0x{signer.hex()}"%'
        return bool(await self._source.fetch(questions.CONTROLLERS, (named,)))

    async def events(self, key: bytes, *, contract: str) -> tuple[EventRow, ...]:
        rows = await self._source.fetch(questions.EVENTS, (contract, key, key, key))
        return tuple(event_of(*row) for row in rows)

    async def entries(
        self, subject_token: bytes, *, before: int, limit: int, after: int = -1, backwards: bool = False
    ) -> tuple[tuple[int, StoredEntry], ...]:
        if not subject_token:
            return ()  # entries about nobody are in nobody's log
        sql = questions.ENTRIES + _limited(backwards)
        rows = await self._source.fetch(sql, (subject_token, after, before, limit))
        return tuple((row[0], entry_of(*row[1:])) for row in rows)

    async def entry(self, decision: bytes) -> tuple[int, StoredEntry] | None:
        rows = await self._source.fetch(questions.ENTRY, (decision,))
        return (rows[0][0], entry_of(*rows[0][1:])) if rows else None

    async def unpinned(self, *, limit: int) -> tuple[UnpinnedRow, ...]:
        rows = await self._source.fetch("select digest, block from unpinned limit ?", (limit,))
        return tuple(UnpinnedRow(digest=digest, block=block) for digest, block in rows)

    async def unpinned_block(self, digest: bytes) -> UnpinnedRow | None:
        rows = await self._source.fetch("select digest, block from unpinned where digest = ?", (digest,))
        return UnpinnedRow(digest=bytes(rows[0][0]), block=bytes(rows[0][1])) if rows else None

    async def forget_unpinned(self, digests: Sequence[bytes]) -> None:
        for digest in digests:
            await self._source.execute("delete from unpinned where digest = ?", (digest,))

    async def spend_challenge(self, nonce: str, *, message_digest: bytes, now: int) -> bool:
        spent = await self._source.execute(questions.SPEND, (nonce, message_digest, now)) == 1
        await self._source.execute(questions.SWEEP, (now,))
        await self._source.execute(questions.SWEEP_SESSIONS, (now,))
        return spent

    async def session(self, token_digest: bytes, *, now: int) -> SessionRow | None:
        sql = f"{questions.SESSION} where token_digest = ? and expires_at > ?"
        rows = await self._source.fetch(sql, (token_digest, now))
        return session_of(*rows[0]) if rows else None

    async def session_named(self, session: bytes, *, now: int) -> SessionRow | None:
        rows = await self._source.fetch(f"{questions.SESSION} where session = ? and expires_at > ?", (session, now))
        return session_of(*rows[0]) if rows else None

    async def sessions(
        self, actor: bytes, *, before: int, limit: int, now: int, after: int = -1, backwards: bool = False
    ) -> tuple[SessionRow, ...]:
        sql = f"{questions.SESSION} where actor = ? and seq > ? and seq < ? and expires_at > ? order by seq"
        rows = await self._source.fetch(sql + _limited(backwards), (actor, after, before, now, limit))
        return tuple(session_of(*row) for row in rows)

    async def standing_tokens(self, token_digests: Sequence[bytes]) -> frozenset[bytes]:
        found: set[bytes] = set()
        for start in range(0, len(token_digests), _MOST):
            some = token_digests[start : start + _MOST]
            rows = await self._source.fetch(questions.STANDING + _marks(some) + ")", some)
            found.update(bytes(row[0]) for row in rows)
        return frozenset(found)

    async def identity(self, name: bytes) -> IdentityRow | None:
        rows = await self._source.fetch(f"{questions.IDENTITY} where name = ?", (name,))
        return identity_of(*rows[0]) if rows else None

    async def identities(self, actor: bytes) -> tuple[IdentityRow, ...]:
        rows = await self._source.fetch(f"{questions.IDENTITY} where actor = ? order by name limit 100", (actor,))
        return tuple(identity_of(*row) for row in rows)

    async def spent_token(self, token_digest: bytes) -> SpentToken | None:
        rows = await self._source.fetch(questions.SPENT, (token_digest,))
        return SpentToken(session=rows[0][0], actor=rows[0][1], spent_at=rows[0][2]) if rows else None

    async def entries_of(self, writer: bytes, *, first: int, last: int) -> tuple[tuple[int, StoredEntry], ...]:
        rows = await self._source.fetch(questions.ENTRIES_OF, (writer, first, last))
        return tuple((row[0], entry_of(*row[1:])) for row in rows)

    async def life(self, writer: bytes) -> LifeRow | None:
        rows = await self._source.fetch(questions.LIFE, (writer,))
        return LifeRow(writer=writer, instance=rows[0][0], previous=rows[0][1], started_at=rows[0][2]) if rows else None

    async def erasure(self, subject: bytes) -> ErasureRow | None:
        rows = await self._source.fetch(f"{questions.ERASURE} where subject = ?", (subject,))
        return erasure_of(*rows[0]) if rows else None

    async def erasures(self) -> tuple[ErasureRow, ...]:
        return tuple(erasure_of(*row) for row in await self._source.fetch(questions.ERASURE, ()))

    async def controlled_by(self, controller: bytes) -> tuple[bytes, ...]:
        sql = (
            "select distinct key1 from chain_events where orphaned_at is null and args like ?"
            " and name in ('SubjectEnrolled', 'ControllerChanged', 'CustodyEnded')"
        )
        return tuple(row[0] for row in await self._source.fetch(sql, (f'%"0x{controller.hex()}"%',)))

    async def erased_on_chain(self) -> tuple[bytes, ...]:
        sql = "select distinct key1 from chain_events where name = ? and contract = ? and orphaned_at is null"
        return tuple(row[0] for row in await self._source.fetch(sql, ("SubjectErased", "ConsentRegistry")))

    async def recovering(self) -> tuple[bytes, ...]:
        return tuple(row[0] for row in await self._source.fetch(questions.RECOVERING, ()))

    async def blocks_of(self, subject: bytes) -> tuple[tuple[bytes, bool], ...]:
        rows = await self._source.fetch(questions.BLOCKS, (subject,) * 5)
        parts = await self._source.fetch(questions.PARTS_OF, (subject,))
        under_way = {digest for (digests,) in parts for digest in split_digests(digests)}
        return (*((digest, bool(tree)) for digest, tree in rows), *((digest, False) for digest in sorted(under_way)))

    async def upload(self, upload: bytes) -> UploadRow | None:
        rows = await self._source.fetch(f"{questions.UPLOAD} where upload = ?", (upload,))
        return upload_of(*rows[0]) if rows else None

    async def upload_parts(self, upload: bytes) -> tuple[UploadPart, ...]:
        rows = await self._source.fetch(questions.PARTS, (upload,))
        return tuple(
            UploadPart(upload=upload, number=number, digests=digests, sealed=sealed) for number, digests, sealed in rows
        )

    async def upload_slots(self, owner: bytes) -> frozenset[int]:
        sql = "select slot from uploads where owner = ? and slot is not null"
        return frozenset(int(slot) for (slot,) in await self._source.fetch(sql, (owner,)))

    async def octets_under_way(self) -> int:
        ((total,),) = await self._source.fetch(questions.UPLOADS_OPEN, ())
        return int(total)

    async def uploads_over(self, *, now: int, limit: int) -> tuple[UploadRow, ...]:
        sql = f"{questions.UPLOAD} where expires_at <= ? order by expires_at limit ?"
        return tuple(upload_of(*row) for row in await self._source.fetch(sql, (now, limit)))

    async def apply(self, rows: Sequence[Row]) -> None:
        now = int(self._clock.now())
        await self._source.apply(plan(rows, now=now))
        self._begun += sum(isinstance(row, ChallengeRow | SessionRotated) for row in rows)
        if self._begun >= _SWEEP_EACH:
            self._begun = 0
            await self._source.execute(questions.SWEEP, (now,))
            await self._source.execute(questions.SWEEP_SPENT, (now,))

    async def meta(self, key: str) -> bytes | None:
        rows = await self._source.fetch("select value from meta where key = ?", (key,))
        return bytes(rows[0][0]) if rows else None

    async def check(self) -> None:
        await self._source.fetch("select 1 from meta limit 1", ())

    async def close(self) -> None:
        await self._source.close()


def _limited(backwards: bool) -> str:
    """What follows `order by …` in a list that is newest first."""
    return " limit ?" if backwards else " desc limit ?"


def _marks(values: Sequence[Value]) -> str:
    return ", ".join("?" * len(values))
