"""Break-glass, put together: bounds from the settings, one service for those who open, see and review."""

from gateway.audit.service import Audit
from gateway.consent.standing import Standings
from gateway.emergency.model import Bounds
from gateway.emergency.openings import Openings
from gateway.emergency.service import Emergencies
from gateway.emergency.showing import Showing
from gateway.identity.service import Identity
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.sealing import SealingKeys
from gateway.settings import Settings
from gateway.wiring.chain import ChainPort


def make_emergencies(
    settings: Settings,
    *,
    identity: Identity,
    standings: Standings,
    openings: Openings,
    audit: Audit,
    index: Index,
    chain: ChainPort,
    documents: Documents,
    keys: SealingKeys,
    bus: Bus,
    clock: Clock,
    entropy: Entropy,
) -> Emergencies:
    bounds = Bounds(
        minutes=settings.emergency_minutes,
        for_clinician=settings.emergencies_per_clinician,
        for_organization=settings.emergencies_per_organization,
        reviewers=frozenset(bytes.fromhex(address[2:]) for address in settings.emergency_reviewers),
    )
    showing = Showing(
        identity=identity,
        standings=standings,
        openings=openings,
        audit=audit,
        index=index,
        keys=keys,
        bus=bus,
        clock=clock,
        bounds=bounds,
    )
    return Emergencies(
        identity=identity,
        standings=standings,
        openings=openings,
        showing=showing,
        audit=audit,
        index=index,
        chain=chain,
        calls=chain,
        documents=documents,
        keys=keys,
        bus=bus,
        clock=clock,
        entropy=entropy,
        bounds=bounds,
    )
