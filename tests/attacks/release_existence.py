"""Bar B15 by the clock, in its release form alone (`make release-B15`): a prober inside the gateway's own process, with
no network between, cannot tell what is forbidden from what is absent by the time that it takes.

The short form of the whole check counts the work instead (`test_existence_work.py`), which no other load disturbs, and
times four ways over HTTP (`test_existence_oracle.py`).
"""

import os
import random
import time
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from gateway.records.opening import Opening
from tests.attacks.oracle import WAYS, Ground, Way, plain, probed_ground
from tests.attacks.test_existence_oracle import LEAST, MOST, auc

PROBES: Final = int(os.environ.get("ORACLE_PROBES", "3000"))
"""Of each kind. Each is the shortest of `ASKED` answers, as a prober would take it."""
ASKED: Final = 3
SEED: Final = 20_261_128
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with probed_ground(tmp_path_factory.mktemp("timing") / "data") as found:
        yield found


async def timed(ground: Ground, way: Way) -> tuple[float, set[str]]:
    """(AUC, the distinct answers). Kinds are asked in random order, so what else the machine does falls on both."""
    chance = random.Random(SEED)
    asked = [
        (side, chance.choice(names[way.kind]))
        for side, names in enumerate((ground.there, ground.gone))
        for _ in range(PROBES)
    ]
    chance.shuffle(asked)
    for _, id in asked[:100]:
        await ground.ask(way, id)
    times: tuple[list[float], list[float]] = ([], [])
    answers: set[str] = set()
    for side, id in asked:
        took = []
        for _ in range(ASKED):
            began = time.perf_counter()
            answers.add(plain(await ground.ask(way, id)))
            took.append(time.perf_counter() - began)
        times[side].append(min(took))
    return auc(times[0], times[1]), answers


@pytest.mark.parametrize("name", WAYS)
async def test_no_clock_parts_what_is_forbidden_from_what_is_absent(ground: Ground, name: str) -> None:
    found, answers = await timed(ground, WAYS[name])
    print(f"AUC {found:.3f} {name}")
    assert len(answers) == 1, answers
    assert LEAST <= found <= MOST, f"AUC {found:.3f}"


async def _no_glance(self: Opening, row: object) -> None:
    return None


async def test_without_its_control_the_clock_parts_them(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Opening, "glance", _no_glance)
    found, _ = await timed(ground, WAYS["record, narrowly"])
    print(f"AUC {found:.3f} record, narrowly, without its control")
    assert not LEAST <= found <= MOST, f"AUC {found:.3f}"
