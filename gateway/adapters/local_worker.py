"""A worker of `gateway.adapters.local_pool`, at its own end of a pair of sockets.

True here: it has one task's keys and rows at a time and what of the next came already; it has no environment, no file
and no voice, leaves no core, and ends when its input does, also in the middle of a task. No more is imported than it
uses: it is started when somebody waits for it.
"""

import contextlib
import ctypes
import importlib
import os
import resource
import signal
import socket
import struct
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from gateway.ports.workers import Work, outcome_of

LENGTH: Final = struct.Struct(">Q")
"""Of a frame, before it: a task, or its outcome."""
NICENESS: Final = 10
"""A tenth of the turns while others want them. It shares no interpreter, so nobody waits for what it holds."""
_PR_SET_DUMPABLE: Final = 4


def serve(name: str) -> None:
    """The worker: does `module:function` with one task after the other."""
    _keep_to_itself()
    gateway = _taken()
    module, _, function = name.partition(":")
    work: Work = getattr(importlib.import_module(module), function)
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(gateway, tasks), daemon=True).start()
    while True:
        outcome = outcome_of(work, tasks.get())
        gateway.sendall(LENGTH.pack(len(outcome)))
        gateway.sendall(outcome)


def _receive(gateway: socket.socket, tasks: SimpleQueue[bytes]) -> None:
    try:
        while True:
            (size,) = LENGTH.unpack(_octets(gateway, LENGTH.size))
            tasks.put(_octets(gateway, size))
    finally:  # where the gateway is gone, so is this process
        os._exit(0)


def _octets(gateway: socket.socket, size: int) -> bytes:
    """All of them by one call, which needs no turn of the interpreter while a task is under way."""
    octets = gateway.recv(size, socket.MSG_WAITALL)
    if len(octets) < size:
        raise EOFError
    return octets


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


def _taken() -> socket.socket:
    """What standard input leads to. That and standard output lead nowhere from then on: no library reads or writes
    between frames."""
    kept = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return kept
