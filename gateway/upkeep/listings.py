"""Whose lists the restored consents and guardians' papers are in: as a gateway lists what nobody listed yet."""

import contextlib

from gateway import eip712
from gateway.consent.listing import Listings
from gateway.crypto.actor_keys import ActorKeys
from gateway.crypto.audit_keys import AuditKeys
from gateway.errors import UpstreamError
from gateway.ports.clock import SystemEntropy
from gateway.storage.documents import SealedDocuments
from gateway.wiring.upkeep import Upkeep


async def restore_listings(parts: Upkeep) -> None:
    """Consents and papers must be back already. The same keys give the same places; what cannot be fetched now, a
    gateway lists."""
    entropy, facts = SystemEntropy(), parts.port.facts
    listings = Listings(
        index=parts.index,
        documents=SealedDocuments(blocks=parts.blocks, keys=parts.keys, entropy=entropy),
        sealing=ActorKeys(parts.keys, entropy),
        keys=AuditKeys(parts.keys, entropy),
        domain=eip712.domain(chain_id=facts.chain_id, contract=facts.consent_registry),
    )
    with contextlib.suppress(UpstreamError):
        await listings.catch_up()
