"""Gateways forked out of one interpreter that has imported them already: most of what a start costs is its imports, and
a run of the tests starts hundreds.

True here: a forked gateway has its own arguments, environment, folder, session and output, as one that was started by
itself; what it imports is what `consentry` imports, and its schema was built as it would build it. It ends when this
process does, however that ends.
Not done here: what /proc tells of arguments and environment (of the first interpreter), and memory that is private to a
process: who looks at these starts the gateway by itself (`fresh`).
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
COMMAND: Final = [sys.executable, "-m", "gateway.cli"]
MODULES: Final = (
    "gateway.cli",
    "gateway.server",
    "gateway.upkeep.verify",
    "gateway.upkeep.rebuild",
    "gateway.upkeep.periods",
    "gateway.wiring.backups",
    "gateway.wiring.keeping",
)
_POLL_SECONDS: Final = 0.02


class Forked:
    """As much of `subprocess.Popen` as servers need."""

    def __init__(self, mother: "Mother", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._mother = mother

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._mother.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(COMMAND, timeout or 0)
            time.sleep(_POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        # Not reaped before `poll` was told so: the id is this process's still.
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Mother:
    """The interpreter that forks, seen from the tests; one for each process that runs some."""

    def __init__(self) -> None:
        mine, its = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.prepared", str(its.fileno()), str(os.getpid())],
            cwd=REPOSITORY,
            env={"PYTHONPATH": str(REPOSITORY), "PATH": os.environ.get("PATH", "")},
            stdin=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )
        its.close()
        self._stream = mine.makefile("rwb")

    def ask(self, question: Mapping[str, Any]) -> Any:
        self._stream.write(json.dumps(question).encode() + b"\n")
        self._stream.flush()
        answer = self._stream.readline()
        if not answer:
            raise RuntimeError("the interpreter that forks gateways has ended")
        return json.loads(answer)

    def fork(self, words: Sequence[str], *, env: Mapping[str, str], cwd: Path, output: Path, end: int) -> Forked:
        """`end`: the signal that it gets when these tests end."""
        asked = {"fork": list(words), "env": dict(env), "cwd": str(cwd), "output": str(output), "end": end}
        return Forked(self, self.ask(asked))


_mother: list[tuple[int, Mother]] = []


def mother() -> Mother:
    if not _mother or _mother[0][0] != os.getpid():
        _mother[:] = [(os.getpid(), Mother())]
    return _mother[0][1]


# ---- the other side


def serve(stream: Any) -> None:
    """Forks and tells of its children until nobody asks any more."""
    ended: dict[int, int] = {}
    for line in stream:
        question = json.loads(line)
        if "poll" in question:
            answer = _reaped(question["poll"], ended)
        else:
            answer = os.fork()
            if answer == 0:
                _become(question)
        stream.write(json.dumps(answer).encode() + b"\n")
        stream.flush()


def _reaped(pid: int, ended: dict[int, int]) -> int | None:
    if pid not in ended:
        with contextlib.suppress(ChildProcessError):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                ended[pid] = os.waitstatus_to_exitcode(status)
    return ended.get(pid)


def _become(question: Mapping[str, Any]) -> None:
    """Runs the command in this process, which was just forked, and ends it."""
    from tests.servers.process import end_with_parent

    end_with_parent(question["end"])()
    os.setsid()
    os.chdir(question["cwd"])
    output = os.open(question["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(question["env"])
    random.seed()
    sys.argv = ["consentry", *question["fork"]]
    code: Any = 1
    try:
        importlib.import_module("gateway.cli").main()
        code = 0
    except SystemExit as ending:
        code = ending.code or 0
    finally:
        if (error := sys.exception()) is not None:
            traceback.print_exception(error)
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    from tests.servers.process import end_with_parent

    end_with_parent(signal.SIGTERM)()
    if os.getppid() != int(sys.argv[2]):
        return  # it ended before the kernel knew
    gc.disable()
    for name in MODULES:
        importlib.import_module(name)
    importlib.import_module("gateway.asgi").served_schema()
    # What is here now stays for good: no child's collector looks at it, and so copies its pages.
    gc.collect()
    gc.freeze()
    gc.enable()
    with socket.socket(fileno=int(sys.argv[1])) as its, its.makefile("rwb") as stream:
        serve(stream)


if __name__ == "__main__":
    main()
