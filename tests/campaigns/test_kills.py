"""B1 in the form that CI runs; `make release-B1` is the long one."""

from pathlib import Path

import pytest

from tests.campaigns.kills import kill_the_gateway
from tests.campaigns.model import Asked
from tests.campaigns.verdicts import accept

SEED = 20_261_123
ROUNDS = 8
"""Of the whole check; `make campaign ARGS=B1` runs the 25 of the bar."""


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_when_the_gateway_or_a_child_is_killed_while_writing(tmp_path: Path) -> None:
    accept(kill_the_gateway(Asked(rounds=ROUNDS, seed=SEED, servers="embedded", folder=tmp_path)))
