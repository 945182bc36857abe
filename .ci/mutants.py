"""Holds what survived a mutation run against what is explained. Exit code 1 when a survivor is neither.

mutants.py FOLDER    the folder that mutmut ran in
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

EXPLAINED = Path(__file__).with_name("mutants.explained")
DEAD = {"killed", "timeout", "suspicious", "caught by type check", "segfault"}
RAISE = re.compile(r"raise \w+\(.*$")


def statuses(folder: Path) -> dict[str, str]:
    """Each mutant's name and fate."""
    lines = mutmut(folder, "results", "--all", "true").splitlines()
    return dict(line.strip().rsplit(": ", 1) for line in lines if "__mutmut_" in line)


def mutmut(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own words


def change(folder: Path, name: str) -> tuple[str, str]:
    """The mutated line before and after."""
    lines = mutmut(folder, "show", name).splitlines()
    before = [line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---")]
    after = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")]
    return " / ".join(before), " / ".join(after)


def is_text_alone(before: str, after: str) -> bool:
    """Whether an error is raised as before, with another text."""
    return bool(RAISE.match(before)) and RAISE.match(after) is not None and before.split("(")[0] == after.split("(")[0]


def main() -> int:
    folder = Path(sys.argv[1])
    reasons: dict[str, str] = {}
    for line in EXPLAINED.read_text().splitlines():
        if line and not line.startswith("#"):
            mutant, _, reason = line.partition(" ## ")
            reasons[mutant] = reason
    found = statuses(folder)
    counts: Counter[str] = Counter()
    unexplained: list[str] = []
    for name, fate in found.items():
        if fate in DEAD:
            counts["killed"] += 1
        elif fate == "not checked":
            counts["not run"] += 1
        else:
            before, after = change(folder, name)
            module = name.rsplit(".", 1)[0]
            if is_text_alone(before, after):
                counts["text of an error"] += 1
            elif reasons.get(f"{module}: {after}"):
                counts["explained"] += 1
            else:
                unexplained.append(f"{module}: {after}\n    was: {before}\n    ({fate}, {name})")
    told = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    sys.stdout.write(f"mutants: {told} of {len(found)}\n" + "".join(f"SURVIVED {one}\n" for one in unexplained))
    return 1 if unexplained or not counts["killed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
