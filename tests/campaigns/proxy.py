"""A TCP proxy that breaks a link on command: down, mute, late, cut in mid-answer, corrupt. It forwards octets and knows
no protocol.

True here: a fault switched on holds for connections that are open already; switched off, what a mute link held back
goes on its way, as when a network comes back. Late, cut and corrupt strike what comes from the server; down ends every
connection and refuses new ones; mute holds back both ways. It runs on an event loop in a thread of its own, so a test
that blocks does not hold up the link.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, TypeVar

from tests.servers.process import free_port

PIECE: Final = 16 << 10
LATE_SECONDS: Final = 2.0
CUT_AFTER: Final = 40
"""Octets from the server that pass a link before it is cut: in the midst of the first answer."""
FLIP_EACH: Final = 97
"""Of so many octets from the server one is flipped, at random."""
T = TypeVar("T")


class Fault(StrEnum):
    """What a link may do. `NONE`: forward."""

    NONE = "none"
    DOWN = "down"
    HANG = "hang"
    LATE = "late"
    CUT = "cut"
    CORRUPT = "corrupt"


FAULTS: Final = tuple(fault for fault in Fault if fault is not Fault.NONE)


class Proxy:
    """Listens on `port` of loopback and forwards to `target`, also of loopback. A context manager."""

    def __init__(self, target: int, *, seed: int = 0) -> None:
        self.port: Final = free_port()
        self.struck = 0
        """How often a fault was met: by a connection refused, a piece held back, cut, late or changed."""
        self._target = target
        self._fault = Fault.NONE
        self._chance = random.Random(seed)
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._changed: asyncio.Event | None = None
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy to {target}", daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def set(self, fault: Fault) -> None:
        """The link behaves so from now on."""
        self._do(self._set(fault))

    @contextmanager
    def broken(self, fault: Fault) -> Iterator[None]:
        """For the length of a block."""
        self.set(fault)
        try:
            yield
        finally:
            self.set(Fault.NONE)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._changed = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._set(Fault.DOWN)
        await asyncio.sleep(0.05)

    async def _set(self, fault: Fault) -> None:
        self._fault = fault
        assert self._changed is not None
        self._changed.set()
        self._changed = asyncio.Event()
        for link in list(self._links):
            link.passed = 0
            if fault is Fault.DOWN:
                link.end()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.DOWN:
            self.struck += 1
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._forward(reader, far_writer, link, answers=False),
                self._forward(far_reader, writer, link, answers=True),
            )
        finally:
            link.end()
            self._links.discard(link)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: "_Link", *, answers: bool
    ) -> None:
        """One way, until either end is gone; then both are."""
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await self._while_mute()
                if answers:
                    piece = await self._through(piece, link)
                writer.write(piece)
                await writer.drain()
        link.end()

    async def _while_mute(self) -> None:
        while self._fault is Fault.HANG:
            self.struck += 1
            assert self._changed is not None
            await self._changed.wait()

    async def _through(self, piece: bytes, link: "_Link") -> bytes:
        """The piece as the fault leaves it. Raises ConnectionAbortedError where it cuts the link."""
        fault = self._fault
        if fault is Fault.LATE:
            self.struck += 1
            await asyncio.sleep(LATE_SECONDS)
        elif fault is Fault.CUT:
            left = CUT_AFTER - link.passed
            if left < len(piece):
                self.struck += 1
                link.near.write(piece[: max(0, left)])
                await link.near.drain()
                raise ConnectionAbortedError("cut")
        elif fault is Fault.CORRUPT:
            self.struck += 1
            changed = bytearray(piece)
            for _ in range(1 + len(piece) // FLIP_EACH):
                changed[self._chance.randrange(len(piece))] ^= 1 << self._chance.randrange(8)
            piece = bytes(changed)
        link.passed += len(piece)
        return piece


class _Link:
    """Both ends of one connection. `passed`: octets from the server since the fault changed."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near
        self.far = far
        self.passed = 0

    def end(self) -> None:
        """Resets both ends."""
        for writer in (self.near, self.far):
            writer.transport.abort()
