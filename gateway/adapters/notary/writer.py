"""The order that makes receipts true: guards, rows, chain, commit, signature. One transaction a group.

An append whose guard no longer holds, or whose key is taken, writes nothing and disturbs no other. When the database
fails, nothing of the group is answered as written, and the place in the chain is read again before the next.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anchoring.merkle import hash_leaf
from anchoring.model import LEAF_ENCODING, LogKind
from anchoring.stores.columns import join_values
from gateway.adapters.notary.store import (
    FencedError,
    RowRefusedError,
    RowTakenError,
    Store,
    StoreBusyError,
    StoreError,
)
from gateway.adapters.notary.wire import Able, Answer, Append, Failed, KeyTaken, Outdated, Probe, Request, Written
from gateway.adapters.sql.statements import BUMP, RECORD, Parameters
from gateway.audit.rules import complete_receipt, entry_hash

_TRIES = 4
_LEAF = LEAF_ENCODING[LogKind.AUDIT]


class Writer:
    """One life of the notary. `sign`: Ed25519 of a receipt's octets (64 bytes)."""

    def __init__(
        self, store: Store, *, writer: bytes, previous: bytes, audit_log: bytes, sign: Callable[[bytes], bytes]
    ) -> None:
        self._store = store
        self._writer = writer
        self._first_previous = previous
        self._audit_log = audit_log
        self._sign = sign
        self._seq = 0
        self._hash = previous
        self._lost = False

    def write(self, group: Sequence[Request]) -> list[Answer]:
        """One answer for each request, in order. Raises FencedError when this life must end."""
        appends = [request for request in group if isinstance(request, Append)]
        written = iter(self._write(appends) if appends else ())
        return [self._probe() if isinstance(request, Probe) else next(written) for request in group]

    def _write(self, appends: Sequence[Append]) -> Sequence[Answer]:
        message = ""
        for _ in range(_TRIES):
            try:
                if self._lost:
                    self._find_place()
                return _Group(self, appends).write()
            except FencedError:
                raise
            except StoreError as error:
                self._store.rollback()
                self._lost = True
                message = str(error)
                if not isinstance(error, StoreBusyError):
                    break
        return [Failed(message)] * len(appends)

    def _find_place(self) -> None:
        """After a failed commit: it may have happened all the same."""
        self._seq, self._hash = self._store.last(self._writer) or (0, self._first_previous)
        self._lost = False

    def _probe(self) -> Answer:
        try:
            self._store.probe(self._writer)
        except FencedError:
            raise
        except StoreError as error:
            return Failed(str(error))
        return Able()

    def commit(self, prepared: Sequence["Prepared"]) -> list[Answer]:
        """Makes them durable, moves on and only then signs: a signature proves durability."""
        self._store.finish([each.entry for each in prepared], [each.ticket for each in prepared])
        self._seq, self._hash = prepared[-1].place
        return [Written(*each.place, self._sign(each.receipt) if each.receipt else b"") for each in prepared]

    @property
    def store(self) -> Store:
        return self._store

    @property
    def place(self) -> tuple[int, bytes]:
        """(seq, hash) of the newest entry."""
        return self._seq, self._hash

    def prepare(self, append: Append, place: tuple[int, bytes]) -> "Prepared":
        """What comes after `place`. Raises ValueError for a receipt that is no object."""
        seq, previous = place[0] + 1, place[1]
        receipt = complete_receipt(append.receipt, writer=self._writer, seq=seq)
        digest = hashlib.sha256(receipt).digest()
        own = entry_hash(
            previous=previous,
            writer=self._writer,
            seq=seq,
            decision=append.decision,
            public=append.public,
            private=append.private,
            subject_token=append.subject_token,
            receipt_digest=digest,
        )
        sealed = (append.public, append.private, append.subject_token)
        values = (self._writer, seq.to_bytes(8, "big"), own)
        return Prepared(
            place=(seq, own),
            entry=(self._writer, seq, append.decision, previous, own, *sealed, digest),
            ticket=(self._audit_log, hash_leaf(_LEAF, values), join_values(values), b"", b""),
            receipt=receipt,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry that awaits its commit. `place`: its (seq, hash); `entry`, `ticket`: rows; `receipt`: completed."""

    place: tuple[int, bytes]
    entry: Parameters
    ticket: Parameters
    receipt: bytes


class _Group:
    """The appends of one transaction, taken in order."""

    def __init__(self, writer: Writer, appends: Sequence[Append]) -> None:
        self._writer = writer
        self._appends = appends
        self._place = writer.place
        self._prepared: list[Prepared] = []

    def write(self) -> list[Answer]:
        names = sorted({name for append in self._appends for name in _names_of(append)})
        versions = self._writer.store.begin(names, exclusive=any(append.plan for append in self._appends))
        refusals = [self._take(append, versions) for append in self._appends]
        if self._prepared:
            written = iter(self._writer.commit(self._prepared))
        else:
            self._writer.store.rollback()
            written = iter(())
        return [next(written) if refusal is None else refusal for refusal in refusals]

    def _take(self, append: Append, versions: dict[bytes, int]) -> Answer | None:
        """None: it is in the transaction."""
        for name, version in append.guards:
            if versions.get(name) != version:
                return Outdated(name)
        try:
            prepared = self._writer.prepare(append, self._place)
            if append.plan:
                self._writer.store.rows(append.plan, fallible=any(number != BUMP for number, _ in append.plan))
        except ValueError:
            return Failed("the entry is not well formed")
        except RowTakenError as taken:
            return KeyTaken(taken.table)
        except RowRefusedError as refused:
            return Failed(f"the database refuses the rows ({refused})")
        for name in _column(append, BUMP, 0):
            versions[name] += 1
        self._prepared.append(prepared)
        self._place = prepared.place
        return None


def _names_of(append: Append) -> list[bytes]:
    """Guarded and moved names; and patients who get a record, so that their pages fill in the order of `seq`."""
    guarded = [name for name, _ in append.guards]
    return [*guarded, *_column(append, BUMP, 0), *_column(append, RECORD, 1)] if append.plan else guarded


def _column(append: Append, statement: int, column: int) -> list[bytes]:
    """The names that a statement's rows have in one column."""
    values = [row[column] for number, rows in append.plan if number == statement for row in rows]
    return [value for value in values if isinstance(value, bytes)]
