"""The chain's process, from its command line to its end.

Prints one JSON line on standard output: `{"port", "chainId", "head"}` once requests are answered, or `{"refused"}`.
Ends with 0 after SIGTERM (or SIGINT), 3 when refused, 4 when a commit's outcome is unknown. With `--with-parent` it
also ends when standard input does, or when it is handed to another parent: it never outlives who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_typing import Address

from anchoring.chain.embedded.errors import ChainRefused
from anchoring.chain.embedded.evm import open_chain
from anchoring.chain.embedded.rpc import RpcMethods
from anchoring.chain.embedded.server import RpcServer, listen
from anchoring.chain.embedded.store import open_store

EXIT_REFUSED: Final = 3
EXIT_UNCERTAIN: Final = 4
PARENT_CHECK_SECONDS: Final = 1.0
PR_SET_DUMPABLE: Final = 4
# For crash tests alone: die at the n-th commit of this process (genesis counts), on either side of the commit point.
KILL_BEFORE_COMMIT: Final = "CONSENTRY_EMBEDDED_CHAIN_KILL_BEFORE_COMMIT"
KILL_AFTER_COMMIT: Final = "CONSENTRY_EMBEDDED_CHAIN_KILL_AFTER_COMMIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, read."""

    data: Path
    chain_id: int
    funded: tuple[Address, ...]
    port: int
    with_parent: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chain until told to stop; the exit status."""
    parent = os.getppid()
    options = _read(arguments)
    _keep_to_itself()
    try:
        return asyncio.run(_run(options, parent))
    except ChainRefused as e:
        _say({"refused": str(e)})
        return EXIT_REFUSED


def _keep_to_itself() -> None:
    """No core dump and no debugger, and new files for the owner alone: a patient's transactions pass through here."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


async def _run(options: Options, parent: int) -> int:
    store = open_store(
        options.data,
        before_commit=_killer(os.environ.get(KILL_BEFORE_COMMIT)),
        after_commit=_killer(os.environ.get(KILL_AFTER_COMMIT)),
    )
    try:
        chain = open_chain(store, chain_id=options.chain_id, funded=options.funded, clock=time.time)
        remembered = options.data.with_name(options.data.name + ".port")
        listener = listen(options.port) if options.port else _listen_where_it_was(remembered)
        port: int = listener.getsockname()[1]
        _remember(remembered, port)
        server = RpcServer(RpcMethods(chain).call)
        _end_with(server, parent, with_parent=options.with_parent)
        gc.collect()
        gc.freeze()
        gc.enable()
        _say({"port": port, "chainId": chain.chain_id, "head": chain.head.block_number})
        await server.serve(listener)
        if server.failure is not None:
            sys.stderr.write(f"embedded chain: {server.failure}\n")
            return EXIT_UNCERTAIN
        return 0
    finally:
        store.close()


def _end_with(server: RpcServer, parent: int, *, with_parent: bool) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.stop)
    # In a terminal Ctrl-C reaches the whole group: the parent drains first and then stops this process.
    loop.add_signal_handler(signal.SIGINT, (lambda: None) if with_parent else server.stop)

    def look() -> None:
        # Standard input alone would not do: a sibling forked from the parent holds the pipe open.
        if os.getppid() == parent:
            loop.call_later(PARENT_CHECK_SECONDS, look)
        else:
            server.stop()

    if with_parent:
        _on_end_of_input(loop, server.stop)
        look()


def _on_end_of_input(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            stop()

    loop.add_reader(descriptor, readable)


def _listen_where_it_was(remembered: Path) -> socket.socket:
    """The last run's port if it is free, so that what a patient noted down still holds; else any free one."""
    with suppress(FileNotFoundError, ValueError, OverflowError, ChainRefused):
        return listen(int(remembered.read_text(encoding="ascii")))
    return listen(0)


def _remember(remembered: Path, port: int) -> None:
    fresh = remembered.with_name(remembered.name + ".new")
    fresh.write_text(f"{port}\n", encoding="ascii")
    fresh.replace(remembered)


def _killer(count: str | None) -> Callable[[], None]:
    left = int(count) if count else 0

    def hook() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def _say(line: dict[str, int | str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _read(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m anchoring.chain.embedded", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the chain's SQLite file")
    parser.add_argument("--chain-id", type=int, required=True, help="fixed at genesis, below 2^31")
    parser.add_argument("--fund", type=_address, action="append", default=[], help="rich at genesis")
    parser.add_argument("--port", type=_port, default=0, help="0: the last run's, or a free one")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    read = parser.parse_args(arguments)
    return Options(
        data=read.data,
        chain_id=read.chain_id,
        funded=tuple(read.fund),
        port=read.port,
        with_parent=read.with_parent,
    )


def _address(text: str) -> Address:
    octets = bytes.fromhex(text.removeprefix("0x"))
    if len(octets) != 20:
        raise ValueError("an address has 20 bytes")
    return Address(octets)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise ValueError("a port is 0 to 65535")
    return port
