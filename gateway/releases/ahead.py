"""Work that is begun before its turn comes, so that whoever waits for one piece does not wait for all of the next."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def ahead(work: AsyncIterator[Coroutine[Any, Any, T]], *, most: int) -> AsyncGenerator[T]:
    """What each piece gives, in their order, while up to `most` of them are under way. To be closed by who asks
    (`contextlib.aclosing`): what is under way then ends with it. Raises what the piece raises whose turn it is."""
    under_way: deque[asyncio.Task[T]] = deque()
    more = True
    try:
        while True:
            while more and len(under_way) < most:
                piece = await anext(work, None)
                more = piece is not None
                if piece is not None:
                    under_way.append(asyncio.create_task(piece))
            if not under_way:
                return
            result = await under_way[0]
            under_way.popleft()
            yield result
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
