"""The end of a run: tables for a person, one JSON file for a machine."""

from collections.abc import Sequence
from pathlib import Path

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway import jsontext
from gateway.demo.model import Deployment
from gateway.demo.tally import Tally
from gateway.jsontext import JsonValue

VERSION = 1
_COLUMNS = (
    "in",
    "stored",
    "read\nback",
    "refused\nstranger",
    "proofs\nchecked",
    "refused\nrevoked",
    "ms to\nrefuse",
)


def is_ok(tallies: Sequence[Tally], problems: Sequence[str]) -> bool:
    """Whether every step of every bundle was as it must be. No bundle at all is no success."""
    return bool(tallies) and not problems and all(tally.ok for tally in tallies)


def show(console: Console, tallies: Sequence[Tally], problems: Sequence[str]) -> None:
    """One row a bundle, the problems, and the verdict."""
    if tallies:
        console.print(_result_table(tallies))
    for problem in problems:
        console.print(Text(f"problem: {problem}", style="red"))
    for tally in tallies:
        for problem in tally.problems:
            console.print(Text(f"{tally.bundle}: {problem}", style="red"))
        if tally.problem_count > len(tally.problems):
            console.print(Text(f"{tally.bundle}: and {tally.problem_count - len(tally.problems)} more", style="red"))
    good = is_ok(tallies, problems)
    words = "Every step was as it must be." if good else "Not every step was as it must be."
    console.print(Text(words, style="bold green" if good else "bold red"))


def write_json(
    path: Path,
    tallies: Sequence[Tally],
    problems: Sequence[str],
    *,
    gateway: str,
    rpc: str | None,
    deployment: Deployment | None,
) -> None:
    """Writes the report. `gateway`: its URL. Without a deployment the run never reached the gateway."""
    value: dict[str, JsonValue] = {
        "version": VERSION,
        **where(gateway, rpc, deployment),
        "bundles": [tally.to_json() for tally in tallies],
        "ok": is_ok(tallies, problems),
        "problems": [*problems],
    }
    write_pretty(path, value)


def where(gateway: str, rpc: str | None, deployment: Deployment | None) -> dict[str, JsonValue]:
    """The gateway and its chain, as a report names them."""
    chain: JsonValue = None
    if deployment is not None:
        contracts: JsonValue = {
            "identity": deployment.identity,
            "consent": deployment.consent,
            "anchor": deployment.anchor,
        }
        chain = {"chainId": deployment.chain_id, "rpc": rpc, "contracts": contracts}
    id = None if deployment is None else "0x" + deployment.gateway.hex()
    return {"gateway": {"url": gateway, "id": id}, "chain": chain}


def write_pretty(path: Path, value: dict[str, JsonValue]) -> None:
    """JSON for a machine that a person can read, too."""
    path.write_bytes(orjson.dumps(orjson.loads(jsontext.dumps(value)), option=orjson.OPT_INDENT_2) + b"\n")


def _result_table(tallies: Sequence[Tally]) -> Table:
    table = Table(
        title="The main job: resources", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("bundle", overflow="ellipsis", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True, min_width=max(map(len, name.split("\n"))))
    table.add_column("ok", min_width=3)
    for tally in tallies:
        time = "-" if tally.refusal_ms is None else f"{tally.refusal_ms:.1f}"
        cells = [Text(str(count), style="" if count == tally.resources else "red") for count in tally.counts]
        verdict = Text("yes", style="green") if tally.ok else Text("no", style="bold red")
        table.add_row(Text(tally.title), str(tally.resources), *cells, time, verdict)
    return table


def log_table(tally: Tally) -> Table:
    """The newest of the patient's access log; neighbours that say the same are one row."""
    title = f"Access log of the patient of {tally.title}: {tally.access_log} entries, newest first"
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("newest", "who", "what", "outcome"):
        table.add_column(name, no_wrap=True)
    table.add_column("times", justify="right")
    for row in tally.last_rows:
        style = "red" if row.outcome == "DENIED" else ""
        table.add_row(
            Text(f"{row.at[:19]}Z"), Text(row.who), Text(row.what), Text(row.outcome, style=style), str(row.times)
        )
    return table
