"""B13: no answer without its durable audit entry, whatever is killed, full or hung while eight readers read.

1. Gateway, notary and chain (in the real column PostgreSQL) are killed; the log is looked at all the while.
2. The disk with the log is filled: nothing is released until there is space again, and then all goes on by itself.
3. What writes the log hangs (SIGSTOP): nothing is released, and every answer comes in time.
4. Deleting any one line of the log is seen, against what was anchored.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from anchoring.stores.columns import split_values
from gateway.audit.rules import Witness, verify_entries
from tests.campaigns import evidence, hanging
from tests.campaigns.clients import impatient
from tests.campaigns.disks import Disk, small_disk
from tests.campaigns.hearing import Heard, Looker, read_on
from tests.campaigns.model import Asked, Figure, Report, at_least, at_most, digest_of, none_of, told
from tests.campaigns.site import Column, running_column
from tests.campaigns.verification import audit_faults, await_anchored
from tests.journeys.people import Person
from tests.journeys.resources import observation
from tests.ports.databases import query
from tests.ports.notaries import lineage

READERS = 8
TARGETS = {"embedded": ("gateway", "notary", "chain"), "real": ("gateway", "notary", "postgres")}
READS_A_KILL = 80
DISK_OCTETS = 96 << 20
TRIES = 100
"""Reads while the disk is full, after the first that was refused."""
ANSWER_SECONDS = 5.0
BACK_SECONDS = 10.0
SLACK_SECONDS = 60.0
INDEX = "index.db"
MOST_DELETED = 600
DECIDED_SECONDS = 120.0


@dataclass(slots=True, kw_only=True)
class Scene:
    """`records`: for each reader, what they may read and, last, one that they may not."""

    column: Column
    readers: Sequence[Person]
    records: Sequence[Sequence[str]]
    heard: Heard
    looker: Looker
    figures: list[Figure] = field(default_factory=list)

    @property
    def released(self) -> int:
        return self.heard.released

    def once(self) -> list[str]:
        """The codes of one read by each reader, all at the same time."""
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda pair: self.heard.ask(pair[0], pair[1][0]), self._pairs()))

    def back(self) -> float:
        """Seconds until each reader reads again, with no hand put to it."""
        began = time.monotonic()
        while any(self.once()) and time.monotonic() - began < 3 * BACK_SECONDS:
            time.sleep(0.1)
        return time.monotonic() - began

    def _pairs(self) -> list[tuple[Person, Sequence[str]]]:
        return list(zip(self.readers, self.records, strict=True))

    @contextmanager
    def reading(self, enough: Callable[[], bool]) -> Iterator[None]:
        """All readers until there is enough, and a look at the log every few milliseconds."""
        ended = threading.Event()
        with ThreadPoolExecutor(READERS + 1) as pool:
            looking = pool.submit(self.looker.run, ended)
            busy = [pool.submit(read_on, self.heard, who, which, enough) for who, which in self._pairs()]
            try:
                yield
                for one in busy:
                    one.result()
            finally:
                ended.set()
            looking.result()


def disclose(asked: Asked) -> Report:
    """`rounds`: reads that must be released while processes are killed."""
    began = time.monotonic()
    kills = _kills(asked)
    with ExitStack() as stack:
        embedded = asked.servers == "embedded"
        settings = {"ANSWER_SECONDS": "4.5"}
        disk = stack.enter_context(small_disk(asked.folder / "log", octets=DISK_OCTETS)) if embedded else None
        if disk is not None:
            settings["DATABASE_URL"] = f"sqlite:///{disk.folder / INDEX}"
        column = stack.enter_context(running_column(asked.folder, asked.servers, settings))
        scene = _scene(column)
        scene.figures += kill_while_reading(scene, asked, kills)
        if disk is not None:
            scene.figures += fill_the_disk(scene, disk)
        scene.figures += hang_the_log(scene, asked.servers)
        scene.figures += delete_lines(scene, asked.seed)
    heard, looker = scene.heard, scene.looker
    figures = (
        told("kills", " ".join(f"{one} {count}" for one, count in _counted(kills))),
        at_least("reads released (readers' logs)", heard.released, asked.rounds),
        told("refusals on the merits (readers' logs)", len(heard.told) - heard.released),
        told("refused for want of a part, and unanswered", f"{heard.unavailable}, {heard.unheard}"),
        none_of("wrong answers", heard.wrong),
        told("looks at the log", looker.looks),
        none_of("answers that were heard before their entry was durable", looker.missing),
        none_of("receipts that are not their entry's", looker.other),
        *scene.figures,
    )
    history = digest_of([one.name, one.met] for one in figures)
    return Report(
        bar="B13",
        asked=asked,
        figures=figures,
        plan=digest_of(kills),
        history=history,
        seconds=time.monotonic() - began,
    )


def _kills(asked: Asked) -> list[tuple[str, int, int]]:
    """(target, reads released since the last one, microseconds on top): drawn from the seed."""
    chance, targets = random.Random(asked.seed), TARGETS[asked.servers]  # a replayable plan, no secret
    count = max(len(targets), asked.rounds // READS_A_KILL)
    return [
        (targets[at % len(targets)], chance.randrange(READS_A_KILL), chance.randrange(30_000)) for at in range(count)
    ]


def _counted(kills: Sequence[tuple[str, int, int]]) -> list[tuple[str, int]]:
    names = [target for target, _, _ in kills]
    return [(one, names.count(one)) for one in dict.fromkeys(names)]


def _scene(column: Column) -> Scene:
    crowd = column.site.crowd
    patient = crowd.patient()
    shared = [patient.store(observation(value=f"{at}.5")) for at in range(6)]
    forbidden = crowd.patient("Patient of nobody").store(observation())
    readers = []
    for number in range(READERS):
        who = crowd.clinician(f"Dr. {number}")
        patient.consent(who.id, minutes=24 * 60)
        readers.append(impatient(who))
    heard = Heard()
    looker = Looker(url=column.gateway.index_url, heard=heard)
    return Scene(
        column=column,
        readers=readers,
        records=[[*shared[at % 6 :], *shared[: at % 6], forbidden] for at in range(READERS)],
        heard=heard,
        looker=looker,
    )


def kill_while_reading(scene: Scene, asked: Asked, kills: Sequence[tuple[str, int, int]]) -> list[Figure]:
    """Each kill at the plan's moment; the log is looked at in the moment of death too, before anybody starts again."""
    column, failures = scene.column, []
    struck = threading.Event()
    with scene.reading(lambda: struck.is_set() and scene.released >= asked.rounds):
        for number, (target, after, microseconds) in enumerate(kills):
            if not scene.heard.reached(scene.released + after, within=DECIDED_SECONDS):
                failures.append(f"{target}: the readers did not come so far")
                break
            time.sleep(microseconds / 1e6)
            column.kill(target)
            if target != "postgres":
                scene.looker.look(f"after the kill of {target}")
            column.start_again(target)
            if (number + 1) % 10 == 0:
                asked.say(f"B13: {number + 1} of {len(kills)} kills, {scene.released} reads")
        struck.set()
    back = scene.back()
    scene.looker.look("after the kills")
    return [
        none_of("kills that could not be made", failures),
        at_most("seconds until all read again after the last kill", round(back, 1), BACK_SECONDS),
    ]


def fill_the_disk(scene: Scene, disk: Disk) -> list[Figure]:
    """Only the log's database lies on this disk, so nothing else is a reason to refuse, and nothing else gives space
    back. Its write-ahead log is emptied first, or there would be room in the file itself: what is answered from that
    has its entry, as each look shows."""
    before = scene.released
    _empty(disk.folder / INDEX)
    disk.fill()
    deadline = time.monotonic() + SLACK_SECONDS
    while not all(scene.once()) and time.monotonic() < deadline:
        continue
    slack = scene.released - before
    codes = [code for _ in range(TRIES // READERS + 1) for code in scene.once()]
    scene.looker.look("while the disk is full")
    disk.free()
    back = scene.back()
    scene.looker.look("after the full disk")
    return [
        told("answers from what room the log's file had", slack),
        told("reads while the disk was full", len(codes)),
        none_of("reads released while the disk was full", [code for code in codes if not code]),
        none_of("reads without an answer while the disk was full", [code for code in codes if code == "NONE"]),
        at_most("seconds until all read again once there is space", round(back, 1), BACK_SECONDS),
    ]


def _empty(path: Path) -> None:
    """Moves the write-ahead log into its database and cuts it to nothing, as soon as nobody reads from it."""
    connection = sqlite3.connect(path)
    deadline = time.monotonic() + SLACK_SECONDS
    while connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0] and time.monotonic() < deadline:
        time.sleep(0.05)
    connection.close()


def hang_the_log(scene: Scene, servers: str) -> list[Figure]:
    """The notary, or every process of PostgreSQL, stands still. What is written once it goes on was told to nobody."""
    scene.heard.slowest = 0.0
    with hanging.hung(scene.column, servers):
        codes = scene.once()
    slowest = scene.heard.slowest
    back = scene.back()
    scene.looker.look("after the hang")
    return [
        told("reads while the log hung", len(codes)),
        none_of("reads released while the log hung", [code for code in codes if not code]),
        none_of("reads without an answer while the log hung", [code for code in codes if code == "NONE"]),
        at_most("longest answer while the log hung, s", round(slowest, 2), ANSWER_SECONDS),
        at_most("seconds until all read again after the hang", round(back, 1), BACK_SECONDS),
    ]


def delete_lines(scene: Scene, seed: int) -> list[Figure]:
    """Each line of the log taken away by itself (some of them, where there are many): the verifier must see it."""
    gateway = scene.column.gateway
    await_anchored(gateway)
    url = gateway.index_url
    instances = [bytes(row[0]) for row in query(url, "select distinct instance from writers")]
    log = [one for instance in instances for one in lineage(url, instance)]
    anchored = _anchored(scene)
    chosen = range(len(log))
    if len(log) > MOST_DELETED:
        picked = random.Random(seed).sample(range(len(log)), MOST_DELETED)  # replayable, no secret
        chosen = sorted({0, len(log) - 1, *picked})
    unseen = [at for at in chosen if verify_entries([*log[:at], *log[at + 1 :]], witnessed=anchored) is None]
    return [
        none_of("faults in the log as it is", audit_faults(url)),
        at_least("lines that were anchored", len(anchored), len(log)),
        told("lines deleted, one at a time", len(chosen)),
        none_of("deletions that were not seen", unseen),
    ]


def _anchored(scene: Scene) -> list[Witness]:
    """What the chain says of the log: the lines whose leaves its anchored manifests list."""
    gateway = scene.column.gateway
    leaves: set[bytes] = set()
    with evidence.fetching(gateway) as fetch:
        for batch in evidence.anchored_batches(gateway.rpc, gateway.facts()["contracts"]["anchor"]):
            listed = evidence.leaves_of(batch, fetch)
            leaves |= set(listed) if not isinstance(listed, str) else set()
    rows = query(gateway.index_url, "select leaf, values_ from tickets order by seq")
    found = [split_values(bytes(values)) for leaf, values in rows if bytes(leaf) in leaves]
    return [
        Witness(writer=parts[0], seq=int.from_bytes(parts[1], "big"), hash=parts[2])
        for parts in found
        if len(parts) == 3
    ]
