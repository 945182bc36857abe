"""B10: no bomb holds the loop. Every shape one by one, then all at once, while honest clients read on from another
process; the gateway is a process of its own, asked over the network.

A canary reads a record every few milliseconds all the while. What is too large is answered before it is read. The
bounds are the bar's. `patient` takes those of time four times and that of memory twice, and demands no time where the
canary alone is slow already: on a machine that others use, the gateway's loop is not what is measured.
"""

import asyncio
import os
import random
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from gateway import jsontext
from tests.attacks.bombs import BODIES, DOCUMENTS, MORE
from tests.campaigns.honest import Honest, Read, honest, p99
from tests.campaigns.model import Asked, Figure, Report, at_least, at_most, digest_of, none_of, told
from tests.campaigns.site import running_column
from tests.campaigns.wires import CAP, SHAPES, SLOW, Heard, Send, Target, chunks_without_end, exchange, head, of_request
from tests.journeys import documents
from tests.journeys.resources import observation

QUIET_MS: Final = 40.0
"""The canary's p99 without bombs, up to which a machine tells anything of time."""
SHAPES_DEMANDED: Final = 38
CANARY_MS: Final = 100.0
ANSWERED_SECONDS: Final = 0.25
GROWN_MIB: Final = 64.0
CLIENTS: Final = 20
LARGE: Final = 256 * 1024
"""Characters of the note of the record that the wide answer is made of."""


@dataclass(slots=True, kw_only=True)
class _Seen:
    """By shape: seconds until it was answered, each time; and what should not have come."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    allowed: frozenset[int] = frozenset()

    def take(self, name: str, heard: Heard) -> None:
        self.seconds.setdefault(name, []).append(heard.first)
        silent = 0 in heard.statuses and name not in SHAPES  # below GraphQL a connection may be closed without a word
        wrong = {status for status in heard.statuses if 500 <= status < 1000} - self.allowed
        if silent or wrong:
            self.wrong.append(f"{name}: {sorted(set(heard.statuses))}")


def shapes() -> Mapping[str, Send]:
    """Every shape by its name."""
    named = {name: of_request(orjson.dumps({"query": text})) for name, text in {**DOCUMENTS, **MORE}.items()}
    return {**named, **{name: of_request(body) for name, body in BODIES.items()}, **SHAPES}


def hold(asked: Asked, *, patient: bool = False) -> Report:
    """B10: every shape `rounds` times by itself, and as often all at once."""
    began, slack = time.monotonic(), 4 if patient else 1
    seen = _Seen()
    with running_column(asked.folder, asked.servers, {"MOST_UNDERWAY": "256"}) as column:
        owner = column.site.crowd.patient()
        record = owner.store(observation())
        wide = owner.store({**observation(), "note": [{"text": "x" * LARGE}]})
        reader = column.site.crowd.clinician()
        owner.consent(reader.id)
        names = " ".join(f"a{at}: content" for at in range(4))
        much = f'{{ record(id: "{wide}") {{ ... on Record {{ {names} }} }} }}'
        target = Target(
            host="127.0.0.1", port=column.gateway.port, token=owner.person.token, wide=jsontext.dumps({"query": much})
        )
        request = _read(target, reader.token, record)
        with honest(target.host, target.port, request, clients=1) as canary:
            alone = _warm(target, canary)
            with _memory(column.gateway.process.pid) as grown:
                single = _one_by_one(asked, target, canary, seen)
                with honest(target.host, target.port, request, clients=CLIENTS, between=0.1) as others:
                    together, crowd = _all_at_once(asked, target, canary, others, seen)
            column.await_well()
            after = _alone(canary)
        text = column.gateway.log.read_text()
        unforeseen = [line[:200] for line in text.splitlines() if "unexpected failure" in line]
    slow = sorted((statistics.median(times), name) for name, times in seen.seconds.items() if name not in SLOW)
    timed = not patient or max(p99(alone), p99(after)) <= QUIET_MS
    late = [f"{name}: {seconds:.3f} s" for seconds, name in reversed(slow) if seconds > ANSWERED_SECONDS * slack]
    figures = (
        at_least("shapes", len(shapes()), SHAPES_DEMANDED),
        told("canary without bombs, before and after, p99 ms", f"{p99(alone):.1f}, {p99(after):.1f}"),
        _bound("canary while they fall one by one, p99 ms", round(p99(single), 1), CANARY_MS * slack, timed),
        told("  its slowest, ms", round(max(one.seconds for one in single) * 1000, 1)),
        _bound("canary while all fall at once, p99 ms", round(p99(together), 1), CANARY_MS * slack, timed),
        told("  its slowest, ms", round(max(one.seconds for one in together) * 1000, 1)),
        told(f"{CLIENTS} honest clients meanwhile, p99 ms", round(p99(crowd), 1)),
        none_of("honest reads that were not answered", [one.word for one in (*single, *together, *crowd) if one.word]),
        none_of(f"shapes answered after more than {ANSWERED_SECONDS * slack:g} s", late if timed else []),
        told("the slowest shapes, s", ", ".join(f"{name} {seconds:.3f}" for seconds, name in slow[:-6:-1])),
        none_of("answers with a 5xx, or none", seen.wrong),
        none_of("bodies over the cap that were read", seen.unread),
        at_most("memory grown, MiB", round(max(grown), 1), GROWN_MIB * (2 if patient else 1)),
        none_of("failures in the log that nobody foresaw", unforeseen),
        told("load of the machine", os.getloadavg()),
    )
    return Report(
        bar="B10",
        asked=asked,
        figures=figures,
        plan=digest_of([asked.rounds, asked.seed, sorted(shapes())]),
        history=digest_of([one.met for one in figures]),
        seconds=time.monotonic() - began,
    )


def _bound(name: str, value: float, most: float, timed: bool) -> Figure:
    return at_most(name, value, most) if timed else told(name, value)


def _read(target: Target, token: str, record: str) -> bytes:
    body = jsontext.dumps({"query": documents.READ, "variables": {"id": record}})
    return head(target, authorization=f"Bearer {token}", content_length=str(len(body))) + body


def _warm(target: Target, canary: Honest) -> list[Read]:
    """Every body once, so that what the process keeps for good is there; then the canary alone."""
    for body in BODIES.values():
        asyncio.run(of_request(body)(target))
    return _alone(canary)


def _alone(canary: Honest) -> list[Read]:
    began = time.monotonic()
    time.sleep(3.0)
    return canary.since(began)


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """What the process holds more than at the beginning, looked at all the while (MiB)."""
    before, grown, over = _resident(pid), [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            grown.append((_resident(pid) - before) / (1 << 20))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield grown
    finally:
        over.set()
        looking.join()


def _resident(pid: int) -> int:
    """Octets of a process in memory (proc(5))."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _one_by_one(asked: Asked, target: Target, canary: Honest, seen: _Seen) -> list[Read]:
    began, chance = time.monotonic(), random.Random(asked.seed)
    named = shapes()
    for turn in range(asked.rounds):
        for name in chance.sample(sorted(named), len(named)):
            seen.take(name, asyncio.run(named[name](target)))
        asyncio.run(_past_the_cap(target, seen))
        asked.say(f"B10: {turn + 1} of {asked.rounds} rounds one by one")
    return canary.since(began)


async def _past_the_cap(target: Target, seen: _Seen) -> None:
    """One whose length says so, of which nothing is sent; and one that does not say it."""
    told_so = await exchange(target, head(target, content_length=str(CAP + 1)))
    if told_so.statuses != (413,) or told_so.first > ANSWERED_SECONDS * 4:
        seen.unread.append(f"declared: {told_so.statuses}, {told_so.first:.2f} s")
    untold = await chunks_without_end(target)
    # A close while more is on its way may reset the connection, and the 413 with it.
    if untold.statuses not in ((413,), (0,)) or untold.sent > 1.5 * CAP:
        seen.unread.append(f"in chunks: {untold.statuses} after {untold.sent / (1 << 20):.1f} MiB")


def _all_at_once(
    asked: Asked, target: Target, canary: Honest, others: Honest, seen: _Seen
) -> tuple[list[Read], list[Read]]:
    async def fall() -> None:
        named = shapes()
        heard = await asyncio.gather(*(send(target) for send in named.values()))
        for name, one in zip(named, heard, strict=True):
            seen.take(name, Heard(one.statuses, min(seen.seconds[name])))  # how long is asked of each by itself

    began = time.monotonic()
    seen.allowed = frozenset({503})  # what waits too long for its turn in the heap is told so
    for turn in range(asked.rounds):
        asyncio.run(fall())
        asked.say(f"B10: {turn + 1} of {asked.rounds} rounds at once")
    return canary.since(began), others.since(began)
