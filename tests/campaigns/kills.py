"""B1 and B2: kill -9 at random instants while eight clients write, then everything that was acknowledged is looked for.

B1 kills the gateway, its notary and its embedded chain, each alone. B2 kills Kubo, the chain, redis, PostgreSQL and the
anchoring worker, alone and in pairs. What a supervisor starts again is started again; nothing else is done by hand.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

from tests.campaigns.clients import Client, Journal, Progress, impatient
from tests.campaigns.model import Asked, Figure, Report, digest_of, none_of, told
from tests.campaigns.plan import Plan, Round, draw
from tests.campaigns.site import Column, running_column
from tests.campaigns.verification import verify
from tests.servers.anvil import STATE_INTERVAL_SECONDS

CLIENTS = 8
SERVERS = ("kubo", "chain", "redis", "postgres", "worker")
PAIRS: tuple[tuple[str, ...], ...] = tuple(combinations(SERVERS, 2))
B1_TARGETS: tuple[tuple[str, ...], ...] = (("gateway",), ("notary",), ("chain",))
B2_TARGETS: tuple[tuple[str, ...], ...] = (*((one,) for one in SERVERS), *PAIRS)


def kill_the_gateway(asked: Asked) -> Report:
    """B1. In the real column the chain is anvil's process."""
    plan = draw(asked.seed, rounds=asked.rounds, targets=B1_TARGETS, clients=CLIENTS)
    with running_column(asked.folder, asked.servers) as column:
        return campaign("B1", asked, plan, column)


def kill_the_servers(asked: Asked) -> Report:
    """B2: `rounds` of each server alone and of each pair."""
    return kill_some_servers(asked, B2_TARGETS)


def kill_some_servers(asked: Asked, targets: Sequence[tuple[str, ...]]) -> Report:
    """B2 of these alone: `rounds` of each."""
    plan = draw(asked.seed, rounds=asked.rounds * len(targets), targets=targets, clients=CLIENTS)
    with running_column(asked.folder, "real", worker=True) as column:
        return campaign("B2", asked, plan, column)


def campaign(bar: str, asked: Asked, plan: Plan, column: Column) -> Report:
    """The whole plan on a running column, then the checks."""
    started = time.monotonic()
    progress = Progress()
    clients = make_clients(column, asked.folder, progress, seed=plan.seed, count=CLIENTS)
    if asked.servers == "real":
        time.sleep(2 * STATE_INTERVAL_SECONDS)  # a killed anvil forgets its last second, and so who was enrolled in it
    killer = Killer(column, progress)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number, each in enumerate(plan.rounds):
            progress.reset()
            writing = [pool.submit(client.run, part) for client, part in zip(clients, each.operations, strict=True)]
            # In this thread: a server is ended by the kernel when the thread that started it ends.
            killer.strike(each)
            for one in writing:
                one.result()
            if (number + 1) % 10 == 0 or number + 1 == len(plan.rounds):
                asked.say(f"{bar}: {number + 1} of {len(plan.rounds)} rounds, {time.monotonic() - started:.0f} s")
    slowest = column.await_well()
    figures = (
        told("kills", " ".join(f"{'+'.join(one)} {count}" for one, count in killer.count(plan).items())),
        none_of("faults that could not be injected", killer.failures),
        *verify(column.gateway, clients),
        told("seconds until all parts were well after the last round", round(slowest, 1)),
    )
    return Report(
        bar=bar,
        asked=asked,
        figures=figures,
        plan=plan.digest,
        history=history(plan, clients, figures),
        seconds=time.monotonic() - started,
    )


def make_clients(column: Column, folder: Path, progress: Progress, *, seed: int, count: int) -> list[Client]:
    """Patients of one gateway, each with a log of their own and a clinician to permit."""
    crowd = column.site.crowd
    grantee = crowd.clinician().id
    made = []
    for number in range(count):
        patient = crowd.patient(f"Client {number}")
        own = type(patient)(person=impatient(patient.person), id=patient.id, subject=patient.subject)
        journal = Journal(folder / f"client-{number}.jsonl")
        made.append(Client(patient=own, grantee=grantee, journal=journal, progress=progress, seed=seed))
    return made


class Killer:
    """Strikes once a round, at the plan's moment, and does the supervisor's work."""

    def __init__(self, column: Column, progress: Progress) -> None:
        self._column = column
        self._progress = progress
        self.failures: list[str] = []

    def strike(self, each: Round) -> None:
        fault = each.fault
        if fault is None:
            return
        if not self._progress.reached(fault.after):
            self.failures.append(f"{fault}: the clients did not come so far")
            return
        time.sleep(fault.microseconds / 1e6)
        for target in fault.targets:
            self._column.kill(target)
        for target in fault.targets:
            self._column.start_again(target)

    @staticmethod
    def count(plan: Plan) -> dict[tuple[str, ...], int]:
        """How often each target is hit."""
        found: dict[tuple[str, ...], int] = {}
        for each in plan.rounds:
            if each.fault is not None:
                found[each.fault.targets] = found.get(each.fault.targets, 0) + 1
        return found


def history(plan: Plan, clients: Sequence[Client], figures: Sequence[Figure]) -> str:
    """What became of each operation, and each verdict: nothing in it depends on times or random names."""
    fates = [
        [one.name, one.kind, sorted({version for _, version, _ in heard.records}), len(heard.records)]
        if (heard := clients[one.client].acknowledged.get(one.number)) is not None
        else [one.name, one.kind, "NOT ACKNOWLEDGED"]
        for one in plan.operations
    ]
    return digest_of([*fates, *([one.name, one.met] for one in figures)])
