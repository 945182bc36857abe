"""The ledger: the one durable writer of decisions. What it has acknowledged survives `kill -9` and power loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.ports.rows import EntryRow, Guard, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The entry is durable. `signature`: Ed25519 over `receipt` (both empty when there was nothing to sign)."""

    writer: bytes
    seq: int
    entry_hash: bytes
    receipt: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A guard no longer held: nothing was written. The caller gathers anew and decides again."""

    name: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A row's key is taken (record version, idempotency key, consent, challenge): nothing was written."""

    table: str


class Ledger(Protocol):
    """Entry, rows and guards in one transaction: all or nothing, in the order of the calls."""

    @property
    def receipt_key(self) -> bytes:
        """The raw Ed25519 public key (32 bytes) of the receipts."""
        ...

    async def append(
        self, entry: EntryRow, *, guards: Sequence[Guard], rows: Sequence[Row] = ()
    ) -> Appended | Stale | Taken:
        """Durable on return. Guards are compared inside the transaction. Raises UpstreamError when the writer is
        gone or the disk refuses: then the outcome is in doubt and nothing may be released."""
        ...

    async def append_each(self, entries: Sequence[tuple[EntryRow, Sequence[Guard]]]) -> list[Appended | Stale | Taken]:
        """As `append` of each, in their order, without rows: each by itself is written or not."""
        ...

    async def check(self) -> None:
        """Raises UpstreamError when nothing can be appended."""
        ...

    async def close(self) -> None: ...
