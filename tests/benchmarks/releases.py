"""Builds of data sets: resources a second from sealed blocks to Parquet, on one core with one worker and on two with
two, beside a bare loop of the same transformations on plain text; and what a build takes of memory as patients grow.

Patients are imported once, into a folder that every build starts a gateway of its own on; that process and all of its
children are bound to the cores that are measured. A build is timed from the steward's approval to the manifest.
"""

import argparse
import asyncio
import functools
import gc
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from gateway.adapters.tabular import Files
from gateway.consent.model import Purpose
from gateway.deid.assembly import Assembly
from gateway.deid.resources import Deidentifier
from gateway.demo.wallet import Wallet
from gateway.identity.model import Role
from gateway.ports.releases import ReleaseStage
from gateway.records.model import NewBundle
from gateway.releases.request import parse_request
from gateway.running import run
from gateway.server import COLLECT
from gateway.wiring.processes import share_heaps
from tests.attacks.datasets import USE, Laboratory, asked, laboratory
from tests.attacks.inside import Inside, inside, sign_in
from tests.unit.gateway.deid.people import bundles
from tests.unit.gateway.deid.releases import definitions, rows_of

TABLES = ("people", "conditions", "observations", "medications")
SAMPLE_SECONDS = 0.1
ASKED_SECONDS = 0.02
"""How often it is asked whether the release is there."""
PATIENCE = 1_800.0


def request() -> dict[str, Any]:
    """A request that a few dozen patients of any kind reach the bar of: of them their sex alone is told, and of
    medications not which (few dozen share one, and a column of one value has no diversity)."""
    found = {name: definitions()[name] for name in TABLES}
    for table, kept in (("people", ("person", "sex")), ("medications", ("person", "at"))):
        columns = found[table]["select"][0]["column"]
        found[table]["select"][0]["column"] = [one for one in columns if one["name"] in kept]
    return asked(tables=found, format="parquet")


# ---- the population


async def populate(folder: Path, data: Path, *, records: int) -> int:
    """Patients with so many records together, more or less, each with a research consent. Gives their number."""
    count = 0
    async with inside(folder) as site:
        made = await laboratory(site)
        for resources in bundles(data, most=10_000):
            if count >= records:
                break
            count += await _enrolled(made, resources)
        (folder / "people.json").write_text(
            json.dumps({"researcher": _key_of(made.researcher.wallet), "steward": _key_of(made.steward.wallet)})
        )
    return count


async def _enrolled(made: Laboratory, resources: Sequence[dict[str, Any]]) -> int:
    site = made.inside
    owner = await site.person(Role.PATIENT)
    subject = await site.patient(owner)
    entries = [
        {"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
        for one in resources
    ]
    bundle = orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    new = NewBundle(subject=subject, bundle=orjson.loads(bundle), idempotency_key=secrets.token_hex(16))
    stored = await site.gateway.records.import_bundle(await made.caller(owner), new)
    await site.consent(
        owner,
        subject,
        made.researcher.actor,
        purposes=(Purpose.HRESCH,),
        data_use=USE,
        labels=("*",),
        not_after=datetime.now(UTC) + timedelta(days=1),
    )
    return len(stored)


def _key_of(wallet: Wallet) -> str:
    return wallet._account.key.hex()


# ---- one build, in a process of its own


async def build(folder: Path, *, workers: int) -> dict[str, Any]:
    """Seconds of one build, and the most memory that the process had of its own."""
    share_heaps()  # as the server does it, and the collector and the loop are the server's, too
    keys = json.loads((folder / "people.json").read_text())
    async with inside(folder, dataset_workers=workers) as site:
        made = Laboratory(
            inside=site,
            researcher=await sign_in(site.gateway, Wallet.of_hex(keys["researcher"])),
            steward=await sign_in(site.gateway, Wallet.of_hex(keys["steward"])),
            secret=b"",
        )
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        view = await made.request(**request())
        watching = asyncio.create_task(_watched())
        began, used = time.perf_counter(), os.times()
        await made.decide(view.release)
        await _built(site, view.release)
        seconds = time.perf_counter() - began
        after = os.times()
        watching.cancel()
        view = await made.settled(view.release)
        if view.stage is not ReleaseStage.RELEASED:
            raise RuntimeError(f"the release is {view.stage.name}: {view.failed}")
        return {
            "seconds": seconds,
            "gatewayCpu": after.user + after.system - used.user - used.system,
            "mebibytes": _most["now"],
            "rows": sum(one.rows for one in view.files),
        }


async def _built(site: Inside, release: bytes) -> None:
    """Returns when it is built no longer. Its papers are not read: that is done on the loop that builds."""
    index = site.gateway.releases._index
    async with asyncio.timeout(PATIENCE):
        while (row := await index.release(release)) is None or row.stage <= ReleaseStage.BUILDING:
            await asyncio.sleep(ASKED_SECONDS)


_most: dict[str, float] = {"now": 0.0}


async def _watched() -> None:
    while True:
        _most["now"] = max(_most["now"], _memory())
        await asyncio.sleep(SAMPLE_SECONDS)


def _memory() -> float:
    """MiB that this process has resident and of no file. From `statm`, which costs nothing: `smaps_rollup` walks all
    pages, and took a fifth of a build."""
    with open("/proc/self/statm") as line:
        _, resident, shared = line.read().split()[:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


# ---- the bare loop


def bare(data: Path, *, records: int) -> float:
    """Resources a second of the same transformations on plain text in memory, on one core."""
    parsed = parse_request(request())
    people, count = [], 0
    for resources in bundles(data, most=10_000):
        if count >= records:
            break
        people.append([orjson.dumps(one) for one in resources])
        count += len(resources)
    deidentifier = Deidentifier(parsed.profile)
    began = time.perf_counter()
    rows = [
        rows_of(map(orjson.loads, texts), parsed.profile, parsed.tables, deidentifier, number.to_bytes(32, "big"))
        for number, texts in enumerate(people)
    ]
    assembly = Assembly(parsed.tables, parsed.profile)
    for one in rows:
        assembly.observe(one)
    assembly.plan()
    for one in rows:
        assembly.count(one)
    files = [Files().open("parquet", table, facts={}) for table in parsed.tables]
    for one in rows:
        left = assembly.release(one)
        for file, some in zip(files, left or (), strict=False):
            file.add(some)
    for file in files:
        file.end()
    return count / (time.perf_counter() - began)


# ---- all of it


def measure(data: Path, folder: Path, *, sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Memory of a build of each size; of the largest its rates, on one core and on two, and beside them what the
    machine has to give: the bare loop on one core, and twice at once on two."""
    report: dict[str, Any] = {"mebibytes": {}, "onOneCore": [], "onTwoCores": [], "bare": [], "bareTwice": []}
    one_core, two_cores = (0,), (0, 1)
    for size in sizes:
        place = folder / f"release-{size}"
        place.mkdir(mode=0o700)
        count = json.loads(_child(place, data, "populate", records=size, cores=two_cores))
        for number in range(min(rounds, 3) if size == sizes[-1] else 1):
            one, two = (
                json.loads(_child(_copied(place, f"{cores}-{number}"), data, "build", workers=len(cores), cores=cores))
                for cores in (one_core, two_cores)
            )
            report["mebibytes"][count] = round(max(one["mebibytes"], two["mebibytes"]), 1)
            if size == sizes[-1]:
                report["onOneCore"].append(round(count / one["seconds"]))
                report["onTwoCores"].append(round(count / two["seconds"]))
                report["bare"].append(round(_bare_on(0, place, data, records=sizes[0])))
                with ThreadPoolExecutor(2) as both:
                    loop = functools.partial(_bare_on, place=place, data=data, records=sizes[0])
                    report["bareTwice"].append(round(sum(both.map(loop, two_cores))))
    return report


def _bare_on(core: int, place: Path, data: Path, *, records: int) -> float:
    return float(_child(place, data, "bare", records=records, cores=(core,)))


def _copied(place: Path, name: str) -> Path:
    """A build changes its folder: each has its own."""
    made = place.with_name(f"{place.name}-{name}")
    shutil.copytree(place, made)
    return made


def _child(folder: Path, data: Path, step: str, *, cores: Iterable[int], **given: int) -> str:
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    bound = ",".join(map(str, cores))
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.releases",
        step,
        str(folder),
        "--data",
        str(data),
        "--cores",
        bound,
        *options,
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3_600)
    return done.stdout.splitlines()[-1]


def main() -> None:
    """One step, as `measure` asks for it; the last line is its answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("populate", "build", "bare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cores", required=True)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    os.sched_setaffinity(0, {int(one) for one in given.cores.split(",")})
    if given.step == "populate":
        print(run(lambda: populate(given.folder, given.data, records=given.records)))
    elif given.step == "build":
        print(json.dumps(run(lambda: build(given.folder, workers=given.workers))))
    else:
        print(bare(given.data, records=given.records))


if __name__ == "__main__":
    main()
