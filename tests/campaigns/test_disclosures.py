"""B13 in the form that the whole check runs; `make campaign ARGS=B13` and `make release-B13` are the longer ones."""

from pathlib import Path

import pytest

from tests.campaigns.disclosures import disclose
from tests.campaigns.model import Asked
from tests.campaigns.verdicts import accept

SEED = 20_261_123
READS = 100


@pytest.mark.services
@pytest.mark.timeout(300)
def test_nothing_is_answered_without_its_entry_whatever_is_killed_full_or_hung(tmp_path: Path) -> None:
    accept(disclose(Asked(rounds=READS, seed=SEED, servers="embedded", folder=tmp_path)))
