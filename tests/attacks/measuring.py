"""What other people's tools say of tables: k, distinct l and t of each, as JSON.

measuring.py <JOBS   a list of {"people": [quasi-identifiers of each], "sensitive": [[[*quasi-identifiers, value]]]}

For each tool and job, {"k", "l", "t"}: k over `people`, l and t over the tables of `sensitive`, one for each sensitive
column; of several the least l and the largest t, as the tools themselves have it. Runs in the environment of
`.ci/measures`, and imports nothing of ours.
"""

import json
import runpy
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import distribution
from typing import Any

Figures = dict[str, float]
VALUE = "value"


def by_pycanon(people: Any, tables: list[Any], quasi: list[str]) -> Figures:
    tool: Any = import_module("pycanon.anonymity")
    return {
        "k": int(tool.k_anonymity(people, quasi)),
        "l": min(int(tool.l_diversity(one, quasi, [VALUE])) for one in tables),
        "t": max(float(tool.t_closeness(one, quasi, [VALUE])) for one in tables),
    }


def by_strm(people: Any, tables: list[Any], quasi: list[str]) -> Figures:
    """Of the package its measures alone: the rest draws reports, with libraries that are not here."""
    path = distribution("strmprivacy-diagnostics").locate_file("strmprivacy/diagnostics/metrics.py")
    tool = runpy.run_path(str(path))
    numbered = [one.assign(indexed_row=one.index.to_numpy()) for one in tables]
    return {
        "k": int(min(tool["k_anonymity"](people, quasi))),
        "l": min(min(tool["l_diversity"](one, quasi, [VALUE])[VALUE]) for one in numbered),
        "t": max(float(tool["t_closeness"](one, quasi, [VALUE], ["cat"])) for one in numbered),
    }


TOOLS: dict[str, Callable[[Any, list[Any], list[str]], Figures]] = {
    "pyCANON": by_pycanon,
    "STRM Privacy Diagnostics": by_strm,
}


def main() -> None:
    pandas: Any = import_module("pandas")
    told: dict[str, list[Figures]] = {name: [] for name in TOOLS}
    for job in json.load(sys.stdin):
        quasi = [f"q{at}" for at in range(len(job["people"][0]))]
        people = pandas.DataFrame(job["people"], columns=quasi, dtype=str)
        tables = [pandas.DataFrame(rows, columns=[*quasi, VALUE], dtype=str) for rows in job["sensitive"]]
        for name, tool in TOOLS.items():
            told[name].append(tool(people, tables, quasi))
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
