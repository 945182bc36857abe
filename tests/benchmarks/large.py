"""Large content through the gateway, against what this machine hashes in the same minute with SHA-256 on one core.

The bar: upload and download each at least 0.25 of that rate, a range of 1 MiB within 50 ms, and memory of the gateway's
own process at most 128 MiB above what it was before. Figures are printed, not judged; octets that differ fail.
"""

import base64
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import httpx
import psutil

from tests.benchmarks.servers import Served
from tests.benchmarks.world import World

MIB = 1 << 20
RANGES = 50
DIGESTS = 16
"""Random MiB blocks that the content is made of, over and over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Rates in MiB a second, `download` from disk and `again` what is in the system's memory; `memory` in MiB above
    what the process had before."""

    mib: int
    sha256: float
    upload: float
    download: float
    again: float
    ranges: tuple[float, ...]
    memory: float

    def to_json(self) -> dict[str, object]:
        ordered = sorted(self.ranges)
        return {
            "mib": self.mib,
            "sha256MibPerSecond": round(self.sha256, 1),
            "uploadMibPerSecond": round(self.upload, 1),
            "downloadMibPerSecond": round(self.download, 1),
            "downloadAgainMibPerSecond": round(self.again, 1),
            "uploadRatio": round(self.upload / self.sha256, 3),
            "downloadRatio": round(self.download / self.sha256, 3),
            "downloadAgainRatio": round(self.again / self.sha256, 3),
            "rangeMedianMilliseconds": round(median(ordered), 1),
            "rangeP90Milliseconds": round(ordered[len(ordered) * 9 // 10], 1),
            "memoryAboveIdleMib": round(self.memory, 1),
        }


def move(world: World, served: Served, *, mib: int) -> Moved:
    """Uploads, downloads whole and in ranges. Hash rates are taken before, between and after."""
    token = world.patient.person.token
    blocks = [os.urandom(MIB) for _ in range(DIGESTS)]
    rates = [_hash_rate()]
    with _Peak(served.pid) as peak, httpx.Client(base_url=served.base, trust_env=False, timeout=3600) as http:
        began = time.perf_counter()
        record = _upload(http, token, world.patient.id, blocks, mib)
        upload = mib / (time.perf_counter() - began)
        rates.append(_hash_rate())
        headers = {"authorization": f"Bearer {token}", "consentry-purpose": "PATRQT"}
        downloads = []
        for _ in range(2):
            began = time.perf_counter()
            _download(http, headers, record, blocks, mib)
            downloads.append(mib / (time.perf_counter() - began))
            rates.append(_hash_rate())
        download, again = downloads
        ranges = tuple(_range(http, headers, record, blocks, mib) for _ in range(RANGES))
    return Moved(
        mib=mib, sha256=median(rates), upload=upload, download=download, again=again, ranges=ranges, memory=peak.mib
    )


def _hash_rate() -> float:
    octets, began, count = os.urandom(MIB), time.perf_counter(), 0
    while time.perf_counter() - began < 1.0:
        hashlib.sha256(octets).digest()
        count += 1
    return count / (time.perf_counter() - began)


def _upload(http: httpx.Client, token: str, patient: str, blocks: list[bytes], mib: int) -> str:
    tus = {"authorization": f"Bearer {token}", "tus-resumable": "1.0.0"}
    told = {"patientId": patient, "contentType": "application/octet-stream"}
    said = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in told.items())
    begun = http.post("/content", headers={**tus, "upload-length": str(mib * MIB), "upload-metadata": said})
    body = {**tus, "upload-offset": "0", "content-type": "application/offset+octet-stream"}
    done = http.patch(begun.headers["location"], headers=body, content=_octets(blocks, mib))
    if done.status_code != 204:
        raise RuntimeError(f"an upload was refused: {done.status_code}")
    return done.headers["consentry-record"]


def _octets(blocks: list[bytes], mib: int) -> Iterator[bytes]:
    for at in range(mib):
        yield blocks[at % DIGESTS]


def _download(http: httpx.Client, headers: dict[str, str], record: str, blocks: list[bytes], mib: int) -> None:
    """Compares as it comes, which costs next to nothing."""
    at = 0
    with http.stream("GET", f"/content/{record}", headers=headers) as reply:
        for part in reply.iter_raw():
            view = memoryview(part)
            while view:
                within = at % MIB
                own = memoryview(blocks[at // MIB % DIGESTS])[within : within + len(view)]
                if own != view[: len(own)]:
                    raise RuntimeError("other octets came back")
                at, view = at + len(own), view[len(own) :]
    if at != mib * MIB:
        raise RuntimeError("not all octets came back")


def _range(http: httpx.Client, headers: dict[str, str], record: str, blocks: list[bytes], mib: int) -> float:
    """Milliseconds of one MiB somewhere."""
    start = secrets.randbelow((mib - 1) * MIB + 1)
    began = time.perf_counter()
    reply = http.get(f"/content/{record}", headers={**headers, "range": f"bytes={start}-{start + MIB - 1}"})
    took = (time.perf_counter() - began) * 1000
    first, within = divmod(start, MIB)
    if reply.content != (blocks[first % DIGESTS] + blocks[(first + 1) % DIGESTS])[within : within + MIB]:
        raise RuntimeError("other octets came back for a range")
    return took


class _Peak:
    """The most resident memory of a process, looked at fifty times a second."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._most = self._process.memory_info().rss
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Peak":
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looking.join()

    @property
    def mib(self) -> float:
        return (self._most - self._before) / MIB

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self._most = max(self._most, self._process.memory_info().rss)
