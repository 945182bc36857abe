"""A check of one study's file, or a bare hash of its lines, in a process that has nothing else: CPU time and peak."""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import BinaryIO


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("check", "hash"))
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    told: dict[str, float] = {}
    if asked.what == "check":
        from anchoring.verifier.study.check import check_file
    began = time.process_time()
    with asked.file.open("rb") as file:
        if asked.what == "hash":
            _hash(file)
        else:
            report = check_file(file)
            told = {"values": report.counts["item values"], "faults": report.found}
    told["seconds"] = time.process_time() - began
    told["peak"] = _peak()
    sys.stdout.write(json.dumps(told))


def _peak() -> float:
    """MiB of this program's own: the kernel's ru_maxrss has that of who started it, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _hash(lines: BinaryIO) -> bytes:
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line)
    return whole.digest()


if __name__ == "__main__":
    main()
