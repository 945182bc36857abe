"""What the audit log is written by, made to stand still: the notary, or PostgreSQL with all its sessions (SIGSTOP)."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.campaigns.processes import NOTARY, child_of
from tests.campaigns.site import Column
from tests.servers.process import descendants, is_running


@contextmanager
def hung(column: Column, servers: str) -> Iterator[None]:
    """Stopped for as long as the block lasts."""
    stopped = _writers(column, servers)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in filter(is_running, reversed(stopped)):
            os.kill(pid, signal.SIGCONT)


def _writers(column: Column, servers: str) -> list[int]:
    if servers == "embedded":
        notary = child_of(column.gateway.process.pid, NOTARY)
        assert notary is not None, "the gateway has no notary"
        return [notary]
    real = column.site.servers
    assert real is not None
    server = real.postgres.process.pid
    return [server, *descendants(server)]
