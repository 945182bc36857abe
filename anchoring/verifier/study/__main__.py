"""The command line."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from anchoring.verifier.study import __doc__ as about
from anchoring.verifier.study.check import check_file
from anchoring.verifier.verify import Refused, Unchecked, read_json


def main(words: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=str(about).partition("\n\n")[0])
    parser.add_argument("file", type=Path, help="the study's file; - reads the standard input")
    parser.add_argument("--rpc", help="any JSON-RPC endpoint of the chain")
    parser.add_argument("--deployment", type=Path, help="the gateway's /.well-known/consentry as you know it")
    parser.add_argument("--json", type=Path, help="write a machine-readable report here")
    asked = parser.parse_args(words)
    try:
        known = None if asked.deployment is None else read_json(asked.deployment.read_bytes())
        if str(asked.file) == "-":
            report = check_file(sys.stdin.buffer, rpc=asked.rpc, known=known)
        else:
            with asked.file.open("rb") as file:
                report = check_file(file, rpc=asked.rpc, known=known)
    except (Refused, Unchecked, OSError) as error:
        sys.stderr.write(f"NOT CHECKED: {error}\n")
        return 2
    if asked.json is not None:
        asked.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
