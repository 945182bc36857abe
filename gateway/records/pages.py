"""A patient's records, page by page: as they arrived, by clinical time, or the latest of each kind.

What is refused is skipped without a trace: whether more follows is told by what may be read, not by what exists, and
order and kind by what is shown. Every item is a read of its own (`reading`), audited as one.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from gateway.audit.model import Outcome
from gateway.audit.service import Audit
from gateway.consent import policy
from gateway.consent.model import Basis, Purpose, Requester
from gateway.consent.names import requester
from gateway.consent.standing import Standing
from gateway.crypto.keys import DomainKey
from gateway.emergency.grounds import Ground
from gateway.errors import CallerError, LimitError, StaleError
from gateway.identity.model import Caller
from gateway.ids import RecordId, SubjectId
from gateway.ports.anchors import Anchors
from gateway.ports.index import Index
from gateway.ports.ledger import Appended, Stale, Taken
from gateway.ports.rows import RecordRow
from gateway.records.model import RecordFilter, RecordOrder, RecordPage, Released
from gateway.records.opening import Opening, filter_tokens, is_met
from gateway.records.reading import TRIES, Answer, Reading, Sighted
from gateway.slices import Slice

PAGE_CEILING: Final = 100
PAGE_OCTETS: Final = 32 * 1024 * 1024
"""Content past this ends a page early: a hundred records of the largest kind would not fit into memory."""
ORDERED_CEILING: Final = 20_000
"""Records that are put in clinical order for one page."""
_SCAN: Final = 128
"""Rows looked at in one go."""
_CURSOR: Final = b"records"
_HIDDEN: Final = 32
"""Characters of a hidden number."""
_LAST_MOMENT: Final = 253_402_300_800_000
"""Milliseconds from 1970 to the year 10000."""
_UNDATED: Final = 2**62
_NOTHING = RecordPage(items=(), cursors=(), has_next=False, has_previous=False)
Place: TypeAlias = tuple[int, int]
"""Where a row stands in its order: 0 or how long before the year 10000 (milliseconds), then its `seq`."""
_START: Final[Place] = (-1, -1)
_END: Final[Place] = (2**63, 2**63 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One page's question, and what it is decided on."""

    caller: Caller
    subject: SubjectId
    purpose: Purpose
    filter: RecordFilter
    order: RecordOrder
    ground: Ground
    tokens: tuple[tuple[bytes, ...], ...]
    size: int
    after: Place
    before: Place
    backwards: bool


class Pages:
    """See the module."""

    def __init__(self, *, reading: Reading, audit: Audit, index: Index, opening: Opening, anchors: Anchors) -> None:
        self._reading = reading
        self._audit = audit
        self._index = index
        self._opening = opening
        self._anchors = anchors

    async def page(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        filter: RecordFilter,
        order: RecordOrder,
        part: Slice,
    ) -> RecordPage:
        """Records that the caller may read. Raises LimitError where too many would have to be put in order."""
        if not 1 <= part.size <= PAGE_CEILING:
            raise LimitError(f"1 to {PAGE_CEILING} records make a page", field=("last" if part.backwards else "first",))
        for _ in range(TRIES):
            found = await self._page(caller, subject, purpose=purpose, filter=filter, order=order, part=part)
            if isinstance(found, RecordPage):
                return found
            caller = await self._reading.gather_again(caller, found)
        raise StaleError("the patient's records and consents keep changing; try again")

    async def _page(
        self,
        caller: Caller,
        subject: SubjectId,
        *,
        purpose: Purpose,
        filter: RecordFilter,
        order: RecordOrder,
        part: Slice,
    ) -> RecordPage | Stale | Taken:
        """All of a page stands on one standing: where a guard moved under any entry, nothing of it is told."""
        ground = await self._reading.ground(caller, subject, b"", purpose)
        standing = ground.standing
        if standing is None or not ground.concerns(requester(caller)):
            refusal = self._reading.refusal(caller, b"", purpose, standing, "no consent names the caller")
            await self._audit.append(refusal.event)
            return _NOTHING
        await self._reading.require_current(caller, b"", purpose, ground)
        key = await self._opening.subject_key(subject)
        if key is None:  # nothing was ever written, nor consented to
            await self._note_page(caller, purpose, ground, 0)
            return _NOTHING
        after, before = (
            _place(key, subject, order, part.after, "after"),
            _place(key, subject, order, part.before, "before"),
        )
        asked = _Asked(
            caller=caller,
            subject=subject,
            purpose=purpose,
            filter=filter,
            order=order,
            ground=ground,
            tokens=filter_tokens(await self._searched(requester(caller), standing, key, filter), filter),
            size=part.size,
            after=after or _START,
            before=before or _END,
            backwards=part.backwards,
        )
        permitted, hidden = await self._permitted(asked)
        full = len(permitted) > 1 and sum(answer.octets for _, answer in permitted) > PAGE_OCTETS
        shown = permitted[:-1] if full else permitted[: part.size]
        more = len(permitted) > len(shown)
        if part.backwards:
            shown.reverse()
        if hidden or not shown:
            await self._note_page(caller, purpose, ground, hidden)
        items = await self._release_answers([answer for _, answer in shown])
        if isinstance(items, Stale | Taken):
            return items
        return RecordPage(
            items=tuple(items),
            cursors=_cursors(key, subject, order, [place for place, _ in shown]),
            has_next=part.before is not None if part.backwards else more,
            has_previous=more if part.backwards else part.after is not None,
        )

    async def _searched(
        self, asking: Requester, standing: Standing, key: DomainKey, filter: RecordFilter
    ) -> tuple[DomainKey, ...]:
        """By whose tokens the index is asked: a patient's own questions reach what is theirs in studies, too."""
        if not (filter.resource_types or filter.code) or not policy.owns(asking, standing.epochs):
            return (key,)
        return await self._opening.keys_of_all(standing.subject.id)

    async def _permitted(self, asked: _Asked) -> tuple[list[tuple[Place, Answer]], int]:
        """Up to one more than asked for, so that what follows is told by what may be read, not by what exists; and how
        many were refused on the way."""
        permitted: list[tuple[Place, Answer]] = []
        hidden, octets = 0, 0
        ordered: Sequence[tuple[Place, RecordRow]] | None = None
        if asked.order is not RecordOrder.ARRIVAL:
            ordered, hidden = await self._in_order(asked)
        async with aclosing(self._rows(asked) if ordered is None else _within(asked, ordered)) as rows:
            async for place, row in rows:
                answer = await self._reading.answer(
                    asked.caller,
                    row,
                    RecordId(row.record),
                    asked.purpose,
                    wanted=asked.filter,
                    ground=asked.ground,
                )
                if answer is None:
                    continue
                if answer.release is None:
                    hidden += 1
                    continue
                permitted.append((place, answer))
                octets += answer.octets
                if len(permitted) > asked.size or (octets > PAGE_OCTETS and len(permitted) > 1):
                    break
        return permitted, hidden

    async def _rows(self, asked: _Asked) -> AsyncGenerator[tuple[Place, RecordRow], None]:
        """All that the filter's tokens find between two places, as they arrived, from either end."""
        after, before, more = asked.after[1], asked.before[1], True
        while more:
            rows = await self._index.page(
                asked.subject,
                after=after,
                before=before,
                limit=_SCAN,
                tokens=asked.tokens,
                backwards=asked.backwards,
            )
            more = len(rows) == _SCAN
            for row in rows:
                yield (0, row.seq), row
            if rows and asked.backwards:
                before = rows[-1].seq
            elif rows:
                after = rows[-1].seq
            await asyncio.sleep(0)

    async def _in_order(self, asked: _Asked) -> tuple[list[tuple[Place, RecordRow]], int]:
        """What may be read, newest clinically first, of each kind the first alone where the latest are asked for; and
        how many were refused."""
        found: list[tuple[Place, RecordRow, object]] = []
        hidden = 0
        everything = replace(asked, after=_START, before=_END, backwards=False)
        async with aclosing(self._rows(everything)) as rows:
            async for _, row in rows:
                seen = await self._reading.sight(
                    asked.caller, row, RecordId(row.record), asked.purpose, wanted=asked.filter, ground=asked.ground
                )
                if isinstance(seen, Answer):
                    hidden += 1
                if not isinstance(seen, Sighted):
                    continue
                period, codes = self._reading.visible(seen)
                if seen.permit.obligations and not is_met(period, codes, asked.filter):
                    continue  # what is hidden answers no question either
                found.append(((_before_last(period), row.seq), row, (seen.found.known.facts.resource_type, codes)))
                if len(found) > ORDERED_CEILING:
                    await self._note_page(asked.caller, asked.purpose, asked.ground, hidden)
                    raise LimitError(
                        f"more than {ORDERED_CEILING} records to put in order: name types, a code, labels or dates",
                        field=("filter",),
                    )
        found.sort(key=lambda one: one[0])
        if asked.order is RecordOrder.LATEST:
            found = sorted({one[2]: one for one in reversed(found)}.values(), key=lambda one: one[0])
        return [(place, row) for place, row, _ in found], hidden

    async def _note_page(self, caller: Caller, purpose: Purpose, ground: Ground, hidden: int) -> None:
        """One entry for what a page left out, or for a page of nothing."""
        refusal = self._reading.refusal(caller, b"", purpose, ground.standing, f"{hidden} of a page not covered")
        event = refusal.event if hidden else replace(refusal.event, outcome=Outcome.PERMITTED, reason="nothing found")
        if ground.emergency is not None:
            event = replace(event, basis=Basis.EMERGENCY.value, emergency=ground.emergency.emergency)
        await self._audit.append(event)

    async def _release_answers(self, answers: Sequence[Answer]) -> list[Released] | Stale | Taken:
        """Audited together, released in order; or what stood in the way of one, and then none is released."""
        # One await for all: the ledger commits what arrives together in one transaction.
        entries = await self._audit.append_each([(answer.event, answer.guards, answer.receipt) for answer in answers])
        states = await self._anchors.states([answer.leaf for answer in answers])
        released: list[Released] = []
        for answer, entry, state in zip(answers, entries, states, strict=True):
            if not isinstance(entry, Appended):
                return entry
            if answer.release is not None:
                released.append(answer.release(entry, state))
        return released


async def _within(
    asked: _Asked, ordered: Sequence[tuple[Place, RecordRow]]
) -> AsyncGenerator[tuple[Place, RecordRow], None]:
    for place, row in reversed(ordered) if asked.backwards else ordered:
        if asked.after < place < asked.before:
            yield place, row


def _before_last(period: tuple[float, float] | None) -> int:
    """Smaller for what began later; largest for what has no date."""
    return _UNDATED if period is None else _LAST_MOMENT - int(period[0] * 1000)


def _context(subject: SubjectId, order: RecordOrder) -> bytes:
    return _CURSOR + subject + (b"" if order is RecordOrder.ARRIVAL else order.name.encode())


def _cursors(key: DomainKey, subject: SubjectId, order: RecordOrder, places: Sequence[Place]) -> tuple[str, ...]:
    context = _context(subject, order)
    if order is RecordOrder.ARRIVAL:
        return key.hide_each([seq for _, seq in places], context=context)
    hidden = key.hide_each([number for place in places for number in place], context=context)
    return tuple(hidden[at] + hidden[at + 1] for at in range(0, len(hidden), 2))


def _place(key: DomainKey, subject: SubjectId, order: RecordOrder, cursor: str | None, field: str) -> Place | None:
    """Raises CallerError naming the field."""
    if cursor is None:
        return None
    context = _context(subject, order)
    try:
        if order is RecordOrder.ARRIVAL:
            return 0, key.reveal(cursor, context=context)
        time, seq = cursor[:_HIDDEN], cursor[_HIDDEN:]
        return key.reveal(time, context=context), key.reveal(seq, context=context)
    except CallerError as error:
        raise CallerError(error.message, field=(field,)) from error
