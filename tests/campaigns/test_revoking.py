"""B7 in the form that CI runs; `make campaign ARGS=B7` is its short form, `make release-B7` the long one."""

from pathlib import Path

import pytest

from tests.campaigns.model import Asked
from tests.campaigns.revoking import Broken, draw, revoke
from tests.campaigns.verdicts import accept

SEED = 20_261_128
CYCLES = 6
"""Of the whole check: nothing broken, redis and chain down, past the gateways, redis of one, both mute, redis."""


def test_a_plan_has_every_kind_of_cycle_and_breaks_each_link() -> None:
    cycles = draw(SEED, 100)
    assert {cycle.broken for cycle in cycles} == set(Broken)
    for kind in (Broken.REDIS_OF_ONE, Broken.REDIS_OF_ONE_MUTE):
        assert {cycle.one for cycle in cycles if cycle.broken is kind} == {0, 1, 2}


@pytest.mark.services
@pytest.mark.timeout(400)
def test_no_read_that_starts_after_the_revocations_return_is_permitted(tmp_path: Path) -> None:
    accept(revoke(Asked(rounds=CYCLES, seed=SEED, servers="real", folder=tmp_path), patient=True))
