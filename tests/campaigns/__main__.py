"""`python -m tests.campaigns B1 [--rounds N] [--seed S] [--servers embedded|real] [--release]`: one campaign.

Prints its seed first, progress, and a table of figures; exits with 1 where a demand is not met. The same seed replays
the same plan. `--keep FOLDER` keeps logs and data.
"""

import argparse
import json
import secrets
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.campaigns.catalogue import CATALOGUE
from tests.campaigns.model import Asked, Report


def main() -> None:
    asked = _arguments()
    listed = CATALOGUE[asked.bar]
    rounds = asked.rounds or (listed.release if asked.release else listed.short)
    servers = asked.servers or listed.columns[0]
    if servers not in listed.columns:
        sys.exit(f"{asked.bar} runs with --servers {' or '.join(listed.columns)}")
    seed = secrets.randbelow(2**31) if asked.seed is None else asked.seed
    print(f"{asked.bar}: {listed.about}; --servers {servers} --rounds {rounds} --seed {seed}", flush=True)
    with ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consentry-campaign-")))
        folder.mkdir(parents=True, exist_ok=True)
        told = Asked(rounds=rounds, seed=seed, servers=servers, folder=folder, say=lambda text: print(text, flush=True))
        report = listed.run(told)
    show(report)
    if asked.json is not None:
        asked.json.write_text(_as_json(report))
    sys.exit(0 if report.met else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaigns",
        description="; ".join(f"{bar}: {listed.about}" for bar, listed in CATALOGUE.items()),
    )
    parser.add_argument("bar", choices=sorted(CATALOGUE))
    parser.add_argument("--rounds", type=int, default=0, help="how many (default: the short form's)")
    parser.add_argument("--release", action="store_true", help="the release form's rounds")
    parser.add_argument("--seed", type=int, help="of an earlier run, to replay it")
    parser.add_argument("--servers", choices=("embedded", "real"))
    parser.add_argument("--keep", type=Path, help="a folder for logs and data, kept")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def show(report: Report) -> None:
    """The final table."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 118)
    asked = report.asked
    table = Table(title=f"{report.bar}, {asked.servers}: {asked.rounds} rounds, seed {asked.seed}")
    for name in ("", "measured", "demanded", ""):
        table.add_column(name)
    for figure in report.figures:
        table.add_row(figure.name, figure.value, figure.demand, "" if not figure.demand else _word(figure.met))
        for example in figure.examples:
            table.add_row("", f"  {example}")
    console.print(table)
    for note in report.notes:
        console.print(note)
    console.print(f"plan {report.plan[:16]}, history {report.history[:16]}, {report.seconds:.0f} s")
    console.print("MET" if report.met else "NOT MET")


def _word(met: bool) -> str:
    return "met" if met else "NOT MET"


def _as_json(report: Report) -> str:
    plain = asdict(replace(report, asked=replace(report.asked, say=print)))
    plain["asked"] = {name: str(value) for name, value in plain["asked"].items() if name != "say"}
    return json.dumps({**plain, "met": report.met}, indent=2) + "\n"


if __name__ == "__main__":
    main()
