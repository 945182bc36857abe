"""A path without a Permit does not type-check: mypy, as strict as for the product, refuses each line of `misuse.py`
that says so, for the reason that stands there, and no other line."""

import re
import subprocess
import sys
from pathlib import Path

MISUSE = Path(__file__).with_name("misuse.py")
ROOT = Path(__file__).parents[4]
FOUND = re.compile(r"^tests/unit/gateway/consent/misuse\.py:(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)


def test_mypy_refuses_each_misuse_and_nothing_else() -> None:
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--no-error-summary", str(MISUSE.relative_to(ROOT))]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    refused: dict[int, set[str]] = {}
    for line, code in FOUND.findall(said.stdout):
        refused.setdefault(int(line), set()).add(code)
    marked = {
        number: set(line.partition("# refused: ")[2].split(", "))
        for number, line in enumerate(MISUSE.read_text().splitlines(), 1)
        if "# refused: " in line
    }
    assert refused == marked, said.stdout + said.stderr
    assert len(marked) == 10
