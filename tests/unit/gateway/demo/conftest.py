"""One HTTP client for all tests: making one reads the machine's certificates, which takes longer than any test."""

from collections.abc import Iterator

import httpx
import pytest

from gateway.demo.client import open_http


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with open_http("http://127.0.0.1") as client:
        yield client
