"""The audit's keys: everything that an entry holds is sealed, and a token finds a patient's own entries."""

from gateway.crypto.keys import DomainKey, KeyRing
from gateway.crypto.model import DomainKind, audit_domain
from gateway.errors import IntegrityError
from gateway.ports.clock import Entropy

_PUBLIC = b"audit/public"
_LOG = b"access-log"


class AuditKeys:
    """Implements `gateway.ports.sealing.SealingKeys` over the key ring."""

    def __init__(self, ring: KeyRing, entropy: Entropy) -> None:
        self._ring = ring
        self._entropy = entropy

    def seal_public(self, plaintext: bytes) -> bytes:
        return self._ring.log.seal(plaintext, context=_PUBLIC, entropy=self._entropy)

    def open_public(self, sealed: bytes) -> bytes:
        return self._ring.log.open(sealed, context=_PUBLIC)

    async def seal_private(
        self, subject: bytes | None, plaintext: bytes, *, context: bytes, like: bytes | None = None
    ) -> tuple[bytes, bytes]:
        """`like`: a subject whose key is looked up where there is none, so that both cost the same."""
        if subject is None:
            key = self._ring.log
            other = None if like is None else audit_domain(like)
            stands = None if other is None else self._ring.held_of(other) or await self._ring.existing(other)
            (stands or key).token(_LOG)
            token = b""
        else:
            domain = audit_domain(subject)
            key = self._ring.held_of(domain) or await self._ring.of(domain)
            token = key.token(_LOG)
        return key.id + key.seal(plaintext, context=context, entropy=self._entropy), token

    async def open_private(self, subject: bytes, sealed: bytes, *, context: bytes) -> bytes:
        key: DomainKey = await self._ring.by_id(sealed[:16])
        if key.domain != audit_domain(subject):
            raise IntegrityError("an audit entry is sealed under another key")
        return key.open(sealed[16:], context=context)

    async def subject_of(self, sealed: bytes) -> bytes | None:
        try:
            key = await self._ring.by_id(sealed[:16])
        except IntegrityError:
            return None
        return key.domain.name if key.domain.kind == DomainKind.AUDIT.value else None

    async def subject_token(self, subject: bytes) -> bytes | None:
        await self._ring.refresh()  # entries of another process may be sealed under a newer log key
        key = await self._ring.existing(audit_domain(subject))
        return None if key is None else key.token(_LOG)

    def mark(self, *parts: bytes) -> bytes:
        return self._ring.log.token(*parts)

    def hide(self, number: int, *, context: bytes) -> str:
        return self._ring.log.hide(number, context=context)

    def reveal(self, text: str, *, context: bytes) -> int:
        return self._ring.log.reveal(text, context=context)
