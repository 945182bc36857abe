"""A disk that fails on command, below the process: `failing.c`, compiled and preloaded, and the page that tells it how.

True here: a call that fails does nothing. It fails in whichever process makes it, and only on files below the folder.
"""

import errno
import mmap
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("failing.c")
ERRORS: Final = (errno.EIO, errno.ENOSPC)
MILLION: Final = 1_000_000
_FORM: Final = struct.Struct("=QQQQQQQ64s")
"""calls, failed, nth, row, per_million, seed, error, part: `struct control`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """`before`: words that go before a command whose disk this is."""

    page: mmap.mmap
    before: tuple[str, ...]

    def nth(self, number: int, *, part: str, error: int, row: int = 1) -> None:
        """The `number`-th call from now on, of files whose path has `part` in it, fails, and so do those after it:
        `row` in a row."""
        self._arm(nth=number, row=row, part=part, error=error)

    def share(self, per_million: int, *, seed: int, but: str) -> None:
        """Of a million calls from now on, so many fail, of all files but those whose path has `but` in it."""
        self._arm(per_million=per_million, seed=seed, part=f"!{but}")

    def stop(self) -> None:
        """Nothing fails any more. What was counted stays."""
        calls, failed = self.calls, self.failed
        self._arm(calls=calls, failed=failed)

    @property
    def calls(self) -> int:
        """How many matched since it was told last."""
        return int(_FORM.unpack_from(self.page)[0])

    @property
    def failed(self) -> int:
        return int(_FORM.unpack_from(self.page)[1])

    def _arm(
        self,
        *,
        calls: int = 0,
        failed: int = 0,
        nth: int = 0,
        row: int = 1,
        per_million: int = 0,
        seed: int = 0,
        error: int = errno.EIO,
        part: str = "",
    ) -> None:
        _FORM.pack_into(self.page, 0, calls, failed, 0, row, 0, seed, error, part.encode())
        # What strikes is written last: a process that looks meanwhile sees nothing, or all of it.
        struct.pack_into("=Q", self.page, 32, per_million)
        struct.pack_into("=Q", self.page, 16, nth)


@contextmanager
def failing_disk(folder: Path, *, below: Path) -> Iterator[Failing]:
    """Compiled into `folder`. AssertionError where there is no gcc."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise AssertionError("gcc is not installed; .ci/install-servers installs it")
    library, control = folder / "failing.so", folder / "failing.control"
    subprocess.run([gcc, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE], check=True, timeout=60)
    control.write_bytes(bytes(_FORM.size))
    given = (f"LD_PRELOAD={library}", f"FAILING_CONTROL={control}", f"FAILING_BELOW={below}/")
    with control.open("r+b") as opened, mmap.mmap(opened.fileno(), _FORM.size) as page:
        yield Failing(page=page, before=("env", *given))
