"""A release out of its segments: three goes over the rows of all who are in, then sealed files on IPFS.

True here: rows are in memory a segment at a time, and leave sealed; the verdict is of the rows that left. What heavy
work there is runs beside the loop. A build that is cut short leaves blocks that no manifest names, under a key that
nobody was told.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.deid.assembly import Assembly, PersonRows, Verdict
from gateway.deid.generalizing import Levels
from gateway.deid.views.selects import Row
from gateway.releases.ahead import ahead
from gateway.releases.files import Seals, TableFiles, TableWriter
from gateway.releases.model import ReleaseFile
from gateway.releases.request import DatasetRequest
from gateway.releases.segments import Member, Segment, Segments
from gateway.releases.shape import Bars, Shape
from gateway.storage.model import Block
from gateway.storage.service import Blocks

OPENED: Final = 2
"""Segments at each step: one whose rows are gone over or written, and the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """`members`: all who were observed; `left`: subjects of whose rows some left."""

    verdict: Verdict
    bars: tuple[Bars, ...]
    files: tuple[ReleaseFile, ...]
    members: tuple[Member, ...]
    left: tuple[bytes, ...]
    unfit: int


class Building:
    """Of one edition. `excluded`: subjects who were gathered and are in no longer."""

    def __init__(
        self,
        request: DatasetRequest,
        segments: Segments,
        *,
        excluded: Container[bytes],
        blocks: Blocks,
        files: TableFiles,
    ) -> None:
        self._request = request
        self._segments = segments
        self._roots: Sequence[tuple[int, bytes]] = ()
        self._observed: set[int] = set()
        self._excluded = excluded
        self._blocks = blocks
        self._files = files
        self._assembly = Assembly(request.tables, request.profile)
        self._shape = Shape(request.tables, request.profile)
        self._members: list[Member] = []
        self._unfit = 0
        self._left: list[bytes] = []
        self.organizations: frozenset[bytes] = frozenset()
        """Of who asked, when these patients' permits were made."""

    async def observe(self, number: int, segment: Segment) -> None:
        """A segment that is at hand: `members` need not open it."""
        await asyncio.to_thread(self._observe, segment)
        self._observed.add(number)

    async def members(self, roots: Sequence[tuple[int, bytes]]) -> tuple[Member, ...]:
        """All who were gathered and are still in; each is observed. `roots`: the segments of the edition."""
        self._roots = roots
        await self._each(self._observe, [one for one in roots if one[0] not in self._observed])
        return tuple(self._members)

    async def plan(self, levels: Levels | None) -> Levels:
        """Who of the members is alike, and how far what describes them is generalized: as far as in the edition before,
        if there was one, because of two that differ in it the finer cells could be joined."""
        plan = await asyncio.to_thread(self._assembly.plan, levels)
        await self._each(self._count, self._roots)
        return plan.levels

    async def release(self, seals: Seals) -> Built:
        """The rows as they leave. The verdict may be that they must not be given out."""
        writers = [
            TableWriter(table, format=self._request.format, files=self._files, seals=seals)
            for table in self._request.tables
        ]
        async with (
            contextlib.aclosing(self._leaving(writers)) as leaving,
            contextlib.aclosing(ahead(leaving, most=OPENED)) as written,
        ):
            async for _ in written:
                pass
        await self._blocks.put_named([block for writer in writers for block in writer.end()])
        return Built(
            verdict=self._assembly.verdict(),
            bars=self._shape.bars(),
            files=tuple(file for writer in writers for file in writer.made),
            members=tuple(self._members),
            left=tuple(self._left),
            unfit=self._unfit,
        )

    async def _each(self, step: Callable[[Segment], None], roots: Sequence[tuple[int, bytes]]) -> None:
        async with contextlib.aclosing(ahead(self._opened(roots), most=OPENED)) as segments:
            async for segment in segments:
                await asyncio.to_thread(step, segment)

    async def _opened(self, roots: Sequence[tuple[int, bytes]]) -> AsyncIterator[Coroutine[Any, Any, Segment]]:
        for number, root in roots:
            yield self._segments.get(number, root)

    async def _leaving(self, writers: Sequence[TableWriter]) -> AsyncGenerator[Coroutine[Any, Any, None]]:
        """What leaves of one segment after the other; it is written while the next is gone over."""
        turn = asyncio.Lock()  # whoever comes first has it first

        async def write(tables: Sequence[Sequence[Row]]) -> None:
            async with turn:
                await self._blocks.put_named(await asyncio.to_thread(_written, tables, writers))

        async with contextlib.aclosing(ahead(self._opened(self._roots), most=OPENED)) as segments:
            async for segment in segments:
                yield write(await asyncio.to_thread(self._released, segment))

    def _observe(self, segment: Segment) -> None:
        self._members += [one for one in segment.members if one.subject not in self._excluded]
        self._unfit += segment.unfit
        self.organizations |= frozenset(segment.organizations)
        for _, person in self._people(segment):
            self._assembly.observe(person)

    def _count(self, segment: Segment) -> None:
        for _, person in self._people(segment):
            self._assembly.count(person)

    def _released(self, segment: Segment) -> list[list[Row]]:
        """Of each table the rows that leave."""
        tables: list[list[Row]] = [[] for _ in self._request.tables]
        for subject, person in self._people(segment):
            left = self._assembly.release(person)
            if left is not None:
                self._left.append(subject)
                self._shape.add(left)
                for table, rows in zip(tables, left, strict=True):
                    table += rows
        return tables

    def _people(self, segment: Segment) -> Iterator[tuple[bytes, PersonRows]]:
        for member, person in zip(segment.members, segment.people, strict=True):
            if member.subject not in self._excluded:
                yield member.subject, person.rows


def _written(tables: Sequence[Sequence[Row]], writers: Sequence[TableWriter]) -> list[Block]:
    return [block for writer, rows in zip(writers, tables, strict=True) for block in writer.add(rows)]
