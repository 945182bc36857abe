"""What people do with a patient's consents, put together: all of it stands on the same standings and goes one way."""

from dataclasses import dataclass

from gateway.audit.service import Audit
from gateway.consent.access_log import AccessLog
from gateway.consent.credentials import Credentials
from gateway.consent.delegates import Delegates
from gateway.consent.hands import Hands
from gateway.consent.listing import Listings
from gateway.consent.mine import Mine
from gateway.consent.papers import Papers
from gateway.consent.publishing import ConsentForms
from gateway.consent.relaying import Relaying
from gateway.consent.requesting import ConsentRequests
from gateway.consent.service import Consents
from gateway.consent.showing import ShownConsents
from gateway.consent.standing import Standings
from gateway.identity.service import Identity
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.index import Index
from gateway.ports.sealing import ActorSealing, RequestSealing, SealingKeys
from gateway.settings import Settings
from gateway.wiring.chain import ChainPort


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRooms:
    """One of each."""

    consents: Consents
    shown: ShownConsents
    credentials: Credentials
    delegates: Delegates
    requests: ConsentRequests
    forms: ConsentForms
    access_log: AccessLog
    mine: Mine
    listings: Listings


def make_consents(
    settings: Settings,
    *,
    identity: Identity,
    standings: Standings,
    audit: Audit,
    index: Index,
    documents: Documents,
    keys: SealingKeys,
    sealing: RequestSealing,
    own: ActorSealing,
    bus: Bus,
    clock: Clock,
    entropy: Entropy,
    chain: ChainPort,
) -> ConsentRooms:
    relaying = Relaying(
        identity=identity, standings=standings, audit=audit, chain=chain, documents=documents, bus=bus, clock=clock
    )
    hands = Hands(standings=standings, audit=audit, clock=clock)
    listings = Listings(index=index, documents=documents, sealing=own, keys=keys, domain=standings.domain)
    consents = Consents(
        identity=identity,
        standings=standings,
        hands=hands,
        index=index,
        chain=chain,
        calls=chain,
        documents=documents,
        relaying=relaying,
        listings=listings,
        bus=bus,
        clock=clock,
        entropy=entropy,
    )
    delegates = Delegates(
        identity=identity,
        standings=standings,
        hands=hands,
        chain=chain,
        calls=chain,
        documents=documents,
        relaying=relaying,
        clock=clock,
        entropy=entropy,
    )
    requests = ConsentRequests(
        identity=identity,
        standings=standings,
        hands=hands,
        consents=consents,
        relaying=relaying,
        audit=audit,
        index=index,
        keys=keys,
        sealing=sealing,
        bus=bus,
        clock=clock,
        entropy=entropy,
        each=settings.requests_per_asker,
    )
    return ConsentRooms(
        requests=requests,
        forms=ConsentForms(
            identity=identity,
            audit=audit,
            index=index,
            documents=documents,
            keys=keys,
            clock=clock,
            entropy=entropy,
        ),
        consents=consents,
        shown=ShownConsents(identity=identity, standings=standings, audit=audit, index=index, bus=bus, clock=clock),
        credentials=Credentials(identity=identity, standings=standings, hands=hands, calls=chain, relaying=relaying),
        delegates=delegates,
        access_log=AccessLog(identity=identity, audit=audit, standings=standings, clock=clock),
        mine=Mine(
            identity=identity,
            standings=standings,
            listings=listings,
            papers=Papers(index=index, documents=documents, standings=standings),
            audit=audit,
            index=index,
            keys=keys,
            clock=clock,
        ),
        listings=listings,
    )
