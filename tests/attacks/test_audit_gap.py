"""Nobody deletes, edits, moves or replaces one row of the audit log unseen, its owner included."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anchoring.stores.columns import split_values
from gateway.adapters.notary.client import NotaryLedger
from gateway.adapters.sql.migrations import migrate
from gateway.audit.rules import FaultKind, Witness, complete_receipt, entry_hash, verify_entries
from gateway.ports.ledger import Appended
from gateway.ports.rows import StoredEntry
from tests.ports.databases import query
from tests.ports.notaries import entry, lineage, opened

COLUMNS = ["writer", "decision", "previous", "hash", "public", "private", "subject_token", "receipt_digest"]


async def written(ledger: NotaryLedger, number: int) -> list[Appended]:
    answers = await asyncio.gather(*(ledger.append(entry(subject_token=b"t" * 32), guards=[]) for _ in range(number)))
    return [answer for answer in answers if isinstance(answer, Appended)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real log of three lives, one of which was killed. Nobody here writes into it: it is read anew for each test."""
    return asyncio.run(_lived(tmp_path_factory.mktemp("log")))


async def _lived(folder: Path) -> str:
    url = f"sqlite:///{folder}/index.db"
    migrate(url)
    ledger = await opened(url, folder)
    await written(ledger, 8)
    pid = ledger.pid
    os.kill(pid or 0, signal.SIGKILL)
    while ledger.pid in (pid, None):
        await asyncio.sleep(0.02)
    await written(ledger, 5)
    await ledger.close()
    ledger = await opened(url, folder)
    await written(ledger, 7)
    await ledger.close()
    return url


@pytest.fixture
def log(url: str) -> list[StoredEntry]:
    return lineage(url)


@pytest.fixture
def anchored(url: str) -> list[Witness]:
    """What the leaves say that went to the chain."""
    values = [split_values(row[0]) for row in query(url, "select values_ from tickets order by seq")]
    return [Witness(writer=writer, seq=int.from_bytes(seq, "big"), hash=own) for writer, seq, own in values]


def rehashed(log: list[StoredEntry]) -> list[StoredEntry]:
    """What an owner who knows the rules would write: all hashes computed anew."""
    previous, out = bytes(32), []
    for each in log:
        own = entry_hash(
            previous=previous,
            writer=each.writer,
            seq=each.seq,
            decision=each.decision,
            public=each.public,
            private=each.private,
            subject_token=each.subject_token,
            receipt_digest=each.receipt_digest,
        )
        out.append(replace(each, previous=previous, hash=own))
        previous = own
    return out


def test_an_untouched_log_has_no_fault(log: list[StoredEntry], anchored: list[Witness]) -> None:
    assert len(log) == len(anchored) == 20
    assert verify_entries(log, witnessed=anchored) is None
    assert rehashed(log) == log


def test_deleting_any_one_row_is_seen(log: list[StoredEntry], anchored: list[Witness]) -> None:
    for at in range(len(log)):
        assert verify_entries(log[:at] + log[at + 1 :], witnessed=anchored) is not None, at


def test_deleting_a_row_but_the_last_is_seen_without_any_witness(log: list[StoredEntry]) -> None:
    for at in range(len(log) - 1):
        assert verify_entries(log[:at] + log[at + 1 :]) is not None, at


@pytest.mark.parametrize("column", COLUMNS)
def test_editing_any_column_of_any_row_is_seen(log: list[StoredEntry], column: str) -> None:
    for at, each in enumerate(log):
        value: bytes = getattr(each, column)
        edited = bytes([value[0] ^ 1]) + value[1:]
        assert verify_entries([*log[:at], replace(each, **{column: edited}), *log[at + 1 :]]) is not None, at


def test_editing_any_number_is_seen(log: list[StoredEntry]) -> None:
    for at, each in enumerate(log):
        assert verify_entries([*log[:at], replace(each, seq=each.seq + 1), *log[at + 1 :]]) is not None, at


def test_exchanging_any_two_rows_is_seen(log: list[StoredEntry]) -> None:
    for one in range(len(log)):
        for other in range(one + 1, len(log)):
            moved = list(log)
            moved[one], moved[other] = moved[other], moved[one]
            assert verify_entries(moved) is not None, (one, other)


def test_inserting_a_copy_of_any_row_is_seen(log: list[StoredEntry]) -> None:
    for at in range(len(log)):
        assert verify_entries([*log[: at + 1], log[at], *log[at + 1 :]]) is not None, at


@pytest.mark.parametrize(
    "forge",
    [
        lambda log: log[:-1],
        lambda log: [*log[:3], replace(log[3], private=b""), *log[4:]],
        lambda log: [*log[:7], *log[8:]],
        lambda log: [each for each in log if each.writer != log[0].writer],
        lambda log: [],
    ],
    ids=["the newest gone", "one emptied", "one gone at a life's end", "a whole life gone", "all gone"],
)
def test_a_log_whose_hashes_are_all_forged_again_differs_from_what_was_anchored(
    log: list[StoredEntry], anchored: list[Witness], forge: Callable[[list[StoredEntry]], list[StoredEntry]]
) -> None:
    forged = rehashed(forge(log))
    assert verify_entries(forged) is None
    fault = verify_entries(forged, witnessed=anchored)
    assert fault is not None
    assert fault.kind is FaultKind.MISSING


def test_octets_do_not_pass_from_one_field_to_the_next(log: list[StoredEntry]) -> None:
    each = log[0]
    moved = replace(each, public=each.public + each.private[:1], private=each.private[1:])
    assert verify_entries([moved]) is not None


def test_a_receipt_binds_its_entry() -> None:
    text = complete_receipt(b'{"a":1}', writer=b"\x01" * 32, seq=7)
    assert text == b'{"a":1,"writer":"0x' + b"01" * 32 + b'","writerSeq":7}'
