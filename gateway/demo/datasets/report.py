"""The end of a dataset's road: tables for a person, one JSON file for a machine."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.demo import report
from gateway.demo.datasets.tally import Tally
from gateway.demo.reaching import Known

VERSION = 1


def show(console: Console, tally: Tally, out: Path) -> None:
    """What was made, the figures, the problems, and the verdict."""
    if tally.warning:
        console.print(Text(f"WARNING: {tally.warning}", style="bold yellow"))
    if tally.files:
        console.print(_files_table(tally, out))
    for line in _figures(tally):
        console.print(Text(line))
    for problem in tally.problems:
        console.print(Text(f"problem: {problem}", style="red"))
    if tally.problem_count > len(tally.problems):
        console.print(Text(f"and {tally.problem_count - len(tally.problems)} more", style="red"))
    words = "Every step was as it must be." if tally.ok else "Not every step was as it must be."
    console.print(Text(words, style="bold green" if tally.ok else "bold red"))


def write_json(path: Path, tally: Tally, known: Known) -> None:
    """Without a deployment the run never reached the gateway."""
    where = report.where(known.gateway, known.rpc, known.deployment)
    report.write_pretty(path, {"version": VERSION, **where, **tally.to_json()})


def _files_table(tally: Tally, out: Path) -> Table:
    title = Text(f"Tables in {out}")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("table", "file"):
        table.add_column(name, no_wrap=True)
    for name in ("rows", "octets"):
        table.add_column(name, justify="right")
    for one in tally.files:
        table.add_row(Text(one.table), Text(one.path), f"{one.rows:,}", f"{one.octets:,}")
    return table


def _figures(tally: Tally) -> list[str]:
    lines = [f"{tally.patients} patients, {tally.consented} of them consented; {tally.imported} resources imported"]
    if tally.import_rate is not None:
        lines[0] += f", {tally.import_rate:.0f} a second"
    if (seconds := tally.durations.get("build")) is not None:
        lines.append(f"built in {seconds:.1f} s by the profile {tally.profile}")
    for made in tally.editions:
        measures = ", ".join(f"{name} = {value}" for name, value in made.anonymity.items())
        lines.append(f"edition {made.edition}: {made.people} people; {measures}")
    if tally.tombstone is not None:
        lines.append(f"one patient withdrew, and is named to the recipient as {tally.tombstone}")
    return lines
