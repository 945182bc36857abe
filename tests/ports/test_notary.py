"""What the notary's process adds: it may be killed, hung, starved of disk or left alone, and the chain goes on."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import psutil
import pytest

from gateway.adapters.notary import keyfile, life
from gateway.adapters.notary.client import NotaryLedger
from gateway.adapters.notary.sqlite import SqliteStore
from gateway.adapters.notary.store import StoreError
from gateway.adapters.notary.wire import Append, Failed, Written
from gateway.adapters.notary.writer import Writer
from gateway.adapters.sealed_file import Passphrase
from gateway.adapters.sql.statements import Parameters
from gateway.adapters.sql.urls import sqlite_path
from gateway.audit.rules import GENESIS, verify_entries
from gateway.errors import SettingsError, UpstreamError
from gateway.ports.clock import SystemClock
from gateway.ports.ledger import Appended
from tests.ports.databases import query
from tests.ports.notaries import INSTANCE, LOG, Open, appended, counts, entry, lineage, opened, record, settings


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


class LostAnswer(SqliteStore):
    """A real store whose next commit happens while its answer is lost."""

    lose = False

    def finish(self, entries: Sequence[Parameters], tickets: Sequence[Parameters]) -> None:
        super().finish(entries, tickets)
        if self.lose:
            self.lose = False
            raise StoreError("the answer was lost")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_commit_whose_answer_is_lost_stays_in_the_chain(url: str) -> None:
    store = LostAnswer(sqlite_path(url) or "")
    previous = store.claim(INSTANCE, bytes(32), now=0, patience=1)
    writer = Writer(store, writer=bytes(32), previous=previous, audit_log=LOG, sign=lambda _: bytes(64))
    request = Append(bytes(16), b"p", b"q", b"", b"", (), ())
    writer.write([request])
    store.lose = True
    assert [type(answer) for answer in writer.write([request, request])] == [Failed, Failed]
    assert [type(answer) for answer in writer.write([request])] == [Written]
    store.close()
    assert [each.seq for each in lineage(url)] == [1, 2, 3, 4]
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


@pytest.fixture
def passphrases(tmp_path: Path) -> Callable[[str], Passphrase]:
    """One by its text, as a process that was just started would read it."""

    def read(text: str) -> Passphrase:
        path = tmp_path / f"{text}.pass"
        path.write_text(f"{text}\n")
        return Passphrase(path)

    return read


def test_the_key_file_opens_with_its_passphrase_alone(tmp_path: Path, passphrases: Callable[[str], Passphrase]) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    path = folder / "receipt.key"
    public = keyfile.create(path, passphrases("one"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyfile.read_public(path) == public
    assert keyfile.open_private(path, passphrases("one")).public_key().public_bytes_raw() == public
    with pytest.raises(SettingsError):
        keyfile.open_private(path, passphrases("two"))
    with pytest.raises(SettingsError):
        keyfile.create(path, passphrases("one"))
    assert [each.name for each in folder.iterdir()] == ["receipt.key"]


def test_an_exchanged_public_key_is_seen(tmp_path: Path, passphrases: Callable[[str], Passphrase]) -> None:
    path = tmp_path / "receipt.key"
    public = keyfile.create(path, passphrases("one"))
    other = keyfile.create(tmp_path / "other.key", passphrases("one"))
    path.write_text(path.read_text().replace(public.hex(), other.hex()))
    with pytest.raises(SettingsError):
        keyfile.open_private(path, passphrases("one"))
