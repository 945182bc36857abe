"""Signed documents and profiles, sealed as blocks and pinned before anything relies on them."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """`typed_data` RFC 8785 text of EIP-712 JSON; `signature` as given."""

    typed_data: bytes
    signature: bytes


class Documents(Protocol):
    """Durable and pinned on return; named by the SHA-256 in their CID. IntegrityError, UpstreamError."""

    async def put_signed(self, subject: bytes, document: SignedDocument) -> bytes: ...

    async def signed(self, subject: bytes, digest: bytes) -> SignedDocument: ...

    async def put_profile(
        self, actor: bytes, *, name: str, encryption_key: bytes, encryption_key_signature: bytes
    ) -> bytes: ...

    async def profile_name(self, actor: bytes, digest: bytes) -> str: ...
