"""Import of Synthea bundles: through GraphQL, sealed, durable and queued to be anchored, against plain rows.

The plain side is what a developer would write first: parse, validate with fhir.resources, one SQLite transaction of a
bundle with `synchronous=FULL`. No consent, no sealing, no proof, no HTTP. Bundle by bundle in turns.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from gateway import jsontext
from gateway.demo.bundles import Bundle
from tests.benchmarks.reads import cpu_of
from tests.benchmarks.servers import Served
from tests.benchmarks.world import World, import_once, make_world, prepare_import, send_import
from tests.campaigns.site import running_servers
from tests.journeys.sites import running_site

AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Seconds of each bundle on both sides, and how many records it has; `together`: of all on our side, `AT_ONCE` of
    them at a time."""

    records: Sequence[int]
    gateway: Sequence[float]
    plain: Sequence[float]
    together: float

    def to_json(self) -> dict[str, object]:
        ratios = [theirs / ours for ours, theirs in zip(self.gateway, self.plain, strict=True)]
        total = sum(self.records)
        return {
            "bundles": len(self.records),
            "records": total,
            "gatewayRecordsPerSecond": round(total / sum(self.gateway), 1),
            "gatewayRecordsPerSecondTogether": round(total / self.together, 1),
            "plainRecordsPerSecond": round(total / sum(self.plain), 1),
            "ratio": round(sum(self.plain) / sum(self.gateway), 3),
            "ratioMedian": round(median(ratios), 3),
            "ratioLeast": round(min(ratios), 3),
            "ratioMost": round(max(ratios), 3),
        }


def compare_imports(world: World, bundles: Sequence[Bundle], folder: Path) -> Imported:
    """Warms both sides with the first bundle, then times each."""
    plain = PlainRows(folder / "plain.db")
    import_once(world, bundles[0])
    plain.store(jsontext.dumps(bundles[0].wire))
    ours: list[float] = []
    theirs: list[float] = []
    for bundle in bundles:
        body = jsontext.dumps(bundle.wire)
        ours.append(import_once(world, bundle))
        began = time.perf_counter()
        plain.store(body)
        theirs.append(time.perf_counter() - began)
    plain.close()
    return Imported(
        records=[len(bundle.resources) for bundle in bundles],
        gateway=ours,
        plain=theirs,
        together=import_together(world, bundles),
    )


def import_together(world: World, bundles: Sequence[Bundle]) -> float:
    """Seconds that all take, `AT_ONCE` at a time; patients and bodies were made before the clock ran."""
    ready = [prepare_import(world, bundle) for bundle in bundles]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.perf_counter()
        list(pool.map(send_import, ready))
        return time.perf_counter() - began


def import_on_servers(bundles: Sequence[Bundle], folder: Path) -> dict[str, object]:
    """The same over Kubo, anvil, PostgreSQL and redis, which are started here: records a second, and the cores that
    each of them and the gateway used meanwhile."""
    with running_servers() as servers, running_site(folder, servers) as site:
        served = Served(port=site.gateway.port, pid=site.gateway.process.pid, registrar_key=site.gateway.registrar_key)
        pids = {
            "gateway": served.pid,
            "kubo": servers.kubo.process.pid,
            "anvil": servers.chain.process.pid,
            "postgres": servers.postgres.process.pid,
        }
        with make_world(served) as world:
            import_once(world, bundles[0])
            before = {name: cpu_of(pid)[1] for name, pid in pids.items()}
            began = time.perf_counter()
            took = [import_once(world, bundle) for bundle in bundles]
            elapsed = time.perf_counter() - began
            together = import_together(world, bundles)
            used = {name: round((cpu_of(pid)[1] - before[name]) / elapsed, 2) for name, pid in pids.items()}
    records = sum(len(bundle.resources) for bundle in bundles)
    return {
        "records": records,
        "recordsPerSecond": round(records / sum(took), 1),
        "recordsPerSecondTogether": round(records / together, 1),
        "coresUsed": used,
    }


class PlainRows:
    """One table, JSON text in it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=full")
        self._connection.execute(
            "create table records (id integer primary key, patient text, type text, date text, content text)"
        )
        self._patients = 0

    def store(self, body: bytes) -> None:
        """Validated whole, then written whole."""
        self._patients += 1
        rows = [self._row(entry["resource"]) for entry in json.loads(body)["entry"]]
        self._connection.execute("begin immediate")
        self._connection.executemany("insert into records (patient, type, date, content) values (?, ?, ?, ?)", rows)
        self._connection.execute("commit")

    def close(self) -> None:
        self._connection.close()

    def _row(self, resource: dict[str, Any]) -> tuple[str, str, str, str]:
        kind = resource["resourceType"]
        get_fhir_model_class(kind).model_validate(resource)
        date = str(resource.get("effectiveDateTime") or resource.get("recordedDate") or "")
        return str(self._patients), kind, date, json.dumps(resource)
