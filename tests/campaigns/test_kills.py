"""B1 and B2 in the form that CI runs; `make release-B1` and `make release-B2` are the long ones."""

from pathlib import Path

import pytest

from tests.campaigns.kills import kill_some_servers, kill_the_gateway
from tests.campaigns.model import Asked
from tests.campaigns.verdicts import accept

SEED = 20_261_123
ROUNDS = 5
"""Of the whole check; `make campaign ARGS=B1` runs the 25 of the bar."""
PAIRS = (("chain", "postgres"), ("kubo", "redis"), ("chain", "worker"))
"""Of the whole check: each server once, the chain twice; `make campaign ARGS=B2` runs each alone and all pairs."""


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_when_the_gateway_or_a_child_is_killed_while_writing(tmp_path: Path) -> None:
    accept(kill_the_gateway(Asked(rounds=ROUNDS, seed=SEED, servers="embedded", folder=tmp_path)))


@pytest.mark.services
@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_when_two_servers_at_once_are_killed_while_writing(tmp_path: Path) -> None:
    accept(kill_some_servers(Asked(rounds=1, seed=SEED, servers="real", folder=tmp_path), PAIRS))
