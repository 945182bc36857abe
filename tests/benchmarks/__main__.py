"""`python -m tests.benchmarks`: one table, taken in one run. Fails only where an answer is wrong, never for a figure.

`--smoke` does everything small, in seconds, for CI; `--only` chooses parts; `--data` names the shared data's folder
(CONSENTRY_SHARED_DATA otherwise), whose Synthea bundles are imported.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks import gas, table, world
from tests.benchmarks.decisions import decide_warm
from tests.benchmarks.imports import compare_imports, import_on_servers
from tests.benchmarks.large import move
from tests.benchmarks.load import Job
from tests.benchmarks.reads import Load, Shape, compare
from tests.benchmarks.releases import measure as measure_releases
from tests.benchmarks.servers import ROOT, Served, serve_bare, serve_gateway
from tests.benchmarks.sizes import grow_and_read
from tests.benchmarks.stages import import_inside
from tests.benchmarks.studies import capture
from tests.benchmarks.study_files import measure as measure_study_files
from tests.benchmarks.subscribers import reach_all

PARTS = (
    "read",
    "page",
    "decide",
    "import",
    "stages",
    "real-import",
    "subscriptions",
    "gas",
    "content",
    "sizes",
    "releases",
    "study-verify",
    "study-capture",
)
WITHOUT_ASKING = tuple(one for one in PARTS if one not in ("real-import", "releases"))
"""All but what starts servers, or takes many minutes."""
QUICK = tuple(one for one in WITHOUT_ASKING if one != "gas")
"""What `--smoke` takes; gas is bounded where the contracts are tested, and waits for full batches here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is done."""

    connections: Sequence[int]
    rounds: int
    seconds: float
    bundles: int
    content_mib: int
    subscriptions: int
    sizes: Sequence[int]
    released: Sequence[int]
    filed: Sequence[int]
    studied: int


FULL = Extent(
    connections=(1, 8, 32, 64),
    rounds=5,
    seconds=2.0,
    bundles=20,
    content_mib=128,
    subscriptions=200,
    sizes=(10_000, 100_000, 1_000_000),
    released=(10_000, 100_000),
    filed=(100_000, 1_000_000),
    studied=60,
)
SMOKE = Extent(
    connections=(1, 8),
    rounds=2,
    seconds=0.5,
    bundles=2,
    content_mib=8,
    subscriptions=20,
    sizes=(1_000, 3_000),
    released=(3_000,),
    filed=(5_000, 20_000),
    studied=2,
)


def main() -> None:
    """Measures, prints, and writes JSON where asked to."""
    asked = _arguments()
    extent = SMOKE if asked.smoke else FULL
    if asked.rounds:
        extent = replace(extent, rounds=asked.rounds)
    if asked.content_mib:
        extent = replace(extent, content_mib=asked.content_mib)
    report = _measure(extent, parts=asked.only or (QUICK if asked.smoke else WITHOUT_ASKING), data=_data(asked.data))
    table.show(report)
    if asked.json is not None:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small and quick: does it run, are the answers right")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each pair")
    parser.add_argument("--content-mib", type=int, default=0, help="the size of the large content; 1024 for the bar")
    parser.add_argument("--data", type=Path, help="the shared data's folder")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def _data(asked: Path | None) -> Path | None:
    folder = asked or Path(os.environ.get("CONSENTRY_SHARED_DATA") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def _measure(extent: Extent, *, parts: Sequence[str], data: Path | None) -> dict[str, Any]:
    report: dict[str, Any] = {"machine": table.machine(), "reads": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consentry-bench-")))
        if "study-verify" in parts:
            report["studyVerify"] = measure_study_files(folder, sizes=extent.filed, rounds=extent.rounds)
        if set(parts) == {"study-verify"}:
            report["loadAverageAfter"] = [round(one, 2) for one in os.getloadavg()]
            return report  # it needs no gateway
        served = stack.enter_context(serve_gateway(folder))
        made = stack.enter_context(world.make_world(served))
        world.settle(made)
        world.write_answers(made, folder / "answers.json")
        load = stack.enter_context(Load())
        bare = stack.enter_context(serve_bare(folder / "answers.json"))
        for shape in _shapes(made, parts):
            for connections in extent.connections:
                row = compare(
                    load,
                    shape,
                    gateway=served,
                    bare=bare,
                    token=made.token,
                    connections=connections,
                    rounds=extent.rounds,
                    seconds=extent.seconds,
                )
                report["reads"].append(row.to_json())
        bundles = world.synthea(data, most=extent.bundles)
        if "decide" in parts:
            report["decide"] = decide_warm(seconds=extent.seconds)
        if "import" in parts:
            report["import"] = compare_imports(made, bundles, folder).to_json()
        if "stages" in parts:
            report["stages"] = import_inside(bundles, folder / "stages")
        if "real-import" in parts:
            report["realImport"] = import_on_servers(bundles, folder / "real")
        if "subscriptions" in parts:
            report["subscriptions"] = reach_all(
                made, served, subscriptions=extent.subscriptions, records=10, idle=5 * extent.seconds
            ).to_json()
        if "content" in parts:
            report["content"] = move(made, served, mib=extent.content_mib).to_json()
        if "gas" in parts:
            report["gas"] = _gas(made, served, load)
        if "releases" in parts and data is not None:
            report["releases"] = measure_releases(data, folder, sizes=extent.released, rounds=extent.rounds)
        if "study-capture" in parts and data is not None:
            report["studyCapture"] = capture(made, served, data, folder, subjects=extent.studied)
        if "sizes" in parts:
            filtered = Shape(name="filtered page", bodies=world.filtered_bodies(made), mark='"hasNextPage":')
            report["sizes"] = grow_and_read(
                load,
                [*_shapes(made, PARTS), filtered],
                served=served,
                token=made.token,
                index=folder / "index.db",
                sizes=extent.sizes,
                rounds=extent.rounds,
                seconds=extent.seconds,
            )
    report["loadAverageAfter"] = [round(one, 2) for one in os.getloadavg()]
    return report


def _shapes(made: world.World, parts: Sequence[str]) -> list[Shape]:
    known = [
        Shape(name="read", bodies=world.read_bodies(made), mark='"contentSalt":'),
        Shape(name="page", bodies=world.page_bodies(made), mark='"hasNextPage":'),
    ]
    return [shape for shape in known if shape.name in parts]


def _gas(made: world.World, served: Served, load: Load) -> dict[str, list[int]]:
    """A quiet gateway and one more record: batches of one. A burst of reads: audit batches that are full."""
    gas.await_quiet(made)
    world.create_one(made, {"resourceType": "Basic", "code": {"text": "one alone"}})
    gas.await_anchoring(made, count=1)
    job = Job(
        host="127.0.0.1",
        port=served.port,
        path="/graphql",
        headers={"authorization": f"Bearer {made.token}"},
        bodies=world.read_bodies(made),
        mark='"contentSalt":',
        connections=32,
        seconds=30.0,
        most=3 * gas.FULL,
    )
    load.run(job)
    gas.await_anchoring(made, count=gas.FULL)
    found = gas.anchorings(made)
    return {
        "anchor batch of 1": gas.gas_by_count(found, count=1),
        "anchor batch of 1,024": gas.gas_by_count(found, count=gas.FULL),
        "grant": gas.grants(made),
    }


if __name__ == "__main__":
    main()
