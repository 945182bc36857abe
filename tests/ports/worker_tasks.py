"""What the workers of the tests do. A task is words between zero octets: what to do, and with what.

A module of its own, which imports little: each worker process does.
"""

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway import errors
from tests.servers.process import is_running

_PR_GET_DUMPABLE = 3


def task(*words: str | Path) -> bytes:
    return b"\0".join(str(word).encode() for word in words)


def work(octets: bytes) -> bytes:
    """In the worker."""
    what, *words = octets.split(b"\0")
    done: bytes = globals()[f"_{what.decode()}"](*(word.decode() for word in words))
    return done


def _upper(text: str, seconds: str = "0") -> bytes:
    time.sleep(float(seconds))
    return text.upper().encode()


def _zeros(length: str) -> bytes:
    return bytes(int(length))


def _refuse(kind: str, message: str) -> bytes:
    raise getattr(errors, kind)(message)


def _stumble(text: str) -> bytes:
    raise ValueError(f"no {text}")


def _leave(text: str) -> bytes:
    sys.exit(text)


def _die(*_: str) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def _once(path: str, *_: str) -> bytes:
    """The first worker waits to be killed, the next has the result."""
    if not Path(path).exists():
        _hang(path)
    return b"done"


def _hang(path: str) -> bytes:
    Path(path + ".new").write_text(str(os.getpid()))
    os.replace(path + ".new", path)
    time.sleep(60)
    return b"too late"


def _pid() -> bytes:
    return str(os.getpid()).encode()


def _self() -> bytes:
    """What this process keeps to itself, word by word."""
    words = (
        f"core={resource.getrlimit(resource.RLIMIT_CORE)[1]}",
        f"dumpable={ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)}",
        f"environment={','.join(os.environ)}",
        f"niceness={os.nice(0)}",
        f"session={_session_niceness()}",
        f"output={os.readlink('/proc/self/fd/1')},{os.readlink('/proc/self/fd/2')}",
    )
    return "\n".join(words).encode()


def _session_niceness() -> int:
    """Of the session, where the system weighs those first (sched(7), autogroup); else as of the process."""
    try:
        return int(Path("/proc/self/autogroup").read_text().split()[-1])
    except OSError:
        return os.nice(0)


def pid_in(path: Path, *, within: float = 20.0) -> int:
    """Of the worker that has begun."""
    _await(path.exists, within)
    return int(path.read_text())


def gone(*pids: int, within: float = 10.0) -> None:
    """Returns once none of them runs."""
    _await(lambda: not any(map(is_running, pids)), within)


def _await(holds: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
