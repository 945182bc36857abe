"""What the index asks of a database: read the newest commit, or make one durable transaction. Two databases answer."""

from collections.abc import Sequence
from typing import Any, Protocol

from gateway.adapters.sql.statements import Plan, Value

TIMEOUT = 5.0
"""Seconds that a statement may take."""

Rows = Sequence[tuple[Any, ...]]


class Source(Protocol):
    """Foreign failures: UpstreamError. SQL marks its parameters with `?`; binary columns come back as `bytes`."""

    async def fetch(self, sql: str, parameters: Sequence[Value]) -> Rows:
        """All rows, of the newest commit of anyone."""
        ...

    async def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        """One statement as a durable transaction; how many rows it changed."""
        ...

    async def apply(self, plan: Plan) -> None:
        """The whole plan as one durable transaction. ConflictError when a key is taken: nothing was written."""
        ...

    async def close(self) -> None: ...
