"""B8 in the form that CI runs; `make campaign ARGS=B8` is its short form, `make release-B8` the long one."""

from pathlib import Path

import pytest

from tests.campaigns.model import Asked
from tests.campaigns.tampering import tamper
from tests.campaigns.verdicts import accept

SEED = 20_261_128
FLIPS = 1_000
"""Of the whole check, and a fifth of the columns; the short form has 5,000 and every column."""


@pytest.mark.services
@pytest.mark.timeout(300)
def test_no_wrong_octet_is_released_whatever_is_tampered_with(tmp_path: Path) -> None:
    accept(tamper(Asked(rounds=FLIPS, seed=SEED, servers="embedded", folder=tmp_path)))
