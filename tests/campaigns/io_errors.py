"""B4: writes and syncs fail below the process, on the files of the notary's index, the packs, the keys and the chain.

1. The n-th call of one write fails, for each n, part after part: EIO and ENOSPC in turn.
2. Two of a hundred calls fail, on all files at once, while four clients write. The chain's are left out: a block takes
   fifty calls, so at 2 % two blocks of three end its process, and whoever waits for one waits for minutes.
Then the disk is whole again, and everything that a client was told is looked for. What ends is started again as a
supervisor would, and counted; nothing else is done by hand.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gateway.adapters.pack_folder import PackFolder
from gateway.adapters.packs import PACK_SIZE_MAX
from gateway.demo.wallet import Wallet
from gateway.errors import ConsentryError
from tests.campaigns.clients import INTERNAL, UNDECIDED, Client, Progress
from tests.campaigns.failing import ERRORS, Failing, failing_disk
from tests.campaigns.kills import make_clients
from tests.campaigns.model import Asked, Figure, Report, digest_of, none_of, told
from tests.campaigns.plan import Kind, Operation, Plan, draw
from tests.campaigns.site import Column
from tests.campaigns.verification import verify
from tests.journeys import documents
from tests.journeys.gateway_process import GatewayProcess
from tests.journeys.people import Crowd, Door
from tests.journeys.sites import Site
from tests.servers.process import ServerFailed

PARTS = {"index": "index.db", "packs": "blocks/", "keys": "keys.db", "chain": "chain.db"}
"""Each part's files, by what their paths have in them."""
SWEEPS = (*((part, 1) for part in PARTS), ("index", 3), ("packs", 3), ("keys", 3))
"""How many calls in a row fail; three hit what undoes the first, too. The chain's process ends at the first."""
PER_MILLION = 20_000
CLIENTS = 4
APART = 100_000
STARTS = 40
LOOK_SECONDS = 0.05
DATABASES = ("index.db", "keys.db", "chain.db")


@dataclass(slots=True, kw_only=True)
class Scene:
    """`starts`: how often the gateway ended and was started again; `said`: answers that no client's log has."""

    column: Column
    failing: Failing
    pool: ThreadPoolExecutor
    starts: int = 0
    said: list[str] = field(default_factory=list)

    def until_done(self, *work: Callable[[], None]) -> None:
        """Does all of it in threads of its own, and meanwhile what a supervisor does."""
        busy = [self.pool.submit(one) for one in work]
        while wait(busy, timeout=LOOK_SECONDS).not_done:
            self.revive()
        for one in busy:
            one.result()
        self.revive()

    def revive(self) -> None:
        """In this thread alone: a server is ended by the kernel when the thread that started it ends."""
        for _ in range(STARTS):
            if self._runs():
                return
            self.starts += 1
            try:
                self.column.gateway.process.start()
            except ServerFailed:
                time.sleep(LOOK_SECONDS)
        raise AssertionError(f"the gateway does not start in {STARTS} tries")

    def _runs(self) -> bool:
        try:
            return self.column.gateway.process.pid > 0
        except ServerFailed:
            return False

    def register(self) -> None:
        """A new actor and, in it, a new domain of the key store. Who was told of it signs in."""
        crowd, wallet = self.column.site.crowd, Wallet.new()
        asked = {"input": {"key": wallet.signer, "roles": ["CLINICIAN"], "name": "Dr. Disk"}}
        answer = crowd.registrar.once(documents.REGISTER, asked)
        if answer.code not in UNDECIDED | {""} or answer.message == INTERNAL:
            self.said.append(str(answer))
        if not answer.code:
            signed_in = crowd.registrar.door.ask(documents.CHALLENGE, {"address": wallet.address})
            if signed_in.code not in UNDECIDED | {""}:
                self.said.append(f"acknowledged and unknown: {signed_in}")


@contextmanager
def failing_scene(folder: Path) -> Iterator[Scene]:
    """A gateway with its children and all its files on a disk that fails on command; whole while it starts first."""
    data = folder / "data"
    with failing_disk(folder, below=data) as failing, ThreadPoolExecutor(CLIENTS) as pool:
        gateway = GatewayProcess(folder, {}, before=failing.before)
        try:
            gateway.start()
            crowd = Crowd(Door(gateway.base), gateway.registrar_key)
            site = Site(gateway=gateway, crowd=crowd, servers=None)
            yield Scene(column=Column(site=site, worker=None), failing=failing, pool=pool)
        finally:
            failing.stop()
            gateway.stop()


def fail(asked: Asked) -> Report:
    """`rounds`: up to which n each part's write is failed (it ends with the write), and how many writes at 2 %."""
    began = time.monotonic()
    plan = draw(asked.seed, rounds=1, targets=(), clients=CLIENTS, operations=max(1, asked.rounds // CLIENTS))
    with failing_scene(asked.folder) as scene:
        clients = make_clients(scene.column, asked.folder, Progress(), seed=asked.seed, count=CLIENTS)
        figures = [fail_each(scene, at, clients, asked) for at in range(len(SWEEPS))]
        figures += fail_some(scene, clients, plan)
        figures += verify(scene.column.gateway, clients)
    figures.append(none_of("files that are not whole", list(damaged(asked.folder / "data"))))
    return Report(
        bar="B4",
        asked=asked,
        figures=tuple(figures),
        plan=plan.digest,
        history=digest_of([one.name, one.met] for one in figures),
        seconds=time.monotonic() - began,
    )


def fail_each(scene: Scene, at: int, clients: Sequence[Client], asked: Asked) -> Figure:
    """One write again and again: its first call fails, then its second, until one has fewer calls than that."""
    part, row = SWEEPS[at]
    name = f"calls of one write to {part} that failed, {row} in a row from each"
    for number in range(1, asked.rounds + 1):
        scene.failing.nth(number, part=PARTS[part], error=ERRORS[number % len(ERRORS)], row=row)
        scene.until_done(partial(_write, scene, at, clients[number % CLIENTS], number))
        struck = scene.failing.failed
        scene.failing.stop()
        if not struck:
            asked.say(f"B4: {name}: {number - 1}, all of them")
            return told(name, f"{number - 1}, all of them")
        if number % 25 == 0:
            asked.say(f"B4: {part}, call {number}")
    return told(name, f"1 to {asked.rounds}")


def _write(scene: Scene, at: int, client: Client, number: int) -> None:
    """What writes to that part before it is acknowledged. Operations of the plan have smaller numbers."""
    part, _ = SWEEPS[at]
    if part == "keys":
        scene.register()
        return
    kind = Kind.GRANT if part == "chain" else Kind.CREATE
    client.run([Operation(client=0, number=(at + 1) * APART + number, kind=kind, value=70)])


def fail_some(scene: Scene, clients: Sequence[Client], plan: Plan) -> list[Figure]:
    """The plan's one round, while two of a hundred calls fail on every file but the chain's."""
    (parts,) = [one.operations for one in plan.rounds]
    scene.failing.share(PER_MILLION, seed=plan.seed, but=PARTS["chain"])
    scene.until_done(*(partial(who.run, part) for who, part in zip(clients, parts, strict=True)))
    calls, failed = scene.failing.calls, scene.failing.failed
    scene.failing.stop()
    scene.revive()
    slowest = scene.column.await_well()
    return [
        told("calls that failed at 2 %, of all but the chain's", f"{failed:,} of {calls:,}"),
        told("starts by the supervisor", scene.starts),
        none_of("wrong answers to who registers", scene.said),
        told("seconds until all parts were well after the last error", round(slowest, 1)),
    ]


def damaged(data: Path) -> Iterator[str]:
    """Of a gateway that has ended: files in which their own readers find a fault."""
    for name in DATABASES:
        with sqlite3.connect(data / name) as opened:
            (said,) = opened.execute("pragma integrity_check").fetchone()
        opened.close()
        if said != "ok":
            yield f"{name}: {said}"
    try:
        packs = PackFolder.open(data / "blocks", pack_size_max=PACK_SIZE_MAX)
        packs.check()
        packs.close()
    except ConsentryError as error:
        yield f"packs: {error.message}"
