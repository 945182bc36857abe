"""What pack files ask of the operating system: turns, whole writes, zeros, durable names. All raise OSError.

Nothing here knows what a record is.
"""

import ctypes
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.adapters.pack_format import MARK_SIZE, encode_pack_head
from gateway.errors import UpstreamError

LOCK_WAIT_SECONDS: Final = 10.0
_PUNCH_HOLE_KEEP_SIZE: Final = 0x03  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, fallocate(2)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock; the system lets go of it when a process dies. UpstreamError if it is not free in time.

    The file is opened anew each time: a descriptor that a fork inherits would share the lock.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise UpstreamError("another process holds the block store's lock")
            time.sleep(0.002)
        yield
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_pack_head(fd: int) -> bytes:
    """Begins a pack with a new random mark, durably; gives the head."""
    head = encode_pack_head(secrets.token_bytes(MARK_SIZE))
    os.ftruncate(fd, 0)
    write_all(fd, head, 0)
    os.fdatasync(fd)
    return head


def write_all(fd: int, octets: bytes, at: int) -> None:
    """Writes all octets at an offset, however many the system takes at a time."""
    rest = memoryview(octets)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written


def write_zeros(fd: int, at: int, size: int) -> None:
    """Gives the space back to the file system (fallocate), or writes zeros where it cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    punch = getattr(libc, "fallocate", None)
    if punch is not None and size:
        punch.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        if punch(fd, _PUNCH_HOLE_KEEP_SIZE, at, size) == 0:
            return
    write_all(fd, bytes(size), at)
