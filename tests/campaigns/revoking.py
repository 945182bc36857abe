"""B7: a consent is granted, every cache of three gateways is warmed, it is revoked, and 32 readers read on.

Each cycle has a consent of its own. Some break a link first: one gateway's to redis, all of them, or all to the chain;
some end all consents at once; and the last ones go past the gateways, straight to the chain. No read that starts after
the return is permitted, and every subscription ends within a second.
"""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from tests.campaigns.model import Asked, Figure, Report, at_most, digest_of, none_of, told
from tests.campaigns.proxy import Fault
from tests.campaigns.readers import Case, Line, Moment, Read, Reader, Way, steady
from tests.campaigns.replicas import Replicas, running_replicas
from tests.journeys import documents
from tests.journeys.people import Patient, Person
from tests.journeys.resources import observation
from tests.journeys.wallets import account_of, revocation_call, revocation_of_all_call, send

GATEWAYS, READERS = 3, 32
SOCKET_SECONDS = 1.0
CHAIN_SECONDS = 0.25
SOCKET_WITHIN_SECONDS = 15.0
"""How long an end is waited for, so that what is late is measured too."""
CYCLES_OF_A_PATIENT = 10
HOLD_SECONDS = 0.3
TELLINGS = 5
ETHER = 10**18


class Broken(StrEnum):
    """What is broken when the revocation comes. The chain's are for all gateways."""

    NOTHING = "nothing"
    REDIS_OF_ONE = "redis of one down"
    REDIS_OF_ONE_MUTE = "redis of one mute"
    REDIS = "redis down"
    REDIS_MUTE = "redis mute"
    CHAIN = "chain down"
    CHAIN_MUTE = "chain mute"
    BOTH = "redis and chain down"
    BOTH_MUTE = "redis and chain mute"
    PAST = "nothing, past the gateways"


_TURNS = (
    (Broken.NOTHING, True),
    (Broken.BOTH, False),
    (Broken.PAST, True),
    (Broken.REDIS_OF_ONE, True),
    (Broken.BOTH_MUTE, True),
    (Broken.REDIS, False),
    (Broken.NOTHING, False),
    (Broken.CHAIN_MUTE, True),
    (Broken.REDIS_OF_ONE_MUTE, True),
    (Broken.PAST, False),
    (Broken.BOTH, True),
    (Broken.REDIS_MUTE, True),
    (Broken.CHAIN, True),
    (Broken.BOTH_MUTE, False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """`at`: the gateway that is asked to revoke; `one`: whose link is broken, where it is one's. `listening`: somebody
    subscribes at each gateway; where nobody does, nothing but the ledger's guards tells a gateway of the revocation."""

    number: int
    broken: Broken
    listening: bool
    everything: bool
    at: int
    one: int

    @property
    def name(self) -> str:
        words = [self.broken, *(["all"] if self.everything else []), *([] if self.listening else ["unheard"])]
        return f"cycle {self.number} ({', '.join(words)}, at {self.at}, of {self.one})"


def draw(seed: int, rounds: int) -> list[Cycle]:
    """Every kind in its turn, over and over; the rest by chance."""
    chance = random.Random(seed)
    return [
        Cycle(
            number=number,
            broken=_TURNS[number % len(_TURNS)][0],
            listening=_TURNS[number % len(_TURNS)][1],
            everything=chance.random() < 0.25,
            at=chance.randrange(GATEWAYS),
            one=number // len(_TURNS) % GATEWAYS,
        )
        for number in range(rounds)
    ]


@dataclass(slots=True, kw_only=True)
class Tally:
    reads: int = 0
    after: int = 0
    open: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    deaf: list[str] = field(default_factory=list)
    sockets: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    past: list[float] = field(default_factory=list)


def revoke(asked: Asked, *, patient: bool = False) -> Report:
    """B7: `rounds` cycles. `patient`: the chain's bound of time is four times as long, for a machine that does other
    work; what may be permitted is the same."""
    began = time.monotonic()
    cycles = draw(asked.seed, asked.rounds)
    tally = Tally()
    with (
        running_replicas(asked.folder, count=GATEWAYS, seed=asked.seed) as replicas,
        _Crew.at(replicas, cycles=len(cycles)) as crew,
    ):
        for cycle in cycles:
            crew.run(cycle, tally)
            if (cycle.number + 1) % 10 == 0:
                asked.say(f"B7: {cycle.number + 1} of {len(cycles)} cycles, {time.monotonic() - began:.0f} s")
    return Report(
        bar="B7",
        asked=asked,
        figures=_figures(cycles, tally, slack=4 if patient else 1),
        plan=digest_of([cycle.name for cycle in cycles]),
        history=digest_of([len(tally.open), len(tally.other)]),
        seconds=time.monotonic() - began,
    )


def _figures(cycles: Sequence[Cycle], tally: Tally, *, slack: int) -> tuple[Figure, ...]:
    counted = {kind: sum(cycle.broken is kind for cycle in cycles) for kind in Broken}
    slowest = max(tally.sockets, default=0.0)
    return (
        told("cycles", " ".join(f"{kind}: {count};" for kind, count in counted.items() if count)),
        told("reads", tally.reads),
        told("reads that started after the return", tally.after),
        none_of("of these, permitted", tally.open),
        none_of("answers that are neither the record nor a refusal", tally.other),
        none_of("subscriptions that told nothing while permitted", tally.deaf),
        told("subscriptions ended", len(tally.sockets)),
        none_of(f"subscriptions that outlived the return by more than {SOCKET_SECONDS:g} s", tally.late),
        at_most("slowest to end, s", round(slowest, 3), SOCKET_SECONDS),
        at_most(
            "past the gateways: last permitted start after the block, p99 s", _p99(tally.past), CHAIN_SECONDS * slack
        ),
    )


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return round(ordered[int(0.99 * (len(ordered) - 1))], 3) if ordered else 0.0


class _Crew:
    """The readers, their sockets, and the patient whose consents come and go."""

    def __init__(self, replicas: Replicas, pool: ThreadPoolExecutor, stack: ExitStack, *, cycles: int) -> None:
        self._replicas = replicas
        self._pool = pool
        self._ways = list(Way)
        self._clinician = replicas.crowd.clinician()
        _await_known(replicas, self._clinician)
        self._readers = [
            Reader(number, replicas.doors[number % GATEWAYS].base, self._ways[number // GATEWAYS % len(self._ways)])
            for number in range(READERS)
        ]
        self._lines = [stack.enter_context(Line.at(door.base, self._clinician)) for door in replicas.doors]
        for reader in self._readers:
            stack.callback(reader.close)
        self._patients = [self._made(first) for first in range(0, cycles, CYCLES_OF_A_PATIENT)]

    @classmethod
    @contextmanager
    def at(cls, replicas: Replicas, *, cycles: int) -> "Iterator[_Crew]":
        with ExitStack() as stack, ThreadPoolExecutor(READERS + GATEWAYS) as pool:
            yield cls(replicas, pool, stack, cycles=cycles)

    def _made(self, first: int) -> tuple[Patient, str]:
        """A patient of some cycles, before any link is broken, and their record."""
        made = self._replicas.crowd.patient(f"Patient {first}")
        self._replicas.servers.chain.fund(account_of(made).address, ETHER)
        patient = Patient(person=steady(made.person), id=made.id, subject=made.subject)
        return patient, patient.store(observation(identifier=[{"value": _mark(first)}]))

    def run(self, cycle: Cycle, tally: Tally) -> None:
        """Grant, warm, break, revoke, read on, mend."""
        patient, record = self._patients[cycle.number // CYCLES_OF_A_PATIENT]
        consent = patient.consent(self._clinician.id)
        first = cycle.number - cycle.number % CYCLES_OF_A_PATIENT
        case = Case(
            reader=self._clinician,
            patient=patient.id,
            record=record,
            mark=_mark(first),
            pages=cycle.listening,
        )
        moment = Moment(readers=READERS)
        reading = [self._pool.submit(reader.read_on, case, moment) for reader in self._readers]
        try:
            moment.await_warm()
            if cycle.listening:
                self._subscribe(cycle, patient, tally)
            ending = self._end(cycle, patient, consent)
            self._break(cycle)
            moment.read_on()
            lines = self._lines if cycle.listening else ()
            ended = [self._pool.submit(line.ended_at, seconds=SOCKET_WITHIN_SECONDS) for line in lines]
            moment.returned = ending()
        except BaseException:
            moment.stop()
            raise
        seen = [one.result() for one in reading]
        ends = [one.result() for one in ended]
        self._replicas.whole()
        self._judge(cycle, moment.returned, seen, tally)
        for at, end in enumerate(ends):
            tally.sockets.append(max(0.0, end - moment.returned))
            if end - moment.returned > SOCKET_SECONDS:
                tally.late.append(f"{cycle.name}: socket at {at}, {end - moment.returned:.2f} s")

    def _subscribe(self, cycle: Cycle, patient: Patient, tally: Tally) -> None:
        for line in self._lines:
            line.subscribe(patient.id)
        deaf = list(range(GATEWAYS))
        for turn in range(TELLINGS):  # a hint may be lost, just after a link came back
            mark = f"added-{cycle.number}-{turn}-"
            patient.store(observation(identifier=[{"value": mark}]))
            deaf = [at for at in deaf if not self._lines[at].hears(mark, seconds=2.0)]
            if not deaf:
                return
        tally.deaf += [f"{cycle.name}: socket at {at}" for at in deaf]

    def _end(self, cycle: Cycle, patient: Patient, consent: str) -> "_Ending":
        if cycle.broken is Broken.PAST:
            return _Past(self._replicas, patient, consent, everything=cycle.everything)
        return _Asked(patient.at(self._replicas.doors[cycle.at]), consent, everything=cycle.everything)

    def _break(self, cycle: Cycle) -> None:
        fault = Fault.HANG if "mute" in cycle.broken else Fault.DOWN
        match cycle.broken:
            case Broken.NOTHING | Broken.PAST:
                return
            case Broken.REDIS_OF_ONE | Broken.REDIS_OF_ONE_MUTE:
                links = [self._replicas.redis[cycle.one]]
            case Broken.REDIS | Broken.REDIS_MUTE:
                links = [*self._replicas.redis]
            case Broken.CHAIN | Broken.CHAIN_MUTE:
                links = [*self._replicas.chain]
            case Broken.BOTH | Broken.BOTH_MUTE:
                links = [*self._replicas.redis, *self._replicas.chain]
        for link in links:
            link.set(fault)
        time.sleep(HOLD_SECONDS)

    def _judge(self, cycle: Cycle, returned: float, seen: Sequence[Sequence[Read]], tally: Tally) -> None:
        for reader, reads in zip(self._readers, seen, strict=True):
            tally.reads += len(reads)
            late = [read.began - returned for read in reads if read.permitted and read.began > returned]
            if cycle.broken is Broken.PAST:
                tally.past.append(max(late, default=0.0))
                continue
            tally.after += sum(read.began > returned for read in reads)
            tally.open += [f"{cycle.name}: {reader.way} at {reader.base}, {one:.3f} s after" for one in late]
            tally.other += [f"{cycle.name}: {reader.way}: {read.said}" for read in reads if _is_odd(read)]


def _await_known(replicas: Replicas, person: Person) -> None:
    """Each gateway has followed the chain to where the person is registered."""
    for door in replicas.doors:
        deadline = time.monotonic() + 15
        while person.at(door).ask(documents.VIEWER).found is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _is_odd(read: Read) -> bool:
    """Neither content, nor null, nor an empty page, nor a refusal by name."""
    words = ("null", "Refusal", '"edges":[]', "STALE", "UNAVAILABLE", "NOT_PERMITTED")
    return not read.permitted and not any(word in read.said for word in words)


def _mark(number: int) -> str:
    return f"urn:record-of-{number}-"


class _Asked:
    """Drafted and signed before the fault; asked of one gateway. The call returns the moment of its return."""

    def __init__(self, patient: Patient, consent: str, *, everything: bool) -> None:
        self._person = patient.person
        self._document = documents.REVOKE_ALL if everything else documents.REVOKE
        if everything:
            drafted = self._person.ask(documents.DRAFT_REVOCATION_OF_ALL, {"patientId": patient.id})
        else:
            given = {"patientId": patient.id, "consentId": consent}
            drafted = self._person.ask(documents.DRAFT_REVOCATION, given)
        self._typed = drafted.value["typedData"]

    def __call__(self) -> float:
        answer = self._person.submit(self._document, self._typed)
        returned = time.monotonic()
        answer.must()
        return returned


class _Past:
    """The patient's own transaction. The call returns the moment when its receipt was there."""

    def __init__(self, replicas: Replicas, patient: Patient, consent: str, *, everything: bool) -> None:
        self._url = replicas.servers.chain.url
        self._account = account_of(patient)
        self._registry = replicas.gateways[0].facts()["contracts"]["consent"]
        if everything:
            epoch = patient.person.ask(documents.DRAFT_REVOCATION_OF_ALL, {"patientId": patient.id})
            self._data = revocation_of_all_call(patient, int(epoch.value["typedData"]["message"]["epoch"]))
        else:
            self._data = revocation_call(patient, consent)

    def __call__(self) -> float:
        receipt = send(self._url, self._account, to=self._registry, data=self._data)
        returned = time.monotonic()
        assert int(receipt["status"], 16) == 1
        return returned


_Ending = _Asked | _Past
