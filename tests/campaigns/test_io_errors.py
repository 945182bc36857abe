"""B4 in the form that the whole check runs; `make campaign ARGS=B4` and `make release-B4` are the longer ones."""

from pathlib import Path

import pytest

from tests.campaigns.io_errors import fail
from tests.campaigns.model import Asked
from tests.campaigns.verdicts import accept

SEED = 20_261_123
ROUNDS = 2


@pytest.mark.services
@pytest.mark.timeout(400)
def test_a_disk_that_fails_below_the_process_loses_nothing_and_needs_no_hand(tmp_path: Path) -> None:
    accept(fail(Asked(rounds=ROUNDS, seed=SEED, servers="embedded", folder=tmp_path)))
