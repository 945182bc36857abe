"""Intended transactions and the accounts that send them. One owner writes for an account at a time.

Every change first takes the account's row under the owner's name (the fence), so a process that lost its lease
changes nothing, however late it wakes up.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from anchoring.errors import LeaseLost
from anchoring.merkle import keccak256
from anchoring.model import BlockRef, Call, CallFate, CallState, IntendedCall, SentCall
from anchoring.stores.database import AnyRow, Database
from anchoring.stores.tables import accounts, calls, chain_blocks, chain_cursor

_LENGTH = 4
_CALL = (calls.c.call, calls.c.lane, calls.c.priority, calls.c.contract, calls.c.data)


class SqlCalls:
    """`anchoring.ports.CallStore`. `cursor`: the follower whose index says what is canonical."""

    def __init__(self, database: Database, *, cursor: str) -> None:
        self._database = database
        self._cursor = cursor

    async def take_lease(self, account: str, *, owner: str, now: int, until: int) -> bool:
        def work(connection: Connection) -> bool:
            free = or_(accounts.c.owner.is_(None), accounts.c.owner == owner, accounts.c.lease_until < now)
            taken = connection.execute(
                update(accounts).where(accounts.c.address == account, free).values(owner=owner, lease_until=until)
            )
            if taken.rowcount:
                return True
            if connection.execute(select(accounts.c.address).where(accounts.c.address == account)).first():
                return False
            connection.execute(insert(accounts).values(address=account, nonce=0, owner=owner, lease_until=until))
            return True

        try:
            return await self._database.write(work)
        except IntegrityError:
            return False  # another process made the row first

    async def drop_lease(self, account: str, *, owner: str) -> None:
        mine = and_(accounts.c.address == account, accounts.c.owner == owner)
        await self._database.write(
            lambda connection: connection.execute(update(accounts).where(mine).values(owner=None))
        )

    async def intended(self, lane: str, *, limit: int) -> tuple[IntendedCall, ...]:
        def work(connection: Connection) -> tuple[IntendedCall, ...]:
            waiting = select(*_CALL, calls.c.seq).where(calls.c.lane == lane, calls.c.state == CallState.INTENDED)
            rows = list(connection.execute(waiting.order_by(calls.c.priority, calls.c.seq).limit(limit)))
            if len(rows) == limit:
                oldest = connection.execute(waiting.order_by(calls.c.seq).limit(1)).one()
                rows += [] if oldest in rows else [oldest]
            return tuple(IntendedCall(call=_call(row), seq=row.seq) for row in rows)

        return await self._database.reread(("intended", lane, limit), work)

    async def sent(self, lane: str) -> tuple[SentCall, ...]:
        def work(connection: Connection) -> tuple[SentCall, ...]:
            query = (
                select(*_CALL, calls.c.nonce, calls.c.raw, calls.c.sent_at)
                .where(calls.c.lane == lane, calls.c.state == CallState.SENT)
                .order_by(calls.c.nonce)
            )
            return tuple(
                SentCall(call=_call(row), nonce=row.nonce, attempts=split_attempts(row.raw), sent_at=row.sent_at)
                for row in connection.execute(query)
            )

        return await self._database.reread(("sent", lane), work)

    async def mark_sent(self, account: str, *, owner: str, sent: SentCall, until: int) -> None:
        """COMMIT POINT. A crash before: the call is INTENDED and nothing of it was broadcast. After: it is SENT with
        the very bytes to broadcast, under a nonce that no other call has."""

        def work(connection: Connection) -> None:
            mine = and_(accounts.c.address == account, accounts.c.owner == owner)
            fenced = connection.execute(update(accounts).where(mine).values(lease_until=until, nonce=sent.nonce + 1))
            marked = connection.execute(
                update(calls)
                .where(calls.c.call == sent.call.call, calls.c.state.in_((CallState.INTENDED, CallState.SENT)))
                .values(
                    state=CallState.SENT,
                    nonce=sent.nonce,
                    raw=join_attempts(sent.attempts),
                    transaction=keccak256(sent.attempts[-1]),
                    sent_at=sent.sent_at,
                    attempts=len(sent.attempts),
                )
            )
            if not fenced.rowcount or not marked.rowcount:
                raise LeaseLost(f"another process writes for {account}")

        await self._database.write(work)

    async def mark_landed(self, account: str, *, owner: str, call: bytes, transaction: bytes, block: BlockRef) -> bool:
        def work(connection: Connection) -> bool:
            _fence(connection, account, owner)
            # Holding the cursor keeps the follower from moving past this block unseen (see SqlEvents.advance).
            at = connection.execute(
                select(chain_cursor.c.block_number)
                .where(chain_cursor.c.name == self._cursor)
                .with_for_update(read=True)
            ).scalar()
            rival = select(chain_blocks.c.hash).where(
                chain_blocks.c.number == block.number, chain_blocks.c.hash != block.hash
            )
            if at is not None and at >= block.number and connection.execute(rival).first():
                return False
            connection.execute(
                update(calls)
                .where(calls.c.call == call)
                .values(
                    state=CallState.LANDED,
                    error=None,
                    transaction=transaction,
                    block_number=block.number,
                    block_hash=block.hash,
                )
            )
            return True

        return await self._database.write(work)

    async def mark_reverted(self, account: str, *, owner: str, call: bytes, error: str) -> None:
        def work(connection: Connection) -> None:
            _fence(connection, account, owner)
            reverted = update(calls).where(calls.c.call == call, calls.c.state == CallState.INTENDED)
            connection.execute(reverted.values(state=CallState.REVERTED, error=error))

        await self._database.write(work)

    async def requeue(self, account: str, *, owner: str, call: bytes) -> None:
        def work(connection: Connection) -> None:
            _fence(connection, account, owner)
            again = update(calls).where(calls.c.call == call, calls.c.state == CallState.SENT)
            connection.execute(again.values(state=CallState.INTENDED, nonce=None, raw=None, transaction=None))

        await self._database.write(work)

    async def settled(self, lane: str) -> BlockRef | None:
        def work(connection: Connection) -> BlockRef | None:
            at = connection.execute(
                select(chain_blocks)
                .join(chain_cursor, chain_cursor.c.block_hash == chain_blocks.c.hash)
                .where(chain_cursor.c.name == self._cursor)
            ).first()
            if at is None:
                return None
            under_way = select(calls.c.call).where(calls.c.lane == lane, calls.c.state == CallState.SENT)
            ahead = select(calls.c.call).where(
                calls.c.block_number > at.number, calls.c.lane == lane, calls.c.state == CallState.LANDED
            )
            if connection.execute(under_way).first() or connection.execute(ahead).first():
                return None
            return BlockRef(number=at.number, hash=at.hash, parent=at.parent, timestamp=at.timestamp)

        return await self._database.read(work)

    async def fate(self, call: bytes) -> CallFate | None:
        at = select(chain_cursor.c.block_number).where(chain_cursor.c.name == self._cursor).scalar_subquery()
        query = select(
            calls.c.state, calls.c.error, calls.c.transaction, calls.c.block_number, at.label("indexed_to")
        ).where(calls.c.call == call)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        return CallFate(
            state=CallState(row.state),
            error=row.error,
            transaction=row.transaction,
            block_number=row.block_number,
            indexed=None not in (row.block_number, row.indexed_to) and row.indexed_to >= row.block_number,
        )


def join_attempts(attempts: Sequence[bytes]) -> bytes:
    """Signed transactions as one column, oldest first, each after four bytes of its length."""
    return b"".join(len(one).to_bytes(_LENGTH, "big") + one for one in attempts)


def split_attempts(joined: bytes) -> tuple[bytes, ...]:
    """The inverse of `join_attempts`."""
    attempts: list[bytes] = []
    at = 0
    while at < len(joined):
        start = at + _LENGTH
        at = start + int.from_bytes(joined[at:start], "big")
        attempts.append(joined[start:at])
    return tuple(attempts)


def _call(row: AnyRow) -> Call:
    return Call(call=row.call, lane=row.lane, priority=row.priority, contract=row.contract, data=row.data)


def _fence(connection: Connection, account: str, owner: str) -> None:
    mine = and_(accounts.c.address == account, accounts.c.owner == owner)
    if not connection.execute(update(accounts).where(mine).values(owner=owner)).rowcount:
        raise LeaseLost(f"another process writes for {account}")
