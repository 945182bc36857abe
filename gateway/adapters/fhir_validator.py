"""FHIR R4 validation in processes of its own, because the largest bundle costs a fifth of a second of CPU.

True here: `FhirValidator` keeps the port `FhirValidation`; a worker that dies or hangs is replaced, and the calls that
waited for it fail with UpstreamError, never with "no issues".
Not done here: the rules (`fhir_schema`), retrying (the caller's), labels.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

import msgspec

from gateway.adapters.fhir_schema import WORKER_MODULE
from gateway.errors import LimitError, UpstreamError
from gateway.ports.fhir import FhirIssue

START_LIMIT = 60.0
"""Seconds until a worker must have loaded its schema (a quarter of a second on an idle core)."""
CHECK_LIMIT = 60.0
"""Seconds for one batch; the largest Synthea bundle (3.5 MB) takes a fifth of a second."""
MOST_WAITING = 64
"""Calls that wait for one worker; more are refused."""
_HEAD = 4
_BATCH = 64
"""Resources sent at a time: a call with few waits for one batch of a bundle (13 ms), not for the whole bundle."""
_found = msgspec.msgpack.Decoder(list[tuple[int, str, str]]).decode


class FhirValidator:
    """Up to `workers` processes, each of which serves one batch at a time. The others start once there is work for more
    than one, which goes on meanwhile; one that does not start is tried again then."""

    def __init__(self, *, workers: int = 1) -> None:
        self._all = [_Worker() for _ in range(workers)]
        self._workers, self._others = self._all[:1], self._all[1:]
        self._starting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts the first worker and waits until its schema is loaded. Raises UpstreamError."""
        await self._workers[0].start()

    async def check(self, resources: Sequence[bytes]) -> tuple[FhirIssue, ...]:
        """The first issue of each invalid resource, by index. Raises UpstreamError when a worker died or hung,
        LimitError when too many calls wait."""
        if not resources:
            return ()
        if self._others and len(resources) > _BATCH:
            task = asyncio.create_task(self._add(self._others.pop()))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
        if min(worker.waiting for worker in self._workers) >= MOST_WAITING:
            raise LimitError("too many resources are being validated; try again shortly")
        share = max(_BATCH, -(-len(resources) // len(self._workers)))
        starts = range(0, len(resources), share)
        idle_first = sorted(self._workers, key=lambda worker: worker.waiting)
        parts = await asyncio.gather(
            *(worker.check(resources[at : at + share]) for at, worker in zip(starts, idle_first, strict=False))
        )
        return tuple(
            FhirIssue(index=at + index, path=path, message=message)
            for at, part in zip(starts, parts, strict=True)
            for index, path, message in part
        )

    async def _add(self, worker: "_Worker") -> None:
        with contextlib.suppress(UpstreamError):
            await worker.start()
            self._workers.append(worker)
            return
        self._others.append(worker)

    async def close(self) -> None:
        """Ends the workers; calls still waiting fail with UpstreamError."""
        await asyncio.gather(*(worker.stop() for worker in self._all), *self._starting)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Of the running workers, for health and for tests."""
        return tuple(worker.process.pid for worker in self._all if worker.process is not None)


class _Worker:
    def __init__(self) -> None:
        self.process: Process | None = None
        self.waiting = 0
        self._closed = False
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        async with self._turn:
            await self._running()

    async def check(self, resources: Sequence[bytes]) -> list[tuple[int, str, str]]:
        found: list[tuple[int, str, str]] = []
        for at in range(0, len(resources), _BATCH):
            exchange = asyncio.ensure_future(self._check(msgspec.msgpack.encode(list(resources[at : at + _BATCH]))))
            # A caller that gives up does not cut the exchange: or its answer would be taken for the next caller's.
            exchange.add_done_callback(_look_at)
            found.extend((at + index, path, message) for index, path, message in await asyncio.shield(exchange))
        return found

    async def stop(self) -> None:
        self._closed = True
        if self.process is not None:
            await self._end(self.process)

    async def _check(self, body: bytes) -> list[tuple[int, str, str]]:
        self.waiting += 1
        try:
            async with self._turn:
                process = await self._running()
                return _found(await self._ask(process, len(body).to_bytes(_HEAD, "big") + body, within=CHECK_LIMIT))
        finally:
            self.waiting -= 1

    def _is_closed(self) -> bool:
        return self._closed

    async def _running(self) -> Process:
        if self._is_closed():
            raise UpstreamError("the FHIR validator is closed")
        if self.process is not None and self.process.returncode is None:
            return self.process
        try:
            # No inherited environment: the worker reads strangers' input and needs none of our secrets.
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", WORKER_MODULE,
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={"PYTHONPATH": ":".join(filter(None, sys.path))},
            )  # fmt: skip
        except OSError as error:
            raise UpstreamError("the FHIR validator does not start") from error
        if self._is_closed():  # meanwhile
            await self._end(self.process)
            raise UpstreamError("the FHIR validator is closed")
        await self._ask(self.process, b"", within=START_LIMIT)
        return self.process

    async def _ask(self, process: Process, frame: bytes, *, within: float) -> bytes:
        """Sends a frame and reads one. A worker that fails at it is ended: its next answer would be out of step."""
        try:
            async with asyncio.timeout(within):
                return await _exchange(process, frame)
        except (OSError, EOFError, TimeoutError) as error:
            await self._end(process)
            raise UpstreamError("the FHIR validator stopped; it is started again") from error

    async def _end(self, process: Process) -> None:
        if self.process is process:
            self.process = None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # Not process.kill(): it would reap the child under the eyes of asyncio's own watcher.
                os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def _exchange(process: Process, frame: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise OSError("the worker has no pipes")
    process.stdin.write(frame)
    await process.stdin.drain()
    head = await process.stdout.readexactly(_HEAD)
    return await process.stdout.readexactly(int.from_bytes(head, "big"))


def _look_at(exchange: asyncio.Future[list[tuple[int, str, str]]]) -> None:
    """Takes note of an error that nobody awaits any more, so that asyncio does not log it."""
    if not exchange.cancelled():
        exchange.exception()
