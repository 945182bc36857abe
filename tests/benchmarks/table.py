"""The report: a table for people, JSON for machines. Ratios first; absolute figures are of this machine, this hour."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

PACKAGES = ("strawberry-graphql", "graphql-core", "starlette", "granian", "uvloop", "cryptography", "fhir.resources")
PLAIN = ("decide", "stages", "realImport", "subscriptions", "content", "releases", "studyVerify", "studyCapture")
"""Parts whose figures are written out as they are."""


def machine() -> dict[str, object]:
    """What the figures stand on. Load averages are taken where it is called."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "loadAverage": [round(one, 2) for one in os.getloadavg()],
        "packages": {name: version(name) for name in PACKAGES},
    }


def show(report: Mapping[str, Any]) -> None:
    """Prints all that the report has."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=118)
    if report["reads"]:
        console.print(_reads(report["reads"]))
        console.print("cpu µs a request: the gateway's own process (with notary, chain, validators) : bare with worker")
    if "import" in report:
        console.print(_import(report["import"]))
    for part in (
        "decide",
        "stages",
        "realImport",
        "subscriptions",
        "content",
        "releases",
        "studyVerify",
        "studyCapture",
    ):
        for name, value in report.get(part, {}).items():
            console.print(f"{part}: {name} {value}")
    if "sizes" in report:
        console.print(_sizes(report["sizes"]))
    if "gas" in report:
        console.print(_gas(report["gas"]))
    before, after = report["machine"]["loadAverage"], report["loadAverageAfter"]
    console.print(f"{report['machine']['cores']} cores, load average {before} before, {after} after")


def _reads(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Consented reads against bare Strawberry from memory (ratio of requests per second)")
    for name in (
        "",
        "connections",
        "ratio",
        "min-max",
        "ours/s",
        "bare/s",
        "ours p50/p99 ms",
        "bare p50/p99 ms",
        "cpu µs",
    ):
        table.add_column(name, justify="left" if not name else "right")
    for row in rows:
        ours, bare = row["gateway"], row["bare"]
        table.add_row(
            row["shape"],
            str(row["connections"]),
            f"{row['ratio']:.2f}",
            f"{row['ratioLeast']:.2f}-{row['ratioMost']:.2f}",
            f"{ours['requestsPerSecond']:.0f}",
            f"{bare['requestsPerSecond']:.0f}",
            f"{ours['p50Milliseconds']:.1f} / {ours['p99Milliseconds']:.1f}",
            f"{bare['p50Milliseconds']:.1f} / {bare['p99Milliseconds']:.1f}",
            f"{ours['cpuMicrosecondsOwn']} ({ours['cpuMicrosecondsTree']}) : {bare['cpuMicrosecondsTree']}",
        )
    return table


def _import(found: Mapping[str, Any]) -> Table:
    table = Table(title="Import through GraphQL against fhir.resources and plain rows (ratio of records per second)")
    for name in ("bundles", "records", "ratio", "min-max of a bundle", "ours/s", "two at once/s", "plain/s"):
        table.add_column(name, justify="right")
    table.add_row(
        str(found["bundles"]),
        str(found["records"]),
        f"{found['ratio']:.2f}",
        f"{found['ratioLeast']:.2f}-{found['ratioMost']:.2f}",
        f"{found['gatewayRecordsPerSecond']:.0f}",
        f"{found['gatewayRecordsPerSecondTogether']:.0f}",
        f"{found['plainRecordsPerSecond']:.0f}",
    )
    return table


def _sizes(found: Mapping[str, Any]) -> Table:
    table = Table(title="Latency by the records in the index, p50 / p99 ms")
    table.add_column("records", justify="right")
    names = list(found["medianGrown"])
    for name in names:
        table.add_column(name, justify="right")
    for one in found["sizes"]:
        values = [f"{one['p50Milliseconds'][name]} / {one['p99Milliseconds'][name]}" for name in names]
        table.add_row(f"{one['records']:,}", *values)
    table.add_row("grown", *(f"{found['medianGrown'][name]:.2f}" for name in names))
    return table


def _gas(found: Mapping[str, Sequence[int]]) -> Table:
    table = Table(title="Gas on the embedded chain, from receipts")
    for name in ("", "transactions", "median", "min-max"):
        table.add_column(name, justify="left" if not name else "right")
    for name, values in found.items():
        table.add_row(name, str(len(values)), f"{median(values):,.0f}", f"{min(values):,}-{max(values):,}")
    return table
