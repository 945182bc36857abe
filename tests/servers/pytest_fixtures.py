"""One server of each kind for a whole test session; what a test needs to itself it takes from the modules.

A missing program skips the test, unless `CONSENTRY_REQUIRE_SERVICES=1`: then it fails, by name.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.servers.anvil import running_anvil
from tests.servers.chain import Chain
from tests.servers.geth import running_geth
from tests.servers.kubo import Kubo, running_kubo
from tests.servers.openbao import OpenBao, running_openbao
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.programs import MissingProgram, library, program, script_packages
from tests.servers.redis import Redis, running_redis

_Server = TypeVar("_Server")
_REPOSITORY = Path(__file__).resolve().parents[2]


def require_program(name: str) -> Path:
    """Path of a program; without it the test is skipped, or failed where services are required."""
    return _required(program, name)


def require_library(name: str) -> Path:
    """As `require_program`, of a library to be loaded before a program's own."""
    return _required(library, name)


def require_script_packages() -> Path:
    """As `require_program`, of the `node_modules` with foreign clients of the API."""
    return _required(lambda _: script_packages(), "clients")


def _required(find: Callable[[str], Path], name: str) -> Path:
    try:
        return find(name)
    except MissingProgram as missing:
        if os.environ.get("CONSENTRY_REQUIRE_SERVICES") == "1":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@contextmanager
def _served(server: AbstractContextManager[_Server], *programs: str) -> Iterator[_Server]:
    for name in programs:
        require_program(name)
    with server as running:
        yield running


@pytest.fixture(scope="session")
def kubo() -> Iterator[Kubo]:
    """A Kubo node shared by the session."""
    with _served(running_kubo(), "ipfs") as running:
        yield running


@pytest.fixture(scope="session")
def anvil() -> Iterator[Chain]:
    """An anvil chain shared by the session."""
    with _served(running_anvil(), "anvil") as running:
        yield running


@pytest.fixture(scope="session")
def geth() -> Iterator[Chain]:
    """A geth development chain shared by the session."""
    with _served(running_geth(), "geth") as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL cluster shared by the session; `fresh_database()` gives a test its own database."""
    with _served(running_postgres(), "postgres", "initdb") as running:
        yield running


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A redis server shared by the session."""
    with _served(running_redis(), "redis-server") as running:
        yield running


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """An OpenBao server shared by the session, unsealed; `fresh_key()` gives a test a transit key of its own."""
    with _served(running_openbao(), "bao") as running:
        yield running


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real FHIR data: `CONSENTRY_SHARED_DATA`, else `../shared/data` beside the checkout."""
    chosen = os.environ.get("CONSENTRY_SHARED_DATA")
    folder = Path(chosen) if chosen else _REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no folder of shared data at {folder}; CONSENTRY_SHARED_DATA names one")
    return folder
