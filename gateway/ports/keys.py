"""Keys at rest: a store of wrapped keys apart from the index, and a vault that alone holds the root."""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochKey:
    """The standing epoch key, wrapped by the vault's root. `revision` goes up with each change of any key that another
    process may hold: a new root, epoch or version, a destroyed domain. What was kept at an earlier one is read anew."""

    epoch: bytes
    wrapped: bytes
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Nothing was written: the epoch key that the writer held no longer stands, or the keys under it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """Nothing was written: this domain's keys were destroyed, and it never gets others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A new epoch key in place of `before`: `rewrapped` gives each remaining key by its id, `dropped` the domains
    (kind, name) whose keys are destroyed with the old one."""

    before: bytes
    epoch: bytes
    wrapped: bytes
    rewrapped: Mapping[bytes, bytes]
    dropped: Sequence[tuple[int, bytes]] = ()


class KeyStore(Protocol):
    """Durable on return; never part of an index dump. Foreign failures: UpstreamError."""

    async def epoch(self) -> EpochKey | None:
        """The standing epoch key; None before the first start."""
        ...

    async def add_epoch(self, epoch: bytes, wrapped: bytes) -> EpochKey:
        """Sets the first epoch key; returns the one that stands."""
        ...

    async def rewrap_epoch(self, standing: EpochKey, wrapped: bytes) -> bool:
        """The same epoch key under another root. False, and nothing is written, where `standing` does not stand."""
        ...

    async def turn(self, turn: Turn) -> bool:
        """All of a turn in one transaction, or nothing (False) where `before` does not stand or the keys are not just
        those that it names. On return no page of the store holds what was dropped or wrapped before."""
        ...

    async def newest(self, kind: int, name: bytes) -> WrappedKey | None:
        """The key for new seals of a domain."""
        ...

    async def newest_of(self, domains: Sequence[tuple[int, bytes]]) -> Sequence[WrappedKey]:
        """As `newest`, of each (kind, name) that has one, by one question."""
        ...

    async def version(self, kind: int, name: bytes, version: int) -> WrappedKey | None: ...

    async def by_id(self, key_id: bytes) -> WrappedKey | None: ...

    async def add(self, key: WrappedKey) -> WrappedKey | Moved | Destroyed:
        """Adds a version, if the epoch key that wraps it stands in this very transaction. Where (kind, name, version)
        stands already, returns that one."""
        ...

    async def all(self) -> Sequence[WrappedKey]:
        """Every key, for a turn."""
        ...

    async def domains(self, kind: int) -> Sequence[bytes]:
        """Names of all domains of a kind."""
        ...

    async def within(self, kind: int, start: bytes) -> Sequence[bytes]:
        """Names of the domains of a kind that begin so, in order. `start`: 32 octets."""
        ...

    async def destroyed(self) -> Sequence[tuple[int, bytes]]:
        """The domains (kind, name) whose keys were destroyed."""
        ...

    async def check(self) -> None: ...

    async def close(self) -> None: ...


class Vault(Protocol):
    """Wraps and unwraps the epoch key. The root never leaves it."""

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """`context` (the epoch's id) must be given again to unwrap."""
        ...

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """IntegrityError when it was not wrapped by this root in this context; UpstreamError when the vault is away or
        sealed, saying what to do."""
        ...

    async def check(self) -> None:
        """UpstreamError when the vault is away or sealed."""
        ...

    async def close(self) -> None: ...
