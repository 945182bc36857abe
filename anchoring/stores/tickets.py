"""Tickets and batches. A cut is one transaction: the batch, each of its tickets, and the call that will anchor it.

A batch's root, manifest and call never change once written, so whatever was broadcast can be sent again byte for byte.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from anchoring.batcher import Cut
from anchoring.model import Batch, BatchState, Call, CallState, Ticket
from anchoring.stores.columns import decode_args, split_values
from anchoring.stores.database import MANY, AnyRow, Database
from anchoring.stores.tables import batches, calls, chain_events, tickets

T = TypeVar("T")
_OPEN = (BatchState.BATCHED, BatchState.SUBMITTED)


class _Taken(Exception):
    """A ticket has a batch already: undo the transaction."""


class SqlTickets:
    """`anchoring.ports.TicketStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, *, limit: int) -> tuple[Ticket, ...]:
        def work(connection: Connection) -> tuple[Ticket, ...]:
            queued = tickets.c.batch.is_(None)
            found: list[Ticket] = []
            for log in connection.execute(select(tickets.c.log).where(queued).distinct()).scalars():
                query = select(tickets).where(queued, tickets.c.log == log).order_by(tickets.c.seq).limit(limit)
                found.extend(_ticket(row) for row in connection.execute(query))
            return tuple(found)

        return await self._database.reread(("waiting", limit), work)

    async def count_waiting(self) -> int:
        queued = select(func.count()).select_from(tickets).where(tickets.c.batch.is_(None))
        cut = select(func.coalesce(func.sum(batches.c.count), 0)).where(batches.c.state.in_(_OPEN))
        return await self._database.read(
            lambda connection: int(connection.execute(queued).scalar_one()) + int(connection.execute(cut).scalar_one())
        )

    async def write_cut(self, cut: Cut, *, manifest_cid: str, call: Call, now: int) -> bool:
        """COMMIT POINT. A crash before: the tickets wait as they did (the manifest that was put names nothing that is
        lost, and the same tickets make the same bytes again). After: the batch is fixed, and its call will be sent."""

        def work(connection: Connection) -> None:
            _intend(connection, call, now)
            batch = connection.execute(
                insert(batches)
                .values(
                    log=cut.log,
                    root=cut.root,
                    manifest_digest=cut.manifest_digest,
                    manifest_cid=manifest_cid,
                    count=len(cut.tickets),
                    state=BatchState.BATCHED,
                    call=call.call,
                    created_at=now,
                )
                .returning(batches.c.id)
            ).scalar_one()
            for part in _parts([ticket.seq for ticket in cut.tickets]):
                free = and_(tickets.c.seq.in_(part), tickets.c.batch.is_(None))
                if connection.execute(update(tickets).where(free).values(batch=batch)).rowcount != len(part):
                    raise _Taken
            # A segment was written as the batch closed, and its first ticket names it; other tickets had theirs before.
            first = cut.tickets[0]
            named = {"cid_digest": first.cid_digest, "locator": first.locator}
            connection.execute(update(tickets).where(tickets.c.seq == first.seq).values(**named))

        try:
            await self._database.write(work)
        except (_Taken, IntegrityError):
            return False
        return True

    async def settle(self, *, head: int, finality: int) -> int:
        def work(connection: Connection) -> int:
            under_way = select(calls.c.call).where(calls.c.state.in_((CallState.SENT, CallState.LANDED)))
            moved = connection.execute(
                update(batches)
                .where(batches.c.state == BatchState.BATCHED, batches.c.call.in_(under_way))
                .values(state=BatchState.SUBMITTED)
            ).rowcount
            for batch, event in _anchored(connection):
                values = {"block_number": event.block_number, "block_hash": event.block_hash}
                here = update(batches).where(batches.c.id == batch)
                connection.execute(here.values(state=BatchState.ANCHORED, transaction=event.transaction, **values))
                moved += 1
            deep = and_(batches.c.state == BatchState.ANCHORED, batches.c.block_number <= head - finality)
            return moved + connection.execute(update(batches).where(deep).values(state=BatchState.FINAL)).rowcount

        def unsettled(connection: Connection) -> bool:
            query = select(batches.c.id).where(batches.c.state.in_((*_OPEN, BatchState.ANCHORED))).limit(1)
            return connection.execute(query).first() is not None

        if not await self._database.reread("unsettled", unsettled):
            return 0
        return await self._database.write(work)

    async def refused(self) -> tuple[tuple[Batch, str], ...]:
        def work(connection: Connection) -> tuple[tuple[Batch, str], ...]:
            query = (
                select(batches, calls.c.error)
                .join(calls, calls.c.call == batches.c.call)
                .where(batches.c.state.in_(_OPEN), calls.c.state == CallState.REVERTED)
            )
            return tuple((_batch(row), row.error or "") for row in connection.execute(query))

        return await self._database.reread("refused", work)

    async def retry(self, batch: Batch) -> None:
        mine = select(batches.c.call).where(batches.c.id == batch.id).scalar_subquery()
        again = update(calls).where(calls.c.call == mine, calls.c.state == CallState.REVERTED)
        values = again.values(state=CallState.INTENDED, error=None)
        await self._database.write(lambda connection: connection.execute(values))

    async def intend(self, call: Call, *, now: int) -> None:
        await self._database.write(lambda connection: _intend(connection, call, now))

    async def batches_of(self, leaves: Sequence[bytes]) -> Mapping[bytes, tuple[Ticket, Batch]]:
        def work(connection: Connection) -> dict[bytes, tuple[Ticket, Batch]]:
            found: dict[bytes, tuple[Ticket, Batch]] = {}
            for part in _parts(leaves):
                query = (
                    select(tickets, batches)
                    .join(batches, batches.c.id == tickets.c.batch)
                    .where(tickets.c.leaf.in_(part))
                )
                for row in connection.execute(query):
                    found[row.leaf] = (_ticket(row), _batch(row))
            return found

        return await self._database.read(work)

    async def leaves_of(self, batch: int) -> tuple[bytes, ...]:
        query = select(tickets.c.leaf).where(tickets.c.batch == batch)
        return tuple(await self._database.read(lambda connection: connection.execute(query).scalars().all()))


def _intend(connection: Connection, call: Call, now: int) -> None:
    there = connection.execute(select(calls.c.state).where(calls.c.call == call.call)).scalar()
    if there is None:
        values = {
            "call": call.call,
            "lane": call.lane,
            "priority": call.priority,
            "contract": call.contract,
            "data": call.data,
            "created_at": now,
        }
        # Another stack may intend the same call in this moment: one of the two rows stands, and that is all we want.
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(insert(calls).values(**values))
    elif there == CallState.REVERTED:
        again = update(calls).where(calls.c.call == call.call)
        connection.execute(again.values(state=CallState.INTENDED, error=None))


def _anchored(connection: Connection) -> list[tuple[int, AnyRow]]:
    """Open batches whose own event is indexed: the event says so, not the call."""
    query = (
        select(batches.c.id, batches.c.root, chain_events)
        .join(calls, calls.c.call == batches.c.call)
        .join(chain_events, chain_events.c.block_number == calls.c.block_number)
        .where(
            batches.c.state.in_(_OPEN),
            calls.c.state == CallState.LANDED,
            chain_events.c.name == "Anchored",
            chain_events.c.key1 == batches.c.log,
            chain_events.c.orphaned_at.is_(None),
        )
    )
    return [(row.id, row) for row in connection.execute(query) if decode_args(row.args).get("root") == row.root]


def _parts(values: Sequence[T]) -> list[Sequence[T]]:
    return [values[at : at + MANY] for at in range(0, len(values), MANY)]


def _ticket(row: AnyRow) -> Ticket:
    return Ticket(
        seq=row.seq,
        log=row.log,
        leaf=row.leaf,
        values=split_values(row.values_),
        cid_digest=row.cid_digest,
        locator=row.locator,
    )


def _batch(row: AnyRow) -> Batch:
    return Batch(
        id=row.id,
        log=row.log,
        root=row.root,
        manifest_digest=row.manifest_digest,
        count=row._mapping["count"],  # `row.count` is the tuple's method
        state=BatchState(row.state),
        block_number=row.block_number,
        transaction=row.transaction,
    )
