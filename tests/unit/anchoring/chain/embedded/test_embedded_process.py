"""Starting, stopping, restarting and losing the chain's process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anchoring.chain.embedded.errors import ChainRefused
from anchoring.chain.embedded.process import EmbeddedChainProcess
from tests.unit.anchoring.chain.embedded.client import CHAIN_ID, RICH, ChainClient

Start = Callable[..., EmbeddedChainProcess]


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    started: list[EmbeddedChainProcess] = []

    def run(**options: object) -> EmbeddedChainProcess:
        process = EmbeddedChainProcess.start(
            **{"data": data, "chain_id": CHAIN_ID, "funded": [RICH.address], **options}
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.stop()


def _gone(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_restart_keeps_everything_and_the_port(start: Start, data: Path) -> None:
    first = start()
    client = ChainClient(first.url)
    probe = client.deploy_probe()
    receipt = client.note(probe, 7)
    block = client.web3.eth.get_block("latest")
    first.stop()
    assert (first.alive, first.exit_status) == (False, 0)
    second = start()
    again = ChainClient(second.url)
    assert second.url == first.url == f"http://127.0.0.1:{(data.parent / 'chain.db.port').read_text().strip()}"
    assert again.web3.eth.get_block("latest") == block
    assert again.receipt(receipt["transactionHash"]) == receipt
    assert again.contract(probe).functions.count().call() == 1
    assert len(again.web3.eth.get_logs({"fromBlock": 0, "address": probe})) == 1
    assert again.note(probe, 8)["blockNumber"] == block["number"] + 1


def test_taken_port_is_replaced_when_it_was_only_remembered(start: Start) -> None:
    first = start()
    first.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        assert start().port != first.port


def test_taken_port_is_refused_when_it_was_asked_for(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ChainRefused, match="port"):
        start(port=taken.getsockname()[1])


def test_port_that_is_asked_for_is_used(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert start(port=port).port == port


def test_other_chain_id_is_refused_and_the_file_still_opens(start: Start) -> None:
    start().stop()
    with pytest.raises(ChainRefused, match=f"the file holds chain {CHAIN_ID}, not chain 77"):
        start(chain_id=77)
    assert start().alive


def test_second_process_on_the_same_file_is_refused(start: Start) -> None:
    first = start()
    with pytest.raises(ChainRefused, match="another process"):
        start()
    assert ChainClient(first.url).web3.eth.block_number == 0


def test_funding_counts_at_genesis_only(start: Start) -> None:
    start(funded=[]).stop()
    assert ChainClient(start().url).web3.eth.get_balance(RICH.address) == 0


def test_death_is_noticed_and_stopping_is_not_death(start: Start) -> None:
    statuses: list[int] = []
    noticed = threading.Event()

    def on_death(status: int) -> None:
        statuses.append(status)
        noticed.set()

    start(on_death=on_death).stop()
    dying = start(on_death=on_death)
    os.kill(dying.pid, signal.SIGKILL)
    assert noticed.wait(10)
    assert (statuses, dying.alive, dying.exit_status) == ([-9], False, -9)


def test_ctrl_c_is_left_to_the_parent(start: Start) -> None:
    process = start()
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.2)
    assert ChainClient(process.url).web3.eth.block_number == 0


PARENT = """
import subprocess, sys, time
from pathlib import Path
from anchoring.chain.embedded.process import EmbeddedChainProcess
chain = EmbeddedChainProcess.start(data=Path(sys.argv[1]), chain_id=20261, funded=[])
holder = 0
if sys.argv[2] == "held":
    idle = [sys.executable, "-c", "import time; time.sleep(60)"]
    holder = subprocess.Popen(idle, pass_fds=[chain._child.stdin.fileno()]).pid
print(chain.pid, holder, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("pipe", ["free", "held"])
def test_chain_does_not_outlive_a_killed_parent(data: Path, pipe: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(data), pipe], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    chain, holder = (int(each) for each in parent.stdout.readline().split())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    try:
        assert _gone(chain)
    finally:
        if holder:
            os.kill(holder, signal.SIGKILL)


def test_command_runs_alone_and_stops_on_sigterm(data: Path) -> None:
    command = [sys.executable, "-m", "anchoring.chain.embedded", "--data", str(data), "--chain-id", "5"]
    alone = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert alone.stdout is not None
    assert '"chainId": 5' in alone.stdout.readline()
    alone.terminate()
    assert alone.wait(10) == 0
    alone.stdout.close()


def test_parent_side_does_not_load_the_evm() -> None:
    code = "import sys, anchoring.chain.embedded.process; sys.exit('eth' in sys.modules or 'web3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
