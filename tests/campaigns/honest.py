"""Honest clients in a process of their own: each reads one record again and again, in time with a clock.

True here: a read is timed from the moment when it was due, so one that waits behind another is not left out.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

BETWEEN_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Read:
    """`at`: when it was due (monotonic, the same for all processes of a machine). `word` "" where it was answered."""

    at: float
    seconds: float
    word: str


class Honest:
    """The clients that run; `since` takes what was read from a moment on."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def since(self, began: float) -> list[Read]:
        self._pipe.send(began)
        found: list[Read] = self._pipe.recv()
        return found


@contextmanager
def honest(host: str, port: int, request: bytes, *, clients: int, between: float = BETWEEN_SECONDS) -> Iterator[Honest]:
    """`request`: octets whose answer holds a Record."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_run, args=(there, host, port, request, clients, between), daemon=True
    )
    process.start()
    try:
        if here.recv() != "began":
            raise AssertionError("honest clients did not begin")
        yield Honest(here)
    finally:
        here.send(None)
        process.join(10.0)


def p99(reads: Sequence[Read]) -> float:
    """Milliseconds."""
    ordered = sorted(one.seconds for one in reads)
    return ordered[int(0.99 * (len(ordered) - 1))] * 1000 if ordered else float("inf")


def _run(pipe: Connection, host: str, port: int, request: bytes, clients: int, between: float) -> None:
    asyncio.run(_serve(pipe, host, port, request, clients, between))


async def _serve(pipe: Connection, host: str, port: int, request: bytes, clients: int, between: float) -> None:
    reads: list[Read] = []
    tasks = [asyncio.create_task(_client(host, port, request, between, reads)) for _ in range(clients)]
    pipe.send("began")
    while (began := await asyncio.to_thread(pipe.recv)) is not None:
        pipe.send([one for one in reads if one.at >= began])
        reads.clear()
    for task in tasks:
        task.cancel()


async def _client(host: str, port: int, request: bytes, between: float, reads: list[Read]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    due = time.monotonic()
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        try:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            size = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(size)
            word = "" if b'"Record"' in body else f"{answer[9:12].decode()} {body[:80]!r}"
        except (OSError, asyncio.IncompleteReadError) as error:
            word = type(error).__name__
            writer.close()
            reader, writer = await asyncio.open_connection(host, port)
        now = time.monotonic()
        reads.append(Read(due, now - due, word))
        # What fell due meanwhile waited as long as it was late: it is not asked again, but counts.
        due += between
        while due < now:
            reads.append(Read(due, now - due, word))
            due += between
