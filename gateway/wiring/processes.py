"""What a process of the gateway keeps to itself: no core dump, no look into it by others of its user, files of its own.

Keys are unwrapped in memory while it works. A core dump would write them to a disk, a debugger would read them, and a
data folder that others may read would give them the files from which the rest follows.
"""

import ctypes
import os
import sys
import threading
from pathlib import Path

from gateway.errors import SettingsError

HEAPS = 2
LARGE = 2 * 1024 * 1024
"""More than a chunk of large content, of which thousands follow each other: a page of the system's for each would cost
more than sealing them."""
NICENESS = 5
"""A third of the turns. With much more, one that is stopped while it holds the interpreter would hold up all."""
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_PR_SET_DUMPABLE = 4
_OTHERS = 0o077
SECRET_FILES = ("passphrase", "root.*", "*.key", "gateway.salt", "keys.db*")
"""Of the data folder."""


def keep_to_itself() -> None:
    """Not dumpable (prctl(2)), which each program says for itself, while the command says for all that no core is left;
    new files are the owner's alone."""
    os.umask(_OTHERS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def refuse_shared(folder: Path) -> None:
    """SettingsError where others than the owner may read the folder or one of its secrets. What is not there yet is
    made private."""
    if folder.exists():
        _refuse(folder, "CONSENTRY_DATA_DIR", mode="700")
    for pattern in SECRET_FILES:
        for path in sorted(folder.glob(pattern)):
            _refuse(path, f"the data folder's {path.name}", mode="600")


def refuse_shared_file(path: Path, setting: str) -> None:
    """As `refuse_shared`, for a secret that a setting names; one that is missing is told by who opens it."""
    if path.exists():
        _refuse(path, setting, mode="600")


def _refuse(path: Path, name: str, *, mode: str) -> None:
    found = path.stat().st_mode & 0o777
    if found & _OTHERS:
        raise SettingsError(f"{name}: others than its owner may use it (mode {found:o}): chmod {mode} {path}")


def give_way() -> None:
    """This thread is one of many that hash and seal: whoever has less to do goes first. (A thread's niceness is its own
    on Linux, setpriority(2); elsewhere there is none for it.)"""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def share_heaps() -> None:
    """At most `HEAPS` heaps for all threads (mallopt(3)), where the C library has more: with one for each of its
    threads a gateway that writes grew by three times as much, in pieces that none of them could give back. What is
    large never lies in a heap, and goes back as soon as it is free: by itself the C library takes the largest that was
    freed for a measure of what to keep, and a gateway that had heard some bodies of 16 MiB stayed larger by as much."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, HEAPS)
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(_M_TRIM_THRESHOLD, LARGE)
