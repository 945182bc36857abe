"""Whose keys were destroyed, so that what they sealed is no loss."""

from gateway.crypto.model import DomainKind
from gateway.wiring.looking import Looking


async def is_erased(parts: Looking, subject: bytes) -> bool:
    return (DomainKind.SUBJECT.value, subject) in set(await parts.store.destroyed())
