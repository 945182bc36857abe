"""A running embedded chain, and a contract on it, for one module of tests at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anchoring.chain.embedded.process import EmbeddedChainProcess
from tests.unit.anchoring.chain.embedded.client import CHAIN_ID, RICH, ChainClient


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedChainProcess]:
    process = EmbeddedChainProcess.start(
        data=tmp_path_factory.mktemp("chain") / "chain.db", chain_id=CHAIN_ID, funded=[RICH.address]
    )
    yield process
    process.stop()


@pytest.fixture(scope="module")
def client(chain: EmbeddedChainProcess) -> ChainClient:
    return ChainClient(chain.url)


@pytest.fixture(scope="module")
def probe(client: ChainClient) -> str:
    """The address of a deployed probe contract."""
    return client.deploy_probe()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "chain.db"
