"""What every ledger must do: all or nothing, in order, only while the guards hold, and signed once durable."""

import asyncio
import itertools
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchoring.merkle import hash_leaf
from anchoring.model import LEAF_ENCODING, LogKind
from anchoring.stores.columns import split_values
from gateway.adapters.notary import keyfile, life
from gateway.adapters.notary.client import NotaryLedger
from gateway.adapters.sql.index import SqlIndex
from gateway.audit.rules import GENESIS, verify_entries
from gateway.errors import LimitError, SettingsError, UpstreamError
from gateway.ports.clock import SystemClock
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import (
    Bump,
    CallRow,
    ChallengeRow,
    ConsentRow,
    Guard,
    IdempotencyRow,
    NarrowingKind,
    NarrowingRow,
    ProfileRow,
    RecordRow,
    Row,
    SessionRow,
    TicketRow,
)
from tests.ports.databases import DATABASES, migrated_url, query
from tests.ports.notaries import INSTANCE, LOG, Open, entry, lineage, opened, settings


def some(size: int = 32) -> bytes:
    return secrets.token_bytes(size)


def record(subject: bytes | None = None) -> RecordRow:
    return RecordRow(record=some(16), version=1, subject=subject or some(), digest=some(), tokens=(some(), some()))


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return migrated_url(request, tmp_path)


@pytest.fixture
async def open_ledger(url: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens ledgers on the same database, each a replica by its `instance`."""
    ledgers: list[NotaryLedger] = []

    async def again(instance: bytes = INSTANCE) -> NotaryLedger:
        ledgers.append(await opened(url, tmp_path, instance=instance))
        return ledgers[-1]

    yield again
    for ledger in ledgers:
        await ledger.close()


@pytest.fixture
async def ledger(open_ledger: Open) -> NotaryLedger:
    return await open_ledger()


@pytest.fixture
async def index(url: str) -> AsyncIterator[SqlIndex]:
    index = SqlIndex.open(url, clock=SystemClock())
    yield index
    await index.close()


def counts(url: str) -> list[int]:
    """Rows of every table that an append may write."""
    tables = (
        "entries tickets records versions tokens idempotency consents narrowings profiles calls challenges sessions"
    )
    return [query(url, f"select count(*) from {table}")[0][0] for table in tables.split()]


async def appended(ledger: NotaryLedger, *guards: Guard, rows: Sequence[Row] = ()) -> Appended:
    answer = await ledger.append(entry(), guards=guards, rows=rows)
    assert isinstance(answer, Appended)
    return answer


async def test_the_receipt_is_completed_and_signed_with_the_published_key(ledger: NotaryLedger) -> None:
    answer = await ledger.append(entry(receipt=b'{"a":1}'), guards=[])
    assert isinstance(answer, Appended)
    expected = b'{"a":1,"writer":"0x%s","writerSeq":%d}' % (answer.writer.hex().encode(), answer.seq)
    assert answer.receipt == expected
    Ed25519PublicKey.from_public_bytes(ledger.receipt_key).verify(answer.signature, answer.receipt)


async def test_a_refusal_is_chained_and_has_no_receipt(ledger: NotaryLedger) -> None:
    answer = await ledger.append(entry(receipt=b""), guards=[])
    assert isinstance(answer, Appended)
    assert (answer.receipt, answer.signature) == (b"", b"")


@pytest.mark.parametrize("receipt", [b"[]", b"{}", b'"x"', b"{"])
async def test_a_receipt_that_is_no_object_is_a_mistake_of_ours(ledger: NotaryLedger, receipt: bytes) -> None:
    with pytest.raises(ValueError, match="receipt"):
        await ledger.append(entry(receipt=receipt), guards=[])


async def test_entries_are_chained_in_the_order_of_the_calls(ledger: NotaryLedger, url: str) -> None:
    entries = [entry() for _ in range(300)]
    answers = await asyncio.gather(*(ledger.append(each, guards=[]) for each in entries))
    assert [answer.seq for answer in answers if isinstance(answer, Appended)] == list(range(1, 301))
    stored = lineage(url)
    assert [each.decision for each in stored] == [each.decision for each in entries]
    assert verify_entries(stored) is None


async def test_every_row_is_found_after_the_append(ledger: NotaryLedger, index: SqlIndex, url: str) -> None:
    subject = some()
    consent = ConsentRow(consent=some(), subject=subject, digest=some(), call=some(16))
    rows: list[Row] = [
        mine := record(subject),
        IdempotencyRow(key=some(), request=some(), result=some()),
        consent,
        NarrowingRow(kind=NarrowingKind.REVOKE, subject=subject, target=some(), digest=some(), call=some(16)),
        ProfileRow(actor=subject, digest=some()),
        TicketRow(log=some(), leaf=some(), values=(some(),), cid_digest=some(), locator=some()),
        CallRow(call=consent.call, lane="relay", priority=0, contract="0x" + "11" * 20, data=b"\x01"),
        Bump(name=subject),
        ChallengeRow(nonce="n", message_digest=some(), expires_at=1),
        SessionRow(token_digest=some(), actor=some(), expires_at=1),
    ]
    await appended(ledger, rows=rows)
    assert counts(url) == [1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]
    assert (await index.versions_of([subject]))[subject] == 1
    head = await index.head(mine.record)
    assert head is not None
    assert head.digest == mine.digest


async def test_every_entry_has_its_leaf_on_the_way_to_the_chain(ledger: NotaryLedger, url: str) -> None:
    answers = await asyncio.gather(*(ledger.append(entry(), guards=[]) for _ in range(20)))
    tickets = query(url, "select log, leaf, values_ from tickets order by seq")
    assert [split_values(values)[2] for _, _, values in tickets] == [
        answer.entry_hash for answer in answers if isinstance(answer, Appended)
    ]
    for log, leaf, values in tickets:
        assert log == LOG
        assert leaf == hash_leaf(LEAF_ENCODING[LogKind.AUDIT], split_values(values))


async def test_a_patient_finds_their_own_entries_newest_first(ledger: NotaryLedger, index: SqlIndex) -> None:
    token = some()
    mine = [entry(subject_token=token) for _ in range(5)]
    for each in mine:
        await ledger.append(each, guards=[])
        await ledger.append(entry(subject_token=some()), guards=[])
    newest = await index.entries(token, before=2**62, limit=2)
    older = await index.entries(token, before=newest[-1][0], limit=9)
    assert [stored.decision for _, stored in (*newest, *older)] == [each.decision for each in reversed(mine)]
    assert await index.entries(b"", before=2**62, limit=9) == ()


async def test_a_stale_append_writes_nothing(ledger: NotaryLedger, url: str) -> None:
    name, other = some(), some()
    await appended(ledger, rows=[Bump(name=name)])
    before = counts(url)
    guards = [Guard(name=other, version=0), Guard(name=name, version=0)]
    answer = await ledger.append(entry(), guards=guards, rows=[record(), Bump(name=other)])
    assert answer == Stale(name=name)
    assert counts(url) == before
    await appended(ledger, Guard(name=name, version=1), Guard(name=other, version=0))


async def test_a_guard_ahead_of_the_truth_is_stale(ledger: NotaryLedger) -> None:
    name = some()
    assert await ledger.append(entry(), guards=[Guard(name=name, version=1)]) == Stale(name=name)


async def test_a_bump_counts_for_what_comes_after_it_in_the_same_group(ledger: NotaryLedger) -> None:
    name = some()
    old = Guard(name=name, version=0)
    answers = await asyncio.gather(
        ledger.append(entry(), guards=[old]),
        ledger.append(entry(), guards=[old], rows=[Bump(name=name)]),
        ledger.append(entry(), guards=[old]),
        ledger.append(entry(), guards=[Guard(name=name, version=1)]),
    )
    assert [type(answer) for answer in answers] == [Appended, Appended, Stale, Appended]


TAKEN: list[tuple[str, Row]] = [
    ("records", RecordRow(record=bytes(16), version=1, subject=bytes(32), digest=bytes(32))),
    ("idempotency", IdempotencyRow(key=bytes(32), request=bytes(32), result=bytes(16))),
    ("consents", ConsentRow(consent=bytes(32), subject=bytes(32), digest=bytes(32), call=bytes(16))),
    ("calls", CallRow(call=bytes(16), lane="relay", priority=0, contract="0x", data=b"")),
    ("challenges", ChallengeRow(nonce="n", message_digest=bytes(32), expires_at=1)),
    ("sessions", SessionRow(token_digest=bytes(32), actor=bytes(32), expires_at=1)),
    ("tickets", TicketRow(log=LOG, leaf=bytes(32), values=(b"",), cid_digest=bytes(32), locator=b"")),
]


@pytest.mark.parametrize(("table", "row"), TAKEN, ids=[table for table, _ in TAKEN])
async def test_a_taken_key_writes_nothing_and_disturbs_nobody(
    ledger: NotaryLedger, url: str, table: str, row: Row
) -> None:
    await appended(ledger, rows=[row])
    before = counts(url)
    name = some()
    answers = await asyncio.gather(
        ledger.append(entry(), guards=[]),
        ledger.append(entry(), guards=[], rows=[record(), row, Bump(name=name)]),
        ledger.append(entry(), guards=[Guard(name=name, version=0)]),
    )
    assert [type(answer) for answer in answers] == [Appended, Taken, Appended]
    assert answers[1] == Taken(table=table)
    assert counts(url) == [before[0] + 2, before[1] + 2, *before[2:]]
    assert verify_entries(lineage(url)) is None


async def test_an_amendment_needs_the_version_before_it(ledger: NotaryLedger) -> None:
    first = record()
    await appended(ledger, rows=[first])
    answers = [
        await ledger.append(entry(), guards=[], rows=[replace(first, version=number)]) for number in (3, 2, 2, 3)
    ]
    assert [type(answer) for answer in answers] == [Taken, Appended, Taken, Appended]


async def test_one_of_many_amendments_at_once_stands(open_ledger: Open) -> None:
    replicas = [await open_ledger(), await open_ledger(some())]
    first = record()
    await appended(replicas[0], rows=[first])
    tries = [
        each.append(entry(), guards=[], rows=[replace(first, version=2, digest=some())])
        for each in replicas
        for _ in range(8)
    ]
    answers = await asyncio.gather(*tries)
    assert sum(isinstance(answer, Appended) for answer in answers) == 1
    assert answers.count(Taken(table="records")) == 15


async def test_a_whole_bundle_is_one_append(ledger: NotaryLedger, index: SqlIndex, url: str) -> None:
    subject = some()
    rows: list[Row] = [record(subject) for _ in range(3_000)]
    await appended(ledger, Guard(name=subject, version=0), rows=rows)
    page = await index.page(subject, after=0, limit=5_000)
    assert [row.record for row in page] == [row.record for row in rows if isinstance(row, RecordRow)]


async def test_too_much_for_one_transaction_is_refused_before_it_is_sent(ledger: NotaryLedger) -> None:
    with pytest.raises(LimitError):
        await ledger.append(replace(entry(), private=bytes(65 << 20)), guards=[])
    await appended(ledger)


async def test_a_revocation_on_one_replica_binds_the_other(open_ledger: Open) -> None:
    """No append with an older version is acknowledged if it began after a newer one was acknowledged anywhere."""
    replicas = [await open_ledger(), await open_ledger(some())]
    names = [some() for _ in range(4)]
    acknowledged = dict.fromkeys(names, 0)
    done = asyncio.Event()
    wrong: list[tuple[int, int]] = []
    outcomes = {Appended: 0, Stale: 0, Taken: 0}

    async def read(ledger: NotaryLedger) -> None:
        while not done.is_set():
            picked = random.sample(names, 2)
            begun = [acknowledged[name] for name in picked]
            guessed = [max(0, version - random.choice((0, 0, 0, 1))) for version in begun]
            guards = [Guard(name=name, version=version) for name, version in zip(picked, guessed, strict=True)]
            answer = await ledger.append(entry(), guards=guards)
            outcomes[type(answer)] += 1
            if isinstance(answer, Appended):
                wrong.extend(pair for pair in zip(guessed, begun, strict=True) if pair[0] < pair[1])

    async def revoke(ledger: NotaryLedger, name: bytes) -> None:
        for version in itertools.count(1):
            if version > 60:
                return
            await appended(ledger, Guard(name=name, version=version - 1), rows=[Bump(name=name)])
            acknowledged[name] = version
            await asyncio.sleep(random.random() * 0.004)

    readers = [asyncio.create_task(read(each)) for each in replicas for _ in range(6)]
    await asyncio.gather(*(revoke(replicas[at % 2], name) for at, name in enumerate(names)))
    done.set()
    await asyncio.gather(*readers)
    assert wrong == []
    assert outcomes[Appended] > 50
    assert outcomes[Stale] > 50


async def test_crossing_guards_and_bumps_on_two_replicas_all_end(open_ledger: Open) -> None:
    """Each holds what the other wants next: none may wait for ever, none may fail."""
    replicas = [await open_ledger(), await open_ledger(some())]
    names = [some() for _ in range(6)]

    async def work(ledger: NotaryLedger) -> None:
        for _ in range(40):
            one, other = random.sample(names, 2)
            await ledger.append(entry(), guards=[Guard(name=one, version=0)], rows=[Bump(name=other), record(one)])

    await asyncio.gather(*(work(each) for each in replicas for _ in range(4)))


async def test_what_was_acknowledged_survives_kill_9_and_the_chain_goes_on(ledger: NotaryLedger, url: str) -> None:
    acked: dict[bytes, Appended] = {}
    in_doubt = 0
    done = asyncio.Event()

    async def write() -> None:
        nonlocal in_doubt
        while not done.is_set():
            each = entry()
            try:
                answer = await ledger.append(each, guards=[], rows=[record()] if random.random() < 0.3 else [])
            except UpstreamError:
                in_doubt += 1
                continue
            assert isinstance(answer, Appended)
            acked[each.decision] = answer

    writers = [asyncio.create_task(write()) for _ in range(8)]
    for _ in range(6):
        await asyncio.sleep(0.1 + random.random() * 0.2)
        pid = ledger.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            while ledger.pid in (pid, None):
                await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    done.set()
    await asyncio.gather(*writers)
    stored = lineage(url)
    assert verify_entries(stored) is None
    found = {each.decision: each.hash for each in stored}
    assert {decision: found.get(decision) for decision in acked} == {
        decision: answer.entry_hash for decision, answer in acked.items()
    }
    assert len({each.writer for each in stored}) > 1
    assert in_doubt > 0
    assert len(acked) > 50


async def test_a_new_life_names_the_last_entry_of_the_one_before(open_ledger: Open, url: str) -> None:
    first = await open_ledger()
    last = [await appended(first) for _ in range(3)][-1]
    await first.close()
    second = await open_ledger()
    answer = await appended(second)
    stored = lineage(url)
    assert (answer.writer != last.writer, answer.seq) == (True, 1)
    assert stored[0].previous == GENESIS
    assert stored[3].previous == last.entry_hash
    assert verify_entries(stored) is None


async def test_replicas_have_chains_of_their_own(open_ledger: Open, url: str) -> None:
    one, other = await open_ledger(), await open_ledger(bytes(32))
    await asyncio.gather(*(each.append(entry(), guards=[]) for each in (one, other) for _ in range(20)))
    for instance in (INSTANCE, bytes(32)):
        stored = lineage(url, instance)
        assert len(stored) == 20
        assert verify_entries(stored) is None


async def test_a_dead_notary_fails_what_waits_for_it_at_once(ledger: NotaryLedger) -> None:
    assert ledger.pid is not None
    os.kill(ledger.pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(ledger.append(entry(), guards=[])) for _ in range(5)]
    await asyncio.sleep(0.1)
    start = time.monotonic()
    os.kill(ledger.pid, signal.SIGKILL)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert time.monotonic() - start < 1
    assert [type(outcome) for outcome in outcomes] == [UpstreamError] * 5
    await appended(ledger)


async def test_a_notary_that_hangs_is_replaced(ledger: NotaryLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "_TICK", 0.2)
    os.kill(ledger.pid or 0, signal.SIGKILL)
    await appended_at_last(ledger)
    os.kill(ledger.pid or 0, signal.SIGSTOP)
    with pytest.raises(UpstreamError):
        await ledger.append(entry(), guards=[])
    await appended_at_last(ledger)


async def appended_at_last(ledger: NotaryLedger) -> Appended:
    for _ in range(50):
        try:
            return await appended(ledger)
        except UpstreamError:
            await asyncio.sleep(0.1)
    raise AssertionError("no notary came back")


async def test_close_lets_what_was_asked_end(open_ledger: Open, url: str) -> None:
    ledger = await open_ledger()
    asked = [asyncio.create_task(ledger.append(entry(), guards=[])) for _ in range(200)]
    await asyncio.sleep(0)
    pid = ledger.pid
    await ledger.close()
    assert all(isinstance(answer, Appended) for answer in await asyncio.gather(*asked))
    assert pid is not None
    assert not psutil.pid_exists(pid)
    with pytest.raises(UpstreamError):
        await ledger.append(entry(), guards=[])


async def test_a_caller_that_gives_up_disturbs_nobody(ledger: NotaryLedger, url: str) -> None:
    asked = [asyncio.create_task(ledger.append(entry(), guards=[])) for _ in range(50)]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcome.seq for outcome in outcomes if isinstance(outcome, Appended)] == list(range(2, 51, 2))
    assert len(lineage(url)) == 50


async def test_the_check_tells_a_ledger_that_can_append(ledger: NotaryLedger) -> None:
    await ledger.check()


async def test_no_two_notaries_write_for_one_instance(ledger: NotaryLedger, url: str, tmp_path: Path) -> None:
    await appended(ledger)
    with pytest.raises(UpstreamError, match="another notary"):
        await opened(url, tmp_path, patience=0.1)


async def test_the_wrong_passphrase_is_a_setting_to_mend(url: str, tmp_path: Path) -> None:
    wrong = settings(url, tmp_path)
    wrong.passphrase_path.write_bytes(b"something else\n")
    with pytest.raises(SettingsError):
        await NotaryLedger.start(wrong, clock=SystemClock())


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_full_disk_refuses_and_leaves_nothing_half_written(ledger: NotaryLedger, url: str) -> None:
    """The kernel refuses the notary's writes past a file size, as a full disk would."""
    await appended(ledger)
    before = counts(url)
    process = psutil.Process(ledger.pid)
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, -1))
    for rows in ([], [record()]):
        with pytest.raises(UpstreamError):
            await ledger.append(entry(), guards=[], rows=rows)
    with pytest.raises(UpstreamError):
        await ledger.check()
    assert counts(url) == before
    process.rlimit(psutil.RLIMIT_FSIZE, (-1, -1))
    await ledger.check()
    await appended(ledger, rows=[record()])
    assert len(lineage(url)) == 2
    assert verify_entries(lineage(url)) is None


@pytest.mark.services
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_lost_session_fails_one_group_at_most(ledger: NotaryLedger, url: str) -> None:
    first = await appended(ledger)
    for _ in range(5):
        query(
            url,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()",
        )
        outcomes = await asyncio.gather(*(ledger.append(entry(), guards=[]) for _ in range(3)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {Appended, UpstreamError}
        assert (await appended(ledger)).writer == first.writer
    assert verify_entries(lineage(url)) is None


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_the_notary_ends_with_its_gateway(url: str, tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from tests.ports.notaries import opened\n"
        "async def main():\n"
        "    ledger = await opened(sys.argv[1], pathlib.Path(sys.argv[2]))\n"
        "    print(ledger.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program, url, str(tmp_path)], stdout=subprocess.PIPE, cwd=root
    ) as gateway:
        assert gateway.stdout is not None
        pid = int(gateway.stdout.readline())
        gateway.kill()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_neither_key_nor_url_is_among_the_notarys_arguments(ledger: NotaryLedger, url: str) -> None:
    line = " ".join(psutil.Process(ledger.pid).cmdline())
    assert url not in line
    assert "receipt" not in line


def test_the_key_file_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = tmp_path / "receipt.key"
    public = keyfile.create(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyfile.read_public(path) == public
    assert keyfile.open_private(path, b"one").public_key().public_bytes_raw() == public
    with pytest.raises(SettingsError):
        keyfile.open_private(path, b"two")
    with pytest.raises(SettingsError):
        keyfile.create(path, b"one")
    assert [each.name for each in tmp_path.iterdir()] == ["receipt.key"]


def test_an_exchanged_public_key_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "receipt.key"
    public = keyfile.create(path, b"one")
    other = keyfile.create(tmp_path / "other.key", b"one")
    path.write_text(path.read_text().replace(public.hex(), other.hex()))
    with pytest.raises(SettingsError):
        keyfile.open_private(path, b"one")
