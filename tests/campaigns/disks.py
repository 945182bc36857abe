"""A disk of its own for a campaign, small enough to be filled: a tmpfs, whose ENOSPC is the kernel's.

Mounting takes root (CAP_SYS_ADMIN). Where it is not possible the campaign fails and says so: nothing else is a full
disk.
"""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PIECES = (1 << 20, 1 << 12, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """`folder`: where it is mounted."""

    folder: Path

    def fill(self) -> None:
        """To the last octet."""
        filler = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for size in _PIECES:
                _write_until_full(filler, bytes(size))
        finally:
            os.close(filler)

    def free(self) -> None:
        """Gives all the space back that `fill` took."""
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


def _write_until_full(descriptor: int, piece: bytes) -> None:
    while True:
        try:
            if os.write(descriptor, piece) < len(piece):
                return
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return


@contextmanager
def small_disk(folder: Path, *, octets: int) -> Iterator[Disk]:
    """An empty disk of that size at `folder`, which is made."""
    folder.mkdir(mode=0o700, parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={octets},mode=0700", "consentry-campaign", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise AssertionError(f"no disk can be mounted here, so none can be filled: {done.stderr.strip()}")
    try:
        yield Disk(folder=folder)
    finally:
        # Lazily: whatever still holds a file of it is being ended.
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, timeout=30, check=True)
