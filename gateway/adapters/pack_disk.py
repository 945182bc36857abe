"""What pack files ask of the operating system: turns, whole writes, zeros, durable names. All raise OSError.

Nothing here knows what a record is.
"""

import ctypes
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.adapters.pack_format import MARK_SIZE, encode_pack_head
from gateway.errors import UpstreamError

LOCK_WAIT_SECONDS: Final = 10.0
PIECES_MAX: Final = 1024
"""Pieces that one call takes: IOV_MAX of Linux."""
QUICK_SIZE_MAX: Final = 256 << 10
LARGE_MIN: Final = 512 << 10
"""Octets from which on a block, once it is on disk, leaves the system's page cache to the index and the small blocks;
who reads it soon reads it from disk. Where memory must be had anew for each page, a write takes a tenth of the time."""
AHEAD: Final = 3
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


class QuickRead(threading.local):
    """pread(2) that keeps the interpreter lock, for small reads that are most likely in memory.

    os.pread lets go of the lock, and with another busy thread the event loop then waits a switch interval to get it
    back: measured, that took 40 % of a thread's throughput and this takes 3 to 20 %. Unlike a memory map, an I/O error
    or a file cut short is an error here and not the death of the process.
    """

    def __init__(self) -> None:
        self._pread = ctypes.PyDLL(None, use_errno=True).pread
        self._pread.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)
        self._pread.restype = ctypes.c_ssize_t
        self._buffer = ctypes.create_string_buffer(QUICK_SIZE_MAX)
        self._address = ctypes.addressof(self._buffer)
        self._octets = memoryview(self._buffer).cast("B")

    def __call__(self, fd: int, size: int, at: int) -> bytes:
        """At most QUICK_SIZE_MAX octets; fewer than asked for only where the file ends."""
        count = self._pread(fd, self._address, size, at)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return self._octets[:count].tobytes()


def read_large(fd: int, size: int, at: int) -> bytes:
    """pread(2), fewer octets only where the file ends. What lies behind a large block is most likely asked for next:
    the system begins to read it."""
    if size >= LARGE_MIN:
        os.posix_fadvise(fd, at + size, AHEAD * size, os.POSIX_FADV_WILLNEED)
    return os.pread(fd, size, at)


def pass_by(fd: int, at: int, size: int) -> None:
    """Lets go of what the system holds in memory of a file's part that is on disk."""
    os.posix_fadvise(fd, at, size, os.POSIX_FADV_DONTNEED)


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
    write_all(fd, [head], 0)
    os.fdatasync(fd)
    return head


def write_all(fd: int, pieces: Sequence[bytes], at: int) -> None:
    """Writes all pieces, one behind the other, from an offset on, however many octets the system takes at a time."""
    rest = [memoryview(piece) for piece in pieces if piece]
    first = 0
    while first < len(rest):
        written = os.pwritev(fd, rest[first : first + PIECES_MAX], at)
        at += written
        while first < len(rest) and written >= len(rest[first]):
            written -= len(rest[first])
            first += 1
        if written:
            rest[first] = rest[first][written:]


def write_zeros(fd: int, at: int, size: int) -> None:
    """Gives the space back to the file system (fallocate), or writes zeros where it cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    punch = getattr(libc, "fallocate", None)
    if punch is not None and size:
        punch.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        if punch(fd, _PUNCH_HOLE_KEEP_SIZE, at, size) == 0:
            return
    write_all(fd, [bytes(size)], at)
