"""Captured data of a study: values of items a second, over GraphQL, sealed, durable, in the study's journal and on the
way to the chain, beside a bare loop that writes the same octets to a file, each request followed by fsync.

The pilot's subjects are enrolled before the clock runs, and their requests made; then all are sent, one after the
other. Edit checks are run on every value, and what they find becomes queries, as for any import.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway import jsontext
from gateway.demo.client import shaped
from gateway.demo.patients import Enrolled
from gateway.exchange.acts import Acts, registry_of
from gateway.exchange.capturing import Work, enrol, forms_of, parts, request, send
from gateway.exchange.folder import read_folder
from gateway.exchange.keys import make_keys
from gateway.exchange.people import AskedTerms, assemble, patient
from gateway.exchange.preparing import prepare
from gateway.exchange.tally import Tally
from gateway.jsontext import JsonValue
from gateway.trials.definition.forms import CapturedForm, walk
from tests.benchmarks.reads import cpu_of
from tests.benchmarks.servers import Served
from tests.benchmarks.world import World
from tests.unit.gateway.exchange.folders import pilot


def capture(world: World, served: Served, data: Path, folder: Path, *, subjects: int) -> dict[str, Any]:
    """Values a second by the wall and by the processor; what the gateway's own process, and all that it started, took
    of the processor by 1,000 values; and the bare loop beside it."""
    work = _prepared(world, pilot(data, folder / "pilot", subjects), folder)
    asked: list[JsonValue] = []
    items = forms = 0
    for key in work.folder.subjects:
        for one, some in _parts(work, key):
            asked.append(request(work, one, some))
            items += sum(len(group.items) for form in some for group in walk(form.groups))
            forms += len(some)
    before, began = cpu_of(served.pid), time.perf_counter()
    made = [send(work, one) for one in asked]
    seconds, after = time.perf_counter() - began, cpu_of(served.pid)
    if sum(len(one.records) for one in made) != forms:
        raise RuntimeError("another number of forms was stored than was sent")
    bare = _bare(asked, folder / "bare")
    own, tree = (now - then for now, then in zip(after, before, strict=True))
    return {
        "subjects": subjects,
        "requests": len(asked),
        "forms": forms,
        "items": items,
        "queries": sum(len(one.queries) for one in made),
        "itemsPerSecond": round(items / seconds),
        "cpuMillisecondsPer1000Items": {"own": round(1e6 * own / items, 1), "tree": round(1e6 * tree / items, 1)},
        "itemsPerSecondOfOneCore": round(items / tree),
        "bareItemsPerSecond": round(items / bare),
        "ratio": round(bare / seconds, 4),
    }


def _prepared(world: World, source: Path, folder: Path) -> Work:
    keys = make_keys(folder / "study.key")
    read = read_folder(source)
    company = assemble(world.gateway, world.deployment, registrar=world.cast.registrar, keys=keys)
    acts = Acts(world.gateway, registry_of(world.gateway, world.deployment))
    hash = prepare(world.gateway, acts, company, read, lambda _: None)
    name = shaped(acts.name, str)
    return Work(
        gateway=world.gateway,
        deployment=world.deployment,
        acts=acts,
        company=company,
        keys=keys,
        folder=read,
        terms=AskedTerms(study=acts.id, name=name, hash=hash, now=int(time.time())),
        tally=Tally(),
        strict=False,
    )


def _parts(work: Work, key: str) -> Sequence[tuple[Enrolled, list[CapturedForm]]]:
    """Of one subject, who is enrolled then."""
    wallet = work.keys.patient(work.folder.title, key)
    one = patient(work.gateway, work.deployment, registrar=work.company.registrar, wallet=wallet)
    enrol(work, one, key)
    return [(one, some) for some in parts(forms_of(work.folder, key))]


def _bare(asked: Sequence[JsonValue], path: Path) -> float:
    """Seconds."""
    bodies = [jsontext.dumps(one) for one in asked]
    with path.open("wb") as file:
        began = time.perf_counter()
        for body in bodies:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        return time.perf_counter() - began
