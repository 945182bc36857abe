"""B10 in the form that CI runs: each shape once by itself and once among all; `make release-B10` is the long one."""

from pathlib import Path

import pytest

from tests.campaigns.catalogue import CATALOGUE
from tests.campaigns.holding import hold
from tests.campaigns.model import Asked
from tests.campaigns.verdicts import accept


@pytest.mark.timeout(300)
def test_no_bomb_holds_the_loop_while_honest_clients_read(tmp_path: Path) -> None:
    asked = Asked(rounds=CATALOGUE["B10"].short, seed=10, servers="embedded", folder=tmp_path)
    accept(hold(asked, patient=True))
