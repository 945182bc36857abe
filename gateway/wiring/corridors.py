"""The two corridors, put together: what reads and what writes stand on the same grounds, emergencies among them."""

from concurrent.futures import Executor
from dataclasses import dataclass

from gateway.audit.service import Audit
from gateway.consent.service import Consents
from gateway.consent.standing import Standings
from gateway.consent.studies import Studies
from gateway.consent.watching import Watching
from gateway.crypto.keys import KeyRing
from gateway.emergency.grounds import Grounds
from gateway.emergency.openings import Openings
from gateway.emergency.service import Emergencies
from gateway.identity.service import Identity
from gateway.ports.anchors import Anchors
from gateway.ports.bus import Bus
from gateway.ports.clock import Clock, Entropy
from gateway.ports.documents import Documents
from gateway.ports.fhir import FhirValidation
from gateway.ports.index import Index
from gateway.ports.sealing import SealingKeys
from gateway.records.admission import Admission
from gateway.records.arrivals import Arrivals
from gateway.records.contents import Contents
from gateway.records.explaining import Explaining
from gateway.records.opening import Opening
from gateway.records.pages import Pages
from gateway.records.reading import Reading
from gateway.records.references import References
from gateway.records.service import Records
from gateway.records.uploads import Uploads, UploadTerms
from gateway.records.writing import Writing
from gateway.settings import Settings
from gateway.storage.service import Blocks
from gateway.wiring.chain import ChainPort
from gateway.wiring.emergencies import make_emergencies
from gateway.wiring.parts import labelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridors:
    """What stands on the same grounds."""

    records: Records
    explaining: Explaining
    contents: Contents
    uploads: Uploads
    emergencies: Emergencies
    grounds: Grounds


def make_corridors(
    settings: Settings,
    *,
    identity: Identity,
    consents: Consents,
    standings: Standings,
    audit: Audit,
    index: Index,
    opening: Opening,
    blocks: Blocks,
    documents: Documents,
    keys: KeyRing,
    sealing: SealingKeys,
    anchors: Anchors,
    validation: FhirValidation,
    bus: Bus,
    clock: Clock,
    entropy: Entropy,
    chain: ChainPort,
    threads: Executor,
    studies: Studies,
) -> Corridors:
    openings = Openings(index=index, documents=documents, audit=audit, keys=sealing, clock=clock)
    grounds = Grounds(standings=standings, openings=openings, studies=studies)
    reading = Reading(
        identity=identity,
        standings=standings,
        grounds=grounds,
        audit=audit,
        index=index,
        opening=opening,
        anchors=anchors,
        clock=clock,
        deployment=chain.facts,
    )
    pages = Pages(reading=reading, audit=audit, index=index, opening=opening, anchors=anchors)
    arrivals = Arrivals(
        reading=reading,
        identity=identity,
        standings=standings,
        grounds=grounds,
        index=index,
        watching=Watching(bus=bus, index=index),
        clock=clock,
    )
    admission = Admission(standings=standings, grounds=grounds, audit=audit, index=index, opening=opening, clock=clock)
    writing = Writing(
        identity=identity,
        standings=standings,
        admission=admission,
        audit=audit,
        index=index,
        opening=opening,
        blocks=blocks,
        keys=keys,
        anchors=anchors,
        most_waiting=settings.most_waiting,
        validation=validation,
        label=labelling(),
        bus=bus,
        clock=clock,
        entropy=entropy,
    )
    emergencies = make_emergencies(
        settings,
        identity=identity,
        standings=standings,
        openings=openings,
        audit=audit,
        index=index,
        chain=chain,
        documents=documents,
        keys=sealing,
        bus=bus,
        clock=clock,
        entropy=entropy,
    )
    explaining = Explaining(
        reading=reading,
        identity=identity,
        consents=consents,
        standings=standings,
        audit=audit,
        index=index,
        opening=opening,
        clock=clock,
    )
    references = References(reading=reading, audit=audit, index=index, opening=opening, anchors=anchors)
    contents = Contents(
        identity=identity,
        standings=standings,
        reading=reading,
        audit=audit,
        blocks=blocks,
        keys=keys,
        clock=clock,
        threads=threads,
    )
    uploads = Uploads(
        identity=identity,
        standings=standings,
        admission=admission,
        writing=writing,
        audit=audit,
        index=index,
        blocks=blocks,
        keys=keys,
        clock=clock,
        entropy=entropy,
        terms=UploadTerms(
            largest=settings.max_content_mib << 20,
            each=settings.uploads_each,
            together=settings.uploads_gib << 30,
            keep_seconds=settings.upload_hours * 3600,
        ),
        threads=threads,
    )
    records = Records(reading=reading, pages=pages, references=references, arrivals=arrivals, writing=writing)
    return Corridors(
        records=records,
        explaining=explaining,
        contents=contents,
        uploads=uploads,
        emergencies=emergencies,
        grounds=grounds,
    )
