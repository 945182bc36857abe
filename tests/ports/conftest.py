"""The index on each database, opened as often as a test has replicas; registries on each chain."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gateway.adapters.sql.index import SqlIndex
from gateway.ports.clock import SystemClock
from tests.ports.anchoring_stack import Stack
from tests.ports.databases import DATABASES, migrated_url
from tests.ports.test_chain import CHAINS, Owner, deploy_to, embedded_owner, owner_on, running_stack


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


@pytest.fixture(scope="module")
def own_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """An embedded chain of a module's own."""
    with embedded_owner(tmp_path_factory.mktemp("embedded"), chain_id=20_263) as owner:
        yield owner


@pytest.fixture(params=CHAINS)
async def stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    """Registries deployed on each chain, and a gateway's parts that follow it."""
    url, relay, anchor = owner_on(request, embedded="own_chain")
    deployed = await deploy_to(request.param, url=url, relay_key=relay, anchor_key=anchor)
    async with running_stack(deployed, tmp_path) as stack:
        yield stack
