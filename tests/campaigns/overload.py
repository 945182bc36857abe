"""B20: three times as many readers as are served best. What is admitted keeps its pace, what is not is refused at
once and by name, and memory stays where it was. All figures are ratios within one run.
"""

import asyncio
import time
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]

from gateway import jsontext
from tests.campaigns.model import Asked, Figure, Report, at_least, at_most, none_of, told
from tests.campaigns.site import running_column
from tests.journeys import documents
from tests.journeys.resources import observation

PEAK_CLIENTS = 16
FACTOR = 3
PLACES = PEAK_CLIENTS
"""As many requests are served at once as give the most answers a second."""
PAUSE_SECONDS = 0.02
"""What a client does after a refusal: it asks again soon, and far sooner than its Retry-After says."""
GROWTH_MIB = 48.0
TURNS = 6
"""The peak and three times as much in turn, so that what else the machine does falls on both alike."""


@dataclass(slots=True, kw_only=True)
class Tally:
    seconds: float = 0.0
    admitted: list[float] = field(default_factory=list)
    refused: int = 0
    other: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.admitted) / self.seconds

    @property
    def p99(self) -> float:
        ordered = sorted(self.admitted)
        return ordered[int(0.99 * (len(ordered) - 1))] * 1000


def overload(asked: Asked) -> Report:
    """B20: `rounds` seconds at the peak, and as many at three times as much, each in `TURNS` parts."""
    began = time.monotonic()
    with running_column(asked.folder, asked.servers, {"MOST_UNDERWAY": str(PLACES)}) as column:
        patient = column.site.crowd.patient()
        records = [patient.store(observation(value=str(at))) for at in range(8)]
        reader = column.site.crowd.clinician()
        patient.consent(reader.id)
        bodies = [jsontext.dumps({"query": documents.READ, "variables": {"id": record}}) for record in records]
        process = psutil.Process(column.gateway.process.pid)
        given = (column.gateway.base, reader.token, bodies)
        asyncio.run(_load(*given, Tally(), clients=PEAK_CLIENTS, seconds=3.0))
        before = process.memory_info().rss
        peak, over = Tally(), Tally()
        for _ in range(TURNS):
            asyncio.run(_load(*given, peak, clients=PEAK_CLIENTS, seconds=asked.rounds / TURNS))
            asyncio.run(_load(*given, over, clients=PEAK_CLIENTS * FACTOR, seconds=asked.rounds / TURNS))
        grown = (process.memory_info().rss - before) / (1 << 20)
    refused = Figure(
        name="refusals, all LIMIT", value=str(over.refused), demand="> 0", met=over.refused > 0 and not over.other
    )
    return Report(
        bar="B20",
        asked=asked,
        figures=(
            told("peak, answers a second", round(peak.rate, 1)),
            told("peak, p99 ms", round(peak.p99, 1)),
            told("offered, requests a second", round((len(over.admitted) + over.refused) / over.seconds, 1)),
            at_least("goodput, share of the peak", round(over.rate / peak.rate, 3), 0.8),
            at_most("p99 of what was admitted, times the peak's", round(over.p99 / peak.p99, 2), 2.0),
            refused,
            none_of("answers that are neither", [*peak.other, *over.other]),
            at_most("memory grown, MiB", round(grown, 1), GROWTH_MIB),
        ),
        seconds=time.monotonic() - began,
    )


async def _load(base: str, token: str, bodies: list[bytes], tally: Tally, *, clients: int, seconds: float) -> None:
    host, _, port = base.removeprefix("http://").partition(":")
    requests = [_request(host, token, body) for body in bodies]
    began = time.monotonic()
    await asyncio.gather(
        *(_client(host, int(port), requests[at % len(requests)], began + seconds, tally) for at in range(clients))
    )
    tally.seconds += time.monotonic() - began


def _request(host: str, token: str, body: bytes) -> bytes:
    lines = ["POST /graphql HTTP/1.1", f"host: {host}", "content-type: application/json"]
    lines += [f"authorization: Bearer {token}", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _client(host: str, port: int, request: bytes, until: float, tally: Tally) -> None:
    """One connection, kept; octets as they are, so that the client costs less than what it measures."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while time.monotonic() < until:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            answer = await reader.readexactly(size)
            if head.startswith(b"HTTP/1.1 200") and b'"Record"' in answer:
                tally.admitted.append(time.perf_counter() - began)
            elif head.startswith(b"HTTP/1.1 429") and b'"LIMIT"' in answer:
                tally.refused += 1
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                tally.other.append(f"{head[:12].decode()} {answer[:80]!r}")
    except (OSError, asyncio.IncompleteReadError) as error:
        tally.other.append(type(error).__name__)
    finally:
        writer.close()
