"""Reads, gateway against yardstick, in turns: A B A B …, so that what else the machine does falls on both."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from types import TracebackType

import psutil  # type: ignore[import-untyped]

from tests.benchmarks.load import Job, Result
from tests.benchmarks.servers import ROOT, Served

WARM_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A request that both servers are asked. `mark` is in every good answer and in no refusal."""

    name: str
    bodies: Sequence[str]
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One round of one side. CPU seconds of the server's own process, and of it with its children (granian's worker;
    the gateway's notary, chain and validators): they say more than the clock where the machine has other work."""

    result: Result
    own: float
    tree: float

    @property
    def rate(self) -> float:
        return self.result.requests / self.result.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; each list has a value a round."""

    shape: str
    connections: int
    gateway: Sequence[Taken]
    bare: Sequence[Taken]

    @property
    def ratios(self) -> list[float]:
        return [ours.rate / theirs.rate for ours, theirs in zip(self.gateway, self.bare, strict=True)]

    def to_json(self) -> dict[str, object]:
        ratios = self.ratios
        return {
            "shape": self.shape,
            "connections": self.connections,
            "ratio": round(median(ratios), 3),
            "ratioLeast": round(min(ratios), 3),
            "ratioMost": round(max(ratios), 3),
            "rounds": len(ratios),
            "cpuRatio": round(_cpu(self.bare, "tree") / _cpu(self.gateway, "own"), 3),
            "gateway": _side(self.gateway),
            "bare": _side(self.bare),
        }


class Load:
    """The generator's process. A context manager."""

    def __enter__(self) -> "Load":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, job: Job) -> Result:
        """Raises RuntimeError for an answer that was not as it must be: a ratio of wrong answers says nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        fields = {name: getattr(job, name) for name in Job.__slots__}
        self._process.stdin.write(json.dumps(fields) + "\n")
        self._process.stdin.flush()
        result = Result(**json.loads(self._process.stdout.readline()))
        if result.failures or not result.requests:
            raise RuntimeError(f"{result.failures} of {result.requests} answers were not as they must be")
        return result


def compare(
    load: Load,
    shape: Shape,
    *,
    gateway: Served,
    bare: Served,
    token: str,
    connections: int,
    rounds: int,
    seconds: float,
) -> Row:
    """`rounds` times both, the one that begins changing from round to round."""
    jobs = [job_of(shape, served, token, connections) for served in (gateway, bare)]
    for job in jobs:
        load.run(job(min(WARM_SECONDS, seconds)))
    taken: tuple[list[Taken], list[Taken]] = ([], [])
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            pid = (gateway.pid, bare.pid)[side]
            own, tree = cpu_of(pid)
            result = load.run(jobs[side](seconds))
            own_after, tree_after = cpu_of(pid)
            taken[side].append(Taken(result=result, own=own_after - own, tree=tree_after - tree))
    return Row(shape=shape.name, connections=connections, gateway=taken[0], bare=taken[1])


def job_of(shape: Shape, served: Served, token: str, connections: int) -> Callable[[float], Job]:
    """The job of so many seconds."""

    def of(seconds: float) -> Job:
        return Job(
            host="127.0.0.1",
            port=served.port,
            path="/graphql",
            headers={"authorization": f"Bearer {token}"},
            bodies=list(shape.bodies),
            mark=shape.mark,
            connections=connections,
            seconds=seconds,
            most=200_000,
        )

    return of


def cpu_of(pid: int) -> tuple[float, float]:
    """CPU seconds so far: of the process, and of it with its living children."""
    process = psutil.Process(pid)
    own = _spent(process)
    return own, own + sum(map(_spent, process.children(recursive=True)))


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cpu(taken: Sequence[Taken], which: str) -> float:
    """Microseconds of CPU a request."""
    requests = sum(one.result.requests for one in taken)
    return sum(one.own if which == "own" else one.tree for one in taken) * 1e6 / requests


def _side(taken: Sequence[Taken]) -> dict[str, float]:
    results = [one.result for one in taken]
    return {
        "requestsPerSecond": round(median(one.rate for one in taken), 1),
        "p50Milliseconds": round(median(one.p50 for one in results), 2),
        "p99Milliseconds": round(median(one.p99 for one in results), 2),
        "octetsPerAnswer": round(sum(one.octets for one in results) / sum(one.requests for one in results)),
        "cpuMicrosecondsOwn": round(_cpu(taken, "own")),
        "cpuMicrosecondsTree": round(_cpu(taken, "tree")),
    }
