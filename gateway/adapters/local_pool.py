"""Work in processes of this machine: one interpreter of its own for each task that is under way.

True here: a worker is started at the first task that needs it and ends after a minute without one, so its memory goes
back. It begins anew, never as a copy of a gateway whose keys are unlocked; it leaves no core, has no environment, says
nothing, and gives way to the loop. It ends when its lifeline does, a pipe that the gateway alone holds: whether the
gateway closed it or was killed. A task that is given up ends its worker; one whose worker died gets another, and costs
no other task anything, because each worker is a pool of one.
Not done here: a bound of time for a task (the caller's).
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Final

from gateway.errors import UpstreamError
from gateway.ports.workers import TRIES, Work, outcome_of, result_of

IDLE_SECONDS: Final = 60.0
NICENESS: Final = 10
"""A tenth of the turns while others want them. It shares no interpreter, so nobody waits for what it holds."""
_PR_SET_DUMPABLE: Final = 4


class LocalPool:
    """Implements `gateway.ports.workers.Workers` with up to `size` processes, which find `work` by its name."""

    def __init__(self, size: int, *, work: Work, idle_seconds: float = IDLE_SECONDS) -> None:
        self._seats = [_Seat(work, idle_seconds) for _ in range(size)]
        # The one that was used last is the next: the others may end.
        self._free = list(self._seats)
        self._turns = asyncio.Semaphore(size)
        self._closed = False

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
        self._closed = True
        await asyncio.gather(*(seat.close() for seat in self._seats))

    async def _outcome(self, seat: "_Seat", task: bytes) -> bytes:
        for _ in range(TRIES):
            self._refuse_closed()
            outcome = await seat.ask(task)
            if outcome is not None:
                return outcome
        self._refuse_closed()
        raise UpstreamError(f"a task was given to {TRIES} workers, and each died: is there memory enough?")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise UpstreamError("the workers are closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """A process and its lifeline; both ends, for the executor passes the other one on when it starts the process."""

    executor: ProcessPoolExecutor
    lifeline: Connection
    theirs: Connection


class _Seat:
    """A place for one worker and one task at a time."""

    def __init__(self, work: Work, idle_seconds: float) -> None:
        self._work = work
        self._idle_seconds = idle_seconds
        self._worker: _Worker | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Future[None]] = set()

    async def ask(self, task: bytes) -> bytes | None:
        """The outcome; None: the worker died."""
        if self._timer is not None:
            self._timer.cancel()
        if self._worker is None:
            self._worker = _begun()
        outcome: bytes | None = None
        try:
            with contextlib.suppress(BrokenProcessPool):
                asked = self._worker.executor.submit(outcome_of, self._work, task)
                outcome = await asyncio.wrap_future(asked)
        except OSError as error:
            raise UpstreamError("no worker process can be started") from error
        finally:
            if outcome is None:
                self._end()
            else:
                self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._end)
        return outcome

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._end()
        await asyncio.gather(*self._ending)

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.lifeline.close()
        worker.theirs.close()
        # Reaps the process, in a thread that waits for it.
        ending = asyncio.get_running_loop().run_in_executor(None, worker.executor.shutdown)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


def _begun() -> _Worker:
    """Its process starts with the first task."""
    spawn = get_context("spawn")
    theirs, lifeline = spawn.Pipe(duplex=False)
    executor = ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin, initargs=(theirs,))
    return _Worker(executor=executor, lifeline=lifeline, theirs=theirs)


def _begin(lifeline: Connection) -> None:
    """The worker's first deed, before it is given a task."""
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _keep_to_itself()
    os.nice(NICENESS)
    # Signals of terminal and service are for the gateway to act on.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _end_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(0)


def _keep_to_itself() -> None:
    """No core dump and no debugger sees a task's keys, the gateway's secrets are not in reach, and what a library has
    to say may quote a row."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.environ.clear()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
