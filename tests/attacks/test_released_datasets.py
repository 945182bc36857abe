"""A release of data against whoever should not have it, or not any more."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from gateway.ports.releases import ReleaseStage
from tests.attacks.datasets import Laboratory, laboratory
from tests.attacks.inside import inside


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Laboratory]:
    async with inside(tmp_path) as running:
        yield await laboratory(running)


async def test_whoever_revokes_is_out(lab: Laboratory) -> None:
    people = await lab.patients(24)
    without = await lab.patient(24, consent=False)
    view = await lab.released()
    assert view.stage is ReleaseStage.RELEASED, view
    opened = await lab.open(view.release)
    files = await lab.content(opened)
    rows = [orjson.loads(line) for line in files["people/part-00000.ndjson"].splitlines()]
    assert len(rows) == 24, rows
    print(opened.manifest.decode())
    print(rows[:3])
    print(files["conditions/part-00000.ndjson"][:500], files["observations/part-00000.ndjson"][:300])
    assert without.subject.hex() not in str(rows)
    await lab.inside.revoke(people[0].who, people[0].subject, people[0].consent)
    error = await lab.refused(lab.open(view.release))
    print(error)
    again = await lab.settled(view.release, edition=2)
    print(again)
    opened = await lab.open(view.release)
    files = await lab.content(opened)
    rows = [orjson.loads(line) for line in files["people/part-00000.ndjson"].splitlines()]
    assert len(rows) == 23
