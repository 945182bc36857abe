"""A load generator in a process of its own: keep-alive HTTP/1.1 over raw sockets, bounded in count and in time.

True here: every answer is read whole, must be 200 and hold the job's mark, and is timed from the first octet sent to
the last received. Each line on stdin is a job, each line on stdout its result, as JSON. Not done here: judging.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast

import uvloop


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`bodies` are sent in turn. Ends after `seconds`, or when `most` requests were answered."""

    host: str
    port: int
    path: str
    headers: dict[str, str]
    bodies: list[str]
    mark: str
    connections: int
    seconds: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`failures` counts answers that were not 200, lacked the mark, or never came. Latencies in milliseconds."""

    requests: int
    failures: int
    seconds: float
    octets: int
    p50: float
    p99: float


class Round:
    """What the connections of one job share."""

    def __init__(self, job: Job) -> None:
        self.requests = [_request(job, body.encode()) for body in job.bodies]
        self.mark = job.mark.encode()
        self.most = job.most
        self.until = 0.0
        self.sent = 0
        self.failures = 0
        self.octets = 0
        self.latencies: list[float] = []

    def next(self) -> bytes | None:
        """The next request, or None when the round is over."""
        if self.sent >= self.most or time.perf_counter() >= self.until:
            return None
        request = self.requests[self.sent % len(self.requests)]
        self.sent += 1
        return request

    def take(self, answer: bytes, began: float) -> None:
        self.latencies.append(time.perf_counter() - began)
        self.octets += len(answer)
        if not answer.startswith(b"HTTP/1.1 200") or self.mark not in answer:
            self.failures += 1


class Connection(asyncio.Protocol):
    """One request at a time, the next as soon as the answer is whole."""

    def __init__(self, shared: Round) -> None:
        self._shared = shared
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._whole = 0
        self._began = 0.0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none of asyncio's
        self._send()

    def data_received(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data
        if not self._whole:
            self._whole = _size(self._held)
        if self._whole and len(self._held) >= self._whole:
            self._shared.take(self._held, self._began)
            self._held, self._whole = b"", 0
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self._shared.failures += 1
            self.over.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        request = self._shared.next()
        if request is None:
            self.over.set_result(None)
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)


def _request(job: Job, body: bytes) -> bytes:
    lines = [f"POST {job.path} HTTP/1.1", f"host: {job.host}:{job.port}", "content-type: application/json"]
    lines += ["accept: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in job.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _size(head: bytes) -> int:
    """Octets of the whole answer, or 0 while its head is not there. Both servers declare a length."""
    end = head.find(b"\r\n\r\n")
    if end < 0:
        return 0
    for line in head[:end].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return end + 4 + int(value)
    raise ValueError("an answer without a length")


async def run(job: Job) -> Result:
    """All connections until the round is over; at most five seconds longer for what is under way."""
    shared = Round(job)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    shared.until = began + job.seconds
    made = [
        await loop.create_connection(lambda: Connection(shared), job.host, job.port) for _ in range(job.connections)
    ]
    over = [connection.over for _, connection in made]
    _, late = await asyncio.wait(over, timeout=job.seconds + 5.0)
    seconds = time.perf_counter() - began
    for transport, _ in made:
        transport.abort()
    ordered = sorted(shared.latencies)
    return Result(
        requests=len(ordered),
        failures=shared.failures + len(late),
        seconds=seconds,
        octets=shared.octets,
        p50=_quantile(ordered, 0.50),
        p99=_quantile(ordered, 0.99),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def main() -> None:
    """Jobs from stdin until it ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            print(json.dumps(asdict(runner.run(run(Job(**json.loads(line)))))), flush=True)


if __name__ == "__main__":
    main()
