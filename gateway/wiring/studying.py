"""Studies, put together: their standings, which the corridors ask, and the rooms that act in them."""

from dataclasses import dataclass

from gateway.audit.service import Audit
from gateway.consent.standing import Standings
from gateway.crypto.keys import KeyRing
from gateway.emergency.grounds import Grounds
from gateway.identity.service import Identity
from gateway.ports.anchors import Anchors
from gateway.ports.bus import Bus
from gateway.ports.chain import Chain
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.sealing import ActorSealing, SealingKeys
from gateway.ports.study_registry import TrialRegistries
from gateway.records.service import Records
from gateway.trials.allocation import Allocations
from gateway.trials.capturing import Capturing
from gateway.trials.consenting import Consenting
from gateway.trials.journal import Journal
from gateway.trials.keeping import Studies
from gateway.trials.leaving import Leaving
from gateway.trials.recruiting import Numbers, Recruiting
from gateway.trials.service import Trials
from gateway.trials.showing import Showing
from gateway.trials.sight import Sight
from gateway.trials.trail_file import Origin, TrailFiles
from gateway.wiring.trials import MERKLE


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRooms:
    """What a client meets."""

    trials: Trials
    allocations: Allocations
    capturing: Capturing
    showing: Showing
    recruiting: Recruiting
    leaving: Leaving
    trail_files: TrailFiles


def make_studies(
    *,
    index: Index,
    documents: Documents,
    anchors: Anchors,
    keys: SealingKeys,
    registries: TrialRegistries,
    audit: Audit,
    bus: Bus,
    clock: Clock,
) -> tuple[Journal, Studies]:
    """Before the corridors: they ask it."""
    journal = Journal(documents=documents, index=index, anchors=anchors, keys=keys)
    return journal, Studies(index=index, journal=journal, registries=registries, audit=audit, bus=bus, clock=clock)


def make_study_rooms(
    studies: Studies,
    journal: Journal,
    *,
    registries: TrialRegistries,
    identity: Identity,
    standings: Standings,
    grounds: Grounds,
    records: Records,
    numbers: Numbers,
    audit: Audit,
    index: Index,
    anchors: Anchors,
    own: ActorSealing,
    ring: KeyRing,
    bus: Bus,
    chain: Chain,
    clock: Clock,
    entropy: Entropy,
    origin: Origin,
) -> StudyRooms:
    consenting = Consenting(standings=standings, clock=clock)
    allocations = Allocations(
        studies=studies,
        journal=journal,
        registries=registries,
        consenting=consenting,
        sealing=own,
        audit=audit,
        chain=chain,
        merkle=MERKLE,
        clock=clock,
        entropy=entropy,
    )
    leaving = Leaving(studies=studies, index=index, keys=ring)
    trials = Trials(
        studies=studies,
        journal=journal,
        registries=registries,
        allocations=allocations,
        leaving=leaving,
        identity=identity,
        standings=standings,
        consenting=consenting,
        index=index,
        anchors=anchors,
        chain=chain,
        merkle=MERKLE,
        clock=clock,
        entropy=entropy,
    )
    sight = Sight(grounds)
    capturing = Capturing(studies=studies, journal=journal, sight=sight, records=records, clock=clock, entropy=entropy)
    showing = Showing(studies=studies, journal=journal, sight=sight, identity=identity, bus=bus, clock=clock)
    recruiting = Recruiting(
        studies=studies,
        journal=journal,
        records=records,
        identity=identity,
        standings=standings,
        numbers=numbers,
        index=index,
        clock=clock,
        entropy=entropy,
    )
    trail_files = TrailFiles(
        studies=studies,
        journal=journal,
        showing=showing,
        allocations=allocations,
        records=records,
        index=index,
        clock=clock,
        origin=origin,
    )
    return StudyRooms(
        trials=trials,
        allocations=allocations,
        capturing=capturing,
        showing=showing,
        recruiting=recruiting,
        leaving=leaving,
        trail_files=trail_files,
    )
