"""anvil with its state in a file, written each second: a killed anvil forgets up to the last second.

Blocks are made on demand, one for each transaction.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.chain import Chain, chain_answers
from tests.servers.http import rpc
from tests.servers.process import ServerProcess, free_port
from tests.servers.programs import program

CHAIN_ID = 31_337
STATE_INTERVAL_SECONDS = 1


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
        keeping = ("--state", str(folder / "state.json"), "--state-interval", str(STATE_INTERVAL_SECONDS))
        process = ServerProcess(
            (anvil, *listening, *keeping, *extra),
            log=Path(scratch) / "anvil.log",
            env={"HOME": scratch, "NO_COLOR": "1"},
            answers=lambda: chain_answers(url),
        )
        try:
            process.start()
            yield Chain(url=url, chain_id=CHAIN_ID, data_dir=folder, process=process, _funding=_add_balance)
        finally:
            process.stop()
