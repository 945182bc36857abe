"""Work in processes of this machine: one interpreter of its own for each task that is under way.

True here: a worker is started at the first task that needs it and ends after a minute without one, so its memory goes
back. It begins anew, never as a copy of a gateway whose keys are unlocked; it has no environment, no file and no voice,
leaves no core, and gives way to the loop. It ends when its input does, also in the middle of a task, so it never
outlives the gateway. A task that is given up ends its worker; one whose worker died gets another, and costs no other
task anything.
Not done here: a bound of time for a task (the caller's).

Not `concurrent.futures.ProcessPoolExecutor`: when a worker is killed while it sends a result that is longer than a pipe
takes at once, its reader waits for the rest for ever, because the gateway itself holds the pipe's other end open; and
its workers import the program's main module and have all of its environment.

A frame either way is a length (8 bytes, big-endian) and as many octets: a task, or its outcome.
"""

import asyncio
import contextlib
import ctypes
import importlib
import os
import resource
import signal
import struct
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, Final

from gateway.errors import UpstreamError
from gateway.ports.workers import TRIES, Work, outcome_of, result_of

IDLE_SECONDS: Final = 60.0
NICENESS: Final = 10
"""A tenth of the turns while others want them. It shares no interpreter, so nobody waits for what it holds."""
_LENGTH: Final = struct.Struct(">Q")
_READ_AHEAD: Final = 1 << 20
_MAIN: Final = "import sys; from gateway.adapters.local_pool import serve; serve(sys.argv[1])"
_PR_SET_DUMPABLE: Final = 4


class LocalPool:
    """Implements `gateway.ports.workers.Workers` with up to `size` processes, which find `work` by its name."""

    def __init__(self, size: int, *, work: Work, idle_seconds: float = IDLE_SECONDS) -> None:
        self._seats = [_Seat(work, idle_seconds) for _ in range(size)]
        # The one that was used last is the next: the others may end.
        self._free = list(self._seats)
        self._turns = asyncio.Semaphore(size)

    @property
    def size(self) -> int:
        return len(self._seats)

    async def run(self, task: bytes) -> bytes:
        async with self._turns:
            seat = self._free.pop()
            try:
                return result_of(await self._outcome(seat, task))
            finally:
                self._free.append(seat)

    async def close(self) -> None:
        """Returns once no worker is left."""
        await asyncio.gather(*(seat.close() for seat in self._seats))

    async def _outcome(self, seat: "_Seat", task: bytes) -> bytes:
        for _ in range(TRIES):
            outcome = await seat.ask(task)
            if outcome is not None:
                return outcome
        seat.refuse_closed()
        raise UpstreamError(f"a task was given to {TRIES} workers, and each died: is there memory enough?")


class _Seat:
    """A place for one worker and one task at a time."""

    def __init__(self, work: Work, idle_seconds: float) -> None:
        self._name = f"{work.__module__}:{work.__qualname__}"
        self._idle_seconds = idle_seconds
        self._process: Process | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._closed = False

    async def ask(self, task: bytes) -> bytes | None:
        """The outcome; None: the worker died. UpstreamError when there can be none."""
        async with self._turn:
            if self._timer is not None:
                self._timer.cancel()
            outcome: bytes | None = None
            try:
                process = await self._running()
                with contextlib.suppress(OSError, EOFError):
                    outcome = await _exchange(process, task)
            finally:
                if outcome is None:
                    self._end()
                else:
                    self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._end)
            return outcome

    async def close(self) -> None:
        self._closed = True
        if self._process is not None:
            _kill(self._process)
        async with self._turn:  # what was under way has seen it
            if self._timer is not None:
                self._timer.cancel()
            self._end()
        await asyncio.gather(*self._ending)

    def refuse_closed(self) -> None:
        if self._closed:
            raise UpstreamError("the workers are closed")

    async def _running(self) -> Process:
        self.refuse_closed()
        if self._process is not None and self._process.returncode is None:
            return self._process
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-c", _MAIN, self._name,
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_READ_AHEAD, start_new_session=True,
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )  # fmt: skip
        except OSError as error:
            raise UpstreamError("no worker process can be started") from error
        self.refuse_closed()  # meanwhile
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(process)
            ending = asyncio.get_running_loop().create_task(_reap(process))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            # Not process.kill(): it would reap the child under the eyes of asyncio's own watcher.
            os.kill(process.pid, signal.SIGKILL)


async def _reap(process: Process) -> None:
    # An outcome that nobody read to its end would keep the pipe, and the wait with it, open.
    if process.stdout is not None:
        await process.stdout.read()
    await process.wait()


async def _exchange(process: Process, task: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise OSError("the worker has no pipes")
    process.stdin.write(_LENGTH.pack(len(task)))
    process.stdin.write(task)
    await process.stdin.drain()
    head = await process.stdout.readexactly(_LENGTH.size)
    return await process.stdout.readexactly(_LENGTH.unpack(head)[0])


def serve(name: str) -> None:
    """The worker: does `module:function` with one task after the other."""
    _keep_to_itself()
    source, sink = _taken(0, "rb"), _taken(1, "wb")
    module, _, function = name.partition(":")
    work: Work = getattr(importlib.import_module(module), function)
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(source, tasks), daemon=True).start()
    while True:
        _send(sink, outcome_of(work, tasks.get()))


def _send(sink: BinaryIO, outcome: bytes) -> None:
    sink.write(_LENGTH.pack(len(outcome)))
    sink.write(outcome)
    sink.flush()


def _receive(source: BinaryIO, tasks: SimpleQueue[bytes]) -> None:
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        tasks.put(source.read(_LENGTH.unpack(head)[0]))
    os._exit(0)


def _keep_to_itself() -> None:
    """No core dump and no debugger sees a task's keys; signals are for the gateway to act on, which goes first."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    # Linux weighs sessions first, and a process only within its own (sched(7), "The autogroup feature").
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def _taken(descriptor: int, mode: str) -> Any:
    """What a descriptor leads to. It leads nowhere from then on: no library reads or writes between frames."""
    kept = os.fdopen(os.dup(descriptor), mode)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return kept
