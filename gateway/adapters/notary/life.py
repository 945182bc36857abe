"""One life of the child, seen from the parent: what it was asked and has not answered, in order.

One send a turn of the loop; the transport keeps what the socket will not take yet. When the child dies, everything
unanswered fails at once, for its outcome is in doubt. A life is never revived: the next is another writer.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import gateway
from gateway.adapters.notary.wire import (
    Answer,
    Buffer,
    Request,
    Start,
    Started,
    decode_answers,
    decode_started,
    frame,
)
from gateway.errors import ConsentryError, LimitError, SettingsError, UpstreamError

_TURN = 64
"""Requests that are sent without waiting for the turn's end."""
_WAITING = 4_096
"""Requests without an answer, at most."""
_TICK = 5.0
_SILENT_TICKS = 3
"""A child that owes an answer and says nothing for so many ticks is killed."""
_START = 30.0
"""Seconds for the child to open its key and find its place."""
_NAMES = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR"})
_PREFIXES = ("LC_", "LD_", "PYTHON", "FAKETIME", "FAILING_", "PG")
"""What the child is given of the environment: where things lie, what libpq reads, and no other secret. A clock that is
faked and a disk that fails under the gateway (tests load libraries that do so) are so for it."""


class Life(asyncio.Protocol):
    """Made by `begin_life`. `started` is set once the child has said who it is."""

    def __init__(self, process: subprocess.Popen[bytes], *, on_end: Callable[["Life"], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._buffer = Buffer()
        self._outbox: list[Request] = []
        self._unanswered: deque[asyncio.Future[Answer]] = deque()
        self._armed = False
        self._silent = 0
        self._tick: asyncio.TimerHandle | None = None
        self._drained = asyncio.Event()
        self.started: asyncio.Future[Started] = self._loop.create_future()
        self.alive = True

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def ask(self, request: Request) -> asyncio.Future[Answer]:
        """The answer to come. UpstreamError, at once or later, when this life ends first or has too much to do."""
        if not self.alive:
            raise UpstreamError("the notary is gone")
        if len(self._unanswered) >= _WAITING:
            raise LimitError("too much waits to be written; try again shortly")
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._unanswered.append(future)
        self._outbox.append(request)
        if len(self._outbox) >= _TURN:
            self._flush()
        elif not self._armed:
            self._armed = True
            self._loop.call_soon(self._flush_turn)
        return future

    async def end(self, *, drain: float) -> None:
        """Waits up to `drain` seconds for what is unanswered, closes the socket and reaps the child."""
        if self._unanswered:
            self._drained.clear()
            try:
                async with asyncio.timeout(drain):
                    await self._drained.wait()
            except TimeoutError:
                self._process.kill()
        if self._transport is not None:
            self._transport.close()
        await asyncio.to_thread(reap, self._process)

    def send_start(self, start: Start) -> None:
        assert self._transport is not None
        self._transport.write(frame(start))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tick = self._loop.call_later(_TICK, self._watch)

    def data_received(self, data: bytes) -> None:
        self._silent = 0
        self._buffer.feed(data)
        while (body := self._buffer.take()) is not None:
            if self.started.done():
                self._settle(body)
            else:
                self._begin(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self._tick is not None:
            self._tick.cancel()
        failure = UpstreamError("the notary is gone: the outcome is in doubt")
        if not self.started.done():
            self.started.set_exception(failure)
        while self._unanswered:
            future = self._unanswered.popleft()
            if not future.done():
                future.set_exception(failure)
        self._drained.set()
        self._loop.run_in_executor(None, reap, self._process)
        self._on_end(self)

    def _begin(self, body: bytes) -> None:
        message = decode_started(body)
        if isinstance(message, Started):
            self.started.set_result(message)
            return
        kind: type[ConsentryError] = SettingsError if message.setting else UpstreamError
        self.started.set_exception(kind(f"the notary does not start: {message.message}"))

    def _settle(self, body: bytes) -> None:
        for answer in decode_answers(body):
            future = self._unanswered.popleft()
            if not future.done():
                future.set_result(answer)
        if not self._unanswered:
            self._drained.set()

    def _flush_turn(self) -> None:
        self._armed = False
        self._flush()

    def _flush(self) -> None:
        if not self._outbox or not self.alive or self._transport is None:
            return
        requests, self._outbox = self._outbox, []
        try:
            self._transport.write(frame(requests))
        except ValueError:
            for request in requests:  # too much for one frame together; `fits` has seen that each is not
                self._transport.write(frame([request]))

    def _watch(self) -> None:
        self._tick = self._loop.call_later(_TICK, self._watch)
        self._silent = self._silent + 1 if self._unanswered else 0
        if self._silent >= _SILENT_TICKS:
            self._process.kill()


async def begin_life(start: Start, *, on_end: Callable[[Life], None]) -> tuple[Life, Started]:
    """A child that has opened its key and found its place in the chain. SettingsError or UpstreamError."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    with theirs:
        try:
            process = await asyncio.to_thread(_spawn, theirs.fileno())
        except OSError as error:
            ours.close()
            raise UpstreamError("the notary cannot be started") from error
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    _, life = await loop.create_unix_connection(lambda: Life(process, on_end=on_end), sock=ours)
    life.send_start(start)
    try:
        async with asyncio.timeout(_START):
            return life, await asyncio.shield(life.started)
    except (ConsentryError, TimeoutError) as error:
        await life.end(drain=0)
        if isinstance(error, TimeoutError):
            raise UpstreamError("the notary does not start in time") from error
        raise


def fits(request: Request) -> bool:
    """Whether a request is short enough for a frame."""
    try:
        frame([request])
    except ValueError:
        return False
    return True


def reap(process: subprocess.Popen[bytes]) -> None:
    """Waits for a child whose socket is closed; kills it if it does not see that."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    # The child must find this very package, wherever it was imported from, and nothing of the working directory.
    package = str(Path(gateway.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    kept = {name: text for name, text in os.environ.items() if name in _NAMES or name.startswith(_PREFIXES)}
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", "gateway.adapters.notary", str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**kept, "PYTHONPATH": path},
        start_new_session=True,
    )
