"""One idempotency key, used by many at the same moment, stores one record."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journeys.resources import observation
from tests.journeys.sites import Site, running_site

AT_ONCE = 16


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as running:
        yield running


def test_one_key_used_by_many_at_once_stores_one_record(site: Site) -> None:
    patient = site.crowd.patient()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(patient.person.store, patient.id, observation(), key="one") for _ in range(AT_ONCE)]
        told = {answer.result().value["id"] for answer in asked}
    assert told == set(patient.own())
    assert len(told) == 1
