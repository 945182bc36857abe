"""The gateway's own children, found by what they run, and ended by process id."""

import os
import signal
import time
from pathlib import Path

from tests.servers.process import descendants, is_running

NOTARY, CHAIN = "gateway.adapters.notary", "anchoring.chain.embedded"


def child_of(pid: int, module: str) -> int | None:
    """The process below `pid` that runs `python -m module`, if there is one now."""
    for child in descendants(pid):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if module.encode() in words and is_running(child):
            return child
    return None


def kill_child(pid: int, module: str, *, within: float = 30.0) -> int:
    """SIGKILL to that child, awaited where it is just being started again. Returns its process id."""
    deadline = time.monotonic() + within
    while (child := child_of(pid, module)) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"the gateway has no child that runs {module}")
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    return child
