"""What the notary asks of its database, one transaction at a time. Two databases answer: `sqlite` and `postgres`."""

from collections.abc import Sequence
from typing import Protocol

from gateway.adapters.sql.statements import Parameters, Plan


class StoreError(Exception):
    """The database refuses or is gone; the open transaction is lost or in doubt. Names the kind, never a value."""


class StoreBusyError(StoreError):
    """Another writer was in the way (deadlock): nothing was written, the same again may succeed."""


class FencedError(StoreError):
    """A newer life of this instance exists: this one must end."""


class RowTakenError(Exception):
    """A key of this table is taken; the transaction stands as before the rows."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


class RowRefusedError(Exception):
    """The database will not take these rows at all; the transaction stands as before them."""


class Store(Protocol):
    """`begin`, any number of `rows`, then `finish` or `rollback`. StoreError at any step."""

    def claim(self, instance: bytes, writer: bytes, *, now: int, patience: float) -> bytes:
        """Starts a life that no other of the instance overlaps; waits up to `patience` seconds for the last to end.
        Returns the hash of the instance's newest entry (zeros: none)."""
        ...

    def begin(self, names: Sequence[bytes], *, exclusive: bool) -> dict[bytes, int]:
        """Opens the transaction; the versions of `names` (sorted) hold until it ends: nobody else moves them, nor,
        with `exclusive`, stands on them."""
        ...

    def rows(self, plan: Plan, *, fallible: bool) -> None:
        """RowTakenError or RowRefusedError undo this plan alone (only where `fallible`)."""
        ...

    def finish(self, entries: Sequence[Parameters], tickets: Sequence[Parameters]) -> None:
        """Inserts both and commits: durable on return."""
        ...

    def rollback(self) -> None:
        """Ends an open transaction, if any. Never raises."""
        ...

    def last(self, writer: bytes) -> tuple[int, bytes] | None:
        """(seq, hash) of the writer's newest entry."""
        ...

    def probe(self, writer: bytes) -> None:
        """Makes one small change durable."""
        ...

    def close(self) -> None: ...
