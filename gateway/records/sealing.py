"""Versions on their way to IPFS: sealed under their permits, and the rows that will acknowledge them. Pure but for the
randomness that is handed in."""

from collections.abc import Sequence

from gateway.consent.model import Permit
from gateway.crypto import envelope
from gateway.crypto.keys import DomainKey
from gateway.crypto.model import RecordFacts
from gateway.ids import RecordId
from gateway.ports.anchors import Anchors
from gateway.ports.clock import Entropy
from gateway.ports.rows import RecordRow, TicketRow
from gateway.records.incoming import SealedVersion, StoredVersion, Target, ValidResource
from gateway.records.opening import leaf_values, search_tokens
from gateway.storage.model import Cid, Codec


def seal_versions(
    permits: Sequence[Permit],
    drafts: Sequence[RecordFacts],
    valid: Sequence[ValidResource],
    *,
    records: Sequence[RecordId],
    target: Target,
    key: DomainKey,
    log: DomainKey,
    entropy: Entropy,
) -> list[SealedVersion]:
    """Each under its own permit; IntegrityError for a permit that is not for it."""
    return [
        SealedVersion(
            record=record,
            version=target.version,
            facts=facts,
            sealed=envelope.seal_record(
                permit,
                facts=facts,
                content=one.octets,
                record=record,
                version=target.version,
                key=key,
                log=log,
                entropy=entropy,
            ),
        )
        for permit, facts, one, record in zip(permits, drafts, valid, records, strict=True)
    ]


def rows_of(one: SealedVersion, cid: Cid, key: DomainKey, anchors: Anchors) -> StoredVersion:
    """Of a version whose block is durable under `cid`."""
    row = RecordRow(
        record=one.record,
        version=one.version,
        subject=one.facts.subject,
        digest=cid.digest,
        tokens=search_tokens(key, one.facts),
        tree=cid.codec is Codec.DAG_PB,
    )
    values = leaf_values(row, one.facts.content_commitment, one.sealed.facts_commitment)
    ticket = TicketRow(
        log=anchors.records_log,
        leaf=anchors.leaf(values, kind="records"),
        values=values,
        cid_digest=bytes(cid) if row.tree else cid.digest,
        locator=one.sealed.locator,
    )
    return StoredVersion(row=row, ticket=ticket)
