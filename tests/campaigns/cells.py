"""B19: each link of the gateway, broken in each way, while somebody reads, writes, grants or revokes: 4 x 5 x 4 cells.

The outcome of each cell is written down here before it is run. Whatever the fault, an answer comes within 5 s, nothing
is read that the present consents do not permit, and all goes on within 10 s of the link's return, by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.campaigns.proxy import FAULTS, Fault


class Part(StrEnum):
    """What the link leads to."""

    KUBO = "kubo"
    CHAIN = "chain"
    REDIS = "redis"
    SQL = "sql"


class Doing(StrEnum):
    """What is asked while it is broken."""

    READ = "read"
    WRITE = "write"
    GRANT = "grant"
    REVOKE = "revoke"


DONE = ""
UNWELL = frozenset({"UNAVAILABLE", "STALE"})
REFUSED = frozenset({*UNWELL, "INTEGRITY"})
"""A refusal that says why: a part is away or late, or what it said does not hold."""
AT_ALL = REFUSED | {DONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """`allowed`: codes of the answer, "" for one that did what was asked."""

    part: Part
    fault: Fault
    doing: Doing
    allowed: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.part} {self.fault} {self.doing}"


def outcome(part: Part, fault: Fault, doing: Doing) -> frozenset[str]:
    """What may be answered in a cell."""
    if part is Part.REDIS:
        # Hints and rates: nobody waits for it, nothing stands on it; a garbled word may be of a rate.
        return frozenset({DONE, "LIMIT"} if fault is Fault.CORRUPT else {DONE})
    if part is Part.KUBO:
        if doing is Doing.REVOKE:
            return frozenset({DONE})  # sealed and durable in the database, pinned later
        return AT_ALL if fault in (Fault.LATE, Fault.CORRUPT, Fault.CUT) else REFUSED
    if part is Part.CHAIN:
        if doing in (Doing.READ, Doing.WRITE):
            return UNWELL | {DONE}  # what is known stands until the chain has been silent for too long
        # A grant needs its block; a revocation is in force before the chain has it.
        return frozenset({DONE}) if doing is Doing.REVOKE else UNWELL | {DONE}
    return AT_ALL  # the database: without it nothing is durable, so nothing is acknowledged


CELLS: tuple[Cell, ...] = tuple(
    Cell(part=part, fault=fault, doing=doing, allowed=outcome(part, fault, doing))
    for part in Part
    for fault in FAULTS
    for doing in Doing
)


def some(count: int) -> Iterator[Cell]:
    """`count` of the cells: each part with each fault once, what is done changing in turn; then the rest."""
    doings = list(Doing)
    first = [
        cell
        for at, (part, fault) in enumerate((part, fault) for part in Part for fault in FAULTS)
        for cell in CELLS
        if (cell.part, cell.fault, cell.doing) == (part, fault, doings[(at + at // 5) % 4])
    ]
    rest = [cell for cell in CELLS if cell not in first]
    yield from [*first, *rest][:count]
