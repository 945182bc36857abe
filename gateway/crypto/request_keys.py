"""Requests for consent, sealed in rows of the index: under the patient's own key, which an erasure destroys."""

from gateway.crypto.keys import KeyRing
from gateway.crypto.model import actor_domain, subject_domain
from gateway.errors import IntegrityError
from gateway.ports.clock import Entropy


class RequestKeys:
    """Implements `gateway.ports.sealing.RequestSealing` over the key ring."""

    def __init__(self, ring: KeyRing, entropy: Entropy) -> None:
        self._ring = ring
        self._entropy = entropy

    async def seal(
        self, subject: bytes | None, asker: bytes, plaintext: bytes, *, context: bytes, like: bytes | None
    ) -> bytes:
        """Both keys are looked up, whichever is used."""
        own = await self._ring.of(actor_domain(asker))
        if subject is not None:
            key = await self._ring.of(subject_domain(subject))
        else:
            key = own
            if like is not None:
                await self._ring.existing(subject_domain(like))
        return key.id + key.seal(plaintext, context=context, entropy=self._entropy)

    async def open(self, sealed: bytes, *, context: bytes) -> tuple[bytes, bytes] | None:
        try:
            key = await self._ring.by_id(sealed[:16])
        except IntegrityError:
            return None
        return key.domain.name, key.open(sealed[16:], context=context)
