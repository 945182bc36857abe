"""What every index must do: find what was made durable, by whichever replica, and nothing else."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anchoring.stores.columns import encode_args, join_values, split_values
from gateway.adapters.sql.index import SqlIndex
from gateway.adapters.sql.urls import sqlite_path
from gateway.errors import ConflictError, SettingsError, UpstreamError
from gateway.ports.clock import SystemClock
from gateway.ports.index import LAST_SEQ, NAMED
from gateway.ports.listings import ConsentListed, ListingRow, PaperListed
from gateway.ports.requests import RequestDeclined, RequestRow, RequestsOver, RequestWithdrawn
from gateway.ports.rows import (
    Bump,
    CallRow,
    ChallengeRow,
    ConsentRow,
    IdempotencyRow,
    NarrowingKind,
    NarrowingRow,
    PaperRow,
    RecordRow,
    SubjectForgotten,
    TicketRow,
    UploadFinished,
    UploadGoesOn,
    UploadOver,
    UploadPart,
    UploadPartDropped,
    UploadRow,
)
from gateway.ports.sign_ins import OtherSessionsEnded, SessionEnded, SessionRotated, SpentToken
from tests.ports.databases import query
from tests.ports.notaries import INSTANCE, appended, opened
from tests.ports.session_rows import session_row


def some(size: int = 32) -> bytes:
    return secrets.token_bytes(size)


def record(subject: bytes, *tokens: bytes) -> RecordRow:
    return RecordRow(record=some(16), version=1, subject=subject, digest=some(), tokens=tokens)


def call() -> CallRow:
    return CallRow(call=some(16), lane="relay", priority=1, contract="0x" + "11" * 20, data=some(100))


async def test_head_is_the_latest_version_in_the_first_ones_place(index: SqlIndex) -> None:
    first = record(some())
    second = replace(first, version=2, digest=some())
    await index.apply([first, record(first.subject)])
    placed = await index.head(first.record)
    await index.apply([second])
    head = await index.head(first.record)
    assert placed is not None
    assert head == replace(second, seq=placed.seq)


async def test_an_unknown_record_has_no_head_and_no_version(index: SqlIndex) -> None:
    assert await index.head(some(16)) is None
    assert await index.version(some(16), 1) is None


async def test_every_version_is_found_again(index: SqlIndex) -> None:
    first = record(some())
    second = replace(first, version=2, digest=some())
    await index.apply([first])
    await index.apply([second])
    found = [await index.version(first.record, number) for number in (1, 2, 3)]
    assert [version.digest if version else None for version in found] == [first.digest, second.digest, None]


async def test_two_versions_may_come_at_once_and_the_last_ones_tokens_count(index: SqlIndex) -> None:
    old, new = some(), some()
    first = record(some(), old)
    await index.apply([first, replace(first, version=2, tokens=(new,))])
    assert await index.page(first.subject, after=0, limit=9, tokens=[[old]]) == ()
    assert len(await index.page(first.subject, after=0, limit=9, tokens=[[new]])) == 1


@pytest.mark.parametrize(
    "change",
    [{"version": 1}, {"version": 3}, {"version": 2, "subject": bytes(32)}],
    ids=["a version that is there", "a version ahead", "another patient's"],
)
async def test_an_amendment_that_does_not_follow_is_a_conflict(index: SqlIndex, change: dict[str, int | bytes]) -> None:
    first = record(some())
    await index.apply([first])
    with pytest.raises(ConflictError):
        await index.apply([replace(first, digest=some(), **change)])  # type: ignore[arg-type]
    head = await index.head(first.record)
    assert head is not None
    assert head.digest == first.digest


async def test_pages_follow_one_another_and_hold_one_patient(index: SqlIndex) -> None:
    subject = some()
    mine = [record(subject) for _ in range(7)]
    await index.apply([row for each in mine for row in (each, record(some()))])
    after, seen = 0, []
    while page := await index.page(subject, after=after, limit=3):
        assert len(page) <= 3
        seen += [row.record for row in page]
        after = page[-1].seq
    assert seen == [row.record for row in mine]


async def test_pages_go_backwards_between_two_places(index: SqlIndex) -> None:
    subject = some()
    mine = [record(subject) for _ in range(7)]
    await index.apply([row for each in mine for row in (each, record(some()))])
    places = [row.seq for row in await index.page(subject, after=0, limit=9)]
    back = await index.page(subject, after=places[0], before=places[5], limit=3, backwards=True)
    assert [row.record for row in back] == [mine[at].record for at in (4, 3, 2)]
    between = await index.page(subject, after=places[0], before=places[3], limit=9)
    assert [row.record for row in between] == [mine[at].record for at in (1, 2)]


async def test_an_amendment_keeps_its_place_in_the_page(index: SqlIndex) -> None:
    subject = some()
    mine = [record(subject) for _ in range(3)]
    await index.apply(mine)
    await index.apply([replace(mine[0], version=2, digest=some())])
    page = await index.page(subject, after=0, limit=9)
    assert [(row.record, row.version) for row in page] == [
        (row.record, 2 if at == 0 else 1) for at, row in enumerate(mine)
    ]


async def test_token_groups_are_any_of_inside_and_all_of_outside(index: SqlIndex) -> None:
    subject, a, b, c = (some() for _ in range(4))
    ac, bc, b_only = record(subject, a, c), record(subject, b, c), record(subject, b)
    await index.apply([ac, bc, b_only, record(subject)])

    async def found(*groups: list[bytes]) -> list[bytes]:
        return [row.record for row in await index.page(subject, after=0, limit=9, tokens=groups)]

    assert await found([a]) == [ac.record]
    assert await found([a, b]) == [ac.record, bc.record, b_only.record]
    assert await found([a, b], [c]) == [ac.record, bc.record]
    assert await found([some()]) == []


async def test_any_of_no_token_matches_nothing(index: SqlIndex) -> None:
    row = record(some(), some())
    await index.apply([row])
    assert await index.page(row.subject, after=0, limit=9, tokens=[[]]) == ()


async def test_an_amendments_tokens_replace_the_old_ones(index: SqlIndex) -> None:
    old, new = some(), some()
    first = record(some(), old)
    await index.apply([first])
    await index.apply([replace(first, version=2, tokens=(new,))])
    assert await index.page(first.subject, after=0, limit=9, tokens=[[old]]) == ()
    assert len(await index.page(first.subject, after=0, limit=9, tokens=[[new]])) == 1


async def test_idempotency_rows_are_found_by_key(index: SqlIndex) -> None:
    row = IdempotencyRow(key=some(), request=some(), result=some(48))
    await index.apply([row])
    assert await index.idempotency(row.key) == row
    assert await index.idempotency(some()) is None


async def test_versions_count_bumps_and_start_at_nothing(index: SqlIndex) -> None:
    once, twice, never = some(), some(), some()
    await index.apply([Bump(name=once), Bump(name=twice)])
    await index.apply([Bump(name=twice)])
    assert await index.versions_of([once, twice, never]) == {once: 1, twice: 2, never: 0}


async def test_versions_of_many_names_come_in_one_answer(index: SqlIndex) -> None:
    names = [some() for _ in range(1_300)]
    await index.apply([Bump(name=name) for name in names[::2]])
    versions = await index.versions_of(names)
    assert [versions[name] for name in names] == [1, 0] * 650


async def test_consents_come_in_order_of_arrival(index: SqlIndex) -> None:
    subject = some()
    rows = [ConsentRow(consent=some(), subject=subject, digest=some(), call=some(16)) for _ in range(5)]
    for row in rows:
        await index.apply([row, replace(row, consent=some(), subject=some())])
    assert await index.consents(subject) == tuple(rows)
    assert await index.consent(rows[3].consent) == rows[3]
    assert await index.consent(some()) is None


async def test_what_nobody_listed_yet_comes_in_order_and_is_listed_once(index: SqlIndex) -> None:
    subject = some()
    made = [ConsentRow(consent=some(), subject=subject, digest=some(), call=some(16)) for _ in range(3)]
    papers = [PaperRow(name=some(), subject=subject, digest=some()) for _ in range(3)]
    await index.apply([*made, *papers])
    waiting = await index.unlisted_consents(after=-1, limit=9)
    assert [row for _, row in waiting] == made
    assert [row for _, row in await index.unlisted_consents(after=waiting[0][0], limit=1)] == made[1:2]
    in_order = sorted(papers, key=lambda row: row.name)
    assert list(await index.unlisted_papers(after=(b"", b""), limit=9)) == in_order
    assert list(await index.unlisted_papers(after=(subject, in_order[0].name), limit=1)) == in_order[1:2]
    listed = (ConsentListed(consent=made[0].consent), PaperListed(subject=subject, name=in_order[0].name))
    await index.apply(listed)
    assert [row for _, row in await index.unlisted_consents(after=-1, limit=9)] == made[1:]
    assert list(await index.unlisted_papers(after=(b"", b""), limit=9)) == in_order[1:]
    for again in listed:
        with pytest.raises(ConflictError):
            await index.apply([ListingRow(token=some(16), subject=subject, name=some()), again])


async def test_a_place_is_found_by_its_token_and_stays_when_its_patient_is_forgotten(index: SqlIndex) -> None:
    row = ListingRow(token=some(16), subject=some(), name=some())
    other = ListingRow(token=some(16), subject=some(), name=some())
    await index.apply([row, other])
    assert await index.listings([row.token, other.token, some(16)]) == {row.token: row, other.token: other}
    with pytest.raises(ConflictError):
        await index.apply([replace(other, token=row.token)])
    await index.apply([SubjectForgotten(subject=row.subject)])
    emptied = ListingRow(token=row.token, subject=b"", name=b"")
    assert await index.listings([row.token, other.token]) == {row.token: emptied, other.token: other}


def _literal(url: str, value: bytes | None) -> str:
    if value is None:
        return "null"
    return f"x'{value.hex()}'" if url.startswith("sqlite") else f"'\\x{value.hex()}'"


async def test_subjects_are_found_by_whom_an_event_gives_them_to_in_either_direction(index: SqlIndex, url: str) -> None:
    signer, actor = some(20), some()
    named = sorted(some() for _ in range(4))
    said = [
        (named[0], None, "SubjectEnrolled", signer),
        (named[1], None, "DelegateAdded", signer),
        (named[2], actor, "CredentialSet", None),
        (named[2], None, "ControllerChanged", signer),
        (named[3], some(), "CredentialSet", some(20)),
    ]
    for at, (subject, other, name, key) in enumerate(said):
        place, first, second, third = (_literal(url, value) for value in (some(), subject, other, key))
        query(
            url,
            "insert into chain_events (block_hash, log_index, block_number, contract, name, key1, key2, args,"
            f" \"transaction\", signer) values ({place}, {at}, {at}, 'ConsentRegistry', '{name}', {first}, {second},"
            f" '{{}}', {place}, {third}) returning name",
        )
    assert await index.held_by(signer=signer, actor=actor, past=b"", limit=9) == tuple(named[:3])
    assert await index.held_by(signer=signer, actor=actor, past=named[0], limit=1) == (named[1],)
    last = b"\xff" * 33
    assert await index.held_by(signer=signer, actor=actor, past=last, limit=2, backwards=True) == (named[2], named[1])
    assert await index.held_by(signer=some(20), actor=some(), past=b"", limit=9) == ()


async def test_narrowings_come_in_order_of_arrival(index: SqlIndex) -> None:
    subject = some()
    rows = [
        NarrowingRow(kind=kind, subject=subject, target=some(), digest=some(), call=some(16))
        for kind in (NarrowingKind.REVOKE_ALL, NarrowingKind.REVOKE)
    ]
    await index.apply(rows)
    assert await index.narrowings(subject) == tuple(rows)


async def test_a_narrowing_stands_once(index: SqlIndex) -> None:
    row = NarrowingRow(kind=NarrowingKind.REVOKE, subject=some(), target=some(), digest=some(), call=some(16))
    await index.apply([row])
    with pytest.raises(ConflictError):
        await index.apply([replace(row, digest=some(), call=some(16))])


async def test_events_are_found_by_any_key_in_chain_order(index: SqlIndex, url: str) -> None:
    key, contract = some(), "0x" + "22" * 20
    wide = encode_args({"amount": 2**255 + 1, "data": b"\x00\xff"})
    for number, (column, home) in enumerate([("key3", contract), ("key1", contract), ("key2", "0x" + "33" * 20)]):
        literal = f"x'{key.hex()}'" if url.startswith("sqlite") else f"'\\x{key.hex()}'"
        filler = (
            f"x'{bytes([number] * 32).hex()}'" if url.startswith("sqlite") else f"'\\x{bytes([number] * 32).hex()}'"
        )
        query(
            url,
            f"insert into chain_events (block_hash, log_index, block_number, contract, name, {column}, args,"
            f" \"transaction\", orphaned_at) values ({filler}, 0, {9 - number}, '{home}', 'Granted', {literal},"
            f" '{wide}', {filler}, {'null' if number else 12}) returning block_number",
        )
    found = await index.events(key, contract=contract)
    assert [(event.block_number, event.orphaned) for event in found] == [(8, False), (9, True)]
    assert found[0].args == {"amount": 2**255 + 1, "data": b"\x00\xff"}
    assert found[0].keys == (key,)


async def test_recoveries_that_are_not_over_are_found(index: SqlIndex, url: str) -> None:
    """Pending, or objected to; not those that a change of control or an erasure came after, nor a lost block's."""
    pending, objected, finished, again, lost, erased = (some() for _ in range(6))
    events = [
        (pending, "RecoveryProposed", 5, 0),
        (objected, "RecoveryProposed", 5, 1),
        (objected, "RecoveryObjected", 6, 0),
        (finished, "RecoveryProposed", 5, 2),
        (finished, "ControllerChanged", 5, 3),
        (again, "ControllerChanged", 4, 0),
        (again, "RecoveryProposed", 5, 4),
        (lost, "RecoveryProposed", 5, -1),
        (erased, "RecoveryProposed", 5, 5),
        (erased, "SubjectErased", 9, 0),
    ]
    for subject, name, block, place in events:
        literal = f"x'{subject.hex()}'" if url.startswith("sqlite") else f"'\\x{subject.hex()}'"
        query(
            url,
            "insert into chain_events (block_hash, log_index, block_number, contract, name, key1, args,"
            f" \"transaction\", orphaned_at) values ({literal}, {abs(place)}, {block}, 'ConsentRegistry', '{name}',"
            f" {literal}, '{{}}', {literal}, {'null' if place >= 0 else 9}) returning block_number",
        )
    assert set(await index.recovering()) == {pending, objected, again}


def test_joined_values_come_apart_again() -> None:
    values = (some(16), b"", some(32), b"\x00")
    assert split_values(join_values(values)) == values


async def test_a_challenge_is_spent_once_under_concurrency(replica: Callable[[], SqlIndex]) -> None:
    one, two = replica(), replica()
    row = ChallengeRow(nonce=secrets.token_hex(16), message_digest=some(), expires_at=2_000)
    await one.apply([row])
    tries = [
        each.spend_challenge(row.nonce, message_digest=row.message_digest, now=1_000)
        for each in (one, two)
        for _ in range(20)
    ]
    assert sum(await asyncio.gather(*tries)) == 1


async def test_a_challenge_with_another_message_or_too_late_is_not_spent(index: SqlIndex) -> None:
    row = ChallengeRow(nonce=secrets.token_hex(16), message_digest=some(), expires_at=2_000)
    await index.apply([row])
    assert not await index.spend_challenge(row.nonce, message_digest=some(), now=1_000)
    assert not await index.spend_challenge("unknown", message_digest=row.message_digest, now=1_000)
    assert not await index.spend_challenge(row.nonce, message_digest=row.message_digest, now=2_000)


async def test_unfinished_sign_ins_do_not_pile_up(index: SqlIndex, url: str) -> None:
    rows = [ChallengeRow(nonce=secrets.token_hex(16), message_digest=some(), expires_at=2_000) for _ in range(30)]
    await index.apply(rows)
    await index.spend_challenge("unknown", message_digest=some(), now=3_000)
    assert query(url, "select count(*) from challenges") == [(0,)]


async def test_a_session_ends_at_its_time(index: SqlIndex) -> None:
    row = session_row()
    await index.apply([row])
    found = await index.session(row.token_digest, now=1_999)
    assert found is not None
    assert replace(found, seq=0) == row
    assert await index.session_named(row.session, now=1_999) == found
    assert await index.session_named(row.session, now=2_000) is None
    assert await index.session(row.token_digest, now=2_000) is None
    assert await index.session(some(), now=1) is None


async def test_sessions_are_their_actors_own_newest_first(index: SqlIndex) -> None:
    actor = some()
    rows = [session_row(actor=actor) for _ in range(3)]
    await index.apply([*rows, session_row(), session_row(actor=actor, expires_at=900)])
    found = await index.sessions(actor, before=2**62, limit=2, now=1_000)
    assert [row.session for row in found] == [rows[2].session, rows[1].session]
    rest = await index.sessions(actor, before=found[-1].seq, limit=2, now=1_000)
    assert [row.session for row in rest] == [rows[0].session]


async def test_a_token_gives_way_to_one_other_and_is_known_as_spent(index: SqlIndex) -> None:
    row, fresh = session_row(), some()
    await index.apply([row])
    step = SessionRotated(
        session=row.session, before=row.token_digest, token_digest=fresh, expires_at=3_000, spent_at=7, ends_at=9_000
    )
    await index.apply([step])
    assert await index.session(row.token_digest, now=1) is None
    moved = await index.session(fresh, now=2_999)
    assert moved is not None
    assert (moved.session, moved.expires_at, moved.rotations) == (row.session, 3_000, 1)
    spent = await index.spent_token(row.token_digest)
    assert spent == SpentToken(session=row.session, actor=row.actor, spent_at=7)
    with pytest.raises(ConflictError):
        await index.apply([replace(step, token_digest=some())])
    assert await index.standing_tokens([row.token_digest, fresh]) == {fresh}


async def test_one_session_ends_and_all_others_do(index: SqlIndex) -> None:
    actor = some()
    rows = [session_row(actor=actor) for _ in range(4)]
    other = session_row()
    await index.apply([*rows, other])
    await index.apply([SessionEnded(session=rows[0].session, actor=some())])
    assert await index.session(rows[0].token_digest, now=1) is not None, "not the actor's own"
    await index.apply([SessionEnded(session=rows[0].session, actor=actor)])
    assert await index.session(rows[0].token_digest, now=1) is None
    await index.apply([OtherSessionsEnded(actor=actor, session=rows[1].session)])
    left = await index.sessions(actor, before=2**62, limit=9, now=1)
    assert [row.session for row in left] == [rows[1].session]
    assert await index.session(other.token_digest, now=1) is not None


async def test_what_is_spent_is_of_no_session_that_ended_and_does_not_pile_up(index: SqlIndex, url: str) -> None:
    row = session_row(actor=some())
    await index.apply([row])
    before = row.token_digest
    for number in range(40):
        fresh = some()
        step = SessionRotated(
            session=row.session, before=before, token_digest=fresh, expires_at=3_000, spent_at=number, ends_at=1
        )
        await index.apply([step])
        before = fresh
    assert query(url, "select count(*) from spent_tokens")[0][0] < 40
    await index.apply([SessionEnded(session=row.session, actor=row.actor)])
    assert await index.spent_token(row.token_digest) is None


async def test_entries_of_a_writer_are_found_by_their_numbers(index: SqlIndex, url: str, tmp_path: Path) -> None:
    ledger = await opened(url, tmp_path)
    written = [await appended(ledger) for _ in range(4)]
    await ledger.close()
    found = await index.entries_of(written[0].writer, first=2, last=3)
    assert [(entry.seq, entry.hash) for _, entry in found] == [(one.seq, one.entry_hash) for one in written[1:3]]
    life = await index.life(written[0].writer)
    assert life is not None
    assert (life.instance, life.previous) == (INSTANCE, bytes(32))
    assert await index.life(some()) is None


async def test_a_taken_key_leaves_nothing_of_the_rest(index: SqlIndex) -> None:
    taken = call()
    await index.apply([taken])
    session = session_row()
    ticket = TicketRow(log=some(), leaf=some(), values=(some(),), cid_digest=some(), locator=some())
    with pytest.raises(ConflictError):
        await index.apply([session, ticket, taken])
    assert await index.session(session.token_digest, now=1) is None


async def test_a_pinned_value_is_read(index: SqlIndex, url: str) -> None:
    assert await index.meta("chain_id") is None
    query(
        url,
        "insert into meta (key, value) values ('chain_id', "
        + (r"'\x31'" if sqlite_path(url) is None else "x'31'")
        + ")",
    )
    assert await index.meta("chain_id") == b"1"


async def test_a_replica_reads_what_another_has_acknowledged(replica: Callable[[], SqlIndex]) -> None:
    one, two = replica(), replica()
    for _ in range(50):
        name = some()
        await one.apply([Bump(name=name)])
        assert (await two.versions_of([name]))[name] == 1


async def test_the_check_passes_on_a_living_database(index: SqlIndex) -> None:
    await index.check()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_another_database_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        SqlIndex.open(url, clock=SystemClock())
    assert refused.value.field == ("database_url",)


def test_a_missing_file_is_no_empty_index(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError):
        SqlIndex.open(f"sqlite:///{tmp_path}/none.db", clock=SystemClock())


async def test_a_database_that_is_down_is_said_so_in_time() -> None:
    index = SqlIndex.open("postgresql+psycopg://consentry@127.0.0.1:9/none", clock=SystemClock())
    start = time.monotonic()
    with pytest.raises(UpstreamError):
        await index.head(some(16))
    await index.close()
    assert time.monotonic() - start < 9


@pytest.mark.services
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_lost_session_costs_a_read_nothing(index: SqlIndex, url: str) -> None:
    await index.meta("chain_id")
    query(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()",
    )
    assert await index.meta("chain_id") is None


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_page_is_found_by_its_index(url: str) -> None:
    plan = query(url, "explain query plan select * from records where subject = x'00' and seq > 5 order by seq limit 3")
    assert [row[3] for row in plan] == ["SEARCH records USING INDEX ix_records_subject_seq (subject=? AND seq>?)"]


async def test_records_are_found_by_a_token_within_their_subject_alone(index: SqlIndex) -> None:
    subject, token, other = some(), some(16), some(16)
    mine = [record(subject, token, some(16)) for _ in range(NAMED + 2)]
    await index.apply([*mine, record(some(), token), record(subject, other)])
    found = await index.named(subject, [token, other, some(16)])
    assert [row.record for row in found[token]] == [row.record for row in reversed(mine)][:NAMED]
    assert [len(rows) for rows in found.values()] == [NAMED, 1, 0]
    assert all(row.subject == subject and row.seq > 0 and row.newest == 1 for rows in found.values() for row in rows)


async def test_an_amended_record_is_found_by_its_newest_version(index: SqlIndex) -> None:
    first = record(some(), some(16))
    second = replace(first, version=2, digest=some(), tokens=(some(16),))
    await index.apply([first])
    await index.apply([second])
    found = await index.named(first.subject, [*first.tokens, *second.tokens])
    assert found[first.tokens[0]] == ()
    assert [row.version for row in found[second.tokens[0]]] == [2]


async def test_a_name_that_many_have_leaves_the_others_their_places(index: SqlIndex) -> None:
    subject, often, once = some(), some(16), some(16)
    await index.apply([record(subject, once), *(record(subject, often) for _ in range(40))])
    found = await index.named(subject, [often, once])
    assert [len(found[often]), len(found[once])] == [NAMED, 1]


@pytest.mark.parametrize("places", [[0], [2**32 - 1], [2**31, 7, 0], list(range(0, 2**32, 2**28))])
async def test_as_many_records_stand_in_as_there_are_places(index: SqlIndex, places: list[int]) -> None:
    subject = some()
    mine = [record(subject) for _ in range(5)]
    await index.apply([record(some()), *mine, record(some())])
    found = await index.like_named(subject, places)
    assert len(found) == len(places)
    assert {row.record for row in found} <= {row.record for row in mine}
    assert found == await index.like_named(subject, places)
    assert await index.like_named(some(), places) == ()


def upload(subject: bytes, *, expires_at: int = 100) -> UploadRow:
    return UploadRow(
        upload=some(16),
        subject=subject,
        owner=some(16),
        slot=0,
        size=9,
        sealed=some(40),
        expires_at=expires_at,
        record=b"",
    )


def part(row: UploadRow, number: int) -> UploadPart:
    return UploadPart(upload=row.upload, number=number, digests=some(), sealed=some(20))


async def test_a_number_of_a_part_is_taken_once_though_its_row_is_gone(index: SqlIndex) -> None:
    """Of two connections at two replicas one notes a part under a number that was free again: it is refused."""
    row = upload(some())
    goes_on = UploadGoesOn(upload=row.upload, now=10, expires_at=100)
    await index.apply([row])
    await index.apply([goes_on, part(row, 1)])
    await index.apply([goes_on, part(row, 2), UploadPartDropped(upload=row.upload, number=1)])
    with pytest.raises(ConflictError):
        await index.apply([goes_on, part(row, 1)])
    await index.apply([goes_on, part(row, 3), part(row, 4)])
    assert [one.number for one in await index.upload_parts(row.upload)] == [2, 3, 4]


async def test_an_upload_is_finished_or_over_and_never_both(index: SqlIndex) -> None:
    first, second = upload(some(), expires_at=50), upload(some(), expires_at=50)
    await index.apply([first, second])
    over = [UploadOver(upload=row.upload, now=60) for row in (first, second)]
    done = [UploadFinished(upload=row.upload, record=some(16), now=40, expires_at=90) for row in (first, second)]
    await index.apply([over[0]])
    with pytest.raises(ConflictError):
        await index.apply([done[0]])
    await index.apply([done[1]])
    with pytest.raises(ConflictError):
        await index.apply([over[1]])


def asked(subject: bytes, asker: bytes, *, asked_at: int = 10, expires_at: int = 100) -> RequestRow:
    return RequestRow(
        request=some(16),
        subject=subject,
        asker=asker,
        pair=asker[:8] + subject[:8],
        asked_at=asked_at,
        expires_at=expires_at,
        sealed=some(40),
    )


async def test_requests_are_listed_both_ways_and_counted(index: SqlIndex) -> None:
    subject, asker = some(16), some(16)
    mine = [asked(subject, asker, asked_at=at) for at in (10, 20, 30)]
    await index.apply([*mine, asked(some(16), some(16))])
    found = await index.requests(subject=subject, after=0, before=LAST_SEQ, limit=9)
    assert [row.request for row in found] == [row.request for row in reversed(mine)]
    assert [row.seq for row in found] == sorted((row.seq for row in found), reverse=True)
    assert replace(found[0], seq=0) == mine[2]
    older = await index.requests(asker=asker, after=0, before=found[0].seq, limit=1)
    assert [row.request for row in older] == [mine[1].request]
    newer = await index.requests(asker=asker, after=found[2].seq, before=LAST_SEQ, limit=1, backwards=True)
    assert [row.request for row in newer] == [mine[1].request]
    assert await index.requests(after=0, before=LAST_SEQ, limit=9) == ()
    assert await index.count_requests(asker=asker, since=20) == 2
    assert await index.open_requests(pair=mine[0].pair, now=99) == 3
    assert await index.open_requests(pair=mine[0].pair, now=100) == 0
    await index.apply([RequestWithdrawn(request=mine[0].request), RequestDeclined(request=mine[1].request)])
    assert await index.open_requests(pair=mine[0].pair, now=99) == 3
    states = [await index.request(row.request) for row in mine]
    assert [(row.withdrawn, row.declined) for row in states if row] == [(True, False), (False, True), (False, False)]
    for again in (RequestWithdrawn(request=mine[0].request), RequestDeclined(request=mine[1].request)):
        with pytest.raises(ConflictError):
            await index.apply([again])


async def test_requests_go_with_their_time_and_with_their_patient(index: SqlIndex) -> None:
    subject, asker = some(16), some(16)
    short, long = asked(subject, asker, expires_at=50), asked(subject, asker)
    kept = asked(some(16), asker)
    await index.apply([short, long, kept])
    await index.apply([RequestsOver(asker=asker, before=51)])
    assert await index.request(short.request) is None
    await index.apply([SubjectForgotten(subject=some(), asked=subject)])
    found = await index.requests(asker=asker, after=0, before=LAST_SEQ, limit=9)
    assert [row.request for row in found] == [kept.request]
