"""Names whose versions move when somebody's standing, or what they have in hand, is another from then on."""

import hashlib

from gateway.ports.rows import Bump

ENDINGS = hashlib.sha256(b"consentry/sessions/ended").digest()
"""The name whose version moves whenever a session ends, anybody's: by it each replica hears of it."""

LINK_ENDINGS = hashlib.sha256(b"consentry/identities/ended").digest()
"""As ENDINGS: moves whenever a linked identity, or what its tokens were good for, ends."""


def moved(*names: bytes) -> tuple[Bump, ...]:
    """Moves these names' versions, in the one order in which no two writers wait for each other."""
    return tuple(Bump(name=name) for name in sorted(set(names)))


def all_ended(actor: bytes, *others: bytes) -> tuple[Bump, ...]:
    """What moves where every session of an actor ends, and with them every bearer token."""
    return moved(actor, ENDINGS, LINK_ENDINGS, *others)
