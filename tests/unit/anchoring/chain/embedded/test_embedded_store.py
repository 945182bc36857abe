"""The chain's file and clock, in this process: what is durable when, who may open it, what a stepped clock does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys import backends
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from anchoring.chain.embedded.admission import admit, check_account
from anchoring.chain.embedded.errors import ChainRefused, CommitUncertain
from anchoring.chain.embedded.evm import EmbeddedChain, ExecutionTooLong, execution_deadline, open_chain
from anchoring.chain.embedded.rpc_errors import RpcRefused
from anchoring.chain.embedded.store import ChainStore, LogRow, open_store
from tests.unit.anchoring.chain.embedded.client import CHAIN_ID, RICH

LOG = LogRow(
    block=1, index=0, transaction=b"t" * 32, transaction_index=0, address=b"a" * 20, topics=(b"0" * 32,), data=b"d"
)


@pytest.fixture
def store(data: Path) -> Iterator[ChainStore]:
    opened = open_store(data)
    yield opened
    opened.close()


class SetClock:
    """A clock that shows what it was set to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def _send(chain: EmbeddedChain, nonce: int) -> None:
    fields = {"to": "0x" + "42" * 20, "value": 0, "gas": 21_000, "gasPrice": 0, "nonce": nonce, "chainId": CHAIN_ID}
    chain.mine(admit(bytes(Account.sign_transaction(fields, RICH.key).raw_transaction), chain).transaction)


def _open(store: ChainStore, clock: SetClock) -> EmbeddedChain:
    return open_chain(store, chain_id=CHAIN_ID, funded=[Address(bytes.fromhex(RICH.address[2:]))], clock=clock)


def test_writes_need_a_block(store: ChainStore) -> None:
    with pytest.raises(RuntimeError):
        store[b"k"] = b"v"


def test_open_block_is_readable_and_not_on_disk(store: ChainStore, data: Path) -> None:
    store.begin()
    store[b"k"] = b"v"
    assert store[b"k"] == b"v"
    assert sqlite3.connect(data).execute("select count(*) from kv").fetchone() == (0,)


def test_rolled_back_block_leaves_no_trace_in_memory(store: ChainStore) -> None:
    store.begin()
    store[b"k"] = b"v"
    store.rollback()
    assert b"k" not in store


def test_committed_block_is_there_after_reopening(store: ChainStore, data: Path) -> None:
    store.begin()
    store[b"k"] = b"v"
    store.commit([LOG])
    store.close()
    again = open_store(data)
    assert again[b"k"] == b"v"
    assert list(again.logs("block = ?", (1,))) == [LOG]
    again.close()


def test_deleted_key_is_gone_from_memory_and_disk(store: ChainStore) -> None:
    store.begin()
    store[b"k"] = b"v"
    store.commit(())
    store.begin()
    del store[b"k"]
    assert b"k" not in store
    store.commit(())
    assert b"k" not in store


def test_block_that_cannot_be_written_leaves_memory_as_it_was(store: ChainStore) -> None:
    store.begin()
    store.commit([LOG])
    store.begin()
    store[b"k"] = b"v"
    with pytest.raises(sqlite3.IntegrityError):
        store.commit([LOG])
    assert b"k" not in store
    store.begin()
    store[b"k"] = b"w"
    store.commit(())
    assert store[b"k"] == b"w"


def test_failed_commit_is_uncertain_and_memory_does_not_run_ahead(data: Path) -> None:
    def close_underneath() -> None:
        opened.close()

    opened = open_store(data, before_commit=close_underneath)
    opened.begin()
    opened[b"k"] = b"v"
    with pytest.raises(CommitUncertain):
        opened.commit(())
    again = open_store(data)
    assert b"k" not in again
    again.close()


def test_file_is_synchronous_and_private(store: ChainStore, data: Path) -> None:
    assert store._sql.execute("pragma synchronous").fetchone() == (2,)
    assert store._sql.execute("pragma journal_mode").fetchone() == ("wal",)
    assert data.stat().st_mode & 0o077 == 0


def test_second_opening_is_refused(store: ChainStore, data: Path) -> None:
    with pytest.raises(ChainRefused, match="another process"):
        open_store(data)


def test_other_database_is_refused_and_left_alone(data: Path) -> None:
    other = sqlite3.connect(data)
    other.execute("create table patients(name)")
    other.close()
    before = data.read_bytes()
    with pytest.raises(ChainRefused, match="not an embedded chain"):
        open_store(data)
    assert data.read_bytes() == before


def test_file_that_is_no_database_is_refused(data: Path) -> None:
    data.write_bytes(b"not a database" * 100)
    with pytest.raises(ChainRefused):
        open_store(data)


def test_later_format_is_refused(store: ChainStore) -> None:
    store._sql.execute("insert into chain values (1, 2, 7)")
    with pytest.raises(ChainRefused, match="format 2"):
        store.chain_id()


@pytest.mark.parametrize("chain_id", [0, -1, 2**31])
def test_chain_id_out_of_range_is_refused(store: ChainStore, chain_id: int) -> None:
    with pytest.raises(ChainRefused):
        open_chain(store, chain_id=chain_id, funded=[], clock=SetClock(1e9))


def test_blocks_of_one_second_share_its_time(store: ChainStore) -> None:
    chain = _open(store, SetClock(1_800_000_000.9))
    for nonce in range(3):
        _send(chain, nonce)
    assert (chain.head.block_number, chain.head.timestamp) == (3, 1_800_000_000)


def test_clock_that_steps_back_does_not_take_block_time_along(store: ChainStore) -> None:
    clock = SetClock(1_800_000_000)
    chain = _open(store, clock)
    _send(chain, 0)
    clock.now -= 86_400
    _send(chain, 1)
    assert chain.head.timestamp == 1_800_000_000
    clock.now += 86_401
    _send(chain, 2)
    assert chain.head.timestamp == 1_800_000_001


def test_chain_goes_on_after_a_transaction_py_evm_refuses(store: ChainStore) -> None:
    chain = _open(store, SetClock(1_800_000_000))
    _send(chain, 0)
    fields = {"to": "0x" + "42" * 20, "value": 0, "gas": 21_000, "gasPrice": 0, "nonce": 1, "chainId": CHAIN_ID}
    admitted = admit(bytes(Account.sign_transaction(fields, RICH.key).raw_transaction), chain).transaction
    chain.mine(admitted)
    with pytest.raises(ValidationError):
        chain.mine(admitted)
    _send(chain, 2)
    assert chain.head.block_number == 3


def test_account_with_code_cannot_send(store: ChainStore) -> None:
    # EIP-3607. Nobody has a contract's key, so the code is put there by hand, in a state that is thrown away.
    chain = _open(store, SetClock(1_800_000_000))
    fields = {"to": "0x" + "42" * 20, "value": 0, "gas": 21_000, "gasPrice": 0, "nonce": 0, "chainId": CHAIN_ID}
    admitted = admit(bytes(Account.sign_transaction(fields, RICH.key).raw_transaction), chain).transaction
    state = chain.state(chain.head)
    state.set_code(admitted.sender, b"\0")
    with pytest.raises(RpcRefused, match="sender not an eoa"):
        check_account(admitted, state)


def test_deadline_ends_what_does_not_end() -> None:
    def forever() -> None:
        while True:
            pass

    with pytest.raises(ExecutionTooLong), execution_deadline(0.05):
        forever()


def test_signatures_are_checked_by_the_native_library() -> None:
    assert type(backends.get_backend()).__name__ == "CoinCurveECCBackend"
