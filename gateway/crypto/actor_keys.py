"""What an actor said of themselves, sealed under their own key: small, in rows of the index."""

from collections.abc import Sequence

from gateway.crypto.keys import KeyRing
from gateway.crypto.model import actor_domain
from gateway.errors import IntegrityError
from gateway.ports.clock import Entropy


class ActorKeys:
    """Implements `gateway.ports.sealing.ActorSealing` over the key ring."""

    def __init__(self, ring: KeyRing, entropy: Entropy) -> None:
        self._ring = ring
        self._entropy = entropy

    async def seal(self, actor: bytes, plaintext: bytes, *, context: bytes) -> bytes:
        key = await self._ring.of(actor_domain(actor))
        return key.id + key.seal(plaintext, context=context, entropy=self._entropy)

    async def open(self, actor: bytes, sealed: bytes, *, context: bytes) -> bytes:
        key = await self._ring.by_id(sealed[:16])
        if key.domain != actor_domain(actor):
            raise IntegrityError("this is sealed under another key")
        return key.open(sealed[16:], context=context)

    async def places(
        self, actor: bytes, use: bytes, numbers: Sequence[int], *, make: bool = False
    ) -> tuple[bytes, ...]:
        domain = actor_domain(actor)
        key = await (self._ring.of(domain) if make else self._ring.existing(domain))
        return () if key is None else tuple(key.token(use, number.to_bytes(8, "big")) for number in numbers)
