"""What every test may ask for: the real servers and the shared data. Fixtures of one domain live beside its tests."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["tests.recursion", "tests.servers.pytest_fixtures", "tests.journeys.pytest_fixtures"]


@pytest.fixture(autouse=True)
def _logging_of_nobody_else() -> Iterator[None]:
    """A command that was run in the tests' own process sets up the log of all of it."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
