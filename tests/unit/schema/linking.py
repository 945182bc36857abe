"""Linked identities behind the schema: one of whoever asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import DeniedError
from gateway.identity.model import Caller, Draft, LinkedIdentity

LINKED = LinkedIdentity(
    name=b"\x91" * 16, issuer="https://idp.example", subject="alice", not_after=2_000_000_000, holds=True
)


@dataclass
class Linking:
    """`calls` holds (method, caller)."""

    calls: list[tuple[str, Caller | None]] = field(default_factory=list)

    async def draft_link(self, caller: Caller, *, token: str) -> Draft:
        self.calls.append(("draft_link", caller))
        return Draft(id=b"\x92" * 32, typed_data={"primaryType": "IdentityLink"})

    async def link(
        self, caller: Caller, *, typed_data: Mapping[str, Any], signature: bytes, token: str
    ) -> LinkedIdentity:
        self.calls.append(("link", caller))
        return LINKED

    async def unlink(self, caller: Caller, name: bytes) -> LinkedIdentity:
        self.calls.append(("unlink", caller))
        if name != LINKED.name:
            raise DeniedError("no such identity of the caller")
        return LINKED

    async def linked(self, caller: Caller) -> tuple[LinkedIdentity, ...]:
        self.calls.append(("linked", caller))
        return (LINKED,)
