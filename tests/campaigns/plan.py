"""A plan drawn from a seed: who writes what in which round, and what is killed at which moment. Pure.

The same seed and sizes give the same plan, on any machine. A moment is told by progress (after so many acknowledgements
of the round, then so many microseconds), so a slow machine is hit in the midst of the writes like a quick one.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from tests.campaigns.model import digest_of

MOST_MICROSECONDS = 30_000
BUNDLE = 3
"""Resources in an import."""
MOST_GRANTS = 50
"""Of one patient in a plan; the gateway takes a hundred."""


class Kind(StrEnum):
    """What a client asks for."""

    CREATE = "CREATE"
    AMEND = "AMEND"
    IMPORT = "IMPORT"
    GRANT = "GRANT"
    REVOKE = "REVOKE"


_DRAWN = [Kind.CREATE] * 12 + [Kind.AMEND] * 4 + [Kind.IMPORT] * 2 + [Kind.GRANT, Kind.REVOKE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`number` counts a client's operations from 0 over all rounds. `target`: the number of the operation that it
    amends or revokes. `version`: the one that a write must be acknowledged with. `value`: of the measurement."""

    client: int
    number: int
    kind: Kind
    value: int
    target: int = -1
    version: int = 1

    @property
    def name(self) -> str:
        """Also the idempotency key and the mark inside the content."""
        return f"c{self.client}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`targets` are hit together, once `after` operations of the round are acknowledged and `microseconds` passed."""

    targets: tuple[str, ...]
    after: int
    microseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """`operations`: for each client, in its order."""

    operations: tuple[tuple[Operation, ...], ...]
    fault: Fault | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seed: int
    rounds: tuple[Round, ...]

    @property
    def operations(self) -> list[Operation]:
        """All, client by client, each in its order."""
        every = [one for each in self.rounds for part in each.operations for one in part]
        return sorted(every, key=lambda one: (one.client, one.number))

    @property
    def digest(self) -> str:
        return digest_of(asdict(each) for each in self.rounds)


class _Writer:
    """One client while the plan is drawn: what it could amend or revoke."""

    def __init__(self, client: int) -> None:
        self.client = client
        self._next = 0
        self._versions: dict[int, int] = {}
        self._granted: list[int] = []
        self._grants = 0

    def draw(self, chance: random.Random) -> Operation:
        kind = chance.choice(_DRAWN)
        value, number, target, version = chance.randrange(40, 220), self._next, -1, 1
        if kind is Kind.AMEND and self._versions:
            target = chance.choice(sorted(self._versions))
            version = self._versions[target] = self._versions[target] + 1
        elif kind is Kind.REVOKE and self._granted:
            target = self._granted.pop(chance.randrange(len(self._granted)))
        elif kind is Kind.GRANT and self._grants < MOST_GRANTS:
            self._granted.append(number)
            self._grants += 1
        elif kind is not Kind.IMPORT:  # nothing to amend or to revoke yet
            kind = Kind.CREATE
            self._versions[number] = 1
        self._next += 1
        return Operation(client=self.client, number=number, kind=kind, value=value, target=target, version=version)


def draw(seed: int, *, rounds: int, targets: Sequence[tuple[str, ...]], clients: int = 8, operations: int = 5) -> Plan:
    """`targets` take turns, in an order drawn anew each time round; none: no faults. `operations`: of each client in
    each round."""
    chance = random.Random(seed)  # a replayable plan, no secret
    writers = [_Writer(client) for client in range(clients)]
    turn: list[tuple[str, ...]] = []
    drawn = []
    for _ in range(rounds):
        if not turn:
            turn = chance.sample(list(targets), len(targets))
        fault = (
            Fault(
                targets=turn.pop(),
                after=chance.randrange(clients * operations),
                microseconds=chance.randrange(MOST_MICROSECONDS),
            )
            if targets
            else None
        )
        parts = tuple(tuple(writer.draw(chance) for _ in range(operations)) for writer in writers)
        drawn.append(Round(operations=parts, fault=fault))
    return Plan(seed=seed, rounds=tuple(drawn))
