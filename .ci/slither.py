"""Holds slither's findings against what is explained. Exit code 1 for one that is not, or an explanation of none.

slither.py FILE    what `slither --json` wrote
"""

import json
import sys
from pathlib import Path

EXPLAINED = Path(__file__).with_name("slither.explained")


def found_in(document: dict[str, object]) -> set[str]:
    """`detector Contract.function`, one for each finding. Raises ValueError where slither itself failed."""
    results = document.get("results")
    if not document.get("success") or not isinstance(results, dict):
        raise ValueError(f"slither failed: {document.get('error')}")
    return {f"{one['check']} {one['description'].split('(')[0].strip()}" for one in results.get("detectors", [])}


def main(path: str) -> int:
    found = found_in(json.loads(Path(path).read_text(encoding="utf-8")))
    lines = [line for line in EXPLAINED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    explained = {line.split(" ## ")[0] for line in lines if " ## " in line}
    told = [f"not explained: {one}\n" for one in sorted(found - explained)]
    told += [f"explains nothing: {one}\n" for one in sorted(explained - found)]
    sys.stdout.write("".join(told) + f"slither: {len(found)} above low, {len(found & explained)} explained\n")
    return int(found != explained)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
