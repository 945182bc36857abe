"""anvil with its state in a file, written each second: a killed anvil forgets up to the last second, and no more.

anvil alone would forget more. It writes its file in place, so a kill may tear it; and whenever it starts it makes a
genesis block of its own, writes it beside the one that it loaded, and takes either at the start after. `AnvilProcess`
sees to both before a start, as whoever runs a node that must last would. Blocks are made on demand, one for each
transaction.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.chain import Chain, chain_answers
from tests.servers.http import rpc
from tests.servers.process import ServerProcess, free_port
from tests.servers.programs import program

CHAIN_ID = 31_337
STATE_INTERVAL_SECONDS = 1
_WHOLE_WITHIN_SECONDS = 5.0


class AnvilProcess(ServerProcess):
    """Keeps one whole state file beside the one that anvil writes; `start` takes it where that one is torn."""

    def __init__(self, argv: Sequence[str | Path], *, state: Path, log: Path, url: str) -> None:
        self._state = state
        self._whole = state.with_suffix(".whole")
        super().__init__(
            argv,
            log=log,
            env={"HOME": str(log.parent), "NO_COLOR": "1"},
            answers=lambda: chain_answers(url),
        )

    def kill(self) -> None:
        """SIGKILL, after a copy: anvil may be writing at that very moment."""
        self._copy()
        super().kill()

    def start(self) -> None:
        found = _read_state(self._state) or _read_state(self._whole)
        if found is not None:
            self._state.write_text(json.dumps(with_one_genesis(found)))
        super().start()

    def _copy(self) -> None:
        deadline = time.monotonic() + _WHOLE_WITHIN_SECONDS
        while self._state.exists() and time.monotonic() < deadline:
            found = _read_state(self._state)
            if found is not None:
                self._whole.write_text(json.dumps(found))
                return
            time.sleep(0.01)


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
