"""A redis server that keeps nothing on disk, as Consentry uses it: it may be lost at any time."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import ServerProcess, free_port
from tests.servers.programs import program


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """A running server: `url` is `redis://127.0.0.1:PORT/0`."""

    url: str
    port: int
    process: ServerProcess


def _pings(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2.0) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64) == b"+PONG\r\n"


@contextmanager
def running_redis() -> Iterator[Redis]:
    """Run a server without persistence. Raises `MissingProgram` or `ServerFailed`."""
    redis_server = program("redis-server")
    with tempfile.TemporaryDirectory(prefix="consentry-redis-") as scratch:
        port = free_port()
        listening = ("--bind", "127.0.0.1", "--port", str(port), "--dir", scratch, "--daemonize", "no")
        forgetting = ("--save", "", "--appendonly", "no")
        process = ServerProcess(
            (redis_server, *listening, *forgetting),
            log=Path(scratch) / "redis.log",
            answers=lambda: _pings(port),
        )
        try:
            process.start()
            yield Redis(url=f"redis://127.0.0.1:{port}/0", port=port, process=process)
        finally:
            process.stop()
