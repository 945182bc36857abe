"""The index of events, and the block it stands at. Events, cursor and versions move in one transaction.

Several replicas may follow with the same cursor: it moves by compare-and-swap on its block hash, so each block is
indexed once. What stood on blocks that left the chain is pending again in the same transaction.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from anchoring.errors import CursorMoved
from anchoring.indexer import Undo, names_touched
from anchoring.model import BatchState, BlockRef, CallState, Event
from anchoring.stores.columns import decode_args, encode_args, signer_of
from anchoring.stores.database import MANY, AnyRow, Database
from anchoring.stores.tables import batches, calls, chain_blocks, chain_cursor, chain_events

Bump = Callable[[Connection, Sequence[bytes]], None]
"""Moves the versions of names on, in the transaction that it is given."""


class SqlEvents:
    """`anchoring.ports.EventStore` for the follower `cursor`. `bump` is the gateway's."""

    def __init__(self, database: Database, *, cursor: str, bump: Bump) -> None:
        self._database = database
        self._name = cursor
        self._bump = bump

    async def cursor(self) -> BlockRef | None:
        def work(connection: Connection) -> BlockRef | None:
            query = (
                select(chain_blocks)
                .join(chain_cursor, chain_cursor.c.block_hash == chain_blocks.c.hash)
                .where(chain_cursor.c.name == self._name)
            )
            row = connection.execute(query).first()
            return None if row is None else _block(row)

        return await self._database.reread(("cursor", self._name), work)

    async def known(self, *, limit: int) -> tuple[BlockRef, ...]:
        query = select(chain_blocks).order_by(chain_blocks.c.number.desc()).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_block(row) for row in rows)

    async def advance(
        self, *, expected: BlockRef | None, blocks: Sequence[BlockRef], events: Sequence[Event], keep_from: int
    ) -> None:
        """COMMIT POINT. A crash before: the cursor is where it was, and the same blocks are read again. After: events,
        cursor and the versions of every name touched agree."""

        def work(connection: Connection) -> None:
            self._move(connection, expected, blocks[-1])
            connection.execute(insert(chain_blocks), [_block_row(block) for block in blocks])
            connection.execute(delete(chain_blocks).where(chain_blocks.c.number < keep_from))
            _displace(connection, _landed_elsewhere(blocks))
            for part in _parts(sorted({event.transaction for event in events})):
                # The same transaction came back in another block: what was kept of it in the lost one has had its day.
                returned = and_(chain_events.c.orphaned_at.is_not(None), chain_events.c.transaction.in_(part))
                connection.execute(delete(chain_events).where(returned))
            if events:
                connection.execute(insert(chain_events), [_event_row(event) for event in events])
                self._bump_names(connection, events)

        try:
            await self._database.write(work)
        except IntegrityError as e:
            raise CursorMoved("another follower made the cursor") from e

    async def above(self, number: int, *, upto: int | None = None) -> tuple[Event, ...]:
        query = select(chain_events).where(chain_events.c.block_number > number, chain_events.c.orphaned_at.is_(None))
        if upto is not None:
            query = query.where(chain_events.c.block_number <= upto)
        query = query.order_by(chain_events.c.block_number, chain_events.c.log_index)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_event(row) for row in rows)

    async def rewind(self, *, expected: BlockRef, ancestor: BlockRef, head: int, undo: Undo) -> None:
        """COMMIT POINT. A crash before: the lost blocks still count, and the next look finds the fork again. After:
        widening events are gone, narrowing ones are marked, calls and batches that stood there are under way again."""

        def work(connection: Connection) -> None:
            self._move(connection, expected, ancestor)
            connection.execute(delete(chain_blocks).where(chain_blocks.c.number > ancestor.number))
            for event in undo.forget:
                connection.execute(delete(chain_events).where(_same(event)))
            for event in undo.orphan:
                connection.execute(update(chain_events).where(_same(event)).values(orphaned_at=head))
            _displace(connection, calls.c.block_number > ancestor.number)
            anchored = and_(batches.c.state == BatchState.ANCHORED, batches.c.block_number > ancestor.number)
            connection.execute(
                update(batches)
                .where(anchored)
                .values(state=BatchState.SUBMITTED, block_number=None, block_hash=None, transaction=None)
            )
            if undo.names:
                self._bump(connection, sorted(undo.names))

        await self._database.write(work)

    async def mend(self, *, at: BlockRef, missing: Sequence[Event], undo: Undo) -> None:
        """COMMIT POINT. A crash before: the next look of a witness finds the same difference. After: the events are the
        chain's, and every name that one touches has a new version."""

        def work(connection: Connection) -> None:
            if connection.execute(select(chain_blocks.c.hash).where(chain_blocks.c.hash == at.hash)).first() is None:
                raise CursorMoved("the block is no longer indexed")
            for event in (*undo.forget, *missing):
                connection.execute(delete(chain_events).where(_same(event)))
            for event in undo.orphan:
                connection.execute(update(chain_events).where(_same(event)).values(orphaned_at=at.number))
            if missing:
                connection.execute(insert(chain_events), [_event_row(event) for event in missing])
            self._bump_names(connection, (*missing, *undo.forget, *undo.orphan))

        try:
            await self._database.write(work)
        except IntegrityError as e:
            raise CursorMoved("another replica mended the same") from e

    async def forget_orphans(self, *, upto: int) -> tuple[Event, ...]:
        due = chain_events.c.orphaned_at <= upto
        if not await self._database.read(lambda c: c.execute(select(chain_events.c.name).where(due).limit(1)).first()):
            return ()

        def work(connection: Connection) -> tuple[Event, ...]:
            gone = tuple(_event(row) for row in connection.execute(select(chain_events).where(due)).all())
            connection.execute(delete(chain_events).where(due))
            self._bump_names(connection, gone)
            return gone

        return await self._database.write(work)

    def _move(self, connection: Connection, expected: BlockRef | None, to: BlockRef) -> None:
        values = {"block_number": to.number, "block_hash": to.hash}
        if expected is None:
            connection.execute(insert(chain_cursor).values(name=self._name, **values))
            return
        here = and_(chain_cursor.c.name == self._name, chain_cursor.c.block_hash == expected.hash)
        if not connection.execute(update(chain_cursor).where(here).values(**values)).rowcount:
            raise CursorMoved("another follower moved the cursor")

    def _bump_names(self, connection: Connection, events: Sequence[Event]) -> None:
        names = names_touched(events)
        if names:
            self._bump(connection, sorted(names))  # sorted: two writers take rows in one order


def _landed_elsewhere(blocks: Sequence[BlockRef]) -> ColumnElement[bool]:
    numbers = [block.number for block in blocks]
    return and_(calls.c.block_number.in_(numbers), calls.c.block_hash.not_in([block.hash for block in blocks]))


def _displace(connection: Connection, where: ColumnElement[bool]) -> None:
    """Calls whose block is not canonical are under way again, with the bytes that were signed."""
    connection.execute(
        update(calls)
        .where(calls.c.state == CallState.LANDED, where)
        .values(
            state=case((calls.c.raw.is_(None), CallState.INTENDED.value), else_=CallState.SENT.value),
            block_number=None,
            block_hash=None,
        )
    )


def _same(event: Event) -> ColumnElement[bool]:
    return and_(chain_events.c.block_hash == event.block_hash, chain_events.c.log_index == event.log_index)


def _parts(values: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [values[at : at + MANY] for at in range(0, len(values), MANY)]


def _block(row: AnyRow) -> BlockRef:
    return BlockRef(number=row.number, hash=row.hash, parent=row.parent, timestamp=row.timestamp)


def _block_row(block: BlockRef) -> dict[str, object]:
    return {"number": block.number, "hash": block.hash, "parent": block.parent, "timestamp": block.timestamp}


def _event(row: AnyRow) -> Event:
    return Event(
        contract=row.contract,
        name=row.name,
        keys=tuple(key for key in (row.key1, row.key2, row.key3) if key is not None),
        args=decode_args(row.args),
        block_number=row.block_number,
        block_hash=row.block_hash,
        log_index=row.log_index,
        transaction=row.transaction,
        orphaned_at=row.orphaned_at,
    )


def _event_row(event: Event) -> dict[str, object]:
    keys = (*event.keys, None, None, None)[:3]
    return {
        "block_hash": event.block_hash,
        "log_index": event.log_index,
        "block_number": event.block_number,
        "contract": event.contract,
        "name": event.name,
        "key1": keys[0],
        "key2": keys[1],
        "key3": keys[2],
        "args": encode_args(event.args),
        "transaction": event.transaction,
        "orphaned_at": event.orphaned_at,
        "signer": signer_of(event.name, event.args),
    }
