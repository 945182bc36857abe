"""Getting round the embedded chain: forged and replayed transactions, `kill -9`. Its door has a file of its own."""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import rlp
from eth_account import Account
from eth_keys.constants import SECPK1_N
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from anchoring.chain.embedded.process import EmbeddedChainProcess
from tests.unit.anchoring.chain.embedded.client import CHAIN_ID, RICH, ChainClient, stranger

KILL_BEFORE = "CONSENTRY_EMBEDDED_CHAIN_KILL_BEFORE_COMMIT"
KILL_AFTER = "CONSENTRY_EMBEDDED_CHAIN_KILL_AFTER_COMMIT"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedChainProcess]:
    path = tmp_path_factory.mktemp("attacked") / "chain.db"
    process = EmbeddedChainProcess.start(data=path, chain_id=CHAIN_ID, funded=[RICH.address])
    yield process
    process.stop()


@pytest.fixture(scope="module")
def client(chain: EmbeddedChainProcess) -> ChainClient:
    return ChainClient(chain.url)


@pytest.fixture
def unchanged(client: ChainClient) -> Iterator[None]:
    """What is attempted must leave the head where it was."""
    before = client.web3.eth.get_block("latest")["hash"]
    yield
    assert client.web3.eth.get_block("latest")["hash"] == before


# -- transactions


def test_transaction_for_another_chain_is_refused(client: ChainClient, unchanged: None) -> None:
    for fields in ({"type": 0, "gasPrice": 0}, {"type": 2}):
        refusal = client.refusal(client.sign(chainId=1, **fields))
        assert refusal == f"invalid sender: invalid chain id for signer: have 1 want {CHAIN_ID}"


def test_transaction_without_a_chain_id_is_refused(client: ChainClient, unchanged: None) -> None:
    raw = client.sign(type=0, gasPrice=0, chainId=None)
    assert client.refusal(raw) == "only replay-protected (EIP-155) transactions allowed over RPC"


def test_replayed_transaction_is_already_known(client: ChainClient) -> None:
    raw = client.sign()
    client.web3.eth.send_raw_transaction(raw)
    head = client.web3.eth.block_number
    assert client.refusal(raw) == "already known"
    assert client.web3.eth.block_number == head


def test_used_nonce_is_too_low(client: ChainClient) -> None:
    client.send()
    nonce = client.nonce()
    assert (
        client.refusal(client.sign(nonce=nonce - 1, value=9))
        == f"nonce too low: next nonce {nonce}, tx nonce {nonce - 1}"
    )


def test_nonce_ahead_is_too_high_and_nothing_waits(client: ChainClient) -> None:
    nonce = client.nonce()
    refusal = client.refusal(client.sign(nonce=nonce + 1))
    assert refusal == f"nonce too high: tx nonce {nonce + 1}, gapped nonce {nonce}"
    client.send()
    assert client.nonce() == nonce + 1


def test_poor_sender_is_refused(client: ChainClient, unchanged: None) -> None:
    poor = stranger(920)
    assert client.refusal(client.sign(poor, value=1)).startswith("insufficient funds for gas * price + value: ")
    assert client.refusal(client.sign(poor, maxFeePerGas=1)).startswith("insufficient funds for gas * price + value: ")


@pytest.mark.parametrize(("fields", "text"), [
    ({"gas": 20_999}, "intrinsic gas too low: gas 20999, minimum needed 21000"),
    ({"data": b"\1" * 100, "gas": 24_000}, "insufficient gas for floor data gas cost: gas 24000, minimum needed 25000"),
    ({"gas": 16_777_217}, "transaction gas limit too high (cap: 16777216, tx: 16777217)"),
    ({"maxPriorityFeePerGas": 2, "maxFeePerGas": 1}, "max priority fee per gas higher than max fee per gas"),
    ({"to": None, "data": b"\0" * 49_153, "gas": 10**7}, "max initcode size exceeded: code size 49153 limit 49152"),
    ({"data": b"\0" * 131_072, "gas": 10**7}, "oversized data: transaction size "),
    ({"nonce": 2**64 - 1}, "nonce has max value"),
])  # fmt: skip
def test_transaction_out_of_bounds_is_refused(
    client: ChainClient, unchanged: None, fields: dict[str, Any], text: str
) -> None:
    assert client.refusal(client.sign(**fields)).startswith(text)


def _parts(client: ChainClient, **fields: Any) -> list[Any]:
    raw = client.sign(**fields)
    assert raw[0] == 2
    return list(rlp.decode(raw[1:]))


def _typed(parts: list[Any]) -> bytes:
    return b"\x02" + bytes(rlp.encode(parts))


def test_second_form_of_a_signature_is_refused(client: ChainClient, unchanged: None) -> None:
    parts = _parts(client)
    flipped = SECPK1_N - int.from_bytes(parts[11], "big")
    parts[9] = b"" if parts[9] == b"\1" else b"\1"
    parts[11] = flipped.to_bytes(32, "big").lstrip(b"\0")
    assert client.refusal(_typed(parts)) == "invalid sender: invalid transaction v, r, s values"


@pytest.mark.parametrize(("place", "value"), [
    (9, b"\2"), (9, b"\xff"), (10, b""), (11, b""), (10, SECPK1_N.to_bytes(32, "big")),
    (11, SECPK1_N.to_bytes(32, "big")),
])  # fmt: skip
def test_impossible_signature_is_refused(client: ChainClient, unchanged: None, place: int, value: bytes) -> None:
    parts = _parts(client)
    parts[place] = value
    assert client.refusal(_typed(parts)).startswith("invalid sender: ")


def test_changed_transaction_is_not_the_signers(client: ChainClient) -> None:
    parts = _parts(client, value=1)
    before = client.web3.eth.get_balance(RICH.address)
    parts[6] = b"\x7f"
    assert client.refusal(_typed(parts)).startswith(("insufficient funds", "nonce too high", "invalid sender"))
    assert client.web3.eth.get_balance(RICH.address) == before


def test_every_mangled_transaction_is_refused(client: ChainClient, unchanged: None) -> None:
    seed = secrets.randbelow(2**32)
    dice, raw = random.Random(seed), client.sign(value=1, data=b"\1\2\3")
    mangled = [raw[:size] for size in range(0, len(raw), 7)]
    for _ in range(60):
        place = dice.randrange(len(raw))
        mangled.append(raw[:place] + bytes([raw[place] ^ (1 << dice.randrange(8))]) + raw[place + 1 :])
    mangled += [raw + b"\0", b"\x02" + rlp.encode([]), b"\xc0", b"\x02\xf8", rlp.encode([[[]] * 12])]
    for each in mangled:
        assert client.refusal(each) != "internal error", (seed, each.hex())


@pytest.mark.parametrize("first", [0x00, 0x03, 0x04, 0x05, 0x7F, 0x80, 0xBF])
def test_other_transaction_types_are_refused(client: ChainClient, unchanged: None, first: int) -> None:
    assert client.refusal(bytes([first]) + client.sign()[1:]) == "transaction type not supported"


def test_account_without_a_key_of_ours_cannot_be_drained(client: ChainClient) -> None:
    victim_before = client.web3.eth.get_balance(RICH.address)
    thief = Account.create()
    parts = _parts(client, value=10**18, to=thief.address)
    forged = thief.unsafe_sign_hash(keccak(b"\x02" + rlp.encode(parts[:9])))
    parts[9:12] = [
        b"\1" if forged.v == 28 else b"",
        *(value.to_bytes(32, "big").lstrip(b"\0") for value in (forged.r, forged.s)),
    ]
    assert client.refusal(_typed(parts)).startswith(("insufficient funds", "nonce too high"))
    assert client.web3.eth.get_balance(RICH.address) == victim_before


# -- kill -9


class Victim:
    """A chain that is killed and started again, and a client that counts what was acknowledged to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.process = self._start()
        self.client = ChainClient(self.process.url)
        self.probe = self.client.deploy_probe()
        self.acknowledged: list[HexBytes] = []

    def _start(self) -> EmbeddedChainProcess:
        return EmbeddedChainProcess.start(data=self.path, chain_id=CHAIN_ID, funded=[RICH.address])

    def restart(self) -> None:
        self.process.stop()
        self.process = self._start()
        self.client = ChainClient(self.process.url)

    def exit_status(self) -> int | None:
        """How the process ended; the kernel closes its sockets a moment before its parent is told."""
        deadline = time.monotonic() + 10
        while self.process.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.process.exit_status

    def send_until_it_dies(self, limit: int = 400) -> bytes:
        """Sends notes one after another; the raw transaction whose outcome nobody was told."""
        for _ in range(limit):
            data = self.client.contract(self.probe).encode_abi("note", [secrets.token_bytes(32)])
            raw = b""
            try:
                raw = self.client.sign(to=self.probe, data=data)
                self.acknowledged.append(self.client.web3.eth.send_raw_transaction(raw))
            except (OSError, httpx.HTTPError):
                return raw
        raise AssertionError("the chain was not killed")

    def settle(self, doubtful: bytes) -> bool:
        """Resend what is in doubt, as a client would; whether it had landed."""
        if not doubtful:
            return False
        answer = self.client.raw("eth_sendRawTransaction", "0x" + doubtful.hex())
        assert "result" in answer or answer["error"]["message"] == "already known", answer
        self.acknowledged.append(HexBytes(keccak(doubtful)))
        return "error" in answer

    def check(self) -> None:
        """Every acknowledged note is there once, with receipt and log, and nothing else is."""
        logs = self.client.web3.eth.get_logs({"fromBlock": 0, "address": self.probe})
        assert [log["transactionHash"] for log in logs] == self.acknowledged
        assert self.client.web3.eth.block_number == 1 + len(self.acknowledged)
        assert self.client.contract(self.probe).functions.count().call() == len(self.acknowledged)
        for each in self.acknowledged[-3:]:
            assert self.client.receipt(each)["status"] == 1


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    made = Victim(tmp_path / "chain.db")
    yield made
    made.process.stop()


@pytest.mark.parametrize(("side", "landed"), [(KILL_BEFORE, False), (KILL_AFTER, True)])
def test_kill_beside_the_commit_point_loses_and_tears_nothing(
    victim: Victim, monkeypatch: pytest.MonkeyPatch, side: str, landed: bool
) -> None:
    for round_ in (1, 3):
        monkeypatch.setenv(side, str(round_))
        victim.restart()
        doubtful = victim.send_until_it_dies()
        assert victim.exit_status() == -signal.SIGKILL
        monkeypatch.delenv(side)
        victim.restart()
        assert victim.settle(doubtful) is landed
        victim.check()


def test_kill_at_any_instant_loses_and_tears_nothing(victim: Victim) -> None:
    for _ in range(4):
        killer = threading.Timer(random.uniform(0.05, 0.4), os.kill, (victim.process.pid, signal.SIGKILL))
        killer.start()
        doubtful = victim.send_until_it_dies()
        killer.join()
        victim.restart()
        victim.settle(doubtful)
        victim.check()


def test_kill_before_genesis_is_committed_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chain.db"
    monkeypatch.setenv(KILL_BEFORE, "1")
    with pytest.raises(Exception, match="before it was ready"):
        EmbeddedChainProcess.start(data=path, chain_id=7, funded=[])
    monkeypatch.delenv(KILL_BEFORE)
    process = EmbeddedChainProcess.start(data=path, chain_id=8, funded=[])
    assert ChainClient(process.url).web3.eth.chain_id == 8
    process.stop()
