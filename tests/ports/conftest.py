"""The index on each database, opened as often as a test has replicas."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.adapters.sql.index import SqlIndex
from gateway.ports.clock import SystemClock
from tests.ports.databases import DATABASES, migrated_url


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return migrated_url(request, tmp_path)


@pytest.fixture
async def replica(url: str) -> AsyncIterator[Callable[[], SqlIndex]]:
    """Opens one more index on the same database, as another replica would."""
    opened: list[SqlIndex] = []

    def again() -> SqlIndex:
        opened.append(SqlIndex.open(url, clock=SystemClock()))
        return opened[-1]

    yield again
    for index in opened:
        await index.close()


@pytest.fixture
def index(replica: Callable[[], SqlIndex]) -> SqlIndex:
    return replica()
