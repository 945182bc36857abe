"""How a study stands, folded from the entries of its journal, one after the other. Pure.

True here: entries that change no standing (captures, queries, signatures) leave it as it is, so it grows with subjects,
sites and people, never with data. An entry of a subject who was erased says nothing any more: they are in no study.
Not done here: whether an act was allowed when it was done (`rules` asked before it became an entry).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.consent.model import NO_END, StudyRole, StudyState
from gateway.errors import IntegrityError
from gateway.ports.study_registry import StudyOnChain
from gateway.ports.trials import STANDING
from gateway.trials import acts
from gateway.trials.journal import Entry

FOLDED: Final = STANDING
"""Kinds of entries that a standing is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Of a protocol, a definition or a consent form: its number, from 1, and in which entry it stands. `digest` 32
    octets; `keeps`: of a consent form."""

    number: int
    digest: bytes
    entry: int
    at: int
    keeps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """`sites` empty: all of them. Times are seconds since 1970."""

    actor: bytes
    role: StudyRole
    sites: frozenset[str]
    until: int
    by: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A subject of a study. `key`: what they are called in it; `withdrawn_at`: 0 while data are collected; `goes`:
    what was collected is to be destroyed."""

    subject: bytes
    key: str
    site: str
    consent: bytes
    entry: int
    at: int
    withdrawn_at: int = 0
    goes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A subject's place in the list. `name` and `arm` as the chain has them."""

    name: bytes
    stratum: int
    position: int
    arm: bytes
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    root: bytes
    size: int
    entry: int


@dataclass(slots=True, kw_only=True, repr=False)
class Study:
    """A study's standing after entry `number` (-1: before the first), `moved` the last that changed it, beside the
    chain's word (None: it was not opened there). Whoever folds is the only one who changes it. `noted`: its state as
    the journal has it; `opened_under`: the protocol version under which enrolment opened, 0: none yet; `recruits`: in
    which entry its criteria are, 0: it looks for nobody; `roots`: of data, each with its count of entries; `entered`:
    in which entry an act is, by its salt."""

    study: bytes
    number: int = -1
    moved: int = -1
    sponsor: bytes = b""
    salt: bytes = b""
    title: str = ""
    statistician: bytes = b""
    registered_at: int = 0
    protocols: list[Version] = field(default_factory=list)
    definitions: list[Version] = field(default_factory=list)
    terms: list[Version] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    delegations: dict[tuple[bytes, StudyRole], Delegation] = field(default_factory=dict)
    subjects: dict[bytes, Enrolled] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    allocation: Allocation | None = None
    assigned: dict[bytes, Assigned] = field(default_factory=dict)
    unblinded: dict[bytes, set[bytes]] = field(default_factory=dict)
    noted: StudyState = StudyState.PLANNED
    was_open: bool = False
    opened_under: int = 0
    recruits: int = 0
    chain: StudyOnChain | None = None
    roots: list[tuple[bytes, int]] = field(default_factory=list)
    results: list[Version] = field(default_factory=list)
    entered: dict[str, int] = field(default_factory=dict)

    def roles_of(self, actors: Iterable[bytes], *, site: str | None, now: float) -> frozenset[StudyRole]:
        """Which roles one of these has at a site now; `site` None: at any. The sponsor's own
        and the statistician's that the study was registered with need no delegation."""
        found: set[StudyRole] = set()
        for actor in actors:
            if actor == self.sponsor:
                found.add(StudyRole.SPONSOR)
            if actor == self.statistician:
                found.add(StudyRole.STATISTICIAN)
            for role in StudyRole:
                one = self.delegations.get((actor, role))
                if one is not None and now < one.until and (site is None or not one.sites or site in one.sites):
                    found.add(role)
        return frozenset(found)

    def roles_everywhere(self, actors: Iterable[bytes], now: float) -> frozenset[StudyRole]:
        """As `roles_of`: those that reach every site, present and to come."""
        mine = frozenset(actors)
        found = {
            role
            for (actor, role), one in self.delegations.items()
            if actor in mine and now < one.until and not one.sites
        }
        return frozenset(found | {StudyRole.SPONSOR}) if self.sponsor in mine else frozenset(found)

    def roles_until(self, actors: Iterable[bytes], *, site: str, now: float) -> int:
        """When the first of the roles that are delegated to them there ends by itself, seconds since 1970."""
        ends = [
            one.until
            for actor in actors
            for role in StudyRole
            if (one := self.delegations.get((actor, role))) is not None
            and now < one.until
            and (not one.sites or site in one.sites)
        ]
        return min(ends, default=NO_END)

    @property
    def state(self) -> StudyState:
        """What its journal noted and what the chain has, whichever is narrower."""
        if self.chain is None:
            return StudyState.PLANNED
        if self.chain.is_locked or self.noted is StudyState.LOCKED:
            return StudyState.LOCKED
        if self.chain.is_frozen or self.noted is StudyState.FROZEN:
            return StudyState.FROZEN
        return self.noted if self.chain.is_open else StudyState.PLANNED

    @property
    def seq(self) -> int:
        """Of the last freeze or thaw that the chain took."""
        return 0 if self.chain is None else self.chain.seq

    @property
    def recorded(self) -> int:
        """Entries under the roots of data."""
        return sum(count for _, count in self.roots)

    @property
    def present_terms(self) -> bytes:
        """The hash of the consent form that is asked for now; empty: none is yet."""
        return self.terms[-1].digest if self.terms else b""


def fold(study: Study, entries: Iterable[Entry]) -> None:
    """Takes in entries that follow those that it has, of kinds in `FOLDED` at least. IntegrityError where one of these
    kinds is missing before one that says so; those that were erased say nothing."""
    for one in entries:
        if one.kind in FOLDED:
            if one.octets is not None:
                if one.standing != study.moved:
                    raise IntegrityError("an entry that changed how a study stands is missing")
                act = acts.read_entry(one.octets).act
                study.entered[act.salt] = one.number
                _take(study, act, one.number)
            study.moved = one.number
        study.number = one.number


def _take(study: Study, act: acts.Act, number: int) -> None:
    match act:
        case acts.Register():
            study.sponsor, study.salt = bytes.fromhex(act.by), bytes.fromhex(act.salt)
            study.title, study.registered_at = act.title, act.at
            study.statistician = bytes.fromhex(act.statistician)
        case acts.Protocol():
            study.protocols.append(_version(act.number, acts.protocol_digest(act), number, act.at))
        case acts.Define():
            study.definitions.append(_version(act.number, bytes.fromhex(act.sha256), number, act.at))
        case acts.Describe():
            study.tables[act.table] = number
        case acts.Terms():
            digest = bytes.fromhex(act.terms)
            study.terms.append(Version(number=act.number, digest=digest, entry=number, at=act.at, keeps=act.keeps))
        case acts.Site():
            study.sites[act.site] = act.name
        case acts.Delegate():
            actor = bytes.fromhex(act.actor)
            study.delegations[(actor, act.role)] = Delegation(
                actor=actor, role=act.role, sites=frozenset(act.sites), until=act.until, by=bytes.fromhex(act.by)
            )
        case acts.Enrol():
            _enrol(study, act, number)
        case acts.Withdraw():
            _withdraw(study, act)
        case acts.Allocate():
            study.allocation = Allocation(root=bytes.fromhex(act.root), size=act.size, entry=number)
        case acts.Assign():
            _assign(study, act, number)
        case acts.Unblind():
            study.unblinded.setdefault(bytes.fromhex(act.subject), set()).add(bytes.fromhex(act.by))
        case acts.Open():
            study.was_open, study.opened_under = True, act.version
            # A freeze of before goes on until it is thawed.
            study.noted = StudyState.OPEN if study.noted is StudyState.PLANNED else study.noted
        case acts.Freeze():
            thawed = StudyState.OPEN if study.was_open else StudyState.PLANNED
            study.noted = StudyState.FROZEN if act.frozen else thawed
        case acts.Lock():
            study.noted = StudyState.LOCKED
        case acts.RecordData():
            # Roots that the registry refused are taken once more, from their first entry on.
            while study.roots and study.recorded > act.first:
                study.roots.pop()
            study.roots.append((bytes.fromhex(act.root), act.count))
        case acts.Recruit():
            study.recruits = number if act.open else 0
        case acts.Publish():
            study.results.append(_version(act.number, acts.content_of(act), number, act.at))
        case _:
            pass


def _version(number: int, digest: bytes, entry: int, at: int) -> Version:
    return Version(number=number, digest=digest, entry=entry, at=at)


def _enrol(study: Study, act: acts.Enrol, number: int) -> None:
    subject = bytes.fromhex(act.subject)
    study.subjects[subject] = Enrolled(
        subject=subject,
        key=act.key,
        site=act.site,
        consent=bytes.fromhex(act.consent),
        entry=number,
        at=act.at,
    )
    study.keys[act.key] = subject


def _withdraw(study: Study, act: acts.Withdraw) -> None:
    subject = bytes.fromhex(act.subject)
    study.subjects[subject] = replace(study.subjects[subject], withdrawn_at=act.at, goes=act.goes)


def _assign(study: Study, act: acts.Assign, number: int) -> None:
    study.assigned[bytes.fromhex(act.subject)] = Assigned(
        name=bytes.fromhex(act.name),
        stratum=act.stratum,
        position=act.position,
        arm=bytes.fromhex(act.arm),
        entry=number,
    )
