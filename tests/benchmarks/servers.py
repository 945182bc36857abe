"""The two servers, each in a process of its own on a free loopback port; ended by their process, whatever happens."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

START_SECONDS = 90.0
STOP_SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """`registrar_key`: hex, of a gateway alone."""

    port: int
    pid: int
    registrar_key: str = field(default="", repr=False)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serve_gateway(folder: Path) -> Iterator[Served]:
    """The gateway as `consentry serve` ships it, embedded column, access log on; only the rate limit is off."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    environment.pop("REDIS_URL", None)
    environment |= {"CONSENTRY_DATA_DIR": str(folder), "CONSENTRY_REQUEST_RATE": "0"}
    port = free_port()
    command = [sys.executable, "-m", "gateway.cli", "serve", "--port", str(port)]
    with _running(command, environment, folder / "server.log", port, "/.well-known/consentry") as pid:
        yield Served(port=port, pid=pid, registrar_key=(folder / "registrar.key").read_text().strip())


@contextlib.contextmanager
def serve_bare(answers: Path) -> Iterator[Served]:
    """Bare Strawberry by granian, one worker on uvloop."""
    environment = {**os.environ, "BENCH_ANSWERS": str(answers), "PYTHONPATH": str(ROOT)}
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--workers", "1", "--loop", "uvloop"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--factory", "tests.benchmarks.bare:make_app"]
    with _running(command, environment, answers.with_suffix(".log"), port, "/nothing") as pid:
        yield Served(port=port, pid=pid)


@contextlib.contextmanager
def _running(command: list[str], environment: Mapping[str, str], log: Path, port: int, path: str) -> Iterator[int]:
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, cwd=ROOT)
        try:
            _await(process, f"http://127.0.0.1:{port}{path}", log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"a server did not start: {log.read_text(errors='replace')[-800:]}")
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, timeout=2.0, trust_env=False)
            return
        time.sleep(0.1)
    raise RuntimeError("a server did not start in time")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
