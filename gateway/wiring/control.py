"""Who controls a patient, put together: guardians, recoveries, handing over, and what is due by itself."""

from dataclasses import dataclass

from gateway.audit.service import Audit
from gateway.consent.collecting import Collecting
from gateway.consent.guardians import Guardianships
from gateway.consent.handover import Handover
from gateway.consent.hands import Hands
from gateway.consent.papers import Papers
from gateway.consent.recoveries import Recoveries
from gateway.consent.relaying import Relaying
from gateway.consent.standing import Standings
from gateway.consent.succession import Succession
from gateway.identity.service import Identity
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.wiring.chain import ChainPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The services, and what runs beside them."""

    guardianships: Guardianships
    recoveries: Recoveries
    handover: Handover
    succession: Succession


def make_control(
    *,
    identity: Identity,
    standings: Standings,
    audit: Audit,
    index: Index,
    documents: Documents,
    chain: ChainPort,
    bus: Bus,
    clock: Clock,
    entropy: Entropy,
    period_seconds: float,
) -> Control:
    """`period_seconds`: of the chain's blocks, 0 where they come on demand."""
    relaying = Relaying(
        identity=identity, standings=standings, audit=audit, chain=chain, documents=documents, bus=bus, clock=clock
    )
    hands = Hands(standings=standings, audit=audit, clock=clock)
    papers = Papers(index=index, documents=documents, standings=standings)
    collecting = Collecting(
        identity=identity,
        standings=standings,
        hands=hands,
        papers=papers,
        calls=chain,
        chain=chain,
        relaying=relaying,
        audit=audit,
        clock=clock,
    )
    succession = Succession(
        identity=identity,
        standings=standings,
        collecting=collecting,
        audit=audit,
        index=index,
        chain=chain,
        calls=chain,
        bus=bus,
        clock=clock,
        period_seconds=period_seconds,
    )
    return Control(
        guardianships=Guardianships(
            identity=identity,
            standings=standings,
            hands=hands,
            papers=papers,
            calls=chain,
            relaying=relaying,
            facts=chain.facts,
            entropy=entropy,
        ),
        recoveries=Recoveries(
            identity=identity,
            standings=standings,
            hands=hands,
            collecting=collecting,
            succession=succession,
            calls=chain,
            relaying=relaying,
            clock=clock,
        ),
        handover=Handover(identity=identity, standings=standings, hands=hands, calls=chain, relaying=relaying),
        succession=succession,
    )
