"""`python -m tests.campaigns.seeded`: is each seeded bug found? The harness is shown to fail on a broken build.

Each patch in `bugs` names, in its first line, the test or campaign that must find it. It is applied to a copy of the
tree; found means that this test fails there. A finder that cannot be collected, or runs nothing, has found nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUGS = Path(__file__).parent / "bugs"
FINDER = "Finder: "
SECONDS = 300
FAILED = 1
"""pytest's exit code where tests ran and some failed; others mean that it could not judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """`finder`: a pytest node id, or a folder of tests."""

    name: str
    patch: Path
    finder: str


def bugs() -> list[Bug]:
    """All, in the order of their names."""
    return [_read(path) for path in sorted(BUGS.glob("*.patch"))]


def _read(path: Path) -> Bug:
    first = path.read_text().splitlines()[0]
    if not first.startswith(FINDER):
        raise ValueError(f"{path.name} does not begin with its finder")
    return Bug(name=path.stem, patch=path, finder=first.removeprefix(FINDER))


def applies(bug: Bug) -> bool:
    """Whether the patch fits this very tree."""
    return _git("apply", "--check", str(bug.patch), cwd=REPOSITORY).returncode == 0


def is_found(bug: Bug) -> bool:
    """Whether the finder fails on a copy with the bug in it. AssertionError where it could not judge."""
    with tempfile.TemporaryDirectory(prefix="consentry-bug-") as scratch:
        copy = Path(scratch) / "tree"
        _copy(copy)
        applied = _git("apply", str(bug.patch), cwd=copy)
        assert applied.returncode == 0, applied.stdout
        code = _run(bug.finder, copy)
        assert code in (0, FAILED), f"{bug.finder} could not judge (exit code {code})"
        return code == FAILED


def _copy(folder: Path) -> None:
    """The files that git knows, as they are now."""
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY).stdout
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)


def _run(finder: str, tree: Path) -> int:
    shared = os.environ.get("CONSENTRY_SHARED_DATA") or str(REPOSITORY.parent / "shared" / "data")
    environment = {**os.environ, "PYTHONPATH": str(tree), "CONSENTRY_SHARED_DATA": shared}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", finder, "-x", "-q", "-n", "0"],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode


def _git(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    # A copy is no repository: git must not look for one above it.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(cwd.parent)}
    return subprocess.run(
        ["git", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def main(names: Sequence[str]) -> int:
    """Runs all, or those named; prints one line each."""
    chosen = [bug for bug in bugs() if not names or bug.name in names]
    found = 0
    for bug in chosen:
        seen = is_found(bug)
        found += seen
        print(f"{'found' if seen else 'NOT FOUND':10} {bug.name} by {bug.finder}", flush=True)
    print(f"{found} of {len(chosen)} found")
    return 0 if found == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
