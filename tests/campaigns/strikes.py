"""The faults of a soak, drawn from a seed, and how each is done: killed, stopped, or cut off."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.campaigns.processes import CHAIN, NOTARY, child_of
from tests.campaigns.proxy import Fault, Proxy
from tests.campaigns.site import Column

HOLD_SECONDS = 3.0
"""How long a part is stopped or cut off."""


class Way(StrEnum):
    KILL = "kill"
    STOP = "stop"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Strike:
    way: Way
    target: str

    @property
    def name(self) -> str:
        return f"{self.way} {self.target}"


SERVERS = ("kubo", "chain", "redis", "postgres")
EMBEDDED = tuple(Strike(way, target) for way in (Way.KILL, Way.STOP) for target in ("notary", "chain"))
REAL = (
    *(Strike(way, target) for way in Way for target in SERVERS),
    *(Strike(way, target) for way in (Way.KILL, Way.STOP) for target in ("notary", "worker")),
)


def draw(seed: int, *, count: int, servers: str) -> list[Strike]:
    """All of a column's, in an order drawn anew each time round."""
    chance, drawn = random.Random(seed), list[Strike]()
    every = EMBEDDED if servers == "embedded" else REAL
    while len(drawn) < count:
        drawn += chance.sample(every, len(every))
    return drawn[:count]


class Striker:
    """Does a strike and returns when its fault is over; what a supervisor starts again is started again."""

    def __init__(self, column: Column, proxies: Mapping[str, Proxy]) -> None:
        self._column = column
        self._proxies = proxies

    def strike(self, strike: Strike) -> None:
        match strike.way:
            case Way.KILL:
                self._column.kill(strike.target)
                self._column.start_again(strike.target)
            case Way.CUT:
                with self._proxies[strike.target].broken(Fault.DOWN):
                    time.sleep(HOLD_SECONDS)
            case Way.STOP:
                pid = self._pid(strike.target)
                os.kill(pid, signal.SIGSTOP)
                time.sleep(HOLD_SECONDS)
                with contextlib.suppress(ProcessLookupError):  # one that hangs is replaced by the gateway
                    os.kill(pid, signal.SIGCONT)

    def _pid(self, target: str) -> int:
        process = self._column.process(target)
        if process is not None:
            return process.pid
        found = child_of(self._column.gateway.process.pid, {"notary": NOTARY, "chain": CHAIN}[target])
        assert found is not None, f"the gateway has no {target}"
        return found
