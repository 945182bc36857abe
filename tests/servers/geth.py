"""geth's own development chain (`--dev`) in a data directory: one node, blocks on demand, no peers.

Its developer account holds the money and stays unlocked, so that `fund` can send from it.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.chain import Chain, chain_answers
from tests.servers.http import rpc
from tests.servers.process import ServerFailed, ServerProcess, free_port
from tests.servers.programs import program

CHAIN_ID = 1_337
_MINED_WITHIN_SECONDS = 20.0


def _send_from_developer(url: str, address: str, wei: int) -> None:
    developer = rpc(url, "eth_accounts")[0]
    sent = rpc(url, "eth_sendTransaction", {"from": developer, "to": address, "value": hex(wei)})
    deadline = time.monotonic() + _MINED_WITHIN_SECONDS
    while rpc(url, "eth_getTransactionReceipt", sent) is None:
        if time.monotonic() > deadline:
            raise ServerFailed(f"geth did not mine {sent} in {_MINED_WITHIN_SECONDS:g} s")
        time.sleep(0.05)


@contextmanager
def running_geth(data_dir: Path | None = None, *, extra: Sequence[str] = ()) -> Iterator[Chain]:
    """Run a development chain on `data_dir` (made when absent), or on a folder that goes away.

    `extra` are further command line words. Raises `MissingProgram` or `ServerFailed`.
    """
    geth = program("geth")
    with tempfile.TemporaryDirectory(prefix="consentry-geth-") as scratch:
        folder = data_dir or Path(scratch) / "data"
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        developing = ("--dev", "--dev.period", "0", "--datadir", str(folder), "--ipcdisable", "--nat", "none")
        speaking = ("--http", "--http.addr", "127.0.0.1", "--http.port", str(port), "--http.api", "eth,net,web3")
        engine = ("--authrpc.addr", "127.0.0.1", "--authrpc.port", str(free_port()))
        process = ServerProcess(
            (geth, *developing, *speaking, *engine, *extra),
            log=Path(scratch) / "geth.log",
            env={"HOME": scratch},
            answers=lambda: chain_answers(url),
        )
        try:
            process.start()
            yield Chain(url=url, chain_id=CHAIN_ID, data_dir=folder, process=process, _funding=_send_from_developer)
        finally:
            process.stop()
