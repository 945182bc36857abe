"""anvil with its state in a file, written each second: a killed anvil forgets up to the last second, and little more.

anvil alone would forget more, or wrong things. It writes its file in place, so a kill may tear it; it writes accounts
later than blocks, so that a file may hold what a transaction did and not the transaction, a chain that cannot be; and
whenever it starts it makes a genesis block of its own, writes it beside the one that it loaded, and takes either at the
start after. `AnvilProcess` sees to all three, as whoever runs a node that must last would: it keeps the last few files,
and starts from the newest that is whole. Blocks are made on demand, one for each transaction.
"""

import contextlib
import itertools
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anchoring.merkle import keccak256
from tests.servers.chain import Chain, chain_answers
from tests.servers.http import rpc
from tests.servers.process import ServerFailed, ServerProcess, free_port
from tests.servers.programs import program

CHAIN_ID = 31_337
STATE_INTERVAL_SECONDS = 1
WRITTEN_WITHIN_SECONDS = 20.0
KEPT = 4
"""Copies: a file is torn now and then, and two in a row seldom."""


class AnvilProcess(ServerProcess):
    """Copies each state file that anvil writes; `start` takes the newest that is whole."""

    def __init__(self, argv: Sequence[str | Path], *, state: Path, log: Path, url: str) -> None:
        self._state = state
        self._url = url
        self._kept: list[Path] = []
        self._numbers = itertools.count()
        self._copying = threading.Lock()
        self._ending = threading.Event()
        super().__init__(
            argv,
            log=log,
            env={"HOME": str(log.parent), "NO_COLOR": "1"},
            answers=lambda: chain_answers(url),
        )

    def kill(self) -> None:
        self._ending.set()
        super().kill()

    def stop(self) -> None:
        """No block is lost: none is made any more, and the last is in a file, before anvil is told to end. One that is
        told to end while it makes blocks may tear its file, as one that is killed may."""
        with contextlib.suppress(ServerFailed):  # it does not run
            self.resume()
            self._make_no_more_blocks()
        self._ending.set()
        super().stop()

    def _make_no_more_blocks(self) -> None:
        deadline = time.monotonic() + WRITTEN_WITHIN_SECONDS
        rpc(self._url, "evm_setAutomine", False)
        newest = int(rpc(self._url, "eth_blockNumber"), 16)
        while (found := _read_state(self._state)) is None or found["best_block_number"] < newest:
            if time.monotonic() > deadline:
                raise AssertionError(f"anvil did not write block {newest} in {WRITTEN_WITHIN_SECONDS:g} s")
            time.sleep(STATE_INTERVAL_SECONDS / 4)
        self._copy()

    def start(self) -> None:
        files = [self._state, *reversed(self._kept)]
        whole = next((found for file in files if (found := _whole_state(file)) is not None), None)
        if whole is not None:
            self._state.write_text(json.dumps(whole))
        elif any(file.exists() for file in files):
            raise ServerFailed("anvil left no state that is whole")
        super().start()
        self._ending = threading.Event()
        threading.Thread(target=self._keep, args=(self._ending,), daemon=True).start()

    def _keep(self, ending: threading.Event) -> None:
        seen = 0
        while not ending.wait(STATE_INTERVAL_SECONDS / 4):
            with contextlib.suppress(FileNotFoundError):
                written = self._state.stat().st_mtime_ns
                if written != seen:
                    seen = written
                    self._copy()

    def _copy(self) -> None:
        """A copy may be torn, too: then the one before it counts."""
        with self._copying:
            copy = self._state.with_suffix(f".{next(self._numbers) % KEPT}")
            shutil.copyfile(self._state, copy)
            self._kept = [*(one for one in self._kept if one != copy), copy]


def _whole_state(path: Path) -> dict[str, Any] | None:
    """The state, with one genesis; None: there is none, it is torn, or its accounts are not those of its last block."""
    found = _read_state(path)
    if found is None:
        return None
    state = with_one_genesis(found)
    with tempfile.TemporaryDirectory(prefix="consentry-anvil-") as scratch:
        file = Path(scratch) / "state.json"
        file.write_text(json.dumps(state))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        looking = ServerProcess(
            (program("anvil"), "--host", "127.0.0.1", "--port", str(port), "--load-state", str(file)),
            log=Path(scratch) / "anvil.log",
            env={"HOME": scratch, "NO_COLOR": "1"},
            answers=lambda: chain_answers(url),
        )
        looking.start()
        try:
            # EIP-1186: the first node of any account's proof is the root of all accounts.
            proof = rpc(url, "eth_getProof", "0x" + "00" * 20, [], "latest")["accountProof"]
            root = rpc(url, "eth_getBlockByNumber", "latest", False)["stateRoot"]
        finally:
            looking.kill()
    return state if keccak256(bytes.fromhex(proof[0][2:])).hex() == root[2:] else None


def _read_state(path: Path) -> dict[str, Any] | None:
    """None: there is none, or it is torn."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return found


def with_one_genesis(state: Mapping[str, Any]) -> dict[str, Any]:
    """The same without the genesis blocks that later starts made: the oldest is the chain's."""
    first = [block for block in state["blocks"] if _number(block, "number") == 0]
    oldest = min(first, key=lambda block: _number(block, "timestamp"), default=None)
    return {**state, "blocks": [one for one in state["blocks"] if one is oldest or one not in first]}


def _number(block: Mapping[str, Any], name: str) -> int:
    return int(block["header"][name], 16)


def _add_balance(url: str, address: str, wei: int) -> None:
    has = int(rpc(url, "eth_getBalance", address, "latest"), 16)
    rpc(url, "anvil_setBalance", address, hex(has + wei))
    # anvil keeps a set balance out of its history until a block holds it; mining one makes reads at a block
    # number agree with reads at "latest".
    rpc(url, "evm_mine")


@contextmanager
def running_anvil(data_dir: Path | None = None, *, extra: Sequence[str] = ()) -> Iterator[Chain]:
    """Run anvil on the state in `data_dir` (made when absent), or on a folder that goes away.

    `extra` are further command line words. Raises `MissingProgram` or `ServerFailed`.
    """
    anvil = program("anvil")
    with tempfile.TemporaryDirectory(prefix="consentry-anvil-") as scratch:
        folder = data_dir or Path(scratch) / "data"
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        listening = ("--host", "127.0.0.1", "--port", str(port), "--chain-id", str(CHAIN_ID))
        state = folder / "state.json"
        keeping = ("--state", str(state), "--state-interval", str(STATE_INTERVAL_SECONDS))
        process = AnvilProcess(
            (anvil, *listening, *keeping, *extra), state=state, log=Path(scratch) / "anvil.log", url=url
        )
        try:
            process.start()
            yield Chain(url=url, chain_id=CHAIN_ID, data_dir=folder, process=process, _funding=_add_balance)
        finally:
            process.stop()
