"""One server process: started, waited for until it answers, stopped by its own process id and no other way.

Output goes to a log file beside the data, and its end is quoted when a server does not come up. A process that
was killed leaves no children behind: `kill` and `stop` return only once all of them are gone.
"""

import atexit
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers import prepared

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes the port between the
# moment it is chosen and the moment the server binds it, nor while the server is down between two starts.
_PORTS = range(20_000, 32_000)
_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05
_CHILDREN_GONE_SECONDS = 10.0


class ServerFailed(Exception):
    """A server ended or stayed silent while it was awaited; the message quotes the end of its log."""


def free_port() -> int:
    """A TCP port that nothing listens on at 127.0.0.1 at this moment."""
    chooser = random.SystemRandom()
    for _ in range(200):
        port = chooser.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerFailed("no free loopback port found in 200 tries")


def descendants(pid: int) -> list[int]:
    """Process ids below `pid`, read from /proc; empty once it is gone."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(word) for word in children.read_text().split()]
        except OSError:
            continue
        for child in direct:
            found += [child, *descendants(child)]
    return found


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


class ServerProcess:
    """A program with fixed arguments that can be started, stopped, killed, suspended and started again."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        answers: Callable[[], bool],
        says: str = "",
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        fresh: bool = True,
        stop_signal: signal.Signals = signal.SIGTERM,
        ready_within: float = 60.0,
        stopped_within: float = 20.0,
    ) -> None:
        """`answers` tells whether the server serves yet (it may raise OSError); `user` is whom it runs as.

        `fresh` False: a gateway's command may be forked out of an interpreter that has imported it (`prepared`).
        `says` is a text of its log that must have appeared since the start, for servers that answer too early.
        """
        self._argv = [str(word) for word in argv]
        self._log = log
        self._answers = answers
        self._says = says.encode()
        self._log_mark = 0
        self._env = {**os.environ, **(env or {})}
        self._user = user
        self._fresh = fresh
        self._stop_signal = stop_signal
        self._ready_within = ready_within
        self._stopped_within = stopped_within
        self._child: subprocess.Popen[bytes] | prepared.Forked | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server. Raises `ServerFailed` when it does not run."""
        if self._child is None or self._child.poll() is not None:
            raise ServerFailed(f"{self._argv[0]} is not running")
        return self._child.pid

    def start(self) -> None:
        """Start the server and return once it answers. Raises `ServerFailed` when it does not in time."""
        with self._log.open("ab") as output:
            self._log_mark = output.tell()
            self._child = (
                self._fork()
                if self._may_fork()
                else subprocess.Popen(
                    self._argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._log.parent,
                    env=self._env,
                    start_new_session=True,
                    user=self._user,
                    group=self._user,
                    extra_groups=None if self._user is None else [],
                    preexec_fn=end_with_parent(self._stop_signal),
                )
            )
        atexit.register(self.kill)
        deadline = time.monotonic() + self._ready_within
        while not self._is_up():
            if self._child.poll() is not None:
                raise ServerFailed(f"{self._argv[0]} ended with {self._child.returncode}: {self._log_end()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(f"{self._argv[0]} did not answer in {self._ready_within:g} s: {self._log_end()}")
            time.sleep(_POLL_SECONDS)

    def _may_fork(self) -> bool:
        return not self._fresh and self._argv[: len(prepared.COMMAND)] == prepared.COMMAND

    def _fork(self) -> prepared.Forked:
        return prepared.mother().fork(
            self._argv[len(prepared.COMMAND) :],
            env=self._env,
            cwd=self._log.parent,
            output=self._log,
            end=int(self._stop_signal),
        )

    def stop(self) -> None:
        """Ask the server to end, and kill it when it has not in time. Does nothing when it does not run."""
        child = self._child
        if child is None or child.poll() is not None:
            self._forget()
            return
        self.resume()
        below = descendants(child.pid)
        child.send_signal(self._stop_signal)
        try:
            child.wait(self._stopped_within)
        except subprocess.TimeoutExpired:
            self.kill()
            return
        self._end_children(below)
        self._forget()

    def await_end(self) -> None:
        """Return once a server that was told to end by other means has ended, or its time for that is over."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._child is not None:
                self._child.wait(self._stopped_within)

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a crash would; returns when it and its children are gone."""
        child = self._child
        if child is not None and child.poll() is None:
            below = descendants(child.pid)
            child.kill()
            child.wait()
            self._end_children(below)
        self._forget()

    def restart(self) -> None:
        """Stop and start again: same arguments, same port, same data."""
        self.stop()
        self.start()

    def suspend(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def _is_up(self) -> bool:
        try:
            return self._says in self._log.read_bytes()[self._log_mark :] and self._answers()
        except OSError:
            return False

    def _end_children(self, below: Sequence[int]) -> None:
        """Wait for children to see their parent's end; kill those that do not."""
        deadline = time.monotonic() + _CHILDREN_GONE_SECONDS
        while any(is_running(pid) for pid in below):
            if time.monotonic() > deadline:
                for pid in filter(is_running, below):
                    os.kill(pid, signal.SIGKILL)
                return
            time.sleep(_POLL_SECONDS)

    def _forget(self) -> None:
        self._child = None
        atexit.unregister(self.kill)

    def _log_end(self) -> str:
        return self._log.read_text(errors="replace")[-2_000:]


def end_with_parent(stop_signal: int) -> Callable[[], None]:
    """Asks the kernel to send `stop_signal` when the process that started the server ends, however it ends (prctl(2),
    PR_SET_PDEATHSIG): a test run that is killed leaves no server behind."""
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
