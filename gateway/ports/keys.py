"""Keys at rest: a store of wrapped keys apart from the index, and a vault that alone holds the root."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """One version of a domain's key, wrapped (RFC 3394, 40 bytes) by the epoch key `epoch`."""

    key_id: bytes
    kind: int
    name: bytes
    version: int
    epoch: bytes
    wrapped: bytes


class KeyStore(Protocol):
    """Durable on return; never part of an index dump. Foreign failures: UpstreamError."""

    async def epoch(self) -> tuple[bytes, bytes] | None:
        """The present epoch key: (id, wrapped by the vault's root)."""
        ...

    async def add_epoch(self, epoch: bytes, wrapped: bytes) -> tuple[bytes, bytes]:
        """Sets the first epoch key; returns the one that stands."""
        ...

    async def newest(self, kind: int, name: bytes) -> WrappedKey | None:
        """The key for new seals of a domain."""
        ...

    async def by_id(self, key_id: bytes) -> WrappedKey | None: ...

    async def add(self, key: WrappedKey) -> WrappedKey:
        """Adds a version; where (kind, name, version) stands already, returns that one."""
        ...

    async def domains(self, kind: int) -> Sequence[bytes]:
        """Names of all domains of a kind."""
        ...

    async def check(self) -> None: ...

    async def close(self) -> None: ...


class Vault(Protocol):
    """Wraps and unwraps the epoch key. The root never leaves it."""

    async def wrap(self, key: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes) -> bytes:
        """IntegrityError when it was not wrapped by this root; UpstreamError when the vault is away or sealed."""
        ...

    async def check(self) -> None: ...
