"""B21: a steady 60 % of what is served at most, and a fault each 30 s: killed, stopped for three seconds, or cut off.

Reads that started outside a fault's window, and writes, are answered well; a window ends ten seconds after its fault
does. A write without a clear answer is made again under its key. What was acknowledged, by the clients' own logs, is
there in the end. Memory and open files of the gateway, which lives through it all, are looked at once a second.
"""

import resource
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.campaigns.clients import impatient
from tests.campaigns.model import Asked, Figure, Report, at_least, at_most, digest_of, none_of, told
from tests.campaigns.proxy import Proxy
from tests.campaigns.site import ANVIL_LOSES, Column, running_column, running_servers
from tests.campaigns.strikes import Strike, Striker, draw
from tests.campaigns.verification import await_anchored, shown_to
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess, run_command
from tests.journeys.people import Crowd, Door, Patient, Person
from tests.journeys.resources import bundle, observation
from tests.journeys.sites import Servers, Site

CLIENTS = 6
SHARE = 0.6
PEAK_SECONDS = 5.0
EACH_SECONDS = 30.0
RECOVERY_SECONDS = 10.0
LATE_SECONDS = 5.0
WRITES = 10
"""One operation of so many is a write."""
AVAILABLE = 0.995
SLOPE_MIB = 1.0
"""In ten minutes; demanded of runs that are long enough to tell it from noise."""
LONG_ROUNDS = 20
FILES_MORE = 12
HELD = 20_000
"""Records whose facts and anchors are kept in memory (`gateway/records/opening.py`, `gateway/wiring/anchors.py`): a run
that judges memory fills these first, so that what grows afterwards is no cache."""
BUNDLE = 500


@dataclass(slots=True)
class Log:
    """A client's own. `operations`: (started, well). `acknowledged`: ids of records."""

    operations: list[tuple[float, bool]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Client:
    """Reads as a clinician, writes as a patient; at a pace, or as fast as answers come."""

    number: int
    patient: Patient
    reader: Person
    records: Sequence[str]
    seed: int
    log: Log = field(default_factory=Log)
    _done: int = 0

    def run(self, ending: threading.Event, *, interval: float) -> None:
        following = time.monotonic()
        while not ending.is_set():
            following = max(following + interval, time.monotonic() - 1.0)
            ending.wait(max(0.0, following - time.monotonic()))
            self._done += 1
            if self._done % WRITES == self.number % WRITES:
                self._write(ending)
            else:
                self._read()

    def _read(self) -> None:
        began = time.monotonic()
        record = self.records[self._done % len(self.records)]
        code = self._code(self.reader, documents.READ, {"id": record})[0]
        if code == "NOT_PERMITTED":
            self.log.odd.append("a permitted read was refused for good")
        self.log.operations.append((began, not code and time.monotonic() - began <= LATE_SECONDS))

    def _write(self, ending: threading.Event) -> None:
        """Until it is acknowledged; each attempt counts."""
        key = f"{self.seed}-{self.number}-{self._done}"
        asked = {"patientId": self.patient.id, "resource": observation(value=str(self._done)), "idempotencyKey": key}
        while True:
            began = time.monotonic()
            code, found = self._code(self.patient.person, documents.CREATE, {"input": asked})
            self.log.operations.append((began, not code and time.monotonic() - began <= LATE_SECONDS))
            if not code:
                self.log.acknowledged.append(found)
                return
            if ending.is_set():
                return  # in doubt, and neither lost nor there
            ending.wait(0.1)

    @staticmethod
    def _code(who: Person, document: str, given: Mapping[str, object]) -> tuple[str, str]:
        try:
            answer = who.once(document, given)
        except (httpx.TransportError, httpx.HTTPStatusError, ValueError) as error:
            return type(error).__name__, ""
        return answer.code, "" if answer.code else str(answer.value["id"])


@dataclass(slots=True)
class Watch:
    """Of the gateway, which no fault ends: (when, resident MiB, open files)."""

    pid: int
    seen: list[tuple[float, float, int]] = field(default_factory=list)

    def run(self, ending: threading.Event) -> None:
        while not ending.wait(1.0):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            files = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
            self.seen.append((time.monotonic(), pages * resource.getpagesize() / (1 << 20), files))

    def settled(self) -> list[tuple[float, float, int]]:
        """Without the first third: warming up."""
        return self.seen[len(self.seen) // 3 :]

    def slope(self) -> float:
        """MiB in ten minutes: least squares over the lowest of each ten seconds."""
        settled = self.settled()
        points = [min(settled[at : at + 10], key=lambda one: one[1]) for at in range(0, len(settled), 10)]
        mean_at = sum(at for at, _, _ in points) / len(points)
        mean = sum(memory for _, memory, _ in points) / len(points)
        spread = sum((at - mean_at) ** 2 for at, _, _ in points)
        return sum((at - mean_at) * (memory - mean) for at, memory, _ in points) / (spread or 1.0) * 600

    def files_grown(self) -> int:
        """The fewest of the last quarter, less the fewest of the quarter after the start."""
        settled = [files for _, _, files in self.settled()]
        quarter = max(1, len(settled) // 4)
        return min(settled[-quarter:]) - min(settled[:quarter])


def soak(asked: Asked) -> Report:
    """B21: `rounds` faults, one each 30 s."""
    began = time.monotonic()
    strikes = draw(asked.seed, count=asked.rounds, servers=asked.servers)
    with soaked_column(asked) as (column, proxies):
        clients = _clients(column, asked)
        if asked.rounds >= LONG_ROUNDS:
            _fill(column, asked)
        peak = _peak(clients)
        asked.say(f"B21: at most {peak:.0f} operations a second")
        watch = Watch(column.gateway.process.pid)
        windows = _soak(asked, clients, watch, strikes, Striker(column, proxies), interval=CLIENTS / (peak * SHARE))
        well = column.await_well()
        await_anchored(column.gateway)
        lost = [one for client in clients for one in _lost(client)]
    outside = [
        good
        for client in clients
        for at, good in client.log.operations
        if not any(first <= at <= last for first, last in windows)
    ]
    return Report(
        bar="B21",
        asked=asked,
        figures=(
            told("peak, operations a second", round(peak, 1)),
            told("operations asked for", sum(len(client.log.operations) for client in clients)),
            told("writes acknowledged (clients' logs)", sum(len(client.log.acknowledged) for client in clients)),
            none_of("acknowledged writes lost", lost),
            none_of("permitted reads refused for good", [one for client in clients for one in client.log.odd]),
            told("operations outside fault windows", len(outside)),
            at_least("of those, answered well", round(sum(outside) / max(1, len(outside)), 5), AVAILABLE),
            *_growth(asked, watch),
            told("seconds until all was well after the end", round(well, 1)),
        ),
        plan=digest_of([one.name for one in strikes]),
        seconds=time.monotonic() - began,
    )


def _growth(asked: Asked, watch: Watch) -> tuple[Figure, ...]:
    slope = round(watch.slope(), 2)
    name = "memory's slope, MiB in 10 minutes"
    settled = watch.settled()
    return (
        at_most(name, slope, SLOPE_MIB) if asked.rounds >= LONG_ROUNDS else told(f"{name} (too short to judge)", slope),
        told("memory after warming up and at the end, MiB", f"{settled[0][1]:.1f}, {settled[-1][1]:.1f}"),
        at_most("open files more than after warming up", watch.files_grown(), FILES_MORE),
    )


def _soak(
    asked: Asked,
    clients: Sequence[Client],
    watch: Watch,
    strikes: Sequence[Strike],
    striker: Striker,
    *,
    interval: float,
) -> list[tuple[float, float]]:
    """Load and faults; the windows."""
    ending, windows = threading.Event(), list[tuple[float, float]]()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        running = [pool.submit(client.run, ending, interval=interval) for client in clients]
        running.append(pool.submit(watch.run, ending))
        try:
            for number, strike in enumerate(strikes):
                until = time.monotonic() + EACH_SECONDS
                first = time.monotonic()
                striker.strike(strike)  # in this thread: a server ends with the thread that started it
                windows.append((first - LATE_SECONDS, time.monotonic() + RECOVERY_SECONDS))
                time.sleep(max(0.0, until - time.monotonic()))
                asked.say(f"B21: {number + 1} of {len(strikes)}, {strike.name}")
        finally:
            ending.set()
        for one in running:
            one.result()
    return windows


def _clients(column: Column, asked: Asked) -> list[Client]:
    crowd = column.site.crowd
    reader, made = crowd.clinician(), []
    for number in range(CLIENTS):
        patient = crowd.patient(f"Soaked {number}")
        patient = type(patient)(person=impatient(patient.person), id=patient.id, subject=patient.subject)
        records = [patient.store(observation(value=str(value))) for value in range(5)]
        patient.consent(reader.id, notAfter="2090-01-01T00:00:00Z")
        log = Log(acknowledged=list(records))
        made.append(
            Client(number=number, patient=patient, reader=impatient(reader), records=records, seed=asked.seed, log=log)
        )
    return made


def _fill(column: Column, asked: Asked) -> None:
    """Stores as many records as are kept, and reads all of them once their anchors change no more."""
    patient = column.site.crowd.patient("Filler")
    person = impatient(patient.person)
    for first in range(0, HELD, BUNDLE):
        many = bundle(*(observation(value=str(first + at)) for at in range(BUNDLE)))
        person.ask(documents.IMPORT, {"input": {"patientId": patient.id, "bundle": many}})
        asked.say(f"B21: {first + BUNDLE} of {HELD} records to fill memory with")
    await_anchored(column.gateway)
    shown_to(person, patient.id)


def _peak(clients: Sequence[Client]) -> float:
    """Operations a second when each client asks as fast as it is answered."""
    ending = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client.run, ending, interval=0.0) for client in clients]
        time.sleep(PEAK_SECONDS)
        ending.set()
        for one in running:
            one.result()
    count = sum(len(client.log.operations) for client in clients)
    for client in clients:
        client.log.operations.clear()
    return count / PEAK_SECONDS


def _lost(client: Client) -> list[str]:
    shown = {one.id for one in shown_to(client.patient.person, client.patient.id)}
    return [one for one in client.log.acknowledged if one not in shown]


# The column, its links through proxies


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiedServers(Servers):
    """Servers whose links can be cut."""

    proxies: Mapping[str, Proxy]

    def settings(self) -> dict[str, str]:
        # Not `super()`: a class with slots is made anew, and the compiler's cell names the one before.
        direct = Servers.settings(self)
        names = {"kubo": "IPFS_URL", "chain": "CHAIN_URL", "postgres": "DATABASE_URL", "redis": "REDIS_URL"}
        for server, name in names.items():
            at = urlsplit(direct[name]).port
            direct[name] = direct[name].replace(f":{at}", f":{self.proxies[server].port}", 1)
        return direct


@contextmanager
def soaked_column(asked: Asked) -> Iterator[tuple[Column, Mapping[str, Proxy]]]:
    """In the real column anchoring has a process of its own, and each link leads through a proxy."""
    if asked.servers == "embedded":
        with running_column(asked.folder, "embedded", {"REQUEST_RATE": "0"}) as column:
            yield column, {}
        return
    with ExitStack() as stack:
        real = stack.enter_context(running_servers())
        urls = {"kubo": real.kubo.url, "chain": real.chain.url, "redis": real.redis.url, "postgres": real.postgres.url}
        proxies = {
            name: stack.enter_context(Proxy(_port(url), seed=asked.seed + at))
            for at, (name, url) in enumerate(urls.items())
        }
        servers = ProxiedServers(
            kubo=real.kubo, chain=real.chain, postgres=real.postgres, redis=real.redis, proxies=proxies
        )
        yield stack.enter_context(_with_worker(asked.folder, servers)), proxies


@contextmanager
def _with_worker(folder: Path, servers: Servers) -> Iterator[Column]:
    settings = {**servers.settings(), **ANVIL_LOSES}
    first = GatewayProcess(folder, settings, fresh=True)
    code, said = run_command("deploy", "--fund", settings=first.settings)
    assert code == 0, said
    first.start()  # the registrar is sent by a worker inside, once
    first.stop()
    outside = {**{name: text for name, text in first.settings.items() if name != "PORT"}, "WORKER": "outside"}
    worker, gateway = GatewayProcess(folder, outside, words=("worker",)), GatewayProcess(folder, outside, fresh=True)
    try:
        worker.start()
        gateway.start()
        crowd = Crowd(Door(gateway.base), gateway.registrar_key)
        yield Column(site=Site(gateway=gateway, crowd=crowd, servers=servers), worker=worker)
    finally:
        gateway.stop()
        worker.stop()


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
