"""Work in processes of this machine, each an interpreter of its own with one task under way and one that waits.

True here: a worker is started at the first task that needs it and ends after a minute without one, so its memory goes
back. It begins anew, never as a copy of a gateway whose keys are unlocked; it has no environment, no file and no voice,
leaves no core, and gives way to the loop. It ends when its input does, also in the middle of a task, so it never
outlives the gateway. A task that is given up ends its worker; one whose worker died gets another, and so does one that
waited there, to whom it costs none of its tries.
Not done here: a bound of time for a task (the caller's).

Not `concurrent.futures.ProcessPoolExecutor`: when a worker is killed while it sends a result that is longer than a pipe
takes at once, its reader waits for the rest for ever, because the gateway itself holds the pipe's other end open; and
its workers import the program's main module and have all of its environment.

A frame either way is a length (8 bytes, big-endian) and as many octets: a task, or its outcome
(`gateway.adapters.local_worker`).
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from typing import Final

from gateway.adapters.local_worker import LENGTH
from gateway.errors import UpstreamError
from gateway.ports.workers import TRIES, Work, result_of

IDLE_SECONDS: Final = 60.0
QUEUED: Final = 2
"""Tasks that a worker has: it works on one and finds the next there when that is done, however busy the loop is."""
TAKEN_AT_ONCE: Final = 1 << 20
"""Octets of a task, and of an outcome, that wait for whoever reads them; as far as the system allows it."""
_MAIN: Final = "import sys; from gateway.adapters.local_worker import serve; serve(sys.argv[1])"


class LocalPool:
    """Implements `gateway.ports.workers.Workers` with up to `size` processes, which find `work` by its name."""

    def __init__(self, size: int, *, work: Work, idle_seconds: float = IDLE_SECONDS) -> None:
        self._seats = [_Seat(work, idle_seconds) for _ in range(size)]
        self._turns = asyncio.Semaphore(size * QUEUED)

    @property
    def size(self) -> int:
        return len(self._seats)

    async def run(self, task: bytes) -> bytes:
        async with self._turns:
            return result_of(await self._outcome(task))

    async def close(self) -> None:
        """Returns once no worker is left."""
        await asyncio.gather(*(seat.close() for seat in self._seats))

    async def _outcome(self, task: bytes) -> bytes:
        deaths = 0
        while deaths < TRIES:
            # Of those with the fewest tasks the first: the last may end.
            seat = min(self._seats, key=lambda one: one.tasks)
            with contextlib.suppress(_DisplacedError):
                outcome = await seat.ask(task)
                if outcome is not None:
                    return outcome
                deaths += 1
            seat.refuse_closed()
        raise UpstreamError(f"a task was given to {TRIES} workers, and each died: is there memory enough?")


class _DisplacedError(Exception):
    """A task's worker ended, but not by that task."""


class _Seat:
    """A place for one worker at a time."""

    def __init__(self, work: Work, idle_seconds: float) -> None:
        self._name = f"{work.__module__}:{work.__qualname__}"
        self._idle_seconds = idle_seconds
        self._worker: _Worker | None = None
        self._starting = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        self.tasks = 0

    async def ask(self, task: bytes) -> bytes | None:
        """The outcome; None: the worker died of it. _DisplacedError; UpstreamError when there can be no outcome."""
        self.tasks += 1
        if self._timer is not None:
            self._timer.cancel()
        try:
            worker = await self._running()
            outcome: bytes | None = None
            try:
                outcome = await worker.ask(task)
            finally:
                if outcome is None:
                    self._end(worker)
            return outcome
        finally:
            self.tasks -= 1
            if self.tasks == 0 and self._worker is not None:
                self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._end, self._worker)

    async def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        async with self._starting:
            if self._worker is not None:
                self._end(self._worker)
        await asyncio.gather(*self._ending)

    def refuse_closed(self) -> None:
        if self._closed:
            raise UpstreamError("the workers are closed")

    async def _running(self) -> "_Worker":
        async with self._starting:
            self.refuse_closed()
            if self._worker is not None and not self._worker.is_running:
                self._end(self._worker)
            if self._worker is None:
                self._worker = await self._started()
            return self._worker

    async def _started(self) -> "_Worker":
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, TAKEN_AT_ONCE)
        with theirs, contextlib.ExitStack() as undone:
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=TAKEN_AT_ONCE)
            undone.callback(writer.close)
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-c", _MAIN, self._name,
                    stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=DEVNULL, start_new_session=True,
                    env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )  # fmt: skip
            except OSError as error:
                raise UpstreamError("no worker process can be started") from error
            undone.pop_all()
            return _Worker(process, reader, writer)

    def _end(self, worker: "_Worker") -> None:
        if worker is self._worker:
            self._worker = None
            worker.end()
            ending = asyncio.get_running_loop().create_task(worker.reap())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


class _Worker:
    """A process, and who waits for it: outcomes come in the order of the tasks."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._writing = asyncio.Lock()
        self._reading = asyncio.Lock()  # asked for in the order in which `_writing` was had
        self._ended = False

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def ask(self, task: bytes) -> bytes | None:
        """The outcome; None: the worker died while it was this task's turn. _DisplacedError: it is at an end by another
        task, or by whoever has no more for it."""
        async with self._writing:
            with contextlib.suppress(OSError):  # it is gone: by which task is told to whoever reads next
                await self._send(task)
        async with self._reading:
            outcome: bytes | None = None
            if not self._ended:  # what is left of an outcome that was given up is nobody's
                with contextlib.suppress(OSError, EOFError):
                    outcome = await self._received()
            if outcome is None and self._ended:
                raise _DisplacedError
            return outcome

    def end(self) -> None:
        self._ended = True
        self._writer.close()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # Not process.kill(): it would reap the child under the eyes of asyncio's own watcher.
                os.kill(self._process.pid, signal.SIGKILL)

    async def reap(self) -> None:
        """Once nobody waits for an outcome any more."""
        async with self._writing, self._reading:
            await self._process.wait()

    async def _send(self, task: bytes) -> None:
        if self._writer.is_closing():
            raise BrokenPipeError
        self._writer.write(LENGTH.pack(len(task)))
        self._writer.write(task)
        await self._writer.drain()

    async def _received(self) -> bytes:
        head = await self._reader.readexactly(LENGTH.size)
        return await self._reader.readexactly(LENGTH.unpack(head)[0])
