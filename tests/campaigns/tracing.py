"""B3: an acknowledgement leaves only after fsync. Gateway and children run under strace, and the trace is the judge.

Rule 1: between the write of the octets of a version into a pack and its 200, an fdatasync of that pack ended well.
Rule 2: likewise for the index's WAL. Rule 3: where a pack is new, its folder was fsynced before the first 200 from it.
A kill does not test this: the page cache survives one.
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns.model import Asked, Report, at_least, none_of, told
from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Crowd, Door
from tests.journeys.resources import observation
from tests.servers.process import descendants

CALLS = "openat,write,pwrite64,pwritev,pwritev2,fsync,fdatasync,sendto,sendmsg,writev,close,dup,dup2,dup3,fcntl"
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<at>\d+\.\d+) (?P<rest>.*)$")
_UNFINISHED = re.compile(r"^(?P<call>\w+)\((?P<words>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>(?P<words>.*)\) += (?P<result>-?\d+)")
_WHOLE = re.compile(r"^(?P<call>\w+)\((?P<words>.*)\) += (?P<result>-?\d+)")
_PATH = re.compile(r"^\d+<(?P<path>[^>]*)>")
OK = "HTTP/1.1 200"


@dataclass(slots=True)
class Judge:
    """Reads a trace in the order of what ended. `dirty`: files written and not synced since."""

    dirty: set[str] = field(default_factory=set)
    new_packs: set[str] = field(default_factory=set)
    acknowledged: int = 0
    syncs: int = 0
    faults: list[str] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    _begun: dict[str, str] = field(default_factory=dict)

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                continue
            rest = found["rest"]
            begun = _UNFINISHED.match(rest)
            if begun is not None:
                self._begun[found["pid"]] = begun["words"]
                # An answer counts from when it began to leave, a write from when it began to be made.
                if begun["call"] not in ("fsync", "fdatasync"):
                    self._take(begun["call"], begun["words"])
                continue
            resumed = _RESUMED.match(rest)
            if resumed is not None:
                words = self._begun.pop(found["pid"], "")
                if resumed["call"] in ("fsync", "fdatasync") and resumed["result"] == "0":
                    self._take(resumed["call"], words)
                continue
            whole = _WHOLE.match(rest)
            if whole is not None and int(whole["result"]) >= 0:
                self._take(whole["call"], whole["words"])

    def _take(self, call: str, words: str) -> None:
        path = (found["path"] if (found := _PATH.match(words)) else "").removesuffix(" (deleted)")
        if call in ("write", "pwrite64", "pwritev", "pwritev2") and path.endswith((".pack", "index.db-wal")):
            self.dirty.add(path)
            self.written.add(path)
        elif call in ("fsync", "fdatasync"):
            self.syncs += 1
            self.dirty.discard(path)
            self.new_packs = {one for one in self.new_packs if str(Path(one).parent) != path}
        elif call == "openat" and "O_CREAT" in words and ".pack" in words:
            self.new_packs |= set(re.findall(r'"([^"]*\.pack)"', words))
        elif call in ("sendto", "sendmsg", "write", "writev") and OK in words and "StoredRecord" in words:
            self._answer()

    def _answer(self) -> None:
        self.acknowledged += 1
        for one in sorted(self.dirty):
            self.faults.append(f"answer {self.acknowledged}: {Path(one).name} was not synced")
        for one in sorted(self.new_packs):
            self.faults.append(f"answer {self.acknowledged}: the folder of {Path(one).name} was not synced")


@contextmanager
def traced(folder: Path) -> Iterator[tuple[GatewayProcess, Path]]:
    """A first start under strace, all processes in one trace. No batch closes meanwhile: all writes are clients'."""
    strace = shutil.which("strace")
    if strace is None:
        raise AssertionError("strace is not installed; .ci/install-servers installs it")
    trace = folder / "trace"
    # -y names files, -s keeps enough of an answer to see what it is.
    words = [strace, "-f", "--seccomp-bpf", "-y", "-ttt", "-s", "400", "-e", f"trace={CALLS}", "-o", str(trace)]
    gateway = GatewayProcess(folder, {"BATCH_SECONDS": "3600"}, before=words)
    try:
        gateway.start()
        yield gateway, trace
        # strace passes no signal on: the gateway itself is asked to end, and strace ends with it.
        os.kill(descendants(gateway.process.pid)[0], signal.SIGTERM)
        gateway.process.await_end()
    finally:
        gateway.stop()


def trace_writes(asked: Asked) -> Report:
    """`rounds`: writes, one after another, so that what an answer stands on is known."""
    started = time.monotonic()
    with traced(asked.folder) as (gateway, trace):
        patient = Crowd(Door(gateway.base), gateway.registrar_key).patient()
        heard = [patient.store(observation(value=f"{at}.10")) for at in range(asked.rounds)]
    judge = Judge()
    with trace.open(errors="replace") as lines:
        judge.read(lines)
    figures = (
        at_least("writes acknowledged (client)", len(heard), asked.rounds),
        at_least("answers to writes found in the trace", judge.acknowledged, asked.rounds),
        at_least("files that were written before an answer: pack, WAL", len(judge.written), 2),
        told("syncs", judge.syncs),
        none_of("answers that left before a sync", judge.faults),
    )
    return Report(bar="B3", asked=asked, figures=figures, seconds=time.monotonic() - started)
