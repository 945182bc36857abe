"""What every ledger must do: all or nothing, in order, only while the guards hold, and signed once durable."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anchoring.merkle import hash_leaf
from anchoring.model import LEAF_ENCODING, LogKind
from anchoring.stores.columns import split_values
from gateway.adapters.notary.client import NotaryLedger
from gateway.adapters.sql.index import SqlIndex
from gateway.audit.rules import verify_entries
from gateway.errors import LimitError
from gateway.ports.clock import SystemClock
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import (
    Bump,
    CallRow,
    ChallengeRow,
    ConsentRow,
    ConsentTakenOver,
    Guard,
    IdempotencyRow,
    NarrowingKind,
    NarrowingRow,
    RecordRow,
    Row,
    TicketRow,
)
from tests.ports.databases import query
from tests.ports.notaries import INSTANCE, LOG, Open, appended, counts, entry, lineage, opened, record, some
from tests.ports.session_rows import session_row


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


async def test_a_call_that_was_refused_is_intended_anew_where_it_is_asked_for_anew(
    ledger: NotaryLedger, url: str
) -> None:
    call = CallRow(call=some(16), lane="relay", priority=0, contract="0x" + "11" * 20, data=b"")
    assert isinstance(await ledger.append(entry(), guards=[], rows=[call]), Appended)
    assert await ledger.append(entry(), guards=[], rows=[call]) == Taken(table="calls")
    query(url, "update calls set state = 'REVERTED', error = 'RecoveryPending'")
    assert isinstance(await ledger.append(entry(), guards=[], rows=[call]), Appended)
    assert query(url, "select state, error from calls") == [("INTENDED", None)]
    assert await ledger.append(entry(), guards=[], rows=[call]) == Taken(table="calls")


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
        TicketRow(log=some(), leaf=some(), values=(some(),), cid_digest=some(), locator=some()),
        CallRow(call=consent.call, lane="relay", priority=0, contract="0x" + "11" * 20, data=b"\x01"),
        Bump(name=subject),
        ChallengeRow(nonce="n", message_digest=some(), expires_at=1),
        session_row(),
    ]
    await appended(ledger, rows=rows)
    assert counts(url) == [1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1]
    assert (await index.versions_of([subject]))[subject] == 1
    head = await index.head(mine.record)
    assert head is not None
    assert head.digest == mine.digest


async def test_a_consent_taken_over_has_another_block_and_call_and_is_its_subjects(
    ledger: NotaryLedger, index: SqlIndex
) -> None:
    consent = ConsentRow(consent=some(), subject=some(), digest=some(), call=some(16))
    await appended(ledger, rows=[consent])
    own = ConsentTakenOver(consent=consent.consent, subject=consent.subject, digest=some(), call=some(16))
    for wrong in (replace(own, subject=some()), replace(own, consent=some())):
        assert await ledger.append(entry(), guards=[], rows=[wrong]) == Taken(table="consents")
    assert await index.consent(consent.consent) == consent
    await appended(ledger, rows=[own])
    found = await index.consent(consent.consent)
    assert found == replace(consent, digest=own.digest, call=own.call)


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


async def test_each_of_many_is_written_or_not_by_itself(ledger: NotaryLedger, url: str) -> None:
    name = some()
    behind = [Guard(name=name, version=1)]
    before = counts(url)[0]
    answers = await ledger.append_each([(entry(), ()), (entry(), behind), (entry(), ())])
    assert [type(answer) for answer in answers] == [Appended, Stale, Appended]
    assert counts(url)[0] == before + 2
    numbers = [answer.seq for answer in answers if isinstance(answer, Appended)]
    assert numbers[1] == numbers[0] + 1
    assert await ledger.append_each([]) == []


TAKEN: list[tuple[str, Row]] = [
    ("records", RecordRow(record=bytes(16), version=1, subject=bytes(32), digest=bytes(32))),
    ("idempotency", IdempotencyRow(key=bytes(32), request=bytes(32), result=bytes(16))),
    ("consents", ConsentRow(consent=bytes(32), subject=bytes(32), digest=bytes(32), call=bytes(16))),
    ("calls", CallRow(call=bytes(16), lane="relay", priority=0, contract="0x", data=b"")),
    ("challenges", ChallengeRow(nonce="n", message_digest=bytes(32), expires_at=1)),
    ("sessions", session_row()),
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


async def test_a_revocation_on_one_replica_binds_the_other(open_ledger: Open, url: str) -> None:
    """Once a bump is acknowledged, no entry that stands on an older version is ever added, by any replica."""
    replicas = [await open_ledger(), await open_ledger(some())]
    names = [some() for _ in range(3)]
    acknowledged = dict.fromkeys(names, 0)
    done = asyncio.Event()
    outcomes = {Appended: 0, Stale: 0, Taken: 0}

    def standing_on(name: bytes, below: int) -> set[bytes]:
        """Decisions in the log whose token says that they stand on an older version of `name`."""
        rows = query(url, "select decision, subject_token from entries")
        return {each for each, token in rows if token[:32] == name and int.from_bytes(token[32:], "big") < below}

    async def read(ledger: NotaryLedger) -> None:
        while not done.is_set():
            name = random.choice(names)
            version = max(0, acknowledged[name] - random.choice((0, 0, 0, 1)))
            each = entry(subject_token=name + version.to_bytes(8, "big"))
            outcomes[type(await ledger.append(each, guards=[Guard(name=name, version=version)]))] += 1

    async def revoke(ledger: NotaryLedger, name: bytes) -> None:
        for version in range(1, 31):
            await appended(ledger, Guard(name=name, version=version - 1), rows=[Bump(name=name)])
            acknowledged[name] = version
            before = await asyncio.to_thread(standing_on, name, version)
            await asyncio.sleep(0.01 + random.random() * 0.01)
            assert await asyncio.to_thread(standing_on, name, version) == before

    readers = [asyncio.create_task(read(each)) for each in replicas for _ in range(8)]
    try:
        await asyncio.gather(*(revoke(replicas[at % 2], name) for at, name in enumerate(names)))
    finally:
        done.set()
        await asyncio.gather(*readers)
    assert outcomes[Appended] > 50
    assert outcomes[Stale] > 20


async def test_crossing_guards_and_bumps_on_two_replicas_all_end(open_ledger: Open) -> None:
    """Each holds what the other wants next: none may wait for ever, none may fail."""
    replicas = [await open_ledger(), await open_ledger(some())]
    names = [some() for _ in range(6)]

    async def work(ledger: NotaryLedger) -> None:
        for _ in range(40):
            one, other = random.sample(names, 2)
            await ledger.append(entry(), guards=[Guard(name=one, version=0)], rows=[Bump(name=other), record(one)])

    await asyncio.gather(*(work(each) for each in replicas for _ in range(4)))


async def test_replicas_have_chains_of_their_own(open_ledger: Open, url: str) -> None:
    one, other = await open_ledger(), await open_ledger(bytes(32))
    await asyncio.gather(*(each.append(entry(), guards=[]) for each in (one, other) for _ in range(20)))
    for instance in (INSTANCE, bytes(32)):
        stored = lineage(url, instance)
        assert len(stored) == 20
        assert verify_entries(stored) is None


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
