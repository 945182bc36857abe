"""geth's own development chain (`--dev`) in a data directory: one node, blocks on demand, no peers.

By default it keeps each block and its state when it is killed. With geth's own defaults (pebble, states in memory)
a killed geth goes back to where it was last stopped: `durable=False`, for tests of a deep reorganization.

Its developer account holds the money and stays unlocked, so that `fund` can send from it. Each block's time is at
least a second after the last one's, so that many quick blocks run ahead of the clock.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.chain import Chain, chain_answers
from tests.servers.http import RpcRefused, rpc
from tests.servers.process import ServerFailed, ServerProcess, free_port
from tests.servers.programs import program

CHAIN_ID = 1_337
_EVERY_STATE_ON_DISK = ("--db.engine", "leveldb", "--state.scheme", "hash", "--gcmode", "archive", "--cache", "128")
# The last thing geth does at a start. It answers earlier, but until then a transaction may wait in the pool
# without a block being made for it, and SIGTERM ends it without a clean shutdown.
_STARTED = "Started log indexer"
_MINED_WITHIN_SECONDS = 20.0


def _is_mined(url: str, transaction: str) -> bool:
    try:
        return rpc(url, "eth_getTransactionReceipt", transaction) is not None
    except RpcRefused as refused:
        # geth's words for "not known yet" while its index catches up with the head, right after a start above all.
        if "transaction indexing is in progress" in str(refused):
            return False
        raise


def _send_from_developer(url: str, address: str, wei: int) -> None:
    developer = rpc(url, "eth_accounts")[0]
    sent = rpc(url, "eth_sendTransaction", {"from": developer, "to": address, "value": hex(wei)})
    deadline = time.monotonic() + _MINED_WITHIN_SECONDS
    while not _is_mined(url, sent):
        if time.monotonic() > deadline:
            raise ServerFailed(f"geth did not mine {sent} in {_MINED_WITHIN_SECONDS:g} s")
        time.sleep(0.05)


@contextmanager
def running_geth(data_dir: Path | None = None, *, durable: bool = True, extra: Sequence[str] = ()) -> Iterator[Chain]:
    """Run a development chain on `data_dir` (made when absent), or on a folder that goes away.

    `durable` says whether a kill loses nothing; `extra` are further command line words. Raises
    `MissingProgram` or `ServerFailed`.
    """
    geth = program("geth")
    with tempfile.TemporaryDirectory(prefix="consentry-geth-") as scratch:
        folder = data_dir or Path(scratch) / "data"
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        developing = ("--dev", "--dev.period", "0", "--datadir", str(folder), "--ipcdisable", "--nat", "none")
        speaking = ("--http", "--http.addr", "127.0.0.1", "--http.port", str(port), "--http.api", "eth,net,web3")
        engine = ("--authrpc.addr", "127.0.0.1", "--authrpc.port", str(free_port()))
        keeping = _EVERY_STATE_ON_DISK if durable else ()
        process = ServerProcess(
            (geth, *developing, *keeping, *speaking, *engine, *extra),
            says=_STARTED,
            log=Path(scratch) / "geth.log",
            env={"HOME": scratch},
            answers=lambda: chain_answers(url),
        )
        try:
            process.start()
            yield Chain(url=url, chain_id=CHAIN_ID, data_dir=folder, process=process, _funding=_send_from_developer)
        finally:
            process.stop()
