"""B24 in the form that CI runs; a plan is drawn twice for many seeds, and one seed is run twice."""

from pathlib import Path

import pytest

from tests.campaigns.kills import B1_TARGETS
from tests.campaigns.model import Asked
from tests.campaigns.plan import draw
from tests.campaigns.replays import replay
from tests.campaigns.verdicts import accept


def test_a_seed_draws_the_same_plan_again_and_another_seed_another() -> None:
    digests = {seed: draw(seed, rounds=5, targets=B1_TARGETS).digest for seed in range(50)}
    assert all(draw(seed, rounds=5, targets=B1_TARGETS).digest == one for seed, one in digests.items())
    assert len(set(digests.values())) == len(digests)


@pytest.mark.timeout(300)
def test_a_seed_replays_to_the_same_history(tmp_path: Path) -> None:
    accept(replay(Asked(rounds=1, seed=7, servers="embedded", folder=tmp_path)))
