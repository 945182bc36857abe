"""The parent's side: start the embedded chain as a child, wait until it answers, stop it, notice its death.

True of a started `EmbeddedChainProcess`: its chain answered at `url` when `start` returned. The child never outlives
its parent. Not done here: restarting by itself; who owns the chain decides (call `start` again, the file is whole).
Nothing of py-evm is imported here.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anchoring
from anchoring.chain.embedded.errors import ChainDidNotStart, ChainRefused

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
MAX_LINE_BYTES: Final = 4_096

NAMES: Final = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR"})
PREFIXES: Final = ("LC_", "LD_", "PYTHON", "FAKETIME", "FAILING_", "CONSENTRY_EMBEDDED_CHAIN_KILL_")
"""What the child is given of the environment: where things lie, and no secret of the parent's. A clock that is faked
and a disk that fails under the parent are so for it; tests name the commit at which it ends."""

OnDeath = Callable[[int], None]


class EmbeddedChainProcess:
    """A running chain. Make one with `start`; every method may be called from any thread."""

    def __init__(self, child: subprocess.Popen[bytes], *, port: int, chain_id: int, on_death: OnDeath | None) -> None:
        self._child = child
        self._stopped = threading.Event()
        self.port: Final = port
        self.chain_id: Final = chain_id
        if on_death is not None:
            threading.Thread(target=self._watch, args=(on_death,), name="embedded-chain-watch", daemon=True).start()

    @classmethod
    def start(
        cls,
        *,
        data: Path,
        chain_id: int,
        funded: Sequence[str],
        port: int = 0,
        on_death: OnDeath | None = None,
    ) -> EmbeddedChainProcess:
        """Open or create the chain in `data` and serve it; returns once it answers (blocks about two seconds).

        `funded`: `0x` addresses given 10^24 wei at genesis, ignored later. `port` 0: the last run's if free, else any;
        the port in use is in `data` + ".port". `on_death` is called in a thread of its own, with the exit status, if
        the child ends without `stop`. Errors: `ChainRefused` (file in use, other chain id, not a chain, port taken),
        `ChainDidNotStart`.
        """
        command = [sys.executable, "-P", "-m", "anchoring.chain.embedded", "--with-parent"]
        command += ["--data", str(data), "--chain-id", str(chain_id), "--port", str(port)]
        command += [part for address in funded for part in ("--fund", address)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment())  # noqa: S603  # no shell; our own interpreter
        try:
            ready = _first_line(child)
            return cls(child, port=_port(ready, child), chain_id=chain_id, on_death=on_death)
        except BaseException:
            _end(child, patience=0.0)
            raise

    @property
    def url(self) -> str:
        """Where JSON-RPC is answered."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._child.poll() is None

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._child.poll()

    def stop(self, *, patience: float = STOP_SECONDS) -> None:
        """End the child cleanly, by force after `patience` seconds (nothing is lost then either). May be repeated."""
        self._stopped.set()
        _end(self._child, patience=patience)

    def _watch(self, on_death: OnDeath) -> None:
        status = self._child.wait()
        if not self._stopped.is_set():
            on_death(status)


def _environment() -> dict[str, str]:
    # The child finds this very package, installed or not, whatever the working directory.
    root = str(Path(anchoring.__path__[0]).parent)
    inherited = os.environ.get("PYTHONPATH")
    kept = {name: text for name, text in os.environ.items() if name in NAMES or name.startswith(PREFIXES)}
    return {**kept, "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root])}


def _first_line(child: subprocess.Popen[bytes]) -> bytes:
    if child.stdout is None:
        raise ChainDidNotStart("the embedded chain has no standard output")
    line = b""
    deadline = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise ChainDidNotStart(f"the embedded chain was not ready within {START_SECONDS:g} s")
            part = os.read(child.stdout.fileno(), MAX_LINE_BYTES)
            if not part:
                raise ChainDidNotStart(f"the embedded chain ended with status {child.wait()} before it was ready")
            line += part
    return line


def _port(line: bytes, child: subprocess.Popen[bytes]) -> int:
    try:
        said = json.loads(line)
        if "refused" in said:
            raise ChainRefused(str(said["refused"]))
        return int(said["port"])
    except (ValueError, KeyError, TypeError) as e:
        raise ChainDidNotStart(f"the embedded chain (process {child.pid}) said something else than its port") from e


def _end(child: subprocess.Popen[bytes], *, patience: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.terminate() if patience else child.kill()
    try:
        child.wait(patience or None)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
