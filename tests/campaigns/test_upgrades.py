"""B22 in the form that CI runs, kills alone; `make campaign ARGS=B22` puts an old index back too, `make release-B22`
kills at every act, `--servers real` on PostgreSQL."""

from pathlib import Path

import pytest

from tests.campaigns.model import Asked
from tests.campaigns.upgrades import upgrade
from tests.campaigns.verdicts import accept

SEED = 20_261_123
ACTS = 1
"""Of each step that the whole check kills at."""


@pytest.mark.timeout(400)
def test_a_kill_inside_a_migration_leaves_the_old_form_or_the_new(tmp_path: Path) -> None:
    accept(upgrade(Asked(rounds=ACTS, seed=SEED, servers="embedded", folder=tmp_path), restoring=False))
